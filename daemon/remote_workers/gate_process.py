"""The service's side of the gate: starts the process that listens, exchanges messages with it, kills it.

Any thread may send; one thread receives.
"""

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from typing import Final, NamedTuple

from daemon.processes.worker_process import SOURCES
from daemon.remote_workers.gate import AUTHORITY_BELOW, BUFFERED_BYTES, HEADER, FromGate, ToGate
from daemon.remote_workers.wire import MOST_BYTES_FROM_WORKER

RECEIVED_BYTES: Final = 2**18
# A gate that accepts no data for this long hangs.
SEND_LIMIT_S: Final = 10.0
END_WAIT_S: Final = 5.0


class GateDied(Exception):
    """The process has ended, hangs, or has sent an impossible message."""


class GateMessage(NamedTuple):
    what: FromGate
    connection: int
    payload: bytes


class GateProcess:
    """A process that runs daemon.remote_workers.gate on a socket that listens. Raises OSError if it cannot start."""

    def __init__(self, listening: socket.socket, authority: bytes, service: bytes) -> None:
        """The certificates are in PEM; that of the service is followed by its key. They reach the process through
        memory, not through a file that it could open."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            # Large enough for a batch with its views; otherwise each part of it would wake a process.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFERED_BYTES)
        self._end = ours
        self._end.settimeout(SEND_LIMIT_S)
        self._received = bytearray()
        self._sending = threading.Lock()
        certificates = os.memfd_create("certificates", os.MFD_CLOEXEC)
        try:
            os.write(certificates, service + AUTHORITY_BELOW + authority)
            passed = (theirs.fileno(), listening.fileno(), certificates)
            arguments = ", ".join(map(str, (*passed, os.getpid())))
            code = f"from daemon.remote_workers.gate import serve; serve({arguments})"
            places = os.pathsep.join([str(SOURCES), *filter(None, sys.path)])
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-P", "-c", code],
                pass_fds=passed,
                # Nothing of our environment is passed on, since it may contain a token.
                env={"PYTHONPATH": places},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(certificates)
        self._readable = select.poll()
        self._readable.register(self._end, select.POLLIN)

    def send(self, what: ToGate, connection: int = 0, payload: bytes = b"") -> None:
        """Send a message. Raises GateDied."""
        try:
            with self._sending:
                self._end.sendall(HEADER.pack(len(payload), what, connection) + payload)
        except OSError as error:
            raise GateDied(f"it takes nothing: {error}") from error

    def receive(self, limit_s: float) -> list[GateMessage]:
        """The messages received; waits until the limit if there are none. Raises GateDied."""
        if not self._readable.poll(limit_s * 1000):
            return []
        try:
            piece = self._end.recv(RECEIVED_BYTES)
        except OSError as error:
            raise GateDied(f"it says nothing: {error}") from error
        if not piece:
            raise GateDied("it ended")
        self._received += piece
        return self._split()

    def kill(self) -> None:
        """Kill the process, and with it all connections, whatever it is doing."""
        self.process.kill()
        self._end.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_WAIT_S)

    def _split(self) -> list[GateMessage]:
        messages, start = [], 0
        while len(self._received) >= start + HEADER.size:
            length, what, connection = HEADER.unpack_from(self._received, start)
            if length > MOST_BYTES_FROM_WORKER or what not in FromGate.__members__.values():
                raise GateDied("it says what no gate says")
            end = start + HEADER.size + length
            if len(self._received) < end:
                break
            messages.append(GateMessage(FromGate(what), connection, bytes(self._received[start + HEADER.size : end])))
            start = end
        del self._received[:start]
        return messages
