"""The one SQLite file: opened, read by any thread, written by one.

Every change is a function of the database that the writer thread runs inside BEGIN IMMEDIATE; its result or error is
returned by a future. Each reader has a connection of its own that refuses to write. `revision` counts the commits, so
that the page and REST can wait for the next one instead of polling.

An index that is damaged or missing is replaced at the start (upkeep.recovery). If that happens while it is open,
`fault` is set, and the store must be closed and opened again; closing it restores a file that was deleted.
"""

import contextlib
import logging
import os
import queue
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from peewee import DatabaseError, SqliteDatabase

from index.database import path_parts
from index.database.lock import DataLock
from index.database.private_folder import make_private, restrict_files
from index.database.readers import Readers
from index.database.upkeep import clean_stop, lineage
from index.database.upkeep.backups import Backups, copy_index, is_damage_error, sync_folder
from index.database.upkeep.lineage import Doubt
from index.database.upkeep.lineage_files import LineageFiles, LineageMark
from index.database.upkeep.recovery import recover
from index.database.upkeep.upgrade import upgrade
from index.errors import NoRoom, StoreClosed, StoreDamaged, StoreError
from index.messages import Message, of_os_error

log = logging.getLogger(__name__)

T = TypeVar("T")
Change = Callable[[SqliteDatabase], Any]

# Small caches: 64 MB for writing and 16 MB for reading saved 4 % of the processor time of adding 20,000 contents to
# 100,000, and nothing of reading, as the system caches the same pages; and each thread that reads has its own cache.
# synchronous=FULL: a decision that was acknowledged must survive a power loss.
WRITING = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "busy_timeout": 5_000,
    "journal_size_limit": 64 * 2**20,
    "cache_size": -8_000,
}


class Store:
    """The index of one data folder. Any thread may read and submit changes; `close` waits for those submitted."""

    def __init__(self, data_dir: Path, backups_kept: int = 3, *, check_later: bool = False) -> None:
        """Open the index of `data_dir`; create, restore or migrate it where necessary.

        `recovered` describes what was restored; `put_back` describes what was ended because the index had been
        replaced by an earlier copy; each is "" where there is nothing to say. With `check_later` an index that a clean
        stop left is checked in the background (see `wait_until_checked`), any other before it is opened.

        Raises AlreadyRunning and StoreError.
        """
        self.data_dir = data_dir
        self.path = data_dir / "index.sqlite3"
        self.backups = Backups(data_dir, backups_kept)
        self._fault = ""
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = DataLock(self.path)
            make_private(data_dir)
        except OSError as error:
            raise StoreError("index.no_data_folder", folder=data_dir, error=of_os_error(error)) from error
        try:
            is_clean = clean_stop.take(self.path) and check_later
            self.recovered = recover(
                self.path, self.backups, lambda path: upgrade(SqliteDatabase(str(path)), path), is_clean=is_clean
            )
            if self.recovered:
                log.error("%s", self.recovered)
            self._writing = SqliteDatabase(str(self.path), pragmas=WRITING)
            self._reading = Readers(self.path)
            is_new = not (self.path.exists() and self.path.stat().st_size)
            upgrade(self._writing, self.path, self.backups)
            self._file_id = _file_id(self.path)
            # SQLite gives its log the mode of the index, which may have been created just now.
            restrict_files(data_dir)
            self.put_back, self._lineage_files = self._check_lineage(is_new)
        except (DatabaseError, sqlite3.Error, OSError) as error:
            self._lock.close()
            if _is_full(data_dir):
                raise NoRoom("index.disk_full", path=self.path) from error
            raise StoreError("index.unopenable", path=self.path, error=error) from error
        except BaseException:
            self._lock.close()
            raise
        self._queue: queue.SimpleQueue[tuple[Change, Future[Any]] | None] = queue.SimpleQueue()
        self._committed = threading.Condition()
        self._revision = 0
        self._closed = False
        self._closing = threading.Lock()
        self._check = clean_stop.CheckInBackground(self.path, self._report_damage) if is_clean else None
        self._thread = threading.Thread(target=self._write, name="comparimg-writer")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[SqliteDatabase]:
        """The database for queries of this thread; nested calls share one connection."""
        if self._closed:
            raise StoreClosed("index.closed")
        is_outermost = self._reading.is_closed()
        try:
            if is_outermost:
                self._reading.connect()
            yield self._reading
        except DatabaseError as error:
            raise self._store_error(error) from error
        finally:
            if is_outermost:
                self._reading.close()

    def submit(self, change: Callable[[SqliteDatabase], T]) -> "Future[T]":
        """Queue a change. The future returns its result once it is committed, or raises the error that rolled it
        back."""
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise StoreClosed("index.closed")
            self._queue.put((change, future))
        return future

    def write(self, change: Callable[[SqliteDatabase], T]) -> T:
        """Make a change and wait until it is committed."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a change may not wait for another change")
        return self.submit(change).result()

    @property
    def revision(self) -> int:
        """How many changes were committed since the index was opened."""
        return self._revision

    def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Wait until `revision` exceeds `seen`, the timeout ends or the index is closed. Returns the revision."""
        with self._committed:
            self._committed.wait_for(lambda: self._revision > seen or self._closed, timeout_s)
            return self._revision

    @property
    def writer_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def fault(self) -> str:
        """Why the index must be closed and opened again, or "". Checks whether its file is still the one that was
        opened."""
        if not self._fault and not self._closed and _file_id(self.path) != self._file_id:
            self._fault = f"The index {self.path} was deleted or replaced while it was in use."
        return self._fault

    @property
    def mark(self) -> LineageMark | None:
        """The identity and counter of this index, to be recorded outside of it; None if its tables have none."""
        with self.read() as database:
            return self._read_mark(database)

    def end_as_put_back(self, counter: int) -> None:
        """End all unfinished work that changes files. To be called when the manifests of the trashes hold a higher
        `counter`: this index is then an earlier copy that was put back."""

        def end(database: SqliteDatabase) -> str:
            return lineage.start_new_lineage(database.connection(), self.path, Doubt.MANIFESTS, counter, time.time_ns())

        self.put_back = self.write(end)
        log.error("%s", self.put_back)

    def wait_until_checked(self, timeout_s: float = 0.0) -> bool:
        """Whether the pages of the index are known to be whole, waiting for that at most so long. Until then nothing
        that changes files may run: a damaged page may name another file."""
        return self._check is None or self._check.passed.wait(timeout_s)

    def _report_damage(self, problem: str) -> None:
        self._fault = self._fault or f"The index {self.path} is damaged: {problem}"
        log.error("%s", self._fault)

    def renew_lock(self) -> None:
        """Lock the data folder again if the lock file was deleted. To be called periodically."""
        self._lock.renew()

    def back_up(self) -> Path:
        """Make a backup of the index while it is in use, in place of the oldest one. Raises StoreError."""
        try:
            with self.read() as database:
                return self.backups.create(database.connection())
        except StoreDamaged as error:
            self._fault = self._fault or str(error)
            raise
        except (sqlite3.Error, OSError) as error:
            raise StoreError("index.no_copy", folder=self.backups.folder, error=error) from error

    def close(self) -> None:
        """Make the changes submitted so far, then stop. May be called again."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if self._check is not None:
            self._check.stop()
        self._thread.join()
        self._lock.close()

    def _check_lineage(self, is_new: bool) -> tuple[str, LineageFiles | None]:
        self._writing.connect()
        try:
            self._indexes_paths = self._writing.table_exists("path_change")
            message, lineage_files = lineage.check_on_open(
                self.path, self._writing.connection(), is_new=is_new, was_restored=bool(self.recovered),
                now_ns=time.time_ns(),
            )  # fmt: skip
        finally:
            self._writing.close()
        if message:
            log.error("%s", message)
        return message, lineage_files

    def _read_mark(self, database: SqliteDatabase) -> LineageMark | None:
        return (
            None if self._lineage_files is None else LineageMark(*database.execute_sql(lineage.MARK_QUERY).fetchone())
        )

    def _write(self) -> None:
        try:
            self._write_all()
        finally:
            self._fail_pending()

    def _fail_pending(self) -> None:
        """Raise StoreClosed for every change still queued, so that no caller waits forever, however the thread
        ended."""
        with self._closing:
            self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                entry = self._queue.get_nowait()
                if entry is not None and entry[1].set_running_or_notify_cancel():
                    entry[1].set_exception(StoreClosed("index.closed"))
        with self._committed:
            self._committed.notify_all()

    def _write_all(self) -> None:
        self._writing.connect(reuse_if_open=True)
        while (entry := self._queue.get()) is not None:
            change, future = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = self._transact(change)
            except DatabaseError as error:
                future.set_exception(self._store_error(error))
                continue
            except BaseException as error:  # noqa: BLE001 - to be raised by the caller, not in this thread
                future.set_exception(error)
                continue
            with self._committed:
                self._revision += 1
                self._committed.notify_all()
            future.set_result(result)
        # The last connection to be closed checkpoints: that must be the writer's.
        self._reading.end()
        if self.fault:
            self._restore_deleted_file()
        else:
            try:
                if self._lineage_files is not None:
                    self._transact(lambda database: lineage.raise_if_unfinished(database.connection()))
                self._writing.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                if self._lineage_files is not None and self.wait_until_checked():
                    clean_stop.record(self.path, self._writing.connection())
            except (DatabaseError, sqlite3.Error, OSError) as error:
                log.warning("the log of %s stays next to it: %s", self.path, error)
        self._writing.close()

    def _restore_deleted_file(self) -> None:
        """Write the index to its path again if its file was deleted: while it is open, all of it can be read."""
        if _file_id(self.path) is not None:
            return
        partial = self.path.with_name(f"{self.path.stem}-partial{self.path.suffix}")
        try:
            partial.unlink(missing_ok=True)
            mark = self._read_mark(self._writing)
            copy_index(self._writing.connection(), partial)
            self._writing.close()
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            os.replace(partial, self.path)
            sync_folder(self.path.parent)
            if self._lineage_files is not None and mark is not None:
                self._lineage_files.write_for_new_file(mark)
        except (DatabaseError, sqlite3.Error, OSError) as error:
            log.error("the index %s, deleted while it was in use, could not be put back: %s", self.path, error)
        else:
            log.warning("the index %s, deleted while it was in use, was put back with all that was in it", self.path)

    def _transact(self, change: Callable[[SqliteDatabase], T]) -> T:
        """Run a change in a transaction. Not peewee's atomic(): on a full disk SQLite itself rolls back, and a second
        rollback would raise."""
        self._writing.execute_sql("BEGIN IMMEDIATE")
        try:
            result = change(self._writing)
            if self._indexes_paths:
                path_parts.index_changes(self._writing)
            mark = self._read_mark(self._writing)
            self._writing.execute_sql("COMMIT")
        except BaseException:
            if self._writing.connection().in_transaction:
                self._writing.execute_sql("ROLLBACK")
            raise
        if self._lineage_files is not None and mark is not None:
            # Only after the commit: the index must never be behind what is recorded outside of it.
            self._lineage_files.write(mark)
        return result

    def _store_error(self, error: DatabaseError) -> StoreError:
        # peewee's error wraps that of SQLite, which alone has the code.
        cause = getattr(error, "orig", error)
        message = Message("index.failed", path=self.path, error=error)
        if is_damage_error(cause):
            self._fault = self._fault or str(message)
            return StoreDamaged(message, hint=Message("index.damaged_hint"))
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(self.data_dir)):
            return NoRoom(message, hint=Message("index.full_hint"))
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(message, hint=Message("index.held_hint"))
        return StoreError(message)


def _is_full(folder: Path) -> bool:
    """Whether the disk of the index is full. SQLite reports shared memory that cannot grow as an I/O error."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free < 2**20
    return False


def _file_id(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
