"""The vocabulary of product.md as frozen dataclasses and enums. Imports nothing of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

HSIZES = (8, 16, 32)


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


class Kind(StrEnum):
    """What a match is, from the surest to the least sure."""

    EXACT = "exact"
    PIXELS = "pixels"
    NEAR = "near"
    POSSIBLE = "possible"


KINDS = tuple(Kind)


def default_tolerance(hsize: int) -> int:
    """The tolerance for a hash size where none is given: 80 of 256 bits, in proportion.

    No two of 1,000 unrelated photographs were as near (ImageNet, pHash at hsize 16).
    """
    return 80 * hsize * hsize // 256


class Depth(StrEnum):
    FAST = "fast"
    THOROUGH = "thorough"


class Choice(StrEnum):
    """What an image's decision says; one without a decision is undecided."""

    KEEP = "keep"
    TRASH = "trash"
    MOVE = "move"
    LINK = "link"


class JobKind(StrEnum):
    """`undo` and `empty` are asked for by routes of their own, never by the clock."""

    SCAN = "scan"
    DETECT = "detect"
    SORT = "sort"
    COMPRESS = "compress"
    UNDO = "undo"
    EMPTY = "empty"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StatResult(Protocol):
    """What is used of os.stat_result."""

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
    """What tells one file on disk from another without reading it.

    A tuple, since a scan makes and compares two for each file there is: a frozen dataclass takes four times as long.
    """

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, status: StatResult) -> "Identity":
        """The identity in a stat result; an inode beyond 63 bits (some network file systems) is kept as its
        two's complement, which is what an SQLite integer can hold."""
        inode = status.st_ino if status.st_ino < 2**63 else status.st_ino - 2**64
        return cls(status.st_dev, inode, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Facts:
    """What one decode tells about the picture in a file, the hashes apart.

    `width` and `height` are in pixels as shown, EXIF orientation applied. `orientation` is the EXIF value 1 to 8.
    `jpeg_quality` is estimated from the quantisation tables, 0 when the file is no JPEG; `earlier_quality` is that of a
    lesser JPEG that the picture was before, 0 where nothing tells of one. `detail` is the quality of the
    picture as a witness, 0 (flat: its hash says nothing) to 100. `taken` is the EXIF date as written in
    ISO 8601 without a zone, or "". `metadata` names the blocks the file carries: exif, gps, xmp, icc, iptc.
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


@dataclass(frozen=True, slots=True)
class Hashes:
    """The perceptual hashes of one picture under one scheme, packed bits, 4 flips each.

    `bits[hsize]` is 4 rows of hsize*hsize/8 bytes in the order NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, ROTATE_180 of
    `Turn`; the 4 transposed turns are the same bits with rows and columns exchanged, and are not kept.
    """

    scheme: str
    bits: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one file told. `facts` and `hashes` are None where the bytes were known or `failure` says why not;
    `digest` is None where even the bytes could not be had. `regions`: hashes of parts (index.candidates.parts)."""

    path: bytes
    identity: Identity
    digest: bytes | None = None
    facts: Facts | None = None
    hashes: Hashes | None = None
    regions: Mapping[str, Hashes] | None = None
    failure: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class DetectParameters:
    """What a detection depends on; two detections with equal parameters over equal files give equal groups."""

    algorithm: str = "phash"
    hsize: int = 16
    tolerance: int = 80
    turns: bool = True
    verify: bool = True
    depth: Depth = Depth.FAST
    folders: tuple[str, ...] = ()
