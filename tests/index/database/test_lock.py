"""One process at a time uses a data folder, whatever becomes of the lock file: real locks, real processes."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon import pidfile
from index.database.store import Store
from index.errors import AlreadyRunning

HOLD = """
import sys
from pathlib import Path
from index.database.store import Store
with Store(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the index of a data folder open."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            yield process
        finally:
            process.kill()


def deleted(lock: Path) -> None:
    lock.unlink()


def replaced(lock: Path) -> None:
    other = lock.with_name("other")
    other.write_text("1\n")
    os.replace(other, lock)


def untouched(lock: Path) -> None:
    pass


@pytest.mark.fault("the lock file deleted or replaced while a service runs: a second one is refused")
@pytest.mark.parametrize("fault", [untouched, deleted, replaced])
def test_a_second_process_is_refused(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    with held_by_another_process(tmp_path) as process:
        fault(tmp_path / "lock")
        with pytest.raises(AlreadyRunning, match="is using"):
            Store(tmp_path)
        process.kill()
        process.wait()
        with Store(tmp_path):
            assert pidfile.process_of(tmp_path) == os.getpid()


def test_the_data_folder_by_another_name_is_the_same_one(tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(tmp_path / "data")
    with Store(tmp_path / "data"):
        (tmp_path / "data" / "lock").unlink()
        with pytest.raises(AlreadyRunning):
            Store(tmp_path / "other")


def test_an_index_that_is_a_link_is_locked_at_its_target(tmp_path: Path) -> None:
    with Store(tmp_path / "data"):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.sqlite3").symlink_to(tmp_path / "data" / "index.sqlite3")
    with Store(tmp_path / "data"), pytest.raises(AlreadyRunning):
        Store(tmp_path / "other")
    with Store(tmp_path / "other"), pytest.raises(AlreadyRunning):
        Store(tmp_path / "data")


def test_an_earlier_version_with_only_a_lock_file_is_excluded_and_excludes(tmp_path: Path) -> None:
    with Store(tmp_path):
        assert not locks_the_file(tmp_path)
    with (tmp_path / "lock").open("a+") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(AlreadyRunning):
            Store(tmp_path)
    with Store(tmp_path) as store:
        (tmp_path / "lock").unlink()
        store.renew_lock()
        assert not locks_the_file(tmp_path), "made again, and held"
        assert pidfile.process_of(tmp_path) == os.getpid()
        store.renew_lock()
        assert not locks_the_file(tmp_path)
    assert locks_the_file(tmp_path)


def locks_the_file(folder: Path) -> bool:
    """Whether a version that locks nothing but the lock file could start."""
    with (folder / "lock").open("a+") as theirs:
        try:
            fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_a_refused_start_holds_nothing(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path):
        before = os.listdir("/proc/self/fd")
        with pytest.raises(AlreadyRunning):
            Store(tmp_path)
        assert os.listdir("/proc/self/fd") == before
    with Store(tmp_path):
        pass
