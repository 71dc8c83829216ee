"""REST: schedules, made, changed and dropped."""

import json
from typing import Any

from index.model import JobKind
from index.queries import listing_work
from index.records import schedules
from index.records.schedules import NewSchedule
from webui import shapes
from webui.api.jobs import taken_parameters
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.shapes import json_bytes, optional_time, tellable


def get_schedules(call: Call) -> shapes.ScheduleList:
    query: shapes.ListQuery = call.query
    after = decode_cursor(query.cursor, "schedules", (str,))
    with call.store.read() as database:
        rows = listing_work.schedules(database)
    ahead = [row for row in rows if after is None or row["name"] > after[0]]
    shown = ahead[: query.limit]
    return shapes.ScheduleList(
        items=[_shape(call, row) for row in shown],
        next=encode_cursor("schedules", (shown[-1]["name"],)) if len(ahead) > len(shown) else None,
        total=len(rows),
    )


def post_schedule(call: Call) -> Reply:
    new = _checked(call)
    schedule_id = call.store.write(lambda database: schedules.add(database, new, call.services.now_ns()))
    call.services.schedules_changed()
    location = f"{API}/schedules/{schedule_id}"
    return Reply(json_bytes(_read(call, schedule_id)), "application/json", 201, {"Location": location})


def put_schedule(call: Call) -> shapes.Schedule:
    new = _checked(call)
    call.store.write(lambda database: schedules.replace(database, call.key, new, call.services.now_ns()))
    call.services.schedules_changed()
    return _read(call, call.key)


def delete_schedule(call: Call) -> Reply:
    call.store.write(lambda database: schedules.remove(database, call.key))
    call.services.schedules_changed()
    return Reply(b"", "", 204)


def _checked(call: Call) -> NewSchedule:
    body: shapes.NewSchedule = call.body
    parameters = taken_parameters(call, body.kind, body.parameters)
    new = NewSchedule(body.name, body.kind, body.trigger, parameters, body.enabled)
    new.check()
    return new


def _read(call: Call, schedule_id: int) -> shapes.Schedule:
    with call.store.read() as database:
        return _shape(call, schedules.read(database, schedule_id))


def _shape(call: Call, row: dict[str, Any]) -> shapes.Schedule:
    return shapes.Schedule(
        id=row["id"],
        name=row["name"],
        kind=JobKind(row["kind"]),
        parameters=tellable(json.loads(row["parameters"])),
        trigger=row["trigger"],
        enabled=bool(row["enabled"]),
        origin=row["origin"],
        next_run=optional_time(call.services.next_run_ns(row["id"])) if row["enabled"] else None,
    )


ROUTES = (
    Route(
        "GET", f"{API}/schedules", get_schedules, "What is done by the clock", "schedules",
        shapes.ScheduleList, query=shapes.ListQuery,
    ),
    Route(
        "POST", f"{API}/schedules", post_schedule, "Make a schedule", "schedules", shapes.Schedule,
        status=201, body=shapes.NewSchedule, headers={"Location": "Where the schedule is"},
    ),
    Route(
        "PUT", f"{API}/schedules/{{id}}", put_schedule, "Change a schedule", "schedules", shapes.Schedule,
        key_type=int, body=shapes.NewSchedule,
    ),
    Route(
        "DELETE", f"{API}/schedules/{{id}}", delete_schedule, "Drop a schedule", "schedules",
        status=204, key_type=int,
    ),
)  # fmt: skip
