"""Connections for reading that stay open between reads.

Opening one costs 2 ms of a processor, most of it for reading the schema: as much as all else that a small request asks.
"""

import sqlite3
import threading
from pathlib import Path
from typing import Any, Final

from peewee import SqliteDatabase

# As many as threads that answer requests at once; each holds the cache of its pages.
KEPT: Final = 8


class ReadConnections(SqliteDatabase):
    """A database whose closed connections are used again, by any thread, as long as its file is still the same one."""

    def __init__(self, path: Path, pragmas: dict[str, Any]) -> None:
        # mode=rw: a reader must not create an empty index in place of one that was deleted.
        super().__init__(f"{path.absolute().as_uri()}?mode=rw", pragmas=pragmas, uri=True, check_same_thread=False)
        self._path = path
        self._mutex = threading.Lock()
        self._idle: list[tuple[sqlite3.Connection, tuple[int, int] | None]] = []
        self._files: dict[int, tuple[int, int] | None] = {}
        self._keeps = True

    def close_idle(self) -> None:
        """Close those that are not in use; from now on none is kept."""
        with self._mutex:
            self._keeps = False
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def give_up(self) -> None:
        """Keep this thread's connection no longer than it is in use: it has met an error."""
        with self._mutex:
            self._files.pop(id(self.connection()), None)  # type: ignore[no-untyped-call]

    def _connect(self) -> sqlite3.Connection:
        file = file_id(self._path)
        while True:
            with self._mutex:
                connection, its_file = self._idle.pop() if self._idle else (None, None)
            if connection is None or (file is not None and its_file == file):
                break
            connection.close()
        if connection is None:
            connection = super()._connect()  # type: ignore[misc]
        with self._mutex:
            self._files[id(connection)] = file
        return connection

    def _close(self, connection: sqlite3.Connection) -> None:
        with self._mutex:
            file = self._files.pop(id(connection), None)
            is_kept = self._keeps and file is not None and len(self._idle) < KEPT and not connection.in_transaction
            if is_kept:
                self._idle.append((connection, file))
        if not is_kept:
            super()._close(connection)  # type: ignore[misc]


def file_id(path: Path) -> tuple[int, int] | None:
    """The device and inode of a file, None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
