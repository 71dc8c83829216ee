"""A whole service that lends, and one that does not: the same groups, and nothing loaded where nothing is lent."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.client import Client
from daemon.configuration.config import Config, load
from daemon.remote_workers.inviting import invite
from daemon.remote_workers.roster import Roster
from daemon.service import Service
from support.lending import JOIN, TOP
from support.pictures import photograph, save
from support.serving import until, write_config

# Each waits for programs that are started, stopped or left without an answer.
pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for seed in range(6):
        picture = photograph(seed)
        save(picture, folder / f"{seed}.png")
        save(picture.resize((picture.width // 2, picture.height // 2)), folder / f"{seed}-small.jpg")
        save(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / f"{seed}-mirrored.jpg")
    return folder


def configured(folder: Path, photos: Path, more: str = "") -> Config:
    folder.mkdir()
    file = write_config(folder, photos)
    file.write_text(file.read_text().replace('method = "hash"', 'method = "hash+model"') + more)
    return load(file, {})


def groups_of(service: Service) -> list[list[tuple[Any, ...]]]:
    """Each group by what is shown of its images."""
    groups = Client(service.address).pages("groups")
    shown = [
        sorted(
            (Path(i["path"]).name, i["kind"], i["turn"], json.dumps(i["evidence"])) for i in group["images"]["items"]
        )
        for group in groups
    ]
    return sorted(shown)


def is_done(service: Service) -> bool:
    jobs = list(Client(service.address).pages("jobs"))
    return bool(jobs) and all(job["state"] == "done" for job in jobs)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """Starts a process that joins."""
    started: list[subprocess.Popen[bytes]] = []

    def start(invitation: Path) -> None:
        with (tmp_path / "worker.log").open("wb") as log:
            asked = [sys.executable, "-c", JOIN, "join", str(invitation), "--processes", "1"]
            started.append(subprocess.Popen(asked, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(TOP)}))

    yield start
    for process in started:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_the_groups_are_the_same(tmp_path: Path, photos: Path, worker: Any) -> None:
    with Service(configured(tmp_path / "alone", photos)) as service:
        until(lambda: is_done(service), 120)
        expected = groups_of(service)
        assert Client(service.address).get("workers")["listen"] == ""
        assert "lending" not in service.health()
    assert len(expected) == 6
    port = free_port()
    config = configured(tmp_path / "lent", photos, f'[workers]\nlisten = "tls://127.0.0.1:{port}"\n')
    invite(Roster(config.daemon.data_dir), "desktop", "127.0.0.1", port, tmp_path / "desktop.worker")
    # Pictures come when the worker is there, so that it gets some of the work.
    hidden = tmp_path / "hidden"
    shutil.move(photos, hidden)
    photos.mkdir()
    with Service(config) as service:
        worker(tmp_path / "desktop.worker")
        api = Client(service.address)
        until(lambda: api.get("workers")["items"][0]["connected"], 60)
        for file in hidden.iterdir():
            shutil.copy2(file, photos / file.name)
        api.post("jobs", {"kind": "scan"})
        until(lambda: is_done(service) and api.get("status")["totals"]["images"] == 18, 120)
        assert groups_of(service) == expected
        report = api.get("workers")
        assert report["isolated"] and service.health()["lending"]
        assert report["items"][0]["share"] > 0
        assert sum(report["items"][0]["done"].values()) + sum(report["home"]["done"].values()) > 18


WHAT_IS_LOADED = """
import sys
from pathlib import Path
from daemon.configuration.config import load
from daemon.service import Service
from daemon.client import Client
with Service(load(Path(sys.argv[1]), {})) as service:
    assert Client(service.address).get("workers")["listening"] is False
    print(*sorted(name for name in sys.modules if name.startswith(("daemon.remote_workers", "cryptography"))))
"""


def test_where_nothing_is_lent_nothing_is_loaded_and_nothing_listens(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    config = write_config(tmp_path, tmp_path / "photos")
    asked = [sys.executable, "-c", WHAT_IS_LOADED, str(config)]
    ended = subprocess.run(
        asked, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(TOP)}
    )
    assert ended.stdout.split() == []
    assert not (tmp_path / "data" / "workers").exists()


def test_an_address_that_is_taken_stops_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configured(tmp_path / "c", tmp_path / "photos", f'[workers]\nlisten = "tls://127.0.0.1:{port}"\n')
        with Service(config) as service:
            api = Client(service.address)
            until(lambda: api.get("workers")["problem_code"] == "lending.not_invited_yet")
            invite(Roster(config.daemon.data_dir), "desktop", "127.0.0.1", port, tmp_path / "desktop.worker")
            until(lambda: api.get("workers")["problem_code"] == "lending.cannot_listen")
            assert all(service.health().values())
