"""The filter of a list, a rule or a bulk decision, and the SQL that selects its groups."""

from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.database import path_parts
from index.database.records.sql_paging import Where, path_term


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Selects groups: of these kinds (all if empty), decided to this extent (any if empty), with an image in this root,
    with an image at this path, with at least so many images.

    An absolute `path` is a folder or file, and includes everything below it; any other text is searched for anywhere in
    the path, ignoring case. `search` is a limited search; 0 is the library. `scenes` selects groups of scenes, in which
    nothing is a copy; None selects both them and the groups of duplicates. `taken_from` and `taken_until` are days,
    YYYY-MM-DD: groups with an image whose capture date is one of these days or between them. An image without such a
    date does not match. Groups are new or changed after `changed_after_ns`.
    """

    kinds: tuple[str, ...] = ()
    root_id: int | None = None
    path: bytes = b""
    min_images: int = 2
    decided: tuple[str, ...] = ()
    search: int = 0
    scenes: bool | None = False
    taken_from: str = ""
    taken_until: str = ""
    changed_after_ns: int = 0


EVERY_GROUP = GroupFilter()

DECIDED = {
    "none": "g.decided = 0",
    "partly": "(g.decided > 0 AND g.decided < g.images)",
    "fully": "g.decided >= g.images",
}
# A value instead of a join: an index on groups, whose first column is the detection, then returns the order as well.
CURRENT = "g.detection_id = (SELECT id FROM detection WHERE current)"


def of_search(search: int) -> tuple[Any, ...]:
    """The SQL for the groups of a limited search, or of the library for 0."""
    return (CURRENT,) if not search else ("g.detection_id = ?", search)


def groups_where(database: SqliteDatabase, chosen: GroupFilter) -> Where:
    """The SQL for "the group g is selected"."""
    where = Where()
    where.add(*of_search(chosen.search))
    if chosen.scenes is not None:
        where.add("g.scene = ?", int(chosen.scenes))
    if chosen.kinds:
        where.add(f"g.kind IN ({','.join('?' * len(chosen.kinds))})", *chosen.kinds)
    if chosen.decided:
        where.add(f"({' OR '.join(DECIDED[name] for name in chosen.decided)})")
    if chosen.changed_after_ns:
        where.add("g.changed_ns > ?", chosen.changed_after_ns)
    if chosen.min_images > 2:
        where.add("g.images >= ?", chosen.min_images)
    if chosen.root_id is not None or chosen.path:
        where.add(*_holding_image(database, chosen))
    if chosen.taken_from or chosen.taken_until:
        where.add(*_taken_between(chosen.taken_from, chosen.taken_until))
    return where


def _taken_between(first: str, last: str) -> tuple[Any, ...]:
    """The SQL term for groups with an image that was taken on one of these days, "" for no limit."""
    of_content = Where()
    of_content.add("c.taken > ''")
    if first:
        of_content.add("c.taken >= ?", first)
    if last:
        # Every time of that day begins with it, and is less than the day followed by a letter.
        of_content.add("c.taken < ?", f"{last}a")
    term = f"g.id IN (SELECT m.group_id FROM content c CROSS JOIN member m ON m.content_id = c.id WHERE {of_content})"
    return term, *of_content.values


def _holding_image(database: SqliteDatabase, chosen: GroupFilter) -> tuple[Any, ...]:
    """The SQL term for groups with an image in the selected root or path.

    A folder is found by the index on paths, a part of a path by that of parts where few have it. Otherwise the members
    are scanned, not all images of a root: CROSS JOIN and the plus sign keep SQLite's planner from choosing the other
    order.
    """
    of_image = Where()
    from_image = chosen.path.startswith(b"/")
    if chosen.root_id is not None:
        of_image.add("+i.root_id = ?", chosen.root_id)
    if chosen.path:
        if not from_image and (proposed := path_parts.images_with(database, chosen.path)) is not None:
            of_image.add(*proposed)
            from_image = True
        term, values = path_term("i.path", chosen.path)
        of_image.add(term, *values)
    source = (
        "image i CROSS JOIN member m ON m.content_id = i.content_id"
        if from_image
        else "member m CROSS JOIN image i ON i.content_id = m.content_id"
    )
    term = (
        f"g.id IN (SELECT m.group_id FROM {source} CROSS JOIN root r ON r.id = i.root_id AND r.watched"
        f" WHERE {of_image})"
    )
    return term, *of_image.values
