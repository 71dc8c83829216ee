"""The whole service in this process: it indexes what it is given, sees what is dropped, and ends cleanly."""

import os
import queue
import shutil
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.client import Client
from daemon.configuration.config import Config, load
from daemon.jobs.runner import Runner
from daemon.service import Service, SignalRequest
from index.errors import AlreadyRunning, ComparImgError
from support.pictures import photograph, save
from support.program import Program
from support.serving import config_over, until

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow


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
        {
            Path(image["path"]).name: "reference" if image["reference"] else image["kind"]
            for image in group["images"]["items"]
        }
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
    asked: queue.SimpleQueue[SignalRequest] = queue.SimpleQueue()
    asked.put(SignalRequest.STOP)
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
def test_the_name_of_a_part_that_died_is_reported(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(self: Runner, *_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(Runner, "_claim_next", die)
    with Service(config) as service:
        assert service.wait(queue.SimpleQueue()) == "jobs"
        assert service.health() | {"jobs": True} == dict.fromkeys(service.health(), True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("part", ["decoding", "watching", "schedules", "page", "index"])
def test_whichever_part_dies_its_name_is_reported(config: Config, part: str) -> None:
    service = Service(config)
    with service:
        until(lambda: len(groups(service)) == 1)
        kill: dict[str, Callable[[], object]] = {
            "decoding": service._job_system.pool.close,
            "watching": service._job_system.watcher.stop,
            "schedules": service._scheduler.stop,
            "page": service._server.stop,
            # What is no change cannot even be refused.
            "index": lambda: service._store._queue.put(object()),  # type: ignore[arg-type]
        }
        kill[part]()
        name = service.wait(queue.SimpleQueue())
        # The runner needs the index, and may be seen to die first.
        assert name == part or (part == "index" and name == "jobs")
        assert service.health()[part] is False


def test_health_fails_while_no_change_comes_through_and_not_before_nor_after(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread that lives does not show: a writer that hangs in a change."""
    monkeypatch.setattr("daemon.health.ASK_EVERY_S", 0.05)
    monkeypatch.setattr("daemon.health.WRITER_LIMIT_S", 0.5)
    asked: queue.SimpleQueue[SignalRequest] = queue.SimpleQueue()
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
        assert service._health.hangs
        go_on.set()
        until(lambda: status() == 200)
        asked.put(SignalRequest.STOP)
        waiting.join()


def test_folders_added_over_rest_are_watched_at_once_and_after_a_restart(tmp_path: Path) -> None:
    """From an empty data folder and a file that watches nothing."""
    photos = tmp_path / "photos"
    first = save(photograph(1), photos / "a.png")
    shutil.copyfile(first, photos / "b.png")
    file = tmp_path / "comparimg.toml"
    file.write_text(f"[daemon]\ndata_dir = '{tmp_path}/data'\nsettle_s = 0.2\nworkers = 1\n[web]\nport = 0\n")
    config, before = load(file, {}), file.read_bytes()
    asked: queue.SimpleQueue[SignalRequest] = queue.SimpleQueue()

    def names() -> set[str]:
        return {name for group in groups(service) for name in group}

    with Service(config) as service:
        waiting = threading.Thread(target=service.wait, args=(asked,), name="comparimg-test-main")
        waiting.start()
        try:
            added = Client(service.address).post("roots", {"path": str(photos)})["root"]
            until(lambda: names() == {"a.png", "b.png"})
            shutil.copyfile(first, photos / "c.png")
            until(lambda: names() == {"a.png", "b.png", "c.png"})
            assert service.health() == dict.fromkeys(service.health(), True)
        finally:
            asked.put(SignalRequest.STOP)
            waiting.join()
    with Service(config) as service:
        assert names() == {"a.png", "b.png", "c.png"}
        waiting = threading.Thread(target=service.wait, args=(asked,), name="comparimg-test-main")
        waiting.start()
        try:
            Client(service.address).delete(f"roots/{added['id']}")
            until(lambda: names() == set())
            assert Client(service.address).get("status")["totals"]["images"] == 0
        finally:
            asked.put(SignalRequest.STOP)
            waiting.join()
    assert file.read_bytes() == before
    assert sorted(path.name for path in photos.iterdir()) == ["a.png", "b.png", "c.png"]


def test_any_folder_is_searched_beside_the_library_and_gone_when_dismissed(config: Config, tmp_path: Path) -> None:
    other = tmp_path / "other"
    first = save(photograph(7), other / "x.png")
    save(photograph(7).resize((320, 240)), other / "deep" / "y.jpg")
    # The library has the pixels too: its own group must not gain a file of a folder that is not watched.
    shutil.copyfile(tmp_path / "photos" / "a.png", other / "copy of a.png")
    before = sorted(path.read_bytes() for path in other.rglob("*.*"))

    def index_of(table: str) -> int:
        with service._store.read() as database:
            return int(database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0])

    with Service(config) as service:
        until(lambda: len(groups(service)) == 1)
        ask = Client(service.address)
        library, rows = groups(service), index_of("image")
        job = ask.post("searches", {"folder": str(other)})
        until(lambda: ask.get(f"jobs/{job['id']}")["state"] == "done")
        (search,) = ask.get("searches")["items"]
        assert [folder["path"] for folder in search["temporary"]] == [str(other)]
        (found,) = ask.get("groups", search=search["id"])["items"]
        assert {Path(image["path"]).name for image in found["images"]["items"]} == {"x.png", "y.jpg"}
        proposed = found["proposal"]["image"]
        other_id = next(image["id"] for image in found["images"]["items"] if image["id"] != proposed)
        # The library is as it was: its groups, its figures, its folders.
        assert groups(service) == library
        assert ask.get("status")["totals"]["images"] == 3
        assert [Path(root["path"]).name for root in ask.get("roots")["items"]] == ["photos"]
        # What is decided waits: it is in no plan, and nothing is done to the file.
        decide = partial(ask._ask, "PUT", f"groups/{found['id']}/decisions", f"search={search['id']}")
        with pytest.raises(ComparImgError):
            decide({"decisions": [{"image": image, "choice": "trash"} for image in (proposed, other_id)]})
        assert decide(
            {"decisions": [{"image": proposed, "choice": "keep"}, {"image": other_id, "choice": "trash"}]}
        )["decided"] == "fully"  # fmt: skip
        review = ask.get("review")
        assert review["images_to_act"] == 0
        assert [(folder["path"], folder["images"]) for folder in review["unwatched"]] == [(str(other), 1)]
        job = ask.post("jobs", {"kind": "sort", "parameters": {"dry_run": False}})
        until(lambda: ask.get(f"jobs/{job['id']}")["state"] == "done")
        assert sorted(path.read_bytes() for path in other.rglob("*.*")) == before
        ask.delete(f"searches/{search['id']}")
        assert (index_of("image"), index_of("root")) == (rows, 1)
        assert groups(service) == library
        job = ask.post("searches", {"folder": str(other), "recursive": False})
        until(lambda: ask.get(f"jobs/{job['id']}")["state"] == "done")
        (flat,) = ask.get("searches")["items"]
        assert (flat["groups"], flat["recursive"], index_of("image")) == (0, False, rows + 2)
        # Watched after another search, it is the library's.
        job = ask.post("searches", {"folder": str(other), "hsize": 8, "tolerance": 10})
        until(lambda: ask.get(f"jobs/{job['id']}")["state"] == "done")
        ask.post("roots", {"path": str(other)})
        service.reload(config)
        until(lambda: len(groups(service)) == 2)
        assert max(map(len, groups(service))) == 3
        assert ask.get("status")["totals"]["images"] == 6
        assert ask.get("searches")["items"][0]["temporary"] == []
    assert sorted(path.read_bytes() for path in other.rglob("*.*")) == before
    assert first.exists()
