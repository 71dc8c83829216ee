"""REST: preview and apply rules; list and revoke rule runs."""

import json
import os
from typing import Any

import msgspec
from msgspec import UNSET
from peewee import SqliteDatabase

from index.database.queries import rule_application
from index.database.queries.group_filter import GroupFilter
from index.database.queries.rule_application import Effect
from index.database.records import jobs, rule_runs
from index.database.records.jobs import RuleParameters
from index.errors import UsageError
from index.imaging.grouping.keeper import CRITERIA
from index.imaging.grouping.rules import USUAL_KINDS, Rule, described
from index.model import Choice, JobKind, Kind
from webui.api import job_schemas, rule_schemas
from webui.api.decisions import check_destination
from webui.api.jobs import job_schema
from webui.http_errors import HttpError
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import ListQuery, iso_time, json_bytes, json_safe, path_bytes, path_text


def post_preview(call: Call) -> rule_schemas.RuleEffect:
    rule, chosen = _rule(call)
    with call.store.read() as database:
        return _schema(rule_application.preview(database, rule, chosen, call.gone))


def post_apply(call: Call) -> rule_schemas.RuleEffect:
    rule, chosen = _rule(call)
    with call.store.read() as database:
        if rule_application.is_for_a_job(database, rule, chosen):
            raise HttpError(409, "for_a_job", "rule.for_a_job", n=rule_application.ANSWERED_AT_ONCE)
    return _schema(rule_application.apply(call.store.write, rule, chosen, call.services.now_ns()))


def post_rule_job(call: Call) -> Reply:
    body: rule_schemas.RuleJob = call.body
    rule, chosen = _rule(call)
    parameters = RuleParameters(described(rule), chosen.root_id, os.fsdecode(chosen.path), body.dry_run)

    def add(database: SqliteDatabase) -> dict[str, Any]:
        plain = msgspec.to_builtins(parameters)
        return jobs.read(database, jobs.add(database, JobKind.RULE, plain, "user", call.services.now_ns()))

    row = call.store.write(add)
    location = f"{API}/jobs/{row['id']}"
    return Reply(json_bytes(job_schema(row, call.language)), "application/json", 202, {"Location": location})


def get_rule_runs(call: Call) -> rule_schemas.RuleRunList:
    query: ListQuery = call.query
    before = decode_cursor(query.cursor, "orders", (int,))
    with call.store.read() as database:
        runs, total = rule_runs.page(database, None if before is None else before[0], query.limit + 1)
    shown = runs[: query.limit]
    return rule_schemas.RuleRunList(
        items=[
            rule_schemas.RuleRun(
                id=run.id,
                created=iso_time(run.created_ns),
                rule=json_safe(json.loads(run.rule)),
                groups=run.groups,
                images=run.images,
                bytes=run.bytes,
                open=run.pending,
            )
            for run in shown
        ],
        next=encode_cursor("orders", (shown[-1].id,)) if len(runs) > len(shown) else None,
        total=total,
    )


def delete_rule_run(call: Call) -> rule_schemas.RuleRunRevoked:
    return rule_schemas.RuleRunRevoked(decisions=rule_runs.revoke(call.store.write, call.key))


def _rule(call: Call) -> tuple[Rule, GroupFilter]:
    """The rule in a request, and the selection of groups for it. Raises UsageError."""
    return read_rule(call.body, call)


def read_rule(body: rule_schemas.Rule, call: Call) -> tuple[Rule, GroupFilter]:
    """A rule, and the selection of groups for it. Raises UsageError."""
    criteria = tuple(call.services.keeper_criteria()) if body.criteria is UNSET else tuple(body.criteria)
    unknown = [name for name in criteria if name not in CRITERIA]
    if unknown or len(set(criteria)) < len(criteria):
        accepted = ", ".join(CRITERIA)
        if unknown:
            raise UsageError("rule.unknown_criterion", name=unknown[0], accepted=accepted, field="criteria")
        raise UsageError("rule.criterion_twice", accepted=accepted, field="criteria")
    destination = check_destination(body.choice, body.destination, call.services.destinations(), "destination")
    folders = body.folders
    keep, give_way = (b"", b"") if folders is None else (path_bytes(folders.keep), path_bytes(folders.give_way))
    if folders is not None and not (keep.startswith(b"/") and give_way.startswith(b"/")):
        raise UsageError("rule.relative_folder", field="folders")
    if folders is not None and keep.rstrip(b"/") == give_way.rstrip(b"/"):
        raise UsageError("rule.same_folder", field="folders")
    rule = Rule(
        choice=Choice(body.choice),
        destination=destination,
        criteria=criteria,
        kinds=USUAL_KINDS if body.kinds is UNSET else tuple(dict.fromkeys(Kind(kind) for kind in body.kinds)),
        decides_ties=body.ties == "decide",
        keep=keep,
        give_way=give_way,
        trashed_before=body.trashed_before,
    )
    selection = body.filter
    if selection is None:
        return rule, GroupFilter()
    return rule, GroupFilter(root_id=selection.root, path=path_bytes(selection.path))


def _schema(effect: Effect) -> rule_schemas.RuleEffect:
    def image(id_and_path: tuple[int, bytes]) -> rule_schemas.SampleImage:
        return rule_schemas.SampleImage(id=id_and_path[0], path=path_text(id_and_path[1]))

    return rule_schemas.RuleEffect(
        groups=effect.groups,
        images=effect.images,
        bytes=effect.bytes,
        undecided_ties=effect.undecided_ties,
        by_criterion=dict(effect.by_criterion),
        sample=[
            rule_schemas.Sample(
                group=sampled.key,
                keeper=image(sampled.keeper),
                victims=[image(victim) for victim in sampled.victims],
                decided_by=sampled.decided_by,
                value=sampled.value,
            )
            for sampled in effect.sample
        ],
        selected=effect.selected,
        looked_at=effect.looked_at,
        order=effect.run_id or None,
    )


ROUTES = (
    Route(
        "POST", f"{API}/rules/preview", post_preview, "Preview a rule", "rules", rule_schemas.RuleEffect,
        body=rule_schemas.Rule,
    ),
    Route(
        "POST", f"{API}/rules/apply", post_apply, "Decide by a rule", "rules", rule_schemas.RuleEffect,
        body=rule_schemas.Rule, errors=(409,),
    ),
    Route(
        "POST", f"{API}/rules/jobs", post_rule_job, "Queue a job that decides by a rule, or only counts", "rules",
        job_schemas.Job, status=202, body=rule_schemas.RuleJob, headers={"Location": "Where to follow the job"},
    ),
    Route(
        "GET", f"{API}/orders", get_rule_runs, "The applied rules, newest first", "rules",
        rule_schemas.RuleRunList, query=ListQuery,
    ),
    Route(
        "DELETE", f"{API}/orders/{{id}}", delete_rule_run, "Revoke the decisions of a rule that are not applied yet",
        "rules", rule_schemas.RuleRunRevoked, key_type=int,
    ),
)  # fmt: skip
