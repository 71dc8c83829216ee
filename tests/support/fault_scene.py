"""What a fault hits: a watched folder, its index, and a batch of one step of the journal, on real files."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from daemon.files.protected_paths import ManagedFolders
from daemon.jobs.journal import Journal, NoChecks
from daemon.jobs.progress import NullProgress
from daemon.jobs.undo import Undoer
from index.database.records import batches, images, jobs, trash_items
from index.database.records.batches import Action, BatchKind, Step, StepState
from index.database.records.images import WatchRoot
from index.database.records.jobs import UndoParameters
from index.database.records.trash_items import Item
from index.database.store import Store
from index.imaging.decoding.pictures import digest
from index.model import Identity, JobKind

OLD, NEW, OTHER = b"the only copy " * 5000, b"the new file " * 3000, b"the file of another"
ACTIONS = ("trash", "move", "move far", "link", "replace", "create", "restore", "swap", "delete")
UNDOABLE = ("trash", "move", "move far", "link", "replace", "create")


class Scene:
    """A watched folder, a destination (on another disk for "move far"), an index, and a batch of one step."""

    def __init__(self, folder: Path, action: str, far: Path | None = None) -> None:
        self.folder = folder
        self.action = action
        self.photos = folder / "photos"
        self.best = (far or folder) / "best"
        for place in (self.photos, self.best):
            place.mkdir(parents=True, exist_ok=True)
        self.path = self.photos / "x.jpg"
        self.kept = self.photos / "kept.jpg"
        self.store: Store | None = None

    @contextmanager
    def opened(self) -> Iterator[Journal]:
        """The index and its journal, as a start of the service opens them."""
        with Store(self.folder / "data") as store:
            self.store = store
            store.write(lambda db: images.sync_roots(db, [WatchRoot(bytes(self.photos))]))
            yield Journal(store, self.managed_folders())
            self.store = None

    def managed_folders(self) -> ManagedFolders:
        return ManagedFolders.of({bytes(self.photos): False}, [bytes(self.best)])

    def begin(self) -> int:
        """Make the files and the batch; its id."""
        self.path.write_bytes(OLD)
        with self.opened() as journal:
            if self.action in ("restore", "swap", "delete"):
                self._trash_first(journal)
            return journal.begin(BatchKind.SORT, [self._step()])

    def carry_out(self, batch_id: int) -> None:
        with self.opened() as journal:
            journal.carry_out(NullProgress(), batch_id, Making(self))

    def recover(self) -> None:
        with self.opened() as journal:
            journal.recover()

    def state(self, batch_id: int) -> Step:
        with Store(self.folder / "data") as store, store.read() as database:
            return batches.steps_of(database, batch_id)[0]

    def undo(self, batch_id: int) -> dict[str, Any]:
        with self.opened():
            assert self.store is not None
            undoer = Undoer(self.store, lambda: [bytes(self.best)], lambda progress, paths: None)
            return dict(undoer.undo(_Job(self.store), UndoParameters(batch=batch_id)))  # type: ignore[arg-type]

    def files(self) -> dict[str, bytes]:
        """Every file but the index and the manifests, by its path below the folder or the other disk."""
        files = {}
        for top in {self.photos, self.best}:
            for path in top.rglob("*"):
                if path.is_file() and not path.is_symlink() and path.name != "manifest.jsonl":
                    files[f"{top.name}/{path.relative_to(top)}"] = path.read_bytes()
        return files

    def _trash_first(self, journal: Journal) -> None:
        if self.action == "swap":
            temp = self.path.with_name("new")
            temp.write_bytes(NEW)
        kind = Action.REPLACE if self.action == "swap" else Action.TRASH
        journal.carry_out(NullProgress(), journal.begin(BatchKind.SORT, [self._file_step(kind)]), Making(self))

    def _item(self) -> Item:
        assert self.store is not None
        with self.store.read() as database:
            return trash_items.in_trash(database)[0]

    def _file_step(self, action: Action) -> Step:
        return Step(action, bytes(self.path), Identity.of(self.path.lstat()), digest(OLD), bytes=len(OLD))

    def _step(self) -> Step:
        name = Action(self.action.partition(" ")[0])
        match self.action:
            case "trash" | "replace":
                return self._file_step(name)
            case "move" | "move far":
                return replace(self._file_step(name), target=bytes(self.best / "x.jpg"))
            case "link":
                self.kept.write_bytes(OLD)
                return replace(self._file_step(name), keeper=bytes(self.kept), made=Identity.of(self.kept.lstat()))
            case "create":
                blank = Identity(self.photos.stat().st_dev, 0, 0, 0)
                return Step(name, bytes(self.path), blank, target=bytes(self.photos / "x_resize.jpg"))
        item = self._item()
        device = self.photos.stat().st_dev
        step = Step(
            name, item.path, Identity(device, item.inode, item.size_bytes, item.mtime_ns), item.digest,
            trash=item.place, bytes=item.size_bytes,
        )  # fmt: skip
        if self.action == "restore":
            return replace(step, target=item.path)
        if self.action == "swap":
            return replace(step, made=Identity.of(self.path.lstat()))
        return step


class Making(NoChecks):
    """Makes the new file of a step shortly before, as compression does."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def prepare(self, steps: Iterable[Step]) -> Iterator[Step]:
        assert self._scene.store is not None
        for step in steps:
            if step.action not in (Action.REPLACE, Action.CREATE):
                yield step
                continue
            with self._scene.store.read() as database:
                name = batches.batch(database, step.batch_id).name
            temp = Path(os.fsdecode(Journal(self._scene.store, self._scene.managed_folders()).temp_of(name, step)))
            try:
                temp.write_bytes(NEW)
            except OSError as error:
                with contextlib.suppress(OSError):
                    temp.unlink(missing_ok=True)
                yield replace(step, state=StepState.FAILED, reason=errno.errorcode[error.errno or 0])
                continue
            if step.action is Action.CREATE:
                yield replace(step, identity=Identity.of(temp.lstat()), digest=digest(NEW))
            else:
                yield replace(step, made=Identity.of(temp.lstat()), made_digest=digest(NEW))


class _Job(NullProgress):
    def __init__(self, store: Store) -> None:
        self.job_id = store.write(lambda db: jobs.add(db, JobKind.UNDO, {}, "user"))
