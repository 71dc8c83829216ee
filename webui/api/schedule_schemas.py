"""JSON schemas of schedules."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from index.model import JobKind
from webui.schemas import Answer, Body, Count, RowId, Time


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
