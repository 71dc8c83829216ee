"""Schedules, which are changed over REST and executed by the daemon's scheduler.

Schedules of comparimg.toml have the origin "file". If one is changed here, its origin becomes "user" permanently.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peewee import IntegrityError, SqliteDatabase

from index.database.records.jobs import check_parameters
from index.database.schema import Schedule
from index.errors import NotFound, UsageError
from index.model import JobKind
from index.triggers import parse_trigger


@dataclass(frozen=True, slots=True)
class NewSchedule:
    name: str
    kind: str
    trigger: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True

    def check(self) -> None:
        """Raises UsageError with the field that is wrong."""
        check_parameters(self.kind, self.parameters)
        parse_trigger(self.trigger)


def read(database: SqliteDatabase, schedule_id: int) -> dict[str, Any]:
    """One schedule's row. Raises NotFound."""
    for row in Schedule.select().where(Schedule.id == schedule_id).dicts().execute(database):
        return dict(row)
    raise NotFound("schedule.unknown", schedule=schedule_id)


def add(database: SqliteDatabase, new: NewSchedule, now_ns: int) -> int:
    """Insert a schedule and return its id. Its first run is at its first time after now. Raises UsageError."""
    try:
        return int(Schedule.insert(origin="user", last_run_ns=now_ns, **_values(new)).execute(database))
    except IntegrityError as error:
        raise _name_taken(new) from error


def replace(database: SqliteDatabase, schedule_id: int, new: NewSchedule, now_ns: int) -> None:
    """Replace a schedule. Runs that were missed under the old trigger, or while it was disabled, are skipped. Raises
    NotFound and UsageError."""
    read(database, schedule_id)
    try:
        changes = {"origin": "user", "last_run_ns": now_ns, **_values(new)}
        Schedule.update(**changes).where(Schedule.id == schedule_id).execute(database)
    except IntegrityError as error:
        raise _name_taken(new) from error


def remove(database: SqliteDatabase, schedule_id: int) -> None:
    """Delete a schedule. Raises NotFound, and UsageError for one that comparimg.toml would restore."""
    if read(database, schedule_id)["origin"] == "file":
        raise UsageError("schedule.configured")
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
    return UsageError("schedule.name_taken", name=new.name, field="name")
