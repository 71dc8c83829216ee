"""What the index knows of the trashes: every file put there, where it came from, and whether it still is there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from peewee import SqliteDatabase, fn

from index.errors import NotFound
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
    """One file put in the trash: `place` is where it lies, `path` where it came from."""

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


FIELDS = tuple(name for name in Item.__slots__ if name != "id")


def add(database: SqliteDatabase, items: Iterable[Item]) -> None:
    """Keep items; one whose place is known already is told anew."""
    for some in chunks(items, 80):
        rows = [{name: getattr(item, name) for name in FIELDS} for item in some]
        TrashItem.insert_many(rows).on_conflict(
            conflict_target=[TrashItem.place],
            preserve=[getattr(TrashItem, name) for name in FIELDS if name != "place"],
        ).execute(database)


def add_found(database: SqliteDatabase, items: Iterable[Item]) -> int:
    """Keep items that were found in a trash and are not known, or taken for gone; how many those were."""
    found = 0
    for some in chunks(items, 80):
        rows = [{name: getattr(item, name) for name in FIELDS} for item in some]
        places = TrashItem.place.in_([item.place for item in some])
        away = TrashItem.state == ItemState.GONE
        found += TrashItem.update(state=ItemState.IN_TRASH).where(places, away).execute(database)
        known = TrashItem.select().where(places).count(database)
        TrashItem.insert_many(rows).on_conflict_ignore().execute(database)
        found += len(some) - known
    return found


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


def with_digest(database: SqliteDatabase, digest: bytes, path: bytes) -> Item | None:
    """What is in the trash with this content from this path, the newest of several."""
    query = TrashItem.select().where(TrashItem.digest == digest, TrashItem.path == path)
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
    database: SqliteDatabase, states: Sequence[str], after: tuple[Any, ...] | None, limit: int
) -> tuple[Page[Item], int]:
    """Items in these states, the newest first, and how many bytes they are in all."""
    chosen = TrashItem.select().where(TrashItem.state.in_(states))
    total, size = (
        TrashItem.select(fn.count(TrashItem.id), fn.coalesce(fn.sum(TrashItem.size_bytes), 0))
        .where(TrashItem.state.in_(states))
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
    blobs = {name: bytes(row[name]) for name in ("place", "path", "digest")}
    return Item(**{**row, **blobs, "state": ItemState(row["state"])})
