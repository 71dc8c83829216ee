"""A lender on a free port, and workers as processes of their own, for the tests of lent work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from daemon.remote_workers.inviting import invite
from daemon.remote_workers.lendable import WORKS
from daemon.remote_workers.lender import Lender
from daemon.remote_workers.roster import Roster

TOP = Path(__file__).parents[2]
WAIT_S = 30.0
JOIN = "from daemon.remote_workers.join import main; main()"


def wait_for(condition: Callable[[], Any], limit_s: float = WAIT_S) -> Any:
    """What the condition gives once that is true."""
    end_s = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(0.02)
    return value


class Workers:
    """Processes that join, ended by `close`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def join(
        self, name: str, *options: str, code: str = JOIN, before: Callable[[], Any] | None = None
    ) -> subprocess.Popen[str]:
        log = open(self._folder / f"{name}.log", "a", encoding="utf-8")  # noqa: SIM115
        places = os.pathsep.join([str(TOP), str(TOP / "tests")])
        with log:
            process = subprocess.Popen(
                [sys.executable, "-c", code, "join", str(self._folder / f"{name}.worker"), *options],
                stdout=log,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": places},
                preexec_fn=before,  # noqa: PLW1509 - it sets a limit, and takes no lock
            )
        self.processes[name] = process
        return process

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text("utf-8")

    def end(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()

    def close(self) -> None:
        for name in list(self.processes):
            self.end(name)


class Lending:
    """A pool that lends, with those it lends to."""

    def __init__(self, folder: Path, pool: WorkerPool, lend: Sequence[str] = tuple(WORKS)) -> None:
        self.folder = folder
        self.pool = pool
        self.roster = Roster(folder / "data")
        self.lender = Lender(("127.0.0.1", 0), lend, self.roster, pool.limits, [pool.queue])
        self.workers = Workers(folder)
        self._started = False

    def start(self, *names: str, processes: int = 1) -> None:
        """Invite and connect workers of these names."""
        # The port is known when the lender listens, which it does once someone is invited.
        for name in names:
            self.invite(name)
        for name in names:
            self.workers.join(name, "--processes", str(processes))
        wait_for(lambda: set(names) <= self.connected())

    def invite(self, name: str) -> Path:
        target = self.folder / f"{name}.worker"
        if not self._started:
            # For its port, which is not known before.
            invite(self.roster, "unused", "127.0.0.1", 1, self.folder / "unused.worker")
            self._started = True
            self.lender.start()
            wait_for(lambda: self.lender.status().listening)
        port = int(self.lender.status().address.rpartition(":")[2])
        invite(self.roster, name, "127.0.0.1", port, target)
        return target

    def connected(self) -> set[str]:
        return {worker.name for worker in self.lender.status().workers if worker.connected_ns is not None}

    def close(self) -> None:
        self.workers.close()
        if self._started:
            self.lender.stop()
        self.pool.close()


def lending(folder: Path, count: int = 1, time_limit_s: float = 20) -> Lending:
    return Lending(folder, WorkerPool(count, WorkerLimits(time_limit_s, 2 * 2**30)))
