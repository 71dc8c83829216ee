"""JSON schemas of decisions and the progress of a review."""

from typing import Annotated, Literal

from msgspec import Meta

from webui.schemas import Answer, Body, Count, Path, RowId, Time, Uri

DestinationName = Annotated[str, Meta(max_length=100, description="The name of a destination, for move")]


class Decision(Answer, frozen=True, kw_only=True):
    """The decision on an image. A `stale` decision was made for other bytes than the file has now, and does not
    count."""

    choice: Literal["keep", "trash", "move", "link"]
    destination: Annotated[str | None, Meta(description="The name of the destination, for move")]
    origin: Literal["user", "rule"]
    criterion: Annotated[str | None, Meta(description="The criterion of the rule that decided")]
    decided: Time
    stale: bool


class ImageDecision(Decision, frozen=True, kw_only=True):
    image: RowId


class GroupDecisions(Answer, frozen=True, kw_only=True):
    """The decisions on the images of one group."""

    items: list[ImageDecision]
    decided: Annotated[str, Meta(description="none, partly or fully")]


class WantedDecision(Body, frozen=True, kw_only=True):
    image: RowId
    choice: Literal["keep", "trash", "move", "link", "undecided"]
    destination: DestinationName | None = None


class NewDecisions(Body, frozen=True, kw_only=True):
    """Either all of these decisions are made, or none."""

    decisions: Annotated[list[WantedDecision], Meta(min_length=1, max_length=100_000)]


class UnwatchedFolder(Answer, frozen=True, kw_only=True):
    """A folder outside the watched ones, with images that a limited search found and that have a decision."""

    path: Path
    uri: Uri
    recursive: Annotated[bool, Meta(description="Whether the search included the folders below")]
    images: Annotated[Count, Meta(description="Images decided to go; they stay until the folder is watched")]


class Review(Answer, frozen=True, kw_only=True):
    """The progress of deciding on the current groups."""

    groups: Count
    decided: Annotated[Count, Meta(description="Groups in which all images are decided")]
    reclaimable_bytes: Annotated[Count, Meta(description="What the undecided groups could free")]
    planned_bytes: Annotated[Count, Meta(description="What carrying out the decisions would free")]
    images_to_act: Annotated[Count, Meta(description="Images that would be moved, trashed or replaced")]
    unwatched: Annotated[
        list[UnwatchedFolder], Meta(description="Unwatched folders in which decisions wait until the folder is watched")
    ]
    revision: Annotated[str, Meta(description="Changes with each decision that is made, changed or cleared")]
