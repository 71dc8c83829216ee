"""EDGE: tells systemd how the service is, as sd_notify(3) describes. Without systemd every call does nothing."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class ServiceManager:
    """The manager that started this process, found through $NOTIFY_SOCKET and $WATCHDOG_USEC."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte with which names in the abstract namespace begin.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        limit_us = environ.get("WATCHDOG_USEC", "")
        for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # Half of what is allowed, as systemd advises: one late sign of life is no death.
        self.sign_every_s = int(limit_us) / 2e6 if limit_us.isdecimal() and for_us else None

    def ready(self, status: str) -> None:
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """The sign of life that the watchdog waits for."""
        self._tell("WATCHDOG=1")

    def status(self, words: str) -> None:
        """What `systemctl status` shows."""
        self._tell(f"STATUS={words}")

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=Stopping")

    def allow(self, seconds: float, status: str) -> None:
        """Ask for so much time from now on for what is under way: a start, or an end."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}", f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A manager that does not listen is no reason to end.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.settimeout(1.0)
            to.sendto("\n".join(line.replace("\n", " ") for line in lines).encode("utf-8", "replace"), self._address)
