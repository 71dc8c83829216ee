"""REST: the figures of the whole index, for charts."""

import dataclasses

from index.queries import listing, statistics
from index.store import Store
from webui import shapes_statistics as shapes
from webui.refusals import Refusal
from webui.routes import API, Call, Route
from webui.shapes import iso_time, path_bytes, path_text, path_uri


def get_statistics(call: Call) -> shapes.Statistics:
    query: shapes.StatisticsQuery = call.query
    folder = path_bytes(query.folder).rstrip(b"/")
    made: shapes.Statistics = call.figures.get(
        folder, lambda: _statistics(call.store, folder, call.services.now_ns())
    )
    return made


def _statistics(store: Store, folder: bytes, now_ns: int) -> shapes.Statistics:
    with store.read() as database:
        held = listing.roots(database)
        totals = listing.totals(database, held)
        watched = [row.path for row in held]
        if not folder and len(watched) == 1:
            folder = watched[0]
        root = next((path for path in watched if _within(folder, path)), None)
        if folder and root is None:
            raise Refusal(404, "not_found", "This folder is not watched.", field="folder")
        kinds = statistics.by_kind(database)
        formats, months = statistics.by_format_and_month(database)
        folders = statistics.folders_in(database, folder) if folder else statistics.roots(database, watched)
    return shapes.Statistics(
        made=iso_time(now_ns),
        images=totals.images,
        size_bytes=totals.size_bytes,
        reclaimable_bytes=totals.reclaimable_bytes,
        kinds=[shapes.KindFigures(**dataclasses.asdict(row)) for row in kinds],
        formats=[shapes.FormatFigures(**dataclasses.asdict(row)) for row in formats],
        months=[shapes.MonthFigures(**dataclasses.asdict(row)) for row in months],
        undated=totals.images - sum(row.images for row in months),
        folder=path_text(folder) if folder else None,
        parents=[_place(path) for path in _parents(folder, root)] if root is not None else [],
        folders=[
            shapes.FolderFigures(
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
    """The folders from the root down to right above this one."""
    found: list[bytes] = []
    while folder != root and b"/" in folder[1:]:
        folder = folder[: folder.rindex(b"/")]
        found.insert(0, folder)
    return found


def _place(path: bytes) -> shapes.Place:
    return shapes.Place(path=path_text(path), uri=path_uri(path))


ROUTES = (
    Route(
        "GET", f"{API}/statistics", get_statistics, "Space by kind, format and folder, images by month", "status",
        shapes.Statistics, query=shapes.StatisticsQuery, errors=(404,),
    ),
)  # fmt: skip
