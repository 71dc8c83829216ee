"""Backups: verified, rotated copies of the index next to it, made while it is in use.

They are numbered rather than dated: a wrong clock must not decide which one is the newest. All unfinished work is ended
in a copy. Otherwise it would be resumed at another time, when the files have changed.
"""

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from index.database.upkeep.unfinished import end_in_copy
from index.errors import NoRoom, StoreDamaged

FOLDER: Final = "backups"
# A backup must not fill the disk on which the index itself has to grow.
SPARE_BYTES: Final = 64 * 2**20
NAME: Final = re.compile(r"index-(\d{6,})(-before-.+)?\.sqlite3")


class Backups:
    """The backups in the folder `backups` of a data folder. Not thread-safe."""

    def __init__(self, data_dir: Path, keep: int = 3) -> None:
        self.folder = data_dir / FOLDER
        self._keep = keep

    def newest_first(self) -> list[Path]:
        """All backups."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return [self.folder / name for name in sorted(filter(NAME.fullmatch, names), key=_number, reverse=True)]

    def newest_ns(self) -> int | None:
        """When the newest backup was made, by the file system's clock; None if there is none."""
        copies = self.newest_first()
        return copies[0].stat().st_mtime_ns if copies else None

    def create(self, source: sqlite3.Connection, migration: str = "") -> Path:
        """Back up the index of an open connection, even while it is being written, and verify the copy.

        `migration` names the migration that is about to run. Backups before migrations and daily ones are rotated
        separately. Raises StoreDamaged if the index is damaged (earlier backups are then kept), NoRoom, sqlite3.Error
        and OSError.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._require_space(source)
        partial = self.folder / "partial"
        partial.unlink(missing_ok=True)
        try:
            copy_index(source, partial, lambda copy: end_in_copy(copy, time.time_ns()))
            fault = find_damage(partial)
            if fault:
                raise StoreDamaged("index.damaged", problem=fault)
            target = self.folder / f"index-{self._next_number():06}{migration and f'-before-{migration}'}.sqlite3"
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(self.folder)
        self._rotate()
        return target

    def _require_space(self, source: sqlite3.Connection) -> None:
        (pages,), (page_bytes,) = (source.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        needed = pages * page_bytes + SPARE_BYTES
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise NoRoom("index.no_room_for_copy", folder=self.folder, needed=needed // 2**20, free=free // 2**20)

    def _next_number(self) -> int:
        copies = self.newest_first()
        return _number(copies[0].name) + 1 if copies else 1

    def _rotate(self) -> None:
        copies = self.newest_first()
        for kind in (True, False):
            for old in [copy for copy in copies if ("-before-" in copy.name) is kind][max(self._keep, 1) :]:
                old.unlink()


def _number(name: str) -> int:
    match = NAME.fullmatch(name)
    assert match is not None
    return int(match[1])


def copy_index(
    source: sqlite3.Connection, target: Path, change: Callable[[sqlite3.Connection], None] | None = None
) -> None:
    """Copy all pages of an open index to a new file that needs no log next to it, and sync it to disk.

    `change` is applied to the copy in one transaction.
    """
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        source.backup(copy)
        # The copied header requests a write-ahead log. Without one, the copy is a single file, which can be renamed.
        copy.execute("PRAGMA journal_mode = delete")
        if change is not None:
            # No journal file is needed: an interrupted copy is not used.
            copy.execute("PRAGMA journal_mode = memory")
            copy.execute("BEGIN IMMEDIATE")
            change(copy)
            copy.execute("COMMIT")
    finally:
        copy.close()
    with target.open("rb") as written:
        os.fsync(written.fileno())


def find_damage(path: Path, patience_s: float = 10.0) -> str:
    """The damage that SQLite reports in the pages of an index, "" if there is none. Takes 0.1 s for 100 MB.

    Raises sqlite3.Error if it cannot be checked: another program has locked it, or its disk fails.
    """
    try:
        database = sqlite3.connect(path, timeout=patience_s)
        try:
            return quick_check(database)
        finally:
            database.close()
    except sqlite3.DatabaseError as error:
        if is_damage_error(error):
            return str(error)
        raise


def quick_check(database: sqlite3.Connection) -> str:
    """The damage that SQLite reports in the pages of an open index, "" if there is none. Raises sqlite3.Error."""
    rows: Sequence[tuple[str]] = database.execute("PRAGMA quick_check(1)").fetchall()
    report = rows[0][0] if rows else "SQLite gave no report"
    return "" if report == "ok" else " ".join(report.split())


def is_damage_error(error: BaseException) -> bool:
    """Whether an error of SQLite means that the file is damaged, or is no database."""
    # The lower byte is the primary result code.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def sync_folder(folder: Path) -> None:
    """Sync a folder to disk, so that the names in it survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
