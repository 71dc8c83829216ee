"""Settings that were changed while the service runs: rows of the table `setting`, with values as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from peewee import SqliteDatabase

from index.database.schema import Setting as Row
from index.errors import UsageError
from index.settings import BY_KEY, LIVE, check_tolerance, merge, setting


def read_overrides(database: SqliteDatabase) -> dict[str, Any]:
    """Every override, by its key. Rows of another version that this version does not accept are ignored."""
    overrides = {}
    for row in Row.select().order_by(Row.key).execute(database):
        definition = BY_KEY.get(row.key)
        if definition is None or not definition.live:
            continue
        try:
            overrides[row.key] = definition.check(json.loads(row.value))
        except (UsageError, ValueError):
            continue
    return overrides


def change_overrides(
    database: SqliteDatabase, configured: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Override settings, and return all overrides. None removes an override.

    `configured` has the values of the configuration by key. Either all changes are made or none: raises UsageError with
    the key as its field. A new hsize removes the override of the tolerance, which was meant for the old hsize.
    """
    overrides = read_overrides(database)
    if "detect.hsize" in changes and "detect.tolerance" not in changes:
        overrides.pop("detect.tolerance", None)
    for key, value in changes.items():
        definition = setting(key)
        if not definition.live:
            raise UsageError("setting.not_live", key=key, field=key)
        if value is None:
            overrides.pop(key, None)
        else:
            overrides[key] = definition.check(value)
    merged = merge(configured, overrides)
    check_tolerance(merged["detect.hsize"], merged["detect.tolerance"])
    Row.delete().where(Row.key.in_([definition.key for definition in LIVE])).execute(database)
    rows = [{"key": key, "value": json.dumps(value)} for key, value in sorted(overrides.items())]
    if rows:
        Row.insert_many(rows).execute(database)
    return overrides
