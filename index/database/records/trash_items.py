"""The items in the trashes: every file put there, where it came from, and whether it is still there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from peewee import Case, SqliteDatabase, fn

from index.database.journal_schema import Step, TrashItem
from index.database.records import trash_folders
from index.database.records.images import chunks
from index.database.records.sql_paging import Page, cut_page, is_at
from index.errors import NotFound
from index.imaging.discovery.trash_places import (
    RestoreTarget,
    adopted_restore_target,
    home_of,
    is_in_trash,
    restore_target,
)
from index.imaging.discovery.walk import is_at_or_below


class ItemState(StrEnum):
    """`gone`: it was removed by hand."""

    IN_TRASH = "in_trash"
    RESTORED = "restored"
    EMPTIED = "emptied"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Item:
    """One file put in the trash: `place` is where it is, `path` is where it came from.

    `adopted`: the item is known only from a manifest, which is untrusted. If the manifest says that the file came from
    outside the folder of the trash, `elsewhere` is a path within that folder to which it may be restored after
    confirmation.
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
MANIFEST_FIELDS = ("path", "inode", "size_bytes", "mtime_ns", "digest", "trashed_ns", "elsewhere")


def add(database: SqliteDatabase, items: Iterable[Item]) -> None:
    """Store items. An item at a known place replaces the earlier one."""
    homes = set()
    for chunk in chunks(items, 60):
        rows = [{name: getattr(item, name) for name in FIELDS} for item in chunk]
        TrashItem.insert_many(rows).on_conflict(
            conflict_target=[TrashItem.place],
            preserve=[getattr(TrashItem, name) for name in FIELDS if name != "place"],
        ).execute(database)
        homes |= {home_of(item.place) for item in chunk if is_in_trash(item.place)}
    trash_folders.record(database, homes)


def import_items(database: SqliteDatabase, items: Iterable[Item]) -> int:
    """Store items that a manifest lists. Returns how many of them were unknown or recorded as `gone`. Items that the
    index recorded itself are not changed."""
    new = 0
    for chunk in chunks(items, 60):
        rows = [{name: getattr(item, name) for name in FIELDS} for item in chunk]
        places = TrashItem.place.in_([item.place for item in chunk])
        new += (
            TrashItem.update(state=ItemState.IN_TRASH)
            .where(places, TrashItem.state == ItemState.GONE)
            .execute(database)
        )
        known = TrashItem.select().where(places).count(database)
        TrashItem.insert_many(rows).on_conflict(
            conflict_target=[TrashItem.place],
            preserve=[getattr(TrashItem, name) for name in MANIFEST_FIELDS],
            where=TrashItem.adopted,
        ).execute(database)
        new += len(chunk) - known
    return new


def gone_places(database: SqliteDatabase) -> list[bytes]:
    """The places of files that were removed by hand."""
    rows = TrashItem.select(TrashItem.place).where(TrashItem.state == ItemState.GONE).tuples().execute(database)
    return [bytes(place) for (place,) in rows]


def set_state(database: SqliteDatabase, places: Iterable[bytes], state: ItemState) -> None:
    for chunk in chunks(places):
        TrashItem.update(state=state).where(TrashItem.place.in_(chunk)).execute(database)


def item(database: SqliteDatabase, item_id: int) -> Item:
    """One item. Raises NotFound."""
    for row in TrashItem.select().where(TrashItem.id == item_id).dicts().execute(database):
        return _item(row)
    raise NotFound("trash.unknown_item", item=item_id)


def item_at(database: SqliteDatabase, place: bytes) -> Item | None:
    for row in TrashItem.select().where(TrashItem.place == place).dicts().execute(database):
        return _item(row)
    return None


def trashed_before(database: SqliteDatabase, image_ids: Sequence[int]) -> dict[int, int]:
    """When the bytes of these images were last put in the trash, for images that appeared after that: a telephone may
    restore trashed pictures. Restored items do not count, nor items known only from a manifest, nor the copy that was
    kept."""
    found: dict[int, int] = {}
    for chunk in chunks(image_ids):
        rows = database.execute_sql(
            "SELECT i.id, max(t.trashed_ns) FROM image i CROSS JOIN content c ON c.id = i.content_id"
            " CROSS JOIN trash_item t ON t.digest = c.digest AND t.trashed_ns < i.indexed_ns"
            " AND t.state <> ? AND NOT t.adopted CROSS JOIN step s ON s.id = t.step_id AND s.action = 'trash'"
            f" AND s.keeper <> i.path WHERE i.id IN ({','.join('?' * len(chunk))}) GROUP BY i.id",
            (ItemState.RESTORED, *chunk),
        )
        found.update(rows.fetchall())
    return found


def restore_target_of(item: Item, folders: Iterable[bytes]) -> RestoreTarget:
    """Where an item is restored to, and whether that needs confirmation. `folders` are the managed folders."""
    if item.adopted:
        return adopted_restore_target(item.place, item.path, item.elsewhere)
    return restore_target(item.path, any(is_at_or_below(item.path, folder) for folder in folders))


def place_of(database: SqliteDatabase, digest: bytes) -> bytes | None:
    """Where a trash has a file with this content, among those that the index recorded itself; None if none has."""
    query = TrashItem.select(TrashItem.place).where(
        TrashItem.digest == digest, TrashItem.state == ItemState.IN_TRASH, ~TrashItem.adopted
    )
    return next((bytes(place) for (place,) in query.limit(1).tuples().execute(database)), None)


def with_digest(database: SqliteDatabase, digest: bytes, path: bytes) -> Item | None:
    """The newest item in the trash with this content and original path, among those that the index recorded itself."""
    query = TrashItem.select().where(TrashItem.digest == digest, TrashItem.path == path, ~TrashItem.adopted)
    in_trash_query = query.where(TrashItem.state == ItemState.IN_TRASH).order_by(TrashItem.id.desc()).limit(1)
    return next((_item(row) for row in in_trash_query.dicts().execute(database)), None)


def in_trash(database: SqliteDatabase, before_ns: int | None = None, ids: Sequence[int] = ()) -> list[Item]:
    """The items in the trash, oldest first: all, or only those put there before a time, or those with these ids."""
    query = TrashItem.select().where(TrashItem.state == ItemState.IN_TRASH).order_by(TrashItem.trashed_ns, TrashItem.id)
    if before_ns is not None:
        query = query.where(TrashItem.trashed_ns < before_ns)
    if ids:
        query = query.where(TrashItem.id.in_(list(ids)))
    return [_item(row) for row in query.dicts().execute(database)]


def keepers(database: SqliteDatabase, items: Iterable[Item]) -> dict[int, bytes]:
    """For each of these items, the path of the image that was kept instead, if a step recorded one."""
    by_step = {item.step_id: item.id for item in items if item.step_id is not None and not item.adopted}
    kept = {}
    for chunk in chunks(by_step):
        rows = Step.select(Step.id, Step.keeper).where(Step.id.in_(chunk), Step.keeper != b"")
        kept.update({by_step[step_id]: bytes(keeper) for step_id, keeper in rows.tuples().execute(database)})
    return kept


def second_names(database: SqliteDatabase, items: Iterable[Item]) -> set[int]:
    """Those of these items that are hard links, put in the trash when they were undone: emptying them frees nothing."""
    by_step = {item.step_id: item.id for item in items if item.step_id is not None and not item.adopted}
    found: set[int] = set()
    for chunk in chunks(by_step):
        rows = _LINKS_UNDONE.where(Step.id.in_(chunk)).tuples().execute(database)
        found.update(by_step[step_id] for (step_id,) in rows)
    return found


_Undone = Step.alias()
_LINKS_UNDONE = Step.select(Step.id).join(_Undone, on=Step.undo_of == _Undone.id).where(_Undone.action == "link")


def page(
    database: SqliteDatabase,
    states: Sequence[str],
    after: tuple[Any, ...] | None,
    limit: int,
    item_id: int = 0,
    path: bytes = b"",
) -> tuple[Page[Item], int]:
    """One page of the items in these states, newest first, and the bytes that emptying all of them frees. Only
    `item_id`, or only items from a `path`, if these are given."""
    wanted = TrashItem.state.in_(states)
    if item_id:
        wanted &= TrashItem.id == item_id
    if path:
        wanted &= is_at(TrashItem.path, path)
    chosen = TrashItem.select().where(wanted)
    is_second_name = fn.EXISTS(_LINKS_UNDONE.where(Step.id == TrashItem.step_id))
    freed = Case(None, [(is_second_name, 0)], TrashItem.size_bytes)
    total, size = (
        TrashItem.select(fn.count(TrashItem.id), fn.coalesce(fn.sum(freed), 0))
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
    return cut_page(items, limit, total, lambda item: (item.trashed_ns, item.id)), size


def _item(row: dict[str, Any]) -> Item:
    blobs = {name: bytes(row[name]) for name in ("place", "path", "digest", "elsewhere")}
    return Item(**{**row, **blobs, "state": ItemState(row["state"])})
