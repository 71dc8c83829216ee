"""The files of groups as the sort job looks at them: where each is, by which other paths, and what was decided.

Reads only. A group's files are those of the current detection's folders, one for each file on disk.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from peewee import SqliteDatabase

from index.model import Choice, Identity
from index.queries.listing import current_parameters
from index.records.catalogue import chunks
from index.records.decisions import AWAY
from index.records.listing_pages import Where, below_any


@dataclass(frozen=True, slots=True)
class GroupFile:
    """A file of a group. `also_at` are the other paths in watched folders that lead to it; `protected` holds for any of
    them, `online` for all. `choice` is None where nothing (that is not stale) was decided. `metadata` names the blocks
    that it carries, with "taken" where it tells a date."""

    image_id: int
    path: bytes
    identity: Identity
    content_id: int
    digest: bytes
    readable: bool
    protected: bool
    online: bool
    choice: Choice | None
    destination: str
    metadata: frozenset[str] = frozenset()
    also_at: tuple[bytes, ...] = ()

    @property
    def stays(self) -> bool:
        return self.choice not in AWAY

    @property
    def inode(self) -> tuple[int, int]:
        return self.identity.device, self.identity.inode


@dataclass(frozen=True, slots=True)
class SortGroup:
    """One group: its public id, and its files, those of the reference first."""

    key: str
    files: tuple[GroupFile, ...]


def groups_with(database: SqliteDatabase, content_ids: Iterable[int]) -> list[SortGroup]:
    """The current groups that hold any of these contents, by their ids, with all their files."""
    keys: dict[int, str] = {}
    for some in chunks(content_ids):
        rows = database.execute_sql(
            "SELECT DISTINCT g.id, g.key FROM member m JOIN duplicate_group g ON g.id = m.group_id"
            " JOIN detection t ON t.id = g.detection_id AND t.current"
            f" WHERE m.content_id IN ({','.join('?' * len(some))})",
            some,
        )
        keys.update(rows.fetchall())
    files = _files(database, list(keys))
    return sorted((SortGroup(keys[group_id], tuple(files[group_id])) for group_id in files), key=lambda one: one.key)


def decided_contents(database: SqliteDatabase, keys: Sequence[str] = ()) -> list[int]:
    """The contents of the images that are decided to go; of the groups named only, where some are."""
    away = ",".join(f"'{choice}'" for choice in AWAY)
    decided = (
        "SELECT DISTINCT i.content_id FROM decision d JOIN image i ON i.id = d.image_id"
        f" JOIN root r ON r.id = i.root_id AND r.watched WHERE d.choice IN ({away}) AND i.content_id IS NOT NULL"
    )
    if not keys:
        return [row[0] for row in database.execute_sql(decided)]
    found: set[int] = set()
    for some in chunks(keys):
        rows = database.execute_sql(
            f"{decided} AND i.content_id IN (SELECT m.content_id FROM member m JOIN duplicate_group g"
            " ON g.id = m.group_id JOIN detection t ON t.id = g.detection_id AND t.current"
            f" WHERE g.key IN ({','.join('?' * len(some))}))",
            some,
        )
        found.update(row[0] for row in rows)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Lost:
    """A decision that cannot be carried out because its image is in no group, or not what it was any more."""

    image_id: int
    path: bytes
    identity: Identity
    choice: Choice
    reason: str


def lost_decisions(database: SqliteDatabase) -> list[Lost]:
    """Decisions to take an image away whose image changed since, or is in no group any more."""
    away = ",".join(f"'{choice}'" for choice in AWAY)
    rows = database.execute_sql(
        "SELECT i.id, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, d.choice,"
        " d.digest IS NOT (SELECT c.digest FROM content c WHERE c.id = i.content_id)"
        " FROM decision d JOIN image i ON i.id = d.image_id JOIN root r ON r.id = i.root_id AND r.watched"
        f" WHERE d.choice IN ({away}) AND (d.digest IS NOT (SELECT c.digest FROM content c WHERE c.id = i.content_id)"
        " OR NOT EXISTS (SELECT 1 FROM member m JOIN duplicate_group g ON g.id = m.group_id"
        " JOIN detection t ON t.id = g.detection_id AND t.current WHERE m.content_id = i.content_id))"
        " ORDER BY i.path"
    )
    return [
        Lost(image_id, bytes(path), Identity(*identity), Choice(choice), "changed" if changed else "no_group")
        for image_id, path, *identity, choice, changed in rows
    ]


def _files(database: SqliteDatabase, group_ids: Sequence[int]) -> dict[int, list[GroupFile]]:
    current = current_parameters(database)
    folders = () if current is None else current[1].folders
    found: dict[int, dict[tuple[int, int], GroupFile]] = defaultdict(dict)
    for some in chunks(group_ids):
        where = Where()
        where.add(f"m.group_id IN ({','.join('?' * len(some))})", *some)
        where.add(*below_any("i.path", folders))
        rows = database.execute_sql(
            "SELECT m.group_id, i.id, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, i.content_id, c.digest,"
            " c.failure, c.metadata, c.taken, r.protected, r.state, d.choice, d.destination, d.digest"
            " FROM member m JOIN content c ON c.id = m.content_id JOIN image i ON i.content_id = m.content_id"
            " JOIN root r ON r.id = i.root_id AND r.watched LEFT JOIN decision d ON d.image_id = i.id"
            f" WHERE {where} ORDER BY m.group_id, m.position, i.path",
            where.values,
        ).fetchall()
        also = _ways_to(database, {row[4] for row in rows})
        for row in rows:
            group_id, file = row[0], _file(row)
            first = found[group_id].get(file.inode)
            if first is not None:
                # Decided by another of its paths: it is one file.
                if first.choice is None and file.choice is not None:
                    found[group_id][file.inode] = replace(first, choice=file.choice, destination=file.destination)
                continue
            ways = [way for way in also.get(file.inode, ()) if way[0] != file.path]
            found[group_id][file.inode] = _with_ways(file, ways)
    return {group_id: list(files.values()) for group_id, files in found.items()}


def _file(row: Sequence[Any]) -> GroupFile:
    _, image_id, path, device, inode, size, mtime, content_id, digest, *more = row
    failure, metadata, taken, protected, state, choice, destination, decided_for = more
    valid = choice is not None and decided_for == digest
    return GroupFile(
        image_id=image_id,
        path=bytes(path),
        identity=Identity(device, inode, size, mtime),
        content_id=content_id,
        digest=bytes(digest),
        readable=not failure,
        protected=bool(protected),
        online=state == "online",
        choice=Choice(choice) if valid else None,
        destination=destination if valid else "",
        metadata=frozenset(filter(None, [*metadata.split(","), taken and "taken"])),
    )


Way = tuple[bytes, bool, bool]


def _with_ways(file: GroupFile, ways: Sequence[Way]) -> GroupFile:
    return replace(
        file,
        protected=file.protected or any(protected for _, protected, _ in ways),
        online=file.online and all(online for _, _, online in ways),
        also_at=tuple(path for path, _, _ in ways),
    )


def _ways_to(database: SqliteDatabase, inodes: Iterable[int]) -> dict[tuple[int, int], list[Way]]:
    """Of the files with these inodes that have more than one path: each path, whether protected, whether online."""
    found: dict[tuple[int, int], list[Way]] = defaultdict(list)
    for some in chunks(inodes):
        rows = database.execute_sql(
            "SELECT i.device, i.inode, i.path, r.protected, r.state FROM image i"
            f" JOIN root r ON r.id = i.root_id AND r.watched WHERE i.inode IN ({','.join('?' * len(some))})"
            " ORDER BY i.path",
            some,
        )
        for device, inode, path, protected, state in rows:
            found[device, inode].append((bytes(path), bool(protected), state == "online"))
    return {inode: ways for inode, ways in found.items() if len(ways) > 1}
