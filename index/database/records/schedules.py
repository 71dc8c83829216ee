"""Schedules as the user makes them over REST: rows that the daemon's clock obeys.

Those of comparimg.toml have the origin "file". One that is changed here becomes the user's own and stays so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peewee import IntegrityError, SqliteDatabase

from index.errors import NotFound, UsageError
from index.model import JobKind
from index.records.jobs import check_parameters
from index.schema import Schedule
from index.triggers import parse_trigger


@dataclass(frozen=True, slots=True)
class NewSchedule:
    name: str
    kind: str
    trigger: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True

    def check(self) -> None:
        """Raises UsageError naming the field that is wrong."""
        check_parameters(self.kind, self.parameters)
        parse_trigger(self.trigger)


def read(database: SqliteDatabase, schedule_id: int) -> dict[str, Any]:
    """One schedule's row. Raises NotFound."""
    for row in Schedule.select().where(Schedule.id == schedule_id).dicts().execute(database):
        return dict(row)
    raise NotFound(f"There is no schedule {schedule_id}.")


def add(database: SqliteDatabase, new: NewSchedule, now_ns: int) -> int:
    """Keep a new schedule and give its id. Its first run is the first time due after now. Raises UsageError."""
    try:
        return int(Schedule.insert(origin="user", last_run_ns=now_ns, **_values(new)).execute(database))
    except IntegrityError as error:
        raise _name_taken(new) from error


def replace(database: SqliteDatabase, schedule_id: int, new: NewSchedule, now_ns: int) -> None:
    """Make a schedule what is given. What came due under the old trigger or while disabled is not made up for."""
    read(database, schedule_id)
    try:
        changes = {"origin": "user", "last_run_ns": now_ns, **_values(new)}
        Schedule.update(**changes).where(Schedule.id == schedule_id).execute(database)
    except IntegrityError as error:
        raise _name_taken(new) from error


def remove(database: SqliteDatabase, schedule_id: int) -> None:
    """Drop a schedule. Raises NotFound, and UsageError for one that comparimg.toml would bring back."""
    if read(database, schedule_id)["origin"] == "file":
        raise UsageError("This schedule stands in comparimg.toml.", "Remove it there, or switch it off here.")
    Schedule.delete().where(Schedule.id == schedule_id).execute(database)


def _values(new: NewSchedule) -> dict[str, Any]:
    return {
        "name": new.name,
        "kind": JobKind(new.kind),
        "parameters": json.dumps(dict(new.parameters), sort_keys=True),
        "trigger": new.trigger,
        "enabled": new.enabled,
    }


def _name_taken(new: NewSchedule) -> UsageError:
    return UsageError(f"There is a schedule {new.name!r} already.", "Choose another name.", field="name")
