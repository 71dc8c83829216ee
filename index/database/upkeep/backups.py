"""Copies of the index beside it: made while it is in use, verified, numbered, the oldest of them given up.

They are numbered rather than dated: a clock that was wrong once must not decide which of them is the newest. In a copy
everything that is under way has been ended, as it is put back at another time.
"""

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from index.errors import NoRoom, StoreDamaged
from index.upkeep.unfinished import end_in_copy

FOLDER: Final = "backups"
# A copy must not be what fills the disk that the index itself needs to grow on.
SPARE_BYTES: Final = 64 * 2**20
NAME: Final = re.compile(r"index-(\d{6,})(-before-.+)?\.sqlite3")


class Backups:
    """The copies in the folder `backups` of a data folder. Not for several threads at once."""

    def __init__(self, data_dir: Path, keep: int = 3) -> None:
        self.folder = data_dir / FOLDER
        self._keep = keep

    def newest_first(self) -> list[Path]:
        """Every copy there is."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return [self.folder / name for name in sorted(filter(NAME.fullmatch, names), key=_number, reverse=True)]

    def newest_ns(self) -> int | None:
        """When the newest copy was made, by the file system's clock; None where there is none."""
        copies = self.newest_first()
        return copies[0].stat().st_mtime_ns if copies else None

    def take(self, source: sqlite3.Connection, migration: str = "") -> Path:
        """Copy the index that a connection has open, whoever else writes it meanwhile, and verify the copy.

        `migration` names what is about to change the index; such copies and the plain ones are counted apart. Raises
        StoreDamaged where the index is not whole (then every earlier copy stays), NoRoom, sqlite3.Error and OSError.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._require_room(source)
        partial = self.folder / "partial"
        partial.unlink(missing_ok=True)
        try:
            write_copy(source, partial, lambda copy: end_in_copy(copy, time.time_ns()))
            told = damage(partial)
            if told:
                raise StoreDamaged(f"The index is damaged: {told}.", "Start ComparImg again: it restores a copy.")
            target = self.folder / f"index-{self._next_number():06}{migration and f'-before-{migration}'}.sqlite3"
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(self.folder)
        self._rotate()
        return target

    def _require_room(self, source: sqlite3.Connection) -> None:
        (pages,), (page_bytes,) = (source.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        needed = pages * page_bytes + SPARE_BYTES
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise NoRoom(
                f"There is no room for a copy of the index in {self.folder}: it takes {needed // 2**20} MB, "
                f"{free // 2**20} MB are free.",
                "Make room there, or set daemon.backups to 0.",
            )

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


def write_copy(
    source: sqlite3.Connection, target: Path, change: Callable[[sqlite3.Connection], None] | None = None
) -> None:
    """Copy all pages of an open index to a new file, which then stands by itself and is on the disk. What `change` does
    is in it, all of it or nothing."""
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        source.backup(copy)
        # The copy says of itself that it has a write-ahead log; one that has none can be moved as one file.
        copy.execute("PRAGMA journal_mode = delete")
        if change is not None:
            # No journal is left beside it: where this is cut off, the copy is not used.
            copy.execute("PRAGMA journal_mode = memory")
            copy.execute("BEGIN IMMEDIATE")
            change(copy)
            copy.execute("COMMIT")
    finally:
        copy.close()
    with target.open("rb") as written:
        os.fsync(written.fileno())


def damage(path: Path, patience_s: float = 10.0) -> str:
    """What is wrong with the pages of an index, in SQLite's words, or "". Takes 0.1 s for 100 MB.

    Raises sqlite3.Error where that cannot be told: another program holds it, or its disk fails.
    """
    try:
        database = sqlite3.connect(path, timeout=patience_s)
        try:
            rows: Sequence[tuple[str]] = database.execute("PRAGMA quick_check(1)").fetchall()
        finally:
            database.close()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise
    told = rows[0][0] if rows else "it tells nothing of itself"
    return "" if told == "ok" else " ".join(told.split())


def is_damage(error: BaseException) -> bool:
    """Whether an error of SQLite's says that the file itself is not what it should be."""
    # The lower byte is the kind, whatever the details above it.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
