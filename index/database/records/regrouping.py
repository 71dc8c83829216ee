"""Rebuilds groups from matches: in the components that a change touches, or in all components, in portions.

A portion contains whole components, so each component gets the same groups as if all were rebuilt at once. Only the
columns that decide are read, and rows are written in bulk.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from peewee import SqliteDatabase

from index.database.records import assumed_pairs
from index.database.records.decisions import recount
from index.database.records.deferred_pairs import CandidatePair
from index.database.records.images import chunks
from index.database.records.matches import (
    HELD_BACK_OF,
    current_detection,
    file_filter,
    mark_stale,
    parameters_of,
    searches,
    unfinished,
)
from index.imaging.discovery.companions import of_one_shot
from index.imaging.grouping.groups import Edge, Node, Star, components, find_stars, undecided
from index.imaging.grouping.keeper import quality_rank
from index.imaging.verification.reasons import OF_SCENES
from index.model import RAW_FORMATS, DetectParameters, Facts, Kind, Turn

# Contents in a portion, which takes the writer a fifth of a second. A larger component is a portion of its own.
PORTION: Final = 2_000
KIND_OF: Final = {str(kind): kind for kind in Kind}


class File(NamedTuple):
    """A file on disk that has the bytes of a content."""

    path: bytes
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int


class Contents(NamedTuple):
    """The contents of a portion that can be grouped: their nodes, their files (a file with several paths is counted
    once), and which of them are RAW files."""

    nodes: dict[int, Node]
    files: dict[int, list[File]]
    raw: set[int]


def regroup(database: SqliteDatabase, detection_id: int, touched: Iterable[int], now_ns: int) -> int:
    """Rebuild the groups that these contents are or could be in, and no others.

    Returns how many groups were added, changed or removed.
    """
    start = set(touched)
    if not start:
        return 0
    start |= _in_groups_with(database, detection_id, start)
    concerned = components(start, lambda content_ids: _pairs_with(database, detection_id, content_ids))
    return _rebuild(database, detection_id, concerned, now_ns)


def regroup_shown(database: SqliteDatabase, touched: Iterable[int], now_ns: int) -> int:
    """Rebuild the groups of these contents in the library, in the limited searches, and in unfinished detections, which
    may have groups already. Returns how many groups of the library were added, changed or removed."""
    contents_touched = set(touched)
    for search in (*searches(database), *unfinished(database)):
        regroup(database, search.id, contents_touched, now_ns)
    detection = current_detection(database)
    return 0 if detection is None else regroup(database, detection.id, contents_touched, now_ns)


def regroup_all(database: SqliteDatabase, detection_id: int, now_ns: int) -> int:
    """Rebuild every group in one transaction. Returns how many were added, changed or removed."""
    return sum(rebuild(database, detection_id, portion, now_ns) for portion in portions(database, detection_id))


def count(database: SqliteDatabase, detection_id: int) -> int:
    """The number of groups of a detection."""
    rows = database.execute_sql("SELECT count(*) FROM duplicate_group WHERE detection_id = ?", (detection_id,))
    return int(rows.fetchone()[0])


def portions(database: SqliteDatabase, detection_id: int) -> Iterator[list[int]]:
    """Every content that is or could be in a group, in portions for `rebuild`. Each has whole components; those with
    the lowest ids come first."""
    rows = database.execute_sql(
        "SELECT a_id, b_id FROM match WHERE detection_id = :d"
        " UNION ALL SELECT a_id, b_id FROM assumed WHERE detection_id = :d"
        # Contents that are in one group now are rebuilt together.
        " UNION ALL SELECT g.reference_id, m.content_id FROM duplicate_group g JOIN member m ON m.group_id = g.id"
        " WHERE g.detection_id = :d"
        " UNION ALL SELECT content_id, content_id FROM image WHERE content_id IS NOT NULL"
        " GROUP BY content_id HAVING count(*) > 1",
        {"d": detection_id},
    )
    pairs = np.fromiter((value for row in rows for value in row), np.int64).reshape(-1, 2)
    ids, places = np.unique(pairs, return_inverse=True)
    if not len(ids):
        return
    labels = component_labels(len(ids), places.reshape(-1, 2))
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    begin = 0
    for end in (*starts[1:].tolist(), len(order)):
        if end - begin >= PORTION or end == len(order):
            yield ids[order[begin:end]].tolist()
            begin = end


def component_labels(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The connected components of a graph with `count` nodes: for each node the lowest node of its component, (count,).

    `pairs` are (n, 2) nodes. In each round, the labels are lowered along all pairs at once, and then each node takes
    the label of its label (Shiloach and Vishkin, An O(log n) Parallel Connectivity Algorithm, 1982).
    """
    labels = np.arange(count)
    while True:
        ends = labels[pairs]
        apart = ends[:, 0] != ends[:, 1]
        if not apart.any():
            return labels
        low, high = ends[apart].min(axis=1), ends[apart].max(axis=1)
        np.minimum.at(labels, high, low)
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter


def rebuild(database: SqliteDatabase, detection_id: int, portion: Sequence[int], now_ns: int) -> int:
    """Rebuild the groups of whole components (see `portions`), and of components that they have become connected with.
    Returns how many were added, changed or removed."""
    return _rebuild(
        database,
        detection_id,
        components(portion, lambda content_ids: _pairs_with(database, detection_id, content_ids)),
        now_ns,
    )


def undecided_pairs(database: SqliteDatabase, detection_id: int, touched: Iterable[int]) -> list[CandidatePair]:
    """The assumed pairs on which the groups of these contents, and of all contents connected with them, depend."""
    concerned = components(touched, lambda content_ids: _pairs_with(database, detection_id, content_ids))
    found = _find(database, detection_id, concerned)
    return [found.assumed[pair] for pair in sorted(found.undecided)]


class Found(NamedTuple):
    """The stars among some contents, the turns of their matches, and the assumed pairs. Those in `undecided` must be
    verified first."""

    stars: list[Star]
    known: Contents
    turns: dict[tuple[int, int], str]
    assumed: dict[tuple[int, int], CandidatePair]
    undecided: set[tuple[int, int]]


def _find(database: SqliteDatabase, detection_id: int, concerned: set[int]) -> Found:
    known = _contents(database, concerned, parameters_of(database, detection_id))
    edges, turns = _edges_among(database, detection_id, known.nodes.keys())
    verified = {(edge.a_id, edge.b_id) for edge in edges}
    assumed = {
        candidate.pair: candidate
        for candidate in assumed_pairs.among(database, detection_id, known.nodes.keys())
        if candidate.pair not in verified
    }
    edges += [Edge(*pair, Kind.NEAR, candidate.distance, 0.5, assumed=True) for pair, candidate in assumed.items()]
    apart = _denied(database, known.nodes) | _of_one_shot(known, edges)
    stars = find_stars(known.nodes, edges, apart)
    return Found(stars, known, turns, assumed, undecided(stars, known.nodes, edges, apart))


def _rebuild(database: SqliteDatabase, detection_id: int, concerned: set[int], now_ns: int) -> int:
    found = _find(database, detection_id, concerned)
    # A pair that was verified was denied or removed. The assumed pairs that now matter are verified by the next
    # detection.
    mark_stale(database, {content_id for pair in found.undecided for content_id in pair})
    files = found.known.files
    stars = [star.verified for star in found.stars]
    stars = [star for star in stars if star.edges or len(files[star.reference_id]) > 1]
    return _replace_groups(database, detection_id, concerned, stars, files, found.turns, now_ns)


def _pairs_with(database: SqliteDatabase, detection_id: int, content_ids: set[int]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for chunk in chunks(content_ids):
        marks = ",".join("?" * len(chunk))
        for table, column in product(("match", "assumed"), ("a_id", "b_id")):
            pairs += database.execute_sql(
                f"SELECT a_id, b_id FROM {table} WHERE detection_id = ? AND {column} IN ({marks})",
                (detection_id, *chunk),
            )
    return pairs


def _in_groups_with(database: SqliteDatabase, detection_id: int, content_ids: set[int]) -> set[int]:
    members: set[int] = set()
    for chunk in chunks(content_ids):
        marks = ",".join("?" * len(chunk))
        rows = database.execute_sql(
            "SELECT other.content_id FROM member JOIN duplicate_group g ON g.id = member.group_id"
            " JOIN member other ON other.group_id = g.id"
            # The plus prevents SQLite from scanning all groups of the detection.
            f" WHERE +g.detection_id = ? AND member.content_id IN ({marks})",
            (detection_id, *chunk),
        )
        members.update(row[0] for row in rows)
    return members


def _contents(database: SqliteDatabase, content_ids: Iterable[int], parameters: DetectParameters) -> Contents:
    """Of these contents, those that could be decoded and have a file in a watched root that a detection with these
    parameters groups."""
    is_of = file_filter(parameters)
    files: dict[int, dict[tuple[int, int], File]] = defaultdict(dict)
    nodes: dict[int, Node] = {}
    raw: set[int] = set()
    for chunk in chunks(content_ids):
        marks = ",".join("?" * len(chunk))
        for content_id, temporary, *row in database.execute_sql(
            "SELECT i.content_id, r.temporary, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns FROM image i"
            f" JOIN root r ON r.id = i.root_id AND r.watched WHERE i.content_id IN ({marks}) ORDER BY i.path",
            chunk,
        ):
            file = File(bytes(row[0]), *row[1:])
            if is_of(file.path, temporary):
                files[content_id].setdefault((file.device, file.inode), file)
        for content_id, digest, size_bytes, picture_format, width, height, *more in database.execute_sql(
            "SELECT id, digest, size_bytes, format, width, height, mode, jpeg_quality, earlier_quality, metadata,"
            f" damage FROM content WHERE failure = '' AND id IN ({marks})",
            chunk,
        ):
            if content_id not in files:
                continue
            mode, quality, earlier, metadata, damage = more
            facts = Facts(
                picture_format, width, height, mode=mode, jpeg_quality=quality, earlier_quality=earlier,
                metadata=tuple(filter(None, metadata.split(","))), damage=damage,
            )  # fmt: skip
            rank = (*quality_rank(facts, size_bytes), bytes(digest))
            held = len(files[content_id])
            nodes[content_id] = Node(content_id, bytes(digest), rank, held, min(width, height))
            if picture_format in RAW_FORMATS:
                raw.add(content_id)
    return Contents(nodes, {content_id: list(files[content_id].values()) for content_id in nodes}, raw)


def _edges_among(
    database: SqliteDatabase, detection_id: int, content_ids: Iterable[int]
) -> tuple[list[Edge], dict[tuple[int, int], str]]:
    """The matches among these contents, and the turn of each pair that has one."""
    edges: dict[tuple[int, int], Edge] = {}
    turns: dict[tuple[int, int], str] = {}
    among = set(content_ids)
    for chunk in chunks(among):
        marks = ",".join("?" * len(chunk))
        rows = database.execute_sql(
            "SELECT a_id, b_id, kind, distance, confidence, turn,"
            f" CASE kind WHEN 'possible' THEN json_extract(evidence, '$.reason') END, {HELD_BACK_OF.format('match')}"
            f" FROM match WHERE detection_id = ? AND a_id IN ({marks})",
            (detection_id, *chunk),
        )
        for a, b, kind, distance, confidence, turn, reason, held_back in rows:
            if b in among:
                scene = reason in OF_SCENES
                edges[a, b] = Edge(a, b, KIND_OF[kind], distance, confidence, scene, held_back=held_back)
                if turn != Turn.NONE:
                    turns[a, b] = turn
    return list(edges.values()), turns


def _denied(database: SqliteDatabase, nodes: Mapping[int, Node]) -> set[tuple[int, int]]:
    """The pairs of these contents (a < b) with a verdict."""
    ids = {node.digest: content_id for content_id, node in nodes.items()}
    denied: set[tuple[int, int]] = set()
    for chunk in chunks(ids):
        rows = database.execute_sql(
            f"SELECT a_digest, b_digest FROM verdict WHERE a_digest IN ({','.join('?' * len(chunk))})", chunk
        )
        pairs = [(ids.get(bytes(a)), ids.get(bytes(b))) for a, b in rows]
        denied.update((min(a, b), max(a, b)) for a, b in pairs if a is not None and b is not None)
    return denied


def _of_one_shot(known: Contents, edges: Iterable[Edge]) -> set[tuple[int, int]]:
    """The matched pairs (a < b) of a RAW file and an image of the same shot: companions, never duplicates."""
    if not known.raw:
        return set()
    return {
        (edge.a_id, edge.b_id)
        for edge in edges
        if (edge.a_id in known.raw) != (edge.b_id in known.raw)
        and any(
            of_one_shot(first.path, second.path)
            for first in known.files[edge.a_id if edge.a_id in known.raw else edge.b_id]
            for second in known.files[edge.b_id if edge.a_id in known.raw else edge.a_id]
        )
    }


# The columns of a group from `kind` to `newest_ns`, and of a member from `content_id` to `turn`.
GroupValues = tuple[Any, ...]
MemberValues = tuple[int, int, str, int, str]
GROUP_COLUMNS: Final = ("kind", "reference_id", "images", "size_bytes", "confidence", "scene", "newest_ns")


def _replace_groups(
    database: SqliteDatabase,
    detection_id: int,
    concerned: set[int],
    stars: Sequence[Star],
    files: Mapping[int, Sequence[File]],
    turns: Mapping[tuple[int, int], str],
    now_ns: int,
) -> int:
    """Write the groups that differ from the stored groups of these contents. Returns how many differed."""
    old = _stored(database, detection_id, concerned)
    wanted = {star.key for star in stars}
    gone = [group_id for key, (group_id, _, _) in old.items() if key not in wanted]
    changed = len(gone)
    emptied = list(gone)
    rows: list[tuple[Any, ...]] = []
    for star in stars:
        values, members = _values(star, files), _members(star, turns)
        # What the group frees is an estimate, until its proposal is known.
        estimate = 0 if star.scene else _size(star, files) - files[star.reference_id][0].size_bytes
        known = old.get(star.key)
        if known is None:
            group_id = database.execute_sql(
                f"INSERT INTO duplicate_group (detection_id, key, changed_ns, reclaimable_bytes,"
                f" {', '.join(GROUP_COLUMNS)}) VALUES (?, ?, ?, ?, {', '.join('?' * len(GROUP_COLUMNS))})",
                (detection_id, star.key, now_ns, estimate, *values),
            ).lastrowid
        elif known[1:] == (values, members):
            continue
        else:
            group_id = known[0]
            database.execute_sql(
                "UPDATE duplicate_group SET changed_ns = ?, reclaimable_bytes = ?, estimated = 1,"
                f" {', '.join(f'{name} = ?' for name in GROUP_COLUMNS)} WHERE id = ?",
                (now_ns, estimate, *values, group_id),
            )
            emptied.append(group_id)
        changed += 1
        rows += [(group_id, *member) for member in members]
    for chunk in chunks(emptied):
        database.execute_sql(f"DELETE FROM member WHERE group_id IN ({','.join('?' * len(chunk))})", chunk)
    for chunk in chunks(gone):
        database.execute_sql(f"DELETE FROM duplicate_group WHERE id IN ({','.join('?' * len(chunk))})", chunk)
    database.connection().executemany(
        "INSERT INTO member (group_id, content_id, position, kind, distance, turn) VALUES (?, ?, ?, ?, ?, ?)", rows
    )
    _recount_decided(database, concerned)
    return changed


def _stored(
    database: SqliteDatabase, detection_id: int, references: Iterable[int]
) -> dict[str, tuple[int, GroupValues, list[MemberValues]]]:
    """The stored groups around these contents by key: the row id, the values, and the members in order."""
    found: dict[str, tuple[int, GroupValues, list[MemberValues]]] = {}
    members: dict[int, list[MemberValues]] = {}
    for chunk in chunks(references):
        marks = ",".join("?" * len(chunk))
        for group_id, key, *values in database.execute_sql(
            f"SELECT id, key, {', '.join(GROUP_COLUMNS)} FROM duplicate_group"
            f" WHERE +detection_id = ? AND reference_id IN ({marks})",
            (detection_id, *chunk),
        ):
            members[group_id] = []
            found[key] = group_id, tuple(values), members[group_id]
    for chunk in chunks(members):
        for group_id, *member in database.execute_sql(
            "SELECT group_id, content_id, position, kind, distance, turn FROM member"
            f" WHERE group_id IN ({','.join('?' * len(chunk))}) ORDER BY group_id, position",
            chunk,
        ):
            content_id, position, kind, distance, turn = member
            members[group_id].append((content_id, position, kind, distance, turn))
    return found


def _size(star: Star, files: Mapping[int, Sequence[File]]) -> int:
    return sum(file.size_bytes for content_id in _content_ids(star) for file in files[content_id])


def _values(star: Star, files: Mapping[int, Sequence[File]]) -> GroupValues:
    present = [file for content_id in _content_ids(star) for file in files[content_id]]
    return (
        str(star.kind),
        star.reference_id,
        len(present),
        _size(star, files),
        star.confidence,
        int(star.scene),
        max(file.mtime_ns for file in present),
    )


def _members(star: Star, turns: Mapping[tuple[int, int], str]) -> list[MemberValues]:
    """The members in order, the reference first. Each has the turn that, applied to the reference, gives the member."""
    members: list[MemberValues] = [(star.reference_id, 0, str(Kind.EXACT), 0, str(Turn.NONE))]
    for position, edge in enumerate(star.edges, start=1):
        turn = turns.get((edge.a_id, edge.b_id), str(Turn.NONE))
        if edge.a_id != star.reference_id:
            turn = str(Turn(turn).inverse)
        members.append((star.member_id(edge), position, str(edge.kind), edge.distance, turn))
    return members


def _content_ids(star: Star) -> list[int]:
    return star.member_ids


def _recount_decided(database: SqliteDatabase, content_ids: set[int]) -> None:
    """Update the number of decided images. A decision counts only while its image has the bytes it was made for."""
    for chunk in chunks(content_ids):
        rows = database.execute_sql(
            f"SELECT DISTINCT group_id FROM member WHERE content_id IN ({','.join('?' * len(chunk))})", chunk
        )
        recount(database, [row[0] for row in rows.fetchall()])
