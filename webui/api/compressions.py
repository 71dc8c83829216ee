"""REST: what compression did with each file or would do, and the bytes before and after, to look at."""

import json
import os
from typing import Any

from msgspec import UNSET

from index.errors import NotFound, PictureError
from index.images import descent
from index.images.sniff import HEAD_BYTES
from index.records import catalogue, compressions, trash_items
from index.records.compressions import State, Told
from webui import shapes_compressing
from webui.api.images import ASK_AGAIN, MEDIA_TYPES, UNKNOWN_TYPE, get_content
from webui.paging import decode_cursor, encode_cursor
from webui.refusals import Refusal
from webui.routes import API, Call, Reply, Route
from webui.shapes import iso_time, path_text, path_uri

SHOWN = (State.DONE, State.MEASURED, State.UNDONE)
# What a browser is told that a file is, by how it begins.
BEGINNINGS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"BM": "BMP"}


def get_compressions(call: Call) -> shapes_compressing.CompressionList:
    query: shapes_compressing.CompressionQuery = call.query
    batch_id = None if query.batch is UNSET else query.batch
    states = tuple(filter(None, query.state.split(",")))
    order = f"compressions {batch_id} {query.state}"
    after = decode_cursor(query.cursor, order, (int,))
    with call.store.read() as database:
        page = compressions.page(database, batch_id, states, after, query.limit)
        totals = compressions.totals(database, batch_id)
        images = compressions.images_at(database, [row.path for row in page.items])
    return shapes_compressing.CompressionList(
        items=[_shape(row, images.get(row.path)) for row in page.items],
        next=encode_cursor(order, page.after),
        total=page.total,
        states=dict(totals.states),
        bytes_before=totals.source_bytes,
        bytes_after=totals.result_bytes,
    )


def get_before(call: Call) -> Reply:
    """The source: where it was, or in the trash; never another file than that."""
    with call.store.read() as database:
        row = compressions.read(database, call.key)
        image_id = compressions.image_with(database, row.path, row.source_digest)
        item = trash_items.with_digest(database, row.source_digest, row.path)
    if image_id is not None:
        return get_content(_about(call, image_id))
    if item is None:
        raise Refusal(404, "gone", "The source is neither where it was nor in the trash.")
    return _from_trash(call, item)


def get_after(call: Call) -> Reply:
    """The result: the file, or what a dry run measured, made once more."""
    with call.store.read() as database:
        row = compressions.read(database, call.key)
        image_id = compressions.image_with(database, row.result_path, row.result_digest)
    if row.state is State.MEASURED:
        try:
            data = call.services.recompress(row.id)
        except (PictureError, NotFound) as error:
            raise Refusal(409, "changed", f"It cannot be made any more: {error.message}.") from error
        headers = {"Cache-Control": "private, max-age=3600"}
        return Reply(data, MEDIA_TYPES.get(row.format, UNKNOWN_TYPE), headers=headers)
    if image_id is None:
        raise Refusal(404, "gone", "The result is not where it was put.")
    return get_content(_about(call, image_id))


def _about(call: Call, image_id: int) -> Call:
    return Call(**{name: getattr(call, name) for name in Call.__slots__} | {"key": image_id})


def _from_trash(call: Call, item: trash_items.Item) -> Reply:
    with call.store.read() as database:
        # A trash in a folder that is no watched one is opened from the folder that it is in.
        top = catalogue.root_above(database, item.place) or item.place.rsplit(b"/", 3)[0]
    try:
        descriptor = descent.open_file(top, item.place)
    except OSError as error:
        raise Refusal(404, "gone", f"The file in the trash cannot be opened: {error.strerror}.") from error
    status = os.fstat(descriptor)
    known = (item.inode, item.size_bytes, item.mtime_ns)
    if (status.st_ino, status.st_size, status.st_mtime_ns) != known:
        os.close(descriptor)
        raise Refusal(409, "changed", "The file in the trash is not the one that was put there.")
    head = os.pread(descriptor, HEAD_BYTES, 0)
    kind = next((kind for begin, kind in BEGINNINGS.items() if head.startswith(begin)), "WEBP")
    headers = {"Content-Length": str(status.st_size), "Cache-Control": ASK_AGAIN,
               "Content-Security-Policy": "default-src 'none'; sandbox"}  # fmt: skip
    return Reply(call.originals.send(descriptor, status.st_size), MEDIA_TYPES[kind], headers=headers)


def _shape(row: Told, image_id: int | None) -> shapes_compressing.Compression:
    address = f"{API}/compressions/{row.id}"
    shown = row.state in SHOWN
    return shapes_compressing.Compression(
        id=row.id,
        batch=row.batch_id,
        step=row.step_id,
        state=row.state.value,
        path=path_text(row.path),
        uri=path_uri(row.path),
        image=image_id,
        result=path_text(row.result_path) if row.result_path else None,
        wish=_wish(row.wish),
        format=row.format,
        size_before=row.source_size,
        size_after=row.result_size,
        bytes_before=row.source_bytes,
        bytes_after=row.result_bytes,
        lossless=row.lossless,
        quality=row.quality or None,
        score=row.score,
        target=row.target or None,
        reason=row.reason or None,
        message=row.message or None,
        made=iso_time(row.made_ns),
        before=f"{address}/before" if shown else None,
        after=f"{address}/after" if shown and row.state is not State.UNDONE else None,
    )


def _wish(key: str) -> dict[str, Any]:
    try:
        told = json.loads(key)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


BYTES = tuple(sorted({MEDIA_TYPES[kind] for kind in ("JPEG", "PNG", "WEBP", "AVIF", "BMP")} | {UNKNOWN_TYPE}))

ROUTES = (
    Route(
        "GET", f"{API}/compressions", get_compressions, "What compression did with each file, or would do",
        "compression", shapes_compressing.CompressionList, query=shapes_compressing.CompressionQuery,
    ),
    Route(
        "GET", f"{API}/compressions/{{id}}/before", get_before, "The bytes of the source", "compression",
        media_types=BYTES, key_type=int, errors=(304, 409),
    ),
    Route(
        "GET", f"{API}/compressions/{{id}}/after", get_after, "The bytes of the result", "compression",
        media_types=BYTES, key_type=int, errors=(304, 409),
    ),
)  # fmt: skip
