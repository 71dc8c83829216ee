"""JSON schemas of compressions: what was done, or would be done, with each file."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from webui.schemas import Answer, Count, ListQuery, MessageCode, MessageParams, Path, Query, RowId, TakenPath, Time, Uri

StateName = Literal["making", "done", "undone", "measured", "left", "refused", "failed"]
Size = Annotated[str, Meta(description="Width x height in pixels, as stored")]


class Compression(Answer, frozen=True, kw_only=True):
    """The report on one file. `state`: `making` while its job runs; `done`, or `measured` by a dry run; `left` if there
    was nothing to gain; `refused` if something would have been lost; `failed`; `undone` later."""

    id: RowId
    batch: int | None
    step: int | None
    state: StateName
    path: Path
    uri: Uri
    image: Annotated[int | None, Meta(description="The image at this path now")]
    result: Path | None
    options: Annotated[dict[str, Any], Meta(description="The options that differ from the defaults")]
    format: str
    size_before: Size
    size_after: Size
    bytes_before: Count
    bytes_after: Count
    lossless: Annotated[bool, Meta(description="Whether every pixel is equal")]
    quality: int | None
    score: Annotated[
        float | None, Meta(description="SSIMULACRA 2 score, compared with the source: 90 visually lossless, 70 high")
    ]
    target: str | None
    reason: Annotated[str | None, Meta(description="A code for programs, if there is no result")]
    message: str | None
    message_code: MessageCode
    message_params: MessageParams
    made: Time
    before: Annotated[str | None, Meta(description="Address of the bytes of the source, if they still exist")]
    after: Annotated[str | None, Meta(description="Address of the bytes of the result")]


class CompressionList(Answer, frozen=True, kw_only=True):
    items: list[Compression]
    next: str | None
    total: Count
    states: Annotated[dict[str, int], Meta(description="The number in each state, without the filter by state")]
    bytes_before: Annotated[Count, Meta(description="Of all results made or measured")]
    bytes_after: Count


class Reduction(Answer, frozen=True, kw_only=True):
    """The effect of a maximum size: `pictures` of `files` would be reduced."""

    files: Count
    pictures: Count
    pixels_before: Annotated[Count, Meta(description="Of these pictures together")]
    pixels_after: Count
    widest: Annotated[Size | None, Meta(description="The size of the picture that would be reduced most")]
    becomes: Annotated[Size | None, Meta(description="The size after the reduction")]


class ReductionQuery(Query, frozen=True, kw_only=True):
    resolution: Annotated[str, Meta(description="The maximum size, 1920x1080 for example; empty: full size")] = ""
    size_threshold_mb: Annotated[float, Meta(ge=0, le=100_000)] = 1.0
    folder: Annotated[TakenPath, Meta(description="Default: all watched folders")] = ""
    recursive: bool = True


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
