"""The JSON of deciding and sorting: decisions, rules, batches with their steps, and the trash."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from index.records.batches import Action, StepState
from webui.shapes import (
    Answer,
    Body,
    Count,
    Cursor,
    Decision,
    Limit,
    ListQuery,
    Path,
    Query,
    RowId,
    TakenPath,
    Time,
    Uri,
)

GoingName = Literal["trash", "move", "link"]
DestinationName = Annotated[str, Meta(max_length=100, description="The name of a destination, for move")]

# Decisions


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
    """All of them are made, or none."""

    decisions: Annotated[list[WantedDecision], Meta(min_length=1, max_length=100_000)]


class Review(Answer, frozen=True, kw_only=True):
    """How far the deciding is."""

    groups: Count
    decided: Annotated[Count, Meta(description="Groups all of whose images are decided about")]
    reclaimable_bytes: Annotated[Count, Meta(description="What the groups that are not could free")]
    planned_bytes: Annotated[Count, Meta(description="What carrying the decisions out would free")]
    images_to_act: Annotated[Count, Meta(description="Images that would go somewhere")]


class Destination(Answer, frozen=True, kw_only=True):
    name: str
    path: Path
    uri: Uri
    exists: bool


class DestinationList(Answer, frozen=True, kw_only=True):
    items: list[Destination]
    next: str | None
    total: Count


# Rules


class RuleFolders(Body, frozen=True, kw_only=True):
    """What is in the one gives way to what is in the other."""

    keep: Annotated[TakenPath, Meta(min_length=1)]
    give_way: Annotated[TakenPath, Meta(min_length=1)]


class RuleFilter(Body, frozen=True, kw_only=True):
    """Groups with an image in this root, or in this folder (or with this in its path)."""

    root: RowId | None = None
    path: TakenPath = ""


class Rule(Body, frozen=True, kw_only=True):
    """What is to be decided about whole groups; groups that a person has decided anything about are left alone."""

    choice: GoingName
    destination: DestinationName | None = None
    criteria: Annotated[
        list[str],
        Meta(max_length=50, description="Of those of the setting sort.rules, the first first; those of it if left out"),
    ] | UnsetType = UNSET  # fmt: skip
    kinds: Annotated[
        list[Literal["exact", "pixels", "near", "possible"]], Meta(min_length=1, max_length=4)
    ] | UnsetType = UNSET  # fmt: skip
    ties: Annotated[
        Literal["ask", "decide"], Meta(description="Where only the path differs: leave it to a person, or decide by it")
    ] = "ask"  # fmt: skip
    folders: RuleFolders | None = None
    filter: RuleFilter | None = None


class SampleImage(Answer, frozen=True, kw_only=True):
    id: RowId
    path: Path


class Sample(Answer, frozen=True, kw_only=True):
    """One of the groups, and what decided in it."""

    group: str
    keeper: SampleImage
    victims: list[SampleImage]
    decided_by: str
    value: str


class RuleEffect(Answer, frozen=True, kw_only=True):
    """What a rule decides: how many groups and images, the bytes of these, and the ties that it leaves to a person."""

    groups: Count
    images: Count
    bytes: Count
    undecided_ties: Count
    by_criterion: Annotated[dict[str, int], Meta(description="How many groups each criterion decided")]
    sample: list[Sample]
    order: Annotated[int | None, Meta(description="By which the decisions are taken back; null in a preview")] = None


class Order(Answer, frozen=True, kw_only=True):
    """One application of a rule; `open` counts its decisions that are not carried out yet."""

    id: RowId
    created: Time
    rule: dict[str, Any]
    groups: Count
    images: Count
    bytes: Count
    open: Count


class OrderList(Answer, frozen=True, kw_only=True):
    items: list[Order]
    next: str | None
    total: Count


class OrderRevoked(Answer, frozen=True, kw_only=True):
    decisions: Annotated[Count, Meta(description="How many were taken back")]


# Batches


class Step(Answer, frozen=True, kw_only=True):
    """One change of a file. `target` is where it goes, `trash` where the file that gives way goes."""

    id: RowId
    action: Action
    path: Path
    uri: Uri
    target: Path | None
    trash: Path | None
    keeper: Path | None
    group: Annotated[str | None, Meta(description="The group it was decided in")]
    companion_of: Annotated[int | None, Meta(description="The step of the image that this file belongs to")]
    bytes: Annotated[Count, Meta(description="What it frees once the trash is emptied")]
    state: StepState
    reason: Annotated[str | None, Meta(description="A word for programs, where it was not done")]
    message: Annotated[str | None, Meta(description="The same in a sentence")]


class StepList(Answer, frozen=True, kw_only=True):
    items: list[Step]
    next: str | None
    total: Count


class Batch(Answer, frozen=True, kw_only=True):
    """Steps that were planned, carried out or undone together."""

    id: RowId
    kind: Literal["sort", "compress", "undo", "empty"]
    state: Literal["plan", "running", "done", "cancelled"]
    dry_run: bool
    job: int | None
    undo_of: int | None
    created: Time
    finished: Time | None
    counts: Annotated[dict[str, int], Meta(description="Steps done (of a plan: to be done), by action")]
    states: Annotated[dict[str, int], Meta(description="All steps, by state")]
    bytes: Count
    undoable: Annotated[Count, Meta(description="How many steps can be undone")]


class BatchList(Answer, frozen=True, kw_only=True):
    items: list[Batch]
    next: str | None
    total: Count


class BatchDetail(Batch, frozen=True, kw_only=True):
    steps: StepList


class BatchQuery(Query, frozen=True, kw_only=True):
    cursor: Annotated[Cursor, Meta(description="`next` of the steps before")] = ""
    limit: Limit = 50
    state: Annotated[
        str,
        Meta(
            pattern=r"^((planned|doing|done|refused|failed|cancelled|undone)"
            r"(,(planned|doing|done|refused|failed|cancelled|undone))*)?$",
            description="Steps in these states, separated by commas",
        ),
    ] = ""


class NewUndo(Body, frozen=True, kw_only=True):
    """All of a batch, or some steps of it."""

    steps: Annotated[list[RowId], Meta(max_length=10_000)] = field(default_factory=list)


# Trash


class TrashItem(Answer, frozen=True, kw_only=True):
    """A file in the trash: `path` is where it came from, `place` where it lies."""

    id: RowId
    path: Path
    uri: Uri
    place: Path
    restore_to: Annotated[Path, Meta(description="Where it is restored to, or beside it where that name is taken")]
    needs_confirmation: Annotated[bool, Meta(description="Whether that is another place than it is known to come from")]
    adopted: Annotated[bool, Meta(description="Whether only the manifest of the trash tells of it")]
    trashed: Time
    age_days: Annotated[
        float, Meta(description="Days in the trash by the clock or by the time the machine was on, whichever is less")
    ]
    bytes: Count
    batch: int | None
    state: Literal["in_trash", "restored", "emptied", "gone"]


class TrashList(Answer, frozen=True, kw_only=True):
    items: list[TrashItem]
    next: str | None
    total: Count
    bytes: Annotated[Count, Meta(description="Of all of them")]


class TrashQuery(ListQuery, frozen=True, kw_only=True):
    state: Literal["in_trash", "restored", "emptied", "gone"] = "in_trash"
    item: RowId | UnsetType = UNSET


class RestoreItem(Body, frozen=True, kw_only=True):
    """`confirm` allows the place of an item that says `needs_confirmation`. Without it the job refuses that, and tells
    in `unconfirmed` of its outcome where the file would go."""

    confirm: bool = False


class EmptyTrash(Body, frozen=True, kw_only=True):
    """The one order that removes files for good. `confirm` must be said."""

    confirm: Literal[True]
    older_than_days: Annotated[
        float, Meta(ge=0, le=36500, description="The setting sort.retention where it is left out")
    ] | UnsetType = UNSET  # fmt: skip
