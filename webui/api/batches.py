"""REST: batches, what each did or would do with every file, undo; and the trash, listed, restored from, emptied."""

from typing import Any

from msgspec import UNSET
from peewee import SqliteDatabase

from index.model import JobKind
from index.records import batches, jobs, trash_items, uptime
from index.records.batches import BatchKind, BatchRow, BatchState, Step, StepState
from index.records.trash_items import Item, ItemState
from webui import shapes, shapes_sorting
from webui.api.jobs import job_shape
from webui.paging import decode_cursor, encode_cursor
from webui.refusals import Refusal
from webui.routes import API, Call, Reply, Route
from webui.shapes import ListQuery, iso_time, json_bytes, optional_time, path_text, path_uri

DAY_NS = 86_400 * 10**9


def get_batches(call: Call) -> shapes_sorting.BatchList:
    query: ListQuery = call.query
    after = decode_cursor(query.cursor, "batches", (int,))
    with call.store.read() as database:
        page = batches.batches_page(database, after, query.limit)
    return shapes_sorting.BatchList(
        items=[shapes_sorting.Batch(**_fields(row)) for row in page.items],
        next=encode_cursor("batches", page.after),
        total=page.total,
    )


def get_batch(call: Call) -> shapes_sorting.BatchDetail:
    query: shapes_sorting.BatchQuery = call.query
    states = tuple(filter(None, query.state.split(",")))
    after = decode_cursor(query.cursor, f"steps {call.key} {query.state}", (int,))
    with call.store.read() as database:
        row = batches.batch(database, call.key)
        page = batches.steps_page(database, row.id, states, after, query.limit)
    steps = shapes_sorting.StepList(
        items=[_step_shape(step) for step in page.items],
        next=encode_cursor(f"steps {call.key} {query.state}", page.after),
        total=page.total,
    )
    return shapes_sorting.BatchDetail(**_fields(row), steps=steps)


def post_undo(call: Call) -> Reply:
    body: shapes_sorting.NewUndo = call.body

    def ask(database: SqliteDatabase) -> dict[str, Any]:
        row = batches.batch(database, call.key)
        if row.state == BatchState.PLAN:
            raise Refusal(409, "not_carried_out", "This was a dry run: there is nothing to undo.")
        if row.kind not in (BatchKind.SORT, BatchKind.COMPRESS):
            raise Refusal(409, "not_undoable", f"What a batch of the kind {row.kind} did cannot be undone.")
        return _queue(database, call, JobKind.UNDO, {"batch": row.id, "steps": sorted(set(body.steps))})

    return _accepted(call.store.write(ask))


def get_trash(call: Call) -> shapes_sorting.TrashList:
    query: shapes_sorting.TrashQuery = call.query
    after = decode_cursor(query.cursor, f"trash {query.state}", (int, int))
    with call.store.read() as database:
        page, size = trash_items.page(database, (query.state,), after, query.limit)
        ages_ns = uptime.ages_ns(database, [item.id for item in page.items], call.services.boot_time())
    now_ns = call.services.now_ns()
    return shapes_sorting.TrashList(
        items=[_item_shape(item, min(ages_ns[item.id], now_ns - item.trashed_ns)) for item in page.items],
        next=encode_cursor(f"trash {query.state}", page.after),
        total=page.total,
        bytes=size,
    )


def post_restore(call: Call) -> Reply:
    def ask(database: SqliteDatabase) -> dict[str, Any]:
        item = trash_items.item(database, call.key)
        if item.state is not ItemState.IN_TRASH:
            raise Refusal(409, "not_in_trash", "It is not in the trash any more.")
        return _queue(database, call, JobKind.UNDO, {"items": [item.id]})

    return _accepted(call.store.write(ask))


def post_empty(call: Call) -> Reply:
    body: shapes_sorting.EmptyTrash = call.body
    days = call.services.retention_days() if body.older_than_days is UNSET else body.older_than_days
    parameters = {"older_than_days": float(days)}
    return _accepted(call.store.write(lambda db: _queue(db, call, JobKind.EMPTY, parameters)))


def _queue(database: SqliteDatabase, call: Call, kind: JobKind, parameters: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in parameters.items() if value != []}
    return jobs.read(database, jobs.add(database, kind, given, "user", call.services.now_ns()))


def _accepted(row: dict[str, Any]) -> Reply:
    location = {"Location": f"{API}/jobs/{row['id']}"}
    return Reply(json_bytes(job_shape(row)), "application/json", 202, location)


def _fields(row: BatchRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "dry_run": row.state == BatchState.PLAN,
        "job": row.job_id,
        "undo_of": row.undo_of,
        "created": iso_time(row.created_ns),
        "finished": optional_time(row.finished_ns),
        "counts": dict(row.actions),
        "states": dict(row.counts),
        "bytes": row.bytes,
        "undoable": row.counts.get(StepState.DONE, 0) if row.kind in (BatchKind.SORT, BatchKind.COMPRESS) else 0,
    }


def _step_shape(step: Step) -> shapes_sorting.Step:
    return shapes_sorting.Step(
        id=step.id,
        action=step.action,
        path=path_text(step.path),
        uri=path_uri(step.path),
        target=_optional(step.target),
        trash=_optional(step.trash),
        keeper=_optional(step.keeper),
        group=step.group_key or None,
        companion_of=step.companion_of,
        bytes=step.bytes,
        state=step.state,
        reason=step.reason or None,
        message=step.message or None,
    )


def _item_shape(item: Item, age_ns: int) -> shapes_sorting.TrashItem:
    return shapes_sorting.TrashItem(
        id=item.id,
        path=path_text(item.path),
        uri=path_uri(item.path),
        place=path_text(item.place),
        trashed=iso_time(item.trashed_ns),
        age_days=max(0, age_ns) / DAY_NS,
        bytes=item.size_bytes,
        batch=item.batch_id,
        state=item.state.value,
    )


def _optional(path: bytes) -> str | None:
    return path_text(path) if path else None


FOLLOW = {"Location": "Where to follow the job"}

ROUTES = (
    Route(
        "GET", f"{API}/batches", get_batches, "What was planned, carried out and undone, the newest first", "batches",
        shapes_sorting.BatchList, query=ListQuery,
    ),
    Route(
        "GET", f"{API}/batches/{{id}}", get_batch, "One batch with its steps", "batches", shapes_sorting.BatchDetail,
        key_type=int, query=shapes_sorting.BatchQuery,
    ),
    Route(
        "POST", f"{API}/batches/{{id}}/undo", post_undo, "Undo a batch, or some steps of it", "batches", shapes.Job,
        status=202, key_type=int, body=shapes_sorting.NewUndo, headers=FOLLOW, errors=(409,),
    ),
    Route(
        "GET", f"{API}/trash", get_trash, "What is in the trash, the newest first", "trash", shapes_sorting.TrashList,
        query=shapes_sorting.TrashQuery,
    ),
    Route(
        "POST", f"{API}/trash/{{id}}/restore", post_restore, "Bring a file back from the trash", "trash", shapes.Job,
        status=202, key_type=int, headers=FOLLOW, errors=(409,),
    ),
    Route(
        "POST", f"{API}/trash/empty", post_empty, "Remove what is in the trash for good", "trash", shapes.Job,
        status=202, body=shapes_sorting.EmptyTrash, headers=FOLLOW,
    ),
)  # fmt: skip
