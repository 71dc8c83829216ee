"""After a clean stop the index is used at once and checked meanwhile; after anything else it is checked first."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.job_system import once_checked
from index.database import schema
from index.database.records import batches
from index.database.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.database.store import Store
from index.database.upkeep import clean_stop
from index.errors import Cancelled
from index.model import Identity

PAGE_BYTES = 4096


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of an index of some pages, after a clean stop."""
    folder = tmp_path / "data"
    with Store(folder) as store:
        store.write(lambda db: schema.Root.insert(path=b"/photos").execute(db))
        rows = [
            {"root": 1, "path": b"/photos/%d.jpg" % n, "device": 1, "inode": n, "size_bytes": 1, "mtime_ns": 1,
             "indexed_ns": 1}
            for n in range(600)
        ]  # fmt: skip
        for start in range(0, len(rows), 100):
            store.write(lambda db, part=rows[start : start + 100]: schema.Image.insert_many(part).execute(db))
    return folder


def is_later(folder: Path) -> bool:
    """Whether the index is checked in the background."""
    with Store(folder, check_later=True) as store:
        later = store._check is not None
        assert store.wait_until_checked(10)
        return later


def test_after_a_clean_stop_the_check_is_made_in_the_background(data: Path) -> None:
    assert (data / clean_stop.FILE).stat().st_mode & 0o077 == 0
    assert is_later(data)
    assert is_later(data), "and again after the next one"
    with Store(data) as store:
        assert store._check is None, "where no one waits for it"


def test_what_is_no_clean_stop_is_checked_first(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "copy")
    assert not is_later(tmp_path / "copy"), "a copy"
    os.utime(data / "index.sqlite3", ns=(1, 1))
    assert not is_later(data), "written by another"
    (data / clean_stop.FILE).unlink()
    assert not is_later(data), "killed"
    (data / clean_stop.FILE).write_bytes(b"\xff\xfe")
    assert not is_later(data)


@pytest.mark.parametrize("state", [BatchState.RUNNING, BatchState.DONE])
def test_with_work_in_doubt_no_stop_is_clean(data: Path, state: BatchState) -> None:
    step = Step(Action.TRASH, b"/photos/1.jpg", Identity(1, 1, 1, 1), state=StepState.DOING)

    def begin(database: Any) -> None:
        batch = batches.add_batch(database, BatchKind.SORT, "b", 1, state=state)
        batches.add_steps(database, batch, [step])

    with Store(data, check_later=True) as store:
        store.write(begin)
    assert not (data / clean_stop.FILE).exists()


def test_damage_that_came_after_a_clean_stop_ends_the_use_and_is_repaired_at_the_next_start(data: Path) -> None:
    with Store(data) as store:
        store.back_up()
    index = data / "index.sqlite3"
    with closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True)) as database:
        pages = [n for (n,) in database.execute("SELECT pageno FROM dbstat WHERE name = 'image' AND pagetype = 'leaf'")]
    before = index.stat()
    with index.open("r+b") as file:
        file.seek((pages[-1] - 1) * PAGE_BYTES)
        file.write(b"\xa5" * PAGE_BYTES)
    os.utime(index, ns=(before.st_atime_ns, before.st_mtime_ns))
    with Store(data, check_later=True) as store:
        assert store._check is not None
        store._check._thread.join(10)
        assert not store.wait_until_checked()
        assert "damaged" in store.fault
    assert not (data / clean_stop.FILE).exists()
    with Store(data, check_later=True) as store:
        assert store.recovered
        with store.read() as database:
            assert database.execute_sql("SELECT count(*) FROM image").fetchone() == (600,)


class Context:
    """Asks to stop after some looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.phases: list[str] = []

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self.phases.append(phase)

    def checkpoint(self) -> None:
        self.looks -= 1
        if not self.looks:
            raise Cancelled("job.cancelled")


def test_nothing_that_changes_files_runs_before_the_check_has_passed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.job_system.CHECKED_EVERY_S", 0.01)
    go_on, check = threading.Event(), clean_stop.quick_check

    def slow_check(database: sqlite3.Connection) -> str:
        go_on.wait(10)
        return check(database)

    monkeypatch.setattr(clean_stop, "quick_check", slow_check)
    done: list[str] = []
    with Store(data, check_later=True) as store:
        handler: Any = once_checked(store, lambda context, parameters: done.append(parameters) or {"done": True})
        context = Context(looks=3)
        with pytest.raises(Cancelled):
            handler(context, "too early")
        assert (done, context.phases) == ([], ["checking"])
        go_on.set()
        assert handler(Context(looks=1000), "now") == {"done": True}
        assert done == ["now"]


def test_a_stop_during_the_check_is_not_clean(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    monkeypatch.setattr(clean_stop, "quick_check", lambda database: str(database.execute(endless).fetchone()))
    with Store(data, check_later=True) as store:
        assert not store.wait_until_checked()
    assert not store.fault
    assert not (data / clean_stop.FILE).exists()
