"""At the start: an index that is gone or damaged is replaced by its newest whole copy, and by what it can still tell.

Verdicts, decisions, settings, what was moved where: all that people did is in tables of its own, and is read out of
the damaged file as far as that goes. What is known of pictures comes from the copy, and the first scan brings it up to
date. The damaged file is kept beside under another name; nothing is deleted. Jobs and batches that are unfinished in
the result are ended: nothing that changes files is resumed from it.
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

from index.upkeep.backups import Backups, damage, sync_folder
from index.upkeep.unfinished import end_unfinished

# What can be made anew from the files themselves, and what is meant for one run. Every other table holds what people
# did: a table that is added counts as such without anybody thinking of it.
DERIVED: Final = frozenset(
    {
        "root", "holding", "content", "region", "feature", "image", "problem", "detection", "judgement", "match",
        "tally", "duplicate_group", "member", "job", "concerned", "suspect", "attempt", "unjudged",
        "schema_migration", "lineage",
    }
)  # fmt: skip
# The header of a database file, at its beginning (https://www.sqlite.org/fileformat.html).
HEADER_BYTES: Final = 100
# What SQLite keeps beside a database file, and what belongs to it.
BESIDE: Final = ("", "-wal", "-shm", "-journal")


def recover(path: Path, backups: Backups, upgrade: Callable[[Path], None]) -> str:
    """See to it that a whole index is at `path` if there ever was one; what was done in words, "" where nothing was.

    `upgrade` brings the index in a file to this program's shape, and makes it where there is none. May be interrupted
    at any point and called again. Raises sqlite3.Error where the index cannot be looked at (it is locked, say: that is
    no damage), OSError, and what `upgrade` raises.
    """
    ready = ready_beside(path)
    exists = path.exists()
    if exists and path.stat().st_size:
        fault = damage(path)
        if not fault:
            ready.unlink(missing_ok=True)
            return ""
    else:
        fault = "it is empty" if exists else "it is gone"
        if not ready.exists() and not backups.newest_first():
            return ""
    if ready.exists():
        # An earlier call was interrupted when all but the names was done.
        put_aside(path)
        put_in_place(ready, path)
        return f"The index {path} could not be used ({fault}), and was restored."
    return _replace(path, ready, fault, backups, upgrade)


def _replace(path: Path, ready: Path, fault: str, backups: Backups, upgrade: Callable[[Path], None]) -> str:
    partial = path.with_name(f"{path.stem}-partial{path.suffix}")
    unlink(partial)
    copy = next((one for one in backups.newest_first() if _is_whole(one)), None)
    if copy is not None:
        shutil.copyfile(copy, partial)
    upgrade(partial)
    taken = 0
    with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as target:
        if path.exists() and path.stat().st_size:
            with _readable(path, copy) as source:
                taken = salvage(source, target)
        # Also in what was read out of the damaged file: how far it is behind the files is not known.
        target.execute("BEGIN IMMEDIATE")
        end_unfinished(target, time.time_ns(), but=())
        target.execute("COMMIT")
        target.execute("PRAGMA journal_mode = delete")
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    os.replace(partial, ready)
    aside = put_aside(path)
    put_in_place(ready, path)
    words = [f"The index {path} could not be used: {fault}."]
    if copy is None:
        words.append("There is no copy of it, so it is built anew: every picture is read again.")
    else:
        made = datetime.fromtimestamp(copy.stat().st_mtime).astimezone().strftime("%Y-%m-%d %H:%M")
        words.append(f"Its copy of {made} takes its place; what has changed since is found by the first scan.")
    if aside is not None:
        words.append(f"The damaged file is kept as {aside}; {taken} rows of what people decided were read out of it.")
    return " ".join(words)


@contextlib.contextmanager
def _readable(damaged: Path, copy: Path | None) -> Iterator[Path]:
    """The damaged index itself or, where its first page is lost, one with the first page of the copy.

    That page tells where each table begins, which changes with migrations only.
    """
    if copy is None or _has_tables(damaged):
        yield damaged
        return
    mended = damaged.with_name(f"{damaged.stem}-mended{damaged.suffix}")
    try:
        shutil.copyfile(damaged, mended)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{damaged}-wal", f"{mended}-wal")
        with copy.open("rb") as whole, mended.open("r+b") as file:
            head = bytearray(whole.read(HEADER_BYTES))
            page_bytes = int.from_bytes(head[16:18], "big") or 65536
            file.write(head + whole.read(page_bytes - HEADER_BYTES))
            # How many pages there are: more than in the copy.
            file.seek(28)
            file.write((mended.stat().st_size // page_bytes).to_bytes(4, "big"))
        yield mended
    finally:
        unlink(mended)


def _has_tables(index: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=rw", uri=True)) as database:
            return bool(_tables(database))
    except sqlite3.DatabaseError:
        return False


def _is_whole(copy: Path) -> bool:
    try:
        return not damage(copy)
    except (sqlite3.Error, OSError):
        return False


def ready_beside(path: Path) -> Path:
    """Where an index stands that is about to take the place of the one at `path`, and does so at the next start where
    it was interrupted after that one was put aside."""
    return path.with_name(f"{path.stem}-restored{path.suffix}")


def put_aside(path: Path, word: str = "damaged") -> Path | None:
    """Rename an index with what SQLite keeps beside it; None where there is none."""
    number = 1
    while (aside := path.with_name(f"{path.stem}-{word}-{number}{path.suffix}")).exists():
        number += 1
    # The index itself last: an interrupted call finds it and begins again.
    for suffix in reversed(BESIDE):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    sync_folder(path.parent)
    return aside if aside.exists() else None


def put_in_place(ready: Path, path: Path) -> None:
    """Give an index that is on the disk the name of the one that was put aside."""
    for suffix in BESIDE[1:]:
        # A log without its index would be taken for the log of the one that is put there.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")
    os.replace(ready, path)
    sync_folder(path.parent)


def unlink(path: Path) -> None:
    """Remove a file of our own in the data folder, with what SQLite keeps beside it."""
    for suffix in BESIDE:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


# What people did


def salvage(damaged: Path, target: sqlite3.Connection) -> int:
    """Take over from a damaged index the rows of every table that is not derived; how many.

    A table that can be read to its end replaces the target's, as rows taken back since the copy was made are to stay
    away; of one that cannot, the rows that can be read are added. `target` is in no transaction.
    """
    taken = 0
    # Written to where its log has to be replayed, which is how the newest rows are found.
    source = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=rw", uri=True)
    target.execute("PRAGMA foreign_keys = 0")
    target.execute("BEGIN IMMEDIATE")
    try:
        for table, columns in _tables(target).items():
            if table not in DERIVED:
                taken += _take_over(source, target, table, columns)
        taken -= _mend_references(source, target)
        _concern_verdicts(target)
        target.execute("COMMIT")
    finally:
        source.close()
        if target.in_transaction:
            target.execute("ROLLBACK")
    return taken


def _tables(database: sqlite3.Connection) -> dict[str, list[str]]:
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name: [row[1] for row in database.execute(f'PRAGMA table_info("{name}")')] for (name,) in names.fetchall()}


def _take_over(source: sqlite3.Connection, target: sqlite3.Connection, table: str, columns: Sequence[str]) -> int:
    try:
        known = {row[1] for row in source.execute(f'PRAGMA table_info("{table}")')}
    except sqlite3.DatabaseError:
        return 0
    shared = [column for column in columns if column in known]
    if not shared:
        return 0
    names = ", ".join(f'"{column}"' for column in shared)
    key = [row[1] for row in target.execute(f'PRAGMA table_info("{table}")') if row[5]]
    reading = _Reading(source, f'SELECT {names} FROM "{table}"', key)
    rows = dict.fromkeys(reading)
    if reading.is_complete:
        target.execute(f'DELETE FROM "{table}"')
    marks = ", ".join("?" * len(shared))
    taken = 0
    for row in rows:
        # What does not fit is damage as well.
        with contextlib.suppress(sqlite3.DatabaseError):
            target.execute(f'INSERT OR REPLACE INTO "{table}" ({names}) VALUES ({marks})', row)
            taken += 1
    return taken


class _Reading:
    """The rows of a table from its beginning and, where a page in the middle cannot be read, from its end."""

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


def _mend_references(source: sqlite3.Connection, target: sqlite3.Connection) -> int:
    """Bring along what the rows refer to (the image of a decision, its content), and drop those that refer to nothing
    that can be read; how many. What the target has under the same path or digest is not replaced."""
    dropped = 0
    sought: dict[tuple[str, int], bool] = {}
    while rows := [row for row in target.execute("PRAGMA foreign_key_check") if row[1] is not None]:
        brought: dict[tuple[str, int], bool] = {}
        for table, rowid, parent, number in rows:
            column = next(row[3] for row in target.execute(f'PRAGMA foreign_key_list("{table}")') if row[0] == number)
            found = target.execute(f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', (rowid,)).fetchone()
            if found is None:
                continue
            wanted = (parent, found[0])
            if wanted not in brought:
                # What was brought in an earlier round and is missing again refers to nothing itself.
                brought[wanted] = wanted not in sought and _bring(source, target, *wanted)
            if not brought[wanted]:
                target.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rowid,))
                dropped += table not in DERIVED
        sought |= brought
    return dropped


def _bring(source: sqlite3.Connection, target: sqlite3.Connection, table: str, row_id: int) -> bool:
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


def _concern_verdicts(target: sqlite3.Connection) -> None:
    """The groups in the copy may not know of verdicts that were read out of the damaged file."""
    target.execute(
        "INSERT OR IGNORE INTO concerned (content_id) SELECT content.id FROM content"
        " WHERE digest IN (SELECT a_digest FROM verdict UNION SELECT b_digest FROM verdict)"
    )
