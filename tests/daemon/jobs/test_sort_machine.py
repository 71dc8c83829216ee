"""A property: whatever people decide, sort, undo, edit, delete, unplug, and wherever it is cut off, no byte is lost.

Hypothesis plays the people, on real files. After every move, for all bytes that there should be, there are as many
files with them as there should be: in the folders, the destination and the trash. In the end everything in the trash
comes back. `make soak-sort` plays for longer.
"""

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from daemon.files import removal, trash
from daemon.jobs.journal import Journal
from daemon.jobs.sort import managed_folders
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.store import Store
from index.errors import ComparImgError
from support.sorting import Desk

EXAMPLES = int(os.environ.get("COMPARIMG_SOAK_EXAMPLES", "5"))
MOVES = 14
PICTURES = 3
# Reasons for which something may rightly not come back: someone else did something to it.
EXCUSED = {"gone", "changed", "emptied", "restored", "not_a_file"}


class CutOff(BaseException):
    """What a crash is to the code that it hits."""


@contextmanager
def crash_at(number: int) -> Iterator[None]:
    """Let the process die at its change with this number: nothing more is changed, on disk or in the index."""
    count = iter(range(10_000))
    dead = False

    def dying(change: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any, **named: Any) -> Any:
            nonlocal dead
            if dead or next(count) >= number:
                dead = True
                raise CutOff
            return change(*arguments, **named)

        return do

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(removal, "renameat2", dying(removal.renameat2))
        for name in ("link", "unlink", "rename", "mkdir", "rmdir"):
            patch.setattr(os, name, dying(getattr(os, name)))
        patch.setattr(trash, "_append", dying(trash._append))
        patch.setattr(Store, "write", dying(Store.write))
        with contextlib.suppress(CutOff):
            yield


class People(RuleBasedStateMachine):
    """Folders of small pictures, most of them there several times."""

    pool: WorkerPool

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="comparimg-people-"))
        self.desk = Desk(self.folder, self.pool)
        self.expected: Counter[bytes] = Counter()
        self.names = iter(range(10_000))
        self.batches: list[int] = []

    def teardown(self) -> None:
        try:
            self.bring_everything_back()
        finally:
            self.desk.close()
            shutil.rmtree(self.folder)

    # What there is

    def present(self) -> list[Path]:
        return sorted(path for path in self.desk.photos.rglob("*.png") if ".comparimg-trash" not in path.parts)

    def counted(self) -> Counter[bytes]:
        """How many files there are with the same bytes; one with several names is one."""
        files: dict[int, bytes] = {}
        for top in (self.desk.photos, self.desk.best):
            for path in top.rglob("*"):
                if path.is_file() and path.name != "manifest.jsonl":
                    files[path.stat().st_ino] = path.read_bytes()
        return Counter(files.values())

    def some(self, data: st.DataObject) -> Path:
        return data.draw(st.sampled_from(self.present()))

    def write(self, path: Path, seed: int) -> None:
        pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        path.parent.mkdir(exist_ok=True)
        # As most programs save: a new file takes the place of the old one, whose other names keep theirs.
        fresh = path.with_suffix(".new")
        Image.fromarray(pixels).save(fresh, "PNG")
        fresh.rename(path)

    # What people do

    @initialize()
    def copies(self) -> None:
        for seed in range(PICTURES):
            for number in range(3):
                path = self.desk.photos / f"{number}" / f"{seed}.png"
                self.write(path, seed)
                self.expected[path.read_bytes()] += 1
        self.desk.scan()

    @rule(seed=st.integers(0, PICTURES - 1), folder=st.integers(0, 2))
    def add(self, seed: int, folder: int) -> None:
        path = self.desk.photos / f"{folder}" / f"new {next(self.names)}.png"
        self.write(path, seed)
        self.expected[path.read_bytes()] += 1

    @precondition(lambda self: self.present())
    @rule(data=st.data(), seed=st.integers(0, 20), scanned=st.booleans())
    def edit(self, data: st.DataObject, seed: int, scanned: bool) -> None:
        path = self.some(data)
        before, names = path.read_bytes(), path.stat().st_nlink
        self.write(path, seed)
        self.expected[path.read_bytes()] += 1
        if names == 1:
            self.expected[before] -= 1
        if scanned:
            self.desk.scan()

    @precondition(lambda self: self.present())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        path = self.some(data)
        if path.stat().st_nlink == 1:
            self.expected[path.read_bytes()] -= 1
        path.unlink()

    @precondition(lambda self: self.present())
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        path = self.some(data)
        path.rename(path.with_name(f"renamed {next(self.names)}.png"))

    @rule()
    def scan(self) -> None:
        self.desk.scan()

    @rule(data=st.data(), choice=st.sampled_from(["trash", "trash", "move", "link", "keep"]))
    def decide(self, data: st.DataObject, choice: str) -> None:
        names = sorted(name for group in self.desk.groups().values() for name in group)
        if names:
            with contextlib.suppress(ComparImgError):
                self.desk.decide({self.folder / data.draw(st.sampled_from(names)): choice})

    @rule()
    def sort(self) -> None:
        self.batches.append(self.desk.sort()["batch"])

    @rule(number=st.integers(0, 12))
    def sort_and_crash(self, number: int) -> None:
        with crash_at(number):
            self.desk.sort()
        self.start_again()

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        self.desk.undo(data.draw(st.sampled_from(self.batches)))

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), number=st.integers(0, 12))
    def undo_and_crash(self, data: st.DataObject, number: int) -> None:
        with crash_at(number):
            self.desk.undo(data.draw(st.sampled_from(self.batches)))
        self.start_again()

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        items = self.desk.in_trash()
        if items:
            self.desk.undo(items=[data.draw(st.sampled_from(items)).id])

    @rule()
    def sort_while_it_is_unplugged(self) -> None:
        away = self.folder / "unplugged"
        self.desk.photos.rename(away)
        self.desk.photos.mkdir()
        outcome = self.desk.sort()
        assert outcome["trash"] + outcome["move"] + outcome["link"] == 0
        self.desk.photos.rmdir()
        away.rename(self.desk.photos)

    @rule()
    def empty(self) -> None:
        before = {item.id: Path(os.fsdecode(item.place)) for item in self.desk.in_trash()}
        held = {number: (p.read_bytes(), p.stat().st_ino) for number, p in before.items() if p.exists()}
        self.desk.empty(older_than_days=0.0)
        still = {path.stat().st_ino for top in (self.desk.photos, self.desk.best) for path in top.rglob("*")}
        for number, path in before.items():
            if number in held and not path.exists() and held[number][1] not in still:
                self.expected[held[number][0]] -= 1

    # What must hold

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.counted() == +self.expected

    @invariant()
    def nothing_is_left_lying_about(self) -> None:
        assert list(self.folder.rglob(".comparimg-*.part")) == []

    def start_again(self) -> None:
        self.desk.close()
        self.desk.open()
        Journal(self.desk.store, managed_folders(self.desk.store, self.desk.destinations.values())).recover()
        with self.desk.store.read() as database:
            doubtful = database.execute_sql("SELECT count(*) FROM step WHERE state = 'doing'").fetchone()
            known = database.execute_sql("SELECT id FROM batch WHERE kind = 'sort' AND state != 'plan'").fetchall()
        assert doubtful == (0,)
        self.batches = [row[0] for row in known]

    def bring_everything_back(self) -> None:
        for batch_id in reversed(self.batches):
            refused = self.desk.undo(batch_id)["refused"]
            assert set(refused) <= EXCUSED
            self.nothing_is_lost()
        for item in self.desk.in_trash():
            assert self.desk.undo(items=[item.id])["restored"] == 1
        assert self.desk.in_trash() == []
        self.nothing_is_lost()
        assert not any(path.is_file() and path.name != "manifest.jsonl"
                       for path in (self.desk.photos / ".comparimg-trash").rglob("*"))  # fmt: skip


@pytest.mark.slow
def test_no_byte_is_ever_lost() -> None:
    with WorkerPool(1, WorkerLimits()) as pool:
        People.pool = pool
        run_state_machine_as_test(
            People,
            settings=settings(
                max_examples=EXAMPLES, stateful_step_count=MOVES, deadline=None,
                suppress_health_check=list(HealthCheck), derandomize="COMPARIMG_SOAK_EXAMPLES" not in os.environ,
                # A shorter way to a failure takes minutes to be found; what is printed shows enough.
                phases=(Phase.explicit, Phase.reuse, Phase.generate), database=None,
            ),
        )  # fmt: skip
