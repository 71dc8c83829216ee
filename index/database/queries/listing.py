"""The paged questions that REST and the page ask of the index: roots, groups, images, jobs, problems, schedules.

Reads only. Every list is cut by what it is sorted by and never by a row number, so that a page stays where it was
while rows come and go before it; nothing here reads more than a page of rows, but for the counts.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.errors import NotFound
from index.model import DetectParameters, Facts
from index.records.catalogue import chunks, display, facts_of
from index.records.findings import load_parameters
from index.records.listing_pages import Page, Where, below_any, cut_page, path_term
from index.schema import Content
from index.verification.evidence import mirrored

GROUP_SORTS = {
    "reclaimable": "reclaimable_bytes",
    "size": "size_bytes",
    "confidence": "confidence",
    "date": "newest_ns",
}


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of the whole index; those of groups are of the current detection."""

    images: int
    size_bytes: int
    groups: int
    duplicates: int
    reclaimable_bytes: int
    groups_changed_ns: int
    problems: int


@dataclass(frozen=True, slots=True)
class RootRow:
    id: int
    path: bytes
    protected: bool
    priority: int
    watched: bool
    state: str
    reason: str
    walked_ns: int | None
    images: int
    size_bytes: int
    problems: int
    away_images: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """One image with the facts of its content; `also_at` are the other paths that lead to this very file.

    `facts` are those of an unread picture (no size, no format) where `failure` says why.
    """

    id: int
    path: bytes
    root_id: int
    root_path: bytes
    protected: bool
    online: bool
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    content_id: int | None
    digest: bytes
    facts: Facts
    failure: str
    also_at: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberRow:
    """An image of a group and how its content is matched to the reference's.

    `evidence` leads from the reference to it. `place` counts the contents from the reference, which is 0. `copy_of` is
    the image of the group that has the same bytes and comes first, None for that one itself.
    """

    file: FileRow
    place: int
    kind: str
    distance: int
    turn: str
    confidence: float
    evidence: dict[str, Any]
    copy_of: int | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    id: int
    key: str
    kind: str
    images: int
    size_bytes: int
    reclaimable_bytes: int
    confidence: float
    newest_ns: int
    changed_ns: int
    decided_images: int

    @property
    def decided(self) -> str:
        """Whether its images are decided about: "none", "partly" or "fully"."""
        if not self.decided_images:
            return "none"
        return "fully" if self.decided_images >= self.images else "partly"


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups: of these kinds (all when empty), decided so far (in any way when empty), with an image in that
    root, with an image at that path, with so many images. A `path` that is absolute is a folder or file and means it
    and all below; any other is looked for anywhere in the path, letter case set aside."""

    kinds: tuple[str, ...] = ()
    root_id: int | None = None
    path: bytes = b""
    min_images: int = 2
    decided: tuple[str, ...] = ()


# Totals and roots


def totals(database: SqliteDatabase, watched: Sequence[RootRow] | None = None) -> Totals:
    """The figures of the whole index, over the watched roots; these are read where they are not given."""
    held = roots(database) if watched is None else watched
    groups, duplicates, reclaimable_bytes, changed_ns = database.execute_sql(
        "SELECT count(*), coalesce(sum(g.images) - count(*), 0), coalesce(sum(g.reclaimable_bytes), 0),"
        " coalesce(max(g.changed_ns), 0)"
        " FROM duplicate_group g JOIN detection d ON d.id = g.detection_id WHERE d.current"
    ).fetchone()
    return Totals(
        sum(root.images for root in held),
        sum(root.size_bytes for root in held),
        groups,
        duplicates,
        reclaimable_bytes,
        changed_ns,
        sum(root.problems for root in held),
    )


def roots(database: SqliteDatabase) -> list[RootRow]:
    """The watched roots by path, each with what it holds."""
    rows = database.execute_sql(
        "SELECT r.id, r.path, r.protected, r.priority, r.watched, r.state, r.reason, r.walked_ns,"
        " h.images, h.size_bytes, h.problems,"
        " (SELECT count(*) FROM disk k JOIN disk_image p ON p.disk_id = k.id WHERE k.root_id = r.id)"
        " FROM root r JOIN holding h ON h.root_id = r.id"
        " WHERE r.watched ORDER BY r.path"
    )
    return [RootRow(row[0], bytes(row[1]), bool(row[2]), row[3], bool(row[4]), *row[5:]) for row in rows]


# Groups


def current_parameters(database: SqliteDatabase) -> tuple[int, DetectParameters] | None:
    """The id and parameters of the detection whose groups are shown, None before the first."""
    row = database.execute_sql("SELECT id, parameters FROM detection WHERE current").fetchone()
    return None if row is None else (row[0], load_parameters(row[1]))


GROUP_COLUMNS = (
    "g.id, g.key, g.kind, g.images, g.size_bytes, g.reclaimable_bytes, g.confidence, g.newest_ns, g.changed_ns,"
    " g.decided"
)
DECIDED = {
    "none": "g.decided = 0",
    "partly": "(g.decided > 0 AND g.decided < g.images)",
    "fully": "g.decided >= g.images",
}
# A value and no join: an index on groups, which begins with their detection, then gives their order as well.
CURRENT = "g.detection_id = (SELECT id FROM detection WHERE current)"


def groups_page(
    database: SqliteDatabase,
    chosen: GroupFilter,
    sort: str = "reclaimable",
    ascending: bool = False,
    after: tuple[Any, ...] | None = None,
    limit: int = 50,
) -> Page[GroupRow]:
    """Groups of the current detection, sorted by one of GROUP_SORTS and then by key. `after` is a page's own."""
    column, direction, beyond = GROUP_SORTS[sort], "ASC" if ascending else "DESC", ">" if ascending else "<"
    where = _groups_where(chosen)
    first, source, condition, counted, cut = "", "duplicate_group g", str(where), where.values, where.values
    if chosen.root_id is not None or chosen.path:
        # The images are looked at once, for the count and the page.
        first = f"WITH chosen AS MATERIALIZED (SELECT * FROM duplicate_group g WHERE {where}) "
        source, condition, cut = "chosen g", "1", []
    count = f"SELECT count(*) FROM {source} WHERE {condition}"
    place = "1" if after is None else f"(g.{column}, g.key) {beyond} (?, ?)"
    rows = database.execute_sql(
        f"{first}SELECT {GROUP_COLUMNS}, ({count}) FROM {source} WHERE {condition} AND {place}"
        f" ORDER BY g.{column} {direction}, g.key {direction} LIMIT ?",
        (*counted, *cut, *(after or ()), limit + 1),
    ).fetchall()
    total = rows[0][-1] if rows else database.execute_sql(first + count, counted).fetchone()[0]
    items = [GroupRow(*row[:-1]) for row in rows]
    return cut_page(items, limit, total, lambda row: (getattr(row, column), row.key))


def group(database: SqliteDatabase, key: str) -> GroupRow:
    """One group of the current detection by its public id. Raises NotFound."""
    question = f"SELECT {GROUP_COLUMNS} FROM duplicate_group g WHERE {CURRENT} AND g.key = ?"
    row = database.execute_sql(question, (key,)).fetchone()
    if row is None:
        raise NotFound(f"There is no group {key}.", "It may have changed since it was listed.")
    return GroupRow(*row)


def neighbours(
    database: SqliteDatabase, chosen: GroupFilter, sort: str, ascending: bool, here: GroupRow
) -> tuple[str | None, str | None]:
    """The ids of the groups before and after this one in a list, so that a review goes on without loading it."""
    column = GROUP_SORTS[sort]
    found: list[str | None] = []
    for upwards in (not ascending, ascending):
        where = _groups_where(chosen)
        where.add(f"(g.{column}, g.key) {'>' if upwards else '<'} (?, ?)", getattr(here, column), here.key)
        direction = "ASC" if upwards else "DESC"
        row = database.execute_sql(
            f"SELECT g.key FROM duplicate_group g WHERE {where}"
            f" ORDER BY g.{column} {direction}, g.key {direction} LIMIT 1",
            where.values,
        ).fetchone()
        found.append(None if row is None else row[0])
    return found[0], found[1]


def ids_of_groups(database: SqliteDatabase, chosen: GroupFilter) -> list[tuple[int, str]]:
    """The row ids and public ids of the groups chosen, those with most to gain first."""
    where = _groups_where(chosen)
    order = "ORDER BY g.reclaimable_bytes DESC, g.key"
    rows = database.execute_sql(f"SELECT g.id, g.key FROM duplicate_group g WHERE {where} {order}", where.values)
    return list(rows.fetchall())


def kinds_of_groups(database: SqliteDatabase) -> dict[str, int]:
    """How many groups of the current detection there are of each kind."""
    question = f"SELECT g.kind, count(*) FROM duplicate_group g WHERE {CURRENT} GROUP BY g.kind"
    return dict(database.execute_sql(question).fetchall())


def _groups_where(chosen: GroupFilter) -> Where:
    where = Where([CURRENT])
    if chosen.kinds:
        where.add(f"g.kind IN ({','.join('?' * len(chosen.kinds))})", *chosen.kinds)
    if chosen.decided:
        where.add(f"({' OR '.join(DECIDED[name] for name in chosen.decided)})")
    if chosen.min_images > 2:
        where.add("g.images >= ?", chosen.min_images)
    if chosen.root_id is not None or chosen.path:
        where.add(*_holding_image(chosen))
    return where


def _holding_image(chosen: GroupFilter) -> tuple[Any, ...]:
    """The term for groups that hold an image where it is looked for.

    A folder is found by the index on paths. For the rest the members are gone through, not all images of a root:
    CROSS JOIN and the plus signs keep SQLite from thinking otherwise.
    """
    of_image = Where()
    in_folder = chosen.path.startswith(b"/")
    if chosen.root_id is not None:
        of_image.add("+i.root_id = ?", chosen.root_id)
    if chosen.path:
        term, values = path_term("i.path", chosen.path)
        of_image.add(term, *values)
    source = (
        "image i CROSS JOIN member m ON m.content_id = i.content_id"
        if in_folder
        else "member m CROSS JOIN image i ON i.content_id = m.content_id"
    )
    term = (
        f"g.id IN (SELECT m.group_id FROM {source} CROSS JOIN root r ON r.id = i.root_id AND r.watched"
        f" WHERE {of_image})"
    )
    return term, *of_image.values


def members(
    database: SqliteDatabase, group_ids: Sequence[int], limit: int, after: tuple[Any, ...] | None = None
) -> dict[int, list[MemberRow]]:
    """The first images of each of these groups (beyond `after`, a place and a path), the reference first.

    One image stands for each file on disk. `limit` is for one group.
    """
    found: dict[int, list[MemberRow]] = {group_id: [] for group_id in group_ids}
    current = current_parameters(database)
    if current is None:
        return found
    where = Where()
    where.add(*below_any("i.path", current[1].folders))
    for some in chunks(group_ids):
        # With one min() in a query, SQLite takes the other columns from the row that has the minimum.
        files = (
            "SELECT g.id group_id, g.reference_id, m.content_id, m.position, m.kind, m.distance, m.turn,"
            " i.id image_id, min(i.path) path, count(*) paths"
            " FROM duplicate_group g JOIN member m ON m.group_id = g.id JOIN image i ON i.content_id = m.content_id"
            f" JOIN root r ON r.id = i.root_id AND r.watched WHERE g.id IN ({','.join('?' * len(some))}) AND {where}"
            " GROUP BY g.id, m.content_id, i.device, i.inode"
        )
        numbered = (
            "SELECT *, row_number() OVER (PARTITION BY group_id ORDER BY position, path) place,"
            " first_value(image_id) OVER (PARTITION BY group_id, content_id ORDER BY path) first_id"
            f" FROM ({files})"
        )
        beyond = "" if after is None else " WHERE (position, path) > (?, ?)"
        cut = f"SELECT *, row_number() OVER (PARTITION BY group_id ORDER BY place) shown FROM ({numbered}){beyond}"
        rows = database.execute_sql(
            "SELECT f.group_id, f.image_id, f.position, f.kind, f.distance, f.turn, f.first_id, f.paths,"
            " mt.confidence, mt.evidence, mt.a_id = f.reference_id"
            f" FROM ({cut}) f LEFT JOIN match mt ON mt.detection_id = ?"
            " AND mt.a_id = min(f.reference_id, f.content_id) AND mt.b_id = max(f.reference_id, f.content_id)"
            " WHERE f.shown <= ? ORDER BY f.group_id, f.place",
            (*some, *where.values, *(after or ()), current[0], limit),
        ).fetchall()
        files_by_id = files_with_ids(database, [row[1] for row in rows], [row[1] for row in rows if row[7] > 1])
        for group_id, image_id, position, kind, distance, turn, first_id, _, confidence, evidence, forward in rows:
            if image_id not in files_by_id:
                continue
            found[group_id].append(
                MemberRow(
                    file=files_by_id[image_id],
                    place=position,
                    kind=kind,
                    distance=distance,
                    turn=turn,
                    confidence=1.0 if confidence is None else confidence,
                    evidence=_told_from_reference(evidence, forward),
                    copy_of=None if first_id == image_id else first_id,
                )
            )
    return found


def _told_from_reference(evidence: str | None, forward: int | None) -> dict[str, Any]:
    """The evidence of a match, led from the group's reference; none is needed of equal bytes."""
    if evidence is None:
        return {}
    told: dict[str, Any] = json.loads(evidence)
    return told if forward else mirrored(told)


# Images


def image(database: SqliteDatabase, image_id: int) -> FileRow:
    """One image with its facts and every other path to its file. Raises NotFound."""
    found = files_with_ids(database, [image_id], [image_id])
    if image_id not in found:
        raise NotFound(f"There is no image {image_id}.", "Its file may have been moved or removed.")
    return found[image_id]


def images_at(database: SqliteDatabase, paths: Sequence[bytes]) -> list[int]:
    """The ids of the images at these paths. Raises NotFound for a path where there is none."""
    found: dict[bytes, int] = {}
    for some in chunks(paths):
        rows = database.execute_sql(
            "SELECT i.path, i.id FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
            f" WHERE i.path IN ({','.join('?' * len(some))})",
            some,
        )
        found.update((bytes(path), image_id) for path, image_id in rows)
    for path in paths:
        if path not in found:
            raise NotFound(f"There is no image {display(path)}.", "Its file may have been moved or removed.")
    return [found[path] for path in paths]


def groups_of_content(database: SqliteDatabase, content_id: int) -> list[str]:
    """The public ids of the current groups that hold this content."""
    rows = database.execute_sql(
        f"SELECT g.key FROM member m JOIN duplicate_group g ON g.id = m.group_id WHERE m.content_id = ? AND +{CURRENT}"
        " ORDER BY g.key",
        (content_id,),
    )
    return [row[0] for row in rows]


def content_of_image(database: SqliteDatabase, image_id: int) -> tuple[int, bytes, str]:
    """The id, digest and failure ("" where it could be decoded) of an image's content. Raises NotFound."""
    row = database.execute_sql(
        "SELECT c.id, c.digest, c.failure FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
        " JOIN content c ON c.id = i.content_id WHERE i.id = ?",
        (image_id,),
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no readable image {image_id}.", "Its file may have been moved or removed.")
    return row[0], bytes(row[1]), row[2]


def hashes_of_content(database: SqliteDatabase, content_id: int) -> dict[int, bytes]:
    """The packed perceptual hashes of a content as it is shown, by hsize; empty where it could not be decoded."""
    row = database.execute_sql("SELECT hash8, hash16, hash32 FROM content WHERE id = ?", (content_id,)).fetchone()
    if row is None:
        return {}
    return {hsize: bytes(bits)[: hsize * hsize // 8] for hsize, bits in zip((8, 16, 32), row, strict=True) if bits}


UNREAD = Facts(format="", width=0, height=0, detail=0)


def files_with_ids(
    database: SqliteDatabase, image_ids: Iterable[int], with_other_paths: Iterable[int] = ()
) -> dict[int, FileRow]:
    """Images of watched roots by id, with their facts; the other paths are looked up for the ids named."""
    asked = set(with_other_paths)
    found: dict[int, FileRow] = {}
    for some in chunks(image_ids):
        rows = database.execute_sql(
            "SELECT i.id, i.path, i.root_id, r.path, r.protected, r.state, i.device, i.inode, i.size_bytes, i.mtime_ns,"
            " i.content_id FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
            f" WHERE i.id IN ({','.join('?' * len(some))})",
            some,
        ).fetchall()
        content_ids = [row[10] for row in rows if row[10] is not None]
        contents = {row.id: row for row in Content.select().where(Content.id.in_(content_ids)).execute(database)}
        for (
            image_id, path, root_id, root_path, protected, state, device, inode, size_bytes, mtime_ns, content_id
        ) in rows:  # fmt: skip
            content = contents.get(content_id)
            found[image_id] = FileRow(
                id=image_id,
                path=bytes(path),
                root_id=root_id,
                root_path=bytes(root_path),
                protected=bool(protected),
                online=state == "online",
                device=device,
                inode=inode,
                size_bytes=size_bytes,
                mtime_ns=mtime_ns,
                content_id=content_id,
                digest=b"" if content is None else bytes(content.digest),
                facts=UNREAD if content is None or content.failure else facts_of(content),
                failure="unreadable" if content is None else content.failure,
                also_at=_other_paths(database, device, inode, bytes(path)) if image_id in asked else (),
            )
    return found


def _other_paths(database: SqliteDatabase, device: int, inode: int, path: bytes) -> tuple[bytes, ...]:
    rows = database.execute_sql(
        "SELECT i.path FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
        " WHERE i.device = ? AND i.inode = ? AND i.path != ? ORDER BY i.path LIMIT 100",
        (device, inode, path),
    )
    return tuple(bytes(row[0]) for row in rows)
