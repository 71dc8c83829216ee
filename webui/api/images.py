"""REST: one image, its thumbnail, crops and original bytes. Only files in the index are served, by their id."""

import os
from typing import Any
from urllib.parse import quote

from index.database.queries import file_pictures, listing
from index.database.queries.listing import FileRow
from index.database.queries.plain_description import plain
from index.database.queries.similar import reason_without, similar_contents
from index.imaging.candidates.perceptual_hash import to_hex
from index.messages import fields
from webui.api import image_schemas
from webui.downloads import open_unchanged
from webui.http_errors import HttpError
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, optional_time, path_text, path_uri

# The address of a thumbnail or crop contains the start of the digest, so its bytes never change.
KEEP_FOREVER = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"

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


def get_image(call: Call) -> image_schemas.ImageDetail:
    with call.store.read() as database:
        row = listing.image(database, call.key)
        groups = [] if row.content_id is None else listing.groups_of_content(database, row.content_id)
        hashes = {} if row.content_id is None else listing.hashes_of_content(database, row.content_id)
    return image_schemas.ImageDetail(
        **image_fields(row), hashes={str(hsize): to_hex(bits) for hsize, bits in hashes.items()}, groups=groups
    )


def get_similar(call: Call) -> image_schemas.SimilarList:
    """One image of each similar content."""
    query: image_schemas.SimilarQuery = call.query
    with call.store.read() as database:
        content_id, _, _ = listing.content_of_image(database, call.key)
        found = similar_contents(database, content_id, query.limit, query.least)
        reason = reason_without(database, content_id) if found is None else None
        first = listing.first_images(database, [one.content_id for one in found or ()])
        rows = listing.files_with_ids(database, list(first.values()), list(first.values()))
    return image_schemas.SimilarList(
        items=[
            image_schemas.SimilarImage(
                image=image_schemas.Image(**image_fields(rows[first[one.content_id]])), cosine=one.cosine
            )
            for one in found or ()
            if first.get(one.content_id) in rows
        ],
        ready=found is not None,
        **fields("reason", reason, call.language, nothing=""),
    )


def get_thumbnail(call: Call) -> Reply:
    query: image_schemas.ThumbnailQuery = call.query
    with call.store.read() as database:
        content_id, digest, failure = listing.content_of_image(database, call.key)
    if failure:
        raise HttpError(404, "no_view", "rest.no_picture")
    name = digest.hex()
    tag = f'"{name}-512"'
    kept = bool(query.v) and name.startswith(query.v)
    headers = {"ETag": tag, "Cache-Control": KEEP_FOREVER if kept else REVALIDATE}
    if tag in call.headers.get("If-None-Match", ""):
        return Reply(b"", "", 304, headers)
    return Reply(call.thumbnails.get(content_id, digest), "image/jpeg", headers=headers)


def get_digest_thumbnail(call: Call) -> Reply:
    """The view of a content by its digest, for files that are in a trash or elsewhere by now."""
    try:
        digest = bytes.fromhex(call.key)
    except ValueError as error:
        raise HttpError(404, "no_view", "rest.no_picture") from error
    with call.store.read() as database:
        content_id = file_pictures.content_with(database, digest)
    if content_id is None:
        raise HttpError(404, "no_view", "rest.no_picture")
    headers = {"ETag": f'"{digest.hex()}-512"', "Cache-Control": KEEP_FOREVER}
    return Reply(call.thumbnails.get(content_id, digest), "image/jpeg", headers=headers)


def digest_thumbnail(digest: bytes) -> str:
    """The address of the view of a content."""
    return f"{API}/thumbnails/{digest.hex()}"


def get_crop(call: Call) -> Reply:
    query: image_schemas.CropQuery = call.query
    with call.store.read() as database:
        content_id, digest, failure = listing.content_of_image(database, call.key)
    if failure:
        raise HttpError(404, "no_view", "rest.no_picture")
    name = digest.hex()
    box = (query.x, query.y, query.w, query.h)
    tag = f'"{name}-{"-".join(map(str, box))}-{query.size}"'
    kept = bool(query.v) and name.startswith(query.v)
    headers = {"ETag": tag, "Cache-Control": KEEP_FOREVER if kept else REVALIDATE}
    if tag in call.headers.get("If-None-Match", ""):
        return Reply(b"", "", 304, headers)
    return Reply(call.crops.get(content_id, digest, box, query.size), "image/jpeg", headers=headers)


def get_content(call: Call) -> Reply:
    with call.store.read() as database:
        row = listing.image(database, call.key)
    tag = f'"{row.digest.hex()}"'
    if row.digest and tag in call.headers.get("If-None-Match", ""):
        return Reply(b"", "", 304, {"ETag": tag, "Cache-Control": REVALIDATE})
    file = call.downloads.send(open_unchanged(row), row.size_bytes)
    media_type = MEDIA_TYPES.get(row.facts.format, UNKNOWN_TYPE)
    headers = {
        "Content-Length": str(row.size_bytes),
        "Content-Disposition": _disposition(row.path, inline=media_type != UNKNOWN_TYPE),
        "Cache-Control": REVALIDATE,
        # If a browser should interpret it as a page, that page can do nothing.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if row.digest:
        headers["ETag"] = tag
    return Reply(file, media_type, headers=headers)


def _disposition(path: bytes, inline: bool) -> str:
    """The Content-Disposition header (RFC 6266), with the name in UTF-8 and, for old clients, in plain ASCII."""
    name = os.path.basename(path)
    plain = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\%' else "_" for byte in name)
    readable = quote(name.decode("utf-8", "replace"), safe="")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{readable}"


def image_fields(row: FileRow) -> dict[str, Any]:
    """The fields of image_schemas.Image."""
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
        "temporary": row.temporary,
        "online": row.online,
        "size_bytes": row.size_bytes,
        "modified": iso_time(row.mtime_ns),
        "digest": digest,
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "mode": facts.mode,
        "orientation": facts.orientation,
        "taken": row.description.taken or facts.taken or None,
        "camera": facts.camera,
        "jpeg_quality": facts.jpeg_quality or None,
        "earlier_quality": facts.earlier_quality or None,
        "frames": facts.frames,
        "bit_depth": facts.bit_depth,
        "transparent": facts.transparent,
        "attachments": [{"kind": part.kind, "size_bytes": part.size_bytes} for part in facts.attachments],
        "damage": facts.damage or None,
        "metadata": list(facts.metadata),
        "description": plain(row.description),
        "failure": row.failure or None,
        "trashed_before": optional_time(row.trashed_ns),
        "thumbnail": None if row.failure else f"{address}/thumbnail?v={digest[:16]}",
        "content": f"{address}/content",
        "crop": None if row.failure else f"{address}/crop?v={digest[:16]}",
    }


ROUTES = (
    Route("GET", f"{API}/images/{{id}}", get_image, "One image with its facts", "images", image_schemas.ImageDetail,
          key_type=int),
    Route(
        "GET", f"{API}/images/{{id}}/similar", get_similar, "The most similar images, by the vectors of a model",
        "images", image_schemas.SimilarList, key_type=int, query=image_schemas.SimilarQuery,
    ),
    Route(
        "GET", f"{API}/images/{{id}}/thumbnail", get_thumbnail, "The 512-pixel view, upright", "images",
        media_types=("image/jpeg",), key_type=int, query=image_schemas.ThumbnailQuery, errors=(304, 503),
    ),
    Route(
        "GET", f"{API}/thumbnails/{{id}}", get_digest_thumbnail, "The same view, by the digest of the content",
        "images", media_types=("image/jpeg",), key_type=str, errors=(503,),
    ),
    Route(
        "GET", f"{API}/images/{{id}}/crop", get_crop, "A crop of the picture, upright, at up to full resolution",
        "images", media_types=("image/jpeg",), key_type=int, query=image_schemas.CropQuery, errors=(304, 503),
    ),
    Route(
        "GET", f"{API}/images/{{id}}/content", get_content, "The original bytes, of exactly the indexed file",
        "images", media_types=(*sorted(set(MEDIA_TYPES.values())), UNKNOWN_TYPE), key_type=int, errors=(304, 409),
    ),
)  # fmt: skip
