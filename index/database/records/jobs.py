"""The job queue: the kinds of jobs with their typed parameters, and the rows with state, progress and outcome.

The scheduler, REST, the watcher and start-up insert rows; the daemon's runner takes them.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from peewee import SqliteDatabase

from index import settings
from index.database.schema import Job
from index.errors import NotFound, UsageError
from index.model import Depth, JobKind, JobState, Method
from index.validation import converted

# Jobs of the watcher come first: a new file should not wait for the nightly detection.
PRIORITIES = {"watch": 2, "user": 1, "schedule": 0, "start": 0}

ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class ScanParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to scan: `paths` (files or folders, surrogate-escaped), or some watch roots, or all of them."""

    roots: list[str] = []
    paths: list[str] = []


class DetectJobParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Start a detection. Parameters that are left out come from the settings. `folders` limits the groups to those
    folders, or to the files directly in them."""

    hsize: int | None = None
    tolerance: int | None = None
    turns: bool | None = None
    verify: bool | None = None
    depth: Depth | None = None
    method: Method | None = None
    folders: list[str] = []
    recursive: bool = True
    undecided: bool = False


class SortParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Carry out all decisions, or those of some groups. A `dry_run` only reports what would be done."""

    dry_run: bool = False
    groups: list[str] = []


class CompressParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Compress files: those of `folders` and `files`, or of all watched folders that are not protected. Parameters that
    are left out come from the settings; a quality without a target overrides the target of the settings. A `target` of
    "" means none, a `format` of "" keeps the format, and `colours` 0 keeps all colours. Paths are surrogate-escaped;
    `least_gain` is in percent."""

    folders: list[str] = []
    files: list[str] = []
    recursive: bool | None = None
    quality: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    target: Literal["", "visually-lossless", "high", "medium"] | None = None
    resolution: str | None = None
    keep_ratio: bool | None = None
    enlarge: bool | None = None
    format: Literal["", "jpeg", "webp", "avif"] | None = None
    baseline: bool | None = None
    strip: bool | None = None
    colours: Annotated[int, msgspec.Meta(ge=0, le=256)] | None = None
    size_threshold_mb: Annotated[float, msgspec.Meta(ge=0, le=100_000)] | None = None
    least_gain: Annotated[float, msgspec.Meta(ge=0, le=99)] | None = None
    modify_source: bool | None = None
    delete_source: bool | None = None
    dry_run: bool = False


class UndoParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Undo a batch or some of its steps, or restore items from the trash. `confirm` allows a target that a person has
    to confirm (imaging.discovery.trash_places). With `decide_again` the groups are undecided afterwards; otherwise the
    previous decisions are restored."""

    batch: int | None = None
    steps: list[int] = []
    items: list[int] = []
    confirm: bool = False
    decide_again: bool = False


class EmptyParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Permanently delete files that have been in the trash for longer than this, or some items."""

    older_than_days: float = 0.0
    items: list[int] = []


class RuleParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Decide by a rule, in the form of `grouping.rules.described`, on the groups with an image in a root or at a path,
    or on all groups. A `dry_run` only counts. Paths are surrogate-escaped."""

    rule: dict[str, Any]
    root: int | None = None
    path: str = ""
    dry_run: bool = False


class GroupSelection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A selection of groups, like queries.group_filter.GroupFilter, with a surrogate-escaped path."""

    kinds: list[str] = []
    root_id: int | None = None
    path: str = ""
    min_images: int = 2
    decided: list[str] = []
    search: int = 0
    scenes: bool | None = False
    taken_from: str = ""
    taken_until: str = ""


class DecideParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Decide on many groups at once with an action of queries.bulk_decisions. Verdicts belong to `batch`. A `dry_run`
    only counts."""

    action: str
    chosen: GroupSelection
    criteria: list[str] = []
    destination: str = ""
    batch: str = ""
    dry_run: bool = False


PARAMETERS: dict[JobKind, type[msgspec.Struct]] = {
    JobKind.SCAN: ScanParameters,
    JobKind.DETECT: DetectJobParameters,
    JobKind.SORT: SortParameters,
    JobKind.COMPRESS: CompressParameters,
    JobKind.UNDO: UndoParameters,
    JobKind.EMPTY: EmptyParameters,
    JobKind.RULE: RuleParameters,
    JobKind.DECIDE: DecideParameters,
}
# The kinds that POST jobs and schedules accept.
OFFERED = (JobKind.SCAN, JobKind.DETECT, JobKind.SORT, JobKind.COMPRESS)
# The kinds whose parameters override settings, with the section of those settings. A parameter accepts the same values
# as its setting.
SECTIONS = {JobKind.DETECT: "detect", JobKind.COMPRESS: "compress"}


def check_parameters(kind: str, parameters: Mapping[str, Any]) -> msgspec.Struct:
    """The typed parameters of a job. Raises UsageError with the field that is wrong or unknown."""
    if kind not in PARAMETERS:
        raise UsageError("job.unknown_kind", kind=kind, kinds=", ".join(PARAMETERS), field="kind")
    checked: msgspec.Struct = converted(dict(parameters), PARAMETERS[JobKind(kind)], "parameters")
    for name, value in parameters.items():
        definition = setting_of(JobKind(kind), name)
        if definition is not None and value is not None:
            try:
                definition.check(value)
            except UsageError as error:
                raise UsageError(error.message, hint=error.hint, field=f"parameters.{name}") from error
    return checked


def setting_of(kind: JobKind, name: str) -> settings.Setting | None:
    """The setting that a parameter of a job overrides, if there is one."""
    return settings.BY_KEY.get(f"{SECTIONS.get(kind)}.{name}")


def add(
    database: SqliteDatabase, kind: JobKind, parameters: Mapping[str, Any], origin: str, now_ns: int | None = None
) -> int:
    """Queue a job and return its id.

    If a job with the same kind and parameters is already queued, its id is returned instead, and it gets the higher
    priority of the two. A job that a crash interrupted does not count: it may be abandoned after too many crashes, and
    the new request would be abandoned with it.
    """
    text = json.dumps(dict(parameters), sort_keys=True)
    waiting = (
        Job.select(Job.id)
        .where(Job.kind == kind, Job.parameters == text, Job.state == JobState.QUEUED)
        .where(~Job.cancel_requested, Job.attempts == 0)
        .tuples()
        .execute(database)
    )
    for (job_id,) in waiting:
        more = (Job.id == job_id, Job.priority < PRIORITIES[origin])
        Job.update(priority=PRIORITIES[origin]).where(*more).execute(database)
        return int(job_id)
    return int(
        Job.insert(
            kind=kind,
            state=JobState.QUEUED,
            origin=origin,
            priority=PRIORITIES[origin],
            parameters=text,
            created_ns=time.time_ns() if now_ns is None else now_ns,
        ).execute(database)
    )


def take_next(database: SqliteDatabase, now_ns: int, least_priority: int = 0) -> dict[str, Any] | None:
    """Mark the most urgent queued job as running and return its row. None if no job of this priority or above is
    waiting."""
    rows = (
        Job.select()
        .where(Job.state == JobState.QUEUED, Job.priority >= least_priority)
        .order_by(Job.priority.desc(), Job.id)
        .limit(1)
        .dicts()
        .execute(database)
    )
    for row in rows:
        changes = {"state": JobState.RUNNING, "started_ns": now_ns, "attempts": row["attempts"] + 1}
        Job.update(**changes).where(Job.id == row["id"]).execute(database)
        return {**row, **changes}
    return None


def update(database: SqliteDatabase, job_id: int, **changes: Any) -> None:
    Job.update(**changes).where(Job.id == job_id).execute(database)


def request_cancel(database: SqliteDatabase, job_id: int, now_ns: int) -> str:
    """Request that a running job stops, or cancel a queued one at once. Returns the state of the job. A job that has
    ended is not changed."""
    state = read(database, job_id)["state"]
    if state == JobState.QUEUED:
        update(database, job_id, state=JobState.CANCELLED, cancel_requested=True, finished_ns=now_ns)
        return JobState.CANCELLED
    if state == JobState.RUNNING:
        update(database, job_id, cancel_requested=True)
    return str(state)


def read(database: SqliteDatabase, job_id: int) -> dict[str, Any]:
    """One job's row. Raises NotFound."""
    for row in Job.select().where(Job.id == job_id).dicts().execute(database):
        return dict(row)
    raise NotFound("job.unknown", job=job_id)


def is_waiting(database: SqliteDatabase, job_id: int) -> bool:
    """Whether a job is queued or running, so that its unfinished batch will be resumed."""
    waiting = Job.select().where(Job.id == job_id, Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    return bool(waiting.count(database))


def requeue_running(database: SqliteDatabase) -> Sequence[int]:
    """Queue the jobs again that a crash or a stop interrupted. Jobs with a cancel request are cancelled instead.
    Returns the ids of both."""
    running = [row[0] for row in Job.select(Job.id).where(Job.state == JobState.RUNNING).tuples().execute(database)]
    unfinished = Job.state == JobState.RUNNING
    cancelled = {"state": JobState.CANCELLED, "finished_ns": time.time_ns()}
    Job.update(**cancelled).where(unfinished, Job.cancel_requested).execute(database)
    Job.update(state=JobState.QUEUED, phase="").where(unfinished).execute(database)
    return running


def delete_old(database: SqliteDatabase, keep: int) -> None:
    """Delete ended jobs except the newest `keep` of the watcher and the newest `keep` of all other origins."""
    for origin_is_watch in (Job.origin == "watch", Job.origin != "watch"):
        ended = Job.select(Job.id).where(Job.state.in_(ENDED), origin_is_watch).order_by(Job.id.desc())
        old = [row[0] for row in ended.offset(keep).limit(-1).tuples().execute(database)]
        for start in range(0, len(old), 500):
            Job.delete().where(Job.id.in_(old[start : start + 500])).execute(database)
