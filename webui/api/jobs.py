"""REST: jobs, asked for, followed and cancelled."""

import json
import math
import os
from typing import Any

from peewee import SqliteDatabase

from index import settings
from index.model import JobKind, JobState
from index.queries import listing_work
from index.records import jobs
from webui import shapes
from webui.paging import decode_cursor, encode_cursor
from webui.refusals import Refusal
from webui.routes import API, Call, Reply, Route
from webui.shapes import iso_time, json_bytes, optional_time, path_bytes, tellable


def get_jobs(call: Call) -> shapes.JobList:
    query: shapes.JobQuery = call.query
    states = tuple(filter(None, query.state.split(",")))
    after = decode_cursor(query.cursor, "jobs", (int,))
    with call.store.read() as database:
        page = listing_work.jobs_page(database, states, query.kind, after, query.limit)
    return shapes.JobList(
        items=[job_shape(row) for row in page.items], next=encode_cursor("jobs", page.after), total=page.total
    )


def post_job(call: Call) -> Reply:
    body: shapes.NewJob = call.body
    parameters = taken_parameters(call, body.kind, body.parameters)

    def add(database: SqliteDatabase) -> dict[str, Any]:
        job_id = jobs.add(database, JobKind(body.kind), parameters, "user", call.services.now_ns())
        return jobs.read(database, job_id)

    row = call.store.write(add)
    location = f"{API}/jobs/{row['id']}"
    return Reply(json_bytes(job_shape(row)), "application/json", 202, {"Location": location})


def taken_parameters(call: Call, kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a job, checked, with the paths in them in the form that jobs keep. Raises UsageError."""
    jobs.check_parameters(kind, given)
    if kind == JobKind.DETECT and given.get("tolerance") is not None:
        _check_tolerance(call, given)
    if kind == JobKind.SORT:
        _check_groups(given.get("groups", []))
    lists = {name: value for name, value in given.items() if isinstance(value, list)}
    return given | {name: [os.fsdecode(path_bytes(path)) for path in paths] for name, paths in lists.items()}


def _check_groups(keys: list[str]) -> None:
    """Unlike paths they are text. Raises Refusal."""
    try:
        "".join(keys).encode()
    except UnicodeEncodeError as error:
        raise Refusal(400, "bad_request", "A text in it is no Unicode.", field="parameters.groups") from error


def _check_tolerance(call: Call, given: dict[str, Any]) -> None:
    """A tolerance is in bits of the hsize that is given, or else set. Raises UsageError."""
    hsize = given.get("hsize")
    if hsize is None:
        hsize = next(view.value for view in call.services.settings.views() if view.key == "detect.hsize")
    settings.check_tolerance(hsize, given["tolerance"])


def get_job(call: Call) -> shapes.Job:
    with call.store.read() as database:
        return job_shape(jobs.read(database, call.key))


def delete_job(call: Call) -> shapes.Job:
    def cancel(database: SqliteDatabase) -> dict[str, Any]:
        before = jobs.read(database, call.key)
        if before["state"] in jobs.ENDED and before["state"] != JobState.CANCELLED:
            raise Refusal(409, "job_ended", "This job has ended already; there is nothing to cancel.")
        jobs.request_cancel(database, call.key, call.services.now_ns())
        return jobs.read(database, call.key)

    return job_shape(call.store.write(cancel))


def job_shape(row: dict[str, Any]) -> shapes.Job:
    """A job row as it is answered."""
    left = (row["total"] or 0) - row["done"]
    running = row["state"] == JobState.RUNNING
    return shapes.Job(
        id=row["id"],
        kind=JobKind(row["kind"]),
        state=JobState(row["state"]),
        origin=row["origin"],
        parameters=tellable(json.loads(row["parameters"])),
        created=iso_time(row["created_ns"]),
        started=optional_time(row["started_ns"]),
        finished=optional_time(row["finished_ns"]),
        phase=row["phase"],
        done=row["done"],
        total=row["total"],
        rate=row["rate"] if running else None,
        left_s=math.ceil(left / row["rate"]) if running and row["rate"] and left > 0 else None,
        cancel_requested=bool(row["cancel_requested"]),
        outcome=tellable(json.loads(row["outcome"])),
        error=row["error"],
    )


ROUTES = (
    Route("GET", f"{API}/jobs", get_jobs, "Jobs, the newest first", "jobs", shapes.JobList, query=shapes.JobQuery),
    Route(
        "POST", f"{API}/jobs", post_job, "Ask for work; a job that waits already with the same parameters is given",
        "jobs", shapes.Job, status=202, body=shapes.NewJob, headers={"Location": "Where to follow the job"},
    ),
    Route("GET", f"{API}/jobs/{{id}}", get_job, "One job", "jobs", shapes.Job, key_type=int),
    Route(
        "DELETE", f"{API}/jobs/{{id}}", delete_job, "Ask a job to leave off", "jobs", shapes.Job,
        key_type=int, errors=(409,),
    ),
)  # fmt: skip
