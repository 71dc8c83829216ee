"""EDGE: records a clean stop of an index, so that the next start need not wait for a check of all of it.

`index.clean` has the inode, size and time of the index file at the end of a stop that left no work unfinished. The next
start removes it. It does not match an index that was written to since, restored or copied, and a killed service leaves
none. In these cases, the index is checked before anything else; otherwise in the background (CheckInBackground).
"""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from index.database.upkeep.backups import is_damage_error, quick_check, sync_folder
from index.database.upkeep.unfinished import is_unfinished

log = logging.getLogger(__name__)

FILE: Final = "index.clean"


def record(index: Path, database: sqlite3.Connection) -> None:
    """Record a clean stop. Call it after the last checkpoint, with the connection that made it. Does nothing if work on
    files is unfinished or in doubt, or if the log is not empty. Raises sqlite3.Error and OSError."""
    if is_unfinished(database) or database.execute("SELECT 1 FROM step WHERE state = 'doing'").fetchone():
        return
    with contextlib.suppress(FileNotFoundError):
        if Path(f"{index}-wal").stat().st_size:
            return
    mark = index.with_name(FILE)
    partial = mark.with_name(f"{FILE}.partial")
    with open(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(_state_of(index))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, mark)
    sync_folder(index.parent)


def take(index: Path) -> bool:
    """Whether the index is as a clean stop left it. Removes the record of that stop. Raises OSError."""
    mark = index.with_name(FILE)
    try:
        recorded = mark.read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        recorded = ""
    mark.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        return bool(recorded) and recorded == _state_of(index)
    return False


def _state_of(index: Path) -> str:
    status = index.stat()
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}\n"


class CheckInBackground:
    """Checks the pages of an index in its own thread, while the index is in use. Sets `passed` if all are intact;
    otherwise calls `on_damage` with the damage."""

    def __init__(self, index: Path, on_damage: Callable[[str], None]) -> None:
        self.passed = threading.Event()
        self._on_damage = on_damage
        self._database = sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="comparimg-checker")
        self._thread.start()

    def stop(self) -> None:
        """End the check, which then has not passed. May be called again."""
        self._stopped = True
        with contextlib.suppress(sqlite3.ProgrammingError):  # the check has ended
            self._database.interrupt()
        self._thread.join()

    def _run(self) -> None:
        try:
            # Interrupting a query that has not begun has no effect, so the handler checks as well.
            self._database.set_progress_handler(lambda: int(self._stopped), 10_000)
            fault = quick_check(self._database)
            if fault:
                self._on_damage(fault)
            else:
                self.passed.set()
        except sqlite3.DatabaseError as error:
            if is_damage_error(error):
                self._on_damage(str(error))
            elif not self._stopped:
                self._on_damage(f"it cannot be checked: {error}")
        finally:
            self._database.close()
