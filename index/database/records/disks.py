"""The file systems of watched folders, and the images of those that are absent.

If another disk is mounted at a folder, it has other files at the same paths. The images of the previous disk are then
set aside, with their decisions, until that disk is back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.database.records import images
from index.database.records.sql_paging import at_or_below
from index.database.schema import Disk, DiskImage
from index.errors import NotFound
from index.model import Identity

PAGE = 5000
# Enough images to recognise the same files.
SAMPLE = 64


@dataclass(frozen=True, slots=True)
class DiskLocation:
    """Where a folder is: `identity` distinguishes its file system from others ("" if unknown), and `place` is the path
    of the folder within that file system."""

    folder: bytes
    identity: str
    place: bytes


@dataclass(frozen=True, slots=True)
class AwayDisk:
    """An absent file system: the folder where it was mounted, the number of its images that are kept, and how many of
    these are decided."""

    id: int
    root_id: int
    folder: bytes
    identity: str
    seen_ns: int
    images: int
    decided: int


def present_disks(database: SqliteDatabase, root_id: int) -> dict[bytes, DiskLocation]:
    """The known file systems of a root, by folder: that of the root itself, and those of mount points in it."""
    rows = Disk.select().where(Disk.root == root_id, Disk.present).order_by(Disk.folder).execute(database)
    return {bytes(row.folder): DiskLocation(bytes(row.folder), row.identity, bytes(row.place)) for row in rows}


def record(database: SqliteDatabase, root_id: int, location: DiskLocation, now_ns: int) -> None:
    """Record that a folder is on this file system from now on."""
    at_folder = (Disk.root == root_id, Disk.folder == location.folder, Disk.present)
    Disk.update(present=False).where(*at_folder).execute(database)
    disk_id = _disk(database, root_id, location, now_ns)
    Disk.update(present=True, seen_ns=now_ns).where(Disk.id == disk_id).execute(database)
    _drop_empty(database, root_id)


def set_aside(
    database: SqliteDatabase, root_id: int, location: DiskLocation, deeper: Collection[bytes], now_ns: int
) -> set[int]:
    """Set aside the images at and below a folder as images of this file system, except those in the `deeper` folders.
    Returns the contents affected."""
    disk_id = _disk(database, root_id, location, now_ns)
    where, (*values,) = at_or_below("i.path", location.folder)
    for folder in deeper:
        other, more = at_or_below("i.path", folder)
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
        for chunk in images.chunks(paths):
            database.execute_sql(
                "INSERT OR REPLACE INTO disk_image (disk_id, path, device, inode, size_bytes, mtime_ns, content_id,"
                " digest, choice, destination, origin, criterion, order_id, decided_for, decided_ns)"
                " SELECT ?, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, i.content_id, coalesce(c.digest, x''),"
                " coalesce(d.choice, ''), coalesce(d.destination, ''), coalesce(d.origin, ''),"
                " coalesce(d.criterion, ''), d.order_id, coalesce(d.digest, x''), coalesce(d.decided_ns, 0)"
                " FROM image i LEFT JOIN content c ON c.id = i.content_id LEFT JOIN decision d ON d.image_id = i.id"
                f" WHERE i.path IN ({','.join('?' * len(chunk))})",
                (disk_id, *chunk),
            )
            touched |= images.forget_images(database, chunk)


def restore(database: SqliteDatabase, root_id: int, location: DiskLocation, device: int, now_ns: int) -> set[int]:
    """Restore the images of a file system that is back, with its present device number. Images that were deleted
    meanwhile are noticed by the next walk. Returns the contents affected."""
    rows = database.execute_sql(
        "SELECT p.path, p.inode, p.size_bytes, p.mtime_ns, p.content_id FROM disk_image p"
        " JOIN disk k ON k.id = p.disk_id AND k.root_id = ? AND k.folder = ? AND k.identity = ? AND k.place = ?"
        " WHERE p.content_id IS NOT NULL",
        (root_id, location.folder, location.identity, location.place),
    ).fetchall()
    touched: set[int] = set()
    for path, inode, size_bytes, mtime_ns, content_id in rows:
        identity = Identity(device, inode, size_bytes, mtime_ns)
        touched |= images.link_image(database, root_id, bytes(path), identity, content_id, now_ns)
    return touched | carry_over(database, root_id)


def carry_over(database: SqliteDatabase, root_id: int) -> set[int]:
    """Move the decisions on images that were set aside to images with the same bytes at the same path, on any file
    system, and delete the former. Returns the contents affected."""
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
    rows = database.execute_sql(f"SELECT p.id, i.content_id{same}", (root_id,)).fetchall()
    for chunk in images.chunks([row[0] for row in rows]):
        DiskImage.delete().where(DiskImage.id.in_(chunk)).execute(database)
    _drop_empty(database, root_id)
    return {row[1] for row in rows}


def sample(database: SqliteDatabase, root_id: int, folder: bytes) -> dict[bytes, Identity]:
    """A random sample of the images at and below a folder, with their identities."""
    where, values = at_or_below("path", folder)
    rows = database.execute_sql(
        f"SELECT path, device, inode, size_bytes, mtime_ns FROM image WHERE root_id = ? AND {where}"
        " ORDER BY random() LIMIT ?",
        (root_id, *values, SAMPLE),
    )
    return {bytes(row[0]): Identity._make(row[1:]) for row in rows}


def away_disks(database: SqliteDatabase) -> Sequence[AwayDisk]:
    """The absent file systems with images in the index, the most recently seen first."""
    rows = database.execute_sql(
        "SELECT k.id, k.root_id, k.folder, k.identity, k.seen_ns, count(*), sum(p.choice <> '') FROM disk k"
        " JOIN root r ON r.id = k.root_id AND r.watched JOIN disk_image p ON p.disk_id = k.id"
        " GROUP BY k.id ORDER BY k.seen_ns DESC, k.id DESC"
    )
    return [AwayDisk(row[0], row[1], bytes(row[2]), *row[3:]) for row in rows]


def forget(database: SqliteDatabase, disk_id: int) -> None:
    """Delete the images of an absent file system, and their decisions. Raises NotFound."""
    if not DiskImage.delete().where(DiskImage.disk == disk_id).execute(database):
        raise NotFound("disk.unknown", disk=disk_id)
    Disk.delete().where(Disk.id == disk_id, ~Disk.present).execute(database)


def _drop_empty(database: SqliteDatabase, root_id: int) -> None:
    database.execute_sql(
        "DELETE FROM disk WHERE root_id = ? AND NOT present"
        " AND NOT EXISTS (SELECT 1 FROM disk_image WHERE disk_image.disk_id = disk.id)",
        (root_id,),
    )


def _disk(database: SqliteDatabase, root_id: int, location: DiskLocation, now_ns: int) -> int:
    key = (root_id, location.folder, location.identity, location.place)
    database.execute_sql(
        "INSERT OR IGNORE INTO disk (root_id, folder, identity, place, present, seen_ns) VALUES (?, ?, ?, ?, 0, ?)",
        (*key, now_ns),
    )
    row: Any = database.execute_sql(
        "SELECT id FROM disk WHERE root_id = ? AND folder = ? AND identity = ? AND place = ?", key
    ).fetchone()
    return int(row[0])
