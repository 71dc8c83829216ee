"""How long the machine has been on, to confirm that a file in the trash is as old as the wall clock says.

A wall clock can be set, and a machine without a battery starts in 1970. The time since boot cannot be set. It is added
up here over all boots, and a file is old enough to be deleted only if both clocks agree. The total never exceeds the
time that really passed. It does not include the time between two boots, nor the part of a boot before the index was
used: the machine may have been off, its clock wrong, or the index copied from another machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.database.journal_schema import TrashUptime, Uptime
from index.database.records.images import chunks
from index.database.records.trash_items import ItemState

ROW_ID = 1


@dataclass(frozen=True, slots=True)
class BootTime:
    """Nanoseconds since boot, including suspend (CLOCK_BOOTTIME), and the id of this boot."""

    boot: str
    elapsed_ns: int


def total_ns(database: SqliteDatabase, now: BootTime) -> int:
    """The total time in nanoseconds: the recorded time, plus the time since then if it was recorded in this boot."""
    for row in Uptime.select().execute(database):
        since_ns = now.elapsed_ns - row.boottime_ns if row.boot == now.boot else 0
        return int(row.total_ns) + max(0, since_ns)
    return 0


def record(database: SqliteDatabase, now: BootTime) -> int:
    """Add the time since the last record, and start counting the age of new items in the trash.

    `now` must have been read after these items were put there. Returns the total in nanoseconds.
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
    """The minimum time that each of these items has been in the trash, in nanoseconds, by id."""
    total = total_ns(database, now)
    wanted = list(item_ids)
    ages = dict.fromkeys(wanted, 0)
    for chunk in chunks(wanted):
        rows = TrashUptime.select().where(TrashUptime.item.in_(chunk)).tuples().execute(database)
        ages.update((item_id, max(0, total - since_ns)) for item_id, since_ns in rows)
    return ages
