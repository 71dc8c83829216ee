"""JSON schemas of limited searches."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from index.model import Depth, Method
from webui.api.status_schemas import DetectionNow
from webui.schemas import Answer, Body, Count, Path, Query, RowId, TakenPath, Time, Uri


class TemporaryFolder(Answer, frozen=True, kw_only=True):
    path: Path
    uri: Uri


class Search(DetectionNow, frozen=True, kw_only=True):
    """A detection in some folders. Its groups are listed with the parameter `search`, separately from those of the
    library."""

    id: RowId
    finished: Time
    groups: Count
    temporary: Annotated[
        list[TemporaryFolder],
        Meta(description="Its unwatched folders, which are indexed for this search and removed with it"),
    ]


class NewSearch(Body, frozen=True, kw_only=True):
    """Omitted fields come from the settings."""

    folder: Annotated[TakenPath, Meta(description="Any folder of the server; an unwatched folder is indexed first")]
    recursive: Annotated[bool, Meta(description="Whether the folders below are searched, too")] = True
    hsize: int | None = None
    tolerance: int | None = None
    turns: bool | None = None
    verify: bool | None = None
    depth: Depth | None = None
    method: Method | None = None


class SearchList(Answer, frozen=True, kw_only=True):
    items: list[Search]
    next: str | None
    total: Count


class SearchQuery(Query, frozen=True, kw_only=True):
    search: Annotated[RowId, Meta(description="The limited search that the group belongs to")] | UnsetType = UNSET
