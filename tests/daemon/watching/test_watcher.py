"""The watcher on real folders: what it reports of each thing that happens to them."""

import contextlib
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.watching import root_probe
from daemon.watching.watcher import Reconcile, Settled, WatchMode, WatchTimes
from index.imaging.discovery.walk import Exclusions, Walk, identity_of
from index.model import Identity, RootState
from support.watching import Ears, root


def test_at_start_a_root_is_reported_online_and_then_to_be_reconciled(photos):
    with Ears(root(photos)) as ears:
        ears.wait(lambda: bool(ears.reconciled()))
        assert ears.reports == [(os.fsencode(photos), RootState.ONLINE, None), Reconcile(os.fsencode(photos), "start")]
        coverage = ears.watcher.coverage()[os.fsencode(photos)]
        assert (coverage.state, coverage.mode, coverage.folders, coverage.note) == ("online", "native", 2, None)
        assert ears.watcher.alive
    assert not ears.watcher.alive


def story_file(photos: Path, out: Path) -> list[Path]:
    (photos / "a.jpg").write_bytes(b"new")
    return [photos / "a.jpg"]


def story_odd_names(photos: Path, out: Path) -> list[Path]:
    odd = [os.fsdecode(name) for name in (b"\xff.jpg", b"new\nline.jpg", b"x" * 251 + b".jpg")]
    for name in odd:
        (photos / name).write_bytes(b"new")
    return [photos / name for name in odd]


def story_changed(photos: Path, out: Path) -> list[Path]:
    (photos / "2020" / "old.jpg").write_bytes(b"changed")
    return [photos / "2020" / "old.jpg"]


def story_deleted(photos: Path, out: Path) -> list[Path]:
    (photos / "2020" / "old.jpg").unlink()
    return [photos / "2020" / "old.jpg"]


def story_renamed(photos: Path, out: Path) -> list[Path]:
    (photos / "2020" / "old.jpg").rename(photos / "new.jpg")
    return [photos / "2020" / "old.jpg", photos / "new.jpg"]


def story_saved_by_rename(photos: Path, out: Path) -> list[Path]:
    (photos / "2020" / ".old.jpg.swp").write_bytes(b"edited")
    (photos / "2020" / ".old.jpg.swp").rename(photos / "2020" / "old.jpg")
    return [photos / "2020" / "old.jpg"]


def story_hard_link(photos: Path, out: Path) -> list[Path]:
    os.link(photos / "2020" / "old.jpg", photos / "link.jpg")
    return [photos / "link.jpg"]


def story_new_folders(photos: Path, out: Path) -> list[Path]:
    (photos / "x" / "y" / "z").mkdir(parents=True)
    (photos / "x" / "y" / "z" / "a.jpg").write_bytes(b"new")
    return [photos / "x" / "y" / "z" / "a.jpg"]


def story_copied_tree(photos: Path, out: Path) -> list[Path]:
    subprocess.run(["cp", "-r", str(photos / "2020"), str(photos / "copy")], check=True)
    return [photos / "copy" / "old.jpg"]


def story_moved_in(photos: Path, out: Path) -> list[Path]:
    (out / "in" / "deep").mkdir(parents=True)
    (out / "in" / "deep" / "a.jpg").write_bytes(b"new")
    (out / "in").rename(photos / "in")
    return [photos / "in" / "deep" / "a.jpg"]


def story_moved_out(photos: Path, out: Path) -> list[Path]:
    (photos / "a.jpg").write_bytes(b"stays")
    (photos / "2020").rename(out / "2020")
    return [photos / "2020" / "old.jpg"]


def story_folder_renamed(photos: Path, out: Path) -> list[Path]:
    (photos / "2020").rename(photos / "2021")
    return [photos / "2020" / "old.jpg", photos / "2021" / "old.jpg"]


def story_tree_deleted(photos: Path, out: Path) -> list[Path]:
    (photos / "a.jpg").write_bytes(b"stays")
    shutil.rmtree(photos / "2020")
    return [photos / "2020" / "old.jpg"]


STORIES = {name: story for name, story in globals().items() if name.startswith("story_")}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_stories(photos, tmp_path, story):
    out = tmp_path / "out"
    out.mkdir()
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        paths = story(photos, out)
        ears.wait(lambda: all(ears.hears_of(path) for path in paths))
        assert ears.reconciled() == []


def test_after_folders_moved_their_files_are_reported_where_they_are(photos, tmp_path):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        (photos / "2020").rename(photos / "2021")
        ears.wait(lambda: ears.hears_of(photos / "2021"))
        ears.reports.clear()
        (photos / "2021" / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "2021" / "a.jpg"))

        (photos / "stays.jpg").write_bytes(b"new")
        (photos / "2021").rename(tmp_path / "out")
        ears.wait(lambda: ears.hears_of(photos / "2021" / "old.jpg") and ears.hears_of(photos / "stays.jpg"))
        assert ears.watcher.coverage()[os.fsencode(photos)].folders == 1
        ears.reports.clear()
        (tmp_path / "out" / "ghost.jpg").write_bytes(b"no longer ours")
        (photos / "end.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "end.jpg"))
        assert ears.settled() == {os.fsencode(photos / "end.jpg")}


def test_what_is_no_image_or_is_excluded_is_neither_reported_nor_watched(photos):
    for folder in (photos / "@eaDir", photos / ".git" / "objects", photos / "private" / "x"):
        folder.mkdir(parents=True)
    with Ears(root(photos, exclude=(b"private",))) as ears:
        ears.wait_for_start()
        assert ears.watcher.coverage()[os.fsencode(photos)].folders == 2
        for name in ("@eaDir/a.jpg", ".git/objects/a", "private/x/a.jpg", "notes.txt", ".hidden.jpg"):
            (photos / name).write_bytes(b"new")
        (photos / ".thumbnails" / "x").mkdir(parents=True)
        (photos / "end.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "end.jpg"))
        assert ears.settled() == {os.fsencode(photos / "end.jpg")}
        assert ears.watcher.coverage()[os.fsencode(photos)].folders == 2


def test_reading_a_file_is_no_event(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        (photos / "2020" / "old.jpg").read_bytes()
        list(photos.rglob("*"))
        (photos / "end.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "end.jpg"))
        assert ears.settled() == {os.fsencode(photos / "end.jpg")}


def test_not_recursive(photos):
    with Ears(root(photos, recursive=False)) as ears:
        ears.wait_for_start()
        assert ears.watcher.coverage()[os.fsencode(photos)].folders == 1
        (photos / "2020" / "a.jpg").write_bytes(b"new")
        (photos / "end.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "end.jpg"))
        assert ears.settled() == {os.fsencode(photos / "end.jpg")}


def test_a_root_in_a_root_is_watched_once_by_its_own_rules(photos):
    inner = photos / "2020"
    (inner / "skip").mkdir()
    with Ears(root(photos), root(inner, exclude=(b"skip",))) as ears:
        ears.wait_for_start(2)
        folders = {path: coverage.folders for path, coverage in ears.watcher.coverage().items()}
        assert folders == {os.fsencode(photos): 1, os.fsencode(inner): 1}
        (inner / "a.jpg").write_bytes(b"new")
        (photos / "b.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(inner / "a.jpg") and ears.hears_of(photos / "b.jpg"))


def test_roots_come_and_go_while_the_others_stay_watched(photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        ears.watcher.watch([root(photos), root(other)])
        ears.wait(lambda: Reconcile(bytes(other), "start") in ears.reports)
        assert ears.reconciled() == ["start"], "the root that stays is not walked again"
        (other / "a.jpg").write_bytes(b"new")
        (photos / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(other / "a.jpg") and ears.hears_of(photos / "a.jpg"))
        ears.reports.clear()
        ears.watcher.watch([root(other, exclude=(b"*.png",))])
        ears.wait(lambda: "start" in ears.reconciled())
        assert set(ears.watcher.coverage()) == {bytes(other)}
        (photos / "gone.jpg").write_bytes(b"new")
        (other / "skipped.png").write_bytes(b"new")
        (other / "b.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(other / "b.jpg"))
        assert not ears.hears_of(photos / "gone.jpg") and not ears.hears_of(other / "skipped.png")


def test_a_root_taken_from_inside_another_is_left_to_it_again(photos):
    inner = photos / "2020"
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        ears.watcher.watch([root(photos), root(inner)])
        ears.wait(lambda: len(ears.reconciled()) == 2)
        folders = {path: coverage.folders for path, coverage in ears.watcher.coverage().items()}
        assert folders == {bytes(photos): 1, bytes(inner): 1}
        ears.reports.clear()
        ears.watcher.watch([root(photos)])
        ears.wait(lambda: bool(ears.reconciled()))
        (inner / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(inner / "a.jpg"))


def test_a_root_that_is_a_symbolic_link(photos, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("photos")
    with Ears(root(link)) as ears:
        ears.wait_for_start()
        (photos / "a.jpg").write_bytes(b"new")
        (photos / "2020" / "b.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(link / "a.jpg") and ears.hears_of(link / "2020" / "b.jpg"))
        assert ears.watcher.coverage()[os.fsencode(link)].folders == 2


def test_touched_paths_settle_too(photos):
    with Ears(root(photos, mode=WatchMode.POLL)) as ears:
        ears.wait_for_start()
        ears.watcher.touch([os.fsencode(photos / "2020" / "old.jpg"), b"/elsewhere/a.jpg"])
        ears.wait(lambda: bool(ears.settled()))
        assert ears.settled() == {os.fsencode(photos / "2020" / "old.jpg")}


def test_at_stop_what_waits_is_given_back(photos):
    slow = WatchTimes(settle_s=600, guard_s=0.1)
    with Ears(root(photos), times=slow) as ears:
        ears.wait(lambda: bool(ears.reconciled()))
        ears.watcher.touch([os.fsencode(photos / "a.jpg")])
    assert ears.left == {os.fsencode(photos / "a.jpg")}


# Polling


def test_a_polled_root_is_reconciled_again_and_again_and_not_watched(photos):
    often = WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.1)
    with Ears(root(photos, mode=WatchMode.POLL), times=often) as ears:
        ears.wait(lambda: len(ears.reconciled()) >= 3)
        assert ears.reconciled()[:3] == ["start", "poll", "poll"]
        coverage = ears.watcher.coverage()[os.fsencode(photos)]
        assert (coverage.mode, coverage.folders) == (WatchMode.POLL, 0)


def test_a_native_root_is_reconciled_from_time_to_time(photos):
    with Ears(root(photos), times=WatchTimes(settle_s=0.15, guard_s=0.1, reconcile_s=0.1)) as ears:
        ears.wait(lambda: len(ears.reconciled()) >= 3)
        assert ears.reconciled()[1] == "from time to time"


@pytest.mark.parametrize(
    ("kind", "mode", "native"),
    [
        ("ext4", WatchMode.AUTO, True),
        ("nfs4", WatchMode.AUTO, False),
        ("cifs", WatchMode.AUTO, False),
        ("fuse.sshfs", WatchMode.AUTO, False),
        ("nfs4", WatchMode.NATIVE, True),
        ("ext4", WatchMode.POLL, False),
    ],
)
def test_the_file_system_decides_unless_the_mode_is_set(photos, monkeypatch, kind, mode, native):
    mount = root_probe.Mount(1, b"/", kind)
    monkeypatch.setattr(root_probe, "read_mounts", lambda: [mount])
    with Ears(root(photos, mode=mode)) as ears:
        ears.wait_for_start()
        assert (ears.watcher.coverage()[os.fsencode(photos)].mode == WatchMode.NATIVE) == native


def test_a_network_mount_below_the_root_is_polled(photos, monkeypatch):
    mounts = [root_probe.Mount(1, b"/", "ext4"), root_probe.Mount(2, os.fsencode(photos / "nas"), "nfs4")]
    monkeypatch.setattr(root_probe, "read_mounts", lambda: mounts)
    with Ears(root(photos), times=WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.1)) as ears:
        ears.wait(lambda: "poll" in ears.reconciled())
        assert ears.watcher.coverage()[os.fsencode(photos)].mode == WatchMode.NATIVE


# Any story


class Model:
    """What an index would hold that does what it is asked and nothing else."""

    def __init__(self, top: Path) -> None:
        self.top = os.fsencode(top)
        self.files: dict[bytes, Identity] = {}

    def on_disk(self, path: bytes) -> dict[bytes, Identity]:
        identity = identity_of(path)
        if identity is not None:
            return {path: identity}
        return dict(Walk(path, Exclusions(self.top))) if os.path.isdir(path) else {}

    def take(self, what) -> None:
        for top in what.paths if isinstance(what, Settled) else [what.root]:
            for path in [path for path in self.files if path == top or path.startswith(top + b"/")]:
                del self.files[path]
            self.files |= self.on_disk(top)


def churn(top: Path, rng: random.Random) -> None:
    def folder() -> Path:
        return top.joinpath(*(f"d{rng.randrange(4)}" for _ in range(rng.randint(1, 3))))

    def name() -> str:
        return f"{rng.randrange(20)}.jpg"

    deed = rng.choice(["write", "write", "write", "copy", "move", "rename", "remove", "delete"])
    source, target = folder(), folder()
    with contextlib.suppress(OSError, shutil.Error):
        if deed == "write":
            source.mkdir(parents=True, exist_ok=True)
            for _ in range(rng.randint(1, 10)):
                (source / name()).write_bytes(rng.randbytes(rng.randrange(50)))
        elif deed == "copy" and not target.is_relative_to(source):
            shutil.copytree(source, target)
        elif deed == "move":
            source.rename(target)
        elif deed == "rename":
            (source / name()).rename(target / name())
        elif deed == "remove":
            shutil.rmtree(source)
        elif deed == "delete":
            (source / name()).unlink()


@pytest.mark.parametrize("seed", range(3))
def test_after_any_churn_the_reports_add_up_to_the_disk(photos, seed):
    model = Model(photos)
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        model.take(Reconcile(os.fsencode(photos), ""))
        rng = random.Random(seed)
        for _ in range(300):
            churn(photos, rng)
        taken = 0

        def equal() -> bool:
            nonlocal taken
            for what in ears.reports[taken:]:
                model.take(what)
            taken = len(ears.reports)
            return model.files == model.on_disk(os.fsencode(photos))

        ears.wait(equal)
        assert ears.reconciled() == []
        folders = sum(1 for _ in os.walk(photos))
        # Of a folder without files nothing is reported: that it is watched may come later than all else.
        ears.wait(lambda: ears.watcher.coverage()[os.fsencode(photos)].folders == folders)
