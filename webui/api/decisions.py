"""REST: decisions on the images of a group and the progress of the review."""

from collections.abc import Mapping
from typing import Any

from peewee import SqliteDatabase

from index.database.queries import listing
from index.database.records import decisions, temporary_roots
from index.database.records.decisions import DecisionRequest, NoKeeper, NotExact, Protected, StoredDecision
from index.errors import UsageError
from index.messages import Message
from index.model import Choice
from webui.api import decision_schemas, search_schemas
from webui.http_errors import HttpError
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, path_text, path_uri

# The codes of errors that depend on the state of a group.
CODES = ((NoKeeper, "no_keeper"), (Protected, "protected"), (NotExact, "not_exact"))


def put_decisions(call: Call) -> decision_schemas.GroupDecisions:
    body: decision_schemas.NewDecisions = call.body
    destinations = call.services.destinations()
    wanted = [_wanted(wanted, destinations) for wanted in body.decisions]
    search = call.query.search or 0
    if len({request.image_id for request in wanted}) < len(wanted):
        raise UsageError("decision.image_twice", field="decisions")

    def decide(database: SqliteDatabase) -> decision_schemas.GroupDecisions:
        decisions.decide(database, call.key, wanted, call.services.now_ns(), search)
        return _of_group(database, call.key, search)

    try:
        return call.store.write(decide)
    except (NoKeeper, Protected, NotExact) as error:
        code = next(code for kind, code in CODES if isinstance(error, kind))
        raise HttpError(409, code, error.message, hint=error.hint) from error


def get_decisions(call: Call) -> decision_schemas.GroupDecisions:
    with call.store.read() as database:
        return _of_group(database, call.key, call.query.search or 0)


def delete_decision(call: Call) -> Reply:
    call.store.write(lambda database: decisions.clear_one(database, call.key))
    return Reply(b"", "", 204)


def get_review(call: Call) -> decision_schemas.Review:
    with call.store.read() as database:
        review, revision = decisions.review(database), decisions.revision(database)
        waiting = temporary_roots.waiting(database)
    return decision_schemas.Review(
        groups=review.groups,
        decided=review.decided,
        reclaimable_bytes=review.reclaimable_bytes,
        planned_bytes=review.planned_bytes,
        images_to_act=review.images_to_act,
        unwatched=[
            decision_schemas.UnwatchedFolder(
                path=path_text(folder.path),
                uri=path_uri(folder.path),
                recursive=folder.recursive,
                images=folder.images,
            )
            for folder in waiting
        ],
        revision=revision,
    )


def check_destination(choice: str, name: str | None, destinations: Mapping[str, bytes], field: str) -> str:
    """The destination of a choice, "" if it needs none. Raises UsageError for an unknown or superfluous destination."""
    if choice != Choice.MOVE:
        if name:
            raise UsageError("decision.needless_destination", choice=choice, field=field)
        return ""
    if not name:
        raise UsageError("decision.destination_missing", field=field)
    if name not in destinations:
        known = ", ".join(sorted(destinations)) or Message("decision.no_destinations")
        raise UsageError("decision.unknown_destination", name=name or "", accepted=known, field=field)
    return str(name)


def decision_fields(decision: StoredDecision) -> dict[str, Any]:
    """The fields of decision_schemas.Decision."""
    return {
        "choice": str(decision.choice),
        "destination": decision.destination or None,
        "origin": decision.origin,
        "criterion": decision.criterion or None,
        "decided": iso_time(decision.decided_ns),
        "stale": decision.stale,
    }


def _wanted(wanted: decision_schemas.WantedDecision, destinations: Mapping[str, bytes]) -> DecisionRequest:
    destination = check_destination(wanted.choice, wanted.destination, destinations, "decisions.destination")
    return DecisionRequest(wanted.image, None if wanted.choice == "undecided" else Choice(wanted.choice), destination)


def _of_group(database: SqliteDatabase, key: str, search: int) -> decision_schemas.GroupDecisions:
    row = listing.group(database, key, search)
    return decision_schemas.GroupDecisions(
        items=[
            decision_schemas.ImageDecision(image=decision.image_id, **decision_fields(decision))
            for decision in decisions.of_group(database, key, search)
        ],
        decided=row.decided,
    )


ROUTES = (
    Route(
        "GET", f"{API}/groups/{{id}}/decisions", get_decisions, "The decisions on the images of a group",
        "decisions", decision_schemas.GroupDecisions, key_type=str, query=search_schemas.SearchQuery,
    ),
    Route(
        "PUT", f"{API}/groups/{{id}}/decisions", put_decisions, "Decide on images of a group", "decisions",
        decision_schemas.GroupDecisions, key_type=str, body=decision_schemas.NewDecisions,
        query=search_schemas.SearchQuery, errors=(409,),
    ),
    Route(
        "DELETE", f"{API}/images/{{id}}/decision", delete_decision, "Clear the decision on an image",
        "decisions", status=204, key_type=int,
    ),
    Route("GET", f"{API}/review", get_review, "The progress of the review", "decisions", decision_schemas.Review),
)  # fmt: skip
