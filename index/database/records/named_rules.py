"""Rules that are stored under a name.

A rule may run after each detection, on the groups that are new or changed since its last run. If a person revokes its
decisions, it no longer runs automatically.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from peewee import IntegrityError, SqliteDatabase

from index.database.rule_schema import NamedRule as Row
from index.errors import NotFound, UsageError
from index.imaging.grouping.rules import Rule, described, rule_of
from index.model import Kind

EQUAL = frozenset({Kind.EXACT, Kind.PIXELS})


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule with a name, for groups with an image in a root or at a path, or for all groups. With `after_detection` it
    runs after each detection, on groups changed since `considered_ns`. If it decides on more than groups with equal
    pixels, that needs `beyond_equal`. `id` is 0 before it is stored."""

    name: str
    rule: Rule
    root_id: int | None = None
    path: bytes = b""
    after_detection: bool = False
    beyond_equal: bool = False
    id: int = 0
    considered_ns: int = 0


def all_rules(database: SqliteDatabase) -> list[NamedRule]:
    """The named rules, sorted by name."""
    return [_loaded(row) for row in Row.select().order_by(Row.name).execute(database)]


def find(database: SqliteDatabase, rule_id: int) -> NamedRule:
    """One named rule. Raises NotFound."""
    for row in Row.select().where(Row.id == rule_id).execute(database):
        return _loaded(row)
    raise NotFound("rule.unknown", rule=rule_id)


def add(database: SqliteDatabase, named: NamedRule) -> NamedRule:
    """Store a new rule. Raises UsageError if the name is taken, or for kinds that may not be decided unattended."""
    _check(named)
    try:
        rule_id = int(Row.insert(**_columns(named)).execute(database))
    except IntegrityError as error:
        raise UsageError("rule.name_taken", name=named.name, field="name") from error
    return replace(named, id=rule_id)


def change(database: SqliteDatabase, rule_id: int, changes: Mapping[str, Any]) -> NamedRule:
    """Change fields of a rule. If its rule changes, or it is switched on, it considers all groups once. Raises
    NotFound, and UsageError like `add`."""
    before = find(database, rule_id)
    named = replace(before, **changes)
    if named.rule != before.rule or (named.after_detection and not before.after_detection):
        named = replace(named, considered_ns=0)
    _check(named)
    try:
        Row.update(**_columns(named)).where(Row.id == rule_id).execute(database)
    except IntegrityError as error:
        raise UsageError("rule.name_taken", name=named.name, field="name") from error
    return named


def remove(database: SqliteDatabase, rule_id: int) -> None:
    """Remove a rule; its decisions stay. Raises NotFound."""
    if not Row.delete().where(Row.id == rule_id).execute(database):
        raise NotFound("rule.unknown", rule=rule_id)


def stop_running(database: SqliteDatabase, name: str) -> None:
    """Stop running the rule with this name after each detection."""
    Row.update(after_detection=False).where(Row.name == name).execute(database)


def set_considered(database: SqliteDatabase, rule_id: int, until_ns: int) -> None:
    Row.update(considered_ns=until_ns).where(Row.id == rule_id).execute(database)


def _check(named: NamedRule) -> None:
    if named.after_detection and not named.beyond_equal and not EQUAL.issuperset(named.rule.kinds):
        raise UsageError("rule.beyond_equal", field="beyond_equal")


def _columns(named: NamedRule) -> dict[str, Any]:
    path = named.path.decode("utf-8", "surrogateescape")
    return {
        "name": named.name,
        "rule": json.dumps({**described(named.rule), "root": named.root_id, "path": path}, sort_keys=True),
        "after_detection": named.after_detection,
        "beyond_equal": named.beyond_equal,
        "considered_ns": named.considered_ns,
    }


def _loaded(row: Row) -> NamedRule:
    fields = json.loads(row.rule)
    root_id, path = fields.pop("root"), fields.pop("path").encode("utf-8", "surrogateescape")
    return NamedRule(
        row.name, rule_of(fields), root_id, path, row.after_detection, row.beyond_equal, row.id, row.considered_ns
    )
