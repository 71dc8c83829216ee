"""Protected folders are never changed: by a marker file, another configuration, or through a stacked file system."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.files.mounts import Mount, layers_of, parse_mountinfo
from daemon.files.path_aliases import MARKER, PathAliases
from daemon.files.protected_paths import Claim, ManagedFolders, changed_paths, unless_protected
from daemon.processes.worker_pool import WorkerPool
from index.database.queries import listing
from index.database.records.batches import Action, Step, StepState
from index.database.records.decisions import Protected
from index.errors import ConfigError
from index.messages import text
from index.model import Identity
from support.faults import can_mount
from support.sorting import Desk

pytestmark = pytest.mark.disk

as_root = pytest.mark.skipif(not can_mount(), reason="only root may mount a file system")


def mark(folder: Path) -> Path:
    marker = folder / os.fsdecode(MARKER)
    marker.touch()
    return marker


# A marker file


@pytest.mark.parametrize("place", ["photos/small", "photos", ""])
def test_a_marker_protects_its_folder_and_all_below(
    desk: Desk, pair: tuple[Path, Path], tmp_path: Path, place: str
) -> None:
    kept, copy = pair
    before = desk.files()
    desk.decide({kept: "keep", copy: "trash"})
    marker = mark(tmp_path / place)
    outcome = desk.sort()
    assert (outcome["trash"], outcome["refused"]) == (0, {"protected": 1})
    (step,) = desk.steps(outcome["batch"])
    assert str(step.message) == f"It is in the folder {marker.parent}, which {marker} protects."
    marker.unlink()
    assert desk.files() == before
    assert desk.sort()["trash"] == 1


@pytest.mark.parametrize("choice", ["trash", "move", "link"])
def test_no_choice_changes_a_marked_folder(desk: Desk, choice: str) -> None:
    kept = desk.picture("photos/a.jpg")
    copy = desk.copy(kept, "photos/sub/a.jpg")
    desk.scan()
    desk.decide({kept: "keep", copy: choice})
    mark(copy.parent)
    outcome = desk.sort()
    assert (outcome[choice], outcome["refused"]) == (0, {"protected": 1})
    assert copy.exists()
    assert copy.stat().st_nlink == 1


def test_nothing_is_moved_into_a_marked_folder(desk: Desk) -> None:
    kept = desk.picture("photos/a.jpg")
    copy = desk.copy(kept, "photos/sub/a.jpg")
    desk.scan()
    desk.decide({kept: "keep", copy: "move"})
    mark(desk.best)
    assert desk.sort()["refused"] == {"protected": 1}
    assert copy.exists()


def test_no_second_name_is_given_to_a_file_in_a_marked_folder(desk: Desk) -> None:
    kept = desk.picture("photos/sub/a.jpg")
    copy = desk.copy(kept, "photos/a.jpg")
    desk.scan()
    desk.decide({kept: "keep", copy: "link"})
    mark(kept.parent)
    assert desk.sort()["link"] == 0
    assert kept.stat().st_nlink == 1


@pytest.mark.parametrize("choice", ["trash", "move", "link"])
def test_nothing_comes_back_into_a_marked_folder(desk: Desk, choice: str) -> None:
    kept = desk.picture("photos/a.jpg")
    copy = desk.copy(kept, "photos/sub/a.jpg")
    desk.scan()
    desk.decide({kept: "keep", copy: choice})
    outcome = desk.sort()
    assert outcome[choice] == 1
    after = desk.files()
    marker = mark(copy.parent)
    assert desk.undo(outcome["batch"])["refused"] == {"protected": 1}
    marker.unlink()
    assert desk.files() == after
    assert desk.undo(outcome["batch"])["restored"] == 1


def test_the_trash_of_a_marked_folder_is_not_emptied(desk: Desk, pair: tuple[Path, Path]) -> None:
    kept, copy = pair
    desk.decide({kept: "keep", copy: "trash"})
    desk.sort()
    after = desk.files()
    marker = mark(desk.photos)
    outcome = desk.empty(older_than_days=0.0)
    assert (outcome["deleted"], outcome["refused"]) == (0, {"protected": 1})
    marker.unlink()
    assert desk.files() == after
    assert len(desk.in_trash()) == 1


def test_a_marker_that_comes_after_the_plan_is_heeded(
    desk: Desk, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, copy = pair
    desk.decide({kept: "keep", copy: "trash"})
    run = desk.pool.run

    def marking(*arguments):
        mark(copy.parent)  # while the image to keep is read
        return run(*arguments)

    monkeypatch.setattr(desk.pool, "run", marking)
    assert desk.sort()["refused"] == {"protected": 1}
    assert copy.exists()
    assert not (desk.photos / ".comparimg-trash").exists()


def test_a_marker_is_seen_through_links_and_may_be_anything(tmp_path: Path) -> None:
    (tmp_path / "safe/deep").mkdir(parents=True)
    (tmp_path / "way").symlink_to("safe/deep")
    folders = ManagedFolders.of({bytes(tmp_path / "way"): False})
    assert folders.protection_of(bytes(tmp_path / "way/a.jpg")) is None
    (tmp_path / "safe" / os.fsdecode(MARKER)).symlink_to("nowhere")
    assert folders.protection_of(bytes(tmp_path / "way/a.jpg")) is None, "a portion of steps looks once"
    folders.refresh()
    assert folders.protector_of(bytes(tmp_path / "way/a.jpg")) == bytes(tmp_path / "safe")
    assert folders.protector_of(bytes(tmp_path / "way/none/yet/a.jpg")) == bytes(tmp_path / "safe")


@pytest.mark.parametrize("place", ["photos", "."])
def test_a_marker_at_a_root_is_shown_after_a_scan(desk: Desk, pair: tuple[Path, Path], place: str) -> None:
    def shown() -> tuple[bool, bool]:
        with desk.store.read() as database:
            (root,) = listing.roots(database)
            image_id = desk.image_id(pair[0])
            return root.protected, listing.files_with_ids(database, [image_id])[image_id].protected

    assert shown() == (False, False)
    marker = mark(desk.folder / place)
    desk.scan()
    assert shown() == (True, True)
    with pytest.raises(Protected):
        desk.decide({pair[0]: "keep", pair[1]: "trash"})
    desk.store.close()
    desk.open()
    assert shown() == (True, True)
    marker.unlink()
    desk.scan()
    assert shown() == (False, False)
    desk.decide({pair[0]: "keep", pair[1]: "trash"})
    assert desk.sort()["trash"] == 1


def test_no_sidecar_is_written_into_a_marked_folder(tmp_path: Path) -> None:
    mark(tmp_path)
    kept = bytes(tmp_path / "a.jpg")
    step = Step(Action.CREATE, kept, Identity(0, 0, 0, 0), target=kept + b".xmp")
    refused = unless_protected(step, ManagedFolders.of({bytes(tmp_path): False}))
    assert (refused.state, refused.reason) == (StepState.REFUSED, "protected")


# Other configurations


def test_one_configuration_exempts_nothing_that_another_protects(tmp_path: Path) -> None:
    (tmp_path / "safe/inbox").mkdir(parents=True)
    inbox, safe = bytes(tmp_path / "safe/inbox"), bytes(tmp_path / "safe")
    own = {inbox: False}
    assert ManagedFolders.of(own).protection_of(inbox + b"/a.jpg") is None
    strict = ManagedFolders.of(own, claims=lambda: [Claim("/etc/its.toml", {safe: True})])
    protection = strict.protection_of(inbox + b"/a.jpg")
    assert protection is not None
    assert str(protection.message) == f"It is in the folder {tmp_path}/safe, which /etc/its.toml protects."
    lenient = ManagedFolders.of(own, claims=lambda: [Claim("/etc/its.toml", {safe: True, inbox: False})])
    assert lenient.protection_of(inbox + b"/a.jpg") is None
    assert lenient.protector_of(safe + b"/a.jpg") == safe


def test_a_configuration_that_cannot_be_read_stops_what_changes_files(desk: Desk, pair: tuple[Path, Path]) -> None:
    def claims() -> list[Claim]:
        raise ConfigError("/etc/its.toml", [text("cannot be read")])

    kept, copy = pair
    desk.decide({kept: "keep", copy: "trash"})
    desk.claims = claims
    with pytest.raises(ConfigError, match=r"its\.toml"):
        desk.sort()
    assert copy.exists()


def test_which_folders_a_step_changes() -> None:
    def changed(action: Action) -> set[bytes]:
        step = Step(action, b"path", Identity(0, 0, 0, 0), target=b"target", keeper=b"keeper", trash=b"trash")
        return set(changed_paths(step))

    assert changed(Action.TRASH) == changed(Action.MOVE) == {b"path", b"target", b"trash"}
    assert changed(Action.LINK) == {b"path", b"keeper", b"trash"}
    assert changed(Action.CREATE) == changed(Action.RESTORE) == {b"target", b"trash"}
    assert changed(Action.DELETE) == {b"trash"}
    assert changed(Action.REPLACE) >= {b"path"}
    assert changed(Action.SWAP) >= {b"path", b"trash"}


# Stacked file systems


LINES = rb"""40 1 0:50 / /m rw - overlay - rw,lowerdir=/lo\040wer:/low\134:2:/l\134\0543,upperdir=/up\134\134per
41 1 0:51 / /n rw - overlay none rw,lowerdir+=/one,lowerdir+=/two,datadir+=/data,upperdir=/up,redirect_dir=on
42 1 0:52 / /o rw - overlay overlay rw,lowerdir=relative:/there,workdir=w
43 1 0:53 / /p rw - fuse.mergerfs /mnt/a:/mnt/b rw,allow_other
44 1 0:54 / /q rw - ecryptfs /home/.u rw,ecryptfs_sig=1
45 1 0:55 / /r rw - ext4 /dev/sda1 rw,upperdir=/none
""".splitlines()


def test_the_layers_of_a_stacked_file_system() -> None:
    assert [layers_of(mount) for mount in parse_mountinfo(LINES)] == [
        (b"/lo wer", b"/low:2", b"/l,3", b"/up\\per"),
        (b"/one", b"/two", b"/data", b"/up"),
        (b"/there",),
        (b"/mnt/a", b"/mnt/b"),
        (b"/home/.u",),
        (),
    ]


def test_the_ways_to_a_path_lead_through_stacks_and_binds() -> None:
    mounts = [
        Mount(1, b"/", "ext4", b"8:1"),
        Mount(2, b"/no-such/m", "overlay", b"0:50", b"/", options=b"lowerdir=/no-such/l,upperdir=/no-such/u"),
        Mount(3, b"/no-such/bound", "ext4", b"8:1", b"/no-such/u/deep"),
        Mount(4, b"/no-such/m2", "overlay", b"0:51", b"/", options=b"lowerdir=/no-such/m/deep:/no-such/x"),
    ]
    ways = PathAliases(mounts)
    assert set(ways.of(b"/no-such/m/a")) == {b"/no-such/m/a", b"/no-such/l/a", b"/no-such/u/a"}
    assert set(ways.of(b"/no-such/m2/a")) == {
        b"/no-such/m2/a", b"/no-such/m/deep/a", b"/no-such/x/a", b"/no-such/l/deep/a", b"/no-such/u/deep/a",
        b"/no-such/bound/a",
    }  # fmt: skip
    assert set(ways.of(b"/no-such/u/deep/a")) == {
        b"/no-such/u/deep/a", b"/no-such/bound/a", b"/no-such/m/deep/a", b"/no-such/m2/a",
    }  # fmt: skip
    assert set(ways.of(b"/no-such/l/a")) == {b"/no-such/l/a", b"/no-such/m/a"}
    assert ways.of(b"/home/a") == (b"/home/a",)


class Stack:
    """Overlays below a folder, taken away at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.points: list[Path] = []

    def overlay(self, point: str, lower: str, upper: str, relative: bool = False) -> Path:
        for name in (point, upper, f"{upper}-work", *lower.split(":")):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        top = "" if relative else f"{self.folder}/"
        layers = ":".join(f"{top}{name}" for name in lower.split(":"))
        options = f"lowerdir={layers},upperdir={top}{upper},workdir={top}{upper}-work"
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, str(self.folder / point)], cwd=self.folder, check=True
        )
        self.points.append(self.folder / point)
        return self.points[-1]

    def bind(self, source: str, point: str) -> None:
        (self.folder / point).mkdir(parents=True)
        subprocess.run(["mount", "--bind", str(self.folder / source), str(self.folder / point)], check=True)
        self.points.append(self.folder / point)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    for point in reversed(made.points):
        subprocess.run(["umount", "-l", str(point)], check=True)


@as_root
@pytest.mark.parametrize("relative", [False, True], ids=["named", "named by no absolute path"])
@pytest.mark.parametrize("protected", ["upper", "upper/sub", "data", "bound"])
def test_a_layer_is_protected_through_the_merged_folder(
    stack: Stack, tmp_path: Path, protected: str, relative: bool
) -> None:
    upper = "data/upper" if protected == "data" else "upper"
    (tmp_path / upper / "sub").mkdir(parents=True)
    (tmp_path / upper / "sub/a.jpg").write_bytes(b"only here")
    merged = stack.overlay("elsewhere/merged", "lower", upper, relative)
    if protected == "bound":
        stack.bind("upper", "bound")
    folders = ManagedFolders.of({bytes(tmp_path / protected): True, bytes(merged): False})
    assert folders.protection_of(bytes(merged / "sub/a.jpg")) is not None
    assert folders.is_same_entry(bytes(merged / "sub/a.jpg"), bytes(tmp_path / upper / "sub/a.jpg")) is not relative


def in_user_space(stack: Stack, program: str, *arguments: str) -> Path:
    """A file system in user space over /a (and /b), mounted at /elsewhere/shown."""
    if shutil.which(program) is None or not os.path.exists("/dev/fuse"):
        pytest.skip(f"{program} is not installed")
    point = stack.folder / "elsewhere/shown"
    for folder in (point, stack.folder / "a/x", stack.folder / "b"):
        folder.mkdir(parents=True)
    (stack.folder / "a/x/a.jpg").write_bytes(b"only here")
    subprocess.run([program, *arguments, str(point)], cwd=stack.folder, check=True)
    stack.points.append(point)
    return point


@as_root
@pytest.mark.parametrize("protected", ["a", "a/x"])
def test_a_folder_is_protected_through_bindfs(stack: Stack, tmp_path: Path, protected: str) -> None:
    shown = in_user_space(stack, "bindfs", f"{tmp_path}/a")
    folders = ManagedFolders.of({bytes(tmp_path / protected): True, bytes(shown): False})
    assert folders.protector_of(bytes(shown / "x/a.jpg")) == bytes(tmp_path / protected)
    assert folders.protector_of(bytes(shown / "x/new.jpg")) == bytes(tmp_path / protected)


@as_root
@pytest.mark.parametrize("protected", ["a", "a/x"])
def test_a_branch_is_protected_through_mergerfs(stack: Stack, tmp_path: Path, protected: str) -> None:
    shown = in_user_space(stack, "mergerfs", "-o", "fsname=pool", f"{tmp_path}/a:{tmp_path}/b")
    folders = ManagedFolders.of({bytes(tmp_path / protected): True, bytes(shown): False})
    assert folders.protector_of(bytes(shown / "x/a.jpg")) == bytes(tmp_path / protected)
    assert folders.protector_of(bytes(shown / "x/new.jpg")) == bytes(tmp_path / protected)
    # Where a new folder is made, and so on which branch, is known by mergerfs alone.
    assert (folders.protector_of(bytes(shown / "y/new.jpg")) is not None) == (protected == "a")


@as_root
def test_what_is_shown_by_a_protected_folder_is_protected_in_its_layer(stack: Stack, tmp_path: Path) -> None:
    merged = stack.overlay("safe/merged", "lower:lower2", "upper")
    folders = ManagedFolders.of({bytes(tmp_path / "safe"): True, bytes(tmp_path / "upper"): False})
    (merged / "a.jpg").write_bytes(b"a")
    assert folders.protector_of(bytes(tmp_path / "upper/a.jpg")) == bytes(tmp_path / "safe")
    assert folders.protector_of(bytes(tmp_path / "lower2/a.jpg")) == bytes(tmp_path / "safe")
    assert folders.protector_of(bytes(tmp_path / "other/a.jpg")) is None


@as_root
def test_overlays_over_overlays(stack: Stack, tmp_path: Path) -> None:
    stack.overlay("inner", "base", "first")
    outer = stack.overlay("outer", "inner", "second")
    folders = ManagedFolders.of({bytes(tmp_path / "base"): True, bytes(outer): False})
    assert folders.protector_of(bytes(outer / "x/a.jpg")) == bytes(tmp_path / "base")


@as_root
def test_a_marker_above_a_layer_is_seen_through_the_merged_folder(stack: Stack, tmp_path: Path) -> None:
    merged = stack.overlay("elsewhere/merged", "data/lower", "data/upper")
    folders = ManagedFolders.of({bytes(merged): False})
    assert folders.protection_of(bytes(merged / "a.jpg")) is None
    mark(tmp_path / "data")
    folders.refresh()
    assert folders.protector_of(bytes(merged / "a.jpg")) == bytes(tmp_path / "data")


@as_root
def test_a_marker_above_a_bound_folder_is_seen_through_the_bind(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "data/photos").mkdir(parents=True)
    stack.bind("data/photos", "elsewhere/bound")
    mark(tmp_path / "data")
    folders = ManagedFolders.of({bytes(tmp_path / "elsewhere/bound"): False})
    assert folders.protector_of(bytes(tmp_path / "elsewhere/bound/a.jpg")) == bytes(tmp_path / "data")


@as_root
def test_a_file_and_its_merged_view_are_no_two_copies(stack: Stack, tmp_path: Path, pool: WorkerPool) -> None:
    """Neither is protected: the one is no image to keep for the other."""
    desk = Desk(tmp_path, pool, roots=("photos", "upper"))
    try:
        kept = desk.picture("upper/a.jpg")
        (tmp_path / "photos").rmdir()
        merged = stack.overlay("photos", "lower", "upper")
        desk.scan()
        seen = merged / "a.jpg"
        if not desk.groups():
            pytest.skip("both have one device number here")
        desk.decide({kept: "keep", seen: "trash"})
        outcome = desk.sort()
        assert (outcome["trash"], outcome["refused"]) == (0, {"no_keeper": 1})
        assert kept.exists()
    finally:
        desk.close()


@as_root
def test_a_file_of_a_protected_layer_is_not_sorted_through_the_merged_folder(
    stack: Stack, tmp_path: Path, pool: WorkerPool
) -> None:
    desk = Desk(tmp_path, pool, protected=["upper"], roots=("photos",))
    try:
        copy = desk.picture("upper/a.jpg", 1, (200, 150), 80)
        (tmp_path / "photos").rmdir()
        merged = stack.overlay("photos", "lower", "upper")
        kept = desk.picture("photos/b.jpg")
        desk.scan()
        desk.decide({kept: "keep", merged / "a.jpg": "trash"})
        outcome = desk.sort()
        assert (outcome["trash"], outcome["refused"]) == (0, {"protected": 1})
        assert copy.exists()
        assert {step.state for step in desk.steps(outcome["batch"])} == {StepState.REFUSED}
    finally:
        desk.close()
