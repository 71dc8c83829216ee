"""The known trash folders, and how far the manifest of each was read."""

from collections.abc import Iterable
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.database.journal_schema import TrashHome
from index.messages import Message


@dataclass(frozen=True, slots=True)
class TrashFolder:
    """One trash folder.

    `inode`, `size_bytes` and `mtime_ns` describe the manifest when it was last read, up to `read_bytes`. `tail` has the
    bytes just before that position. `objection` is the reason why the folder is not used.
    """

    folder: bytes
    inode: int = 0
    size_bytes: int = 0
    mtime_ns: int = 0
    read_bytes: int = 0
    tail: bytes = b""
    objection: Message | None = None


def record(database: SqliteDatabase, folders: Iterable[bytes]) -> None:
    """Store trash folders; known ones are left as they are."""
    for folder in sorted(folders):
        TrashHome.insert(folder=folder).on_conflict_ignore().execute(database)


def all_folders(database: SqliteDatabase) -> dict[bytes, TrashFolder]:
    """All trash folders, by path."""
    folders = {}
    for row in TrashHome.select().dicts().execute(database):
        folder, tail = bytes(row["folder"]), bytes(row["tail"])
        folders[folder] = TrashFolder(**{**row, "folder": folder, "tail": tail})
    return folders


def update(database: SqliteDatabase, home: TrashFolder) -> None:
    """Store how far a manifest was read."""
    TrashHome.insert({name: getattr(home, name) for name in TrashFolder.__slots__}).on_conflict_replace().execute(
        database
    )


def require_full_read(database: SqliteDatabase, folder: bytes) -> None:
    """Have a manifest read from its start next time: a file was moved into the trash without a new line in the
    manifest."""
    TrashHome.update(inode=0, read_bytes=0).where(TrashHome.folder == folder).execute(database)
