"""REST: list, create, change and delete schedules."""

import json
from typing import Any

from index.database.queries import job_listing
from index.database.records import schedules
from index.database.records.schedules import NewSchedule
from index.model import JobKind
from webui import schemas
from webui.api import schedule_schemas
from webui.api.jobs import checked_parameters
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import json_bytes, json_safe, optional_time


def get_schedules(call: Call) -> schedule_schemas.ScheduleList:
    query: schemas.ListQuery = call.query
    after = decode_cursor(query.cursor, "schedules", (str,))
    with call.store.read() as database:
        rows = job_listing.schedules(database)
    ahead = [row for row in rows if after is None or row["name"] > after[0]]
    shown = ahead[: query.limit]
    return schedule_schemas.ScheduleList(
        items=[_schema(call, row) for row in shown],
        next=encode_cursor("schedules", (shown[-1]["name"],)) if len(ahead) > len(shown) else None,
        total=len(rows),
    )


def post_schedule(call: Call) -> Reply:
    new = _checked(call)
    schedule_id = call.store.write(lambda database: schedules.add(database, new, call.services.now_ns()))
    call.services.schedules_changed()
    location = f"{API}/schedules/{schedule_id}"
    return Reply(json_bytes(_read(call, schedule_id)), "application/json", 201, {"Location": location})


def put_schedule(call: Call) -> schedule_schemas.Schedule:
    new = _checked(call)
    call.store.write(lambda database: schedules.replace(database, call.key, new, call.services.now_ns()))
    call.services.schedules_changed()
    return _read(call, call.key)


def delete_schedule(call: Call) -> Reply:
    call.store.write(lambda database: schedules.remove(database, call.key))
    call.services.schedules_changed()
    return Reply(b"", "", 204)


def _checked(call: Call) -> NewSchedule:
    body: schedule_schemas.NewSchedule = call.body
    parameters = checked_parameters(call, body.kind, body.parameters)
    new = NewSchedule(body.name, body.kind, body.trigger, parameters, body.enabled)
    new.check()
    return new


def _read(call: Call, schedule_id: int) -> schedule_schemas.Schedule:
    with call.store.read() as database:
        return _schema(call, schedules.read(database, schedule_id))


def _schema(call: Call, row: dict[str, Any]) -> schedule_schemas.Schedule:
    return schedule_schemas.Schedule(
        id=row["id"],
        name=row["name"],
        kind=JobKind(row["kind"]),
        parameters=json_safe(json.loads(row["parameters"])),
        trigger=row["trigger"],
        enabled=bool(row["enabled"]),
        origin=row["origin"],
        next_run=optional_time(call.services.next_run_ns(row["id"])) if row["enabled"] else None,
    )


ROUTES = (
    Route(
        "GET", f"{API}/schedules", get_schedules, "The schedules", "schedules",
        schedule_schemas.ScheduleList, query=schemas.ListQuery,
    ),
    Route(
        "POST", f"{API}/schedules", post_schedule, "Add a schedule", "schedules", schedule_schemas.Schedule,
        status=201, body=schedule_schemas.NewSchedule, headers={"Location": "Where the schedule is"}, errors=(403,),
        is_setup=True,
    ),
    Route(
        "PUT", f"{API}/schedules/{{id}}", put_schedule, "Change a schedule", "schedules", schedule_schemas.Schedule,
        key_type=int, body=schedule_schemas.NewSchedule, errors=(403,), is_setup=True,
    ),
    Route(
        "DELETE", f"{API}/schedules/{{id}}", delete_schedule, "Delete a schedule", "schedules",
        status=204, key_type=int, errors=(403,), is_setup=True,
    ),
)  # fmt: skip
