"""REST: statistics of the whole index, for charts."""

import dataclasses

from index.database.queries import listing, statistics
from index.database.store import Store
from webui.api import statistics_schemas
from webui.http_errors import HttpError
from webui.routes import API, Call, Route
from webui.schemas import iso_time, path_bytes, path_text, path_uri


def get_statistics(call: Call) -> statistics_schemas.Statistics:
    query: statistics_schemas.StatisticsQuery = call.query
    folder = path_bytes(query.folder).rstrip(b"/")
    made: statistics_schemas.Statistics = call.statistics.get(
        folder, lambda: _statistics(call.store, folder, call.services.now_ns())
    )
    return made


def _statistics(store: Store, folder: bytes, now_ns: int) -> statistics_schemas.Statistics:
    with store.read() as database:
        roots = listing.roots(database)
        totals = listing.totals(database, roots)
        watched = [row.path for row in roots]
        if not folder and len(watched) == 1:
            folder = watched[0]
        root = next((path for path in watched if _within(folder, path)), None)
        if folder and root is None:
            raise HttpError(404, "not_found", "rest.folder_not_watched", field="folder")
        kinds = statistics.by_kind(database)
        formats, months = statistics.by_format_and_month(database)
        folders = statistics.folders_in(database, folder) if folder else statistics.roots(database, watched)
    return statistics_schemas.Statistics(
        made=iso_time(now_ns),
        images=totals.images,
        size_bytes=totals.size_bytes,
        reclaimable_bytes=totals.reclaimable_bytes,
        kinds=[statistics_schemas.KindFigures(**dataclasses.asdict(row)) for row in kinds],
        formats=[statistics_schemas.FormatFigures(**dataclasses.asdict(row)) for row in formats],
        months=[statistics_schemas.MonthFigures(**dataclasses.asdict(row)) for row in months],
        undated=totals.images - sum(row.images for row in months),
        folder=path_text(folder) if folder else None,
        parents=[_place(path) for path in _parents(folder, root)] if root is not None else [],
        folders=[
            statistics_schemas.FolderFigures(
                path=path_text(row.path),
                uri=path_uri(row.path),
                images=row.images,
                size_bytes=row.size_bytes,
                reclaimable_bytes=row.reclaimable_bytes,
                folders=row.folders,
            )
            for row in folders
        ],
    )


def _within(folder: bytes, root: bytes) -> bool:
    return folder == root or folder.startswith(root.rstrip(b"/") + b"/")


def _parents(folder: bytes, root: bytes) -> list[bytes]:
    """The folders above this one, starting with its root."""
    parents: list[bytes] = []
    while folder != root and b"/" in folder[1:]:
        folder = folder[: folder.rindex(b"/")]
        parents.insert(0, folder)
    return parents


def _place(path: bytes) -> statistics_schemas.Place:
    return statistics_schemas.Place(path=path_text(path), uri=path_uri(path))


ROUTES = (
    Route(
        "GET", f"{API}/statistics", get_statistics, "Space by kind, format and folder, images by month", "status",
        statistics_schemas.Statistics, query=statistics_schemas.StatisticsQuery, errors=(404,),
    ),
)  # fmt: skip
