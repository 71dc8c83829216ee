"""Recovery at start-up: rebuilds a missing or damaged index from its newest intact backup and all readable rows.

The tables with people's work (verdicts, decisions, settings, moved files) are read from the damaged file as far as
possible. The data about pictures comes from the backup, and the first scan brings it up to date. The damaged file is
kept under another name; nothing is deleted. Jobs and batches that are unfinished in the result are ended: nothing that
changes files is resumed from it.
"""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from index.database.upkeep.backups import Backups, find_damage, sync_folder
from index.database.upkeep.unfinished import end_unfinished

# Tables that can be rebuilt from the files, or are only for one run. Every other table has people's work, so a new
# table is salvaged unless it is added here.
DERIVED: Final = frozenset(
    {
        "root", "holding", "content", "region", "feature", "image", "problem", "detection", "judgement", "match",
        "tally", "duplicate_group", "member", "job", "concerned", "concerned_before", "quarantine", "unjudged",
        "assumed",        "schema_migration", "lineage",
        "path_change", "path_part", "path_part_config", "path_part_data", "path_part_idx",
    }
)  # fmt: skip
# The header at the start of a database file (https://www.sqlite.org/fileformat.html).
HEADER_BYTES: Final = 100
# The suffixes of a database file, and of the files that SQLite keeps next to it.
SUFFIXES: Final = ("", "-wal", "-shm", "-journal")


def recover(path: Path, backups: Backups, upgrade: Callable[[Path], None], *, is_clean: bool = False) -> str:
    """Make sure that there is an intact index at `path`, if there ever was one. Returns a message for people about what
    was done, "" if nothing was.

    `upgrade` migrates the index in a file, or creates it. If `is_clean`, the index is not checked. May be interrupted
    at any point and called again. Raises sqlite3.Error if the index cannot be checked (because it is locked, which is
    no damage), OSError, and whatever `upgrade` raises.
    """
    ready = restored_path(path)
    exists = path.exists()
    if exists and path.stat().st_size:
        fault = "" if is_clean else find_damage(path)
        if not fault:
            ready.unlink(missing_ok=True)
            return ""
    else:
        fault = "it is empty" if exists else "it is missing"
        if not ready.exists() and not backups.newest_first():
            return ""
    if ready.exists():
        # An earlier call was interrupted when only the renaming was left to do.
        set_aside(path)
        install(ready, path)
        return f"The index {path} could not be used ({fault}), and was restored."
    return _rebuild(path, ready, fault, backups, upgrade)


def _rebuild(path: Path, ready: Path, fault: str, backups: Backups, upgrade: Callable[[Path], None]) -> str:
    partial = path.with_name(f"{path.stem}-partial{path.suffix}")
    remove_index_files(partial)
    copy = next((backup for backup in backups.newest_first() if _is_whole(backup)), None)
    if copy is not None:
        shutil.copyfile(copy, partial)
    upgrade(partial)
    taken = 0
    with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as target:
        if path.exists() and path.stat().st_size:
            with _readable(path, copy) as source:
                taken = salvage(source, target)
        # Rows from the damaged file are included: it is unknown how far it is behind the files.
        target.execute("BEGIN IMMEDIATE")
        end_unfinished(target, time.time_ns(), but=())
        target.execute("COMMIT")
        target.execute("PRAGMA journal_mode = delete")
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    os.replace(partial, ready)
    aside = set_aside(path)
    install(ready, path)
    sentences = [f"The index {path} could not be used: {fault}."]
    if copy is None:
        sentences.append("There is no copy of it, so it is rebuilt: every picture is read again.")
    else:
        made = datetime.fromtimestamp(copy.stat().st_mtime).astimezone().strftime("%Y-%m-%d %H:%M")
        sentences.append(f"Its copy of {made} takes its place; what has changed since is found by the first scan.")
    if aside is not None:
        sentences.append(
            f"The damaged file is kept as {aside}; {taken} rows of what people decided were read out of it."
        )
    return " ".join(sentences)


@contextlib.contextmanager
def _readable(damaged: Path, copy: Path | None) -> Iterator[Path]:
    """The damaged index itself or, if its first page is lost, a copy of it with the first page of the backup.

    That page says where each table begins, which only migrations change.
    """
    if copy is None or _has_tables(damaged):
        yield damaged
        return
    repaired = damaged.with_name(f"{damaged.stem}-repaired{damaged.suffix}")
    try:
        shutil.copyfile(damaged, repaired)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{damaged}-wal", f"{repaired}-wal")
        with copy.open("rb") as whole, repaired.open("r+b") as file:
            head = bytearray(whole.read(HEADER_BYTES))
            page_bytes = int.from_bytes(head[16:18], "big") or 65536
            file.write(head + whole.read(page_bytes - HEADER_BYTES))
            # The number of pages, which differs from that of the backup.
            file.seek(28)
            file.write((repaired.stat().st_size // page_bytes).to_bytes(4, "big"))
        yield repaired
    finally:
        remove_index_files(repaired)


def _has_tables(index: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=rw", uri=True)) as database:
            return bool(_tables(database))
    except sqlite3.DatabaseError:
        return False


def _is_whole(copy: Path) -> bool:
    try:
        return not find_damage(copy)
    except (sqlite3.Error, OSError):
        return False


def restored_path(path: Path) -> Path:
    """The path of a restored index that is about to replace the one at `path`. If that is interrupted, the next start
    completes it."""
    return path.with_name(f"{path.stem}-restored{path.suffix}")


def set_aside(path: Path, word: str = "damaged") -> Path | None:
    """Rename an index and the files that SQLite keeps next to it. Returns the new path, None if there is no index."""
    number = 1
    while (aside := path.with_name(f"{path.stem}-{word}-{number}{path.suffix}")).exists():
        number += 1
    # The index itself comes last. So after an interruption it is still found, and the call is repeated.
    for suffix in reversed(SUFFIXES):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    sync_folder(path.parent)
    return aside if aside.exists() else None


def install(ready: Path, path: Path) -> None:
    """Rename a restored index, which is already synced to disk, to the path of the one that was set aside."""
    for suffix in SUFFIXES[1:]:
        # SQLite would apply a leftover log to the new index.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")
    os.replace(ready, path)
    sync_folder(path.parent)


def remove_index_files(path: Path) -> None:
    """Remove an index file of our own in the data folder, and the files that SQLite keeps next to it."""
    for suffix in SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


# Salvaging people's work


def salvage(damaged: Path, target: sqlite3.Connection) -> int:
    """Copy the rows of every table that is not derived from a damaged index. Returns the number of copied rows.

    A table that can be read to its end replaces the target's table, so that rows deleted since the backup stay deleted.
    For any other table, the readable rows are added. `target` must not be in a transaction.
    """
    taken = 0
    # Opened for writing, since its log may have to be replayed: the log has the newest rows.
    source = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=rw", uri=True)
    target.execute("PRAGMA foreign_keys = 0")
    target.execute("BEGIN IMMEDIATE")
    try:
        for table, columns in _tables(target).items():
            if table not in DERIVED:
                taken += _copy_rows(source, target, table, columns)
        taken -= _repair_references(source, target)
        _mark_verdicts_stale(target)
        target.execute("COMMIT")
    finally:
        source.close()
        if target.in_transaction:
            target.execute("ROLLBACK")
    return taken


def _tables(database: sqlite3.Connection) -> dict[str, list[str]]:
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name: [row[1] for row in database.execute(f'PRAGMA table_info("{name}")')] for (name,) in names.fetchall()}


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection, table: str, columns: Sequence[str]) -> int:
    try:
        known = {row[1] for row in source.execute(f'PRAGMA table_info("{table}")')}
    except sqlite3.DatabaseError:
        return 0
    shared = [column for column in columns if column in known]
    if not shared:
        return 0
    names = ", ".join(f'"{column}"' for column in shared)
    key = [row[1] for row in target.execute(f'PRAGMA table_info("{table}")') if row[5]]
    reading = _TableReader(source, f'SELECT {names} FROM "{table}"', key)
    rows = dict.fromkeys(reading)
    if reading.is_complete:
        target.execute(f'DELETE FROM "{table}"')
    marks = ", ".join("?" * len(shared))
    taken = 0
    for row in rows:
        # A row that violates a constraint is damaged, too.
        with contextlib.suppress(sqlite3.DatabaseError):
            target.execute(f'INSERT OR REPLACE INTO "{table}" ({names}) VALUES ({marks})', row)
            taken += 1
    return taken


class _TableReader:
    """Reads the rows of a table from its start and, if a page in the middle is unreadable, also from its end."""

    def __init__(self, source: sqlite3.Connection, question: str, key: Sequence[str]) -> None:
        self.is_complete = False
        self._source = source
        self._question = question
        self._order = ", ".join(f'"{column}" DESC' for column in key)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._source.execute(self._question)
            self.is_complete = True
        except sqlite3.DatabaseError:
            if self._order:
                with contextlib.suppress(sqlite3.DatabaseError):
                    yield from self._source.execute(f"{self._question} ORDER BY {self._order}")


def _repair_references(source: sqlite3.Connection, target: sqlite3.Connection) -> int:
    """Copy the rows to which the salvaged rows refer (the image of a decision, its content), and drop salvaged rows
    whose references cannot be read. Returns the number of dropped rows. A row that the target has under the same path
    or digest is not replaced."""
    dropped = 0
    sought: dict[tuple[str, int], bool] = {}
    while rows := [row for row in target.execute("PRAGMA foreign_key_check") if row[1] is not None]:
        brought: dict[tuple[str, int], bool] = {}
        for table, rowid, parent, number in rows:
            column = next(row[3] for row in target.execute(f'PRAGMA foreign_key_list("{table}")') if row[0] == number)
            reference = target.execute(f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', (rowid,)).fetchone()
            if reference is None:
                continue
            wanted = (parent, reference[0])
            if wanted not in brought:
                # Copied in an earlier round and missing again: it was dropped because of its own references.
                brought[wanted] = wanted not in sought and _copy_row(source, target, *wanted)
            if not brought[wanted]:
                target.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rowid,))
                dropped += table not in DERIVED
        sought |= brought
    return dropped


def _copy_row(source: sqlite3.Connection, target: sqlite3.Connection, table: str, row_id: int) -> bool:
    columns = _tables(target)[table]
    names = ", ".join(f'"{column}"' for column in columns)
    try:
        row = source.execute(f'SELECT {names} FROM "{table}" WHERE id = ?', (row_id,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    if row is None:
        return False
    marks = ", ".join("?" * len(columns))
    return target.execute(f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({marks})', row).rowcount > 0


def _mark_verdicts_stale(target: sqlite3.Connection) -> None:
    """Have all groups with verdicts rebuilt. The groups of the backup do not respect salvaged verdicts."""
    target.execute(
        "INSERT OR IGNORE INTO concerned (content_id) SELECT content.id FROM content"
        " WHERE digest IN (SELECT a_digest FROM verdict UNION SELECT b_digest FROM verdict)"
    )
