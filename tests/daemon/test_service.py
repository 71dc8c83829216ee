"""The whole service in this process: it indexes what it is given, sees what is dropped, and ends cleanly."""

import os
import queue
import shutil
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.client import Client
from daemon.configuration.config import Config, load
from daemon.jobs.runner import Runner
from daemon.service import Asked, Service
from index.errors import AlreadyRunning, ComparImgError
from support.pictures import photograph, save
from support.program import Program
from support.serving import config_over, until


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A service over a folder with one pair of copies and one picture alone."""
    first = save(photograph(1), tmp_path / "photos" / "a.png")
    shutil.copyfile(first, first.parent / "b.png")
    save(photograph(2), first.parent / "alone.jpg")
    return config_over(tmp_path, first.parent)


@pytest.fixture
def service(config: Config) -> Iterator[Service]:
    with Service(config) as started:
        yield started


def groups(service: Service) -> list[dict[str, str]]:
    """Of each group the file names, with the kind of match, or "reference"."""
    return [
        {Path(one["path"]).name: "reference" if one["reference"] else one["kind"] for one in group["images"]["items"]}
        for group in Client(service.address).pages("groups")
    ]


def newest_job(service: Service) -> dict[str, Any]:
    return dict(next(iter(Client(service.address).pages("jobs", 1))))


def test_it_indexes_the_folder_at_the_start_and_sees_what_is_dropped(service: Service, tmp_path: Path) -> None:
    until(lambda: len(groups(service)) == 1)
    assert [set(group) for group in groups(service)] == [{"a.png", "b.png"}]
    mirrored = photograph(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    save(mirrored, tmp_path / "photos" / "new" / "mirrored.jpg", quality=85)
    until(lambda: len(groups(service)) == 2)
    (dropped,) = [group for group in groups(service) if "mirrored.jpg" in group]
    assert set(dropped) == {"mirrored.jpg", "alone.jpg"}
    assert set(dropped.values()) == {"reference", "near"}
    (tmp_path / "photos" / "a.png").unlink()
    until(lambda: groups(service) == [dropped])
    assert Client(service.address).get("status")["totals"]["images"] == 3


def test_every_part_lives_and_then_none_is_left(config: Config) -> None:
    before = set(threading.enumerate())
    with Service(config) as service:
        assert set(service.health()) == {"index", "jobs", "decoding", "watching", "schedules", "copies", "page"}
        until(lambda: all(service.health().values()))
        assert all(Client(service.address).get("status")["parts"].values())
    assert not any(service.health().values())
    assert set(threading.enumerate()) <= before


def test_a_start_after_a_stop_finds_everything_known(config: Config) -> None:
    with Service(config) as service:
        until(lambda: len(groups(service)) == 1 and newest_job(service)["state"] == "done")
        first, before = groups(service), newest_job(service)
    with Service(config) as service:
        assert groups(service) == first, "what was found is shown at once"
        until(lambda: newest_job(service)["id"] > before["id"] and newest_job(service)["state"] == "done")
        again = newest_job(service)
        assert (again["kind"], again["origin"]) == ("scan", "start")
        assert (again["outcome"]["files"], again["outcome"]["read"]) == (3, 0)
        assert groups(service) == first


def test_a_wait_ends_with_no_name_when_it_is_asked_to(config: Config) -> None:
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    asked.put(Asked.STOP)
    with Service(config) as service:
        assert service.wait(asked) == ""


def test_two_services_do_not_share_an_index(service: Service, config: Config) -> None:
    with pytest.raises(AlreadyRunning), Service(config):
        pass
    assert all(service.health().values())


def test_a_second_program_is_refused_although_the_lock_file_was_deleted(tmp_path: Path, config: Config) -> None:
    program = Program(tmp_path, Path(os.fsdecode(config.watch[0].path)))
    lock = tmp_path / "data" / "lock"
    with program.running() as (first, address):
        lock.unlink()
        with program.begin() as second:
            assert second.wait(30) == 1
        assert f"is using {tmp_path / 'data'}" in program.log.read_text()
        until(lambda: lock.exists() and lock.read_text() == f"{first.pid}\n")
        assert all(Client(address).get("status")["parts"].values())
        first.terminate()
        assert first.wait(15) == 0


def test_a_page_that_cannot_listen_ends_the_start_and_leaves_nothing(tmp_path: Path, config: Config) -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = (tmp_path / "comparimg.toml").read_text().replace("port = 0", f"port = {port}")
        (tmp_path / "comparimg.toml").write_text(text)
        with (
            pytest.raises(ComparImgError, match=f"cannot listen at 127.0.0.1:{port}"),
            Service(load(tmp_path / "comparimg.toml")),
        ):
            pass
    assert set(threading.enumerate()) <= before
    with Service(config) as service:
        assert all(service.health().values())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_name_of_a_part_that_died_is_told(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(self: Runner, *_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(Runner, "_take", die)
    with Service(config) as service:
        assert service.wait(queue.SimpleQueue()) == "jobs"
        assert service.health() | {"jobs": True} == dict.fromkeys(service.health(), True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("part", ["decoding", "watching", "schedules", "page", "index"])
def test_whichever_part_dies_its_name_is_told(config: Config, part: str) -> None:
    service = Service(config)
    with service:
        until(lambda: len(groups(service)) == 1)
        kill: dict[str, Callable[[], object]] = {
            "decoding": service._workshop.pool.close,
            "watching": service._workshop.watcher.stop,
            "schedules": service._scheduler.stop,
            "page": service._server.stop,
            # What is no change cannot even be refused.
            "index": lambda: service._store._queue.put(object()),  # type: ignore[arg-type]
        }
        kill[part]()
        told = service.wait(queue.SimpleQueue())
        # The runner needs the index, and may be seen to die first.
        assert told == part or (part == "index" and told == "jobs")
        assert service.health()[part] is False


def test_health_fails_while_no_change_comes_through_and_not_before_nor_after(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread that lives does not tell: a writer that hangs in a change."""
    monkeypatch.setattr("daemon.vitals.ASK_EVERY_S", 0.05)
    monkeypatch.setattr("daemon.vitals.WRITER_LIMIT_S", 0.5)
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    held, go_on = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        held.set()
        go_on.wait(30)

    def status() -> int:
        try:
            with urllib.request.urlopen(f"{service.address}healthz", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    with Service(config) as service:
        waiting = threading.Thread(target=service.wait, args=(asked,), name="comparimg-test-main")
        waiting.start()
        until(lambda: len(groups(service)) == 1)
        assert status() == 200
        service._store.submit(hang)
        assert held.wait(10)
        until(lambda: status() == 503)
        assert service._vitals.hangs
        go_on.set()
        until(lambda: status() == 200)
        asked.put(Asked.STOP)
        waiting.join()
