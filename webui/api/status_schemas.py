"""JSON schemas of the service's state and the problems."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from index.model import Depth, Method
from webui.api.job_schemas import Job
from webui.schemas import (
    Answer,
    Count,
    ListQuery,
    MessageCode,
    MessageParams,
    Path,
    Query,
    RowId,
    TakenPath,
    Time,
    Uri,
)


class Totals(Answer, frozen=True, kw_only=True):
    images: Count
    size_bytes: Count
    groups: Count
    duplicates: Count
    reclaimable_bytes: Count
    problems: Count


class DetectionNow(Answer, frozen=True, kw_only=True):
    """The parameters of the detection whose groups are shown."""

    algorithm: str
    hsize: int
    tolerance: int
    turns: bool
    verify: bool
    depth: Depth
    folders: list[Path]
    recursive: Annotated[bool, Meta(description="Whether the search includes the folders below these")]
    method: Annotated[Method, Meta(description="The requested method")]
    used: Annotated[Method, Meta(description="The method used: hash if the model cannot be used")]
    model: Annotated[str, Meta(description="What identifies the vectors of the model used")]
    cosines: Annotated[
        str, Meta(description="The limits of its cosines: for the nearest, for the next, for acceptance")
    ]
    sized_for: Annotated[
        int,
        Meta(
            ge=-1,
            description="The tolerance was chosen for two to the power of this many images; 0: few, -1: it was given",
        ),
    ]


class ModelNow(Answer, frozen=True, kw_only=True):
    """The model as it was last checked. `failure` says why it is not used, "" if it can be."""

    dimensions: Count
    milliseconds: Annotated[float, Meta(ge=0, description="Processor time for one picture")]
    failure: str
    failure_code: MessageCode
    failure_params: MessageParams


class Status(Answer, frozen=True, kw_only=True):
    version: str
    components: Annotated[dict[str, str], Meta(description="The versions of Python, SQLite, Pillow and the like")]
    started: Time
    now: Time
    healthy: bool
    index_restored: Annotated[
        bool, Meta(description="Whether the index was restored from a copy or rebuilt at this start")
    ]
    index_put_back: Annotated[
        bool, Meta(description="Whether it was noticed since this start that an earlier copy of the index was put back")
    ]
    parts: Annotated[dict[str, bool], Meta(description="The parts of the service, and whether each is alive")]
    totals: Totals
    detection: DetectionNow | None
    model: Annotated[ModelNow | None, Meta(description="null if there is none, or before it was needed")]
    jobs: "list[Job]"


class Problem(Answer, frozen=True, kw_only=True):
    id: RowId
    root: RowId
    path: Path
    uri: Uri
    reason: str
    message: str
    message_code: MessageCode
    message_params: MessageParams
    at: Time


class ProblemList(Answer, frozen=True, kw_only=True):
    items: list[Problem]
    next: str | None
    total: Count
    reasons: Annotated[dict[str, int], Meta(description="The number for each reason, without the filters")]


class ProblemQuery(ListQuery, frozen=True, kw_only=True):
    root: RowId | UnsetType = UNSET
    reason: Annotated[str, Meta(max_length=100)] = ""
    path: Annotated[TakenPath, Meta(description="A folder or file, or a part of a path")] = ""


class EventsQuery(Query, frozen=True, kw_only=True):
    language: Annotated[
        Literal["", "en", "fr"], Meta(description="Language of sentences; the default follows Accept-Language")
    ] = ""


class Health(Answer, frozen=True, kw_only=True):
    status: Literal["ok", "failing"]
