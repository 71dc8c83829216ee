"""EDGE: reports the state of the service to systemd by sd_notify(3). Without systemd every call does nothing."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class SystemdNotifier:
    """The service manager that started this process, found through $NOTIFY_SOCKET and $WATCHDOG_USEC."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ represents the zero byte of names in the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        limit_us = environ.get("WATCHDOG_USEC", "")
        for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # Half of the timeout, as systemd advises: one late notification is harmless.
        self.sign_every_s = int(limit_us) / 2e6 if limit_us.isdecimal() and for_us else None

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """Send the notification that systemd's watchdog expects."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the text that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        self._send("STOPPING=1", "STATUS=Stopping")

    def allow(self, seconds: float, status: str) -> None:
        """Extend the timeout of the current start or stop to this many seconds from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}", f"STATUS={status}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A service manager that does not listen is no reason to fail.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.settimeout(1.0)
            to.sendto("\n".join(line.replace("\n", " ") for line in lines).encode("utf-8", "replace"), self._address)
