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
    destination: Annotated[str | None, Meta(description="The destination of moved images; for `move` only")] = None
    groups: Annotated[
        list[GroupKey], Meta(min_length=1, max_length=100_000, description="Default: all that the query selects")
    ] | UnsetType = UNSET  # fmt: skip


class DecisionJob(Body, frozen=True, kw_only=True):
    """What a job must do with every group that the query selects; with `dry_run` it only counts them."""

    action: Literal["accept", "move", "link", "keep", "not_duplicates", "alternates"]
    destination: Annotated[str | None, Meta(description="The destination of moved images; for `move` only")] = None
    dry_run: bool = False


class BulkEffect(Answer, frozen=True, kw_only=True):
    """The effect: the number of groups, the number of images that go (or whose decision is cleared), and their
    bytes."""

    groups: Count
    images: Count
    bytes: Count
    left_open: Annotated[
        Count,
        Meta(description="Groups with an uncertain proposal, or in which the proposed image is decided to go"),
    ]
    kinds: Annotated[dict[str, int], Meta(description="The number of groups of each kind")]
    order: Annotated[int | None, Meta(description="Id for revoking the decisions; null in a preview")]
    batch: Annotated[str | None, Meta(description="Id for revoking the verdicts; null if there are none")]
    clearing: Annotated[int | None, Meta(description="Id for restoring the cleared decisions; null if there are none")]
    selected: Annotated[Count, Meta(description="Groups that the action concerns")]
    looked_at: Annotated[
        Count, Meta(description="The number of groups examined; if fewer than all, the numbers are estimates")
    ]
    for_a_job: Annotated[bool, Meta(description="Whether there are so many groups that a job must decide")]
