"""The one SQLite file: opened, read by anybody, written by one thread.

Every change is a function of the database, run by the writer thread inside BEGIN IMMEDIATE; its result or its error
comes back on a future. Readers each have a connection of their own that refuses to write. `revision` counts the
commits, so that whoever shows things can wait for the next one instead of asking again and again.

An index that is damaged or gone is replaced at the start (see recovery). One that turns out to be so while it is open
makes `fault` say so, and is to be closed and opened again: what was deleted under us is put back by closing.
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

from index.errors import NoRoom, StoreClosed, StoreDamaged, StoreError
from index.lock import DataLock
from index.private_folder import make_private, restrict_files
from index.upkeep import lineage
from index.upkeep.backups import Backups, is_damage, sync_folder, write_copy
from index.upkeep.lineage import Doubt
from index.upkeep.recovery import recover
from index.upkeep.upgrade import upgrade
from index.upkeep.witness import Mark, Witness

log = logging.getLogger(__name__)

T = TypeVar("T")
Change = Callable[[SqliteDatabase], Any]

# Caches of 64 and 16 MB, which an index of that size fills twice over, spared 4 % of the processor time of 20,000 new
# contents beside 100,000, and none of reading: the system has the same pages in memory. Each thread that reads has one.
# synchronous=FULL: a decision that was answered with "done" must be there after a power loss.
WRITING = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "busy_timeout": 5_000,
    "journal_size_limit": 64 * 2**20,
    "cache_size": -8_000,
}
# Only the writer checkpoints: SQLite before 3.51.3 can corrupt a file when two connections do so at one instant.
READING = {"query_only": 1, "busy_timeout": 10_000, "wal_autocheckpoint": 0, "cache_size": -500}


class Store:
    """The index of one data folder. Any thread may read and ask for changes; `close` drains what was asked."""

    def __init__(self, data_dir: Path, backups_kept: int = 3) -> None:
        """Open the index of `data_dir`, making, restoring or migrating it.

        `recovered` says what was restored, `put_back` what was ended because somebody had put an earlier index back;
        "" where nothing was. Raises AlreadyRunning and StoreError.
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
            raise StoreError(
                f"The data folder {data_dir} cannot be used: {error.strerror}.",
                "Choose another with data_dir in comparimg.toml or --data-dir.",
            ) from error
        try:
            self.recovered = recover(self.path, self.backups, lambda path: upgrade(SqliteDatabase(str(path)), path))
            if self.recovered:
                log.error("%s", self.recovered)
            self._writing = SqliteDatabase(str(self.path), pragmas=WRITING)
            # Not made where it is missing: a reader would put an empty index in the place of one that is gone.
            self._reading = SqliteDatabase(f"{self.path.absolute().as_uri()}?mode=rw", pragmas=READING, uri=True)
            is_new = not (self.path.exists() and self.path.stat().st_size)
            upgrade(self._writing, self.path, self.backups)
            self._file = _file_at(self.path)
            # SQLite gives its log the mode of the index, which may have been made just now.
            restrict_files(data_dir)
            self.put_back, self._witness = self._admit(is_new)
        except (DatabaseError, sqlite3.Error, OSError) as error:
            self._lock.close()
            if _is_full(data_dir):
                raise NoRoom(
                    f"The index {self.path} cannot be opened: its disk is full.",
                    "Make room there; what was indexed before is kept.",
                ) from error
            raise StoreError(
                f"The index {self.path} cannot be opened: {error}.",
                "Another program may hold it, or its disk may be full or read-only; the photographs are not touched.",
            ) from error
        except BaseException:
            self._lock.close()
            raise
        self._queue: queue.SimpleQueue[tuple[Change, Future[Any]] | None] = queue.SimpleQueue()
        self._committed = threading.Condition()
        self._revision = 0
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._write, name="comparimg-writer")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[SqliteDatabase]:
        """The database for the questions of this thread; nested calls share one connection."""
        if self._closed:
            raise StoreClosed("The index is closed.")
        is_outermost = self._reading.is_closed()
        try:
            if is_outermost:
                self._reading.connect()
            yield self._reading
        except DatabaseError as error:
            raise self._in_words(error, "read") from error
        finally:
            if is_outermost:
                self._reading.close()

    def submit(self, change: Callable[[SqliteDatabase], T]) -> "Future[T]":
        """Queue a change; the future gives its result once it is committed, or the error that rolled it back."""
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise StoreClosed("The index is closed.")
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
        """Wait until `revision` is beyond `seen`, the time is over or the index is closed; give the revision."""
        with self._committed:
            self._committed.wait_for(lambda: self._revision > seen or self._closed, timeout_s)
            return self._revision

    @property
    def writer_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def fault(self) -> str:
        """Why the index must be closed and opened anew, or ""; looks whether its file is still the one it opened."""
        if not self._fault and not self._closed and _file_at(self.path) != self._file:
            self._fault = f"The index {self.path} was deleted or replaced while it was in use."
        return self._fault

    @property
    def mark(self) -> Mark | None:
        """Which index this is and how far it is, for what is kept outside of it; None where its tables have no such."""
        with self.read() as database:
            return self._mark_in(database)

    def end_as_put_back(self, counter: int) -> None:
        """End everything unfinished that changes files: the manifests of the trashes hold a higher `counter`, so this
        index is an earlier copy that was put back."""

        def end(database: SqliteDatabase) -> str:
            return lineage.renew(database.connection(), self.path, Doubt.MANIFESTS, counter, time.time_ns())

        self.put_back = self.write(end)
        log.error("%s", self.put_back)

    def keep_lock(self) -> None:
        """Hold the data folder also where somebody deleted the lock file. To be called now and then."""
        self._lock.keep()

    def back_up(self) -> Path:
        """Make a copy of the whole index while it is in use, in place of the oldest one. Raises StoreError."""
        try:
            with self.read() as database:
                return self.backups.take(database.connection())
        except StoreDamaged as error:
            self._fault = self._fault or error.message
            raise
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"No copy of the index could be made in {self.backups.folder}: {error}.") from error

    def close(self) -> None:
        """Make the changes asked for so far, then stop. May be called again."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()
        self._lock.close()

    def _admit(self, is_new: bool) -> tuple[str, Witness | None]:
        self._writing.connect()
        try:
            told, witness = lineage.admit(
                self.path, self._writing.connection(), is_new=is_new, was_restored=bool(self.recovered),
                now_ns=time.time_ns(),
            )  # fmt: skip
        finally:
            self._writing.close()
        if told:
            log.error("%s", told)
        return told, witness

    def _mark_in(self, database: SqliteDatabase) -> Mark | None:
        return None if self._witness is None else Mark(*database.execute_sql(lineage.QUESTION).fetchone())

    def _write(self) -> None:
        try:
            self._write_all()
        finally:
            self._refuse_the_rest()

    def _refuse_the_rest(self) -> None:
        """However the thread ended, nobody waits for a change that will not be made."""
        with self._closing:
            self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                entry = self._queue.get_nowait()
                if entry is not None and entry[1].set_running_or_notify_cancel():
                    entry[1].set_exception(StoreClosed("The index is closed."))
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
                future.set_exception(self._in_words(error, "changed"))
                continue
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked, not to this thread
                future.set_exception(error)
                continue
            with self._committed:
                self._revision += 1
                self._committed.notify_all()
            future.set_result(result)
        if self.fault:
            self._rescue()
        else:
            try:
                if self._witness is not None:
                    self._transact(lambda database: lineage.count_if_unfinished(database.connection()))
                self._writing.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            except DatabaseError as error:
                log.warning("the log of %s stays beside it: %s", self.path, error)
        self._writing.close()

    def _rescue(self) -> None:
        """Put the index back where its file was deleted: as long as it is open, all of it is still there."""
        if _file_at(self.path) is not None:
            return
        partial = self.path.with_name(f"{self.path.stem}-partial{self.path.suffix}")
        try:
            partial.unlink(missing_ok=True)
            mark = self._mark_in(self._writing)
            write_copy(self._writing.connection(), partial)
            self._writing.close()
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            os.replace(partial, self.path)
            sync_folder(self.path.parent)
            if self._witness is not None and mark is not None:
                self._witness.follow(mark)
        except (DatabaseError, sqlite3.Error, OSError) as error:
            log.error("the index %s, deleted while it was in use, could not be put back: %s", self.path, error)
        else:
            log.warning("the index %s, deleted while it was in use, was put back with all that was in it", self.path)

    def _transact(self, change: Callable[[SqliteDatabase], T]) -> T:
        """Not peewee's atomic(): on a full disk SQLite rolls back by itself, and the second rollback would raise."""
        self._writing.execute_sql("BEGIN IMMEDIATE")
        try:
            result = change(self._writing)
            mark = self._mark_in(self._writing)
            self._writing.execute_sql("COMMIT")
        except BaseException:
            if self._writing.connection().in_transaction:
                self._writing.execute_sql("ROLLBACK")
            raise
        if self._witness is not None and mark is not None:
            # Only after the commit: the index is never behind what is told of it outside.
            self._witness.keep(mark)
        return result

    def _in_words(self, error: DatabaseError, done: str) -> StoreError:
        # peewee's error carries SQLite's, which alone has the code.
        cause = getattr(error, "orig", error)
        message = f"The index {self.path} could not be {done}: {error}."
        if is_damage(cause):
            self._fault = self._fault or message
            return StoreDamaged(message, "Start ComparImg again: it restores the last copy of the index.")
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(self.data_dir)):
            return NoRoom(message, "Make room on its disk; what was indexed before is kept.")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(message, "Another program holds it: close that, and start the job again.")
        return StoreError(message)


def _is_full(folder: Path) -> bool:
    """SQLite tells of its shared memory that it could not grow as of a failing disk."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free < 2**20
    return False


def _file_at(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
