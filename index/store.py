"""The one SQLite file: opened, read by anybody, written by one thread.

Every change is a function of the database, run by the writer thread inside BEGIN IMMEDIATE; its result or its error
comes back on a future. Readers each have a connection of their own that refuses to write. `revision` counts the
commits, so that whoever shows things can wait for the next one instead of asking again and again.
"""

import contextlib
import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from peewee import DatabaseError, SqliteDatabase
from playhouse.migrations import MigrationError, Runner

from index.errors import AlreadyRunning, StoreClosed, StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")
Change = Callable[[SqliteDatabase], Any]

MIGRATIONS = Path(__file__).with_name("migrations")

# synchronous=FULL: a decision that was answered with "done" must be there after a power loss.
WRITING = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "busy_timeout": 10_000,
    "journal_size_limit": 64 * 2**20,
    "cache_size": -64_000,
}
# Only the writer checkpoints: SQLite before 3.51.3 can corrupt a file when two connections do so at one instant.
READING = {"query_only": 1, "busy_timeout": 10_000, "wal_autocheckpoint": 0, "cache_size": -16_000}

BACKUPS_KEPT = 3


class Store:
    """The index of one data folder. Any thread may read and ask for changes; `close` drains what was asked."""

    def __init__(self, data_dir: Path) -> None:
        """Open the index of `data_dir`, making or migrating it. Raises AlreadyRunning and StoreError."""
        self.data_dir = data_dir
        self.path = data_dir / "index.sqlite3"
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _lock(data_dir / "lock")
        except OSError as error:
            raise StoreError(
                f"The data folder {data_dir} cannot be used: {error.strerror}.",
                "Choose another with data_dir in comparimg.toml or --data-dir.",
            ) from error
        try:
            self._writing = SqliteDatabase(str(self.path), pragmas=WRITING)
            self._reading = SqliteDatabase(str(self.path), pragmas=READING)
            _migrate(self._writing, self.path)
        except (DatabaseError, sqlite3.Error) as error:
            self._lock.close()
            raise StoreError(
                f"The index {self.path} cannot be opened: {error}.",
                "Move it away to have it built anew; the photographs are not touched.",
            ) from error
        except StoreError:
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
        if not self._reading.is_closed():
            yield self._reading
            return
        self._reading.connect()
        try:
            yield self._reading
        finally:
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

    def back_up(self, target: Path) -> None:
        """Copy the whole index to `target` while it is in use."""
        partial = target.with_suffix(".partial")
        with self.read() as database, sqlite3.connect(partial) as copy:
            database.connection().backup(copy)
        copy.close()
        os.replace(partial, target)

    def close(self) -> None:
        """Make the changes asked for so far, then stop. May be called again."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()
        self._lock.close()

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
                future.set_exception(_in_words(error, self.path))
                continue
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked, not to this thread
                future.set_exception(error)
                continue
            with self._committed:
                self._revision += 1
                self._committed.notify_all()
            future.set_result(result)
        try:
            self._writing.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        except DatabaseError as error:
            log.warning("the log of %s stays beside it: %s", self.path, error)
        self._writing.close()

    def _transact(self, change: Callable[[SqliteDatabase], T]) -> T:
        """Not peewee's atomic(): on a full disk SQLite rolls back by itself, and the second rollback would raise."""
        self._writing.execute_sql("BEGIN IMMEDIATE")
        try:
            result = change(self._writing)
            self._writing.execute_sql("COMMIT")
        except BaseException:
            if self._writing.connection().in_transaction:
                self._writing.execute_sql("ROLLBACK")
            raise
        return result


def _in_words(error: DatabaseError, path: Path) -> StoreError:
    hint = ""
    if "full" in str(error):
        hint = "Make room on its disk, then start the job again; what was indexed before is kept."
    return StoreError(f"The index {path} could not be changed: {error}.", hint)


def _lock(path: Path) -> Any:
    """Hold the data folder for this process; the lock goes with the process, however it ends."""
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.seek(0)
        holder = handle.read().strip()
        handle.close()
        raise AlreadyRunning(
            f"Another ComparImg (process {holder or 'unknown'}) is using {path.parent}.",
            "Stop it, or name another folder with --data-dir.",
        ) from error
    handle.seek(0)
    handle.truncate()
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def _migrate(database: SqliteDatabase, path: Path) -> None:
    """Bring the tables to this program's shape, with a copy of the index kept before any change to them."""
    database.connect()
    try:
        runner = Runner(database, str(MIGRATIONS))
        status = runner.status()
        newer = [migration.name for migration in status if migration.path is None]
        if newer:
            raise StoreError(
                f"The index {path} was made by a newer ComparImg (it has {newer[0]}).",
                "Install that version again, or give this one another data folder.",
            )
        pending = [migration for migration in status if not migration.applied]
        if pending and len(pending) < len(status):
            _back_up_before(database, path, pending[0].name)
        runner.up()
    except MigrationError as error:
        raise StoreError(f"The index {path} could not be migrated: {error}") from error
    finally:
        database.close()


def _back_up_before(database: SqliteDatabase, path: Path, migration: str) -> None:
    target = path.with_name(f"{path.stem}-before-{migration}.sqlite3")
    with sqlite3.connect(target) as copy:
        database.connection().backup(copy)
    copy.close()
    log.info("kept a copy of the index before %s: %s", migration, target)
    copies = sorted(path.parent.glob(f"{path.stem}-before-*.sqlite3"), key=lambda file: file.stat().st_mtime)
    for old in copies[:-BACKUPS_KEPT]:
        old.unlink()
