"""JSON schemas of decisions on many groups at once."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from webui.schemas import Answer, Body, Count

GroupKey = Annotated[str, Meta(max_length=100)]


class BulkDecision(Body, frozen=True, kw_only=True):
    """What to do with every group that the query selects, or with the groups named. Existing decisions are kept."""

    action: Annotated[
        Literal["accept", "move", "link", "keep", "not_duplicates", "alternates", "clear"],
        Meta(
            description="Accept the proposals (what goes is put in the trash, moved, or replaced by hard links), keep"
            " every image, say that the images are no duplicates, or clear what is decided"
        ),
    ]
    destination: Annotated[str | None, Meta(description="Where images are moved; for `move` only")] = None
    groups: Annotated[
        list[GroupKey], Meta(min_length=1, max_length=100_000, description="All that the query selects if left out")
    ] | UnsetType = UNSET  # fmt: skip


class DecisionJob(Body, frozen=True, kw_only=True):
    """What a job must do with every group that the query selects; with `dry_run` it only counts them."""

    action: Literal["accept", "move", "link", "keep", "not_duplicates", "alternates"]
    destination: Annotated[str | None, Meta(description="Where images are moved; for `move` only")] = None
    dry_run: bool = False


class BulkEffect(Answer, frozen=True, kw_only=True):
    """The effect: the number of groups, the number of images that go (or whose decision is cleared), and their
    bytes."""

    groups: Count
    images: Count
    bytes: Count
    left_open: Annotated[
        Count, Meta(description="Groups in which it is not certain which image to keep, or the one proposed goes")
    ]
    kinds: Annotated[dict[str, int], Meta(description="How many of the groups are of each kind")]
    order: Annotated[int | None, Meta(description="By which the decisions are taken back; null in a preview")]
    batch: Annotated[str | None, Meta(description="By which the verdicts are taken back; null without any")]
    clearing: Annotated[int | None, Meta(description="By which what was cleared is decided again; null without any")]
    selected: Annotated[Count, Meta(description="Groups that the action concerns")]
    looked_at: Annotated[Count, Meta(description="How many of them were examined; if fewer, the numbers are estimates")]
    for_a_job: Annotated[bool, Meta(description="Whether they are so many that a job is to decide")]
