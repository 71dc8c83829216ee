"""Watched folders and destinations that were added or changed while the service runs.

They are two rows of the table `setting`: `watch` and `sort.destinations`, as JSON with surrogate-escaped paths. Entries
of another version that this version does not accept are ignored one by one.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from peewee import SqliteDatabase

from index.database.schema import Setting as Row
from index.errors import UsageError
from index.settings import setting

ROOTS: Final = "watch"
DESTINATIONS: Final = "sort.destinations"
# The properties of a watched folder, named like the keys in its section of the configuration.
ROOT_KEYS: Final = ("recursive", "exclude", "protected", "priority", "mode")


@dataclass(frozen=True, slots=True)
class RootOverride:
    """What was set for a watched folder. `added` is true for a folder that is not in the configuration file. `values`
    are those of ROOT_KEYS that were set; they are checked."""

    added: bool
    values: Mapping[str, Any]


def read_roots(database: SqliteDatabase) -> dict[bytes, RootOverride]:
    """Every override, by the path of its folder."""
    overrides = {}
    for path, entry in _read(database, ROOTS).items():
        try:
            given = {key: value for key, value in entry["values"].items() if key in ROOT_KEYS}
            overrides[os.fsencode(path)] = RootOverride(bool(entry["added"]), checked_values(given))
        except (UsageError, KeyError, TypeError, AttributeError, ValueError):
            continue
    return overrides


def write_roots(database: SqliteDatabase, overrides: Mapping[bytes, RootOverride]) -> None:
    """Replace every override. An override of a configured folder that sets nothing is dropped."""
    rows = {
        os.fsdecode(path): {"added": override.added, "values": dict(override.values)}
        for path, override in sorted(overrides.items())
        if override.added or override.values
    }
    _write(database, ROOTS, rows)


def read_destinations(database: SqliteDatabase) -> dict[str, bytes]:
    """The added destinations, by name."""
    try:
        given = setting(DESTINATIONS).check(_read(database, DESTINATIONS))
        return {name: os.fsencode(path) for name, path in given.items()}
    except (UsageError, ValueError):
        return {}


def write_destinations(database: SqliteDatabase, destinations: Mapping[str, bytes]) -> None:
    """Replace the added destinations. Raises UsageError for a name that is not accepted."""
    given = {name: os.fsdecode(path) for name, path in sorted(destinations.items())}
    _write(database, DESTINATIONS, setting(DESTINATIONS).check(given))


def checked_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of ROOT_KEYS in the form in which they are stored. Raises UsageError with the key as its field."""
    checked = {}
    for key, value in values.items():
        try:
            checked[key] = setting(f"watch.{key}").check(value)
        except UsageError as error:
            raise UsageError(error.message, hint=error.hint, field=key) from error
    return checked


def _read(database: SqliteDatabase, key: str) -> dict[str, Any]:
    for (value,) in Row.select(Row.value).where(Row.key == key).tuples().execute(database):
        try:
            rows = json.loads(value)
        except ValueError:
            return {}
        return rows if isinstance(rows, dict) else {}
    return {}


def _write(database: SqliteDatabase, key: str, rows: Mapping[str, Any]) -> None:
    Row.delete().where(Row.key == key).execute(database)
    if rows:
        Row.insert(key=key, value=json.dumps(rows)).execute(database)
