"""JSON schemas of jobs."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from index.model import JobKind, JobState
from webui.schemas import Answer, Body, Count, ListQuery, MessageCode, MessageParams, RowId, Time


class Job(Answer, frozen=True, kw_only=True):
    """`done` of `total` steps of the present `phase`. `rate` is in steps per second, `left_s` is the remaining time."""

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
    error_code: MessageCode
    error_params: MessageParams


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
    kind: Literal["", "scan", "detect", "sort", "compress", "undo", "empty", "rule", "decide"] = ""
    plans: Annotated[Literal["with", "without"], Meta(description="Whether to list dry runs of the decisions")] = "with"


class NewJob(Body, frozen=True, kw_only=True):
    kind: Literal["scan", "detect", "sort", "compress"]
    parameters: dict[str, Any] = {}
