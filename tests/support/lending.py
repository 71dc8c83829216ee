"""A lender on a free port, and workers as processes of their own, for the tests of lent work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from daemon.processes.task_queue import Task
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from daemon.remote_workers.invitation import Invitation, read
from daemon.remote_workers.inviting import invite
from daemon.remote_workers.lendable import WORKS
from daemon.remote_workers.lender import Lender
from daemon.remote_workers.roster import Roster

TOP = Path(__file__).parents[2]
WAIT_S = 60.0
JOIN = "from daemon.remote_workers.join import main; main()"


def wait_for(condition: Callable[[], Any], limit_s: float = WAIT_S) -> Any:
    """What the condition gives once that is true."""
    end_s = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(0.02)
    return value


class HeldBack(WorkerPool):
    """A pool whose own processes leave to others what can be lent."""

    def _pick(self, handle: Any) -> list[Task]:
        tasks = self.queue.tasks
        lendable = [task for task in tasks if not task.home]
        at_home = [task for task in tasks if task.home]
        tasks.clear()
        tasks.extend(at_home)
        picked = super()._pick(handle)
        tasks.extend(lendable)
        return picked


class Lending:
    """A pool that lends, with those it lends to, each a process that joins."""

    def __init__(self, folder: Path, pool: WorkerPool, lend: Sequence[str] | None = None, code: str = JOIN) -> None:
        self.folder = folder
        self.pool = pool
        self.roster = Roster(folder / "data")
        self.lender = Lender(
            ("127.0.0.1", 0), tuple(WORKS) if lend is None else lend, self.roster, pool.limits, [pool.queue]
        )
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._code = code
        self._started = False

    @property
    def port(self) -> int:
        """That of the lender, which listens from now on: it does once someone is invited."""
        if not self._started:
            self._started = True
            invite(self.roster, "unused", "127.0.0.1", 1, self.folder / "unused.worker")
            self.lender.start()
            wait_for(lambda: self.lender.status().listening)
        return int(self.lender.status().address.rpartition(":")[2])

    def start(self, *names: str, processes: int = 1) -> None:
        """Invite workers of these names, and wait until they are connected."""
        for name in names:
            self.invite(name)
            self.join(name, "--processes", str(processes))
        self.wait_for(*names)

    def invite(self, name: str) -> Invitation:
        target = self.folder / f"{name}.worker"
        invite(self.roster, name, "127.0.0.1", self.port, target)
        return read(target)

    def join(self, name: str, *options: str, before: Callable[[], Any] | None = None, code: str | None = None) -> None:
        with (self.folder / f"{name}.log").open("a", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", code or self._code, "join", str(self.folder / f"{name}.worker"), *options],
                stdout=log,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOP), str(TOP / "tests")])},
                preexec_fn=before,  # noqa: PLW1509 - it sets a limit, and takes no lock
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8")

    def signal(self, name: str, number: int) -> None:
        self.processes[name].send_signal(number)

    def wait_for(self, *names: str) -> None:
        """Until these are connected and no others."""
        wait_for(lambda: self.connected() == set(names))

    def connected(self) -> set[str]:
        return {worker.name for worker in self.lender.status().workers if worker.connected_ns is not None}

    def done(self) -> dict[str, int]:
        """How much each worker has done."""
        return {worker.name: sum(worker.done.values()) for worker in self.lender.status().workers if worker.done}

    def away(self, name: str) -> int:
        """How many tasks a worker has."""
        return sum(worker.away for worker in self.lender.status().workers if worker.name == name)

    def came_home(self) -> int:
        return sum(worker.came_home for worker in self.lender.status().workers)

    def problem(self, name: str) -> str:
        """The code of why a worker is not connected."""
        (worker,) = (worker for worker in self.lender.status().workers if worker.name == name)
        return worker.problem.code if worker.problem else ""

    def close(self) -> None:
        if self._started:
            self.lender.stop()
        self.pool.close()
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def limits(time_limit_s: float = 20) -> WorkerLimits:
    return WorkerLimits(time_limit_s, 2 * 2**30)
