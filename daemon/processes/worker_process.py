"""The parent's side of one worker process: start, send, receive, kill. Used by one thread only."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from daemon.processes.channel import Channel
from daemon.processes.fork_server import ForkedProcess, ForkServer
from daemon.processes.worker import SINGLE_THREADED
from index import operating_system
from index.messages import Message, text

SOURCES: Final = Path(__file__).parents[2]
START_LIMIT_S: Final = 60.0
# A killed process ends at once, unless it waits for a disk or a server that does not respond.
END_WAIT_S: Final = 2.0


class WorkerDied(Exception):
    """The process has ended; `message` says how."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class WorkerProcess:
    """A process that runs daemon.processes.worker, ready: forked if there is a fork server. Raises WorkerDied and
    OSError if it cannot be started."""

    def __init__(self, memory_bytes: int, forks: ForkServer | None = None) -> None:
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        try:
            self._process = _started(theirs, memory_bytes, forks)
        except BaseException:
            self._channel.close()
            raise
        finally:
            theirs.close()
        self._readable = selectors.DefaultSelector()
        self._readable.register(self._channel, selectors.EVENT_READ)
        if not self.receive(START_LIMIT_S):
            self.kill()
            raise WorkerDied(Message("worker.not_ready", seconds=START_LIMIT_S))

    def send(self, *messages: bytes) -> None:
        """Raises WorkerDied."""
        try:
            self._channel.send(*messages)
        except OSError:
            raise WorkerDied(self._end()) from None

    def receive(self, limit_s: float) -> list[bytes]:
        """Every message that has arrived; waits for one until the limit. Raises WorkerDied."""
        if not self._readable.select(limit_s):
            return []
        try:
            return self._channel.receive()
        except EOFError:
            raise WorkerDied(self._end()) from None

    def kill(self) -> None:
        """Kill it now, whatever it does."""
        self._process.kill()
        self._end()

    def release(self) -> None:
        """End it when its tasks are done."""
        self._end()

    def _end(self) -> Message:
        """Close the connection, which ends the process unless it hangs; how it ended."""
        self._readable.close()
        self._channel.close()
        for last in (False, True):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(END_WAIT_S)
                return text(signal.Signals(-code).name) if code < 0 else Message("worker.exit_code", exit_code=code)
            if not last:
                self._process.kill()
        # subprocess remembers it and reaps it when the next process is started.
        return Message("worker.unkillable")


def _started(
    end: socket.socket, memory_bytes: int, forks: ForkServer | None
) -> "ForkedProcess | subprocess.Popen[bytes]":
    """A process that serves this end of a channel."""
    if forks is not None:
        # If the server was lost, a process is started without it.
        with contextlib.suppress(OSError):
            return forks.start(end, memory_bytes)
    arguments = f"{end.fileno()}, {memory_bytes}, {os.getpid()}"
    # sys.path is passed on instead of the site module, which takes as long as the rest of the start.
    places = os.pathsep.join([str(SOURCES), *filter(None, sys.path)])
    # What libtiff and others write about every odd file is dropped; real failures come as answers.
    return operating_system.start_python(
        f"from daemon.processes.worker import serve; serve({arguments})",
        end,
        {**os.environ, **SINGLE_THREADED, "PYTHONPATH": places},
    )
