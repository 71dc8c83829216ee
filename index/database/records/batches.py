"""The rows of the journal: batches and their steps, written before anything on disk is changed.

A step changes one file, the *subject*, which is at `path` and has an identity and a digest. The actions:

- trash    moves the subject from `path` to `trash`
- move     moves the subject from `path` to `target`; on another file system, it is copied through `temp`, the copy is
           checked, and the subject is moved to `trash`
- link     puts a hard link to `keeper`, created at `temp`, in the place of the subject, which is moved to `trash`
- replace  puts the new file at `temp` in the place of the subject, which is moved to `trash`
- create   gives the new file at `temp`, the subject, the name `target`
- restore  moves the subject from `trash` to `target`
- swap     moves the subject from `trash` back to `path`; the file there now, which a step made, is moved to `target`
- delete   removes the subject at `trash` permanently

`made_*` is the identity of the new file (link, replace), or of the file at `path` now (swap). `made_digest` is the
digest of its bytes, if we created it or if it is moved to the trash.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from peewee import SqliteDatabase, fn

from index.database.journal_schema import Batch
from index.database.journal_schema import Step as StepRow
from index.database.records.images import chunks
from index.database.records.sql_paging import Page, cut_page, is_at
from index.errors import NotFound
from index.messages import Message, to_json
from index.model import Identity


class Action(StrEnum):
    TRASH = "trash"
    MOVE = "move"
    LINK = "link"
    REPLACE = "replace"
    CREATE = "create"
    RESTORE = "restore"
    SWAP = "swap"
    DELETE = "delete"


class StepState(StrEnum):
    """`doing`: started, and in doubt until the disk has been checked. `failed`: tried, and rolled back."""

    PLANNED = "planned"
    DOING = "doing"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"


class BatchState(StrEnum):
    """`plan`: a dry run, never carried out."""

    PLAN = "plan"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class BatchKind(StrEnum):
    SORT = "sort"
    COMPRESS = "compress"
    UNDO = "undo"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Step:
    """One step, planned or stored. `id` is 0 before it is stored. Paths are absolute, or b"" if there is none."""

    action: Action
    path: bytes
    identity: Identity
    digest: bytes = b""
    target: bytes = b""
    trash: bytes = b""
    temp: bytes = b""
    keeper: bytes = b""
    image_id: int | None = None
    group_key: str = ""
    companion_of: int | None = None
    undo_of: int | None = None
    made: Identity | None = None
    made_digest: bytes = b""
    bytes: int = 0
    state: StepState = StepState.PLANNED
    reason: str = ""
    message: Message | None = None
    id: int = 0
    batch_id: int = 0


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch. `counts` has the number of its steps by state. `actions` has the number of steps done (in a plan:
    planned) by action, and `bytes` what these free. `planned` is what `set_planned`
    stored."""

    id: int
    name: str
    kind: str
    job_id: int | None
    undo_of: int | None
    state: str
    created_ns: int
    finished_ns: int | None
    planned: Mapping[str, int]
    counts: Mapping[str, int]
    actions: Mapping[str, int]
    bytes: int


def add_batch(
    database: SqliteDatabase,
    kind: BatchKind,
    name: str,
    now_ns: int,
    job_id: int | None = None,
    undo_of: int | None = None,
    state: BatchState = BatchState.RUNNING,
) -> int:
    return int(
        Batch.insert(kind=kind, name=name, job_id=job_id, undo_of=undo_of, state=state, created_ns=now_ns).execute(
            database
        )
    )


def add_steps(database: SqliteDatabase, batch_id: int, steps: Sequence[Step]) -> list[int]:
    """Store steps in their order, and return their ids. `companion_of` is a position in `steps`, from 1 (0 or None:
    none)."""
    # The ids that AUTOINCREMENT will assign. They are computed because an insert of many rows returns no ids.
    (last,) = database.execute_sql("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'step'").fetchone()
    first = last + 1
    rows = []
    for number, step in enumerate(steps):
        made = step.made or (None, None, None, None)
        leader = first + step.companion_of - 1 if step.companion_of else None
        rows.append(
            (
                first + number, batch_id, step.action, step.path, step.target, step.trash, step.temp, step.keeper,
                step.image_id, step.group_key, leader, step.undo_of, *step.identity, step.digest, *made[1:],
                step.made_digest, step.bytes, step.state, step.reason, to_json(step.message),
            )
        )  # fmt: skip
    database.connection().executemany(_INSERT_STEP, rows)
    return [row[0] for row in rows]


_STEP_COLUMNS = (
    "id, batch_id, action, path, target, trash, temp, keeper, image_id, group_key, companion_of_id, undo_of_id, device,"
    " inode, size_bytes, mtime_ns, digest, made_inode, made_size_bytes, made_mtime_ns, made_digest, bytes, state,"
    " reason, message"
)
_INSERT_STEP = f"INSERT INTO step ({_STEP_COLUMNS}) VALUES ({', '.join('?' * len(_STEP_COLUMNS.split(',')))})"


def update_steps(database: SqliteDatabase, steps: Iterable[Step], now_ns: int) -> None:
    """Store what has changed of existing steps: their file and action, the file they made, the keeper, and their
    outcome."""
    for step in steps:
        values = _values(step)
        changed = ("action", "path", "target", "trash", "temp", "keeper", "made_inode", "made_size_bytes",
                   "made_mtime_ns", "made_digest", "inode", "device", "size_bytes", "mtime_ns", "digest", "bytes",
                   "state", "reason", "message")  # fmt: skip
        done_ns = now_ns if step.state is StepState.DONE else None
        StepRow.update({name: values[name] for name in changed} | {"done_ns": done_ns}).where(
            StepRow.id == step.id
        ).execute(database)


def finish_batch(database: SqliteDatabase, batch_id: int, state: BatchState, now_ns: int) -> None:
    """End a batch. Steps that were not started are cancelled."""
    StepRow.update(state=StepState.CANCELLED).where(
        StepRow.batch == batch_id, StepRow.state == StepState.PLANNED
    ).execute(database)
    Batch.update(state=state, finished_ns=now_ns).where(Batch.id == batch_id).execute(database)


def unfinished(database: SqliteDatabase) -> list[int]:
    """The batches that are marked as running; a crash may have interrupted them."""
    rows = Batch.select(Batch.id).where(Batch.state == BatchState.RUNNING).order_by(Batch.id)
    return [row[0] for row in rows.tuples().execute(database)]


def with_doubtful_steps(database: SqliteDatabase) -> list[int]:
    """The batches with a step whose outcome can be inferred only from the disk."""
    rows = StepRow.select(StepRow.batch).where(StepRow.state == StepState.DOING).distinct().order_by(StepRow.batch)
    return [row[0] for row in rows.tuples().execute(database)]


def is_temp_in_use(database: SqliteDatabase, name: str, temp: bytes) -> bool:
    """Whether a temporary file may still be needed: a batch of this name is running, or a step in doubt uses it."""
    running = Batch.select().where(Batch.name == name, Batch.state == BatchState.RUNNING)
    doubtful = StepRow.select().where(StepRow.state == StepState.DOING, StepRow.temp == temp)
    return bool(running.exists(database) or doubtful.exists(database))


def running_of_job(database: SqliteDatabase, job_id: int, state: BatchState = BatchState.RUNNING) -> int | None:
    """The unfinished batch of a job, or its newest plan if `state` asks for that; None if there is none."""
    rows = Batch.select(Batch.id).where(Batch.job_id == job_id, Batch.state == state).order_by(Batch.id.desc())
    return next((row[0] for row in rows.tuples().execute(database)), None)


def set_planned(database: SqliteDatabase, batch_id: int, counts: Mapping[str, int]) -> None:
    """Keep what the plan of a batch was made of, for a job that goes on with it after an interruption."""
    Batch.update(planned=json.dumps(counts)).where(Batch.id == batch_id).execute(database)


def steps_of(
    database: SqliteDatabase, batch_id: int, states: Sequence[StepState] = (), ids: Sequence[int] = ()
) -> list[Step]:
    """The steps of a batch in their order: all of them, or only those in these states or with these ids."""
    query = StepRow.select().where(StepRow.batch == batch_id).order_by(StepRow.id)
    if states:
        query = query.where(StepRow.state.in_(states))
    if not ids:
        return [_step(row) for row in query.dicts().execute(database)]
    steps: list[Step] = []
    for chunk in chunks(sorted(ids)):
        steps += [_step(row) for row in query.where(StepRow.id.in_(chunk)).dicts().execute(database)]
    return steps


def step_or_none(database: SqliteDatabase, step_id: int) -> Step | None:
    """One step, None if it was deleted."""
    for row in StepRow.select().where(StepRow.id == step_id).dicts().execute(database):
        return _step(row)
    return None


def last_undo_of(database: SqliteDatabase, step_id: int) -> Step | None:
    """The last step that undid another one, None if it was not undone."""
    rows = StepRow.select().where(StepRow.undo_of == step_id, StepRow.state == StepState.DONE)
    for row in rows.order_by(StepRow.id.desc()).limit(1).dicts().execute(database):
        return _step(row)
    return None


def steps_page(
    database: SqliteDatabase,
    batch_id: int,
    states: Sequence[str],
    after: tuple[Any, ...] | None,
    limit: int,
    path: bytes = b"",
) -> Page[Step]:
    """One page of the steps of a batch in their order. With `path`, only steps of files at or below it, or with it as a
    part of their path."""
    chosen = StepRow.select().where(StepRow.batch == batch_id)
    if states:
        chosen = chosen.where(StepRow.state.in_(states))
    if path:
        chosen = chosen.where(is_at(StepRow.path, path))
    total = chosen.count(database)
    if after is not None:
        chosen = chosen.where(StepRow.id > after[0])
    rows = chosen.order_by(StepRow.id).limit(limit + 1).dicts().execute(database)
    return cut_page([_step(row) for row in rows], limit, total, lambda row: (row.id,))


def batch(database: SqliteDatabase, batch_id: int) -> BatchRow:
    """One batch. Raises NotFound."""
    for row in Batch.select().where(Batch.id == batch_id).dicts().execute(database):
        return _batch_rows(database, [row])[0]
    raise NotFound("batch.unknown", batch=batch_id)


def batches_page(
    database: SqliteDatabase, after: tuple[Any, ...] | None, limit: int, path: bytes = b""
) -> Page[BatchRow]:
    """One page of batches, newest first. With `path`, only batches with a step of a file at or below it, or with it as
    a part of its path. Plans of a sort (previews) and batches without any step are left out."""
    chosen = Batch.select().where(
        (Batch.kind != BatchKind.SORT) | (Batch.state != BatchState.PLAN),
        fn.EXISTS(StepRow.select(StepRow.id).where(StepRow.batch == Batch.id)),
    )
    if path:
        chosen = chosen.where(Batch.id.in_(StepRow.select(StepRow.batch).where(is_at(StepRow.path, path))))
    total = chosen.count(database)
    if after is not None:
        chosen = chosen.where(Batch.id < after[0])
    rows = list(chosen.order_by(Batch.id.desc()).limit(limit + 1).dicts().execute(database))
    return cut_page(_batch_rows(database, rows), limit, total, lambda row: (row.id,))


def first_steps(database: SqliteDatabase, batch_ids: Iterable[int], count: int) -> dict[int, list[Step]]:
    """The first `count` steps of each of these batches, without the steps of companions."""
    steps = {}
    for batch_id in batch_ids:
        chosen = StepRow.select().where(StepRow.batch == batch_id, StepRow.companion_of.is_null())
        rows = chosen.order_by(StepRow.id).limit(count).dicts().execute(database)
        steps[batch_id] = [_step(row) for row in rows]
    return steps


def latest_to_undo(database: SqliteDatabase) -> int:
    """The newest batch with a step that can be undone. Raises NotFound."""
    rows = (
        Batch.select(Batch.id)
        .join(StepRow, on=StepRow.batch == Batch.id)
        .where(Batch.kind.in_((BatchKind.SORT, BatchKind.COMPRESS)), StepRow.state == StepState.DONE)
        .order_by(Batch.id.desc())
        .limit(1)
    )
    for (batch_id,) in rows.tuples().execute(database):
        return int(batch_id)
    raise NotFound("batch.nothing_to_undo")


def delete_old_plans(database: SqliteDatabase, keep: int) -> None:
    """Delete all plans (dry runs) except the newest `keep`."""
    plans = Batch.select(Batch.id).where(Batch.state == BatchState.PLAN).order_by(Batch.id.desc())
    for (batch_id,) in plans.offset(keep).limit(-1).tuples().execute(database):
        Batch.delete().where(Batch.id == batch_id).execute(database)


def mark_undone(database: SqliteDatabase, step_ids: Iterable[int]) -> None:
    for chunk in chunks(step_ids):
        StepRow.update(state=StepState.UNDONE).where(StepRow.id.in_(chunk)).execute(database)


def _batch_rows(database: SqliteDatabase, rows: Sequence[Mapping[str, Any]]) -> list[BatchRow]:
    counts: dict[int, Counter[str]] = {row["id"]: Counter() for row in rows}
    actions: dict[int, Counter[str]] = {row["id"]: Counter() for row in rows}
    freed = dict.fromkeys(counts, 0)
    kinds = {row["id"]: row["kind"] for row in rows}
    counted_state = {
        row["id"]: StepState.PLANNED if row["state"] == BatchState.PLAN else StepState.DONE for row in rows
    }
    query = (
        StepRow.select(StepRow.batch, StepRow.state, StepRow.action, fn.count(StepRow.id), fn.sum(StepRow.bytes))
        .where(StepRow.batch.in_(list(counts)))
        .group_by(StepRow.batch, StepRow.state, StepRow.action)
    )
    for batch_id, state, action, number, size in query.tuples().execute(database):
        counts[batch_id][state] += number
        if state == counted_state[batch_id]:
            actions[batch_id][action] += number
            freed[batch_id] += 0 if kinds[batch_id] == BatchKind.UNDO else size
    return [
        BatchRow(
            **{**row, "planned": json.loads(row["planned"])},
            counts=counts[row["id"]],
            actions=actions[row["id"]],
            bytes=freed[row["id"]],
        )
        for row in rows
    ]


def _values(step: Step) -> dict[str, Any]:
    values = {field.name: getattr(step, field.name) for field in fields(step)}
    for name in ("id", "batch_id", "identity", "made"):
        del values[name]
    identity, made = step.identity, step.made
    return values | {
        "device": identity.device,
        "inode": identity.inode,
        "size_bytes": identity.size_bytes,
        "mtime_ns": identity.mtime_ns,
        "made_inode": None if made is None else made.inode,
        "made_size_bytes": None if made is None else made.size_bytes,
        "made_mtime_ns": None if made is None else made.mtime_ns,
    }


def _step(row: Mapping[str, Any]) -> Step:
    made = None
    if row["made_inode"] is not None:
        made = Identity(row["device"], row["made_inode"], row["made_size_bytes"], row["made_mtime_ns"])
    return Step(
        action=Action(row["action"]),
        path=bytes(row["path"]),
        identity=Identity(row["device"], row["inode"], row["size_bytes"], row["mtime_ns"]),
        digest=bytes(row["digest"]),
        target=bytes(row["target"]),
        trash=bytes(row["trash"]),
        temp=bytes(row["temp"]),
        keeper=bytes(row["keeper"]),
        image_id=row["image_id"],
        group_key=row["group_key"],
        companion_of=row["companion_of"],
        undo_of=row["undo_of"],
        made=made,
        made_digest=bytes(row["made_digest"]),
        bytes=row["bytes"],
        state=StepState(row["state"]),
        reason=row["reason"],
        message=row["message"],
        id=row["id"],
        batch_id=row["batch"],
    )
