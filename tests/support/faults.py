"""The fault table: every action of the journal, hit by real faults at every change that it makes.

    make fault-table

A case is run in a process of its own, forked from this one, which a kill ends for real. Then this process does what the
next start of the service does, looks at every byte, and undoes what was done. A row says what happened and what was
lost; a row that lost anything, or left a step in doubt, makes the whole fail.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from daemon.files import actions, removal, trash
from daemon.jobs.leftovers import rescue_leftovers
from daemon.jobs.progress import NullProgress
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.records import trash_items
from index.database.records.batches import Step, StepState
from index.database.store import Store
from index.errors import StoreError
from index.imaging.discovery.walk import Exclusions, Walk
from index.messages import text
from support import privileges
from support.fault_scene import ACTIONS, NEW, OLD, OTHER, UNDOABLE, Making, Scene
from support.sorting import Desk


@dataclass
class Row:
    """One line of the table."""

    fault: str
    action: str
    at: str
    happened: str
    lost: str

    @property
    def good(self) -> bool:
        return self.lost == "nothing" and "doubt" not in self.happened


# What happens to a scene


def judge(scene: Scene, batch_id: int, others: Iterable[bytes] = ()) -> tuple[str, str]:
    """What happened to the one step, after a new start, and what was lost."""
    scene.recover()
    step = scene.state(batch_id)
    files = scene.files()
    missing = [name for name, data in _precious(scene, step, others).items() if data not in files.values()]
    left = [name for name in files if ".part" in name]
    happened = {
        StepState.DONE: "done",
        StepState.CANCELLED: "not done",
        StepState.PLANNED: "not done",
        StepState.DOING: "in doubt",
    }.get(step.state, f"{step.state}: {step.reason}")
    if left:
        missing.append(f"left behind: {', '.join(left)}")
    stays = step.state is not StepState.DONE and scene.action not in ("restore", "swap", "delete", "create")
    if stays and scene.path.read_bytes() != OLD:
        missing.append("the file is not at its place")
    if step.state is StepState.DONE and scene.action in UNDOABLE and not missing:
        scene.undo(batch_id)
        if scene.path.read_bytes() != OLD:
            missing.append("undo did not bring it back")
        happened += ", undone"
    return happened, "; ".join(missing) or "nothing"


def _precious(scene: Scene, step: Step, others: Iterable[bytes]) -> dict[str, bytes]:
    contents = {f"file {number}": data for number, data in enumerate(others)}
    if not (scene.action == "delete" and step.state is StepState.DONE):
        contents["the file"] = OLD
    if scene.action == "swap":
        contents["the new file"] = NEW
    return contents


# Kills


def killed(folder: Path, action: str, far: Path | None, number: int, after: bool, index: str) -> Row | None:
    """Kill the process before or after its change with this number, and keep its index, lose it, or put back the one of
    before; None if it makes fewer."""
    scene = Scene(folder, action, far)
    batch_id = scene.begin()
    if index == "older":
        shutil.copytree(folder / "data", folder / "older")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with scene.opened() as journal:
            _kill_at(number, after, writer)
            journal.carry_out(NullProgress(), batch_id, Making(scene))
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        change = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert status == 0, f"{action} failed without a fault"
        return None
    if index == "kept":
        happened, lost = judge(scene, batch_id)
    else:
        shutil.rmtree(folder / "data")
        if index == "older":
            (folder / "older").rename(folder / "data")
        happened, lost = judge_without_index(scene)
    fault = {"kept": "kill -9", "lost": "kill -9, index lost", "older": "kill -9, older index put back"}[index]
    return Row(fault, action, f"{'after' if after else 'before'} {change}", happened, lost)


def judge_without_index(scene: Scene) -> tuple[str, str]:
    """Whether a start and a scan with an index that knows nothing of it bring every file to where it is seen: at a
    visible name, or listed in the trash."""
    scene.recover()
    with scene.opened() as journal:
        assert scene.store is not None
        for top in (scene.photos, scene.best):
            walk = Walk(bytes(top), Exclusions(bytes(top)))
            list(walk)
            rescue_leftovers(scene.store, scene.managed_folders(), walk.strays)
        journal.recover()
        with scene.store.read() as database:
            places = [Path(os.fsdecode(item.place)) for item in trash_items.in_trash(database)]
    listed = {place.read_bytes() for place in places if place.exists()}
    files = scene.files()
    hidden = [name for name in files if ".comparimg-" in name.replace(".comparimg-trash/", "")]
    seen = listed | {data for name, data in files.items() if ".comparimg-" not in name}
    is_emptied = scene.action == "delete" and OLD not in files.values()
    precious = {"the file": OLD} if not is_emptied else {}
    if scene.action == "swap":
        precious["the new file"] = NEW
    missing = [name for name, data in precious.items() if data not in seen]
    if hidden:
        missing.append(f"left behind: {', '.join(hidden)}")
    return "emptied" if is_emptied else "all seen again", "; ".join(missing) or "nothing"


def _kill_at(number: int, after: bool, writer: int) -> None:
    count = iter(range(10_000))
    names = {"renameat2": "rename", "_append": "manifest", "write": "commit"}

    def killing(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any, **named: Any) -> Any:
            mine = next(count) == number
            if mine:
                os.write(writer, names.get(name, name).encode())
            if mine and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return change(*arguments, **named)
            finally:
                if mine:
                    os.kill(os.getpid(), signal.SIGKILL)

        return do

    for owner, functions in ((removal, ("renameat2",)), (trash, ("_append",)), (Store, ("write",)),
                        (os, ("link", "unlink", "rename", "mkdir", "rmdir"))):  # fmt: skip
        for name in functions:
            setattr(owner, name, killing(name, getattr(owner, name)))


def kills(scratch: Path, far: Path | None, stride: int = 1) -> Iterator[Row]:
    """Every action killed at every `stride`th of its changes (without its index more seldom), before it and after."""
    for action, index in itertools.product(ACTIONS, ("kept", "lost", "older")):
        if action == "move far" and far is None:
            continue
        step = stride if index == "kept" or stride == 1 else 3 * stride
        for after in (False, True):
            for number in range(int(after) % step, 100, step):
                folder = Path(tempfile.mkdtemp(dir=scratch))
                other = Path(tempfile.mkdtemp(dir=far)) if far is not None and action == "move far" else None
                row = killed(folder, action, other, number, after, index)
                shutil.rmtree(folder)
                if other is not None:
                    shutil.rmtree(other)
                if row is None:
                    break
                yield row


# Disks that refuse


def refusals(scratch: Path) -> Iterator[Row]:
    """Full disks, read-only ones, folders that may not be written to, on small file systems made for it."""
    for action in ("trash", "move far", "link", "replace", "restore", "swap", "delete"):
        yield _refused(scratch, "ENOSPC: the disk is full", action, _fill)
    for action in ACTIONS:
        yield _refused(scratch, "EROFS: mounted read-only", action, _make_read_only)


def _refused(scratch: Path, fault: str, action: str, spoil: Callable[[Path], Callable[[], object]]) -> Row:
    with small_disk(scratch) as near, small_disk(scratch) as far:
        folder = Path(tempfile.mkdtemp(dir=scratch))
        scene = Scene(folder, action, far if action == "move far" else None)
        scene.photos.rmdir()
        (near / "photos").mkdir()
        scene.photos.symlink_to(near / "photos")
        batch_id = scene.begin()
        repair = spoil(far if action == "move far" else near)
        scene.carry_out(batch_id)
        row = _fault_row(fault, scene, batch_id, repair)
        shutil.rmtree(folder)
        return row


def _fault_row(fault: str, scene: Scene, batch_id: int, repair: Callable[[], object]) -> Row:
    """What happened to a step that a fault was in the way of, once that is out of it."""
    before = scene.state(batch_id)
    repair()
    happened, lost = judge(scene, batch_id)
    if before.state in (StepState.FAILED, StepState.REFUSED):
        happened = f"{before.state}: {before.reason}"
    return Row(fault, scene.action, "acting", happened, lost)


def _fill(disk: Path) -> Callable[[], object]:
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (65536, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, b"\0" * size)
    finally:
        os.close(descriptor)
    return filler.unlink


def _make_read_only(disk: Path) -> Callable[[], object]:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return lambda: subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def forbidden(scratch: Path) -> Iterator[Row]:
    """Every action by someone who may not write to the folder."""
    for action in ACTIONS:
        if action == "move far":
            continue
        folder = Path(tempfile.mkdtemp(dir=scratch))
        scene = Scene(folder, action)
        batch_id = scene.begin()
        closed = [path for path in (scene.photos, *scene.photos.rglob("*"), scene.best) if path.is_dir()]
        for path in closed:
            path.chmod(0o555)
        child = os.fork()
        if child == 0:
            privileges.give_up()
            scene.carry_out(batch_id)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0

        def repair(closed: list[Path] = closed) -> None:
            for path in closed:
                path.chmod(0o755)

        yield _fault_row("EACCES: the folder may not be written to", scene, batch_id, repair)
        shutil.rmtree(folder)


# What other people do meanwhile


def meddling(scratch: Path) -> Iterator[Row]:
    """The file is edited, deleted, replaced, led elsewhere; a name is taken; the folder goes away; the index fails."""
    for fault, spoil in (
        ("edited since the decision", lambda scene: scene.path.write_bytes(OTHER)),
        ("saved again by an editor", _save_again),
        ("deleted by its owner", lambda scene: scene.path.rename(scene.folder / "data" / "kept elsewhere")),
        ("replaced by a symbolic link", _lead_elsewhere),
        ("its folder is exchanged for a link", _lead_folder_elsewhere),
    ):
        for action in ("trash", "move", "link", "replace"):
            yield _meddled(scratch, fault, action, spoil)
    for action in ("trash", "move", "restore", "create"):
        yield _meddled(scratch, "the name there is taken", action, _take_names)
    for action in ACTIONS:
        if action != "move far":
            yield _meddled(scratch, "the watched folder goes away", action, _take_away)
            yield _meddled(scratch, "the index cannot be written: before", action, _break_index(1))
            yield _meddled(scratch, "the index cannot be written: after", action, _break_index(2))


def _meddled(scratch: Path, fault: str, action: str, spoil: Callable[[Scene], Any]) -> Row:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    scene = Scene(folder, action)
    batch_id = scene.begin()
    repair = spoil(scene)
    with contextlib.suppress(StoreError):
        scene.carry_out(batch_id)
    before = scene.state(batch_id)
    if callable(repair):
        repair()
    scene.recover()
    step = scene.state(batch_id)
    held = {path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    precious = set(_precious(scene, step, ()).values())
    if fault.startswith("edited"):
        precious = {OTHER}
    elif fault.startswith(("saved", "the name")):
        precious.add(OTHER)
    if fault.startswith("saved"):
        precious.discard(OLD)  # the editor overwrote it
    lost = "nothing" if precious <= held else "bytes"
    if any(".part" in path.name for path in folder.rglob("*")):
        lost = "left behind: a temporary file"
    happened = f"{before.state}: {before.reason}" if before.reason else str(before.state)
    if before.state in (StepState.DOING, StepState.PLANNED):
        happened = f"{before.state}, then {'done' if step.state is StepState.DONE else 'not done'}"
    shutil.rmtree(folder)
    return Row(fault, action, "before acting", happened, lost)


def _save_again(scene: Scene) -> None:
    fresh = scene.path.with_name("fresh")
    fresh.write_bytes(OTHER)
    fresh.rename(scene.path)


def _lead_elsewhere(scene: Scene) -> None:
    elsewhere = scene.folder / "elsewhere.jpg"
    scene.path.rename(elsewhere)
    scene.path.symlink_to(elsewhere)


def _lead_folder_elsewhere(scene: Scene) -> None:
    elsewhere = scene.folder / "elsewhere"
    elsewhere.mkdir()
    scene.path.rename(elsewhere / "x.jpg")
    shutil.rmtree(scene.photos)
    scene.photos.symlink_to(scene.folder / "nothing there")


def _take_names(scene: Scene) -> None:
    for path in (scene.best / "x.jpg", scene.photos / "x_resize.jpg", scene.path):
        if not path.exists():
            path.write_bytes(OTHER)


def _take_away(scene: Scene) -> Callable[[], object]:
    away = scene.folder / "unplugged"
    scene.photos.rename(away)
    return lambda: away.rename(scene.photos)


def _break_index(number: int) -> Callable[[Scene], Callable[[], None]]:
    """Let the change of the index with this number fail, as on a full disk."""

    def spoil(scene: Scene) -> Callable[[], None]:
        real, calls = Store.write, iter(range(1, 100))

        def write(store: Store, change: Any) -> Any:
            # The first one brings the watched folders up to date.
            if next(calls) == number + 1:
                raise StoreError(text("The index could not be changed: database or disk is full."))
            return real(store, change)

        Store.write = write  # type: ignore[method-assign]

        def repair() -> None:
            Store.write = real  # type: ignore[method-assign]

        return repair

    return spoil


@contextmanager
def small_disk(scratch: Path, size: str = "1m") -> Iterator[Path]:
    """A file system of its own, mounted; for root only."""
    point = Path(tempfile.mkdtemp(dir=scratch))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(point)], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as point:
        made = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], capture_output=True, check=False)
        if made.returncode == 0:
            subprocess.run(["umount", point], check=True)
        return made.returncode == 0


# What happens to the image to keep


def keepers(scratch: Path) -> Iterator[Row]:
    """The whole sort job, with an image to keep that is not what it was."""
    with WorkerPool(1, WorkerLimits()) as pool:
        for fault, spoil in (
            ("the keeper is deleted", lambda desk, kept: kept.rename(desk.folder / "data" / "elsewhere")),
            ("the keeper rots: other bytes, same time", _rot),
            ("the keeper is replaced", lambda desk, kept: desk.picture("photos/a.png", 9)),
            ("the keeper is replaced at the last moment", _replace_keeper),
        ):
            for choice in ("trash", "move", "link"):
                folder = Path(tempfile.mkdtemp(dir=scratch))
                desk = Desk(folder, pool)
                kept = desk.picture("photos/a.png", 1)
                victim = desk.copy(kept, "photos/copy.png")
                data = victim.read_bytes()
                desk.scan()
                desk.decide({kept: "keep", victim: choice})
                repair = spoil(desk, kept)
                outcome = desk.sort()
                if callable(repair):
                    repair()
                happened = ", ".join(f"refused: {reason}" for reason in outcome["refused"]) or "done"
                lost = "nothing" if victim.read_bytes() == data and outcome[choice] == 0 else "the last copy"
                desk.close()
                shutil.rmtree(folder)
                yield Row(fault, choice, "before acting", happened, lost)


def _rot(desk: Desk, kept: Path) -> None:
    status = kept.stat()
    with kept.open("r+b") as file:
        file.seek(status.st_size // 2)
        file.write(b"\0" * 20)
    os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace_keeper(desk: Desk, kept: Path) -> Callable[[], object]:
    """After it was checked, when the step is about to be done."""
    real = actions.perform

    def meddle(*arguments: Any) -> None:
        desk.picture("photos/a.png", 9)
        real(*arguments)

    actions.perform = meddle

    def repair() -> None:
        actions.perform = real

    return repair


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The table in Markdown, a line for each row."""
    yield "| fault | action | at | what happened | what was lost |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| {row.fault} | {row.action} | {row.at} | {row.happened} | {row.lost} |"


def _in_memory() -> str | None:
    """A kill takes nothing from a disk that the kernel keeps, so that no disk need be waited for."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> int:
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory(prefix="comparimg-faults-", dir=_in_memory()) as name:
        scratch = Path(name)
        if can_mount():
            with small_disk(scratch, "64m") as far:
                rows = list(kills(scratch, far, stride))
            rows += [*refusals(scratch), *forbidden(scratch)]
        else:
            rows = list(kills(scratch, None, stride))
            message = "Without the right to mount, full, read-only and closed folders are left out."
            print(message, file=sys.stderr)  # noqa: T201
        rows += meddling(scratch)
        if stride == 1:
            rows += keepers(scratch)
    if "--json" in sys.argv:
        print(json.dumps([asdict(row) for row in rows]))  # noqa: T201
    else:
        print("\n".join(table(rows)))  # noqa: T201
    return int(not all(row.good for row in rows))


if __name__ == "__main__":
    sys.exit(main())
