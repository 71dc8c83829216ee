"""REST: decide on many groups at once, clear the decisions on them, and preview either."""

import os
from typing import Any

import msgspec
from peewee import SqliteDatabase

from index.database.queries import bulk_clearing, bulk_decisions, rule_application
from index.database.queries.bulk_decisions import BulkEffect, BulkRequest
from index.database.queries.group_filter import GroupFilter
from index.database.records import cleared_decisions, jobs, verdicts
from index.database.records.jobs import DecideParameters, GroupSelection
from index.model import JobKind
from webui.api import bulk_schemas, group_schemas, job_schemas
from webui.api.decisions import check_destination
from webui.api.groups import group_filter
from webui.api.jobs import job_schema
from webui.http_errors import HttpError
from webui.routes import API, Call, Reply, Route
from webui.schemas import json_bytes

CLEAR = "clear"


def post_bulk_preview(call: Call) -> bulk_schemas.BulkEffect:
    request = _request(call)
    with call.store.read() as database:
        if request.action == CLEAR:
            return _schema(bulk_clearing.preview(database, request.chosen, request.keys))
        effect = bulk_decisions.preview(database, request, call.gone)
        return _schema(effect, bulk_decisions.is_for_a_job(request, effect.selected))


def post_bulk_apply(call: Call) -> bulk_schemas.BulkEffect:
    request, now_ns = _request(call), call.services.now_ns()
    if request.action == CLEAR:
        return _schema(bulk_clearing.apply(call.store.write, request.chosen, request.keys, now_ns))
    with call.store.read() as database:
        selected = sum(map(len, bulk_decisions.portions(database, request)))
    if bulk_decisions.is_for_a_job(request, selected):
        raise HttpError(409, "for_a_job", "decision.for_a_job", n=rule_application.ANSWERED_AT_ONCE)
    return _schema(bulk_decisions.apply(call.store.write, request, now_ns))


def post_decision_job(call: Call) -> Reply:
    body: bulk_schemas.DecisionJob = call.body
    destination = check_destination(body.action, body.destination, call.services.destinations(), "destination")
    parameters = DecideParameters(
        body.action,
        _selection(group_filter(call.query)),
        list(call.services.keeper_criteria()),
        destination,
        verdicts.new_batch() if body.action in bulk_decisions.DENIALS and not body.dry_run else "",
        body.dry_run,
    )

    def add(database: SqliteDatabase) -> dict[str, Any]:
        plain = msgspec.to_builtins(parameters)
        return jobs.read(database, jobs.add(database, JobKind.DECIDE, plain, "user", call.services.now_ns()))

    row = call.store.write(add)
    location = f"{API}/jobs/{row['id']}"
    return Reply(json_bytes(job_schema(row, call.language)), "application/json", 202, {"Location": location})


def delete_clearing(call: Call) -> Reply:
    cleared_decisions.put_back(call.store.write, call.key)
    return Reply(b"", "", 204)


def _request(call: Call) -> BulkRequest:
    body: bulk_schemas.BulkDecision = call.body
    destination = check_destination(body.action, body.destination, call.services.destinations(), "destination")
    return BulkRequest(
        body.action,
        group_filter(call.query),
        body.groups or None,
        tuple(call.services.keeper_criteria()),
        destination,
    )


def _selection(chosen: GroupFilter) -> GroupSelection:
    return GroupSelection(
        list(chosen.kinds),
        chosen.root_id,
        os.fsdecode(chosen.path),
        chosen.min_images,
        list(chosen.decided),
        chosen.search,
        chosen.scenes,
        chosen.taken_from,
        chosen.taken_until,
    )


def _schema(effect: BulkEffect, for_a_job: bool = False) -> bulk_schemas.BulkEffect:
    return bulk_schemas.BulkEffect(
        groups=effect.groups,
        images=effect.images,
        bytes=effect.bytes,
        left_open=effect.left_open,
        kinds=dict(effect.kinds),
        order=effect.run_id or None,
        batch=effect.batch or None,
        clearing=effect.clearing or None,
        selected=effect.selected,
        looked_at=effect.looked_at,
        for_a_job=for_a_job,
    )


ROUTES = (
    Route(
        "POST", f"{API}/decisions/preview", post_bulk_preview, "Preview a decision on many groups",
        "decisions", bulk_schemas.BulkEffect, query=group_schemas.GroupChoice, body=bulk_schemas.BulkDecision,
        errors=(404,),
    ),
    Route(
        "POST", f"{API}/decisions/apply", post_bulk_apply, "Decide on many groups at once", "decisions",
        bulk_schemas.BulkEffect, query=group_schemas.GroupChoice, body=bulk_schemas.BulkDecision,
        errors=(404, 409),
    ),
    Route(
        "POST", f"{API}/decisions/jobs", post_decision_job, "Queue a job that decides on many groups, or only counts",
        "decisions", job_schemas.Job, status=202, query=group_schemas.GroupChoice, body=bulk_schemas.DecisionJob,
        headers={"Location": "Where to follow the job"},
    ),
    Route(
        "DELETE", f"{API}/decisions/cleared/{{id}}", delete_clearing,
        "Restore the decisions that one request cleared; newer decisions stay", "decisions", status=204,
        key_type=int,
    ),
)  # fmt: skip
