"""How long the machine has been on: the proof that a file in the trash is as old as the wall clock says.

A wall clock can be set, and a machine without a battery starts in 1970. The time since a boot cannot: it is added up
here over all boots, and a file is old enough to be deleted only if both agree. What is added up is never more than the
time that passed. Not counted are the time between two boots and the part of a boot in which the index was not used
before: the machine may have been off, its clock wrong, or the index copied from another machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.records.catalogue import chunks
from index.records.trash_items import ItemState
from index.schema import TrashUptime, Uptime

ROW_ID = 1


@dataclass(frozen=True, slots=True)
class BootTime:
    """Nanoseconds since the machine started, those asleep included (CLOCK_BOOTTIME), and which start that was."""

    boot: str
    elapsed_ns: int


def total_ns(database: SqliteDatabase, now: BootTime) -> int:
    """The recorded time in nanoseconds, up to now where the last record is of the same boot."""
    for row in Uptime.select().execute(database):
        since_ns = now.elapsed_ns - row.boottime_ns if row.boot == now.boot else 0
        return int(row.total_ns) + max(0, since_ns)
    return 0


def record(database: SqliteDatabase, now: BootTime) -> int:
    """Add the time since the last record, and count the age of what came into the trash meanwhile from now on.

    `now` must have been read after those files were put there. Returns the total in nanoseconds.
    """
    total = total_ns(database, now)
    values = {"id": ROW_ID, "boot": now.boot, "boottime_ns": now.elapsed_ns, "total_ns": total}
    Uptime.insert(**values).on_conflict_replace().execute(database)
    database.execute_sql(
        "INSERT INTO trash_uptime (item_id, total_ns) SELECT id, ? FROM trash_item"
        " WHERE state = ? AND id NOT IN (SELECT item_id FROM trash_uptime)",
        (total, ItemState.IN_TRASH.value),
    )
    return total


def ages_ns(database: SqliteDatabase, item_ids: Iterable[int], now: BootTime) -> dict[int, int]:
    """For how many nanoseconds at least each of these items has been in the trash, by its id."""
    total = total_ns(database, now)
    wanted = list(item_ids)
    ages = dict.fromkeys(wanted, 0)
    for some in chunks(wanted):
        rows = TrashUptime.select().where(TrashUptime.item.in_(some)).tuples().execute(database)
        ages.update((item_id, max(0, total - since_ns)) for item_id, since_ns in rows)
    return ages
