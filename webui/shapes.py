"""The JSON that REST answers with and takes, as types: the answers are built of them, OpenAPI is made from them.

Times are ISO 8601 in UTC. A path is told twice: as `path`, which any reader can show (bytes that are no UTF-8 are
U+FFFD there), and as `uri`, a file URI (RFC 8089) that is exact whatever the bytes. Where a path is taken, both forms
are, and so is Python's surrogateescape.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote_to_bytes

import msgspec
from msgspec import UNSET, Meta, UnsetType

from index.model import Depth, JobKind, JobState, Kind, Turn
from webui.refusals import Refusal

HIGHEST_ID = 2**63 - 1

Time = Annotated[str, Meta(description="ISO 8601, UTC", extra_json_schema={"format": "date-time"})]
Path = Annotated[str, Meta(description="For showing: what is no UTF-8 is U+FFFD")]
EscapedPath = Annotated[str, Meta(description="Exact: bytes that are no UTF-8 are lone surrogates, \\udcXX")]
Uri = Annotated[str, Meta(description="The exact path as a file URI", pattern="^file:///")]
TakenPath = Annotated[str, Meta(max_length=4096)]
Cursor = Annotated[str, Meta(description="`next` of the page before", max_length=1000)]
Limit = Annotated[int, Meta(ge=1, le=200, description="How many items at most")]
RowId = Annotated[int, Meta(ge=1, le=HIGHEST_ID)]
Count = Annotated[int, Meta(ge=0)]
KindName = Literal["exact", "pixels", "near", "possible"]
SortName = Literal["reclaimable", "size", "confidence", "date"]
OrderName = Literal["desc", "asc"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The base of every object answered."""


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every set of query parameters; one that is unknown is refused."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every object taken; a field that is unknown is refused."""


class ListQuery(Query, frozen=True, kw_only=True):
    cursor: Cursor = ""
    limit: Limit = 50


# Status, roots, problems


class Totals(Answer, frozen=True, kw_only=True):
    images: Count
    size_bytes: Count
    groups: Count
    duplicates: Count
    reclaimable_bytes: Count
    problems: Count


class DetectionNow(Answer, frozen=True, kw_only=True):
    """The parameters whose groups are shown."""

    algorithm: str
    hsize: int
    tolerance: int
    turns: bool
    verify: bool
    depth: Depth
    folders: list[Path]


class Status(Answer, frozen=True, kw_only=True):
    version: str
    started: Time
    now: Time
    healthy: bool
    index_restored: Annotated[bool, Meta(description="At this start the index was restored from a copy, or built anew")]
    index_put_back: Annotated[
        bool, Meta(description="Since this start it was noticed that somebody put an earlier copy of the index back")
    ]
    parts: Annotated[dict[str, bool], Meta(description="The parts of the service, and whether each is alive")]
    totals: Totals
    detection: DetectionNow | None
    jobs: "list[Job]"


class Root(Answer, frozen=True, kw_only=True):
    id: RowId
    path: Path
    uri: Uri
    state: Literal["online", "offline"]
    reason: str
    mode: Annotated[str, Meta(description="How it is watched: native or poll")]
    watched_folders: Annotated[Count, Meta(description="Folders whose changes the system tells of")]
    note: Annotated[str, Meta(description="Why it is polled where it might be expected not to be")]
    protected: bool
    priority: int
    images: Count
    size_bytes: Count
    problems: Count
    away_images: Annotated[Count, Meta(description="Images of disks in whose place another one is: GET disks")]
    walked: Time | None


class RootList(Answer, frozen=True, kw_only=True):
    items: list[Root]
    next: str | None
    total: Count


class Problem(Answer, frozen=True, kw_only=True):
    id: RowId
    root: RowId
    path: Path
    uri: Uri
    reason: str
    message: str
    at: Time


class ProblemList(Answer, frozen=True, kw_only=True):
    items: list[Problem]
    next: str | None
    total: Count
    reasons: Annotated[dict[str, int], Meta(description="How many there are for each reason, filters set aside")]


class ProblemQuery(ListQuery, frozen=True, kw_only=True):
    root: RowId | UnsetType = UNSET
    reason: Annotated[str, Meta(max_length=100)] = ""
    path: Annotated[TakenPath, Meta(description="A folder or file, or a part of a path")] = ""


class Health(Answer, frozen=True, kw_only=True):
    status: Literal["ok", "failing"]


# Images and groups


class Image(Answer, frozen=True, kw_only=True):
    """A file with the facts of its picture. `jpeg_quality` is an estimate, null where it is no JPEG."""

    id: RowId
    path: Path
    uri: Uri
    also_at: Annotated[list[Path], Meta(description="Other paths to this very file: hard links, other mounts")]
    root: RowId
    protected: bool
    online: bool
    size_bytes: Count
    modified: Time
    digest: str
    format: str
    width: Count
    height: Count
    mode: str
    orientation: int
    taken: Annotated[str | None, Meta(description="EXIF date, as written, without a time zone")]
    camera: str
    jpeg_quality: int | None
    earlier_quality: Annotated[int | None, Meta(description="Estimated quality of a poorer JPEG that it was before")]
    frames: Count
    metadata: list[str]
    failure: Annotated[str | None, Meta(description="Why the picture cannot be shown")]
    thumbnail: Annotated[str | None, Meta(description="Address of the 512-pixel view")]
    content: Annotated[str, Meta(description="Address of the original bytes")]
    crop: Annotated[str | None, Meta(description="Address of its parts at full resolution; x, y, w, h are added")]


class ImageDetail(Image, frozen=True, kw_only=True):
    hashes: Annotated[dict[str, str], Meta(description="imagehash's hexadecimal of the perceptual hash, by hsize")]
    groups: Annotated[list[str], Meta(description="The groups it is in")]


class Decision(Answer, frozen=True, kw_only=True):
    """What is decided about an image. A `stale` one was made for other bytes than the file has now, and counts for
    nothing."""

    choice: Literal["keep", "trash", "move", "link"]
    destination: Annotated[str | None, Meta(description="The name of a destination, where it is moved")]
    origin: Literal["user", "rule"]
    criterion: Annotated[str | None, Meta(description="What decided in the rule")]
    decided: Time
    stale: bool


class Member(Image, frozen=True, kw_only=True):
    """An image of a group. `kind`, `distance`, `turn`, `confidence` and `evidence` tell how it matches the group's
    reference; `copy_of` is an image of the group with the very same bytes."""

    reference: bool
    kind: Kind
    distance: Count
    turn: Turn
    confidence: float
    evidence: Annotated[dict[str, Any], Meta(description="Led from the reference to this image")]
    sentence: Annotated[dict[str, str] | None, Meta(description="In words, by language; null for equal bytes")]
    copy_of: RowId | None
    compressed_from: Annotated[int | None, Meta(description="The image of this page that compression made it from")]
    decision: Decision | None


class MemberList(Answer, frozen=True, kw_only=True):
    items: list[Member]
    next: str | None
    total: Count


class Weakest(Answer, frozen=True, kw_only=True):
    """The least sure match of a group: an image, and how it is matched to the reference."""

    image: RowId
    kind: Kind
    confidence: float
    distance: Count


class Reason(Answer, frozen=True, kw_only=True):
    """A criterion that narrowed the choice to `left` of `of` images; `value` is what those kept have of it."""

    criterion: str
    left: Count
    of: Count
    value: Annotated[str, Meta(description='"4000x3000", a number of bytes, a time; "" where there is none to tell')]


class Proposal(Answer, frozen=True, kw_only=True):
    """The image that the criteria of `sort.rules` would keep."""

    image: RowId
    decided_by: Annotated[str, Meta(description="The last criterion that was needed")]
    tie: Annotated[bool, Meta(description="No criterion told the last images apart: the path decided")]
    reasons: list[Reason]


class Group(Answer, frozen=True, kw_only=True):
    """Images offered for one decision, the reference first."""

    id: str
    kind: Kind
    confidence: float
    size_bytes: Count
    reclaimable_bytes: Count
    newest: Time
    changed: Time
    decided: Annotated[Literal["none", "partly", "fully"], Meta(description="How many of its images are decided about")]
    proposal: Annotated[Proposal | None, Meta(description="null only while the group's files are being moved")]
    weakest: Annotated[Weakest | None, Meta(description="null where all images have the same bytes")]
    images: MemberList


class GroupList(Answer, frozen=True, kw_only=True):
    items: list[Group]
    next: str | None
    total: Count
    kinds: Annotated[dict[str, int], Meta(description="How many there are of each kind, filters set aside")]


class GroupDetail(Group, frozen=True, kw_only=True):
    previous: Annotated[str | None, Meta(description="The group before it in the list asked for")]
    following: Annotated[str | None, Meta(description="The group after it in the list asked for")]


class GroupChoice(Query, frozen=True, kw_only=True):
    kind: Annotated[
        str,
        Meta(
            pattern=r"^((exact|pixels|near|possible)(,(exact|pixels|near|possible))*)?$",
            description="Match kinds, separated by commas",
        ),
    ] = ""
    root: Annotated[RowId, Meta(description="Groups with an image in this root")] | UnsetType = UNSET
    path: Annotated[TakenPath, Meta(description="Groups with an image in this folder, or with this in its path")] = ""
    min_images: Annotated[int, Meta(ge=2, le=1_000_000)] = 2
    decided: Annotated[
        str,
        Meta(
            pattern=r"^((none|partly|fully)(,(none|partly|fully))*)?$",
            description="How far it is decided about, separated by commas",
        ),
    ] = ""
    sort: SortName = "reclaimable"
    order: OrderName = "desc"


class GroupListQuery(GroupChoice, frozen=True, kw_only=True):
    cursor: Cursor = ""
    limit: Limit = 50
    images: Annotated[int, Meta(ge=1, le=50, description="How many images of each group to tell at once")] = 6


class GroupQuery(GroupChoice, frozen=True, kw_only=True):
    cursor: Annotated[Cursor, Meta(description="`next` of this group's images before")] = ""
    limit: Limit = 100


class ThumbnailQuery(Query, frozen=True, kw_only=True):
    v: Annotated[str, Meta(max_length=64, description="The beginning of the digest, so that it can be kept")] = ""


class CropQuery(Query, frozen=True, kw_only=True):
    x: Annotated[int, Meta(ge=0, le=1_000_000, description="Left edge, in pixels of the picture as it is shown")] = 0
    y: Annotated[int, Meta(ge=0, le=1_000_000, description="Top edge")] = 0
    w: Annotated[int, Meta(ge=1, le=1_000_000, description="Width; what lies beyond the picture is cut off")]
    h: Annotated[int, Meta(ge=1, le=1_000_000, description="Height")]
    size: Annotated[int, Meta(ge=16, le=4096, description="Pixels of the longer side at most; never enlarged")] = 1600
    v: Annotated[str, Meta(max_length=64, description="The beginning of the digest, so that it can be kept")] = ""


# Jobs and schedules


class Job(Answer, frozen=True, kw_only=True):
    """`done` of `total` steps of the present `phase`; `rate` is in steps a second, `left_s` the time left."""

    id: RowId
    kind: JobKind
    state: JobState
    origin: str
    parameters: dict[str, Any]
    created: Time
    started: Time | None
    finished: Time | None
    phase: str
    done: Count
    total: Count | None
    rate: float | None
    left_s: float | None
    cancel_requested: bool
    outcome: dict[str, Any]
    error: str


class JobList(Answer, frozen=True, kw_only=True):
    items: list[Job]
    next: str | None
    total: Count


class JobQuery(ListQuery, frozen=True, kw_only=True):
    state: Annotated[
        str,
        Meta(
            pattern=r"^((queued|running|done|failed|cancelled)(,(queued|running|done|failed|cancelled))*)?$",
            description="States, separated by commas",
        ),
    ] = ""
    kind: Literal["", "scan", "detect", "sort", "compress", "undo", "empty"] = ""


class NewJob(Body, frozen=True, kw_only=True):
    kind: Literal["scan", "detect", "sort", "compress"]
    parameters: dict[str, Any] = {}


class Schedule(Answer, frozen=True, kw_only=True):
    id: RowId
    name: str
    kind: JobKind
    parameters: dict[str, Any]
    trigger: str
    enabled: bool
    origin: Annotated[str, Meta(description="file (comparimg.toml) or user")]
    next_run: Time | None


class ScheduleList(Answer, frozen=True, kw_only=True):
    items: list[Schedule]
    next: str | None
    total: Count


class NewSchedule(Body, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    kind: Literal["scan", "detect", "sort", "compress"]
    trigger: Annotated[str, Meta(min_length=1, max_length=200, description='"0 3 * * *" (cron) or "every 6h"')]
    parameters: dict[str, Any] = {}
    enabled: bool = True


# Settings


class Setting(Answer, frozen=True, kw_only=True):
    key: str
    type: str
    value: Any
    default: Any
    origin: Annotated[str, Meta(description="default, file (comparimg.toml) or override")]
    accepted: str
    help: str
    live: Annotated[bool, Meta(description="Whether it may be changed here; the others stand in comparimg.toml")]
    choices: list[Any]
    minimum: float | None
    maximum: float | None


class SettingList(Answer, frozen=True, kw_only=True):
    items: list[Setting]
    next: str | None
    total: Count


Changes = Annotated[
    dict[Annotated[str, Meta(max_length=100)], Any],
    Meta(description="Values by the keys of settings; null goes back to the configuration file", min_length=1),
]


def iso_time(moment_ns: int) -> str:
    """Milliseconds are as fine as a person or a browser needs; beyond the calendar is its edge."""
    moment_ms = max(-62_135_596_800_000, min(moment_ns // 10**6, 253_402_300_799_999))
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC).replace(microsecond=moment_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_time(moment_ns: int | None) -> str | None:
    return None if moment_ns is None else iso_time(moment_ns)


def path_text(path: bytes) -> str:
    """A path for showing, in which every byte that is no UTF-8 is U+FFFD."""
    return path.decode("utf-8", "replace")


def path_uri(path: bytes) -> str:
    return "file://" + quote(path)


def path_bytes(text: str) -> bytes:
    """The path that a text means: a file URI, or the path itself. Raises Refusal where it can be none."""
    try:
        path = text.encode("utf-8", "surrogateescape")
        return unquote_to_bytes(path.removeprefix(b"file://")) if path.startswith(b"file:///") else path
    except UnicodeEncodeError as error:
        raise Refusal(400, "bad_request", "This is no path.", field="path") from error


def tellable(value: Any) -> Any:
    """Plain data in which texts that hold lone surrogates, which many readers refuse, are file URIs."""
    match value:
        case str() if not value.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in value):
            return path_uri(value.encode("utf-8", "surrogateescape"))
        case list() | tuple():
            return [tellable(item) for item in value]
        case dict():
            return {name: tellable(item) for name, item in value.items()}
    return value


def json_bytes(answer: msgspec.Struct) -> bytes:
    return json.dumps(msgspec.to_builtins(answer)).encode()
