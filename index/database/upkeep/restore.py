"""Restores a backup on request, while no service uses the index. The present index is kept under another name.

Unfinished work in the backup is ended, as in every copy: upkeep.unfinished.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from index.database.lock import DataLock
from index.database.upkeep.backups import copy_index, find_damage
from index.database.upkeep.recovery import install, remove_index_files, restored_path, set_aside
from index.database.upkeep.unfinished import end_in_copy
from index.database.upkeep.upgrade import MIGRATIONS, VERSIONS
from index.errors import StoreError
from index.messages import of_os_error


def replace_index(index: Path, copy: Path) -> Path | None:
    """Replace an index by a backup. Returns the path at which the previous index is kept, None if there was none.

    May be interrupted at any point: the next start finds one of the two. Raises AlreadyRunning. Raises StoreError if
    there is no data folder, if the backup is damaged, is no index, or is of a newer version, or if the disk fails; then
    nothing has changed.
    """
    partial = index.with_name(f"{index.stem}-partial{index.suffix}")
    try:
        lock = _locked(index)
        try:
            remove_index_files(partial)
            with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as source:
                _require_index(copy, source)
                copy_index(source, partial, lambda target: end_in_copy(target, time.time_ns()))
            fault = find_damage(partial)
            if fault:
                raise StoreError("index.copy_damaged", path=copy, problem=fault)
            ready = restored_path(index)
            os.replace(partial, ready)
            kept = set_aside(index, "replaced")
            install(ready, index)
            return kept
        finally:
            remove_index_files(partial)
            lock.close()
    except (OSError, sqlite3.Error) as error:
        problem = of_os_error(error) if isinstance(error, OSError) else error
        raise StoreError("index.copy_not_placed", path=copy, index=index, error=problem) from error


def _locked(index: Path) -> DataLock:
    try:
        return DataLock(index)
    except OSError as error:
        raise StoreError("index.no_data_folder", folder=index.parent, error=of_os_error(error)) from error


def _require_index(copy: Path, source: sqlite3.Connection) -> None:
    question = "SELECT count(*) FROM sqlite_master WHERE name = ?"
    if not source.execute(question, (VERSIONS,)).fetchone()[0]:
        raise StoreError("index.copy_not_ours", path=copy)
    ours = {path.stem for path in MIGRATIONS.glob("[0-9]*.py")}
    newer = sorted({name for (name,) in source.execute(f"SELECT name FROM {VERSIONS}")} - ours)
    if newer:
        raise StoreError("index.copy_newer", path=copy, migration=newer[0])
