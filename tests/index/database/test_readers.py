"""Connections kept between uses: each reader sees the newest commit, and none is left open."""

import sqlite3
import threading
from pathlib import Path

import pytest
from peewee import OperationalError

from index.database import readers
from index.database.readers import Readers


@pytest.fixture
def writing(tmp_path: Path):
    writer = sqlite3.connect(tmp_path / "index.sqlite3", isolation_level=None)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("CREATE TABLE number (value INTEGER)")
    writer.executemany("INSERT INTO number VALUES (?)", [(value,) for value in range(1000)])
    yield writer
    writer.close()


@pytest.fixture
def reading(tmp_path: Path, writing: sqlite3.Connection):
    made = Readers(tmp_path / "index.sqlite3")
    yield made
    made.end()


def kept(reading: Readers) -> list[object]:
    return [connection for _, _, connection in reading._connections]


def count(reading: Readers) -> int:
    reading.connect()
    try:
        return int(reading.execute_sql("SELECT count(*) FROM number").fetchone()[0])
    finally:
        reading.close()


def test_one_connection_serves_one_reader_after_another(reading: Readers) -> None:
    reading.connect()
    first = reading.connection()
    reading.close()
    reading.connect()
    assert reading.connection() is first
    reading.close()


def test_each_reader_sees_the_newest_commit(reading: Readers, writing: sqlite3.Connection) -> None:
    assert count(reading) == 1000
    writing.execute("DELETE FROM number WHERE value < 10")
    assert count(reading) == 990


def test_a_query_that_was_left_half_read_does_not_hold_the_next_reader_back(
    reading: Readers, writing: sqlite3.Connection
) -> None:
    reading.connect()
    left = reading.execute_sql("SELECT value FROM number")
    assert left.fetchone() == (0,)
    reading.close()
    writing.execute("DELETE FROM number WHERE value < 10")
    assert count(reading) == 990
    del left


def test_no_reader_writes(reading: Readers) -> None:
    for _ in range(2):
        reading.connect()
        with pytest.raises(OperationalError, match="readonly"):
            reading.execute_sql("DELETE FROM number")
        reading.close()


def test_more_threads_read_at_once_than_connections_are_kept(reading: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "KEPT", 2)
    together = threading.Barrier(6)
    counts: list[int] = []

    def read() -> None:
        reading.connect()
        together.wait(20)
        counts.append(reading.execute_sql("SELECT count(*) FROM number").fetchone()[0])
        together.wait(20)
        reading.close()

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1000] * 6
    assert len(kept(reading)) == 2


def test_after_the_end_nothing_stays_open(reading: Readers) -> None:
    reading.connect()
    reading.end()
    assert reading.execute_sql("SELECT count(*) FROM number").fetchone() == (1000,)
    reading.close()
    assert not kept(reading)


def test_an_index_that_is_gone_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(OperationalError):
        count(Readers(tmp_path / "gone.sqlite3"))
    assert not (tmp_path / "gone.sqlite3").exists()
