"""Another configuration takes hold in a service that runs: in this process, and by SIGHUP in the real program."""

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.configuration.config import Config, changed_keys, keys_needing_restart, load
from daemon.service import Service, SignalRequest
from index.errors import ComparImgError
from support import misbehaviour
from support.pictures import photograph, save
from support.serving import until, write_config

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        save(photograph(1), tmp_path / name / "a.png")
        save(photograph(1), tmp_path / name / "b.png")
    return write_config(tmp_path, tmp_path / "one")


@pytest.fixture
def service(file: Path) -> Iterator[Service]:
    with Service(load(file)) as started:
        yield started


def changed(file: Path, *lines: str, **values: str) -> Config:
    """The configuration with values of keys exchanged or added, and lines at the end."""
    text = file.read_text()
    for name, value in values.items():
        section, _, key = name.partition("_")
        text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
        if not count:
            text = text.replace(f"[{section}]\n", f"[{section}]\n{key} = {value}\n")
    file.write_text(text + "\n".join(lines))
    return load(file)


def images(ask: Client) -> dict[str, int]:
    return {Path(root["path"]).name: root["images"] for root in ask.pages("roots")}


def test_roots_come_and_go(service: Service, file: Path, tmp_path: Path) -> None:
    ask = Client(service.address)
    until(lambda: images(ask) == {"one": 2} and ask.get("groups")["total"] == 1)
    service.reload(changed(file, f'[[watch]]\npath = "{tmp_path}/two"'))
    until(lambda: images(ask) == {"one": 2, "two": 2})
    until(lambda: ask.get("groups")["items"][0]["images"]["total"] == 4)
    save(photograph(2), tmp_path / "two" / "dropped.png")
    until(lambda: images(ask)["two"] == 3)
    file.write_text(re.sub(r"\[\[watch\]\]\npath = .*", "", file.read_text()))
    service.reload(load(file))
    until(lambda: images(ask) == {} and ask.get("groups")["total"] == 0)
    assert all(service.health().values())


def test_a_token_takes_hold_at_once(service: Service, file: Path) -> None:
    assert Client(service.address).get("status")
    assert service.reload(changed(file, web_token='"a-token-of-some-length"')) == ()
    with pytest.raises(ComparImgError, match="token"):
        Client(service.address).get("status")
    assert Client(service.address, "a-token-of-some-length").get("status")


def test_settings_and_schedules_take_hold_at_once(service: Service, file: Path) -> None:
    ask = Client(service.address)
    service.reload(changed(file, detect_hsize="8", detect_schedule='"every 6h"'))
    now = {setting["key"]: setting for setting in ask.pages("settings")}
    assert (now["detect.hsize"]["value"], now["detect.hsize"]["origin"]) == (8, "file")
    (schedule,) = ask.pages("schedules")
    assert schedule["next_run"] is not None


def test_what_needs_a_restart_is_said(service: Service, file: Path, tmp_path: Path) -> None:
    left = service.reload(changed(file, web_port="1", daemon_data_dir=f'"{tmp_path}/elsewhere"'))
    assert left == ("daemon.data_dir", "web.port")
    assert Client(service.address).get("status")


def test_the_difference_of_two_configurations(file: Path) -> None:
    before = load(file)
    assert changed_keys(before, load(file)) == frozenset()
    after = changed(file, daemon_workers="2", web_host='"localhost"')
    assert changed_keys(before, after) == {"daemon.workers", "web.host"}
    assert keys_needing_restart(before, after) == ("web.host",)


def test_a_wrong_file_changes_nothing_and_is_reported(
    service: Service, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: queue.SimpleQueue[SignalRequest] = queue.SimpleQueue()
    file.write_text("[daemon]\nlgo = 1\n")
    asked.put(SignalRequest.RELOAD)
    asked.put(SignalRequest.STOP)
    assert service.wait(asked, lambda: load(file)) == ""
    assert "was not reloaded" in caplog.text
    assert "daemon.lgo" in caplog.text
    assert Client(service.address).get("roots")["total"] == 1


def test_a_decode_that_lasts_does_not_hold_up_the_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.jobs.scan_reading.index_file", misbehaviour.hang)
    monkeypatch.setattr("daemon.job_system.STOP_LIMIT_S", 0.1)
    with Service(load(file)) as service:
        until(lambda: any(job["phase"] == "indexing" for job in Client(service.address).pages("jobs")))
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 10
    monkeypatch.undo()
    with Service(load(file)) as service:
        assert not any(job["state"] == "failed" for job in Client(service.address).pages("jobs"))
        until(lambda: images(Client(service.address)) == {"one": 2})


def test_every_step_is_reported_to_systemd(file: Path, tmp_path: Path) -> None:
    """The real program as systemd starts it: ready when it serves, signs of life, a reload, the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(30)
        environ = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        command = [sys.executable, "-m", "daemon", "--config", str(file)]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=environ)
        try:
            assert heard(ear, "EXTEND_TIMEOUT_USEC=")
            assert "watching 1 folder" in heard(ear, "READY=1")
            assert heard(ear, "WATCHDOG=1")
            changed(file, f'[[watch]]\npath = "{tmp_path}/two"', web_port="1")
            process.send_signal(signal.SIGHUP)
            assert heard(ear, "RELOADING=1")
            assert "a restart is needed for web.port" in heard(ear, "READY=1")
            assert "watching 2 folders" in heard(ear, "STATUS=At ")
            process.send_signal(signal.SIGTERM)
            assert heard(ear, "STOPPING=1")
            assert process.wait(15) == 0
        finally:
            process.kill()
            process.wait()


def heard(ear: socket.socket, beginning: str) -> str:
    """The next message that begins so; the others are passed over."""
    while True:
        message = ear.recv(4096).decode()
        if message.startswith(beginning):
            return message
