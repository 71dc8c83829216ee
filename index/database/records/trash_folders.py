"""The trash folders that are known, and how far the manifest of each was read."""

from collections.abc import Iterable
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.schema import TrashHome


@dataclass(frozen=True, slots=True)
class Home:
    """One trash folder. `inode`, `size_bytes` and `mtime_ns` are those of the manifest when it was last read, up to
    `read_bytes`; `tail` is what stands just before. `objection`: why the folder is not used, or ""."""

    folder: bytes
    inode: int = 0
    size_bytes: int = 0
    mtime_ns: int = 0
    read_bytes: int = 0
    tail: bytes = b""
    objection: str = ""


def note(database: SqliteDatabase, folders: Iterable[bytes]) -> None:
    """Remember trash folders, those that are known as they are."""
    for folder in sorted(folders):
        TrashHome.insert(folder=folder).on_conflict_ignore().execute(database)


def every(database: SqliteDatabase) -> dict[bytes, Home]:
    """What is known of each trash folder."""
    found = {}
    for row in TrashHome.select().dicts().execute(database):
        folder, tail = bytes(row["folder"]), bytes(row["tail"])
        found[folder] = Home(**{**row, "folder": folder, "tail": tail})
    return found


def keep(database: SqliteDatabase, home: Home) -> None:
    """Remember how far a manifest was read."""
    TrashHome.insert({name: getattr(home, name) for name in Home.__slots__}).on_conflict_replace().execute(database)


def read_again(database: SqliteDatabase, folder: bytes) -> None:
    """Have a manifest read from its start at the next look: a file came to the place in it without a new line."""
    TrashHome.update(inode=0, read_bytes=0).where(TrashHome.folder == folder).execute(database)
