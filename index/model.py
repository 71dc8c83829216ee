"""The vocabulary (docs/glossary.md) as frozen dataclasses and enums. Of ours it imports index.messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from index.messages import Message

HSIZES = (8, 16, 32)
# Camera RAW files, by the names that their facts have as `format`. They are seen by their embedded preview.
RAW_FORMATS = frozenset("ARW CR2 CR3 CRW DNG NEF ORF PEF RAF RAW RW2 SRW".split())


class Turn(StrEnum):
    """Which of the 8 flips and rotations, applied to the first picture, gives the second.

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
# Those that swap width and height.
TRANSPOSED = frozenset((Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE))


class Kind(StrEnum):
    """The kind of a match, from the most to the least certain."""

    EXACT = "exact"
    PIXELS = "pixels"
    NEAR = "near"
    POSSIBLE = "possible"


KINDS = tuple(Kind)


def default_tolerance(hsize: int) -> int:
    """The tolerance for a hash size where none is given: 80 of 256 bits, in proportion.

    No two of 1,000 unrelated photographs were that close (ImageNet, pHash at hsize 16).
    """
    return 80 * hsize * hsize // 256


class Depth(StrEnum):
    FAST = "fast"
    THOROUGH = "thorough"


class Method(StrEnum):
    """Which pairs are candidates: near by hash, near by vectors of a model, or both. AUTO: as the machine allows."""

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
    """`undo`, `empty`, `rule` and `decide` are requested by routes of their own, and never scheduled."""

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

    A tuple, since a scan makes and compares two for each file: a frozen dataclass takes four times as long.
    """

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, status: StatResult) -> "Identity":
        """The identity in a stat result. Inodes beyond 63 bits, which some network file systems have, become their
        two's complement, since SQLite's integers are signed."""
        inode = status.st_ino if status.st_ino < 2**63 else status.st_ino - 2**64
        return cls(status.st_dev, inode, status.st_size, status.st_mtime_ns)


class FileVersion(NamedTuple):
    """A file as it is now: with another size or time it is another one. Device and inode are left out, as both may
    change when the machine restarts."""

    path: bytes
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: bytes, identity: Identity) -> "FileVersion":
        return cls(path, identity.size_bytes, identity.mtime_ns)


# Of what the facts say; contents whose facts an earlier version found are read again.
FACTS_VERSION = 2


class Attachment(NamedTuple):
    """What a file holds behind its picture. `kind` is `film`, `gain_map`, `depth_map`, `view` (a further picture in its
    own right), `trailer` (a maker's record) or `data` (anything else); `digest` is that of its bytes, in hexadecimal,
    shortened."""

    kind: str
    size_bytes: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """What a camera wrote beside its picture; "", None or nothing where the file does not have it.

    `modified` and `original` are the EXIF dates DateTime and DateTimeOriginal as they stand there, `subseconds` the
    digits after the second of the latter. `exposure_s` is in seconds, `aperture` the f-number, `bias_ev` in stops.
    `numbers` are those that the maker note counts exposures with, each as "tag:value". `maker_note` and `tables` are
    digests of the maker note and the quantisation tables; `standard_tables` says that libjpeg makes such tables, so any
    program may have. `declared` is the width and height that the EXIF has.
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
    """Where the date of a capture was found: in the picture's EXIF, XMP or IPTC, in the clock of its GPS receiver, in a
    sidecar, in Google Takeout's JSON, or in the name of the file."""

    EXIF = "exif"
    XMP = "xmp"
    IPTC = "iptc"
    GPS = "gps"
    SIDECAR = "sidecar"
    TAKEOUT = "takeout"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Description:
    """What is written about a picture, in its file or beside it; "", None or nothing where it says nothing.

    `taken` is the date of the capture in ISO 8601, by the clock of the zone `zone` ("+02:00", "" for unknown), found in
    `dated_by` (a DateSource). `place` is in degrees north and east. `location` is the part of a city, the city, the
    state and the country. `rating` is 1 to 5. `hierarchies` are keywords below others, as "animal|cat|tom".
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
class Facts:
    """The properties of a picture found by decoding its file, except its hashes.

    `width` and `height` are in pixels as shown, EXIF orientation applied. `orientation` is the EXIF value 1 to 8.
    `jpeg_quality` is estimated from the quantisation tables, 0 when the file is no JPEG; `earlier_quality` is that of a
    poorer JPEG from which the picture was saved again, 0 where there is no trace of one. `detail` is how much
    structure the picture has, 0 (flat: its hash means nothing) to 100. `taken` is the EXIF date in ISO 8601 without a
    zone, or "". `metadata` names the blocks in the file: exif, gps, xmp, icc, iptc. `record` is what its camera wrote
    beside the picture. `bit_depth` is the number of bits a channel, `transparent` whether a pixel is less than opaque.
    `attachments` are what lies behind the first picture. `damage` is what a decoder complained of while it decoded the
    whole picture, in its own words, "" for nothing. `description` is what is written about the picture in its file.
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
class Hashes:
    """The perceptual hashes of one picture in one scheme, as packed bits of 4 flips.

    `bits[hsize]` is 4 rows of hsize*hsize/8 bytes in the order NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, ROTATE_180 of
    `Turn`. The other 4 turns are the same bits with rows and columns exchanged, and are not stored.
    """

    scheme: str
    bits: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading one file.

    `facts` and `hashes` are None where the bytes were known already, or where `failure` says why there are none;
    `digest` is None where even the bytes could not be read. `regions` holds the hashes of parts of the picture
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

    A search in `folders` that is not `recursive` leaves out the folders below them. `method` is the one asked for,
    `used` the one that the state of the model allows; `model` is the key of the model that it uses and `cosines` are
    the limits of its cosines, both "" for none. AUTO as `used` stands for: not decided yet. `sized_for` is -1 where the
    tolerance was given; where it was not, the power of two of the pictures for which it was chosen
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
        """Whether near hashes make a pair a candidate."""
        return self.used is not Method.MODEL

    @property
    def by_model(self) -> bool:
        """Whether near vectors make a pair a candidate."""
        return self.used in (Method.HASH_AND_MODEL, Method.MODEL)


@dataclass(frozen=True, slots=True)
class NoticeWatermark:
    """The time up to which notices were sent, in ns.

    `sent_ns` is when the last one was sent; `roots` holds the states of the watched folders at that time, by display
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
    """What a named rule decided after a detection: `images` of `groups` are to go, with `bytes`."""

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
    """What happened since a time, for a notice.

    `groups` of `groups_total` are new or changed; `reclaimable_bytes` are those of all groups. `jobs` ended, and
    `more_jobs` that are not listed. `problems` are counted by reason. `roots` are all watched folders as they are now.
    `rules` decided after a detection.
    """

    groups: int = 0
    groups_total: int = 0
    reclaimable_bytes: int = 0
    jobs: tuple[EndedJob, ...] = ()
    more_jobs: int = 0
    problems: Mapping[str, int] = field(default_factory=dict)
    roots: tuple[RootStatus, ...] = ()
    rules: tuple[RuleEffect, ...] = ()
