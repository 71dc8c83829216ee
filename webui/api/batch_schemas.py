"""JSON schemas of batches with their steps, undo, and the trash."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from index.database.records.batches import Action, StepState
from webui.schemas import (
    Answer,
    Body,
    Count,
    Cursor,
    Limit,
    ListQuery,
    MessageCode,
    MessageParams,
    Path,
    Query,
    RowId,
    TakenPath,
    Time,
    Uri,
)

# Batches


class Step(Answer, frozen=True, kw_only=True):
    """One change of a file. `target` is the file's new path; `trash` is the new path of a file that it replaces."""

    id: RowId
    action: Action
    path: Path
    uri: Uri
    target: Path | None
    trash: Path | None
    keeper: Path | None
    image: Annotated[int | None, Meta(description="The image of the decision")]
    thumbnail: Annotated[str | None, Meta(description="Address of its view, if there can be one")]
    keeper_thumbnail: str | None
    group: Annotated[str | None, Meta(description="The group in which it was decided")]
    companion_of: Annotated[int | None, Meta(description="The step of the image that this file belongs to")]
    bytes: Annotated[Count, Meta(description="What it frees once the trash is emptied")]
    state: StepState
    reason: Annotated[str | None, Meta(description="A code for programs, if it was not done")]
    message: Annotated[str | None, Meta(description="The reason as a sentence, in the requested language")]
    message_code: MessageCode
    message_params: MessageParams


class StepList(Answer, frozen=True, kw_only=True):
    items: list[Step]
    next: str | None
    total: Count


class StepViews(Answer, frozen=True, kw_only=True):
    """The pictures of a step, if they can be shown: of the file that was changed, and of the one that was kept."""

    thumbnail: str | None
    keeper_thumbnail: str | None


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
    states: Annotated[dict[str, int], Meta(description="The number of steps, by state")]
    bytes: Count
    undoable: Annotated[Count, Meta(description="The number of steps that can be undone")]


class BatchLine(Batch, frozen=True, kw_only=True):
    """A batch in the list, with the pictures of its first steps."""

    samples: list[StepViews]


class BatchList(Answer, frozen=True, kw_only=True):
    items: list[BatchLine]
    next: str | None
    total: Count


class BatchDetail(Batch, frozen=True, kw_only=True):
    steps: StepList


class BatchesQuery(ListQuery, frozen=True, kw_only=True):
    path: Annotated[TakenPath, Meta(description="Batches of files in this folder, or with this in their path")] = ""


class BatchQuery(Query, frozen=True, kw_only=True):
    cursor: Annotated[Cursor, Meta(description="`next` of the previous steps")] = ""
    limit: Limit = 50
    state: Annotated[
        str,
        Meta(
            pattern=r"^((planned|doing|done|refused|failed|cancelled|undone)"
            r"(,(planned|doing|done|refused|failed|cancelled|undone))*)?$",
            description="Steps in these states, separated by commas",
        ),
    ] = ""
    path: Annotated[TakenPath, Meta(description="Steps of files in this folder, or with this in their path")] = ""


class NewUndo(Body, frozen=True, kw_only=True):
    """Undo a whole batch, or some of its steps. With `decide_again` the groups are undecided afterwards; otherwise the
    previous decisions are restored."""

    steps: Annotated[list[RowId], Meta(max_length=10_000)] = field(default_factory=list)
    decide_again: bool = False


# Trash


class TrashItem(Answer, frozen=True, kw_only=True):
    """A file in the trash: `path` is where it came from, `place` is where it is."""

    id: RowId
    path: Path
    uri: Uri
    place: Path
    restore_to: Annotated[Path, Meta(description="The path it is restored to, or next to it if that name is taken")]
    needs_confirmation: Annotated[bool, Meta(description="Whether that is another place than the one it came from")]
    adopted: Annotated[bool, Meta(description="Whether only the manifest of the trash knows it")]
    trashed: Time
    age_days: Annotated[
        float, Meta(description="Days in the trash, by the clock or by the time the machine was on, whichever is less")
    ]
    last_copy: Annotated[
        bool, Meta(description="Whether the index knows no other copy of its picture: emptying by age leaves it")
    ]
    bytes: Annotated[Count, Meta(description="What emptying it frees: nothing for a hard link")]
    thumbnail: Annotated[str | None, Meta(description="Address of its view, if there can be one")]
    keeper: Annotated[Path | None, Meta(description="The image that was kept instead")]
    keeper_thumbnail: str | None
    batch: int | None
    state: Literal["in_trash", "restored", "emptied", "gone"]


class TrashList(Answer, frozen=True, kw_only=True):
    items: list[TrashItem]
    next: str | None
    total: Count
    bytes: Annotated[Count, Meta(description="Of all items")]


class TrashQuery(ListQuery, frozen=True, kw_only=True):
    state: Literal["in_trash", "restored", "emptied", "gone"] = "in_trash"
    item: RowId | UnsetType = UNSET
    path: Annotated[TakenPath, Meta(description="Files from this folder, or with this in their path")] = ""


class RestoreItem(Body, frozen=True, kw_only=True):
    """`confirm` allows the place of an item with `needs_confirmation`. Without it, the job refuses that place, and
    names it in `unconfirmed` of its outcome."""

    confirm: bool = False


class EmptyTrash(Body, frozen=True, kw_only=True):
    """The only request that removes files permanently. `confirm` is required."""

    confirm: Literal[True]
    older_than_days: Annotated[
        float, Meta(ge=0, le=36500, description="Default: the setting sort.retention")
    ] | UnsetType = UNSET  # fmt: skip
