"""REST: store, list and revoke verdicts ("not duplicates")."""

from collections.abc import Callable, Sequence

from peewee import SqliteDatabase

from index.database.queries import denial_regrouping, listing
from index.database.records import matches, verdicts
from index.database.records.images import chunks
from index.database.schema import Image
from index.errors import NotFound
from webui import schemas
from webui.api import search_schemas, verdict_schemas
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Route
from webui.schemas import iso_time, path_bytes, path_text


def post_verdict(call: Call) -> verdict_schemas.VerdictChange:
    body: verdict_schemas.NewVerdict = call.body

    def deny(database: SqliteDatabase) -> verdicts.Change:
        detection_id = call.query.search or _of_library(database, call.key)
        chosen = _contents_of(database, body.images)
        now_ns = call.services.now_ns()
        return verdicts.deny_group(database, detection_id, call.key, chosen, body.label, body.note, now_ns)

    return _changed(call, deny)


def post_pair_verdict(call: Call) -> verdict_schemas.VerdictChange:
    body: verdict_schemas.NewPairVerdict = call.body
    paths = [path_bytes(path) for path in body.paths]

    def deny(database: SqliteDatabase) -> verdicts.Change:
        image_ids = [*body.images, *listing.images_at(database, paths)]
        return verdicts.deny_images(database, image_ids, body.label, body.note, call.services.now_ns())

    return _changed(call, deny)


def get_verdicts(call: Call) -> verdict_schemas.VerdictList:
    query: schemas.ListQuery = call.query
    before = decode_cursor(query.cursor, "verdicts", (int,))
    with call.store.read() as database:
        records, total = verdicts.page(database, None if before is None else before[0], query.limit + 1)
    shown = records[: query.limit]
    return verdict_schemas.VerdictList(
        items=[
            verdict_schemas.Verdict(
                id=record.verdict_id,
                batch=record.batch,
                label=record.label,  # type: ignore[arg-type]
                note=record.note,
                created=iso_time(record.created_ns),
                digests=[digest.hex() for digest in record.digests],
                paths=[[path_text(path) for path in side] for side in record.paths],
            )
            for record in shown
        ],
        next=encode_cursor("verdicts", (shown[-1].verdict_id,)) if len(records) > len(shown) else None,
        total=total,
    )


def delete_verdict(call: Call) -> verdict_schemas.VerdictChange:
    key: str = call.key
    if key.isascii() and key.isdecimal() and len(key) < 19:
        return _changed(call, lambda database: verdicts.revoke(database, int(key)))
    return _changed(call, lambda database: verdicts.revoke_batch(database, key))


def _changed(call: Call, change: Callable[[SqliteDatabase], verdicts.Change]) -> verdict_schemas.VerdictChange:
    """Make the change and rebuild the groups it affects, in one transaction."""

    def change_and_regroup(database: SqliteDatabase) -> verdicts.Change:
        made = change(database)
        denial_regrouping.regroup(database, made.content_ids, call.services.now_ns())
        return made

    made = call.store.write(change_and_regroup)
    return verdict_schemas.VerdictChange(batch=made.batch, pairs=made.pairs)


def _of_library(database: SqliteDatabase, key: str) -> int:
    """The id of the library's detection. Raises NotFound for the group if there is no detection yet."""
    detection = matches.current_detection(database)
    if detection is None:
        raise NotFound("group.unknown", group=key)
    return int(detection.id)


def _contents_of(database: SqliteDatabase, image_ids: Sequence[int]) -> list[int]:
    return [
        row[0]
        for chunk in chunks(image_ids)
        for row in Image.select(Image.content).where(Image.id.in_(chunk)).tuples().execute(database)
    ]


ROUTES = (
    Route(
        "POST", f"{API}/groups/{{id}}/not-duplicates", post_verdict, "Declare images of a group not duplicates",
        "verdicts", verdict_schemas.VerdictChange, key_type=str, body=verdict_schemas.NewVerdict,
        query=search_schemas.SearchQuery,
    ),
    Route(
        "POST", f"{API}/verdicts", post_pair_verdict, "Declare images not duplicates of one another",
        "verdicts", verdict_schemas.VerdictChange, body=verdict_schemas.NewPairVerdict, errors=(404,),
    ),
    Route(
        "GET", f"{API}/verdicts", get_verdicts, 'Verdicts ("not duplicates"), newest first', "verdicts",
        verdict_schemas.VerdictList, query=schemas.ListQuery,
    ),
    Route(
        "DELETE", f"{API}/verdicts/{{id}}", delete_verdict, "Revoke a batch of verdicts, or the verdict on one pair",
        "verdicts", verdict_schemas.VerdictChange, key_type=str,
    ),
)  # fmt: skip
