"""REST: batches with their steps, and undo; the trash: list, restore, empty."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET
from peewee import SqliteDatabase

from index.database.queries import file_pictures
from index.database.records import batches, images, jobs, last_copies, trash_items, uptime
from index.database.records.batches import BatchKind, BatchRow, BatchState, Step, StepState
from index.database.records.trash_items import Item, ItemState
from index.imaging.discovery.trash_places import RestoreTarget
from index.messages import fields
from index.model import JobKind
from webui.api import batch_schemas, job_schemas
from webui.api.images import digest_thumbnail
from webui.api.jobs import job_schema
from webui.http_errors import HttpError
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, json_bytes, optional_time, path_bytes, path_text, path_uri

# The number of pictures for each batch of the list.
SAMPLES = 3
DAY_NS = 86_400 * 10**9


def get_batches(call: Call) -> batch_schemas.BatchList:
    query: batch_schemas.BatchesQuery = call.query
    after = decode_cursor(query.cursor, f"batches {query.path}", (int,))
    with call.store.read() as database:
        page = batches.batches_page(database, after, query.limit, path_bytes(query.path))
        steps = batches.first_steps(database, (row.id for row in page.items), SAMPLES)
        pictures = _Pictures(database, [step for several in steps.values() for step in several])
    return batch_schemas.BatchList(
        items=[
            batch_schemas.BatchLine(**_fields(row), samples=[pictures.sample(step) for step in steps[row.id]])
            for row in page.items
        ],
        next=encode_cursor(f"batches {query.path}", page.after),
        total=page.total,
    )


def get_batch(call: Call) -> batch_schemas.BatchDetail:
    query: batch_schemas.BatchQuery = call.query
    states = tuple(filter(None, query.state.split(",")))
    after = decode_cursor(query.cursor, f"steps {call.key} {query.state}", (int,))
    with call.store.read() as database:
        row = batches.batch(database, call.key)
        page = batches.steps_page(database, row.id, states, after, query.limit, path_bytes(query.path))
        pictures = _Pictures(database, page.items)
    steps = batch_schemas.StepList(
        items=[_step_schema(step, call.language, pictures) for step in page.items],
        next=encode_cursor(f"steps {call.key} {query.state}", page.after),
        total=page.total,
    )
    return batch_schemas.BatchDetail(**_fields(row), steps=steps)


def post_undo(call: Call) -> Reply:
    body: batch_schemas.NewUndo = call.body

    def queue_undo(database: SqliteDatabase) -> dict[str, Any]:
        row = batches.batch(database, call.key)
        if row.state == BatchState.PLAN:
            raise HttpError(409, "not_carried_out", "rest.dry_run")
        if row.kind not in (BatchKind.SORT, BatchKind.COMPRESS):
            raise HttpError(409, "not_undoable", "rest.not_undoable", kind=row.kind)
        again = {"decide_again": True} if body.decide_again else {}
        return _queue(database, call, JobKind.UNDO, {"batch": row.id, "steps": sorted(set(body.steps)), **again})

    return _accepted(call.store.write(queue_undo), call.language)


def get_trash(call: Call) -> batch_schemas.TrashList:
    query: batch_schemas.TrashQuery = call.query
    after = decode_cursor(query.cursor, f"trash {query.state}", (int, int))
    item_id = 0 if query.item is UNSET else query.item
    with call.store.read() as database:
        page, size = trash_items.page(database, (query.state,), after, query.limit, item_id, path_bytes(query.path))
        shown = file_pictures.readable(database, (item.digest for item in page.items))
        keepers = trash_items.keepers(database, page.items)
        kept = file_pictures.digests_at(database, keepers.values())
        second_names = trash_items.second_names(database, page.items)
        last = last_copies.among(database, [item for item in page.items if item.state is ItemState.IN_TRASH])
        ages_ns = uptime.ages_ns(database, [item.id for item in page.items], call.services.boot_time())
        folders = _folders(call, database)
    now_ns = call.services.now_ns()

    def schema_of(item: Item) -> batch_schemas.TrashItem:
        keeper = keepers.get(item.id, b"")
        return _item_schema(
            item,
            trash_items.restore_target_of(item, folders),
            age_ns=min(ages_ns[item.id], now_ns - item.trashed_ns),
            last_copy=item.id in last,
            bytes=0 if item.id in second_names else item.size_bytes,
            thumbnail=digest_thumbnail(item.digest) if item.digest in shown else None,
            keeper=_optional(keeper),
            keeper_thumbnail=digest_thumbnail(kept[keeper]) if keeper in kept else None,
        )

    return batch_schemas.TrashList(
        items=[schema_of(item) for item in page.items],
        next=encode_cursor(f"trash {query.state}", page.after),
        total=page.total,
        bytes=size,
    )


def post_restore(call: Call) -> Reply:
    body: batch_schemas.RestoreItem = call.body

    def queue_restore(database: SqliteDatabase) -> dict[str, Any]:
        item = trash_items.item(database, call.key)
        if item.state is not ItemState.IN_TRASH:
            raise HttpError(409, "not_in_trash", "step.left_trash")
        target = trash_items.restore_target_of(item, _folders(call, database))
        # `confirm` is passed on only if it is needed now. If another place needs it when the job runs, the job refuses.
        confirmed = {"confirm": True} if target.asks and body.confirm else {}
        return _queue(database, call, JobKind.UNDO, {"items": [item.id], **confirmed})

    return _accepted(call.store.write(queue_restore), call.language)


def post_empty(call: Call) -> Reply:
    body: batch_schemas.EmptyTrash = call.body
    days = call.services.retention_days() if body.older_than_days is UNSET else body.older_than_days
    parameters = {"older_than_days": float(days)}
    return _accepted(call.store.write(lambda db: _queue(db, call, JobKind.EMPTY, parameters)), call.language)


def _queue(database: SqliteDatabase, call: Call, kind: JobKind, parameters: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in parameters.items() if value != []}
    return jobs.read(database, jobs.add(database, kind, given, "user", call.services.now_ns()))


def _accepted(row: dict[str, Any], language: str) -> Reply:
    location = {"Location": f"{API}/jobs/{row['id']}"}
    return Reply(json_bytes(job_schema(row, language)), "application/json", 202, location)


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


class _Pictures:
    """The addresses of the pictures of steps, and of the files that were kept instead."""

    def __init__(self, database: SqliteDatabase, steps: Sequence[Step]) -> None:
        self._keepers = file_pictures.digests_at(database, (step.keeper for step in steps))
        self._shown = file_pictures.readable(database, (step.digest for step in steps))

    def sample(self, step: Step) -> batch_schemas.StepViews:
        return batch_schemas.StepViews(
            thumbnail=digest_thumbnail(step.digest) if step.digest in self._shown else None,
            keeper_thumbnail=digest_thumbnail(self._keepers[step.keeper]) if step.keeper in self._keepers else None,
        )


def _step_schema(step: Step, language: str, pictures: _Pictures) -> batch_schemas.Step:
    sample = pictures.sample(step)
    return batch_schemas.Step(
        id=step.id,
        action=step.action,
        path=path_text(step.path),
        uri=path_uri(step.path),
        target=_optional(step.target),
        trash=_optional(step.trash),
        keeper=_optional(step.keeper),
        image=step.image_id,
        thumbnail=sample.thumbnail,
        keeper_thumbnail=sample.keeper_thumbnail,
        group=step.group_key or None,
        companion_of=step.companion_of,
        bytes=step.bytes,
        state=step.state,
        reason=step.reason or None,
        **fields("message", step.message, language),
    )


def _folders(call: Call, database: SqliteDatabase) -> list[bytes]:
    """The managed folders: the watched roots and the destinations."""
    watched = [bytes(root.path) for root in images.watched_roots(database)]
    return [*watched, *call.services.destinations().values()]


def _item_schema(item: Item, target: RestoreTarget, *, age_ns: int, **given: Any) -> batch_schemas.TrashItem:
    return batch_schemas.TrashItem(
        id=item.id,
        path=path_text(item.path),
        uri=path_uri(item.path),
        place=path_text(item.place),
        restore_to=path_text(target.path),
        needs_confirmation=target.asks,
        adopted=item.adopted,
        trashed=iso_time(item.trashed_ns),
        age_days=max(0, age_ns) / DAY_NS,
        batch=item.batch_id,
        state=item.state.value,
        **given,
    )


def _optional(path: bytes) -> str | None:
    return path_text(path) if path else None


FOLLOW = {"Location": "Where to follow the job"}

ROUTES = (
    Route(
        "GET", f"{API}/batches", get_batches, "Batches: planned, carried out and undone, newest first", "batches",
        batch_schemas.BatchList, query=batch_schemas.BatchesQuery,
    ),
    Route(
        "GET", f"{API}/batches/{{id}}", get_batch, "One batch with its steps", "batches", batch_schemas.BatchDetail,
        key_type=int, query=batch_schemas.BatchQuery,
    ),
    Route(
        "POST", f"{API}/batches/{{id}}/undo", post_undo, "Undo a batch, or some steps of it", "batches",
        job_schemas.Job, status=202, key_type=int, body=batch_schemas.NewUndo, headers=FOLLOW, errors=(409,),
    ),
    Route(
        "GET", f"{API}/trash", get_trash, "The files in the trash, newest first", "trash", batch_schemas.TrashList,
        query=batch_schemas.TrashQuery,
    ),
    Route(
        "POST", f"{API}/trash/{{id}}/restore", post_restore, "Restore a file from the trash", "trash",
        job_schemas.Job, status=202, key_type=int, body=batch_schemas.RestoreItem, body_optional=True,
        headers=FOLLOW, errors=(409,),
    ),
    Route(
        "POST", f"{API}/trash/empty", post_empty, "Permanently delete files in the trash", "trash", job_schemas.Job,
        status=202, body=batch_schemas.EmptyTrash, headers=FOLLOW,
    ),
)  # fmt: skip
