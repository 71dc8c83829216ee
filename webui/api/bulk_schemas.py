"""JSON schemas of decisions about many groups at once."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from webui.schemas import Answer, Body, Count

GroupKey = Annotated[str, Meta(max_length=100)]


class BulkDecision(Body, frozen=True, kw_only=True):
    """What to do with every group that the query selects, or with those named. What is decided already stays."""

    action: Annotated[
        Literal["accept", "keep", "not_duplicates", "alternates"],
        Meta(description="Accept the proposals, keep every image, or say that the images are no duplicates"),
    ]
    groups: Annotated[
        list[GroupKey], Meta(min_length=1, max_length=100_000, description="All that the query selects if left out")
    ] | UnsetType = UNSET  # fmt: skip


class BulkEffect(Answer, frozen=True, kw_only=True):
    """What is decided: the number of groups, of images that go, and of their bytes."""

    groups: Count
    images: Count
    bytes: Count
    left_open: Annotated[
        Count, Meta(description="Groups in which it is not certain which image to keep, or the one proposed goes")
    ]
    kinds: Annotated[dict[str, int], Meta(description="How many of the groups are of each kind")]
    order: Annotated[int | None, Meta(description="By which the decisions are taken back; null in a preview")]
    batch: Annotated[str | None, Meta(description="By which the verdicts are taken back; null without any")]
