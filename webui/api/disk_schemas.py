"""JSON schemas of absent disks."""

from typing import Annotated

from msgspec import Meta

from webui.schemas import Answer, Count, Path, RowId, Time, Uri


class AwayDisk(Answer, frozen=True, kw_only=True):
    """A file system in whose place another one is mounted now."""

    id: RowId
    root: RowId
    path: Annotated[Path, Meta(description="The watched folder, or the mount point in it")]
    uri: Uri
    identity: Annotated[str, Meta(description="What identifies the file system: its UUID, or server and share")]
    seen: Annotated[Time, Meta(description="When it was first seen there, or last came back")]
    images: Annotated[Count, Meta(description="Images of it that are kept in the index until it is back")]
    decided: Annotated[Count, Meta(description="The number of these that have a decision")]


class DiskList(Answer, frozen=True, kw_only=True):
    items: list[AwayDisk]
    next: str | None
    total: Count
