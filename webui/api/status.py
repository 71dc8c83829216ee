"""REST: how the service is, the watch roots, the problems, and the stream of events."""

import dataclasses
from typing import Any

import msgspec
from peewee import SqliteDatabase

from index.model import JobState
from index.queries import listing, listing_work
from index.queries.listing import Totals
from index.queries.listing_work import ProblemFilter
from index.store import Store
from webui import shapes
from webui.api.jobs import job_shape
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.services import Services
from webui.shapes import iso_time, optional_time, path_bytes, path_text, path_uri, tellable

# More than these are never shown as running or waiting; the list of jobs has them all.
JOBS_IN_STATUS = 20


def get_status(call: Call) -> shapes.Status:
    with call.store.read() as database:
        return _status(database, call.services, listing.totals(database))


def _status(database: SqliteDatabase, services: Services, found: Totals) -> shapes.Status:
    """The whole state of the service, of moderate size however large the index is."""
    current = listing.current_parameters(database)
    active = listing_work.jobs_page(database, (JobState.RUNNING, JobState.QUEUED), limit=JOBS_IN_STATUS).items
    parts = dict(services.health())
    figures = dataclasses.asdict(found)
    del figures["groups_changed_ns"]
    return shapes.Status(
        version=services.version,
        started=iso_time(services.started_ns),
        now=iso_time(services.now_ns()),
        healthy=all(parts.values()),
        index_restored=services.index_restored,
        index_put_back=services.index_put_back(),
        parts=parts,
        totals=shapes.Totals(**figures),
        detection=None if current is None else _detection_shape(current[1]),
        # Running first, then in the order they will be taken.
        jobs=[job_shape(row) for row in sorted(active, key=lambda row: (row["state"] == JobState.QUEUED, row["id"]))],
    )


def _detection_shape(parameters: Any) -> shapes.DetectionNow:
    return shapes.DetectionNow(**{**dataclasses.asdict(parameters), "folders": tellable(parameters.folders)})


def topics(store: Store, services: Services) -> dict[str, Any]:
    """What the stream of events tells, by the name of the event, as plain data."""
    with store.read() as database:
        watched = listing.roots(database)
        found = listing.totals(database, watched)
        now = msgspec.to_builtins(_status(database, services, found))
        roots = [msgspec.to_builtins(_root_shape(row, services)) for row in watched]
    progress = {"jobs": now.pop("jobs")}
    del now["now"]
    return {
        "status": now,
        "progress": progress,
        "roots": {"items": roots},
        "groups": {
            "total": found.groups,
            "reclaimable_bytes": found.reclaimable_bytes,
            "changed": iso_time(found.groups_changed_ns),
        },
        "problems": {"total": found.problems},
    }


def get_roots(call: Call) -> shapes.RootList:
    query: shapes.ListQuery = call.query
    after = decode_cursor(query.cursor, "roots", (bytes,))
    with call.store.read() as database:
        rows = listing.roots(database)
    ahead = [row for row in rows if after is None or row.path > after[0]]
    shown = ahead[: query.limit]
    return shapes.RootList(
        items=[_root_shape(row, call.services) for row in shown],
        next=encode_cursor("roots", (shown[-1].path,)) if len(ahead) > len(shown) else None,
        total=len(rows),
    )


def _root_shape(row: listing.RootRow, services: Services) -> shapes.Root:
    watch = services.root_watch(row.path)
    return shapes.Root(
        id=row.id,
        path=path_text(row.path),
        uri=path_uri(row.path),
        state="online" if row.state == "online" else "offline",
        reason=row.reason,
        mode=watch.mode,
        watched_folders=watch.folders,
        note=watch.note,
        protected=row.protected,
        priority=row.priority,
        images=row.images,
        size_bytes=row.size_bytes,
        problems=row.problems,
        away_images=row.away_images,
        walked=optional_time(row.walked_ns),
    )


def get_problems(call: Call) -> shapes.ProblemList:
    query: shapes.ProblemQuery = call.query
    after = decode_cursor(query.cursor, "problems", (int, int))
    chosen = ProblemFilter(query.root or None, query.reason, path_bytes(query.path))
    with call.store.read() as database:
        page = listing_work.problems_page(database, chosen, after, query.limit)
        reasons = listing_work.reasons_of_problems(database)
    return shapes.ProblemList(
        items=[
            shapes.Problem(
                id=row.id,
                root=row.root_id,
                path=path_text(row.path),
                uri=path_uri(row.path),
                reason=row.reason,
                message=row.message,
                at=iso_time(row.at_ns),
            )
            for row in page.items
        ],
        next=encode_cursor("problems", page.after),
        total=page.total,
        reasons=reasons,
    )


def get_events(call: Call) -> Reply:
    return Reply(call.streams.open(call.gone), "text/event-stream", headers={"Cache-Control": "no-store"})


def get_health(call: Call) -> Any:
    healthy = all(call.services.health().values())
    return shapes.Health(status="ok") if healthy else Reply(b'{"status": "failing"}', "application/json", 503)


ROUTES = (
    Route("GET", f"{API}/status", get_status, "How the service is and what it does", "status", shapes.Status),
    Route(
        "GET", f"{API}/events", get_events, "What is new, as server-sent events", "status",
        media_types=("text/event-stream",), errors=(503,),
    ),
    Route("GET", f"{API}/roots", get_roots, "The watched folders", "status", shapes.RootList, query=shapes.ListQuery),
    Route(
        "GET", f"{API}/problems", get_problems, "The files that could not be read", "status",
        shapes.ProblemList, query=shapes.ProblemQuery,
    ),
    Route("GET", "/healthz", get_health, "Whether every part is alive", "status", shapes.Health, errors=(503,)),
)  # fmt: skip
