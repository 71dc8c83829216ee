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
from index import operating_system
from index.messages import Message, text

SOURCES: Final = Path(__file__).parents[2]
START_LIMIT_S: Final = 60.0
# A killed process ends at once, unless it waits for a disk or a server that does not respond.
END_WAIT_S: Final = 2.0
# One thread each: the processes are the parallelism, and threads of BLAS, OpenCV or oxipng would fight over the same
# cores.
THREAD_COUNTS: Final = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "OPENCV_FOR_THREADS_NUM",
)  # fmt: skip
SINGLE_THREADED: Final = dict.fromkeys(THREAD_COUNTS, "1")


class WorkerDied(Exception):
    """The process has ended; `message` says how."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class WorkerProcess:
    """A process that runs daemon.processes.worker, ready. Raises WorkerDied and OSError if it cannot be started."""

    def __init__(self, memory_bytes: int) -> None:
        ours, theirs = socket.socketpair()
        arguments = f"{theirs.fileno()}, {memory_bytes}, {os.getpid()}"
        # sys.path is passed on instead of the site module, which takes as long as the rest of the start.
        places = os.pathsep.join([str(SOURCES), *filter(None, sys.path)])
        self._channel = Channel(ours)
        try:
            # What libtiff and others write about every odd file is dropped; real failures come as answers.
            self._process = operating_system.start_python(
                f"from daemon.processes.worker import serve; serve({arguments})",
                theirs,
                {**os.environ, **SINGLE_THREADED, "PYTHONPATH": places},
            )
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
