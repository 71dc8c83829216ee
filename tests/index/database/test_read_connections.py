"""Connections for reading: kept for the next read, never for another file, and none after the end."""

import os
import threading
from pathlib import Path

import pytest

from index.database.read_connections import KEPT
from index.database.store import Store
from index.errors import StoreError


def connection_of(store: Store) -> int:
    with store.read() as database:
        return id(database.connection())


def open_indexes(path: Path) -> int:
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum(os.path.exists(link) and os.path.realpath(link) == str(path.resolve()) for link in links)


def test_a_connection_is_used_again_by_any_thread_and_sees_what_was_written(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        first = connection_of(store)
        store.write(lambda database: database.execute_sql("INSERT INTO clearing (created_ns) VALUES (7)"))
        seen: list[object] = []

        def read() -> None:
            with store.read() as database, store.read() as inner:
                assert inner.connection() is database.connection()
                seen.append(id(database.connection()))
                seen.append(database.execute_sql("SELECT created_ns FROM clearing").fetchone())

        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
        assert seen == [first, (7,)]


def test_few_are_kept_and_none_after_the_end(tmp_path: Path) -> None:
    store = Store(tmp_path)
    gate = threading.Barrier(KEPT + 4)

    def read() -> None:
        with store.read() as database:
            database.execute_sql("SELECT 1 FROM image").fetchall()
            gate.wait()

    threads = [threading.Thread(target=read) for _ in range(KEPT + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store._reading._idle) == KEPT
    store.close()
    assert open_indexes(store.path) == 0
    assert not Path(f"{store.path}-wal").exists()


def test_none_reads_on_from_a_file_that_was_deleted(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        connection_of(store)
        store.path.unlink()
        with pytest.raises(StoreError), store.read() as database:
            database.execute_sql("SELECT 1 FROM image").fetchall()
        assert store.fault
    assert store.path.exists(), "the end writes it again"


def test_one_that_met_an_error_is_not_kept(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        with store.read() as database:
            failed = database.connection()
            with pytest.raises(StoreError), store.read() as inner:
                inner.execute_sql("SELECT nothing FROM image")
        with store.read() as database:
            assert database.connection() is not failed
