"""JSON schemas of the statistics."""

from typing import Annotated

from msgspec import Meta

from webui.schemas import Answer, Count, KindName, Path, Query, TakenPath, Time, Uri


class StatisticsQuery(Query, frozen=True, kw_only=True):
    folder: Annotated[
        TakenPath,
        Meta(description="The folder whose subfolders are listed; default: the roots, or the folders in the only root"),
    ] = ""


class KindFigures(Answer, frozen=True, kw_only=True):
    kind: KindName
    groups: Count
    images: Count
    size_bytes: Count
    reclaimable_bytes: Count


class FormatFigures(Answer, frozen=True, kw_only=True):
    format: Annotated[str, Meta(description='"" for what could not be read as a picture')]
    images: Count
    size_bytes: Count


class MonthFigures(Answer, frozen=True, kw_only=True):
    month: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}$", description="When the pictures were taken")]
    images: Count


class Place(Answer, frozen=True, kw_only=True):
    path: Path
    uri: Uri


class FolderFigures(Place, frozen=True, kw_only=True):
    """A folder with everything below it. The requested folder itself has the images directly in it."""

    images: Count
    size_bytes: Count
    reclaimable_bytes: Annotated[Count, Meta(description="Of images in it that are copies of the reference of a group")]
    folders: Annotated[bool, Meta(description="Whether there are further folders in it")]


class Statistics(Answer, frozen=True, kw_only=True):
    """Statistics of the whole index, up to half a minute old while it changes. `folders` has the largest first."""

    made: Time
    images: Count
    size_bytes: Count
    reclaimable_bytes: Count
    kinds: list[KindFigures]
    formats: list[FormatFigures]
    months: list[MonthFigures]
    undated: Annotated[Count, Meta(description="Images whose date is unknown")]
    folder: Path | None
    parents: Annotated[list[Place], Meta(description="The folders above `folder`, starting with its watched root")]
    folders: list[FolderFigures]
