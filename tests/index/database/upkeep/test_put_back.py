"""An index that was put back from a copy: recognised however that was done, and nothing in it is resumed that
changes files. After a crash everything is."""

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from peewee import SqliteDatabase

from index.database import schema
from index.database.records import batches
from index.database.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.database.store import Store
from index.database.upkeep import lineage, lineage_files, unfinished, upgrade
from index.database.upkeep.lineage_files import LineageFiles, LineageMark
from index.errors import StoreError
from index.messages import of_json
from index.model import Identity, JobKind, JobState

CHANGING = [kind for kind in JobKind if kind not in (JobKind.SCAN, JobKind.DETECT)]
LONG_AGO_NS = 1


def add_job(database: SqliteDatabase, kind: str, state: str) -> int:
    row = {"kind": kind, "state": state, "origin": "user", "parameters": "{}", "created_ns": 1}
    return int(schema.Job.insert(row).execute(database))


def fill(database: SqliteDatabase) -> None:
    """A job of each kind in each state, and a batch in each state with a step in each."""
    for kind in JobKind:
        for state in JobState:
            add_job(database, kind, state)
    for batch_state in BatchState:
        batch_id = batches.add_batch(database, BatchKind.SORT, f"b-{batch_state}", 1, 1, state=batch_state)
        steps = [Step(Action.TRASH, b"/photos/x", Identity(1, 2, 3, 4), state=state) for state in StepState]
        batches.add_steps(database, batch_id, steps)
    for kind in JobKind:
        row = {"name": kind, "kind": kind, "parameters": "{}", "trigger": "every 1h", "enabled": True, "origin": "user"}
        schema.Schedule.insert(**row, last_run_ns=LONG_AGO_NS).execute(database)


def jobs_under_way(store: Store) -> set[str]:
    with store.read() as database:
        rows = schema.Job.select(schema.Job.kind).where(schema.Job.state.in_(("queued", "running")))
        return {kind for (kind,) in rows.tuples().execute(database)}


def rows_under_way(store: Store) -> tuple[int, int]:
    """Batches that run, and steps that are planned or under way in what is no plan."""
    with store.read() as database:
        (running,) = database.execute_sql("SELECT count(*) FROM batch WHERE state = 'running'").fetchone()
        (steps,) = database.execute_sql(
            "SELECT count(*) FROM step s JOIN batch b ON b.id = s.batch_id"
            " WHERE s.state IN ('planned', 'doing') AND b.state <> 'plan'"
        ).fetchone()
        return running, steps


def require_nothing_to_resume(store: Store, kept: set[str]) -> None:
    """No job, batch or step is left that changes files; of the others those of the kinds `kept`."""
    assert jobs_under_way(store) == kept
    assert rows_under_way(store) == (0, 0)
    with store.read() as database:
        errors = database.execute_sql("SELECT DISTINCT error FROM job WHERE error <> ''").fetchall()
        assert [of_json(error) for (error,) in errors] == [unfinished.JOB]
        assert database.execute_sql("SELECT count(*) FROM job WHERE state = 'done'").fetchone() == (len(JobKind),)
        planned = "SELECT count(*) FROM step WHERE state = 'planned'"
        assert database.execute_sql(planned).fetchone() == (1,), "a dry run stays"
        missed = database.execute_sql("SELECT kind FROM schedule WHERE last_run_ns = ?", (LONG_AGO_NS,)).fetchall()
        assert {kind for (kind,) in missed} == {"scan", "detect"}, "a missed run that changes files is not made up for"


def kill_with_everything_under_way(folder: Path) -> None:
    """What a crash leaves: rows in every state, the log of SQLite not brought into the file, no stop."""
    script = (
        "import os, sys; from pathlib import Path; from index.database.store import Store\n"
        "from test_put_back import fill\n"
        "Store(Path(sys.argv[1])).write(fill); os._exit(9)"
    )
    search = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": search}
    ended = subprocess.run([sys.executable, "-c", script, str(folder)], env=environment, check=False)
    assert ended.returncode == 9


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after a crash in which everything was under way, to be copied from."""
    folder = tmp_path_factory.mktemp("crashed") / "data"
    kill_with_everything_under_way(folder)
    return folder


@pytest.fixture
def data(crashed: Path, tmp_path: Path) -> Path:
    """Such a folder, which knows that it is where it is."""
    return copy_of_crashed(crashed, tmp_path / "data")


def copy_of_crashed(crashed: Path, folder: Path) -> Path:
    subprocess.run(["cp", "-a", crashed, folder], check=True)
    record = json.loads((folder / lineage_files.FILE).read_text())
    LineageFiles(folder / "index.sqlite3", None).write(LineageMark(record["index_id"], record["counter"]))
    return folder


@pytest.fixture
def aside(data: Path) -> Path:
    """What a backup program copied of it then. The service went on since, and everything came to its end."""
    folder = data.with_name("aside")
    subprocess.run(["cp", "-a", data, folder], check=True)
    with Store(data) as store:
        assert jobs_under_way(store) == set(JobKind)
        store.write(lambda db: db.execute_sql("UPDATE job SET state = 'done' WHERE state IN ('queued', 'running')"))
    return folder


def test_after_a_crash_everything_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    kill_with_everything_under_way(data)
    for _ in range(2):
        with Store(data) as store:
            assert (store.recovered, store.put_back) == ("", "")
            assert jobs_under_way(store) == set(JobKind)
            assert rows_under_way(store) == (1, 2 * (len(BatchState) - 1))


# Ways to put it back


def index_alone(data: Path, aside: Path) -> None:
    """As the manual says, of a copy that anyone made."""
    for name in ("index.sqlite3-wal", "index.sqlite3-shm"):
        (data / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(aside / "index.sqlite3")) as copy, closing(sqlite3.connect(data / "plain")) as plain:
        copy.backup(plain)
    shutil.copyfile(data / "plain", data / "index.sqlite3")
    (data / "plain").unlink()


def index_with_its_log(data: Path, aside: Path) -> None:
    for name in ("index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"):
        shutil.copyfile(aside / name, data / name)


def whole_folder_over_the_files(data: Path, aside: Path) -> None:
    """The files keep their inodes, and have the times of before."""
    subprocess.run(["cp", "-a", f"{aside}/.", data], check=True)


def whole_folder_without_times(data: Path, aside: Path) -> None:
    subprocess.run(["cp", "-r", f"{aside}/.", data], check=True)
    late = time.time() + 3600
    os.utime(data / lineage_files.FILE, (late, late))  # an hour later


def whole_folder_moved(data: Path, aside: Path) -> None:
    """The times of the copy are within moments of those of the file."""
    shutil.rmtree(data)
    aside.rename(data)


def whole_folder_copied(data: Path, aside: Path) -> None:
    shutil.rmtree(data)
    subprocess.run(["cp", "-a", aside, data], check=True)


def whole_folder_but_the_anchor(data: Path, aside: Path) -> None:
    """Into the files that are there; the times are those of a copy made an hour later."""
    for name in ("index.sqlite3", "index.sqlite3-wal", lineage_files.FILE):
        shutil.copyfile(aside / name, data / name)
    late = time.time() + 3600
    os.utime(data / lineage_files.FILE, (late, late))


def index_under_another_inode(data: Path, aside: Path) -> None:
    """The files of the folder in place, those of the index replaced by renaming."""
    whole_folder_copied(data, aside)
    for name in ("index.sqlite3", "index.sqlite3-wal"):
        shutil.copyfile(data / name, data / "new")
        os.replace(data / "new", data / name)


def without_the_file_beside(data: Path, aside: Path) -> None:
    index_with_its_log(data, aside)
    (data / lineage_files.FILE).unlink()


def with_a_broken_file_beside(data: Path, aside: Path) -> None:
    index_with_its_log(data, aside)
    (data / lineage_files.FILE).write_text('{"index_id": 3')


def another_index(data: Path, aside: Path) -> None:
    """Of another data folder, and further on."""
    other = data.with_name("other")
    kill_with_everything_under_way(other)
    with closing(sqlite3.connect(other / "index.sqlite3")) as database, database:
        database.execute("UPDATE lineage SET counter = 1000000")
    index_alone(data, other)


def of_an_earlier_version(data: Path, aside: Path) -> None:
    """Which knows no counter."""
    index_alone(data, aside)
    with closing(sqlite3.connect(data / "index.sqlite3")) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name LIKE '%_counted'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DROP TABLE lineage")
        database.execute("DELETE FROM schema_migration WHERE name = '0013_lineage'")


WAYS: list[Callable[[Path, Path], None]] = [
    index_alone, index_with_its_log, whole_folder_over_the_files, whole_folder_without_times, whole_folder_moved,
    whole_folder_copied, whole_folder_but_the_anchor, index_under_another_inode, without_the_file_beside,
    with_a_broken_file_beside, another_index, of_an_earlier_version,
]  # fmt: skip


@pytest.mark.fault("an earlier copy of the index, or of the whole data folder, put back by hand: nothing is resumed")
@pytest.mark.parametrize("way", WAYS)
def test_nothing_that_changes_files_is_resumed_from_a_copy(
    data: Path, aside: Path, way: Callable[[Path, Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    way(data, aside)
    with Store(data) as store:
        require_nothing_to_resume(store, {"scan", "detect"})
        assert "has been ended" in store.put_back
        assert store.put_back in caplog.text
        before = store.mark
        with store.read() as database:
            recorded = lineage.last_put_back(database.connection())
    assert recorded is not None and recorded[1] in caplog.text
    with Store(data) as store:
        assert store.put_back == "", "once is enough"
        assert store.mark == before
        store.write(lambda db: add_job(db, "sort", "queued"))
    with Store(data) as store:
        assert jobs_under_way(store) >= {"sort"}, "what is asked for from now on goes on"


def test_a_job_that_was_cancelled_before_it_began_stays_so(data: Path, tmp_path: Path) -> None:
    """No batch shows it, and the service was not stopped in between."""
    other = tmp_path / "other"
    with Store(other) as store:
        store.write(lambda db: add_job(db, "empty", "queued"))
        with store.read() as database, closing(sqlite3.connect(tmp_path / "copy")) as copy:
            database.connection().backup(copy)
        store.write(lambda db: db.execute_sql("UPDATE job SET state = 'cancelled'"))
        files = {name: (other / name).read_bytes() for name in (lineage_files.FILE,)}
    shutil.copyfile(tmp_path / "copy", other / "index.sqlite3")
    (other / lineage_files.FILE).write_bytes(files[lineage_files.FILE])  # as a crash would have left it
    with Store(other) as store:
        assert "older than the last one" in store.put_back
        assert jobs_under_way(store) == set()


def test_the_index_put_aside_by_a_restoration_is_not_the_current_one_either(data: Path, aside: Path) -> None:
    with Store(data) as store:
        store.write(lambda db: add_job(db, "sort", "queued"))
    shutil.copyfile(data / "index.sqlite3", data / "later")
    index_with_its_log(data, aside)
    with Store(data) as store:
        assert store.put_back
    os.replace(data / "later", data / "index.sqlite3")
    with Store(data) as store:
        assert "another index was in use here" in store.put_back
        assert jobs_under_way(store) == {"scan", "detect"} & jobs_under_way(store)


def test_a_folder_that_moved_with_nothing_under_way_is_no_news(tmp_path: Path) -> None:
    with Store(tmp_path / "data") as store:
        store.write(lambda db: add_job(db, "scan", "queued"))
    subprocess.run(["cp", "-a", tmp_path / "data", tmp_path / "moved"], check=True)
    with Store(tmp_path / "moved") as store:
        assert store.put_back == ""
        assert jobs_under_way(store) == {"scan"}


def test_what_waited_when_a_copy_was_made_does_not_go_on_although_nothing_happened_since(tmp_path: Path) -> None:
    """But a stop of the service."""
    with Store(tmp_path) as store:
        store.write(lambda db: add_job(db, "sort", "queued"))
        with store.read() as database, closing(sqlite3.connect(tmp_path / "copy")) as copy:
            database.connection().backup(copy)
    shutil.copyfile(tmp_path / "copy", tmp_path / "index.sqlite3")
    with Store(tmp_path) as store:
        assert "older than the last one" in store.put_back
        assert jobs_under_way(store) == set()


# Copies


def test_in_a_copy_everything_has_been_ended(data: Path) -> None:
    with Store(data) as store:
        copy = store.back_up()
        assert jobs_under_way(store) == set(JobKind), "the index itself goes on"
        before = store.mark
    with closing(sqlite3.connect(copy)) as database:
        assert tuple(database.execute("SELECT index_id, counter FROM lineage").fetchone()) == before
    assert os.listdir(copy.parent) == [copy.name]
    shutil.copyfile(copy, data / "index.sqlite3")
    with Store(data) as store:
        require_nothing_to_resume(store, set())
        assert "a copy that ComparImg made" in store.put_back


def test_a_copy_is_distinguished_from_an_index_even_when_it_is_as_new(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        copy = store.back_up()
    (tmp_path / lineage_files.FILE).unlink()
    shutil.copyfile(copy, tmp_path / "index.sqlite3")
    with Store(tmp_path) as store:
        assert "a copy that ComparImg made" in store.put_back
    with Store(tmp_path) as store:
        assert store.put_back == ""


def test_a_copy_in_which_nothing_can_be_ended_is_not_kept(data: Path) -> None:
    with Store(data) as store:
        store.write(lambda db: db.execute_sql(
            "CREATE TRIGGER stuck BEFORE UPDATE ON batch BEGIN SELECT raise(ABORT, 'stuck'); END"
        ))  # fmt: skip
        with pytest.raises(StoreError, match="stuck"):
            store.back_up()
        assert os.listdir(data / "backups") == []


def test_a_copy_before_a_migration_is_one_too(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    for script in upgrade.MIGRATIONS.glob("[0-9]*.py"):
        shutil.copy(script, scripts)
    (scripts / "9000_more.py").write_text("def up(migrator, db):\n    db.execute_sql('CREATE TABLE more (x)')\n")
    monkeypatch.setattr(upgrade, "MIGRATIONS", scripts)
    with Store(data) as store:
        assert jobs_under_way(store) == set(JobKind)
    (copy,) = (data / "backups").iterdir()
    shutil.copyfile(copy, data / "index.sqlite3")
    with Store(data) as store:
        require_nothing_to_resume(store, set())


# Restored automatically


@pytest.fixture(params=["gone", "damaged", "damaged, no copy"])
def broken(data: Path, request: pytest.FixtureRequest) -> Path:
    """An index that is restored at the start."""
    with Store(data) as store:
        store.write(lambda db: db.execute_sql("CREATE TABLE much (x)"))
        store.write(lambda db: db.execute_sql("INSERT INTO much SELECT zeroblob(100000)"))
        if request.param != "damaged, no copy":
            store.back_up()
    index = data / "index.sqlite3"
    if request.param == "gone":
        index.unlink()
    else:
        with closing(sqlite3.connect(index)) as database:
            (page,) = database.execute("SELECT max(pageno) FROM dbstat WHERE name = 'step_batch'").fetchone()
        with index.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xa5" * 4096)
    return data


@pytest.mark.fault("the index lost or damaged with jobs under way: restored, and nothing that changes files is resumed")
def test_nothing_is_resumed_in_an_index_that_was_restored_automatically(broken: Path) -> None:
    for is_first in (True, False):
        with Store(broken) as store:
            assert (bool(store.recovered), store.put_back) == (is_first, "")
            assert jobs_under_way(store) == set()
            assert rows_under_way(store) == (0, 0)


# The file next to


def test_what_changes_files_is_counted_before_it_is_begun_and_nothing_else_is(tmp_path: Path) -> None:
    def counter() -> int:
        record = json.loads((tmp_path / lineage_files.FILE).read_text())
        assert store.mark == (record["index_id"], record["counter"]), "on the disk before the change is answered"
        return int(record["counter"])

    def add_batch(database: SqliteDatabase) -> Any:
        batch_id = batches.add_batch(database, BatchKind.SORT, "b", 1)
        step = Step(Action.TRASH, b"/x", Identity(1, 2, 3, 4))
        batches.add_steps(database, batch_id, [step])
        return batches.steps_of(database, batch_id)[0]

    with Store(tmp_path) as store:
        before = counter()
        store.write(lambda db: schema.Setting.insert(key="a", value="b").execute(db))
        store.write(lambda db: add_job(db, "scan", "queued"))
        assert counter() == before
        step = store.write(add_batch)
        seen = [before, counter()]
        changes: list[Callable[[SqliteDatabase], object]] = [
            lambda db: add_job(db, "sort", "queued"),
            lambda db: db.execute_sql("UPDATE job SET state = 'running'"),
            lambda db: db.execute_sql("UPDATE job SET cancel_requested = 1"),
            lambda db: db.execute_sql("UPDATE step SET state = 'doing' WHERE id = ?", (step.id,)),
            lambda db: batches.finish_batch(db, step.batch_id, BatchState.DONE, 1),
        ]
        for change in changes:
            store.write(change)
            seen.append(counter())
        assert all(later > earlier for earlier, later in pairwise(seen))
        with pytest.raises(ZeroDivisionError):
            store.write(lambda db: [add_batch(db), 1 // 0])
        assert counter() == seen[-1], "what is rolled back is not counted"


@pytest.mark.fault("the file with the counter cannot be written: the safe side")
def test_a_file_that_cannot_be_written_is_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), Store(tmp_path) as store:
        (tmp_path / f"{lineage_files.FILE}-partial").mkdir()
        for _ in range(3):
            store.write(lambda db: add_job(db, "sort", "queued"))
        assert not (tmp_path / lineage_files.FILE).exists(), "an old one would say nothing of what came since"
        assert caplog.text.count("cannot be written") == 1
        (tmp_path / f"{lineage_files.FILE}-partial").rmdir()
        store.write(lambda db: add_job(db, "scan", "queued"))
        assert (tmp_path / lineage_files.FILE).exists(), "written as soon as it can be"
    with Store(tmp_path) as store:
        assert store.put_back == ""
        assert "sort" in jobs_under_way(store)


def test_an_index_deleted_in_use_and_put_back_by_the_service_is_the_same_one(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.write(lambda db: add_job(db, "sort", "queued"))
        for name in ("index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"):
            (tmp_path / name).unlink()
        assert store.fault
    with Store(tmp_path) as store:
        assert (store.recovered, store.put_back) == ("", "")
        assert jobs_under_way(store) == {"sort"}


def test_an_index_replaced_in_use_is_another_one(data: Path, aside: Path) -> None:
    with Store(data) as store:
        shutil.copyfile(aside / "index.sqlite3", data / "new")
        os.replace(data / "new", data / "index.sqlite3")
        store.write(lambda db: add_job(db, "sort", "queued"))
    with Store(data) as store:
        assert store.put_back or store.recovered
        assert not jobs_under_way(store) & set(CHANGING)


def test_a_first_start_is_no_news(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert store.put_back == ""
    (tmp_path / "index.sqlite3").unlink()
    with Store(tmp_path) as store:
        assert (store.recovered, store.put_back) == ("", ""), "deleted to have everything rebuilt"
