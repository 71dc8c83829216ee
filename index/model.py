"""The vocabulary (docs/glossary.md) as frozen dataclasses and enums. Of our modules it imports only index.messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol

from index.messages import Message

_values: Final[dict[type, Callable[[Any], tuple[Any, ...]]]] = {}


class Sent:
    """The base of a frozen dataclass with slots and at least two fields, which processes often send each other.

    Python looks up the fields of such a class for each object that it pickles or reads, which takes three times as long
    as the rest; here, an object is made again by its constructor.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        of = type(self)
        values = _values.get(of)
        if values is None:
            values = _values[of] = attrgetter(*(field.name for field in fields(of)))  # type: ignore[arg-type]
        return of, values(self)


HSIZES = (8, 16, 32)
# Camera RAW formats, by their name in the `format` of facts. They are read through their embedded preview.
RAW_FORMATS = frozenset("ARW CR2 CR3 CRW DNG NEF ORF PEF RAF RAW RW2 SRW".split())


class Turn(StrEnum):
    """The flip or rotation, one of 8, that turns the first picture into the second.

    The order is that of the rows of every (8, ...) array of turned hashes. Rotations are clockwise.
    """

    NONE = "none"
    FLIP_HORIZONTAL = "flip_horizontal"
    FLIP_VERTICAL = "flip_vertical"
    ROTATE_180 = "rotate_180"
    TRANSPOSE = "transpose"
    ROTATE_90 = "rotate_90"
    ROTATE_270 = "rotate_270"
    TRANSVERSE = "transverse"

    @property
    def inverse(self) -> "Turn":
        """The turn that undoes this one."""
        return {Turn.ROTATE_90: Turn.ROTATE_270, Turn.ROTATE_270: Turn.ROTATE_90}.get(self, self)


TURNS = tuple(Turn)
# The turns that swap width and height.
TRANSPOSED = frozenset((Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE))


class Kind(StrEnum):
    """The kind of a match, from the most to the least certain."""

    EXACT = "exact"
    PIXELS = "pixels"
    NEAR = "near"
    POSSIBLE = "possible"


KINDS = tuple(Kind)


def default_tolerance(hsize: int) -> int:
    """The default tolerance for a hash size: in proportion to 80 of 256 bits.

    No two of 1,000 unrelated photographs were that close (ImageNet, pHash at hsize 16).
    """
    return 80 * hsize * hsize // 256


class Depth(StrEnum):
    FAST = "fast"
    THOROUGH = "thorough"


class Method(StrEnum):
    """Which pairs become candidates: those with close hashes, with close vectors of a model, or both. AUTO decides by
    the speed of the machine."""

    AUTO = "auto"
    HASH = "hash"
    HASH_AND_MODEL = "hash+model"
    HASH_THEN_MODEL = "hash,model"
    MODEL = "model"


class Choice(StrEnum):
    """The choice of a decision; an image without a decision is undecided."""

    KEEP = "keep"
    TRASH = "trash"
    MOVE = "move"
    LINK = "link"


class JobKind(StrEnum):
    """`undo`, `empty`, `rule` and `decide` are requested by their own routes, and never scheduled."""

    SCAN = "scan"
    DETECT = "detect"
    SORT = "sort"
    COMPRESS = "compress"
    UNDO = "undo"
    EMPTY = "empty"
    RULE = "rule"
    DECIDE = "decide"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StatResult(Protocol):
    """The part of os.stat_result that is used."""

    @property
    def st_dev(self) -> int: ...
    @property
    def st_ino(self) -> int: ...
    @property
    def st_size(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...


class RootState(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class Identity(NamedTuple):
    """Identifies a file on disk, in its present state, without reading it.

    A tuple, since a scan creates and compares two for each file, and a frozen dataclass takes four times as long.
    """

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, status: StatResult) -> "Identity":
        """The identity in a stat result, in numbers that SQLite can store, whose integers are signed.

        Inodes beyond 63 bits, which some network file systems have, become their two's complement. Times after 2262 or
        before 1677, which damaged file systems and unpacked archives have, become one close to that limit. Different
        times should still differ, so that a change is noticed.
        """
        inode = status.st_ino if status.st_ino < 2**63 else status.st_ino - 2**64
        mtime_ns = status.st_mtime_ns
        if not -(2**63) <= mtime_ns < 2**63:
            distance = mtime_ns % 1_000_000_007  # a prime, since most of these times are whole seconds
            mtime_ns = 2**63 - 1 - distance if mtime_ns > 0 else -(2**63) + distance
        return cls(status.st_dev, inode, status.st_size, mtime_ns)


class FileVersion(NamedTuple):
    """A file in its present state: if its size or time changes, it is another version. Device and inode are left out,
    since both may change when the machine restarts."""

    path: bytes
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: bytes, identity: Identity) -> "FileVersion":
        return cls(path, identity.size_bytes, identity.mtime_ns)


# The version of the facts. Contents with facts of an earlier version are read again.
FACTS_VERSION = 3


class Attachment(NamedTuple):
    """A part of a file after its picture. `kind` is `film`, `gain_map`, `depth_map`, `view` (another picture in its own
    right), `trailer` (a maker's record) or `data` (anything else). `digest` is that of its bytes, in hexadecimal,
    shortened."""

    kind: str
    size_bytes: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class CameraRecord(Sent):
    """What a camera recorded with its picture; "", None or empty where the file does not have it.

    `modified` and `original` are the EXIF dates DateTime and DateTimeOriginal, unchanged; `subseconds` has the digits
    after the second of the latter. `exposure_s` is in seconds, `aperture` is the f-number, `bias_ev` is in stops.
    `numbers` are the numbers of the maker note that count exposures, each as "tag:value". `maker_note` and `tables` are
    digests of the maker note and the quantisation tables. `standard_tables`: libjpeg makes such tables, so any program
    may have written them. `declared` is the width and height in the EXIF.
    """

    make: str = ""
    software: str = ""
    modified: str = ""
    original: str = ""
    subseconds: str = ""
    exposure_s: float | None = None
    aperture: float | None = None
    iso: float | None = None
    bias_ev: float | None = None
    unique_id: str = ""
    burst_id: str = ""
    numbers: tuple[str, ...] = ()
    maker_note: str = ""
    tables: str = ""
    standard_tables: bool = False
    declared: tuple[int, int] = (0, 0)


class DateSource(StrEnum):
    """The source of a capture date: the picture's EXIF, XMP or IPTC, the clock of its GPS receiver, a sidecar, Google
    Takeout's JSON, or the name of the file."""

    EXIF = "exif"
    XMP = "xmp"
    IPTC = "iptc"
    GPS = "gps"
    SIDECAR = "sidecar"
    TAKEOUT = "takeout"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Description(Sent):
    """The description of a picture, from its file or files next to it; "", None or empty if there is none.

    `taken` is the capture date in ISO 8601, in the zone `zone` ("+02:00", "" if unknown), and `dated_by` its source (a
    DateSource). `place` is in degrees north and east. `location` is the part of a city, the city, the state and the
    country. `rating` is 1 to 5. `hierarchies` are nested keywords, as "animal|cat|tom".
    """

    taken: str = ""
    zone: str = ""
    dated_by: str = ""
    place: tuple[float, float] | None = None
    location: tuple[str, str, str, str] = ("", "", "", "")
    rating: int | None = None
    label: str = ""
    title: str = ""
    caption: str = ""
    keywords: tuple[str, ...] = ()
    hierarchies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts(Sent):
    """The properties of a picture found by decoding its file, except its hashes.

    `width` and `height` are in pixels as displayed, with the EXIF orientation applied. `orientation` is the EXIF value
    1 to 8. `jpeg_quality` is estimated from the quantisation tables, 0 if the file is no JPEG. `earlier_quality` is
    that of a poorer JPEG from which the picture was saved again, 0 if there is no trace of one. `detail` is how much
    structure the picture has, from 0 (flat: its hash means nothing) to 100. `taken` is the EXIF date in ISO 8601
    without a zone, or "". `metadata` names the blocks in the file: exif, gps, xmp, icc, iptc. `record` is what its
    camera recorded with the picture. `bit_depth` is the number of bits per channel. `transparent`: a pixel is less than
    opaque. `attachments` are the parts after the first picture. `damage` is the complaint of a decoder about the whole
    picture, in its own words, "" if there is none. `description` is the description of the picture in its file.
    """

    format: str
    width: int
    height: int
    mode: str = "RGB"
    orientation: int = 1
    taken: str = ""
    camera: str = ""
    jpeg_quality: int = 0
    detail: int = 100
    frames: int = 1
    metadata: tuple[str, ...] = field(default=())
    earlier_quality: int = 0
    record: CameraRecord = CameraRecord()
    bit_depth: int = 8
    transparent: bool = False
    attachments: tuple[Attachment, ...] = ()
    damage: str = ""
    description: Description = Description()


@dataclass(frozen=True, slots=True)
class Hashes(Sent):
    """The perceptual hashes of one picture in one scheme, as packed bits of 4 flips.

    `bits[hsize]` is 4 rows of hsize*hsize/8 bytes in the order NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, ROTATE_180 of
    `Turn`. The other 4 turns are the same bits with rows and columns exchanged, and are not stored.
    """

    scheme: str
    bits: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Reading(Sent):
    """The result of reading one file.

    `facts` and `hashes` are None if the bytes were already known, or if `failure` says why there are none. `digest` is
    None if even the bytes could not be read. `regions` has the hashes of parts of the picture
    (imaging.candidates.crop_hashes).
    """

    path: bytes
    identity: Identity
    digest: bytes | None = None
    facts: Facts | None = None
    hashes: Hashes | None = None
    regions: Mapping[str, Hashes] | None = None
    failure: str = ""
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class DetectParameters:
    """The parameters of a detection. Equal parameters and equal files give equal groups.

    A search in `folders` that is not `recursive` leaves out the folders below them. `method` is the requested method,
    `used` is the one that the state of the model allows. `model` is the key of the model that is used, and `cosines`
    are the limits of its cosines; both are "" for none. AUTO in `used` means: not decided yet. `sized_for` is -1 if the
    tolerance was given. Otherwise it is the power of two of the number of pictures for which the tolerance was chosen
    (imaging.candidates.tolerance_budget), 0 for few.
    """

    algorithm: str = "phash"
    hsize: int = 16
    tolerance: int = 80
    turns: bool = True
    verify: bool = True
    depth: Depth = Depth.FAST
    folders: tuple[str, ...] = ()
    recursive: bool = True
    method: Method = Method.AUTO
    used: Method = Method.AUTO
    model: str = ""
    sized_for: int = -1
    cosines: str = ""

    @property
    def by_hash(self) -> bool:
        """Whether close hashes make a pair a candidate."""
        return self.used is not Method.MODEL

    @property
    def by_model(self) -> bool:
        """Whether close vectors make a pair a candidate."""
        return self.used in (Method.HASH_AND_MODEL, Method.MODEL)


@dataclass(frozen=True, slots=True)
class NoticeWatermark:
    """The time up to which notices were sent, in ns.

    `sent_ns` is the time of the last notice. `roots` has the states of the watched folders at that time, by display
    path.
    """

    until_ns: int
    sent_ns: int = 0
    roots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndedJob:
    id: int
    kind: str
    state: str
    origin: str
    seconds: float
    outcome: dict[str, Any]
    error: Message | None


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """The effect of a named rule after a detection: `images` in `groups` are to go, with `bytes`."""

    name: str
    groups: int
    images: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RootStatus:
    path: str
    state: str
    reason: Message | None


@dataclass(frozen=True, slots=True)
class EventSummary:
    """The events since a time, for a notice.

    `groups` of `groups_total` are new or changed; `reclaimable_bytes` is the sum over all groups. `jobs` have ended,
    and so have `more_jobs` that are not listed. `problems` are counted by reason. `roots` are all watched folders in
    their present state. `rules` have decided after a detection.
    """

    groups: int = 0
    groups_total: int = 0
    reclaimable_bytes: int = 0
    jobs: tuple[EndedJob, ...] = ()
    more_jobs: int = 0
    problems: Mapping[str, int] = field(default_factory=dict)
    roots: tuple[RootStatus, ...] = ()
    rules: tuple[RuleEffect, ...] = ()
