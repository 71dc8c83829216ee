"""REST: the state of the service, the problems, the event stream, and the health check."""

import dataclasses
from typing import Any

import msgspec
from peewee import SqliteDatabase

from index.database.queries import job_listing, listing
from index.database.queries.job_listing import ProblemFilter
from index.database.queries.listing import Totals
from index.database.records import decisions, vectors
from index.database.store import Store
from index.messages import LANGUAGES, fields
from index.model import JobState
from webui.api import status_schemas
from webui.api.jobs import job_schema
from webui.api.root_schemas import Root
from webui.api.roots import root_schema
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, json_safe, path_bytes, path_text, path_uri
from webui.services import Services

# The most running and queued jobs in the status. The list of jobs has all of them.
JOBS_IN_STATUS = 20


def get_status(call: Call) -> status_schemas.Status:
    with call.store.read() as database:
        return _status(database, call.services, listing.totals(database), call.language)


def _status(database: SqliteDatabase, services: Services, totals: Totals, language: str) -> status_schemas.Status:
    """The state of the service. Its size does not depend on the size of the index."""
    current = listing.current_parameters(database)
    active = job_listing.jobs_page(database, (JobState.RUNNING, JobState.QUEUED), limit=JOBS_IN_STATUS).items
    parts = dict(services.health())
    figures = dataclasses.asdict(totals)
    del figures["groups_changed_ns"]
    return status_schemas.Status(
        version=services.version,
        components=dict(services.component_versions),
        started=iso_time(services.started_ns),
        now=iso_time(services.now_ns()),
        healthy=all(parts.values()),
        index_restored=services.index_restored,
        index_put_back=services.index_put_back(),
        parts=parts,
        totals=status_schemas.Totals(**figures),
        detection=None if current is None else _detection_schema(current[1]),
        model=_model_schema(vectors.model_state(database), language),
        # First the running jobs, then the queued ones by age.
        jobs=[
            job_schema(row, language)
            for row in sorted(active, key=lambda row: (row["state"] == JobState.QUEUED, row["id"]))
        ],
    )


def _detection_schema(parameters: Any) -> status_schemas.DetectionNow:
    return status_schemas.DetectionNow(**{**dataclasses.asdict(parameters), "folders": json_safe(parameters.folders)})


def _model_schema(state: vectors.ModelState | None, language: str) -> status_schemas.ModelNow | None:
    if state is None:
        return None
    return status_schemas.ModelNow(
        dimensions=state.dimensions,
        milliseconds=state.milliseconds,
        **fields("failure", state.failure, language, nothing=""),
    )


def topics(store: Store, services: Services) -> dict[str, dict[str, Any]]:
    """The data of the event stream, by language and event name."""
    setup = services.folders.roots()
    with store.read() as database:
        watched = listing.roots(database)
        totals = listing.totals(database, watched)
        topics_in = {}
        for language in LANGUAGES:
            roots = [root_schema(row, setup.get(row.path), services, language) for row in watched]
            topics_in[language] = _topics(database, services, roots, totals, language)
        return topics_in


def _topics(
    database: SqliteDatabase, services: Services, watched: list[Root], totals: Totals, language: str
) -> dict[str, Any]:
    now = msgspec.to_builtins(_status(database, services, totals, language))
    roots = [msgspec.to_builtins(root) for root in watched]
    progress = {"jobs": now.pop("jobs")}
    del now["now"]
    return {
        "status": now,
        "progress": progress,
        "roots": {"items": roots},
        "groups": {
            "total": totals.groups,
            "reclaimable_bytes": totals.reclaimable_bytes,
            "changed": iso_time(totals.groups_changed_ns),
        },
        "problems": {"total": totals.problems},
        "decisions": {"revision": decisions.revision(database)},
    }


def get_problems(call: Call) -> status_schemas.ProblemList:
    query: status_schemas.ProblemQuery = call.query
    after = decode_cursor(query.cursor, "problems", (int, int))
    chosen = ProblemFilter(query.root or None, query.reason, path_bytes(query.path))
    with call.store.read() as database:
        page = job_listing.problems_page(database, chosen, after, query.limit)
        reasons = job_listing.reasons_of_problems(database)
    return status_schemas.ProblemList(
        items=[
            status_schemas.Problem(
                id=row.id,
                root=row.root_id,
                path=path_text(row.path),
                uri=path_uri(row.path),
                reason=row.reason,
                **fields("message", row.message, call.language, nothing=""),
                at=iso_time(row.at_ns),
            )
            for row in page.items
        ],
        next=encode_cursor("problems", page.after),
        total=page.total,
        reasons=reasons,
    )


def get_events(call: Call) -> Reply:
    query: status_schemas.EventsQuery = call.query
    return Reply(
        call.streams.open(call.gone, query.language or call.language),
        "text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


def get_health(call: Call) -> Any:
    healthy = all(call.services.health().values())
    return status_schemas.Health(status="ok") if healthy else Reply(b'{"status": "failing"}', "application/json", 503)


ROUTES = (
    Route("GET", f"{API}/status", get_status, "The state of the service and its jobs", "status", status_schemas.Status),
    Route(
        "GET", f"{API}/events", get_events, "Changes, as server-sent events", "status",
        media_types=("text/event-stream",), query=status_schemas.EventsQuery, errors=(503,),
    ),
    Route(
        "GET", f"{API}/problems", get_problems, "Files that could not be read", "status",
        status_schemas.ProblemList, query=status_schemas.ProblemQuery,
    ),
    Route("GET", "/healthz", get_health, "Whether every part is alive", "status", status_schemas.Health, errors=(503,)),
)  # fmt: skip
