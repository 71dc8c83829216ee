"""What the index knows of the trashes: every file put there, where it came from, and whether it still is there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from peewee import SqliteDatabase, fn

from index.errors import NotFound
from index.images.trash_places import WayBack, home_of, is_in_trash, way_back, way_back_adopted
from index.images.walk import is_at_or_below
from index.records import trash_homes
from index.records.catalogue import chunks
from index.records.listing_pages import Page, cut_page
from index.schema import TrashItem


class ItemState(StrEnum):
    """`gone`: somebody took it out by hand."""

    IN_TRASH = "in_trash"
    RESTORED = "restored"
    EMPTIED = "emptied"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Item:
    """One file put in the trash: `place` is where it lies, `path` where it came from.

    `adopted`: only a manifest tells of it, which anybody may have written. Where that says that it came from outside
    the folder that holds the trash, `elsewhere` is the place there that it may be restored to, after a question.
    """

    place: bytes
    path: bytes
    inode: int
    size_bytes: int
    mtime_ns: int
    digest: bytes
    trashed_ns: int
    batch_id: int | None = None
    step_id: int | None = None
    state: ItemState = ItemState.IN_TRASH
    id: int = 0
    adopted: bool = False
    elsewhere: bytes = b""


FIELDS = tuple(name for name in Item.__slots__ if name != "id")
TOLD_BY_MANIFEST = ("path", "inode", "size_bytes", "mtime_ns", "digest", "trashed_ns", "elsewhere")


def add(database: SqliteDatabase, items: Iterable[Item]) -> None:
    """Keep items; one whose place is known already is told anew."""
    homes = set()
    for some in chunks(items, 60):
        rows = [{name: getattr(item, name) for name in FIELDS} for item in some]
        TrashItem.insert_many(rows).on_conflict(
            conflict_target=[TrashItem.place],
            preserve=[getattr(TrashItem, name) for name in FIELDS if name != "place"],
        ).execute(database)
        homes |= {home_of(item.place) for item in some if is_in_trash(item.place)}
    trash_homes.note(database, homes)


def adopt(database: SqliteDatabase, items: Iterable[Item]) -> int:
    """Keep items that a manifest tells of; how many of them were not known, or taken for gone. What the index knows
    by itself stays as it is."""
    found = 0
    for some in chunks(items, 60):
        rows = [{name: getattr(item, name) for name in FIELDS} for item in some]
        places = TrashItem.place.in_([item.place for item in some])
        found += TrashItem.update(state=ItemState.IN_TRASH).where(places, TrashItem.state == ItemState.GONE).execute(
            database
        )
        known = TrashItem.select().where(places).count(database)
        TrashItem.insert_many(rows).on_conflict(
            conflict_target=[TrashItem.place],
            preserve=[getattr(TrashItem, name) for name in TOLD_BY_MANIFEST],
            where=TrashItem.adopted,
        ).execute(database)
        found += len(some) - known
    return found


def gone(database: SqliteDatabase) -> list[bytes]:
    """The places from which somebody took a file by hand."""
    rows = TrashItem.select(TrashItem.place).where(TrashItem.state == ItemState.GONE).tuples().execute(database)
    return [bytes(place) for (place,) in rows]


def set_state(database: SqliteDatabase, places: Iterable[bytes], state: ItemState) -> None:
    for some in chunks(places):
        TrashItem.update(state=state).where(TrashItem.place.in_(some)).execute(database)


def item(database: SqliteDatabase, item_id: int) -> Item:
    """One item. Raises NotFound."""
    for row in TrashItem.select().where(TrashItem.id == item_id).dicts().execute(database):
        return _item(row)
    raise NotFound(f"There is no item {item_id} in the trash.")


def item_at(database: SqliteDatabase, place: bytes) -> Item | None:
    for row in TrashItem.select().where(TrashItem.place == place).dicts().execute(database):
        return _item(row)
    return None


def way_back_of(one: Item, folders: Iterable[bytes]) -> WayBack:
    """Where an item is restored to, and whether only after a question; `folders` are those in use now."""
    if one.adopted:
        return way_back_adopted(one.place, one.path, one.elsewhere)
    return way_back(one.path, any(is_at_or_below(one.path, folder) for folder in folders))


def with_digest(database: SqliteDatabase, digest: bytes, path: bytes) -> Item | None:
    """What the index itself put in the trash with this content from this path, the newest of several."""
    query = TrashItem.select().where(TrashItem.digest == digest, TrashItem.path == path, ~TrashItem.adopted)
    there = query.where(TrashItem.state == ItemState.IN_TRASH).order_by(TrashItem.id.desc()).limit(1)
    return next((_item(row) for row in there.dicts().execute(database)), None)


def in_trash(database: SqliteDatabase, before_ns: int | None = None, ids: Sequence[int] = ()) -> list[Item]:
    """The items in the trash, the oldest first: all, those put there before a moment, or those named."""
    query = TrashItem.select().where(TrashItem.state == ItemState.IN_TRASH).order_by(TrashItem.trashed_ns, TrashItem.id)
    if before_ns is not None:
        query = query.where(TrashItem.trashed_ns < before_ns)
    if ids:
        query = query.where(TrashItem.id.in_(list(ids)))
    return [_item(row) for row in query.dicts().execute(database)]


def page(
    database: SqliteDatabase, states: Sequence[str], after: tuple[Any, ...] | None, limit: int, item_id: int = 0
) -> tuple[Page[Item], int]:
    """Items in these states, or one of them, the newest first, and how many bytes they are in all."""
    wanted = TrashItem.state.in_(states)
    if item_id:
        wanted &= TrashItem.id == item_id
    chosen = TrashItem.select().where(wanted)
    total, size = (
        TrashItem.select(fn.count(TrashItem.id), fn.coalesce(fn.sum(TrashItem.size_bytes), 0))
        .where(wanted)
        .tuples()
        .execute(database)[0]
    )
    if after is not None:
        trashed_ns, item_id = after
        chosen = chosen.where(
            (TrashItem.trashed_ns < trashed_ns) | ((TrashItem.trashed_ns == trashed_ns) & (TrashItem.id < item_id))
        )
    rows = chosen.order_by(TrashItem.trashed_ns.desc(), TrashItem.id.desc()).limit(limit + 1).dicts()
    items = [_item(row) for row in rows.execute(database)]
    return cut_page(items, limit, total, lambda one: (one.trashed_ns, one.id)), size


def _item(row: dict[str, Any]) -> Item:
    blobs = {name: bytes(row[name]) for name in ("place", "path", "digest", "elsewhere")}
    return Item(**{**row, **blobs, "state": ItemState(row["state"])})
