"""comparimg-ctl index: copies listed and put back, and nothing replaced where that cannot be done whole."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from index.database.records import jobs
from index.database.schema import Setting
from index.database.store import Store
from index.database.upkeep import recovery, restore
from index.database.upkeep.restore import replace_index
from index.model import JobKind
from support.power_loss import cut_off_renames
from support.serving import write_config
from support.terminal import Ctl


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An index with a copy from before a setting was changed, while a job was waiting."""
    folder = tmp_path / "data"
    with Store(folder) as store:
        store.write(lambda db: Setting.insert(key="a", value="then").execute(db))
        store.write(lambda db: jobs.add(db, JobKind.EMPTY, {}, "user"))
        store.back_up()
        store.write(lambda db: db.execute_sql("UPDATE setting SET value = 'now'"))
    return folder


@pytest.fixture
def ask(ctl_alone: Ctl, tmp_path: Path, data: Path) -> Ctl:
    config = write_config(tmp_path, tmp_path / "photos")
    return lambda *arguments: ctl_alone("--config", config, *arguments)


def value(index: Path) -> str:
    with closing(sqlite3.connect(index)) as database:
        return str(database.execute("SELECT value FROM setting").fetchone()[0])


def test_a_copy_is_listed_and_put_back(ask: Ctl, data: Path) -> None:
    assert "index-000001.sqlite3" in ask("index", "list").out
    (copy,) = json.loads(ask("index", "list", "--json").out)
    assert copy["file"] == str(data / "backups" / "index-000001.sqlite3")
    answer = ask("index", "restore", "index-000001.sqlite3")
    assert (answer.code, value(data / "index.sqlite3")) == (0, "then")
    assert value(data / "index-replaced-1.sqlite3") == "now"
    with Store(data) as store, store.read() as database:
        assert "a copy that ComparImg made" in store.put_back
        assert database.execute_sql("SELECT state FROM job").fetchall() == [("cancelled",)]
    assert ask("index", "restore", data / "index-replaced-1.sqlite3").code == 0
    assert value(data / "index.sqlite3") == "now"
    with Store(data) as store, store.read() as database:
        assert database.execute_sql("SELECT state FROM job").fetchall() == [("cancelled",)]


def test_a_raw_copy_with_its_log_beside_is_put_back_whole(ask: Ctl, data: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.sqlite3"
    with Store(data) as store:
        store.write(lambda db: db.execute_sql("UPDATE setting SET value = 'in the log'"))
        for suffix in ("", "-wal"):
            Path(f"{raw}{suffix}").write_bytes(Path(f"{data / 'index.sqlite3'}{suffix}").read_bytes())
    assert ask("index", "restore", raw).code == 0
    assert value(data / "index.sqlite3") == "in the log"


def test_nothing_is_put_back_under_a_running_service(ask: Ctl, data: Path) -> None:
    with Store(data):
        (data / "lock").unlink()
        answer = ask("index", "restore", "index-000001.sqlite3")
        assert (answer.code, "is using" in answer.err) == (1, True)
    assert value(data / "index.sqlite3") == "now"


def no_index(copy: Path) -> None:
    copy.unlink()
    with closing(sqlite3.connect(copy)) as database:
        database.execute("CREATE TABLE image (x)")


def no_database(copy: Path) -> None:
    copy.write_bytes(b"my holiday diary" * 1000)


def damaged(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as database:
        (page,) = database.execute("SELECT pageno FROM dbstat WHERE name = 'content'").fetchone()
    with copy.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)


def newer(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_future', '2030-01-01')")


def gone(copy: Path) -> None:
    copy.unlink()


@pytest.mark.parametrize("fault", [no_index, no_database, damaged, newer, gone])
def test_what_is_no_whole_copy_takes_no_indexs_place(ask: Ctl, data: Path, fault: Callable[[Path], None]) -> None:
    copy = data / "backups" / "index-000001.sqlite3"
    fault(copy)
    before = sorted(os.listdir(data))
    answer = ask("index", "restore", copy)
    assert (answer.code, str(copy) in answer.err) == (1, True)
    assert value(data / "index.sqlite3") == "now"
    assert sorted(os.listdir(data)) == before


def test_a_name_that_no_copy_has_is_reported_as_such(ask: Ctl) -> None:
    answer = ask("index", "restore", "index-000099.sqlite3")
    assert answer.code == 1
    assert "There is no backup index-000099.sqlite3.\n  For the backups: comparimg-ctl index list" in answer.err


def test_without_a_data_folder_it_says_so(ask: Ctl, data: Path, tmp_path: Path) -> None:
    copy = (data / "backups" / "index-000001.sqlite3").rename(tmp_path / "copy.sqlite3")
    data.rename(tmp_path / "elsewhere")
    answer = ask("index", "restore", copy)
    assert answer.code == 1
    assert f"The data folder {data} cannot be used: " in answer.err
    assert "Errno" not in answer.err
    assert not data.exists()


@pytest.mark.parametrize("step", range(4))
def test_cut_off_anywhere_it_leaves_one_of_the_two(data: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Before each renaming, as a power loss would."""
    with monkeypatch.context() as patched:
        cut_off_renames(patched, step)
        assert restore.os is recovery.os
        with suppress(KeyboardInterrupt):
            replace_index(data / "index.sqlite3", data / "backups" / "index-000001.sqlite3")
    with Store(data) as store, store.read() as database:
        (value,) = database.execute_sql("SELECT value FROM setting").fetchone()
        states = {state for (state,) in database.execute_sql("SELECT state FROM job")}
    assert (value, states) in [("now", {"queued"}), ("then", {"cancelled"})]
