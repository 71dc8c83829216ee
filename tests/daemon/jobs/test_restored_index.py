"""An index that was put back, with real files: what the manifests of the trashes show of it, and that the whole program
begins nothing again."""

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.files.protected_paths import ManagedFolders
from daemon.jobs import restored_index
from daemon.jobs.journal import Journal, NoChecks
from daemon.jobs.progress import NullProgress
from index.database.records import batches, images, jobs, trash_items
from index.database.records.batches import Action, BatchKind, Step, StepState
from index.database.records.images import WatchRoot
from index.database.store import Store
from index.database.upkeep.lineage_files import LineageFiles, LineageMark
from index.errors import StoreError
from index.imaging.decoding.pictures import digest
from index.model import Identity, JobKind
from support.program import Program
from support.serving import until
from support.twins import decide_all, make_twins, wait_for


class Folder:
    """A watched folder, and a data folder whose file system may be rolled back to an earlier moment."""

    def __init__(self, folder: Path) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.data = folder / "data"
        self.manifest = self.photos / ".comparimg-trash" / "manifest.jsonl"
        self.managed_folders = ManagedFolders.of({bytes(self.photos): False})
        with Store(self.data) as store:
            store.write(lambda db: images.sync_roots(db, [WatchRoot(bytes(self.photos))]))

    def add(self, name: str) -> Step:
        path = self.photos / name
        path.write_bytes(name.encode())
        return Step(Action.TRASH, bytes(path), Identity.of(path.lstat()), digest(name.encode()))

    def trash(self, store: Store, *names: str) -> int:
        journal = Journal(store, self.managed_folders)
        batch_id = journal.begin(BatchKind.SORT, [self.add(name) for name in names])
        journal.carry_out(NullProgress(), batch_id, NoChecks())
        return batch_id

    def remember(self) -> None:
        shutil.rmtree(self.data.with_name("then"), ignore_errors=True)
        shutil.copytree(self.data, self.data.with_name("then"))

    def roll_back(self) -> None:
        """As a snapshot of the file system does, which restores every inode and time as well."""
        shutil.rmtree(self.data)
        shutil.copytree(self.data.with_name("then"), self.data)
        with closing(sqlite3.connect(self.data / "index.sqlite3")) as database:
            mark = LineageMark(*database.execute("SELECT index_id, counter FROM lineage").fetchone())
        LineageFiles(self.data / "index.sqlite3", None).write(mark)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def state_of(store: Store, batch_id: int) -> tuple[str, list[StepState]]:
    with store.read() as database:
        return batches.batch(database, batch_id).state, [step.state for step in batches.steps_of(database, batch_id)]


def test_every_line_of_a_manifest_names_the_index_and_how_far_it_was(folder: Folder) -> None:
    with Store(folder.data) as store:
        folder.trash(store, "a.jpg", "b.jpg")
        first = store.mark
        folder.trash(store, "c.jpg")
        mark = store.mark
    lines = [json.loads(line) for line in folder.manifest.read_text().splitlines()]
    assert first is not None and mark is not None
    assert {line["index"] for line in lines} == {mark.index_id}
    assert lines[0]["counter"] == lines[1]["counter"] <= first.counter < lines[2]["counter"] <= mark.counter


@pytest.mark.fault("the file system of the data folder rolled back: shown by the manifests, nothing is resumed")
def test_an_index_behind_the_manifests_resumes_nothing(folder: Folder) -> None:
    with Store(folder.data) as store:
        job_id = store.write(lambda db: jobs.add(db, JobKind.SORT, {}, "user"))
        store.write(lambda db: jobs.take_next(db, 1, 0))
        waiting = Journal(store, folder.managed_folders).begin(BatchKind.SORT, [folder.add("kept.jpg")], job_id)
        store.write(lambda db: db.execute_sql("UPDATE step SET state = 'doing'"))
    folder.remember()
    with Store(folder.data) as store:
        store.write(lambda db: db.execute_sql("UPDATE step SET state = 'planned'"))
        Journal(store, folder.managed_folders).cancel(waiting)
        store.write(lambda db: jobs.update(db, job_id, state="cancelled"))
        folder.trash(store, "later.jpg")
    folder.roll_back()
    with Store(folder.data) as store:
        assert store.put_back == "", "all in the data folder is as it was"
        assert state_of(store, waiting) == ("running", [StepState.DOING])
        Journal(store, folder.managed_folders).recover()
        assert "manifests of the trashes are ahead" in store.put_back
        assert state_of(store, waiting) == ("cancelled", [StepState.CANCELLED])
        with store.read() as database:
            assert jobs.read(database, job_id)["state"] == "cancelled"
            assert [bytes(item.path) for item in trash_items.in_trash(database)] == [bytes(folder.photos / "later.jpg")]
        assert (folder.photos / "kept.jpg").exists()
    with Store(folder.data) as store:
        journal = Journal(store, folder.managed_folders)
        journal.recover()
        assert store.put_back == "", "once is enough"
        folder.trash(store, "again.jpg")
    folder.roll_back()
    with Store(folder.data) as store:
        Journal(store, folder.managed_folders).recover()
        assert store.put_back, "and so is every further time"


def test_a_job_that_meets_manifests_ahead_of_the_index_ends_before_it_changes_anything(folder: Folder) -> None:
    """The disk with the trash came later than the start of the service."""
    folder.remember()
    with Store(folder.data) as store:
        folder.trash(store, "a.jpg")
    away = folder.photos.with_name("away")
    folder.photos.rename(away)
    folder.roll_back()
    with Store(folder.data) as store:
        Journal(store, folder.managed_folders).recover()
        assert store.put_back == ""
        away.rename(folder.photos)
        step = folder.add("kept.jpg")
        journal = Journal(store, folder.managed_folders)
        journal.recover()
        with pytest.raises(StoreError, match="ended before it changed anything"):
            journal.begin(BatchKind.SORT, [step])
        assert store.put_back
        folder.trash(store, "asked for again.jpg")
        assert not (folder.photos / "asked for again.jpg").exists()


def lines_of_others(line: dict[str, object], mark: LineageMark) -> list[bytes]:
    """What is no evidence: made by another index, without an id, or by none."""
    ahead = mark.counter + 1000
    documents: list[object] = [
        {**line, "index": "0" * 32, "counter": ahead},
        {name: value for name, value in line.items() if name not in ("index", "counter")},
        {**line, "counter": 2**70}, {**line, "counter": -1}, {**line, "counter": "9"}, {**line, "counter": True},
        {**line, "counter": 10.5}, {**line, "index": [mark.index_id], "counter": ahead}, [mark.index_id, ahead],
        {**line, "from": "x" * 2**20, "counter": ahead},
    ]  # fmt: skip
    return [
        *(json.dumps(document).encode() for document in documents),
        b"[" * 100_000 + mark.index_id.encode(),
        b"\xff\x00",
    ]


def test_what_others_wrote_into_a_manifest_is_no_evidence(folder: Folder) -> None:
    with Store(folder.data) as store:
        folder.trash(store, "a.jpg")
        line = json.loads(folder.manifest.read_bytes())
        assert store.mark is not None
        with folder.manifest.open("ab") as manifest:
            manifest.writelines(foreign + b"\n" for foreign in lines_of_others(line, store.mark))
        assert not restored_index.end_if_behind(store, folder.managed_folders, [bytes(folder.manifest.parent)])
        assert not restored_index.end_if_behind(store, folder.managed_folders, [bytes(folder.photos / "nowhere")])
        assert store.put_back == ""


@pytest.mark.parametrize("behind", [0, 100, 500, 1000])
def test_a_line_is_found_wherever_it_stands_in_a_large_manifest(
    folder: Folder, behind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored_index, "PIECE_BYTES", 700)
    with Store(folder.data) as store:
        folder.trash(store, "a.jpg")
        line = json.loads(folder.manifest.read_bytes())
        assert store.mark is not None
        line["counter"] = store.mark.counter + 5
        other = json.dumps({**line, "index": "0" * 32, "from": "y" * 37}).encode() + b"\n"
        folder.manifest.write_bytes(other * 7 + json.dumps(line).encode() + b"\n" + other * (behind // 100))
        assert restored_index.end_if_behind(store, folder.managed_folders, [bytes(folder.manifest.parent)])
        assert store.mark.counter > line["counter"]


# The whole program


def index_alone(data: Path, then: Path) -> None:
    for name in ("index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"):
        shutil.copyfile(then / name, data / name)


def whole_folder(data: Path, then: Path) -> None:
    shutil.rmtree(data)
    subprocess.run(["cp", "-a", then, data], check=True)


@pytest.mark.slow
@pytest.mark.fault("a copy of the middle of a sort put back by hand under the real program: the sort does not go on")
def test_a_sort_does_not_go_on_in_an_index_that_was_put_back(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    copies = make_twins(photos, 40)
    before = files_of(photos)
    program = Program(tmp_path, photos)
    data, then = tmp_path / "data", tmp_path / "then"
    with program.running() as (process, address):
        ask = Client(address)
        decide_all(ask, 40)
        job = ask.post("jobs", {"kind": "sort", "parameters": {}})
        until(lambda: not all(copy.exists() for copy in copies))
        process.kill()
        process.wait()
    subprocess.run(["cp", "-a", data, then], check=True)
    with program.running() as (process, address):
        ask = Client(address)
        batch = wait_for(ask, job)["outcome"]["batch"]
        wait_for(ask, ask.post(f"batches/{batch}/undo", {}))
        process.terminate()
        process.wait()
    assert files_of(photos) == before
    for way in (index_alone, whole_folder):
        way(data, then)
        with program.running() as (process, address):
            ask = Client(address)
            assert ask.get("status")["index_put_back"] is True
            ended = ask.get(f"jobs/{job['id']}")
            assert (ended["state"], "Start it again" in ended["error"]) == ("cancelled", True)
            until(lambda ask=ask: not ask.get("status")["jobs"])  # type: ignore[misc]
            assert files_of(photos) == before
            process.terminate()
            assert process.wait(15) == 0
    assert program.log.read_text().count("What was unfinished in it has been ended") == 2


def files_of(photos: Path) -> dict[Path, bytes]:
    paths = (path for path in photos.rglob("*.png") if ".comparimg-trash" not in path.parts)
    return {path: path.read_bytes() for path in paths}
