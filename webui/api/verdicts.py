"""REST: "not duplicates", said of a group, listed and taken back."""

from collections.abc import Callable, Sequence

from peewee import SqliteDatabase

from index.errors import NotFound
from index.queries import listing
from index.records import findings, verdicts
from index.records.catalogue import chunks
from index.schema import Image
from webui import shapes, shapes_found
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Route
from webui.shapes import iso_time, path_bytes, path_text


def post_verdict(call: Call) -> shapes_found.VerdictChange:
    body: shapes_found.NewVerdict = call.body

    def deny(database: SqliteDatabase) -> verdicts.Change:
        detection = findings.current_detection(database)
        if detection is None:
            raise NotFound(f"There is no group {call.key}.")
        chosen = _contents_of(database, body.images)
        now_ns = call.services.now_ns()
        return verdicts.deny_group(database, detection.id, call.key, chosen, body.label, body.note, now_ns)

    return _changed(call, deny)


def post_pair_verdict(call: Call) -> shapes_found.VerdictChange:
    body: shapes_found.NewPairVerdict = call.body
    paths = [path_bytes(path) for path in body.paths]

    def deny(database: SqliteDatabase) -> verdicts.Change:
        image_ids = [*body.images, *listing.images_at(database, paths)]
        return verdicts.deny_images(database, image_ids, body.label, body.note, call.services.now_ns())

    return _changed(call, deny)


def get_verdicts(call: Call) -> shapes_found.VerdictList:
    query: shapes.ListQuery = call.query
    before = decode_cursor(query.cursor, "verdicts", (int,))
    with call.store.read() as database:
        told, total = verdicts.page(database, None if before is None else before[0], query.limit + 1)
    shown = told[: query.limit]
    return shapes_found.VerdictList(
        items=[
            shapes_found.Verdict(
                id=one.verdict_id,
                batch=one.batch,
                label=one.label,  # type: ignore[arg-type]
                note=one.note,
                created=iso_time(one.created_ns),
                digests=[digest.hex() for digest in one.digests],
                paths=[[path_text(path) for path in side] for side in one.paths],
            )
            for one in shown
        ],
        next=encode_cursor("verdicts", (shown[-1].verdict_id,)) if len(told) > len(shown) else None,
        total=total,
    )


def delete_verdict(call: Call) -> shapes_found.VerdictChange:
    key: str = call.key
    if key.isascii() and key.isdecimal() and len(key) < 19:
        return _changed(call, lambda database: verdicts.revoke(database, int(key)))
    return _changed(call, lambda database: verdicts.revoke_batch(database, key))


def _changed(call: Call, change: Callable[[SqliteDatabase], verdicts.Change]) -> shapes_found.VerdictChange:
    """Make the change and the groups it concerns anew, both or none."""

    def change_and_regroup(database: SqliteDatabase) -> verdicts.Change:
        made = change(database)
        detection = findings.current_detection(database)
        if detection is not None:
            findings.regroup(database, detection.id, made.content_ids, call.services.now_ns())
        return made

    made = call.store.write(change_and_regroup)
    return shapes_found.VerdictChange(batch=made.batch, pairs=made.pairs)


def _contents_of(database: SqliteDatabase, image_ids: Sequence[int]) -> list[int]:
    return [
        row[0]
        for some in chunks(image_ids)
        for row in Image.select(Image.content).where(Image.id.in_(some)).tuples().execute(database)
    ]


ROUTES = (
    Route(
        "POST", f"{API}/groups/{{id}}/not-duplicates", post_verdict, "Say that a group's images are no duplicates",
        "verdicts", shapes_found.VerdictChange, key_type=str, body=shapes_found.NewVerdict,
    ),
    Route(
        "POST", f"{API}/verdicts", post_pair_verdict, "Say that two images, or more, are no duplicates of one another",
        "verdicts", shapes_found.VerdictChange, body=shapes_found.NewPairVerdict, errors=(404,),
    ),
    Route(
        "GET", f"{API}/verdicts", get_verdicts, "What was said to be no duplicates, the newest first", "verdicts",
        shapes_found.VerdictList, query=shapes.ListQuery,
    ),
    Route(
        "DELETE", f"{API}/verdicts/{{id}}", delete_verdict, "Take back an order, or the verdict on one pair",
        "verdicts", shapes_found.VerdictChange, key_type=str,
    ),
)  # fmt: skip
