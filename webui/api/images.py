"""REST: one image, its view, and its original bytes. Only what the index knows is ever served, by its id."""

import os
from typing import Any
from urllib.parse import quote

from index.candidates.fingerprint import to_hex
from index.queries import listing
from index.queries.listing import FileRow
from webui import shapes
from webui.originals import open_unchanged
from webui.refusals import Refusal
from webui.routes import API, Call, Reply, Route
from webui.shapes import iso_time, path_text, path_uri

# A few pictures a page would be asked for again at every visit.
KEEP_FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "HEIC": "image/heic",
}
UNKNOWN_TYPE = "application/octet-stream"


def get_image(call: Call) -> shapes.ImageDetail:
    with call.store.read() as database:
        row = listing.image(database, call.key)
        groups = [] if row.content_id is None else listing.groups_of_content(database, row.content_id)
        hashes = {} if row.content_id is None else listing.hashes_of_content(database, row.content_id)
    return shapes.ImageDetail(
        **image_fields(row), hashes={str(hsize): to_hex(bits) for hsize, bits in hashes.items()}, groups=groups
    )


def get_thumbnail(call: Call) -> Reply:
    query: shapes.ThumbnailQuery = call.query
    with call.store.read() as database:
        content_id, digest, failure = listing.content_of_image(database, call.key)
    if failure:
        raise Refusal(404, "no_view", "This file could not be read as a picture.")
    name = digest.hex()
    tag = f'"{name}-512"'
    kept = bool(query.v) and name.startswith(query.v)
    headers = {"ETag": tag, "Cache-Control": KEEP_FOREVER if kept else ASK_AGAIN}
    if tag in call.headers.get("If-None-Match", ""):
        return Reply(b"", "", 304, headers)
    return Reply(call.views.get(content_id, digest), "image/jpeg", headers=headers)


def get_crop(call: Call) -> Reply:
    query: shapes.CropQuery = call.query
    with call.store.read() as database:
        content_id, digest, failure = listing.content_of_image(database, call.key)
    if failure:
        raise Refusal(404, "no_view", "This file could not be read as a picture.")
    name = digest.hex()
    box = (query.x, query.y, query.w, query.h)
    tag = f'"{name}-{"-".join(map(str, box))}-{query.size}"'
    kept = bool(query.v) and name.startswith(query.v)
    headers = {"ETag": tag, "Cache-Control": KEEP_FOREVER if kept else ASK_AGAIN}
    if tag in call.headers.get("If-None-Match", ""):
        return Reply(b"", "", 304, headers)
    return Reply(call.crops.get(content_id, digest, box, query.size), "image/jpeg", headers=headers)


def get_content(call: Call) -> Reply:
    with call.store.read() as database:
        row = listing.image(database, call.key)
    tag = f'"{row.digest.hex()}"'
    if row.digest and tag in call.headers.get("If-None-Match", ""):
        return Reply(b"", "", 304, {"ETag": tag, "Cache-Control": ASK_AGAIN})
    file = call.originals.send(open_unchanged(row), row.size_bytes)
    media_type = MEDIA_TYPES.get(row.facts.format, UNKNOWN_TYPE)
    headers = {
        "Content-Length": str(row.size_bytes),
        "Content-Disposition": _disposition(row.path, inline=media_type != UNKNOWN_TYPE),
        "Cache-Control": ASK_AGAIN,
        # Should a browser ever take it for a page, that page can do nothing.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if row.digest:
        headers["ETag"] = tag
    return Reply(file, media_type, headers=headers)


def _disposition(path: bytes, inline: bool) -> str:
    """RFC 6266: the name in UTF-8 for those who read it, and a plain one without quotes or controls for the rest."""
    name = os.path.basename(path)
    plain = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\%' else "_" for byte in name)
    readable = quote(name.decode("utf-8", "replace"), safe="")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{readable}"


def image_fields(row: FileRow) -> dict[str, Any]:
    """What every shape of an image has."""
    digest = row.digest.hex()
    facts = row.facts
    address = f"{API}/images/{row.id}"
    return {
        "id": row.id,
        "path": path_text(row.path),
        "uri": path_uri(row.path),
        "also_at": [path_text(path) for path in row.also_at],
        "root": row.root_id,
        "protected": row.protected,
        "online": row.online,
        "size_bytes": row.size_bytes,
        "modified": iso_time(row.mtime_ns),
        "digest": digest,
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "mode": facts.mode,
        "orientation": facts.orientation,
        "taken": facts.taken or None,
        "camera": facts.camera,
        "jpeg_quality": facts.jpeg_quality or None,
        "earlier_quality": facts.earlier_quality or None,
        "frames": facts.frames,
        "metadata": list(facts.metadata),
        "failure": row.failure or None,
        "thumbnail": None if row.failure else f"{address}/thumbnail?v={digest[:16]}",
        "content": f"{address}/content",
        "crop": None if row.failure else f"{address}/crop?v={digest[:16]}",
    }


ROUTES = (
    Route("GET", f"{API}/images/{{id}}", get_image, "One image with its facts", "images", shapes.ImageDetail,
          key_type=int),
    Route(
        "GET", f"{API}/images/{{id}}/thumbnail", get_thumbnail, "The 512-pixel view, upright", "images",
        media_types=("image/jpeg",), key_type=int, query=shapes.ThumbnailQuery, errors=(304, 503),
    ),
    Route(
        "GET", f"{API}/images/{{id}}/crop", get_crop, "A part of the picture, upright, at up to full resolution",
        "images", media_types=("image/jpeg",), key_type=int, query=shapes.CropQuery, errors=(304, 503),
    ),
    Route(
        "GET", f"{API}/images/{{id}}/content", get_content, "The original bytes, of exactly the file indexed",
        "images", media_types=(*sorted(set(MEDIA_TYPES.values())), UNKNOWN_TYPE), key_type=int, errors=(304, 409),
    ),
)  # fmt: skip
