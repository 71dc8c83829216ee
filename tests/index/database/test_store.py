"""The index file: one writer, readers that cannot write, a lock, migrations with a copy kept."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from peewee import Model, OperationalError, SqliteDatabase

from index.database import journal_schema, rule_schema, schema, vector_schema
from index.database.schema import Root, Setting
from index.database.store import Store
from index.database.upkeep import upgrade
from index.errors import AlreadyRunning, NoRoom, StoreClosed, StoreError

TABLES = [
    table
    for module in (schema, journal_schema, rule_schema, vector_schema)
    for table in vars(module).values()
    if isinstance(table, type) and issubclass(table, Model) and table.__module__ == module.__name__
]


def add_root(path: bytes):
    return lambda database: Root.insert(path=path).execute(database)


def test_what_is_written_is_there_after_closing(tmp_path: Path):
    with Store(tmp_path) as index:
        index.write(add_root(b"/photos/\xff"))
    with Store(tmp_path) as index, index.read() as database:
        assert [bytes(row.path) for row in Root.select().execute(database)] == [b"/photos/\xff"]


@pytest.mark.parametrize("table", TABLES)
def test_models_are_the_tables_that_the_migrations_made(tmp_path: Path, table):
    with Store(tmp_path) as index, index.read() as database:
        made = {column.name: column for column in database.get_columns(table._meta.table_name)}
        assert set(made) == {field.column_name for field in table._meta.sorted_fields}
        for field in table._meta.sorted_fields:
            if not field.primary_key:
                assert made[field.column_name].null == field.null, field.column_name


def test_a_new_index_takes_no_line_for_each_migration(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    Store(tmp_path).close()
    assert [record.name for record in caplog.records if "migrations" in record.name] == []
    with sqlite3.connect(tmp_path / "index.sqlite3") as database:
        database.execute("DELETE FROM schema_migration WHERE name = '0042_cleared_decisions'")
        for table in ("cleared_decision", "clearing"):
            database.execute(f"DROP TABLE {table}")
    database.close()
    Store(tmp_path).close()
    (line,) = [record.message for record in caplog.records if "migrations" in record.name]
    assert line == "up: 0042_cleared_decisions"


def test_the_file_of_another_program_is_left_as_it_is(tmp_path: Path):
    path = tmp_path / "index.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE image (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="the database of another program") as raised:
        Store(tmp_path)
    assert raised.value.hint
    assert path.read_bytes() == before


def test_a_disk_that_is_full_at_the_first_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OperationalError("cannot rollback - no transaction is active")

    monkeypatch.setattr("index.database.store.upgrade", fail)
    monkeypatch.setattr("index.database.store._is_full", lambda _: True)
    with pytest.raises(NoRoom, match="its disk is full"):
        Store(tmp_path)


def test_readers_cannot_write(tmp_path: Path):
    with Store(tmp_path) as index, index.read() as database, pytest.raises(Exception, match="readonly"):
        add_root(b"/x")(database)


def test_a_change_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path):
    def half(database: SqliteDatabase) -> None:
        add_root(b"/half")(database)
        raise ValueError("no")

    with Store(tmp_path) as index:
        with pytest.raises(ValueError, match="no"):
            index.write(half)
        index.write(add_root(b"/whole"))
        with index.read() as database:
            assert [bytes(row.path) for row in Root.select().execute(database)] == [b"/whole"]


def test_sqlite_errors_come_in_words(tmp_path: Path):
    with Store(tmp_path) as index:
        index.write(add_root(b"/twice"))
        with pytest.raises(StoreError, match="could not be used"):
            index.write(add_root(b"/twice"))


def test_a_full_disk_is_reported_and_survived(tmp_path: Path):
    with Store(tmp_path) as index:
        pages = index.write(lambda database: database.execute_sql("PRAGMA page_count").fetchone()[0])
        index.write(lambda database: database.execute_sql(f"PRAGMA max_page_count = {pages}"))

        def big(database: SqliteDatabase) -> None:
            Setting.insert(key="big", value="x" * 10_000_000).execute(database)

        with pytest.raises(StoreError, match="full") as caught:
            index.write(big)
        assert "Free some space" in str(caught.value.hint)
        index.write(lambda database: database.execute_sql("PRAGMA max_page_count = 1000000"))
        index.write(add_root(b"/after"))


def test_threads_write_and_read_at_once_without_a_lock_error(tmp_path: Path):
    def count(index: Store, name: int) -> None:
        for turn in range(25):
            index.write(add_root(b"/%d/%d" % (name, turn)))
            with index.read() as database:
                assert Root.select().where(Root.path == b"/%d/%d" % (name, turn)).count(database) == 1

    with Store(tmp_path) as index:
        threads = [threading.Thread(target=count, args=(index, name)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with index.read() as database:
            assert Root.select().count(database) == 150


def test_changes_asked_for_before_closing_are_made(tmp_path: Path):
    index = Store(tmp_path)
    futures = [index.submit(add_root(b"/%d" % number)) for number in range(50)]
    index.close()
    index.close()
    assert all(future.done() and not future.exception() for future in futures)
    with pytest.raises(StoreClosed):
        index.submit(add_root(b"/late"))
    with pytest.raises(StoreClosed), index.read():
        pass


def test_waiting_for_a_change(tmp_path: Path):
    with Store(tmp_path) as index:
        seen = index.revision
        assert index.wait_for_change(seen, timeout_s=0.01) == seen
        index.submit(add_root(b"/x"))
        assert index.wait_for_change(seen, timeout_s=10) == seen + 1


def test_one_process_at_a_time(tmp_path: Path):
    with Store(tmp_path), pytest.raises(AlreadyRunning, match="is using"):
        Store(tmp_path)
    with Store(tmp_path):
        pass


def test_a_data_folder_that_is_a_file_is_an_error_in_words(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file")


def test_a_file_that_is_no_index_is_put_aside_as_it_is(tmp_path: Path):
    (tmp_path / "index.sqlite3").write_bytes(b"my holiday diary" * 1000)
    with Store(tmp_path) as index:
        assert "it is rebuilt" in index.recovered
    assert (tmp_path / "index-damaged-1.sqlite3").read_bytes() == b"my holiday diary" * 1000


def test_an_index_of_a_newer_version_is_refused(tmp_path: Path):
    with Store(tmp_path) as index:
        index.write(
            lambda database: database.execute_sql(
                "INSERT INTO schema_migration (name, applied) VALUES ('9999_future', '2030-01-01')"
            )
        )
    with pytest.raises(StoreError, match="newer ComparImg"):
        Store(tmp_path)


def test_a_migration_keeps_a_copy_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(tmp_path) as index:
        index.write(add_root(b"/kept"))
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    first = next(upgrade.MIGRATIONS.glob("0001*.py"))
    for script in upgrade.MIGRATIONS.glob("[0-9]*.py"):
        (scripts / script.name).write_bytes(script.read_bytes())
    (scripts / "9000_more.py").write_text("def up(migrator, db):\n    db.execute_sql('CREATE TABLE more (x)')\n")
    monkeypatch.setattr(upgrade, "MIGRATIONS", scripts)
    with Store(tmp_path) as index, index.read() as database:
        assert "more" in database.get_tables()
    copy = sqlite3.connect(tmp_path / "backups" / "index-000001-before-9000_more.sqlite3")
    assert copy.execute("SELECT path FROM root").fetchall() == [(b"/kept",)]
    copy.close()
    assert first.exists()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(tmp_path):
        pass
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    for script in upgrade.MIGRATIONS.glob("[0-9]*.py"):
        (scripts / script.name).write_bytes(script.read_bytes())
    broken = "def up(migrator, db):\n    db.execute_sql('CREATE TABLE half (x)')\n    db.execute_sql('nonsense')\n"
    (scripts / "9000_broken.py").write_text(broken)
    with monkeypatch.context() as patched:
        patched.setattr(upgrade, "MIGRATIONS", scripts)
        with pytest.raises(StoreError):
            Store(tmp_path)
    with Store(tmp_path) as index, index.read() as database:
        assert "half" not in database.get_tables()
