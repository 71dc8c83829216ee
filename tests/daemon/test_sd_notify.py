"""What is reported to systemd, over a socket like its own."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sd_notify import SystemdNotifier


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def manager(tmp_path: Path, **more: str) -> SystemdNotifier:
    return SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), **more})


def test_the_states_of_a_service_are_reported(tmp_path: Path, ear: socket.socket) -> None:
    notifier = manager(tmp_path)
    notifier.allow(90, "Opening")
    assert ear.recv(1000) == b"EXTEND_TIMEOUT_USEC=90000000\nSTATUS=Opening"
    notifier.ready("At home\nREADY=0")
    assert ear.recv(1000) == b"READY=1\nSTATUS=At home READY=0"
    notifier.reloading()
    assert ear.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    notifier.alive()
    assert ear.recv(1000) == b"WATCHDOG=1"
    notifier.stopping()
    assert ear.recv(1000) == b"STOPPING=1\nSTATUS=Stopping"


def test_a_name_in_the_abstract_namespace_is_understood() -> None:
    name = f"comparimg test {os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(5)
        SystemdNotifier({"NOTIFY_SOCKET": f"@{name}"}).alive()
        assert listening.recv(100) == b"WATCHDOG=1"


def test_the_watchdog_hears_twice_in_its_time(tmp_path: Path) -> None:
    assert manager(tmp_path, WATCHDOG_USEC="60000000").sign_every_s == 30
    assert manager(tmp_path, WATCHDOG_USEC="60000000", WATCHDOG_PID="1").sign_every_s is None
    assert manager(tmp_path).sign_every_s is None


def test_no_one_there_is_no_error(tmp_path: Path) -> None:
    SystemdNotifier({}).ready("well")
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "absent")}).ready("well")
