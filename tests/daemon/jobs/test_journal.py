"""The journal on real files and a real index: what is begun is known, what is done can be determined, what is cut off
is settled."""

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.files import trash
from daemon.files.protected_paths import ManagedFolders
from daemon.files.trash_manifest import parse
from daemon.jobs.journal import Journal, NoChecks
from daemon.jobs.progress import NullProgress
from index.database.records import batches, trash_items
from index.database.records.batches import Action, BatchKind, Step, StepState
from index.database.store import Store
from index.errors import Cancelled, StoreError
from index.imaging.decoding.pictures import digest
from index.messages import text
from index.model import Identity

NOW_NS = 1_700_000_000 * 10**9


class Folder:
    """A watched folder, a store, and a journal over both."""

    def __init__(self, folder: Path) -> None:
        self.photos = folder / "photos"
        self.best = folder / "best"
        self.photos.mkdir()
        self.best.mkdir()
        self.store = Store(folder / "data")
        self.journal = self.fresh_journal()

    def fresh_journal(self) -> Journal:
        folders = ManagedFolders.of({bytes(self.photos): False}, [bytes(self.best)])
        return Journal(self.store, folders, lambda: NOW_NS)

    def add(self, name: str, data: bytes) -> Path:
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def step(self, action: Action, path: Path, **changes: object) -> Step:
        step = Step(
            action, bytes(path), Identity.of(path.lstat()), digest(path.read_bytes()), bytes=path.stat().st_size
        )
        return replace(step, **changes)  # type: ignore[arg-type]

    def run(self, *steps: Step, checks: object = None, job_id: int | None = None) -> int:
        batch_id = self.journal.begin(BatchKind.SORT, steps, job_id)
        self.journal.carry_out(NullProgress(), batch_id, checks or NoChecks())  # type: ignore[arg-type]
        return batch_id

    def steps(self, batch_id: int) -> list[Step]:
        with self.store.read() as database:
            return batches.steps_of(database, batch_id)

    def in_trash(self) -> list[trash_items.Item]:
        with self.store.read() as database:
            return trash_items.in_trash(database)

    def names(self) -> list[str]:
        """Everything below the watched folder but the manifest."""
        paths = [p.relative_to(self.photos) for p in self.photos.rglob("*") if p.is_file()]
        return sorted(str(name) for name in paths if name.name != "manifest.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.store.close()


def test_trash_keeps_every_file_its_origin_and_its_name(folder: Folder) -> None:
    first, second = folder.add("a/IMG_1.jpg", b"one"), folder.add("b/IMG_1.jpg", b"two")
    batch_id = folder.run(folder.step(Action.TRASH, first), folder.step(Action.TRASH, second))
    assert [step.state for step in folder.steps(batch_id)] == [StepState.DONE, StepState.DONE]
    with folder.store.read() as database:
        name = batches.batch(database, batch_id).name
    assert re.fullmatch(r"20231114-221320-sort-[0-9a-f]{8}", name)
    assert folder.names() == [f".comparimg-trash/{name}-{batch_id}/{number}-IMG_1.jpg" for number in (1, 2)]
    items = folder.in_trash()
    assert [(item.path, Path(os.fsdecode(item.place)).read_bytes()) for item in items] == [
        (bytes(first), b"one"), (bytes(second), b"two"),
    ]  # fmt: skip
    home = folder.photos / ".comparimg-trash"
    assert home.stat().st_mode & 0o777 == 0o700
    lines = [json.loads(line) for line in (home / "manifest.jsonl").read_text().splitlines()]
    assert [(line["event"], line["from"], line["bytes"]) for line in lines] == [
        ("trash", str(first), 3), ("trash", str(second), 3),
    ]  # fmt: skip


def test_a_new_file_takes_the_place_of_the_old_one(folder: Folder) -> None:
    path = folder.add("a.jpg", b"large")

    class Encode(NoChecks):
        """What compression does shortly before: a new file next to it, under the name that the journal gives."""

        def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
            for step in steps:
                with folder.store.read() as database:
                    name = batches.batch(database, step.batch_id).name
                temp = Path(os.fsdecode(folder.journal.temp_of(name, step)))
                temp.write_bytes(b"small")
                if step.action is Action.CREATE:
                    yield replace(step, identity=Identity.of(temp.lstat()), digest=digest(b"small"))
                else:
                    yield replace(step, made=Identity.of(temp.lstat()))

    created = Step(Action.CREATE, bytes(path), Identity(0, 0, 0, 0), target=bytes(folder.photos / "a_resize.jpg"))
    batch_id = folder.run(folder.step(Action.REPLACE, path), created, checks=Encode())
    assert [step.state for step in folder.steps(batch_id)] == [StepState.DONE, StepState.DONE]
    assert path.read_bytes() == b"small"
    assert (folder.photos / "a_resize.jpg").read_bytes() == b"small"
    (item,) = folder.in_trash()
    assert (item.path, Path(os.fsdecode(item.place)).read_bytes()) == (bytes(path), b"large")


def test_a_move_takes_a_free_name(folder: Folder) -> None:
    (folder.best / "x.jpg").write_bytes(b"other file")
    path = folder.add("x.jpg", b"mine")
    folder.run(folder.step(Action.MOVE, path, target=bytes(folder.best / "x.jpg")))
    assert (folder.best / "x.jpg").read_bytes() == b"other file"
    assert (folder.best / "x (2).jpg").read_bytes() == b"mine"
    assert folder.in_trash() == []


def test_an_index_that_cannot_be_written_leaves_everything_as_it_was(folder: Folder) -> None:
    path = folder.add("a.jpg", b"one")
    batch_id = folder.journal.begin(BatchKind.SORT, [folder.step(Action.TRASH, path)])
    real = folder.store.write

    def fail(change: object) -> object:
        raise StoreError(text("The index could not be changed: database or disk is full."))

    folder.store.write = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreError):
        folder.journal.carry_out(NullProgress(), batch_id, NoChecks())
    folder.store.write = real  # type: ignore[method-assign]
    assert path.read_bytes() == b"one"
    folder.journal.recover()
    assert [step.state for step in folder.steps(batch_id)] == [StepState.CANCELLED]


def test_an_index_that_cannot_be_written_after_the_act_is_completed_from_the_disk(folder: Folder) -> None:
    path = folder.add("a.jpg", b"one")
    batch_id = folder.journal.begin(BatchKind.SORT, [folder.step(Action.TRASH, path)])
    real, calls = folder.store.write, []

    def fail_second(change: object) -> object:
        calls.append(change)
        if len(calls) == 2:
            raise StoreError(text("The index could not be changed: database or disk is full."))
        return real(change)  # type: ignore[arg-type]

    folder.store.write = fail_second  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreError):
        folder.journal.carry_out(NullProgress(), batch_id, NoChecks())
    folder.store.write = real  # type: ignore[method-assign]
    assert not path.exists()
    assert [step.state for step in folder.steps(batch_id)] == [StepState.DOING]
    folder.fresh_journal().recover()
    assert [step.state for step in folder.steps(batch_id)] == [StepState.DONE]
    (item,) = folder.in_trash()
    assert Path(os.fsdecode(item.place)).read_bytes() == b"one"


def test_cancelled_it_stops_between_two_steps_and_goes_on_later(folder: Folder) -> None:
    paths = [folder.add(f"{number}.jpg", b"%d" % number) for number in range(40)]

    class Impatient(NullProgress):
        steps = 0

        def advance(self, steps: int = 1) -> None:
            self.steps += steps
            if self.steps == 20:
                raise Cancelled(text("The job was cancelled."))

    batch_id = folder.journal.begin(BatchKind.SORT, [folder.step(Action.TRASH, path) for path in paths])
    with pytest.raises(Cancelled):
        folder.journal.carry_out(Impatient(), batch_id, NoChecks())
    assert sum(not path.exists() for path in paths) == 20
    states = [step.state for step in folder.steps(batch_id)]
    assert (states.count(StepState.DONE), states.count(StepState.PLANNED)) == (20, 20)
    folder.journal.carry_out(NullProgress(), batch_id, NoChecks())
    assert not any(path.exists() for path in paths)
    assert {step.state for step in folder.steps(batch_id)} == {StepState.DONE}


def test_what_the_index_does_not_know_of_is_found_by_the_manifest(folder: Folder, tmp_path: Path) -> None:
    odd = folder.photos / os.fsdecode(b"odd \xff name.jpg")
    odd.write_bytes(b"odd")
    folder.run(folder.step(Action.TRASH, odd))
    before = folder.in_trash()
    folder.store.write(lambda db: db.execute_sql("DELETE FROM trash_item"))
    manifest = folder.photos / ".comparimg-trash" / "manifest.jsonl"
    manifest.write_bytes(b"{ broken\n" + manifest.read_bytes() + b'{"at": "cut off')
    folder.fresh_journal().recover()
    after = folder.in_trash()
    assert [(item.place, item.path, item.digest) for item in after] == [
        (item.place, item.path, item.digest) for item in before
    ]
    second = folder.add("b.jpg", b"b")
    folder.run(folder.step(Action.TRASH, second))
    entries = [parse(bytes(manifest.parent), line) for line in manifest.read_bytes().splitlines()]
    paths = [entry.path for entry in entries if entry]
    assert paths == [bytes(odd), bytes(second)], "nothing is lost behind a broken line"


def test_nothing_goes_to_a_trash_that_others_can_write_to(folder: Folder) -> None:
    home = folder.photos / ".comparimg-trash"
    home.mkdir()
    home.chmod(0o777)
    path = folder.add("a/b/x.jpg", b"one")
    (step,) = folder.steps(folder.run(folder.step(Action.TRASH, path)))
    assert (step.state, step.reason) == (StepState.FAILED, "untrusted_trash")
    assert "other users can write to the trash folder" in str(step.message)
    assert folder.names() == ["a/b/x.jpg"], "nor to another one below it"
    home.chmod(0o700)
    (step,) = folder.steps(folder.run(folder.step(Action.TRASH, path)))
    assert step.state is StepState.DONE


def test_a_name_that_is_too_long_is_cut_and_keeps_its_ending() -> None:
    name = "é".encode() * 125 + b".jpg"
    assert len(name) == 254
    cut = trash.fitting(b"123-", name)
    assert len(cut) <= 255
    assert cut.startswith(b"123-\xc3\xa9")
    assert cut.endswith(b".jpg")
    cut.decode()
    assert trash.fitting(b"", b"a.jpg", b" (2)") == b"a (2).jpg"
    assert trash.fitting(b"", b".hidden", b" (2)") == b".hidden (2)"


@pytest.mark.fault("a disk so full that neither a line nor a folder finds room: its trash is emptied")
def test_a_full_disk_can_be_emptied(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room neither for a line in the manifest nor for a folder."""
    folder.run(folder.step(Action.TRASH, folder.add("a.jpg", b"one")))
    (item,) = folder.in_trash()

    def is_full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(trash, "_append", is_full)
    monkeypatch.setattr(os, "mkdir", is_full)
    place = Path(os.fsdecode(item.place))
    delete = Step(Action.DELETE, item.path, Identity.of(place.lstat()), item.digest, trash=item.place)
    assert [step.state for step in folder.steps(folder.run(delete))] == [StepState.DONE]
    assert not place.exists()
    assert folder.in_trash() == []
