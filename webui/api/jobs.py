"""REST: queue, list and cancel jobs."""

import json
import math
from typing import Any

from peewee import SqliteDatabase

from index import messages, settings
from index.database.queries import job_listing
from index.database.records import jobs
from index.model import JobKind, JobState
from webui.api import job_schemas
from webui.api.job_folders import checked_paths
from webui.http_errors import HttpError
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, json_bytes, json_safe, optional_time


def get_jobs(call: Call) -> job_schemas.JobList:
    query: job_schemas.JobQuery = call.query
    states = tuple(filter(None, query.state.split(",")))
    after = decode_cursor(query.cursor, "jobs", (int,))
    with call.store.read() as database:
        page = job_listing.jobs_page(database, states, query.kind, after, query.limit, query.plans == "with")
    return job_schemas.JobList(
        items=[job_schema(row, call.language) for row in page.items],
        next=encode_cursor("jobs", page.after),
        total=page.total,
    )


def post_job(call: Call) -> Reply:
    body: job_schemas.NewJob = call.body
    parameters = checked_parameters(call, body.kind, body.parameters)

    def add(database: SqliteDatabase) -> dict[str, Any]:
        job_id = jobs.add(database, JobKind(body.kind), parameters, "user", call.services.now_ns())
        return jobs.read(database, job_id)

    row = call.store.write(add)
    location = f"{API}/jobs/{row['id']}"
    return Reply(json_bytes(job_schema(row, call.language)), "application/json", 202, {"Location": location})


def checked_parameters(call: Call, kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The checked parameters of a job, with paths in the form that jobs store. Raises UsageError and HttpError."""
    jobs.check_parameters(kind, given)
    if kind == JobKind.DETECT and given.get("tolerance") is not None:
        _check_tolerance(call, given)
    if kind == JobKind.SORT:
        _check_groups(given.get("groups", []))
    with call.store.read() as database:
        return given | checked_paths(database, JobKind(kind), given)


def _check_groups(keys: list[str]) -> None:
    """Raises HttpError for group keys with lone surrogates, which are accepted in paths only."""
    try:
        "".join(keys).encode()
    except UnicodeEncodeError as error:
        raise HttpError(400, "bad_request", "rest.no_unicode", field="parameters.groups") from error


def _check_tolerance(call: Call, given: dict[str, Any]) -> None:
    """Check a tolerance against the hsize in the parameters, or else that of the settings. Raises UsageError."""
    hsize = given.get("hsize")
    if hsize is None:
        hsize = next(
            setting.value for setting in call.services.settings.all_settings() if setting.key == "detect.hsize"
        )
    settings.check_tolerance(hsize, given["tolerance"])


def get_job(call: Call) -> job_schemas.Job:
    with call.store.read() as database:
        return job_schema(jobs.read(database, call.key), call.language)


def delete_job(call: Call) -> job_schemas.Job:
    def cancel(database: SqliteDatabase) -> dict[str, Any]:
        before = jobs.read(database, call.key)
        if before["state"] in jobs.ENDED and before["state"] != JobState.CANCELLED:
            raise HttpError(409, "job_ended", "rest.job_ended")
        jobs.request_cancel(database, call.key, call.services.now_ns())
        return jobs.read(database, call.key)

    return job_schema(call.store.write(cancel), call.language)


def job_schema(row: dict[str, Any], language: str) -> job_schemas.Job:
    """The schema of a job, with sentences in a language."""
    left = (row["total"] or 0) - row["done"]
    running = row["state"] == JobState.RUNNING
    return job_schemas.Job(
        id=row["id"],
        kind=JobKind(row["kind"]),
        state=JobState(row["state"]),
        origin=row["origin"],
        parameters=json_safe(json.loads(row["parameters"])),
        created=iso_time(row["created_ns"]),
        started=optional_time(row["started_ns"]),
        finished=optional_time(row["finished_ns"]),
        phase=row["phase"],
        done=row["done"],
        total=row["total"],
        rate=row["rate"] if running else None,
        left_s=math.ceil(left / row["rate"]) if running and row["rate"] and left > 0 else None,
        cancel_requested=bool(row["cancel_requested"]),
        outcome=json_safe(_in_words(json.loads(row["outcome"]), language)),
        **messages.fields("error", row["error"], language, nothing=""),
    )


def _in_words(outcome: dict[str, Any], language: str) -> dict[str, Any]:
    """An outcome in which the questions to be confirmed are sentences."""
    asked = outcome.get("unconfirmed")
    return {**outcome, "unconfirmed": messages.sentences(asked, language)} if asked else outcome


ROUTES = (
    Route(
        "GET", f"{API}/jobs", get_jobs, "Jobs, newest first", "jobs", job_schemas.JobList,
        query=job_schemas.JobQuery,
    ),
    Route(
        "POST", f"{API}/jobs", post_job, "Queue a job, or return the one that is already queued with these parameters",
        "jobs", job_schemas.Job, status=202, body=job_schemas.NewJob, headers={"Location": "Where to follow the job"},
    ),
    Route("GET", f"{API}/jobs/{{id}}", get_job, "One job", "jobs", job_schemas.Job, key_type=int),
    Route(
        "DELETE", f"{API}/jobs/{{id}}", delete_job, "Cancel a job", "jobs", job_schemas.Job,
        key_type=int, errors=(409,),
    ),
)  # fmt: skip
