"""One decoding process as its feeder sees it: started, sent tasks, waited for, killed. Used by one thread only."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from daemon.processes.channel import Channel

SOURCES: Final = Path(__file__).parents[2]
START_LIMIT_S: Final = 60.0
# A killed process ends at once, unless it waits for a disk or a server that does not answer.
END_WAIT_S: Final = 2.0
# One thread each: the processes are the parallelism, and threads of BLAS or oxipng would fight over the same cores.
THREAD_COUNTS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
SINGLE_THREADED: Final = dict.fromkeys(THREAD_COUNTS, "1")


class Died(Exception):
    """The process is gone; the message says what ended it."""


class Child:
    """A process that runs daemon.processes.worker, ready. Raises Died and OSError where it cannot be had."""

    def __init__(self, memory_bytes: int) -> None:
        ours, theirs = socket.socketpair()
        arguments = f"{theirs.fileno()}, {memory_bytes}, {os.getpid()}"
        # Not by site's way to the packages, which takes as long as all the rest of a start.
        python = [sys.executable, "-S", "-P", "-c", f"from daemon.processes.worker import serve; serve({arguments})"]
        places = os.pathsep.join([str(SOURCES), *filter(None, sys.path)])
        self._channel = Channel(ours)
        try:
            self._process = subprocess.Popen(
                python,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **SINGLE_THREADED, "PYTHONPATH": places},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # libtiff and others complain here about every odd file; what matters comes as an answer.
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._channel.close()
            raise
        finally:
            theirs.close()
        self._readable = select.poll()
        self._readable.register(self._channel, select.POLLIN)
        if not self.receive(START_LIMIT_S):
            self.kill()
            raise Died(f"was not ready after {START_LIMIT_S:g} seconds")

    def send(self, message: bytes) -> None:
        """Raises Died."""
        try:
            self._channel.send(message)
        except OSError:
            raise Died(self._end()) from None

    def receive(self, limit_s: float) -> list[bytes]:
        """Every message that has come; waits for one until the limit. Raises Died."""
        if not self._readable.poll(limit_s * 1000):
            return []
        try:
            return self._channel.receive()
        except EOFError:
            raise Died(self._end()) from None

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._process.kill()
        self._end()

    def let_go(self) -> None:
        """End it when it has done what it was sent."""
        self._end()

    def _end(self) -> str:
        """Close the connection, which ends the process unless it hangs; what ended it."""
        self._channel.close()
        for last in (False, True):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(END_WAIT_S)
                return signal.Signals(-code).name if code < 0 else f"exit code {code}"
            if not last:
                self._process.kill()
        # subprocess keeps it in mind and waits for it when the next process is started.
        return "it cannot be ended: its disk or server does not answer"
