"""Puts a copy in the place of the index on request, while no service uses it; the present index is kept.

What is unfinished in the copy is ended, as in every copy: index.upkeep.unfinished.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from index.errors import StoreError
from index.lock import DataLock
from index.upkeep.backups import damage, write_copy
from index.upkeep.recovery import put_aside, put_in_place, ready_beside, unlink
from index.upkeep.unfinished import end_in_copy
from index.upkeep.upgrade import MIGRATIONS, VERSIONS


def replace_index(index: Path, copy: Path) -> Path | None:
    """Put a copy in the place of an index; where the one before is kept, None where there was none.

    May be interrupted at any point: the next start finds the one or the other. Raises AlreadyRunning, and StoreError
    where the copy is not whole, no index, or of a newer version, and where the disk refuses; then nothing has changed.
    """
    partial = index.with_name(f"{index.stem}-partial{index.suffix}")
    try:
        lock = DataLock(index)
        try:
            unlink(partial)
            with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as source:
                _require_index(copy, source)
                write_copy(source, partial, lambda target: end_in_copy(target, time.time_ns()))
            told = damage(partial)
            if told:
                raise StoreError(f"The copy {copy} is damaged: {told}.", "comparimg-ctl index list lists the others.")
            ready = ready_beside(index)
            os.replace(partial, ready)
            kept = put_aside(index, "replaced")
            put_in_place(ready, index)
            return kept
        finally:
            unlink(partial)
            lock.close()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The copy {copy} could not be put in the place of {index}: {error}.") from error


def _require_index(copy: Path, source: sqlite3.Connection) -> None:
    question = "SELECT count(*) FROM sqlite_master WHERE name = ?"
    if not source.execute(question, (VERSIONS,)).fetchone()[0]:
        raise StoreError(f"The file {copy} is no index of ComparImg.", "comparimg-ctl index list lists the copies.")
    ours = {path.stem for path in MIGRATIONS.glob("[0-9]*.py")}
    newer = sorted({name for (name,) in source.execute(f"SELECT name FROM {VERSIONS}")} - ours)
    if newer:
        raise StoreError(
            f"The copy {copy} was made by a newer ComparImg (it has {newer[0]}).", "Install that version first."
        )
