"""Work that is under way is known at the next start; crashes are counted for each kind of work, until it is done."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from peewee import SqliteDatabase
from playhouse.migrations import Runner

from index.database.records import quarantine
from index.database.records.quarantine import Key
from index.database.schema import Content
from index.database.store import Store
from index.database.upkeep import upgrade
from index.model import FileVersion

FILE, OTHER, STRANGE = FileVersion(b"/a", 10, 1), FileVersion(b"/b", 20, 2), FileVersion(b"/\xff", 30, 3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data") as opened:
        opened.write(lambda db: [add_content(db, number) for number in (1, 2, 3)])
        yield opened


def add_content(database: SqliteDatabase, number: int) -> None:
    names = [row[1] for row in database.execute_sql("PRAGMA table_info(content)").fetchall() if row[3] and not row[5]]
    values = [b"%d" % number if name == "digest" else "" for name in names]
    database.execute_sql(
        f"INSERT INTO content (id, {', '.join(names)}) VALUES (?, {', '.join('?' * len(names))})", (number, *values)
    )


def start(store: Store, *keys: Key, work: str = "work") -> None:
    store.write(lambda db: quarantine.start(db, work, keys))


def crash(store: Store, *keys: Key, work: str = "work") -> list[Key]:
    start(store, *keys, work=work)
    return store.write(quarantine.record_crash)


def counts(store: Store, *keys: Key, work: str = "work") -> list[int]:
    with store.read() as database:
        crashes = quarantine.crashes(database, work)
    return [crashes.of(key) for key in keys]


def rows(store: Store) -> int:
    with store.read() as database:
        return int(database.execute_sql("SELECT count(*) FROM quarantine").fetchone()[0])


@pytest.mark.parametrize("keys", [(FILE, OTHER, STRANGE), (1, 2, 3), ((1, 2), (1, 3), (2, 3))])
def test_work_under_way_at_a_crash_is_counted_and_finished_work_is_not(store: Store, keys: tuple[Key, ...]) -> None:
    first, second, third = keys
    start(store, first, second, third)
    store.write(lambda db: quarantine.finish(db, "work", [second]))
    assert counts(store, *keys) == [0, 0, 0]
    assert set(store.write(quarantine.record_crash)) == {first, third}
    assert store.write(quarantine.record_crash) == []
    assert counts(store, *keys) == [1, 0, 1]


@pytest.mark.parametrize("key", [FILE, 1, (1, 2)])
def test_crashes_add_up_until_the_work_is_done(store: Store, key: Key) -> None:
    for count in (1, 2):
        assert crash(store, key) == [key]
        assert counts(store, key) == [count]
    start(store, key)
    store.write(lambda db: quarantine.finish(db, "work", [key]))
    assert (counts(store, key), rows(store)) == ([0], 0)


@pytest.mark.parametrize(("key", "other"), [(FILE, OTHER), (1, 2), ((1, 2), (1, 3))])
def test_a_stop_as_asked_is_no_crash_and_removes_none(store: Store, key: Key, other: Key) -> None:
    crash(store, key)
    start(store, key, other)
    store.write(lambda db: quarantine.cancel(db, "work", [key, other]))
    assert store.write(quarantine.record_crash) == []
    assert (counts(store, key, other), rows(store)) == ([1, 0], 1)


def test_a_worker_that_was_lost_counts_as_well(store: Store) -> None:
    start(store, 1, 2)
    store.write(lambda db: quarantine.cancel(db, "work", [1, 2], crashed=[2]))
    assert counts(store, 1, 2) == [0, 1]


def test_each_kind_of_work_is_counted_alone(store: Store) -> None:
    crash(store, 1, work="view")
    crash(store, 1, work="describe")
    store.write(lambda db: quarantine.finish(db, "view", [1]))
    assert (counts(store, 1, work="view"), counts(store, 1, work="describe")) == ([0], [1])


def test_a_content_is_no_pair(store: Store) -> None:
    crash(store, 1)
    assert counts(store, 1, (1, 2)) == [1, 0]


def test_a_file_that_changed_is_another_one(store: Store) -> None:
    crash(store, FILE)
    changed = FILE._replace(mtime_ns=9)
    assert counts(store, FILE, changed) == [1, 0]
    crash(store, changed)
    assert (counts(store, FILE, changed), rows(store)) == ([0, 1], 1)


def test_the_entries_of_a_content_are_removed_with_it(store: Store) -> None:
    crash(store, 1, 2)
    crash(store, (1, 2), (2, 3), work="compare")
    store.write(lambda db: Content.delete().where(Content.id == 1).execute(db))
    assert (counts(store, 1, 2), counts(store, (1, 2), (2, 3), work="compare")) == ([0, 1], [0, 1])
    assert rows(store) == 2


def test_an_index_of_an_earlier_version_keeps_what_it_counted(tmp_path: Path) -> None:
    """Files, contents and pairs, with what was under way when the earlier version ended."""
    path = tmp_path / "data" / "index.sqlite3"
    path.parent.mkdir()
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for migration in upgrade.MIGRATIONS.glob("*.py"):
        if migration.name < "0018":
            (earlier / migration.name).write_bytes(migration.read_bytes())
    before = SqliteDatabase(str(path))
    Runner(before, str(earlier)).up()
    with closing(before):
        before.connect(reuse_if_open=True)
        for number in (1, 2, 3):
            add_content(before, number)
        before.execute_sql("INSERT INTO suspect VALUES (x'2F61', 0, 2), (x'2F62', 1, 0), (x'2FFF', 1, 1)")
        before.execute_sql("INSERT INTO attempt VALUES (1, 2, 'v1', 0, 2), (1, 3, 'v1', 1, 0)")
        before.execute_sql("INSERT INTO attempt VALUES (1, 1, 'view', 0, 3), (2, 2, 'view', 1, 1)")
    with Store(tmp_path / "data") as store:
        assert counts(store, FILE, OTHER, STRANGE, work="read") == [2, 0, 1], "whatever their sizes and times"
        assert counts(store, (1, 2), (1, 3), work="v1") == [2, 0]
        assert counts(store, 1, 2, work="view") == [3, 1]
        assert len(store.write(quarantine.record_crash)) == 4
        assert counts(store, FILE, OTHER, STRANGE, work="read") == [2, 1, 2]
        assert counts(store, (1, 2), (1, 3), work="v1") == [2, 1]
        assert counts(store, 1, 2, work="view") == [3, 2]
        start(store, FILE, work="read")
        assert counts(store, FILE, FILE._replace(size_bytes=9), work="read") == [2, 0]
    with closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert not tables & {"suspect", "attempt"}
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
