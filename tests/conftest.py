"""What holds for every test: nothing is left behind, and what was left out is said."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import playwright
import pytest
from hypothesis import settings
from peewee import SqliteDatabase

from index.database import store
from index.database.upkeep import upgrade as upgrading
from index.database.upkeep.backups import Backups
from index.database.upkeep.upgrade import MIGRATIONS, upgrade

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Fixtures of a whole session: their threads and processes outlive a test, and are searched for at the session's end.
SHARED = {"pool", "lent", "browser"}
# Marks whose tests have a table of their own, with what happened to each that held and each that did not.
TABLES = {"attack": ("refused", "LET THROUGH"), "fault": ("survived", "NOT SURVIVED")}
MEMORY, DISK = Path("/dev/shm"), Path("/var/tmp")
# The tests together write about a gigabyte.
LEAST_ROOM_BYTES = 4 * 2**30
GRACE_S = 3.0
LOOK_S = 0.02

# Set before numpy is loaded: BLAS threads that wait for one another keep busy, and a machine for tests has few cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Programs under test speak English, whatever the developer's language.
os.environ["LC_ALL"] = "C.UTF-8"
# A child that a test forks has none of OpenCV's threads, and would wait for them forever.
cv2.setNumThreads(1)

# How long an example takes is the machine's affair.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _session_leaves_nothing() -> Iterator[None]:
    threads, children = _threads(), _children()
    yield
    _check(threads, children)


@pytest.fixture(autouse=True)
def _leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a child process, a thread of ours, or one that would keep the program from ending."""
    threads, children = _threads(), _children()
    yield
    if not SHARED & set(request.fixturenames):
        _check(threads, children)


@pytest.fixture(scope="session", autouse=True)
def _new_indexes_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new index is a copy of one that the migrations made: these take 50 ms, and thousands of tests need an index."""
    path = tmp_path_factory.mktemp("index") / "index.sqlite3"
    upgrade(SqliteDatabase(str(path)), path)
    with contextlib.closing(sqlite3.connect(path)) as migrated:
        template = migrated.serialize()

    def copy_or_upgrade(database: SqliteDatabase, path: Path, backups: Backups | None = None) -> None:
        if not path.exists() and upgrading.MIGRATIONS == MIGRATIONS:
            path.write_bytes(template)
        else:
            upgrade(database, path, backups)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "upgrade", copy_or_upgrade)
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium or Chrome; the test is left out if there is none, or nothing to drive it."""
    driver = Path(playwright.__file__).with_name("driver") / "node"
    if subprocess.run([driver, "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("what drives the browser does not start; it needs libatomic1")
    for name in BROWSERS:
        if (path := shutil.which(name)) is not None:
            return path
    pytest.skip(f"no browser found ({', '.join(BROWSERS)})")


def pytest_configure(config: pytest.Config) -> None:
    """Put what the tests write into memory: on a disk they wait half of their time. TMPDIR names another place."""
    if not config.option.basetemp and "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _has_room(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > LEAST_ROOM_BYTES


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """pytest's own; on a disk for tests that are marked so."""
    if request.node.get_closest_marker("disk") is None or not tmp_path.is_relative_to(MEMORY):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="comparimg-test-", dir=DISK, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def pytest_addoption(parser: pytest.Parser) -> None:
    for mark in TABLES:
        parser.addoption(f"--{mark}s", action="store_true", help=f"the tests of {mark}s alone, with a table")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [(mark, one.args[0]) for mark in TABLES for one in item.iter_markers(mark)]
    for mark in TABLES:
        if config.getoption(f"--{mark}s"):
            items[:] = [item for item in items if item.get_closest_marker(mark)]


def _table(reporter: pytest.TerminalReporter, mark: str, good: str, bad: str) -> None:
    """Each attack or fault, with how many ways of it were tried, and what happened to them."""
    tried: dict[str, list[bool]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in reporter.stats.get(outcome, []):
            for name, value in report.user_properties:
                if name == mark:
                    tried.setdefault(str(value), []).append(outcome == "passed")
    for title, held in sorted(tried.items()):
        became = good if all(held) else f"{held.count(False)} {bad}"
        reporter.write_line(f"{became:12} {len(held):3} tried  {title}")
    every = [one for held in tried.values() for one in held]
    reporter.write_line(f"{len(tried)} {mark}s in {len(every)} ways: {every.count(True)} {good}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for mark, words in TABLES.items():
        if terminalreporter.config.getoption(f"--{mark}s"):
            _table(terminalreporter, mark, *words)
    skipped = terminalreporter.stats.get("skipped", [])
    without = sum("browser" in report.keywords for report in skipped)
    if without:
        terminalreporter.write_line(
            f"LEFT OUT: {without} tests of the web page in a browser. To run them: apt install chromium libatomic1",
            yellow=True,
        )


def _threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if not one.daemon or one.name.startswith("comparimg-")}


def _children() -> dict[int, str]:
    """The child processes of this one, by process id, as their command lines. One that ended unwaited-for counts."""
    commands = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            numbers = (task / "children").read_text().split()
            commands.update({int(number): _command(number) for number in numbers})
        except OSError:  # the thread ended meanwhile
            continue
    return commands


def _command(number: str) -> str:
    raw = Path("/proc", number, "cmdline").read_bytes()
    return raw.replace(b"\0", b" ").decode(errors="replace")[:120] or "(ended, but no one waited for it)"


def _check(threads: set[threading.Thread], children: dict[int, str]) -> None:
    end_s = time.monotonic() + GRACE_S
    while True:
        left = [f"the thread {thread.name}" for thread in _threads() - threads]
        left += [
            f"the process {number}: {command}" for number, command in _children().items() if number not in children
        ]
        if not left or time.monotonic() > end_s:
            break
        time.sleep(LOOK_S)
    if left:
        pytest.fail("left behind: " + "; ".join(left))
