"""A watched folder of real pictures with its groups, what decides about them and carries it out, without a service."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon.files.protected_paths import Claim
from daemon.jobs.detect import Detector
from daemon.jobs.previews import Previews
from daemon.jobs.progress import NullProgress
from daemon.jobs.runner import JobContext
from daemon.jobs.scan import Scanner
from daemon.jobs.scan_roots import ScanRoot
from daemon.jobs.sort import Sorter, SortSettings
from daemon.jobs.sort_plan import Companions
from daemon.jobs.undo import Undoer
from daemon.processes.worker_pool import WorkerPool
from index.database.queries import listing
from index.database.queries.group_filter import GroupFilter
from index.database.records import batches, decisions, images, jobs, trash_items
from index.database.records.batches import Step
from index.database.records.decisions import DecisionRequest
from index.database.records.images import WatchRoot
from index.database.records.jobs import EmptyParameters, ScanParameters, SortParameters, UndoParameters
from index.database.store import Store
from index.imaging.decoding.pictures import Limits
from index.model import Choice, DetectParameters, JobKind
from support.pictures import photograph, save

# Later than anything that a test writes, so that nothing is still settling.
LATER_NS = 3600 * 10**9


class Job(NullProgress):
    """A job's context that no one watches, with a row of its own in the index."""

    def __init__(self, store: Store, kind: JobKind = JobKind.SORT) -> None:
        parameters: dict[str, Any] = {}
        self.job_id = store.write(lambda db: jobs.add(db, kind, parameters, "user"))
        store.write(lambda db: jobs.take_next(db, 0))


class Desk:
    """Everything of a library on real files: `scan`, `decide`, `sort`, `undo`, `empty`."""

    def __init__(
        self,
        folder: Path,
        pool: WorkerPool,
        protected: Sequence[str] = (),
        companions: Companions = Companions.MATCHED,
        roots: Sequence[str] = ("photos",),
    ) -> None:
        self.folder = folder
        self.photos = folder / roots[0]
        self.best = folder / "best"
        self.best.mkdir(exist_ok=True)
        for name in (*roots, *protected):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.companions = companions
        self.carries_metadata = False
        self.claims: Callable[[], Sequence[Claim]] = tuple
        self.destinations = {"best": bytes(self.best)}
        self.pool = pool
        self.roots = [
            ScanRoot(WatchRoot(bytes(folder / name), protected=name in protected))
            for name in dict.fromkeys([*roots, *protected])
        ]
        self.offset_ns = LATER_NS
        self.open()

    def open(self) -> None:
        """Open the index, as a start of the service does."""
        self.store = Store(self.folder / "data")
        self.store.write(lambda db: images.sync_roots(db, [root.root for root in self.roots]))
        limits = Limits(max_pixels=50_000_000)
        views = Previews(self.store, self.pool, limits)
        self.detector = Detector(self.store, self.pool, views, DetectParameters)
        self.scanner = Scanner(self.store, self.pool, lambda: self.roots, limits, self.detector.update)
        self.sorter = Sorter(self.store, self.pool, limits, self.settings, self.rescan, self.now_ns)
        self.undoer = Undoer(self.store, self.destinations.values, self.rescan, self.now_ns)

    def close(self) -> None:
        self.store.close()

    def settings(self) -> SortSettings:
        return SortSettings(self.destinations, self.companions, 3.0, self.carries_metadata, self.claims)

    def now_ns(self) -> int:
        return time.time_ns() + self.offset_ns

    def rescan(self, progress: Any, paths: Sequence[bytes]) -> None:
        self.scanner.run(progress, ScanParameters(paths=[os.fsdecode(path) for path in paths]))

    # Files

    def picture(self, name: str, seed: int = 1, size: tuple[int, int] = (320, 240), quality: int = 90) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return save(photograph(seed, *size), path, quality=quality)

    def copy(self, source: Path, name: str) -> Path:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return target

    def files(self) -> dict[str, bytes]:
        """Every file below the folder but the index and the manifests, with its bytes."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not path.is_symlink() and path.name != "manifest.jsonl"
            and self.folder / "data" not in path.parents
        }  # fmt: skip

    # What is done

    def scan(self) -> None:
        self.scanner.run(NullProgress(), ScanParameters())

    def groups(self) -> dict[str, list[str]]:
        """The public id of each group, and the paths of its images below the folder."""
        with self.store.read() as database:
            rows = listing.groups_page(database, GroupFilter()).items
            members = listing.members(database, [row.id for row in rows], 100)
        start = len(bytes(self.folder)) + 1
        return {row.key: [os.fsdecode(member.file.path[start:]) for member in members[row.id]] for row in rows}

    def image_id(self, path: Path) -> int:
        with self.store.read() as database:
            row = database.execute_sql("SELECT id FROM image WHERE path = ?", (bytes(path),)).fetchone()
        assert row is not None, f"{path} is not in the index"
        return int(row[0])

    def decide(self, choices: Mapping[Path, str]) -> None:
        """Decide about images by their paths: keep, trash, link, or move (to best)."""
        for path, choice in choices.items():
            image_id = self.image_id(path)
            name = os.fsdecode(bytes(path)[len(bytes(self.folder)) + 1 :])
            key = next(key for key, names in self.groups().items() if name in names)
            wanted = DecisionRequest(image_id, Choice(choice), "best" if choice == "move" else "")
            self.store.write(lambda db, key=key, wanted=wanted: decisions.decide(db, key, [wanted], self.now_ns()))  # type: ignore[misc]

    def sort(self, dry_run: bool = False, **parameters: Any) -> dict[str, Any]:
        return dict(self.sorter.run(Job(self.store), SortParameters(dry_run=dry_run, **parameters)))  # type: ignore[arg-type]

    def undo(self, batch: int | None = None, **parameters: Any) -> dict[str, Any]:
        return dict(self.undoer.undo(Job(self.store, JobKind.UNDO), UndoParameters(batch=batch, **parameters)))  # type: ignore[arg-type]

    def empty(self, **parameters: Any) -> dict[str, Any]:
        return dict(self.undoer.empty(Job(self.store, JobKind.EMPTY), EmptyParameters(**parameters)))  # type: ignore[arg-type]

    def steps(self, batch: int) -> list[Step]:
        with self.store.read() as database:
            return batches.steps_of(database, batch)

    def in_trash(self) -> list[trash_items.Item]:
        with self.store.read() as database:
            return trash_items.in_trash(database)


def job_context(desk: Desk) -> JobContext:
    return Job(desk.store)  # type: ignore[return-value]
