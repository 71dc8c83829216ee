"""Killable processes that decode: a crash, a hang or a bomb costs the one file that caused it.

Each process has a thread that feeds it (comparimg-worker-N), a few tasks ahead so that it never waits, and that kills
and replaces it when an answer is overdue. The task it was at is the culprit; those behind it go to the next process.
Any thread may use the pool.
"""

import itertools
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from index.errors import ComparImgError, PictureError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Value = TypeVar("Value")

# Tasks in the pipe of one process: enough that a 3 ms decode never waits for the parent.
AHEAD = 6
CLOSE_WAIT_S = 2.0
# How soon a pool that is closed in the middle of a decode is seen to be.
CLOSE_LOOK_S = 0.2
SOURCES = Path(__file__).parents[1]
# One thread each: the processes are the parallelism, and BLAS threads would fight over the same cores.
SINGLE_THREADED = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What one file may cost: seconds of wall time and bytes of address space."""

    time_limit_s: float = 60.0
    memory_bytes: int = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Value]):
    """One task's end: a value, or the failure that took its place."""

    item: Item
    value: Value | None
    failure: PictureError | None = None


@dataclass(slots=True)
class _Task:
    function: Callable[[Any], Any]
    item: Any
    answers: "queue.SimpleQueue[Outcome[Any, Any]]"
    run: "_Run"


@dataclass(slots=True)
class _Run:
    wanted: bool = True


class WorkerPool:
    """`count` processes, started when first needed."""

    def __init__(self, count: int, limits: WorkerLimits) -> None:
        self.count = count
        self._limits = limits
        self._tasks: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, function: Callable[[Item], Value], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Apply a module-level function to every item, in completion order. Items are taken only as needed; closing
        the iterator leaves the rest undone."""
        answers: queue.SimpleQueue[Outcome[Any, Any]] = queue.SimpleQueue()
        run = _Run()
        waiting = iter(items)
        under_way = 0
        try:
            while True:
                for item in itertools.islice(waiting, 2 * AHEAD * self.count - under_way):
                    self._put(_Task(function, item, answers, run), urgent=False)
                    under_way += 1
                if not under_way:
                    return
                yield answers.get()
                under_way -= 1
        finally:
            run.wanted = False

    def call(self, function: Callable[[Item], Value], item: Item) -> Value:
        """Apply a function to one item before anything that waits. Raises PictureError."""
        answers: queue.SimpleQueue[Outcome[Any, Any]] = queue.SimpleQueue()
        self._put(_Task(function, item, answers, _Run()), urgent=True)
        outcome = answers.get()
        if outcome.failure is not None:
            raise outcome.failure
        return cast(Value, outcome.value)

    @property
    def alive(self) -> bool:
        """Whether every feeding thread that was started still is."""
        return not self._closed and all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """End the processes. Tasks that nobody started are answered as failures."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        while self._tasks:
            _fail(self._tasks.popleft(), "crashed", "the service is stopping")

    def _put(self, task: _Task, urgent: bool) -> None:
        with self._changed:
            if self._closed:
                raise ComparImgError("The worker processes are stopped.")
            if urgent:
                self._tasks.appendleft(task)
            else:
                self._tasks.append(task)
            if not self._threads:
                self._start()
            self._changed.notify()

    def _start(self) -> None:
        for number in range(self.count):
            thread = threading.Thread(target=self._feed, name=f"comparimg-worker-{number}")
            self._threads.append(thread)
            thread.start()

    def _take(self, wait: bool) -> _Task | None:
        with self._changed:
            while True:
                while self._tasks:
                    task = self._tasks.popleft()
                    if task.run.wanted:
                        return task
                if not wait or self._closed:
                    return None
                self._changed.wait()

    def _feed(self) -> None:
        process: _Process | None = None
        try:
            while (task := self._take(wait=True)) is not None:
                process = process or _Process(self._limits)
                process = self._drive(process, task)
        finally:
            if process is not None:
                process.end()

    def _drive(self, process: "_Process", first: _Task) -> "_Process | None":
        """Keep one process busy until nothing waits; None when it is gone."""
        sent: deque[_Task] = deque()
        upcoming: _Task | None = first
        while True:
            while upcoming is not None:
                if not process.send(upcoming.function, upcoming.item):
                    # It died before this task reached it, so this task is not to blame.
                    self._put_back([upcoming])
                    break
                sent.append(upcoming)
                upcoming = self._take(wait=False) if len(sent) < AHEAD else None
            if not sent:
                process.end()
                return None
            answer = process.receive(self._limits.time_limit_s, lambda: self._closed)
            if answer is None:
                self._put_back(list(sent))
                return None
            culprit = sent.popleft()
            culprit.answers.put(_outcome(culprit, answer))
            if isinstance(answer, PictureError):
                self._put_back(list(sent))
                return None
            upcoming = self._take(wait=False)
            if upcoming is None and not sent:
                return process

    def _put_back(self, tasks: list[_Task]) -> None:
        with self._changed:
            self._tasks.extendleft(reversed(tasks))
            self._changed.notify_all()


def _outcome(task: _Task, answer: tuple[bool, Any] | PictureError) -> Outcome[Any, Any]:
    if isinstance(answer, PictureError):
        return Outcome(task.item, None, answer)
    good, value = answer
    return Outcome(task.item, value) if good else Outcome(task.item, None, PictureError(*value))


def _fail(task: _Task, reason: str, message: str) -> None:
    task.answers.put(Outcome(task.item, None, PictureError(reason, message)))


class _Process:
    """One child and the connection to it. Used by the thread that made it only."""

    def __init__(self, limits: WorkerLimits) -> None:
        ours, theirs = socket.socketpair()
        command = f"from daemon.worker import serve; serve({theirs.fileno()}, {limits.memory_bytes}, {os.getpid()})"
        self._child = subprocess.Popen(
            [sys.executable, "-c", command],
            pass_fds=(theirs.fileno(),),
            env={**os.environ, **SINGLE_THREADED, "PYTHONPATH": os.pathsep.join([str(SOURCES), *sys.path])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # libtiff and others complain here about every odd file; what matters comes as an answer.
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._connection = Connection(ours.detach())

    def send(self, function: Callable[[Any], Any], item: Any) -> bool:
        """Hand over a task; False when the process is gone."""
        try:
            self._connection.send((function, item))
        except (BrokenPipeError, ConnectionError):
            return False
        return True

    def receive(
        self, time_limit_s: float, closing: Callable[[], bool]
    ) -> tuple[bool, Any] | PictureError | None:
        """The next answer. Where none came in time or ever, the process is killed and the error says why; where the
        pool is closed meanwhile, it is killed and there is nothing to say."""
        overdue_s = time.monotonic() + time_limit_s
        try:
            while not self._connection.poll(CLOSE_LOOK_S):
                if closing():
                    self._kill()
                    return None
                if time.monotonic() > overdue_s:
                    self._kill()
                    return PictureError("timed_out", f"took longer than {time_limit_s:g} seconds to decode")
            answer: tuple[bool, Any] = self._connection.recv()
        except (EOFError, ConnectionError):
            return self._cause()
        return answer

    def _cause(self) -> PictureError:
        """Why a process that went away did."""
        try:
            code = self._child.wait(CLOSE_WAIT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            code = self._child.wait()
        self._connection.close()
        ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return PictureError("crashed", f"the decoder crashed ({ended})")

    def _kill(self) -> None:
        self._child.kill()
        self._child.wait()
        self._connection.close()

    def end(self) -> None:
        self._connection.close()
        try:
            self._child.wait(CLOSE_WAIT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
