"""The watcher when something fails: too many folders, lost events, dead threads, roots that come and go."""

import itertools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, Mask, WatchDescriptor

from daemon.watching import inotify, root_probe
from daemon.watching.inotify import FolderWatches
from daemon.watching.watch_limits import SHARE_OF_WATCHES, max_user_watches, watches_at_most, watches_of_others
from daemon.watching.watcher import WatchMode, WatchTimes
from index.model import RootState
from support.watching import DEADLINE_S, Ears, root

# Limits and losses


@pytest.mark.fault("more folders than inotify watches: polled, one message")
def test_more_folders_than_watches_falls_back_to_polling_with_one_message(photos, tmp_path, caplog):
    for number in range(10):
        (photos / str(number)).mkdir()
    small = tmp_path / "small"
    small.mkdir()
    often = WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.1)
    limit = {"times": often, "watches_at_most": lambda: 6}
    with caplog.at_level(logging.WARNING), Ears(root(photos), root(small), **limit) as ears:
        ears.wait(lambda: ears.reconciled().count("poll") >= 3)
        coverage = ears.watcher.coverage()
        assert coverage[os.fsencode(photos)].mode == WatchMode.POLL
        assert "max_user_watches" in str(coverage[os.fsencode(photos)].note)
        assert (coverage[os.fsencode(small)].mode, coverage[os.fsencode(small)].folders) == (WatchMode.NATIVE, 1)
        (small / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(small / "a.jpg"))
    assert len(caplog.records) == 1


@pytest.mark.fault("folders outgrow the watches while running")
def test_folders_that_outgrow_the_watches_later(photos):
    with Ears(root(photos), watches_at_most=lambda: 4) as ears:
        ears.wait_for_start()
        for number in range(5):
            (photos / str(number)).mkdir()
        ears.wait(lambda: "inotify limit" in ears.reconciled())
        coverage = ears.watcher.coverage()[os.fsencode(photos)]
        assert (coverage.mode, coverage.folders) == (WatchMode.POLL, 0)


@pytest.mark.fault("watches free again: watched again")
def test_a_root_that_fell_back_is_watched_again_when_there_is_room(photos, caplog):
    for number in range(10):
        (photos / str(number)).mkdir()
    room = [6]
    often = WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.2, retry_s=0.1)
    with caplog.at_level(logging.INFO), Ears(root(photos), times=often, watches_at_most=lambda: room[0]) as ears:
        ears.wait(lambda: ears.reconciled().count("poll") >= 3)
        room[0] = 9
        ears.wait(lambda: ears.reconciled().count("poll") >= 6)
        assert ears.watcher.coverage()[os.fsencode(photos)].mode == WatchMode.POLL
        room[0] = 50
        ears.wait(lambda: "it is watched again" in ears.reconciled())
        coverage = ears.watcher.coverage()[os.fsencode(photos)]
        assert (coverage.mode, coverage.folders, coverage.note) == (WatchMode.NATIVE, 12, None)
        (photos / "7" / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "7" / "a.jpg"))
    of_watcher = [record for record in caplog.records if record.name == "daemon.watching.watcher"]
    assert [record.levelname for record in of_watcher] == ["WARNING", "INFO"]


@pytest.mark.fault("watches free again: watched again")
def test_a_root_that_became_smaller_is_watched_again(photos):
    for number in range(10):
        (photos / str(number)).mkdir()
    often = WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.2, retry_s=0.1, reconcile_s=0.5)
    with Ears(root(photos), times=often, watches_at_most=lambda: 6) as ears:
        ears.wait(lambda: "poll" in ears.reconciled())
        for number in range(8):
            (photos / str(number)).rmdir()
        ears.wait(lambda: "it is watched again" in ears.reconciled())


def test_watches_that_come_and_go_elsewhere_are_no_reason_to_try_again_and_again(photos, monkeypatch):
    for number in range(10):
        (photos / str(number)).mkdir()
    tried = []
    add = FolderWatches.add
    monkeypatch.setattr(FolderWatches, "add", lambda self, root: tried.append(root) or add(self, root))
    room = itertools.cycle([6, 5, 4, 3])
    often = WatchTimes(settle_s=0.15, guard_s=0.1, poll_s=0.1, retry_s=0.1)
    with Ears(root(photos), times=often, watches_at_most=lambda: next(room)) as ears:
        ears.wait(lambda: ears.reconciled().count("poll") >= 15)
    assert len(tried) < 5


def test_what_other_programs_watch_is_counted(tmp_path):
    code = f"import sys; from watchdog.observers import Observer; o = Observer(); o.schedule(None, {str(tmp_path)!r}); "
    code += "o.start(); print(flush=True); sys.stdin.read(); o.stop(); o.join()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        # Of this program alone: what else runs here begins and ends as it likes.
        alone = tmp_path / "proc"
        alone.mkdir()
        (alone / str(other.pid)).symlink_to(f"/proc/{other.pid}")
        assert watches_of_others(str(alone)) >= 1
        assert watches_of_others() >= 1
        limit = max_user_watches()
        assert limit is None or watches_at_most() < limit * SHARE_OF_WATCHES


@pytest.mark.fault("no inotify at all")
def test_no_inotify_at_all_means_polling(photos, monkeypatch, caplog):
    def refused(*_):
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(inotify.InotifyFD, "_create_inotify_fd", refused)
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        assert "instance limit" in str(ears.watcher.coverage()[os.fsencode(photos)].note)
    assert len(caplog.records) == 1


def reader_of(ears: Ears):
    return ears.watcher._native._observer.reader


OVERFLOW = InotifyEvent(WatchDescriptor(-1), Mask(InotifyConstants.IN_Q_OVERFLOW), 0, b"")


@pytest.mark.fault("the queue of inotify runs over")
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
        while not any(os.fsencode(event.name) == b"out" for event in lost) and time.monotonic() < end_s:
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


@pytest.mark.fault("inotify reports a folder when another stands in its place")
def test_a_folder_that_was_replaced_before_it_was_heard_of_is_watched_where_it_went(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        reader = reader_of(ears)
        handle, late = reader.handle_event, []
        reader.handle_event = late.append
        (photos / "first").mkdir()
        (photos / "first").rename(photos / "moved")
        (photos / "first" / "below").mkdir(parents=True)
        (photos / "last").mkdir()
        end_s = time.monotonic() + DEADLINE_S
        while not any(os.fsencode(event.name) == b"last" for event in late) and time.monotonic() < end_s:
            time.sleep(0.01)
        while late:
            handle(late.pop(0))
        reader.handle_event = handle
        folders = sorted(path for path, _, _ in os.walk(os.fsencode(photos)))
        group = next(iter(ears.watcher._native._observer.emitters)).group
        assert sorted(group._active_callbacks_by_watch.values()) == folders
        (photos / "moved" / "pic.jpg").write_bytes(b"new")
        (photos / "first" / "below" / "pic.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "moved" / "pic.jpg"))
        ears.wait(lambda: ears.hears_of(photos / "first" / "below" / "pic.jpg"))
        assert ears.reconciled() == []


@pytest.mark.fault("a folder goes in the moment in which it is watched")
def test_a_folder_that_goes_while_it_is_watched_ends_nothing(photos, monkeypatch):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        reader = reader_of(ears)
        add, asked = reader.add_callback, []

        def gone(path, *others):
            asked.append(path)
            if path.endswith(b"going"):
                os.rmdir(path)
            return add(path, *others)

        monkeypatch.setattr(reader, "add_callback", gone)
        (photos / "going").mkdir()
        (photos / "staying").mkdir()
        ears.wait(lambda: ears.watcher.coverage()[os.fsencode(photos)].folders == 3)
        (photos / "staying" / "pic.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "staying" / "pic.jpg"))
        assert [os.path.basename(path) for path in asked] == [b"going", b"staying"]
        assert ears.reconciled() == []


@pytest.mark.fault("another folder takes the name of one in the moment in which it is watched")
def test_a_folder_replaced_while_it_is_watched_ends_nothing(photos, monkeypatch):
    (photos / "known").mkdir()
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        add, replaced = inotify.inotify_add_watch, []

        def replacing(descriptor, path, mask):
            wd = add(descriptor, path, mask)
            if path.endswith(b"new") and not replaced:
                replaced.append(path)
                (photos / "new").rename(photos / "away")
                (photos / "known").rename(photos / "new")
            return wd

        monkeypatch.setattr(inotify, "inotify_add_watch", replacing)
        (photos / "new").mkdir()
        ears.wait(lambda: bool(replaced) and ears.hears_of(photos / "away"))
        for folder in ("new", "away"):
            (photos / folder / "pic.jpg").write_bytes(b"new")
            ears.wait(lambda pic=photos / folder / "pic.jpg": ears.hears_of(pic))
        assert ears.reconciled() == []


@pytest.mark.fault("the thread that reads inotify dies")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_inotify_thread_is_replaced_and_the_root_walked(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()

        def raising(event):
            raise KeyError("as watchdog 7.0.0 did")

        reader_of(ears).handle_event = raising
        (photos / "a.jpg").write_bytes(b"lost")
        ears.wait(lambda: bool(ears.reconciled()))
        ears.reports.clear()
        (photos / "b.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.hears_of(photos / "b.jpg"))
        assert ears.watcher.alive


@pytest.mark.fault("changes that cannot be written down yet")
def test_what_could_not_be_handed_on_is_reported_again(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        ears.broken = True
        (photos / "a.jpg").write_bytes(b"new")
        ears.wait(lambda: ears.refused > 0)
        ears.broken = False
        ears.wait(lambda: ears.hears_of(photos / "a.jpg"))


# Roots that come and go


@pytest.mark.fault("a watched folder goes and comes back")
def test_a_root_that_is_away_and_back(photos):
    with Ears(root(photos)) as ears:
        ears.wait_for_start()
        away = photos.with_name("away")
        photos.rename(away)
        ears.wait(lambda: bool(ears.states()))
        assert ears.states() == [(RootState.OFFLINE, "cannot be listed: No such file or directory")]
        assert ears.settled() == set()
        (away / "meanwhile.jpg").write_bytes(b"not ours to name")
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


@pytest.mark.fault("a watched folder is suddenly empty")
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


def test_a_root_that_is_deleted_and_made_again_is_watched_again(photos):
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


def test_a_root_that_does_not_answer_is_offline_and_blocks_nothing(photos, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    see, hung = root_probe.probe, threading.Event()

    def hanging(path, exclusions):
        if path == os.fsencode(photos) and hung.is_set():
            released.wait(60)
        return see(path, exclusions)

    released = threading.Event()
    monkeypatch.setattr(root_probe, "probe", hanging)
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
            ears.reports.clear()
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
