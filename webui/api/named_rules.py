"""REST: rules that are stored under a name, and whether they run after each detection."""

from dataclasses import replace
from typing import Any

from msgspec import UNSET

from index.database.records import named_rules
from index.database.records.named_rules import NamedRule
from webui.api import rule_schemas
from webui.api.rules import read_rule
from webui.routes import API, Call, Reply, Route
from webui.schemas import json_safe


def get_rules(call: Call) -> rule_schemas.NamedRuleList:
    with call.store.read() as database:
        return rule_schemas.NamedRuleList(items=[_schema(named) for named in named_rules.all_rules(database)])


def post_rule(call: Call) -> rule_schemas.NamedRule:
    body: rule_schemas.NewNamedRule = call.body
    named = NamedRule(
        body.name, after_detection=body.after_detection, beyond_equal=body.beyond_equal, **_fields(body.rule, call)
    )
    return _schema(call.store.write(lambda db: named_rules.add(db, named)))


def patch_rule(call: Call) -> rule_schemas.NamedRule:
    body: rule_schemas.NamedRuleChange = call.body
    given = {"name": body.name, "after_detection": body.after_detection, "beyond_equal": body.beyond_equal}
    changes = {name: value for name, value in given.items() if value is not UNSET}
    if body.rule is not UNSET:
        changes |= _fields(body.rule, call)
    return _schema(call.store.write(lambda db: named_rules.change(db, call.key, changes)))


def delete_rule(call: Call) -> Reply:
    call.store.write(lambda db: named_rules.remove(db, call.key))
    return Reply(b"", "", 204)


def _fields(body: rule_schemas.Rule, call: Call) -> dict[str, Any]:
    rule, chosen = read_rule(body, call)
    # A rule without its own criteria follows the setting.
    if body.criteria is UNSET:
        rule = replace(rule, criteria=None)
    return {"rule": rule, "root_id": chosen.root_id, "path": chosen.path}


def _schema(named: NamedRule) -> rule_schemas.NamedRule:
    rule = named.rule
    fields: dict[str, Any] = {"choice": rule.choice, "kinds": list(rule.kinds)}
    fields["ties"] = "decide" if rule.decides_ties else "ask"
    if rule.criteria is not None:
        fields["criteria"] = list(rule.criteria)
    if rule.trashed_before:
        fields["trashed_before"] = True
    if rule.destination:
        fields["destination"] = rule.destination
    if rule.keep:
        fields["folders"] = {"keep": _text(rule.keep), "give_way": _text(rule.give_way)}
    if named.root_id is not None or named.path:
        fields["filter"] = {"root": named.root_id, "path": _text(named.path)}
    return rule_schemas.NamedRule(
        id=named.id,
        name=named.name,
        rule=json_safe(fields),
        after_detection=named.after_detection,
        beyond_equal=named.beyond_equal,
    )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


ROUTES = (
    Route("GET", f"{API}/named-rules", get_rules, "The named rules", "rules",
          rule_schemas.NamedRuleList),
    Route(
        "POST", f"{API}/named-rules", post_rule, "Store a rule under a name", "rules", rule_schemas.NamedRule,
        status=201, body=rule_schemas.NewNamedRule,
    ),
    Route(
        "PATCH", f"{API}/named-rules/{{id}}", patch_rule, "Change a named rule, or whether it runs after detections",
        "rules", rule_schemas.NamedRule, key_type=int, body=rule_schemas.NamedRuleChange,
    ),
    Route(
        "DELETE", f"{API}/named-rules/{{id}}", delete_rule, "Delete a named rule; its decisions stay",
        "rules", status=204,
        key_type=int,
    ),
)  # fmt: skip
