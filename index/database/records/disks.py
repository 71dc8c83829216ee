"""The file systems that watched folders stand on, and the images of those that are away.

Another disk that is mounted at a folder has other files at the same paths. The images of the one before, with what was
decided about them, are put aside until it is back. Every function takes the database it works on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.errors import NotFound
from index.model import Identity
from index.records import catalogue
from index.schema_disks import Disk, DiskImage

PAGE = 5000
# Enough to tell whether these are the files that were there.
SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Standing:
    """On which file system a folder stands: `identity` tells it from others, "" where that is not known; `place` is
    the folder's own in it."""

    folder: bytes
    identity: str
    place: bytes


@dataclass(frozen=True, slots=True)
class AwayDisk:
    """A file system that is away from a folder, and how many images of it are kept, decided ones among them."""

    id: int
    root_id: int
    folder: bytes
    identity: str
    seen_ns: int
    images: int
    decided: int


def present(database: SqliteDatabase, root_id: int) -> dict[bytes, Standing]:
    """The folders of a root of which it is known on which file system they stand: the root's own, and mount points."""
    rows = Disk.select().where(Disk.root == root_id, Disk.present).order_by(Disk.folder).execute(database)
    return {bytes(row.folder): Standing(bytes(row.folder), row.identity, bytes(row.place)) for row in rows}


def record(database: SqliteDatabase, root_id: int, standing: Standing, now_ns: int) -> None:
    """A folder stands on this file system from now on."""
    there = (Disk.root == root_id, Disk.folder == standing.folder, Disk.present)
    Disk.update(present=False).where(*there).execute(database)
    disk_id = _disk(database, root_id, standing, now_ns)
    Disk.update(present=True, seen_ns=now_ns).where(Disk.id == disk_id).execute(database)
    _drop_empty(database, root_id)


def put_away(
    database: SqliteDatabase, root_id: int, standing: Standing, deeper: Collection[bytes], now_ns: int
) -> set[int]:
    """Put aside the images at and below a folder, without those of `deeper` folders, as ones of this file system.
    The contents concerned."""
    disk_id = _disk(database, root_id, standing, now_ns)
    where, values = _at_or_below("i.path", standing.folder)
    for folder in deeper:
        other, more = _at_or_below("i.path", folder)
        where += f" AND NOT {other}"
        values += more
    touched: set[int] = set()
    while True:
        paths = [
            row[0]
            for row in database.execute_sql(
                f"SELECT i.path FROM image i WHERE i.root_id = ? AND {where} LIMIT ?", (root_id, *values, PAGE)
            )
        ]
        if not paths:
            return touched
        for some in catalogue.chunks(paths):
            database.execute_sql(
                "INSERT OR REPLACE INTO disk_image (disk_id, path, device, inode, size_bytes, mtime_ns, content_id,"
                " digest, choice, destination, origin, criterion, order_id, decided_for, decided_ns)"
                " SELECT ?, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, i.content_id, coalesce(c.digest, x''),"
                " coalesce(d.choice, ''), coalesce(d.destination, ''), coalesce(d.origin, ''),"
                " coalesce(d.criterion, ''), d.order_id, coalesce(d.digest, x''), coalesce(d.decided_ns, 0)"
                " FROM image i LEFT JOIN content c ON c.id = i.content_id LEFT JOIN decision d ON d.image_id = i.id"
                f" WHERE i.path IN ({','.join('?' * len(some))})",
                (disk_id, *some),
            )
            touched |= catalogue.forget_images(database, some)


def bring_back(database: SqliteDatabase, root_id: int, standing: Standing, device: int, now_ns: int) -> set[int]:
    """The file system is there again, under this device number: its images are in the index as they were. Those that
    are gone from it are for a walk to find out. The contents concerned."""
    rows = database.execute_sql(
        "SELECT p.path, p.inode, p.size_bytes, p.mtime_ns, p.content_id FROM disk_image p"
        " JOIN disk k ON k.id = p.disk_id AND k.root_id = ? AND k.folder = ? AND k.identity = ? AND k.place = ?"
        " WHERE p.content_id IS NOT NULL",
        (root_id, standing.folder, standing.identity, standing.place),
    ).fetchall()
    touched: set[int] = set()
    for path, inode, size_bytes, mtime_ns, content_id in rows:
        identity = Identity(device, inode, size_bytes, mtime_ns)
        touched |= catalogue.link_image(database, root_id, bytes(path), identity, content_id, now_ns)
    return touched | carry_over(database, root_id)


def carry_over(database: SqliteDatabase, root_id: int) -> set[int]:
    """Of images that were put aside: where the index has the same bytes at the same path, on whatever file system, what
    was decided holds for those, and nothing is put aside any more. The contents concerned."""
    same = (
        " FROM disk_image p JOIN disk k ON k.id = p.disk_id AND k.root_id = ? JOIN image i ON i.path = p.path"
        " JOIN content c ON c.id = i.content_id AND c.digest = p.digest"
    )
    database.execute_sql(
        "INSERT OR IGNORE INTO decision"
        " (image_id, choice, destination, origin, criterion, order_id, digest, decided_ns)"
        " SELECT i.id, p.choice, p.destination, p.origin, p.criterion, p.order_id, p.decided_for, p.decided_ns"
        f"{same} WHERE p.choice <> '' ORDER BY p.decided_ns DESC",
        (root_id,),
    )
    found = database.execute_sql(f"SELECT p.id, i.content_id{same}", (root_id,)).fetchall()
    for some in catalogue.chunks([row[0] for row in found]):
        DiskImage.delete().where(DiskImage.id.in_(some)).execute(database)
    _drop_empty(database, root_id)
    return {row[1] for row in found}


def sample(database: SqliteDatabase, root_id: int, folder: bytes) -> dict[bytes, Identity]:
    """Some of the images at and below a folder, with their identities."""
    where, values = _at_or_below("path", folder)
    rows = database.execute_sql(
        f"SELECT path, device, inode, size_bytes, mtime_ns FROM image WHERE root_id = ? AND {where}"
        " ORDER BY random() LIMIT ?",
        (root_id, *values, SAMPLE),
    )
    return {bytes(row[0]): Identity._make(row[1:]) for row in rows}


def away(database: SqliteDatabase) -> Sequence[AwayDisk]:
    """The file systems that are away from watched folders and of which images are kept, the last seen first."""
    rows = database.execute_sql(
        "SELECT k.id, k.root_id, k.folder, k.identity, k.seen_ns, count(*), sum(p.choice <> '') FROM disk k"
        " JOIN root r ON r.id = k.root_id AND r.watched JOIN disk_image p ON p.disk_id = k.id"
        " GROUP BY k.id ORDER BY k.seen_ns DESC, k.id DESC"
    )
    return [AwayDisk(row[0], row[1], bytes(row[2]), *row[3:]) for row in rows]


def forget(database: SqliteDatabase, disk_id: int) -> None:
    """Keep no images of a file system that is away any more, nor what was decided about them. Raises NotFound."""
    if not DiskImage.delete().where(DiskImage.disk == disk_id).execute(database):
        raise NotFound(f"There is no disk {disk_id} that is away.")
    Disk.delete().where(Disk.id == disk_id, ~Disk.present).execute(database)


def _drop_empty(database: SqliteDatabase, root_id: int) -> None:
    database.execute_sql(
        "DELETE FROM disk WHERE root_id = ? AND NOT present"
        " AND NOT EXISTS (SELECT 1 FROM disk_image WHERE disk_image.disk_id = disk.id)",
        (root_id,),
    )


def _disk(database: SqliteDatabase, root_id: int, standing: Standing, now_ns: int) -> int:
    key = (root_id, standing.folder, standing.identity, standing.place)
    database.execute_sql(
        "INSERT OR IGNORE INTO disk (root_id, folder, identity, place, present, seen_ns) VALUES (?, ?, ?, ?, 0, ?)",
        (*key, now_ns),
    )
    row: Any = database.execute_sql(
        "SELECT id FROM disk WHERE root_id = ? AND folder = ? AND identity = ? AND place = ?", key
    ).fetchone()
    return int(row[0])


def _at_or_below(column: str, folder: bytes) -> tuple[str, list[bytes]]:
    top = folder.rstrip(b"/")
    return f"({column} = ? OR ({column} >= ? AND {column} < ?))", [folder, top + b"/", top + b"0"]
