"""The files of groups for the sort job: the path of each, its other paths, and its decision.

Reads only. The groups are those of the library and of limited searches. A group's files are those in the folders of its
detection, one entry for each file on disk.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from peewee import SqliteDatabase

from index.database.records.decisions import AWAY, SHOWN
from index.database.records.images import chunks
from index.database.records.matches import within_folders
from index.database.records.sql_paging import Where
from index.model import Choice, Identity

_CHOICES: Final = {str(choice): choice for choice in Choice}


class GroupFile(NamedTuple):
    """A file of a group. A tuple, since a plan makes one for each file of each group.

    `also_at` are its other paths in watched folders. It is `protected` if any path is, and `online` if all are.
    `choice` is None without a decision, or with a stale one. `decided_ns` is when it was made, and `kept_digest` the
    digest of the image that was to stay then (records.decisions.record_keepers); empty if not recorded. `look` is a
    perceptual hash of 256 bits, `kept_look` that of the image that was to stay, with its pixels. `metadata` names the
    blocks in the file, and "taken" if it has a date.
    """

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
    pixels: int = 0
    indexed_ns: int = 0
    decided_ns: int = 0
    kept_digest: bytes = b""
    look: bytes = b""
    kept_look: tuple[bytes, int] = (b"", 0)

    @property
    def stays(self) -> bool:
        return self.choice not in AWAY

    @property
    def inode(self) -> tuple[int, int]:
        return self.identity.device, self.identity.inode


@dataclass(frozen=True, slots=True)
class SortGroup:
    """A group: its public id, and its files, those of the reference first."""

    key: str
    files: tuple[GroupFile, ...]


def groups_with(database: SqliteDatabase, content_ids: Iterable[int]) -> list[SortGroup]:
    """The groups that contain any of these contents, with all their files, ordered by public id."""
    keys = _group_keys(database, content_ids)
    files = _files(database, list(keys))
    return sorted(
        (SortGroup(keys[group_id], tuple(files[group_id])) for group_id in files), key=lambda group: group.key
    )


def with_group_members(database: SqliteDatabase, content_ids: Iterable[int]) -> set[int]:
    """These contents and all others of their groups that have a file."""
    found = set(content_ids)
    in_folders = within_folders(database)
    for chunk in chunks(_group_keys(database, found)):
        where = Where()
        where.add(f"g.id IN ({','.join('?' * len(chunk))})", *chunk)
        where.add(*in_folders)
        rows = database.execute_sql(
            "SELECT DISTINCT m.content_id FROM duplicate_group g CROSS JOIN member m ON m.group_id = g.id"
            " JOIN image i ON i.content_id = m.content_id JOIN root r ON r.id = i.root_id AND r.watched"
            f" WHERE {where}",
            where.values,
        )
        found.update(row[0] for row in rows)
    return found


def _group_keys(database: SqliteDatabase, content_ids: Iterable[int]) -> dict[int, str]:
    """The public ids of the groups that contain any of these contents, by their row id."""
    keys: dict[int, str] = {}
    for chunk in chunks(content_ids):
        rows = database.execute_sql(
            f"SELECT DISTINCT g.id, g.key FROM member m JOIN duplicate_group g ON g.id = m.group_id AND {SHOWN}"
            f" WHERE m.content_id IN ({','.join('?' * len(chunk))})",
            chunk,
        )
        keys.update(rows.fetchall())
    return keys


def decided_contents(database: SqliteDatabase, keys: Sequence[str] = ()) -> list[int]:
    """The contents of the images with a decision other than to keep them; only those in the groups `keys`, if any are
    given."""
    away = ",".join(f"'{choice}'" for choice in AWAY)
    decided = (
        "SELECT DISTINCT i.content_id FROM decision d JOIN image i ON i.id = d.image_id"
        " JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
        f" WHERE d.choice IN ({away}) AND i.content_id IS NOT NULL"
    )
    if not keys:
        return [row[0] for row in database.execute_sql(decided)]
    content_ids: set[int] = set()
    for chunk in chunks(keys):
        rows = database.execute_sql(
            f"{decided} AND i.content_id IN (SELECT m.content_id FROM member m JOIN duplicate_group g"
            f" ON g.id = m.group_id AND {SHOWN} WHERE g.key IN ({','.join('?' * len(chunk))}))",
            chunk,
        )
        content_ids.update(row[0] for row in rows)
    return sorted(content_ids)


@dataclass(frozen=True, slots=True)
class LostDecision:
    """A decision that cannot be carried out because its image is no longer in a group, or has changed."""

    image_id: int
    path: bytes
    identity: Identity
    choice: Choice
    reason: str


def lost_decisions(database: SqliteDatabase) -> list[LostDecision]:
    """Decisions other than to keep that cannot be carried out: the image has changed, or left all its groups."""
    away = ",".join(f"'{choice}'" for choice in AWAY)
    rows = database.execute_sql(
        "SELECT i.id, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, d.choice,"
        " d.digest IS NOT (SELECT c.digest FROM content c WHERE c.id = i.content_id)"
        " FROM decision d JOIN image i ON i.id = d.image_id"
        " JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
        f" WHERE d.choice IN ({away}) AND (d.digest IS NOT (SELECT c.digest FROM content c WHERE c.id = i.content_id)"
        " OR NOT EXISTS (SELECT 1 FROM member m JOIN duplicate_group g ON g.id = m.group_id"
        f" AND {SHOWN} WHERE m.content_id = i.content_id))"
        " ORDER BY i.path"
    )
    return [
        LostDecision(image_id, bytes(path), Identity(*identity), Choice(choice), "changed" if changed else "no_group")
        for image_id, path, *identity, choice, changed in rows
    ]


def _files(database: SqliteDatabase, group_ids: Sequence[int]) -> dict[int, list[GroupFile]]:
    in_folders = within_folders(database)
    by_inode: dict[int, dict[tuple[int, int], GroupFile]] = defaultdict(dict)
    for chunk in chunks(group_ids):
        where = Where()
        where.add(f"m.group_id IN ({','.join('?' * len(chunk))})", *chunk)
        where.add(*in_folders)
        rows = database.execute_sql(
            "SELECT m.group_id, i.id, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, i.content_id, c.digest,"
            " c.failure, c.metadata, c.taken, r.protected, r.state, d.choice, d.destination, d.digest,"
            " c.width * c.height, i.indexed_ns, d.decided_ns, d.keeper,"
            " substr(c.hash16, 1, 32), substr(k.hash16, 1, 32), k.width * k.height"
            " FROM duplicate_group g CROSS JOIN member m ON m.group_id = g.id JOIN content c ON c.id = m.content_id"
            " JOIN image i ON i.content_id = m.content_id"
            # A temporary root is not part of the library: no file in it is removed, or counts as kept.
            " JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
            " LEFT JOIN decision d ON d.image_id = i.id LEFT JOIN content k ON k.digest = d.keeper"
            f" WHERE {where} ORDER BY m.group_id, m.position, i.path",
            where.values,
        ).fetchall()
        aliases = _path_aliases(database, {(row[3], row[4]) for row in rows})
        for row in rows:
            file, inode = _file(row), (row[3], row[4])
            files = by_inode[row[0]]
            if (first := files.get(inode)) is not None:
                # A decision on any of its paths applies to the file.
                if first.choice is None and file.choice is not None:
                    files[inode] = first._replace(
                        choice=file.choice, destination=file.destination, decided_ns=file.decided_ns,
                        kept_digest=file.kept_digest, kept_look=file.kept_look,
                    )  # fmt: skip
                continue
            others = [way for way in aliases.get(inode, ()) if way[0] != file.path] if aliases else []
            files[inode] = _with_aliases(file, others) if others else file
    return {group_id: list(files.values()) for group_id, files in by_inode.items()}


def _file(row: Sequence[Any]) -> GroupFile:
    _, image_id, path, device, inode, size, mtime, content_id, digest, failure, metadata, taken, *more = row
    protected, state, choice, destination, decided_for, pixels, indexed_ns, decided_ns, keeper, look, *kept = more
    valid = choice is not None and decided_for == digest
    return GroupFile(
        image_id, path, Identity(device, inode, size, mtime), content_id, digest, not failure, bool(protected),
        state == "online", _CHOICES[choice] if valid else None, destination if valid else "",
        _blocks(metadata, bool(taken)), (), pixels, indexed_ns, (valid and decided_ns) or 0, (valid and keeper) or b"",
        look or b"", (kept[0] or b"", kept[1] or 0) if valid else (b"", 0),
    )  # fmt: skip


@lru_cache(maxsize=256)
def _blocks(metadata: str, has_date: bool) -> frozenset[str]:
    return frozenset(filter(None, [*metadata.split(","), "taken" if has_date else ""]))


PathAlias = tuple[bytes, bool, bool]


def _with_aliases(file: GroupFile, aliases: Sequence[PathAlias]) -> GroupFile:
    return file._replace(
        protected=file.protected or any(protected for _, protected, _ in aliases),
        online=file.online and all(online for _, _, online in aliases),
        also_at=tuple(path for path, _, _ in aliases),
    )


def _path_aliases(
    database: SqliteDatabase, inodes: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], list[PathAlias]]:
    """For each of these files that has more than one path: every path, with whether it is protected and online."""
    by_device: dict[int, list[int]] = defaultdict(list)
    for device, inode in inodes:
        by_device[device].append(inode)
    aliases: dict[tuple[int, int], list[PathAlias]] = defaultdict(list)
    # By device, since the index of inodes begins with it: otherwise each statement reads all of it.
    for device, of_device in by_device.items():
        shared: list[int] = []
        for chunk in chunks(of_device):
            rows = database.execute_sql(
                f"SELECT inode FROM image WHERE device = ? AND inode IN ({','.join('?' * len(chunk))})"
                " GROUP BY inode HAVING count(*) > 1",
                (device, *chunk),
            )
            shared += [row[0] for row in rows]
        for chunk in chunks(shared):
            rows = database.execute_sql(
                "SELECT i.inode, i.path, r.protected, r.state FROM image i"
                " JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
                f" WHERE i.device = ? AND i.inode IN ({','.join('?' * len(chunk))}) ORDER BY i.path",
                (device, *chunk),
            )
            for inode, path, protected, state in rows:
                aliases[device, inode].append((bytes(path), bool(protected), state == "online"))
    return {inode: ways for inode, ways in aliases.items() if len(ways) > 1}
