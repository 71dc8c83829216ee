"""JSON schemas of one image, and the queries for its thumbnail and crops."""

from typing import Annotated

from msgspec import Meta

from index.model import DateSource
from webui.schemas import Answer, Count, MessageCode, MessageParams, Path, Query, RowId, Time, Uri


class Attachment(Answer, frozen=True, kw_only=True):
    """A part of the file after the picture: `film`, `gain_map`, `depth_map`, `view` (a further picture), `trailer` (a
    maker's record) or `data`."""

    kind: str
    size_bytes: Count


class Coordinates(Answer, frozen=True, kw_only=True):
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class Description(Answer, frozen=True, kw_only=True):
    """The description of a picture in its file, in its sidecars, or in its name."""

    zone: Annotated[str | None, Meta(description='The time zone of `taken`, as "+02:00"')]
    dated_by: Annotated[
        DateSource | None, Meta(description="The source of `taken`; `name` means the file name, which may be wrong")
    ]
    place: Coordinates | None
    location: Annotated[
        list[str], Meta(description="Part of a city, city, state and country, as far as they are given")
    ]
    rating: Annotated[int, Meta(ge=1, le=5)] | None
    label: str
    title: str
    caption: str
    keywords: list[str]
    hierarchies: Annotated[list[str], Meta(description='Keywords below others, as "animal|cat"')]


class Image(Answer, frozen=True, kw_only=True):
    """A file with the facts of its picture. `jpeg_quality` is an estimate, null if the file is no JPEG."""

    id: RowId
    path: Path
    uri: Uri
    also_at: Annotated[list[Path], Meta(description="Other paths to the same file: hard links, other mounts")]
    root: RowId
    protected: bool
    temporary: Annotated[bool, Meta(description="Whether its folder is unwatched, and indexed for one search only")]
    online: bool
    size_bytes: Count
    modified: Time
    digest: str
    format: str
    width: Count
    height: Count
    mode: str
    orientation: int
    taken: Annotated[str | None, Meta(description="Capture date as in the file, without a time zone")]
    camera: str
    jpeg_quality: int | None
    earlier_quality: Annotated[
        int | None, Meta(description="Estimated quality of an earlier, poorer JPEG of the picture")
    ]
    frames: Count
    bit_depth: Annotated[Count, Meta(description="Bits per channel")]
    transparent: Annotated[bool, Meta(description="Whether a pixel is less than opaque")]
    attachments: Annotated[list[Attachment], Meta(description="Parts of the file after its first picture")]
    damage: Annotated[str | None, Meta(description="The complaint of the decoder; parts of the picture may be wrong")]
    metadata: list[str]
    description: Description
    failure: Annotated[str | None, Meta(description="Why the picture cannot be shown")]
    trashed_before: Annotated[
        Time | None, Meta(description="When the same bytes were last put in the trash, before this file appeared")
    ]
    thumbnail: Annotated[str | None, Meta(description="Address of the 512-pixel view")]
    content: Annotated[str, Meta(description="Address of the original bytes")]
    crop: Annotated[str | None, Meta(description="Address of its crops at full resolution; append x, y, w, h")]


class ImageDetail(Image, frozen=True, kw_only=True):
    hashes: Annotated[dict[str, str], Meta(description="imagehash's hexadecimal of the perceptual hash, by hsize")]
    groups: Annotated[list[str], Meta(description="The groups it is in")]


class SimilarImage(Answer, frozen=True, kw_only=True):
    """Another image, and the cosine of the two vectors."""

    image: Image
    cosine: Annotated[float, Meta(ge=-1, le=1)]


class SimilarList(Answer, frozen=True, kw_only=True):
    """The most similar images, sorted by similarity. `ready` is false if the image has no vector (yet). `reason` says
    why, "" if it has one."""

    items: list[SimilarImage]
    ready: bool
    reason: str
    reason_code: MessageCode
    reason_params: MessageParams


class SimilarQuery(Query, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number")] = 12
    least: Annotated[float, Meta(ge=-1, le=1, description="Only images with at least this cosine")] = 0.4


class ThumbnailQuery(Query, frozen=True, kw_only=True):
    v: Annotated[str, Meta(max_length=64, description="The start of the digest, which allows caching")] = ""


class CropQuery(Query, frozen=True, kw_only=True):
    x: Annotated[int, Meta(ge=0, le=1_000_000, description="Left edge, in pixels of the displayed picture")] = 0
    y: Annotated[int, Meta(ge=0, le=1_000_000, description="Top edge")] = 0
    w: Annotated[int, Meta(ge=1, le=1_000_000, description="Width; the part outside the picture is cut off")]
    h: Annotated[int, Meta(ge=1, le=1_000_000, description="Height")]
    size: Annotated[
        int, Meta(ge=16, le=4096, description="Maximum length of the longer side in pixels; never enlarged")
    ] = 1600
    v: Annotated[str, Meta(max_length=64, description="The start of the digest, which allows caching")] = ""
