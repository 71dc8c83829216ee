"""The watcher on real folders: what it tells of each thing that happens to them, and how it survives what fails."""

import itertools
import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, Mask, WatchDescriptor

from daemon import root_guard
from daemon.watcher import Reconcile, Settled, WatchedRoot, Watcher, WatchMode, WatchTimes
from index.errors import StoreError
from index.model import RootState

QUICK = WatchTimes(settle_s=0.15, guard_s=0.1, silence_s=20, poll_s=3600, reconcile_s=3600)
DEADLINE_S = 15.0


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    end_s = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not left


class Ears:
    """A watcher and everything it told."""

    def __init__(self, *roots: WatchedRoot, times: WatchTimes = QUICK, **options) -> None:
        self.told: list[Settled | Reconcile | tuple[bytes, RootState, str]] = []
        self.broken = False
        self.refused = 0
        self.news = threading.Condition()
        self.watcher = Watcher(roots, self.hear, self.hear, lambda *state: self.hear(state), times=times, **options)

    def __enter__(self) -> "Ears":
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.left = self.watcher.stop()

    def hear(self, what) -> None:
        with self.news:
            if self.broken:
                self.refused += 1
                self.news.notify_all()
                raise StoreError("the disk is full")
            self.told.append(what)
            self.news.notify_all()

    def wait(self, happened: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(happened, DEADLINE_S), self.told

    def wait_for_start(self, roots: int = 1) -> None:
        self.wait(lambda: len(self.reconciled()) >= roots)
        self.told.clear()

    def settled(self) -> set[bytes]:
        return {path for what in self.told if isinstance(what, Settled) for path in what.paths}

    def reconciled(self) -> list[str]:
        return [what.reason for what in self.told if isinstance(what, Reconcile)]

    def states(self) -> list[tuple[RootState, str]]:
        return [what[1:] for what in self.told if isinstance(what, tuple)]

    def hears_of(self, path: Path) -> bool:
        """Whether this path, or a folder it is in, was told to have settled."""
        name = os.fsencode(path)
        return any(name == told or name.startswith(told + b"/") for told in self.settled())


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "2020").mkdir(parents=True)
    (folder / "2020" / "old.jpg").write_bytes(b"old")
    return folder


def root(folder: Path, **options) -> WatchedRoot:
    return WatchedRoot(os.fsencode(folder), **options)


def test_at_start_a_root_is_told_online_and_then_to_be_reconciled(photos):
    with Ears(root(photos)) as ears:
        ears.wait(lambda: bool(ears.reconciled()))
        assert ears.told == [(os.fsencode(photos), RootState.ONLINE, ""), Reconcile(os.fsencode(photos), "start")]
        coverage = ears.watcher.coverage()[os.fsencode(photos)]
        assert (coverage.state, coverage.mode, coverage.folders, coverage.note) == ("online", "native", 2, "")
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


def test_after_folders_moved_their_files_are_told_where_they_are(photos, tmp_path):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        (photos / "2020").rename(photos / "2021")
        ears.wait(lambda: ears.hears_of(photos / "2021"))
        ears.told.clear()
        (photos / "2021" / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "2021" / "a.jpg"))

        (photos / "stays.jpg").write_bytes(b"new")
        (photos / "2021").rename(tmp_path / "out")
        ears.wait(lambda: ears.hears_of(photos / "2021" / "old.jpg") and ears.hears_of(photos / "stays.jpg"))
        assert ears.watcher.coverage()[os.fsencode(photos)].folders == 1
        ears.told.clear()
        (tmp_path / "out" / "ghost.jpg").write_bytes(b"no longer ours")
        (photos / "end.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "end.jpg"))
        assert ears.settled() == {os.fsencode(photos / "end.jpg")}


def test_what_is_no_image_or_is_excluded_is_neither_told_nor_watched(photos):
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
def test_the_file_system_decides_unless_told(photos, monkeypatch, kind, mode, native):
    mount = root_guard.Mount(1, b"/", kind)
    monkeypatch.setattr(root_guard, "read_mounts", lambda: [mount])
    with Ears(root(photos, mode=mode)) as ears:
        ears.wait_for_start()
        assert (ears.watcher.coverage()[os.fsencode(photos)].mode == WatchMode.NATIVE) == native


def test_a_network_mount_below_the_root_is_polled(photos, monkeypatch):
    mounts = [root_guard.Mount(1, b"/", "ext4"), root_guard.Mount(2, os.fsencode(photos / "nas"), "nfs4")]
    monkeypatch.setattr(root_guard, "read_mounts", lambda: mounts)
    with Ears(root(photos), times=WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.1)) as ears:
        ears.wait(lambda: "poll" in ears.reconciled())
        assert ears.watcher.coverage()[os.fsencode(photos)].mode == WatchMode.NATIVE


# Limits and losses


def test_more_folders_than_watches_falls_back_to_polling_with_one_message(photos, tmp_path, caplog):
    for number in range(10):
        (photos / str(number)).mkdir()
    small = tmp_path / "small"
    small.mkdir()
    often = WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.1)
    with caplog.at_level(logging.WARNING), Ears(root(photos), root(small), times=often, watches_at_most=6) as ears:
        ears.wait(lambda: ears.reconciled().count("poll") >= 3)
        coverage = ears.watcher.coverage()
        assert coverage[os.fsencode(photos)].mode == WatchMode.POLL
        assert "max_user_watches" in coverage[os.fsencode(photos)].note
        assert (coverage[os.fsencode(small)].mode, coverage[os.fsencode(small)].folders) == (WatchMode.NATIVE, 1)
        (small / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(small / "a.jpg"))
    assert len(caplog.records) == 1


def test_folders_that_outgrow_the_watches_later(photos):
    with Ears(root(photos), watches_at_most=4) as ears:
        ears.wait_for_start()
        for number in range(5):
            (photos / str(number)).mkdir()
        ears.wait(lambda: "inotify limit" in ears.reconciled())
        coverage = ears.watcher.coverage()[os.fsencode(photos)]
        assert (coverage.mode, coverage.folders) == (WatchMode.POLL, 0)


def test_no_inotify_at_all_means_polling(photos, monkeypatch, caplog):
    def refused(*_):
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr("daemon.inotify.InotifyFD", refused)
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        assert "instance limit" in ears.watcher.coverage()[os.fsencode(photos)].note
    assert len(caplog.records) == 1


def reader_of(ears: Ears):
    return ears.watcher._native._observer.reader


OVERFLOW = InotifyEvent(WatchDescriptor(-1), Mask(InotifyConstants.IN_Q_OVERFLOW), 0, b"")


def test_an_overflow_leads_to_a_walk_and_to_watches_that_are_true_again(photos, tmp_path):
    for name in ("a", "b", "c", "out"):
        (photos / name).mkdir()
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        reader = reader_of(ears)
        handle, lost = reader.handle_event, []
        reader.handle_event = lost.append
        (photos / "a").rename(photos / "x")
        (photos / "b").rename(photos / "a")
        (photos / "x").rename(photos / "b")
        (photos / "c").rmdir()
        (photos / "new").mkdir()
        (photos / "out").rename(tmp_path / "out")
        end_s = time.monotonic() + DEADLINE_S
        while sum(event.is_directory for event in lost) < 9 and time.monotonic() < end_s:
            time.sleep(0.01)
        reader.handle_event = handle
        reader.handle_event(OVERFLOW)
        ears.wait(lambda: "inotify overflow" in ears.reconciled())
        assert ears.watcher.coverage()[os.fsencode(photos)].folders == 5
        for name in ("a", "b", "new"):
            (photos / name / "pic.jpg").write_bytes(b"new")
        (tmp_path / "out" / "pic.jpg").write_bytes(b"new")
        ears.wait(lambda: all(ears.hears_of(photos / name / "pic.jpg") for name in ("a", "b", "new")))
        assert not ears.hears_of(photos / "out" / "pic.jpg")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_inotify_thread_is_replaced_and_the_root_walked(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()

        def raising(event):
            raise KeyError("as watchdog 7.0.0 did")

        reader_of(ears).handle_event = raising
        (photos / "a.jpg").write_bytes(b"lost")
        ears.wait(lambda: bool(ears.reconciled()))
        ears.told.clear()
        (photos / "b.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "b.jpg"))
        assert ears.watcher.alive


def test_what_could_not_be_handed_on_is_told_again(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        ears.broken = True
        (photos / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.refused > 0)
        ears.broken = False
        ears.wait(lambda: ears.hears_of(photos / "a.jpg"))


# Roots that come and go


def test_a_root_that_is_away_and_back(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        away = photos.with_name("away")
        photos.rename(away)
        ears.wait(lambda: bool(ears.states()))
        assert ears.states() == [(RootState.OFFLINE, "cannot be listed: No such file or directory")]
        assert ears.settled() == set()
        (away / "meanwhile.jpg").write_bytes(b"not ours to tell")
        away.rename(photos)
        ears.wait(lambda: bool(ears.reconciled()))
        assert ears.states()[1:] == [(RootState.ONLINE, "")]
        (photos / "2020" / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "2020" / "a.jpg"))


def test_a_root_that_is_missing_at_start(photos):
    absent = photos / "later"
    with Ears(root(absent)) as ears:
        ears.wait(lambda: bool(ears.states()))
        assert ears.states()[0][0] is RootState.OFFLINE
        absent.mkdir()
        ears.wait(lambda: bool(ears.reconciled()))
        (absent / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(absent / "a.jpg"))


def test_a_root_that_is_suddenly_empty(photos):
    slow = WatchTimes(settle_s=1.0, guard_s=0.1)
    with Ears(root(photos), times=slow) as ears:
        ears.wait_for_start()
        shutil.rmtree(photos / "2020")
        ears.wait(lambda: bool(ears.states()))
        assert ears.states() == [(RootState.OFFLINE, "is suddenly empty")]
        (photos / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: bool(ears.reconciled()))
        assert ears.settled() == set()
        assert ears.states()[-1][0] is RootState.ONLINE


def test_a_root_that_was_empty_from_the_start_is_watched_and_walked_when_files_come(tmp_path):
    with Ears(root(tmp_path)) as ears:
        ears.wait_for_start()
        (tmp_path / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(tmp_path / "a.jpg") and "it is no longer empty" in ears.reconciled())


def test_a_root_that_is_deleted_and_made_anew_is_watched_anew(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        shutil.rmtree(photos)
        photos.mkdir()
        (photos / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: bool(ears.reconciled()))
        for number in itertools.count():
            (photos / f"{number}.jpg").write_bytes(b"new")
            with ears.news:
                if ears.news.wait_for(lambda: bool(ears.settled()), 0.5):
                    break
            assert number < DEADLINE_S


def test_a_root_that_does_not_answer_is_offline_and_holds_nobody(photos, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    see, hung = root_guard.see, threading.Event()

    def hanging(path, exclusions):
        if path == os.fsencode(photos) and hung.is_set():
            released.wait(60)
        return see(path, exclusions)

    released = threading.Event()
    monkeypatch.setattr(root_guard, "see", hanging)
    times = WatchTimes(settle_s=0.15, guard_s=0.1, silence_s=1.0)
    with Ears(root(photos), root(other), times=times) as ears:
        ears.wait_for_start(2)
        hung.set()
        ears.wait(lambda: bool(ears.states()))
        assert ears.states() == [(RootState.OFFLINE, "does not answer")]
        (other / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(other / "a.jpg"))
        assert ears.watcher.alive
        hung.clear()
        released.set()
        ears.wait(lambda: bool(ears.reconciled()))
        assert ears.states()[1:] == [(RootState.ONLINE, "")]


def test_a_file_system_mounted_and_unmounted(photos):
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(photos)], capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        (photos / "usb").mkdir()
        (photos / "usb" / "b.jpg").write_bytes(b"on the disk")
        shutil.copytree(photos / "usb", photos / "2020")
        with Ears(root(photos)) as ears:
            ears.wait_for_start()
            subprocess.run(["umount", str(photos)], check=True)
            ears.wait(lambda: bool(ears.reconciled()))
            assert ears.settled() == set()
            (photos / "2020" / "below.jpg").write_bytes(b"new")
            ears.wait(lambda: ears.hears_of(photos / "2020" / "below.jpg"))
            ears.told.clear()
            below = photos / "2020"
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(below)], check=True)
            try:
                ears.wait(lambda: bool(ears.reconciled()))
                (below / "c.jpg").write_bytes(b"new")
                ears.wait(lambda: ears.hears_of(below / "c.jpg"))
            finally:
                subprocess.run(["umount", str(below)], check=True)
    finally:
        subprocess.run(["umount", str(photos)], capture_output=True, check=False)
