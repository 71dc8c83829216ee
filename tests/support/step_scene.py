"""The scene of one step: a folder with its file and its trash, for the tests of actions and of removal."""

import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from daemon.files import actions, step_recovery
from daemon.files.protected_paths import ManagedFolders
from daemon.files.rescue import Rescue
from daemon.files.trash import NAME, Trashes
from index import operating_system
from index.database.records.batches import Action, Step
from index.imaging.decoding.pictures import digest
from index.model import Identity

OLD, NEW = b"the old picture", b"the new one"


@dataclass
class Scene:
    """A folder with the file of a step, its trash, and the step."""

    folder: Path
    step: Step
    managed_folders: ManagedFolders
    before: dict[str, bytes]
    after: dict[str, bytes]

    def act(self) -> None:
        actions.perform(self.step, self.managed_folders.file_ref, lambda step: nullcontext(), self.rescue())

    def settle(self) -> bool:
        step_recovery.undo_removals(self.step, self.managed_folders.file_ref)
        return step_recovery.recover_step(self.step, self.managed_folders.file_ref, self.rescue())

    def rescue(self) -> Rescue:
        return Rescue(Trashes(self.managed_folders), "batch", now_ns=lambda: 10**18)

    def kept(self) -> dict[str, bytes]:
        """What was kept in the trash of the folder."""
        return {p.name: p.read_bytes() for p in (self.folder / os.fsdecode(NAME)).glob("*-kept/*")}

    def files(self) -> dict[str, bytes]:
        """Every file but those kept, by its path; those in the trash as if that were the folder above theirs."""
        found = [p.relative_to(self.folder) for p in self.folder.rglob("*") if p.is_file()]
        return {
            str(p).removeprefix(f"{os.fsdecode(NAME)}/"): (self.folder / p).read_bytes()
            for p in found
            if p.name != "manifest.jsonl" and not p.parent.name.endswith("-kept")
        }


def identity(path: Path) -> Identity:
    return Identity.of(path.lstat())


def scene(tmp_path: Path, name: str) -> Scene:
    folder = tmp_path / "photos"
    trash = folder / os.fsdecode(NAME) / "t"
    for inner in (folder / "a", folder / "best", trash):
        inner.mkdir(parents=True)
    path, place, temp = folder / "a" / "x.jpg", trash / "1-x.jpg", folder / "a" / ".part"
    kept = folder / "a" / "kept.jpg"
    target = folder / "best" / "x.jpg"
    other = trash / "2-x.jpg"
    path.write_bytes(OLD)
    action = Action(name.partition(" ")[0])
    step = Step(action, bytes(path), identity(path), digest(OLD), trash=bytes(place), temp=bytes(temp))
    folders = ManagedFolders.of({bytes(folder): False})
    match name:
        case "trash":
            after = {"t/1-x.jpg": OLD}
        case "move":
            step = replace(step, target=bytes(target), trash=b"", temp=b"")
            after = {"best/x.jpg": OLD}
        case "move far":
            temp = folder / "best" / ".part"
            step = replace(step, target=bytes(target), temp=bytes(temp))
            after = {"best/x.jpg": OLD, "t/1-x.jpg": OLD}
        case "link":
            kept.write_bytes(OLD)
            step = replace(step, keeper=bytes(kept), made=identity(kept))
            after = {"a/kept.jpg": OLD, "a/x.jpg": OLD, "t/1-x.jpg": OLD}
        case "replace":
            temp.write_bytes(NEW)
            step = replace(step, made=identity(temp), made_digest=digest(NEW))
            after = {"a/x.jpg": NEW, "t/1-x.jpg": OLD}
        case "create":
            path.rename(temp)
            step = replace(step, target=bytes(target), trash=b"")
            after = {"best/x.jpg": OLD}
        case "restore":
            path.rename(place)
            step = replace(step, target=bytes(path), temp=b"")
            after = {"a/x.jpg": OLD}
        case "swap":
            path.rename(place)
            path.write_bytes(NEW)
            step = replace(step, target=bytes(other), made=identity(path), made_digest=digest(NEW))
            after = {"a/x.jpg": OLD, "t/2-x.jpg": NEW}
        case "delete":
            path.rename(place)
            after = {}
    made = Scene(folder, step, folders, {}, after)
    made.before = made.files()
    return made


NAMES = ("trash", "move", "move far", "link", "replace", "create", "restore", "swap", "delete")
FILE_SYSTEMS = ("whole", "without renameat2", "without renameat2 and links")


@pytest.fixture(params=FILE_SYSTEMS)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system can do: what it cannot, the system calls say as NFS and FAT do."""
    kind: str = request.param
    if "renameat2" in kind:
        monkeypatch.setattr(operating_system, "c_library", object)
    if "links" in kind:
        monkeypatch.setattr(os, "link", refuse)
    return kind


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")
