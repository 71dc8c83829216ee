"""The JSON of compression: what it did with each file, or would do."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from webui.shapes import Answer, Count, ListQuery, Path, RowId, Time, Uri

StateName = Literal["making", "done", "undone", "measured", "left", "refused", "failed"]
Size = Annotated[str, Meta(description="Width x height in pixels, as stored")]


class Compression(Answer, frozen=True, kw_only=True):
    """One file. `state`: done, or measured by a dry run; left where there was nothing to gain, refused where it would
    have lost something, failed; undone since; making while its job is at it."""

    id: RowId
    batch: int | None
    step: int | None
    state: StateName
    path: Path
    uri: Uri
    image: Annotated[int | None, Meta(description="The image that is at this path now")]
    result: Path | None
    wish: Annotated[dict[str, Any], Meta(description="What was asked for, without what is so by default")]
    format: str
    size_before: Size
    size_after: Size
    bytes_before: Count
    bytes_after: Count
    lossless: Annotated[bool, Meta(description="Every pixel is equal")]
    quality: int | None
    score: Annotated[float | None, Meta(description="SSIMULACRA 2 beside the source: 90 visually lossless, 70 high")]
    target: str | None
    reason: Annotated[str | None, Meta(description="A word for programs, where nothing was made")]
    message: str | None
    made: Time
    before: Annotated[str | None, Meta(description="Address of the bytes of the source, where they still are")]
    after: Annotated[str | None, Meta(description="Address of the bytes of the result")]


class CompressionList(Answer, frozen=True, kw_only=True):
    items: list[Compression]
    next: str | None
    total: Count
    states: Annotated[dict[str, int], Meta(description="How many there are in each state, filters by state set aside")]
    bytes_before: Annotated[Count, Meta(description="Of all that was made, or measured")]
    bytes_after: Count


class CompressionQuery(ListQuery, frozen=True, kw_only=True):
    batch: Annotated[RowId, Meta(description="Of one batch, in its order")] | UnsetType = UNSET
    state: Annotated[
        str,
        Meta(
            pattern=r"^((making|done|undone|measured|left|refused|failed)"
            r"(,(making|done|undone|measured|left|refused|failed))*)?$",
            description="States, separated by commas",
        ),
    ] = ""
