"""REST: the results of compression by file, and the bytes before and after, for comparison."""

import json
import os
from typing import Any

from msgspec import UNSET

from index.database.queries import compression_sizes
from index.database.records import compressions, images, trash_items
from index.database.records.compressions import CompressionRecord, State
from index.errors import NotFound, PictureError
from index.imaging.discovery import descent
from index.imaging.discovery.file_types import HEAD_BYTES
from index.imaging.encoding.compression import CompressionOptions
from index.messages import fields, of_os_error
from index.model import Identity
from index.settings import parse_resolution
from webui.api import compression_schemas
from webui.api.images import MEDIA_TYPES, REVALIDATE, UNKNOWN_TYPE, get_content
from webui.http_errors import HttpError
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, path_bytes, path_text, path_uri

MEGABYTE = 2**20
SHOWN = (State.DONE, State.MEASURED, State.UNDONE)
# Formats by the first bytes of a file, for the Content-Type.
SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"BM": "BMP"}


def get_compressions(call: Call) -> compression_schemas.CompressionList:
    query: compression_schemas.CompressionQuery = call.query
    batch_id = None if query.batch is UNSET else query.batch
    states = tuple(filter(None, query.state.split(",")))
    order = f"compressions {batch_id} {query.state}"
    after = decode_cursor(query.cursor, order, (int,))
    with call.store.read() as database:
        page = compressions.page(database, batch_id, states, after, query.limit)
        totals = compressions.totals(database, batch_id)
        images = compressions.images_at(database, [row.path for row in page.items])
    return compression_schemas.CompressionList(
        items=[_schema(row, images.get(row.path), call.language) for row in page.items],
        next=encode_cursor(order, page.after),
        total=page.total,
        states=dict(totals.states),
        bytes_before=totals.source_bytes,
        bytes_after=totals.result_bytes,
    )


def get_reduction(call: Call) -> compression_schemas.Reduction:
    query: compression_schemas.ReductionQuery = call.query
    width, height = parse_resolution(query.resolution)
    folders = [path_bytes(query.folder)] if query.folder else []
    with call.store.read() as database:
        found = compression_sizes.reduction(
            database,
            CompressionOptions(width=width, height=height),
            int(query.size_threshold_mb * MEGABYTE),
            folders,
            query.recursive,
        )
    return compression_schemas.Reduction(
        files=found.files,
        pictures=found.pictures,
        pixels_before=found.before,
        pixels_after=found.after,
        widest=_size(found.widest),
        becomes=_size(found.becomes),
    )


def _size(size: tuple[int, int]) -> str | None:
    return f"{size[0]}x{size[1]}" if all(size) else None


def get_before(call: Call) -> Reply:
    """The source, at its old path or in the trash; never another file."""
    with call.store.read() as database:
        row = compressions.read(database, call.key)
        image_id = compressions.image_with(database, row.path, row.source_digest)
        item = trash_items.with_digest(database, row.source_digest, row.path)
    if image_id is not None:
        return get_content(_call_for(call, image_id))
    if item is None:
        raise HttpError(404, "gone", "rest.source_gone")
    return _from_trash(call, item)


def get_after(call: Call) -> Reply:
    """The result: the file, or for a dry run the result, made again."""
    with call.store.read() as database:
        row = compressions.read(database, call.key)
        image_id = compressions.image_with(database, row.result_path, row.result_digest)
    if row.state is State.MEASURED:
        try:
            data = call.services.recompress(row.id)
        except (PictureError, NotFound) as error:
            raise HttpError(409, "changed", "rest.result_not_made", problem=error.message) from error
        headers = {"Cache-Control": "private, max-age=3600"}
        return Reply(data, MEDIA_TYPES.get(row.format, UNKNOWN_TYPE), headers=headers)
    if image_id is None:
        raise HttpError(404, "gone", "rest.result_gone")
    return get_content(_call_for(call, image_id))


def _call_for(call: Call, image_id: int) -> Call:
    return Call(**{name: getattr(call, name) for name in Call.__slots__} | {"key": image_id})


def _from_trash(call: Call, item: trash_items.Item) -> Reply:
    with call.store.read() as database:
        # A trash outside all watched folders is opened from the folder that contains it.
        top = images.root_above(database, item.place) or item.place.rsplit(b"/", 3)[0]
    try:
        descriptor = descent.open_file(top, item.place)
    except OSError as error:
        raise HttpError(404, "gone", "rest.trash_unopenable", error=of_os_error(error)) from error
    status = os.fstat(descriptor)
    known = (item.inode, item.size_bytes, item.mtime_ns)
    if Identity.of(status)[1:] != known:
        os.close(descriptor)
        raise HttpError(409, "changed", "step.other_in_trash")
    head = os.pread(descriptor, HEAD_BYTES, 0)
    kind = next((kind for begin, kind in SIGNATURES.items() if head.startswith(begin)), "WEBP")
    headers = {"Content-Length": str(status.st_size), "Cache-Control": REVALIDATE,
               "Content-Security-Policy": "default-src 'none'; sandbox"}  # fmt: skip
    return Reply(call.downloads.send(descriptor, status.st_size), MEDIA_TYPES[kind], headers=headers)


def _schema(row: CompressionRecord, image_id: int | None, language: str) -> compression_schemas.Compression:
    address = f"{API}/compressions/{row.id}"
    shown = row.state in SHOWN
    return compression_schemas.Compression(
        id=row.id,
        batch=row.batch_id,
        step=row.step_id,
        state=row.state.value,
        path=path_text(row.path),
        uri=path_uri(row.path),
        image=image_id,
        result=path_text(row.result_path) if row.result_path else None,
        options=_options(row.options_key),
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
        **fields("message", row.message, language),
        made=iso_time(row.made_ns),
        before=f"{address}/before" if shown else None,
        after=f"{address}/after" if shown and row.state is not State.UNDONE else None,
    )


def _options(key: str) -> dict[str, Any]:
    try:
        options = json.loads(key)
    except ValueError:
        return {}
    return options if isinstance(options, dict) else {}


CONTENT_TYPES = tuple(sorted({MEDIA_TYPES[kind] for kind in ("JPEG", "PNG", "WEBP", "AVIF", "BMP")} | {UNKNOWN_TYPE}))

ROUTES = (
    Route(
        "GET", f"{API}/compressions/reduction", get_reduction, "How many pictures a maximum size would reduce",
        "compressions", compression_schemas.Reduction, query=compression_schemas.ReductionQuery,
    ),
    Route(
        "GET", f"{API}/compressions", get_compressions, "The report on each file of a compression or its dry run",
        "compression", compression_schemas.CompressionList, query=compression_schemas.CompressionQuery,
    ),
    Route(
        "GET", f"{API}/compressions/{{id}}/before", get_before, "The bytes of the source", "compression",
        media_types=CONTENT_TYPES, key_type=int, errors=(304, 409),
    ),
    Route(
        "GET", f"{API}/compressions/{{id}}/after", get_after, "The bytes of the result", "compression",
        media_types=CONTENT_TYPES, key_type=int, errors=(304, 409),
    ),
)  # fmt: skip
