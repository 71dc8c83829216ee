"""REST: decisions on the images of a group, how far the deciding is, and where images can be moved to."""

import os
from collections.abc import Mapping
from typing import Any

from peewee import SqliteDatabase

from index.errors import UsageError
from index.model import Choice
from index.queries import listing
from index.records import decisions
from index.records.decisions import Decided, NoKeeper, NotExact, Protected, Wanted
from webui import shapes_sorting
from webui.refusals import Refusal
from webui.routes import API, Call, Route
from webui.shapes import ListQuery, iso_time, path_text, path_uri

# The words of the refusals that are about the state of a group.
CODES = ((NoKeeper, "no_keeper"), (Protected, "protected"), (NotExact, "not_exact"))


def put_decisions(call: Call) -> shapes_sorting.GroupDecisions:
    body: shapes_sorting.NewDecisions = call.body
    destinations = call.services.destinations()
    wanted = [_wanted(one, destinations) for one in body.decisions]
    if len({one.image_id for one in wanted}) < len(wanted):
        raise UsageError("An image is named twice.", field="decisions")

    def decide(database: SqliteDatabase) -> shapes_sorting.GroupDecisions:
        decisions.decide(database, call.key, wanted, call.services.now_ns())
        return _of_group(database, call.key)

    try:
        return call.store.write(decide)
    except (NoKeeper, Protected, NotExact) as error:
        code = next(code for kind, code in CODES if isinstance(error, kind))
        raise Refusal(409, code, error.message, error.hint) from error


def get_decisions(call: Call) -> shapes_sorting.GroupDecisions:
    with call.store.read() as database:
        return _of_group(database, call.key)


def get_review(call: Call) -> shapes_sorting.Review:
    with call.store.read() as database:
        found = decisions.review(database)
    return shapes_sorting.Review(
        groups=found.groups,
        decided=found.decided,
        reclaimable_bytes=found.reclaimable_bytes,
        planned_bytes=found.planned_bytes,
        images_to_act=found.images_to_act,
    )


def get_destinations(call: Call) -> shapes_sorting.DestinationList:
    found = sorted(call.services.destinations().items())
    return shapes_sorting.DestinationList(
        items=[
            shapes_sorting.Destination(
                name=name, path=path_text(path), uri=path_uri(path), exists=os.path.isdir(path)
            )
            for name, path in found
        ],
        next=None,
        total=len(found),
    )


def check_destination(choice: str, name: str | None, destinations: Mapping[str, bytes], field: str) -> str:
    """The name of the destination of a choice, "" where it needs none. Raises UsageError."""
    if choice != Choice.MOVE:
        if name:
            raise UsageError(f"Only what is moved has a destination, not what is to {choice}.", field=field)
        return ""
    if name not in destinations:
        known = ", ".join(sorted(destinations)) or "none is configured under [sort] destinations"
        raise UsageError(f"There is no destination {name or ''!r}.", f"Accepted: {known}.", field=field)
    return str(name)


def decision_fields(one: Decided) -> dict[str, Any]:
    """A decision as it is told with its image."""
    return {
        "choice": str(one.choice),
        "destination": one.destination or None,
        "origin": one.origin,
        "criterion": one.criterion or None,
        "decided": iso_time(one.decided_ns),
        "stale": one.stale,
    }


def _wanted(one: shapes_sorting.WantedDecision, destinations: Mapping[str, bytes]) -> Wanted:
    destination = check_destination(one.choice, one.destination, destinations, "decisions.destination")
    return Wanted(one.image, None if one.choice == "undecided" else Choice(one.choice), destination)


def _of_group(database: SqliteDatabase, key: str) -> shapes_sorting.GroupDecisions:
    row = listing.group(database, key)
    return shapes_sorting.GroupDecisions(
        items=[
            shapes_sorting.ImageDecision(image=one.image_id, **decision_fields(one))
            for one in decisions.of_group(database, key)
        ],
        decided=row.decided,
    )


ROUTES = (
    Route(
        "GET", f"{API}/groups/{{id}}/decisions", get_decisions, "What is decided about the images of a group",
        "decisions", shapes_sorting.GroupDecisions, key_type=str,
    ),
    Route(
        "PUT", f"{API}/groups/{{id}}/decisions", put_decisions, "Decide about images of a group", "decisions",
        shapes_sorting.GroupDecisions, key_type=str, body=shapes_sorting.NewDecisions, errors=(409,),
    ),
    Route("GET", f"{API}/review", get_review, "How far the deciding is", "decisions", shapes_sorting.Review),
    Route(
        "GET", f"{API}/destinations", get_destinations, "Where images can be moved to", "decisions",
        shapes_sorting.DestinationList, query=ListQuery,
    ),
)  # fmt: skip
