"""What is removed, and by what proof: nothing else, even if a file is saved at that moment, and by one module only."""

import ast
import contextlib
import os
import random
from pathlib import Path

import pytest

from daemon.files import removal, safe_files
from daemon.files.safe_files import FileRef
from index.errors import StepRefused
from index.imaging.decoding.pictures import digest
from index.model import Identity
from support.editors import Editor
from support.step_scene import NAMES, NEW, OLD, Scene, file_system, scene

__all__ = ["file_system"]

TOP = Path(__file__).parents[3]
SEED = 20261128
# For each action on each kind of file system: every single moment, and so many sets of two to four.
DRAWN = 30


def spot(path: Path) -> FileRef:
    return FileRef(bytes(path.parent), bytes(path))


def recorded(path: Path) -> removal.Proof:
    return safe_files.proof_by_record(Identity.of(path.lstat()), digest(path.read_bytes()))


def names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_recorded_file_is_removed(tmp_path: Path, file_system: str) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(NEW)
    assert safe_files.remove(spot(path), recorded(path))
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("change", ["bytes", "inode", "link", "folder", "no digest"])
def test_what_is_not_what_was_recorded_stays(tmp_path: Path, change: str, file_system: str) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(NEW)
    proof = recorded(path)
    status = path.stat()
    if change == "bytes":
        path.write_bytes(NEW[::-1])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "inode":
        path.rename(tmp_path / "away")
        path.write_bytes(NEW)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "link":
        path.rename(tmp_path / "away")
        path.symlink_to(tmp_path / "away")
    elif change == "folder":
        path.unlink()
        path.mkdir()
        (path / "inner").write_bytes(OLD)
    else:
        proof = safe_files.proof_by_record(Identity.of(status), b"")
    before = names_in(tmp_path)
    assert not safe_files.remove(spot(path), proof)
    assert names_in(tmp_path) == before
    assert path.is_symlink() == (change == "link")
    assert change != "folder" or (path / "inner").read_bytes() == OLD


def test_a_second_name_is_removed_only_while_there_is_another(tmp_path: Path, file_system: str) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(OLD)
    assert not safe_files.remove(spot(path), safe_files.proof_by_second_name(spot(other)))
    other.write_bytes(OLD)
    assert not safe_files.remove(spot(path), safe_files.proof_by_second_name(spot(other)))
    assert not safe_files.remove(spot(path), safe_files.proof_by_second_name(FileRef(b"/nowhere", b"/nowhere/b")))
    other.unlink()
    if "links" in file_system:
        return
    os.link(path, other)
    assert safe_files.remove(spot(path), safe_files.proof_by_second_name(spot(other)))
    assert names_in(tmp_path) == ["b"]


def test_a_name_taken_while_a_file_is_looked_at_is_not_overwritten(tmp_path: Path, file_system: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"not ours")

    def proof(descriptor: int) -> bool:
        path.write_bytes(b"saved meanwhile")
        return False

    assert not safe_files.remove(spot(path), proof)
    assert path.read_bytes() == b"saved meanwhile"
    assert (tmp_path / "a (kept).jpg").read_bytes() == b"not ours"
    assert names_in(tmp_path) == ["a (kept).jpg", "a.jpg"]


def test_what_is_written_to_while_it_is_proven_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(NEW)
    is_recorded = recorded(path)
    with path.open("ab", buffering=0) as writing:

        def proof(descriptor: int) -> bool:
            proven = is_recorded(descriptor)
            writing.write(b"more")
            return proven

        assert not safe_files.remove(spot(path), proof)
    assert path.read_bytes() == NEW + b"more"


def test_a_failure_while_looking_gives_the_name_back(tmp_path: Path, file_system: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(OLD)

    def proof(descriptor: int) -> bool:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        safe_files.remove(spot(path), proof)
    assert names_in(tmp_path) == ["a.jpg"]


def test_what_a_crash_left_on_its_way_gets_its_name_back(tmp_path: Path, file_system: str) -> None:
    for number, name in enumerate(["a.jpg", "b.jpg", "b.jpg"]):
        folder = tmp_path / f".comparimg-{number:016x}.removing"
        folder.mkdir()
        (folder / name).write_bytes(b"file %d" % number)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        safe_files.undo_removals(spot(tmp_path / name))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} in (
        {"a.jpg": b"file 0", "b.jpg": b"file 1", "b (kept).jpg": b"file 2"},
        {"a.jpg": b"file 0", "b.jpg": b"file 2", "b (kept).jpg": b"file 1"},
    )


# An editor that saves at the same moment


def race(tmp_path: Path, name: str, moments: set[int]) -> tuple[Scene, Editor]:
    """An action while an editor saves at these moments; then what `settle` makes of it."""
    made = scene(tmp_path, name)
    editor = Editor(made.folder / "a" / "x.jpg", moments)
    contents = set(made.before.values())
    with editor.at_work():
        with contextlib.suppress(StepRefused, OSError):
            made.act()
        made.settle()
    if name == "delete":
        contents.discard(OLD)
    check_nothing_lost(made, editor, contents - {NEW}, f"{name}, saved at {sorted(moments)}")
    return made, editor


def check_nothing_lost(made: Scene, editor: Editor, contents: set[bytes], when: str) -> None:
    files = made.files()
    there = {*files.values(), *made.kept().values()}
    assert (contents | set(editor.saved)) - editor.overwritten <= there, f"{when}: {files}, {made.kept()}"
    assert not [name for name in files if "comparimg" in name or name.endswith(".part")], when
    if editor.saved and made.step.action not in ("trash", "move"):
        assert files["a/x.jpg"] == editor.saved[-1], "the newest save has the path"


@pytest.mark.fault("an editor saves the file before or after any change that an action makes: nothing is lost")
@pytest.mark.parametrize("name", NAMES)
def test_an_editor_that_saves_at_any_moment_of_an_action_loses_nothing(
    tmp_path: Path, name: str, file_system: str
) -> None:
    _, quiet = race(tmp_path / "quiet", name, set())
    chance = random.Random(SEED)
    moments = [{number} for number in range(2 * quiet.changes)]
    every = range(2 * quiet.changes + 12)  # putting something back takes more changes
    moments += [set(chance.sample(every, chance.randint(2, 4))) for _ in range(DRAWN)]
    saves = 0
    for number, at in enumerate(moments):
        _, editor = race(tmp_path / str(number), name, at)
        saves += len(editor.saved)
    assert saves >= 2 * quiet.changes


# Who removes


REMOVING = {"unlink", "remove", "rmdir", "removedirs", "rename", "renames", "replace", "truncate", "ftruncate",
            "rmtree", "move", "copyfile", "copy", "copy2", "write_bytes", "write_text"}  # fmt: skip
# What takes names away outside daemon.files.removal: in the data folder, in ComparImg's own installation, or where a
# person named the file to be written. A module that comes to this list needs a reason that docs/safety.md gives.
ELSEWHERE = {
    "index/operating_system.py", "index/database/lock.py", "index/database/store.py",
    "index/database/upkeep/backups.py", "index/database/upkeep/clean_stop.py",
    "index/database/upkeep/recovery.py", "index/database/upkeep/restore.py",
    "index/database/upkeep/lineage_files.py", "webui/thumbnails.py",
    "daemon/jobs/previews.py", "daemon/jobs/preview_cache.py", "daemon/processes/decode_task.py",
    "daemon/configuration/tokens.py", "daemon/remote_workers/join.py", "daemon/remote_workers/roster.py",
    "daemon/remote_workers/scratch.py",
    "daemon/machine/environment.py", "daemon/machine/installation.py", "daemon/ctl/detect.py",
}  # fmt: skip
# Who asks for the removal of a file of a person's folders, by safe_files.remove.
CALLERS = {"daemon/files/actions.py", "daemon/files/step_recovery.py"}


def calls(path: Path) -> set[str]:
    """The functions of os, shutil, pathlib and safe_files that a module calls by these names, or whose name it has."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            of = node.value.id if isinstance(node.value, ast.Name) else ""
            names.add(f"{of}.{node.attr}")
    return names


def test_one_module_removes_files_of_people() -> None:
    removing, asking = set(), set()
    for path in sorted(top for folder in ("daemon", "index", "webui") for top in (TOP / folder).rglob("*.py")):
        name = str(path.relative_to(TOP))
        for call in calls(path):
            of, _, what = call.partition(".")
            if what in REMOVING and of in ("os", "shutil"):
                removing.add(name)
            if what in ("unlink", "rmdir", "write_bytes", "write_text", "rmtree") and of != "safe_files":
                removing.add(name)
            if call in ("safe_files.remove", "removal.remove"):
                asking.add(name)
    assert removing - {"daemon/files/removal.py"} == ELSEWHERE
    assert asking - {"daemon/files/safe_files.py"} == CALLERS
