"""Roots, groups and images as REST and the page list them. Reads only.

Lists are paged by the values of the sort key, never by row number, so that pages do not shift while earlier rows are
added or removed. Apart from counts, nothing here reads more than a page of rows.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from peewee import SqliteDatabase

from index.database.fields import description_from
from index.database.queries.group_filter import CURRENT, EVERY_GROUP, GroupFilter, groups_where, of_search
from index.database.records import matches, trash_items
from index.database.records.images import chunks, facts_of
from index.database.records.sql_paging import Page, Where, cut_page
from index.database.schema import Content
from index.errors import NotFound
from index.imaging.decoding.description import combined_description
from index.imaging.verification.edit_evidence import reversed_evidence
from index.messages import Message, of_json
from index.model import Description, DetectParameters, Facts
from index.paths import display

GROUP_SORTS = {
    "reclaimable": "reclaimable_bytes",
    "size": "size_bytes",
    "confidence": "confidence",
    "date": "newest_ns",
}


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of the whole index; those of groups are of the current detection."""

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
    reason: Message | None
    walked_ns: int | None
    skipped: Mapping[str, int]
    images: int
    size_bytes: int
    problems: int
    away_images: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """One image with the facts of its content. `also_at` are the other paths of the same file, `description` is the
    metadata in it, its sidecars and its name, and `trashed_ns` is when its bytes were put in the trash before it
    appeared. `temporary` is whether only a limited search knows it, since its folder is not watched.

    If the picture could not be read, `failure` is the reason and `facts` is UNREAD (no size, no format).
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
    description: Description = field(default_factory=Description)
    trashed_ns: int | None = None
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class MemberRow:
    """An image of a group, and how its content matches that of the reference.

    `evidence` is from the reference to this image. `place` numbers the contents of the group, 0 being the reference.
    `copy_of` is the first image of the group with the same bytes, None for that one itself.
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
    scene: bool

    @property
    def decided(self) -> str:
        """How many of its images have a decision: "none", "partly" or "fully"."""
        if not self.decided_images:
            return "none"
        return "fully" if self.decided_images >= self.images else "partly"


# Totals and roots


def totals(database: SqliteDatabase, watched: Sequence[RootRow] | None = None) -> Totals:
    """The totals of the whole index, over the watched roots; `watched` are their rows if they were read already."""
    root_rows = roots(database) if watched is None else watched
    groups, duplicates, reclaimable_bytes, changed_ns = database.execute_sql(
        "SELECT count(*), coalesce(sum(g.images) - count(*), 0), coalesce(sum(g.reclaimable_bytes), 0),"
        " coalesce(max(g.changed_ns), 0)"
        f" FROM duplicate_group g WHERE {CURRENT} AND g.scene = 0"
    ).fetchone()
    return Totals(
        sum(root.images for root in root_rows),
        sum(root.size_bytes for root in root_rows),
        groups,
        duplicates,
        reclaimable_bytes,
        changed_ns,
        sum(root.problems for root in root_rows),
    )


def roots(database: SqliteDatabase) -> list[RootRow]:
    """The watched roots with their totals, ordered by path."""
    rows = database.execute_sql(
        "SELECT r.id, r.path, r.protected, r.priority, r.watched, r.state, r.reason, r.walked_ns, r.skipped,"
        " h.images, h.size_bytes, h.problems,"
        " (SELECT count(*) FROM disk k JOIN disk_image p ON p.disk_id = k.id WHERE k.root_id = r.id)"
        " FROM root r JOIN holding h ON h.root_id = r.id"
        " WHERE r.watched AND NOT r.temporary ORDER BY r.path"
    )
    return [
        RootRow(
            row[0],
            bytes(row[1]),
            bool(row[2]),
            row[3],
            bool(row[4]),
            row[5],
            of_json(row[6]),
            row[7],
            json.loads(row[8]),
            *row[9:],
        )
        for row in rows
    ]


# Groups


def current_parameters(database: SqliteDatabase) -> tuple[int, DetectParameters] | None:
    """The id and parameters of the detection whose groups are shown; None before the first."""
    row = database.execute_sql("SELECT id, parameters FROM detection WHERE current").fetchone()
    return None if row is None else (row[0], matches.load_parameters(row[1]))


GROUP_COLUMNS = (
    "g.id, g.key, g.kind, g.images, g.size_bytes, g.reclaimable_bytes, g.confidence, g.newest_ns, g.changed_ns,"
    " g.decided, g.scene"
)


def check_search(database: SqliteDatabase, search: int) -> None:
    """Raises NotFound for a limited search that was dismissed or replaced; 0 is the library."""
    if search and search not in {row.id for row in matches.searches(database)}:
        raise NotFound("search.unknown", search=search)


def groups_page(
    database: SqliteDatabase,
    chosen: GroupFilter,
    sort: str = "reclaimable",
    ascending: bool = False,
    after: tuple[Any, ...] | None = None,
    limit: int = 50,
    backwards: bool = False,
    including: bool = False,
) -> Page[GroupRow]:
    """Groups of the current detection, sorted by one of GROUP_SORTS and then by key, after the place `after` of the
    previous page, or from that place if `including` it. With `backwards`, the groups before a place, still in the order
    of the list; the place of the page is then that of the first."""
    column, upwards = GROUP_SORTS[sort], ascending != backwards
    direction, beyond = ("ASC", ">") if upwards else ("DESC", "<")
    where = groups_where(database, chosen)
    first, source, condition, counted, cut = "", "duplicate_group g", str(where), where.values, where.values
    if chosen.root_id is not None or chosen.path or chosen.taken_from or chosen.taken_until:
        # The images are searched once, for the count and the page.
        first = f"WITH chosen AS MATERIALIZED (SELECT * FROM duplicate_group g WHERE {where}) "
        source, condition, cut = "chosen g", "1", []
    count = f"SELECT count(*) FROM {source} WHERE {condition}"
    place = "1" if after is None else f"(g.{column}, g.key) {beyond}{'=' if including else ''} (?, ?)"
    rows = database.execute_sql(
        f"{first}SELECT {GROUP_COLUMNS}, ({count}) FROM {source} WHERE {condition} AND {place}"
        f" ORDER BY g.{column} {direction}, g.key {direction} LIMIT ?",
        (*counted, *cut, *(after or ()), limit + 1),
    ).fetchall()
    total = rows[0][-1] if rows else database.execute_sql(first + count, counted).fetchone()[0]
    page = cut_page([GroupRow(*row[:-1]) for row in rows], limit, total, lambda row: place_of(row, sort))
    return replace(page, items=page.items[::-1]) if backwards else page


def place_of(row: GroupRow, sort: str) -> tuple[Any, ...]:
    """The place of a group in a list with this order, whether the list contains it or not."""
    return getattr(row, GROUP_SORTS[sort]), row.key


def group(database: SqliteDatabase, key: str, search: int = 0) -> GroupRow:
    """One group of the library, or of a limited search, by its public id. Raises NotFound."""
    check_search(database, search)
    row = find_group(database, key, search)
    if row is None:
        raise NotFound("group.unknown", group=key)
    return row


def find_group(database: SqliteDatabase, key: str, search: int = 0) -> GroupRow | None:
    """The same; None if there is no such group."""
    term, *values = of_search(search)
    question = f"SELECT {GROUP_COLUMNS} FROM duplicate_group g WHERE {term} AND g.key = ?"
    row = database.execute_sql(question, (*values, key)).fetchone()
    return None if row is None else GroupRow(*row)


def neighbours(
    database: SqliteDatabase, chosen: GroupFilter, sort: str, ascending: bool, here: GroupRow
) -> tuple[str | None, str | None]:
    """The public ids of the groups before and after this one in a list, so that a review can continue without loading
    the list."""
    column = GROUP_SORTS[sort]
    keys: list[str | None] = []
    for upwards in (not ascending, ascending):
        where = groups_where(database, chosen)
        where.add(f"(g.{column}, g.key) {'>' if upwards else '<'} (?, ?)", getattr(here, column), here.key)
        direction = "ASC" if upwards else "DESC"
        row = database.execute_sql(
            f"SELECT g.key FROM duplicate_group g WHERE {where}"
            f" ORDER BY g.{column} {direction}, g.key {direction} LIMIT 1",
            where.values,
        ).fetchone()
        keys.append(None if row is None else row[0])
    return keys[0], keys[1]


def ids_of_groups(
    database: SqliteDatabase, chosen: GroupFilter, no_pairs_of: Sequence[str] = ()
) -> list[tuple[int, str]]:
    """The row ids and public ids of the selected groups, those with the most reclaimable bytes first; without groups of
    two images that are matched by one of the kinds `no_pairs_of`."""
    where = groups_where(database, chosen)
    if no_pairs_of:
        where.add(f"NOT (g.images = 2 AND g.kind IN ({','.join('?' * len(no_pairs_of))}))", *no_pairs_of)
    order = "ORDER BY g.reclaimable_bytes DESC, g.key"
    rows = database.execute_sql(f"SELECT g.id, g.key FROM duplicate_group g WHERE {where} {order}", where.values)
    return list(rows.fetchall())


class ChosenGroup(NamedTuple):
    """A selected group: its row id and public id, its kind, whether it is a scene, and whether all of its images are
    decided."""

    id: int
    key: str
    kind: str
    scene: int
    decided: int


def chosen_groups(
    database: SqliteDatabase, chosen: GroupFilter, keys: Sequence[str] | None = None
) -> list[ChosenGroup]:
    """The selected groups, those with the most reclaimable bytes first; with `keys`, those with these public ids in the
    library or limited search of the selection, ignoring its other conditions."""
    check_search(database, chosen.search)
    rows: list[tuple[Any, ...]] = []
    columns = "g.id, g.key, g.kind, g.scene, g.decided >= g.images"
    if keys is None:
        where = groups_where(database, chosen)
        question = f"SELECT {columns} FROM duplicate_group g WHERE {where} ORDER BY g.reclaimable_bytes DESC, g.key"
        rows += database.execute_sql(question, where.values).fetchall()
    else:
        term, *values = of_search(chosen.search)
        for chunk in chunks(dict.fromkeys(keys)):
            marks = ",".join("?" * len(chunk))
            question = f"SELECT {columns} FROM duplicate_group g WHERE {term} AND g.key IN ({marks})"
            rows += database.execute_sql(question, (*values, *chunk)).fetchall()
    return [ChosenGroup(*row) for row in rows]


def kinds_of_groups(database: SqliteDatabase, chosen: GroupFilter = EVERY_GROUP) -> dict[str, int]:
    """The number of the selected groups, by kind; the selection of kinds is ignored."""
    where = groups_where(database, replace(chosen, kinds=()))
    question = f"SELECT g.kind, count(*) FROM duplicate_group g WHERE {where} GROUP BY g.kind"
    return dict(database.execute_sql(question, where.values).fetchall())


def kinds_and_scenes(database: SqliteDatabase, chosen: GroupFilter) -> tuple[dict[str, int], int]:
    """The same, and how many groups of scenes there are with the rest of the selection."""
    where = groups_where(database, replace(chosen, kinds=(), scenes=None))
    question = f"SELECT g.scene, g.kind, count(*) FROM duplicate_group g WHERE {where} GROUP BY g.scene, g.kind"
    kinds: Counter[str] = Counter()
    scenes = 0
    for scene, kind, count in database.execute_sql(question, where.values).fetchall():
        scenes += count if scene else 0
        if chosen.scenes is None or bool(scene) == chosen.scenes:
            kinds[kind] += count
    return dict(kinds), scenes


def members(
    database: SqliteDatabase,
    group_ids: Sequence[int],
    limit: int,
    after: tuple[Any, ...] | None = None,
    always: Sequence[int] = (),
) -> dict[int, list[MemberRow]]:
    """The first images of each of these groups, the reference first, after `after` (a place and a path).

    There is one image for each file on disk. `limit` applies to each group; images with the ids `always` are included
    at any place.
    """
    members_of: dict[int, list[MemberRow]] = {group_id: [] for group_id in group_ids}
    where = Where()
    where.add(*matches.within_folders(database))
    for chunk in chunks(group_ids):
        # If a query has a single min(), SQLite takes the other columns from the row with the minimum.
        files = (
            "SELECT g.id group_id, g.detection_id, g.reference_id, m.content_id, m.position, m.kind, m.distance,"
            " m.turn, i.id image_id, min(i.path) path, count(*) paths"
            " FROM duplicate_group g JOIN member m ON m.group_id = g.id JOIN image i ON i.content_id = m.content_id"
            f" JOIN root r ON r.id = i.root_id AND r.watched WHERE g.id IN ({','.join('?' * len(chunk))}) AND {where}"
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
            f" FROM ({cut}) f LEFT JOIN match mt ON mt.detection_id = f.detection_id"
            " AND mt.a_id = min(f.reference_id, f.content_id) AND mt.b_id = max(f.reference_id, f.content_id)"
            f" WHERE f.shown <= ? OR f.image_id IN ({','.join('?' * len(always))}) ORDER BY f.group_id, f.place",
            (*chunk, *where.values, *(after or ()), limit, *always),
        ).fetchall()
        files_by_id = files_with_ids(database, [row[1] for row in rows], [row[1] for row in rows if row[7] > 1])
        for group_id, image_id, position, kind, distance, turn, first_id, _, confidence, evidence, forward in rows:
            if image_id not in files_by_id:
                continue
            members_of[group_id].append(
                MemberRow(
                    file=files_by_id[image_id],
                    place=position,
                    kind=kind,
                    distance=distance,
                    turn=turn,
                    confidence=1.0 if confidence is None else confidence,
                    evidence=_evidence_from_reference(evidence, forward),
                    copy_of=None if first_id == image_id else first_id,
                )
            )
    return members_of


def _evidence_from_reference(evidence: str | None, forward: int | None) -> dict[str, Any]:
    """The evidence of a match, in the direction from the group's reference; empty for equal bytes."""
    if evidence is None:
        return {}
    stored: dict[str, Any] = json.loads(evidence)
    return stored if forward else reversed_evidence(stored)


# Images


def image(database: SqliteDatabase, image_id: int) -> FileRow:
    """One image with its facts and all other paths of its file. Raises NotFound."""
    files = files_with_ids(database, [image_id], [image_id])
    if image_id not in files:
        raise NotFound("image.unknown", image=image_id)
    return files[image_id]


def images_at(database: SqliteDatabase, paths: Sequence[bytes]) -> list[int]:
    """The ids of the images at these paths, in their order. Raises NotFound for a path without an image."""
    image_ids: dict[bytes, int] = {}
    for chunk in chunks(paths):
        rows = database.execute_sql(
            "SELECT i.path, i.id FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
            f" WHERE i.path IN ({','.join('?' * len(chunk))})",
            chunk,
        )
        image_ids.update((bytes(path), image_id) for path, image_id in rows)
    for path in paths:
        if path not in image_ids:
            raise NotFound("image.unknown", image=display(path))
    return [image_ids[path] for path in paths]


def groups_of_content(database: SqliteDatabase, content_id: int) -> list[str]:
    """The public ids of the current groups that contain this content."""
    rows = database.execute_sql(
        f"SELECT g.key FROM member m JOIN duplicate_group g ON g.id = m.group_id WHERE m.content_id = ? AND +{CURRENT}"
        " ORDER BY g.key",
        (content_id,),
    )
    return [row[0] for row in rows]


def first_images(database: SqliteDatabase, content_ids: Sequence[int]) -> dict[int, int]:
    """The first image in a watched root of each of these contents, by id."""
    marks = ",".join("?" * len(content_ids))
    rows = database.execute_sql(
        "SELECT i.content_id, min(i.id) FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
        f" WHERE i.content_id IN ({marks}) GROUP BY i.content_id",
        tuple(content_ids),
    )
    return dict(rows.fetchall())


def content_of_image(database: SqliteDatabase, image_id: int) -> tuple[int, bytes, str]:
    """The id, digest and failure ("" if it could be decoded) of an image's content. Raises NotFound."""
    row = database.execute_sql(
        "SELECT c.id, c.digest, c.failure FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
        " JOIN content c ON c.id = i.content_id WHERE i.id = ?",
        (image_id,),
    ).fetchone()
    if row is None:
        raise NotFound("image.unreadable", image=image_id)
    return row[0], bytes(row[1]), row[2]


def hashes_of_content(database: SqliteDatabase, content_id: int) -> dict[int, bytes]:
    """The packed perceptual hashes of a content in its displayed orientation, by hsize; empty if it could not be
    decoded."""
    row = database.execute_sql("SELECT hash8, hash16, hash32 FROM content WHERE id = ?", (content_id,)).fetchone()
    if row is None:
        return {}
    return {hsize: bytes(bits)[: hsize * hsize // 8] for hsize, bits in zip((8, 16, 32), row, strict=True) if bits}


UNREAD = Facts(format="", width=0, height=0, detail=0)


def files_with_ids(
    database: SqliteDatabase, image_ids: Iterable[int], with_other_paths: Iterable[int] = ()
) -> dict[int, FileRow]:
    """Images of watched roots by id, with their facts; other paths are looked up for `with_other_paths` only."""
    with_paths = set(with_other_paths)
    files: dict[int, FileRow] = {}
    for chunk in chunks(image_ids):
        rows = database.execute_sql(
            "SELECT i.id, i.path, i.root_id, r.path, r.protected AND NOT r.temporary, r.state, i.device, i.inode,"
            " i.size_bytes, i.mtime_ns, i.content_id, coalesce(b.description, '{}'), r.temporary > 0"
            " FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
            " LEFT JOIN beside b ON b.image_id = i.id"
            f" WHERE i.id IN ({','.join('?' * len(chunk))})",
            chunk,
        ).fetchall()
        trashed = trash_items.trashed_before(database, chunk)
        content_ids = [row[10] for row in rows if row[10] is not None]
        contents = {row.id: row for row in Content.select().where(Content.id.in_(content_ids)).execute(database)}
        for (
            image_id, path, root_id, root_path, protected, state, device, inode, size_bytes, mtime_ns, content_id, said,
            temporary,
        ) in rows:  # fmt: skip
            content = contents.get(content_id)
            facts = UNREAD if content is None or content.failure else facts_of(content)
            name = os.path.basename(bytes(path))
            files[image_id] = FileRow(
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
                facts=facts,
                failure="unreadable" if content is None else content.failure,
                also_at=_other_paths(database, device, inode, bytes(path)) if image_id in with_paths else (),
                description=combined_description(facts.description, description_from(said), name),
                trashed_ns=trashed.get(image_id),
                temporary=bool(temporary),
            )
    return files


def _other_paths(database: SqliteDatabase, device: int, inode: int, path: bytes) -> tuple[bytes, ...]:
    rows = database.execute_sql(
        "SELECT i.path FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
        " WHERE i.device = ? AND i.inode = ? AND i.path != ? ORDER BY i.path LIMIT 100",
        (device, inode, path),
    )
    return tuple(bytes(row[0]) for row in rows)
