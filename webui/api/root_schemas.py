"""JSON schemas of the watched folders, the folders that are offered for watching, and the destinations."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from webui.schemas import (
    Answer,
    Body,
    Count,
    MessageCode,
    MessageParams,
    Path,
    Query,
    RowId,
    TakenPath,
    Time,
    Uri,
)

Patterns = Annotated[
    list[Annotated[str, Meta(max_length=1000)]],
    Meta(max_length=200, description='Shell patterns of names to pass over ("*.tmp"), or of paths below ("old/*")'),
]
Priority = Annotated[
    int, Meta(ge=-1000, le=1000, description="Of two equal images, the one in the folder of higher priority is kept")
]
WantedMode = Annotated[
    Literal["auto", "native", "poll"],
    Meta(description="How changes are detected: reported by the system, by polling, or as the file system needs"),
]
Recursive = Annotated[bool, Meta(description="Whether it includes the folders below it")]


class Root(Answer, frozen=True, kw_only=True):
    id: RowId
    path: Path
    uri: Uri
    origin: Annotated[
        Literal["file", "start", "page"],
        Meta(description="comparimg.toml, named when the service was started, or added on the page"),
    ]
    changed: Annotated[
        list[str], Meta(description="The keys that were changed on the page, for a folder that was not added there")
    ]
    recursive: Recursive
    exclude: Patterns
    wanted_mode: WantedMode
    state: Literal["online", "offline"]
    reason: str
    reason_code: MessageCode
    reason_params: MessageParams
    mode: Annotated[str, Meta(description="How it is watched: native or poll")]
    watched_folders: Annotated[Count, Meta(description="Folders whose changes the system reports")]
    note: Annotated[str, Meta(description="Why it is polled, if that is unexpected")]
    note_code: MessageCode
    note_params: MessageParams
    protected: bool
    protected_by: Annotated[
        Literal["", "file", "page", "marker"], Meta(description="comparimg.toml, the page, or a file in the folder")
    ]
    priority: int
    images: Count
    size_bytes: Count
    problems: Count
    away_images: Annotated[Count, Meta(description="Images of absent disks: see GET disks")]
    skipped: Annotated[
        dict[str, dict[str, int]],
        Meta(description="Files that the last walk left out because of their name, by kind and ending"),
    ]
    walked: Time | None


class RootList(Answer, frozen=True, kw_only=True):
    items: list[Root]
    next: str | None
    total: Count


class ChangedRoot(Answer, frozen=True, kw_only=True):
    """A folder that was added or changed. `warning` says why the service cannot move or replace files in it."""

    root: Root
    warning: str
    warning_code: MessageCode
    warning_params: MessageParams
    remedy: Annotated[str, Meta(description="What to do about the warning")]


class NewRoot(Body, frozen=True, kw_only=True):
    path: TakenPath
    recursive: Recursive = True
    exclude: Patterns = []
    protected: bool = False
    priority: Priority = 0
    mode: WantedMode = "auto"


class RootChanges(Body, frozen=True, kw_only=True):
    """Omitted fields stay; null restores the value of comparimg.toml, or the default."""

    recursive: bool | UnsetType | None = UNSET
    exclude: Patterns | UnsetType | None = UNSET
    protected: bool | UnsetType | None = UNSET
    priority: Priority | UnsetType | None = UNSET
    mode: WantedMode | UnsetType | None = UNSET


class Folder(Answer, frozen=True, kw_only=True):
    path: Path
    uri: Uri
    name: str
    watched: Annotated[bool, Meta(description="Whether it is watched, or a folder above it is")]


class FolderList(Answer, frozen=True, kw_only=True):
    under: Annotated[Path, Meta(description="The folder that was listed, without links; empty: the top")]
    under_uri: str
    parent: Annotated[
        str | None, Meta(description="The folder above it, if that is offered; empty: the top; null at the top")
    ]
    items: list[Folder]
    next: None = None
    offered: Annotated[bool, Meta(description="False for a folder outside what is offered: it is not listed")]
    cut: Annotated[bool, Meta(description="Whether there are more than are listed: enter more of the name")]


class FolderQuery(Query, frozen=True, kw_only=True):
    under: Annotated[
        TakenPath, Meta(description="A folder, or a path with an incomplete last name; empty: the top folders")
    ] = ""


class Destination(Answer, frozen=True, kw_only=True):
    name: str
    path: Path
    uri: Uri
    origin: Annotated[Literal["file", "page"], Meta(description="comparimg.toml, or added on the page")]
    exists: bool


class DestinationList(Answer, frozen=True, kw_only=True):
    items: list[Destination]
    next: str | None
    total: Count


class ChangedDestination(Answer, frozen=True, kw_only=True):
    """A destination that was added. `warning` says why the service cannot move files to it."""

    destination: Destination
    warning: str
    warning_code: MessageCode
    warning_params: MessageParams
    remedy: Annotated[str, Meta(description="What to do about the warning")]


class NewDestination(Body, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    path: TakenPath
    create: Annotated[bool, Meta(description="Whether the folder is created if it is missing")] = False
