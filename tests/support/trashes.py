"""Trashes with manifests as anyone may make them, and a watched folder with an index that comes across them."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blake3 import blake3

from daemon.files.protected_paths import ManagedFolders
from daemon.jobs.journal import Journal
from daemon.jobs.undo import Undoer
from index.database.records import batches, images, trash_items
from index.database.records.batches import Step
from index.database.records.images import WatchRoot
from index.database.records.jobs import EmptyParameters, UndoParameters
from index.database.records.trash_items import Item
from index.database.store import Store
from index.messages import of_json
from index.model import JobKind
from support.sorting import Job

NAME = ".comparimg-trash"
AT = "2026-01-01T00:00:00+00:00"


def plant(holder: Path, place: str, /, data: bytes = b"data", mode: int = 0o644, **fields: Any) -> Path:
    """Put a file into the trash of a folder with a line in its manifest, true unless fields say otherwise; the file."""
    file = holder / NAME / place
    file.parent.mkdir(parents=True, exist_ok=True)
    (holder / NAME).chmod(0o700)
    file.write_bytes(data)
    file.chmod(mode)
    write_line(holder, file, **fields)
    return file


def write_line(holder: Path, lying: Path, /, **fields: Any) -> None:
    status = lying.lstat()
    line = {
        "at": AT, "event": "trash", "file": os.path.relpath(lying, holder / NAME), "from": str(holder / "x.jpg"),
        "bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino,
        "blake3": blake3(lying.read_bytes()).hexdigest(), "batch": 7, **fields,
    }  # fmt: skip
    manifest = holder / NAME / "manifest.jsonl"
    with manifest.open("a") as lines:
        lines.write(json.dumps(line) + "\n")
    manifest.chmod(0o600)


class Keeper:
    """Watched folders with an index, that restores and empties as jobs of the service do."""

    def __init__(self, folder: Path, roots: Sequence[str] = ("photos",), protected: Sequence[str] = ()) -> None:
        self.folder = folder
        self.photos = folder / roots[0]
        for name in (*roots, *protected):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.store = Store(folder / "data")
        self.watch({name: name in protected for name in (*roots, *protected)})
        self.undoer = Undoer(self.store, list, lambda progress, paths: None)

    def watch(self, roots: dict[str, bool]) -> None:
        watched = [WatchRoot(bytes(self.folder / name), protected) for name, protected in roots.items()]
        self.store.write(lambda db: images.sync_roots(db, watched))

    def close(self) -> None:
        self.store.close()

    def managed_folders(self) -> ManagedFolders:
        with self.store.read() as database:
            return ManagedFolders.of(images.all_roots(database))

    def start(self) -> None:
        """What a start of the service does with the trashes."""
        Journal(self.store, self.managed_folders()).recover()

    def items(self) -> list[Item]:
        with self.store.read() as database:
            return trash_items.in_trash(database)

    def item(self) -> Item:
        (only_item,) = self.items()
        return only_item

    def restore(self, *items: Item, confirm: bool = False) -> list[Step]:
        ids = [item.id for item in items] or [self.item().id]
        outcome = self.undoer.undo(Job(self.store, JobKind.UNDO), UndoParameters(items=ids, confirm=confirm))
        return self.steps(outcome["batch"])

    def empty(self) -> list[Step]:
        outcome = self.undoer.empty(Job(self.store, JobKind.EMPTY), EmptyParameters())
        return self.steps(outcome["batch"])

    def steps(self, batch: int) -> list[Step]:
        with self.store.read() as database:
            return batches.steps_of(database, batch)

    def problems(self) -> list[tuple[bytes, str, str]]:
        with self.store.read() as database:
            return [
                (bytes(path), reason, str(of_json(message) or ""))
                for path, reason, message in database.execute_sql("SELECT path, reason, message FROM problem")
            ]

    def files(self) -> list[str]:
        """Every file outside the data folder and the trashes."""
        paths = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        return sorted(str(path) for path in paths if NAME not in path.parts and path.parts[0] != "data")
