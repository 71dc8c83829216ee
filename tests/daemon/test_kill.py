"""The real program, stopped and killed while it indexes: it ends when asked, and no kill costs what was kept."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.client import Client
from daemon.ctl import oneshot
from daemon.jobs.progress import NullProgress
from index.database.records.jobs import DetectJobParameters
from support.kills import House
from support.pictures import photograph, save
from support.serving import until, write_config

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

PHOTOGRAPHS = 27
DISTINCT = PHOTOGRAPHS + PHOTOGRAPHS // 9
SIZE_BYTES = 24 * 2**20
KILLS = 3
# A stop waits for the images being decoded, no longer; the rest is for a machine that does much else.
STOP_WITHIN_S = 15.0


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that take some seconds to read: each ends in a hole of megabytes, which costs no disk. Every sixth has
    a copy, every ninth a mirrored one."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(PHOTOGRAPHS):
        picture = photograph(1000 + number, 320, 240)
        files = [save(picture, folder / str(number % 5) / f"{number:03}.jpg", quality=90)]
        if number % 6 == 0:
            files.append(folder / f"copy of {number:03}.jpg")
            shutil.copyfile(files[0], files[1])
        if number % 9 == 0:
            mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            files.append(save(mirrored, folder / "mirrored" / f"{number:03}.jpg"))
        for file in files:
            # Copies are recognised by their size first: only they and the mirrored one have the same.
            os.truncate(file, SIZE_BYTES + number)
    return folder


class Daemon:
    """`python -m daemon` with a home, an index and photos of its own."""

    def __init__(self, folder: Path, pictures: Path) -> None:
        self.folder = folder
        self.photos = folder / "photos"
        shutil.copytree(pictures, self.photos, copy_function=os.link)
        self.files = sum(1 for path in self.photos.rglob("*.jpg"))
        self.config = write_config(folder, folder / "elsewhere")
        self.index = folder / "data" / "index.sqlite3"

    @contextmanager
    def running(self) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        """The process and where its page is, after it said so; killed at the end if it still runs."""
        command = [sys.executable, "-m", "daemon", "--photos", str(self.photos), "--config", str(self.config)]
        home = {"XDG_DATA_HOME": str(self.folder / "home"), "HOME": str(self.folder / "home")}
        with (
            (self.folder / "log").open("ab") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **home}) as process,
        ):
            try:
                assert process.stdout is not None
                line = process.stdout.readline().decode()
                assert line.startswith("ComparImg is at http://"), (self.folder / "log").read_text()
                yield process, line.split()[-1]
            finally:
                process.kill()

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.index}?mode=ro", uri=True)) as database:
            return database.execute(question).fetchall()

    def contents(self) -> dict[int, bytes]:
        return dict(self.ask("SELECT id, digest FROM content"))

    def images(self) -> int:
        return int(self.ask("SELECT count(*) FROM image")[0][0])

    def check(self) -> None:
        """The index is whole, and no content is in it twice."""
        assert self.ask("PRAGMA integrity_check") == [("ok",)]
        assert self.ask("PRAGMA foreign_key_check") == []
        digests = list(self.contents().values())
        assert len(digests) == len(set(digests))


@pytest.fixture
def daemon(tmp_path: Path, pictures: Path) -> Daemon:
    return Daemon(tmp_path, pictures)


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> set[frozenset[str]]:
    """The groups that one scan finds, by names below the folder."""
    folder = tmp_path_factory.mktemp("undisturbed")
    result = oneshot.detect([pictures], DetectJobParameters(), folder, NullProgress()).result
    start = len(str(pictures)) + 1
    return {frozenset(image["path"][start:] for image in group["images"]) for group in result["groups"]}


def settled(daemon: Daemon, address: str) -> bool:
    """Everything is indexed and no job is left. A job that was killed too often ended as failed; another was asked
    for at the start."""
    jobs = list(Client(address).pages("jobs"))
    ended = all(job["state"] in ("done", "failed") for job in jobs)
    return ended and jobs[0]["state"] == "done" and daemon.images() == daemon.files


def groups(daemon: Daemon, address: str) -> set[frozenset[str]]:
    start = len(str(daemon.photos)) + 1
    return {
        frozenset(image["path"][start:] for image in group["images"]["items"])
        for group in Client(address).pages("groups")
    }


def read_in_all(address: str) -> int:
    return sum(job["outcome"].get("read", 0) for job in Client(address).pages("jobs") if job["kind"] == "scan")


@pytest.mark.slow
@pytest.mark.fault("stopped in the middle of a scan")
def test_asked_to_stop_in_the_middle_of_a_scan(daemon: Daemon, undisturbed: set[frozenset[str]]) -> None:
    with daemon.running() as (process, _):
        until(lambda: len(daemon.contents()) >= 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_WITHIN_S) == 0
    kept = daemon.contents()
    assert 5 <= len(kept) < DISTINCT, "it was in the middle"
    daemon.check()
    assert daemon.ask("SELECT state, attempts FROM job") == [("queued", 0)]
    with daemon.running() as (process, address):
        until(lambda: settled(daemon, address))
        assert groups(daemon, address) == undisturbed
        assert read_in_all(address) == DISTINCT - len(kept), "what was kept was not decoded again"
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_WITHIN_S) == 0
    assert kept.items() <= daemon.contents().items()
    assert len(daemon.contents()) == DISTINCT
    daemon.check()


@pytest.mark.slow
@pytest.mark.fault("killed again and again while indexing")
def test_killed_again_and_again(daemon: Daemon, undisturbed: set[frozenset[str]]) -> None:
    chance = random.Random(7)
    kept: dict[int, bytes] = {}
    images = 0
    for _ in range(KILLS):
        with daemon.running() as (process, _):
            aim = min(len(kept) + chance.randint(1, 8), DISTINCT)
            until(lambda aim=aim: len(daemon.contents()) >= aim)  # type: ignore[misc]
            process.kill()
            process.wait()
        daemon.check()
        assert kept.items() <= daemon.contents().items(), "no row is lost, and none is another"
        assert daemon.images() >= images
        kept, images = daemon.contents(), daemon.images()
    with daemon.running() as (process, address):
        until(lambda: settled(daemon, address))
        assert groups(daemon, address) == undisturbed
        assert read_in_all(address) == DISTINCT - len(kept)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_WITHIN_S) == 0
    daemon.check()
    assert kept.items() <= daemon.contents().items()
    assert len(daemon.contents()) == DISTINCT
    assert daemon.images() == daemon.files


@pytest.mark.slow
@pytest.mark.fault("killed while matching")
def test_killed_while_it_matches(daemon: Daemon, undisturbed: set[frozenset[str]]) -> None:
    with daemon.running() as (process, _):
        until(lambda: len(daemon.contents()) == DISTINCT)
        process.kill()
        process.wait()
    kept = daemon.contents()
    with daemon.running() as (_, address):
        until(lambda: settled(daemon, address))
        assert groups(daemon, address) == undisturbed
        assert read_in_all(address) == 0
    daemon.check()
    assert daemon.contents() == kept


def test_a_wrong_configuration_is_2_and_a_taken_index_1(daemon: Daemon) -> None:
    command = [sys.executable, "-m", "daemon", "--config", str(daemon.config), "--photos"]
    ended = subprocess.run([*command, "/nothing/here"], capture_output=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert b"There is no folder /nothing/here" in ended.stderr
    # `make run` leaves it to the program, which speaks the language of the console.
    french = {**os.environ, "LC_ALL": "fr_FR.UTF-8"}
    ended = subprocess.run([*command, "/nothing/here"], capture_output=True, timeout=60, check=False, env=french)
    assert "Le dossier /nothing/here n’existe pas" in ended.stderr.decode()
    with daemon.running():
        ended = subprocess.run([*command, str(daemon.photos)], capture_output=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert b"Another ComparImg" in ended.stderr
        assert b"Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.fault("killed at random moments while people work (more with make kill-soak)")
def test_a_house_in_which_the_power_fails_again_and_again(tmp_path: Path) -> None:
    """A few of what `make kill-soak` does hundreds of times."""
    house = House(tmp_path, seed=11)
    for _ in range(5):
        house.fail()
    house.settle()
    assert house.kills == 5
