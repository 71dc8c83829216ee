"""The pool of worker processes: a crash, a hang or a decompression bomb fails only the file that caused it.

Each process has a thread (comparimg-worker-N) that sends it tasks, a little ahead so that it never waits, and that
kills and replaces it when an answer is overdue. The task at which a process died is tried once more in another, since
the process may have been killed from outside; the tasks after it go to another process. If a process died that may have
been doing several together, none of them is blamed: each is done again, alone. Any thread may use the pool.
"""

import itertools
import logging
import math
import pickle
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from daemon.processes.fork_server import ForkServer
from daemon.processes.task_queue import Item, Outcome, Run, Task, TaskQueue, Value, WorkersUnavailable
from daemon.processes.worker import TOGETHER_AT_MOST, Answer, is_staged
from daemon.processes.worker_process import WorkerDied, WorkerProcess
from index.errors import PictureError

__all__ = ["Outcome", "WorkerLimits", "WorkerPool", "WorkersUnavailable"]

log = logging.getLogger(__name__)

# A process gets tasks for about this time ahead. Waking a thread for each answer of a 1 ms task costs as much as the
# task: so if more than twice GATHER_S of work is pending, and several answers come in that time, it waits for them.
AHEAD_S: Final = 0.08
GATHER_S: Final = 0.01
AHEAD_AT_MOST: Final = 32
# The most unread bytes in the socket: less than its buffer, so that sending to a process that hangs does not block.
AHEAD_BYTES: Final = 2**16
# How often a waiting thread checks whether the pool was closed.
CHECK_S: Final = 0.2
# A process without work for this long is ended, which frees its memory.
IDLE_S: Final = 300.0
# Pauses between attempts to start a process: a machine may be out of memory or process ids for a moment.
START_PAUSES_S: Final = (0.2, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """The limits for one file: seconds of wall time and bytes of address space."""

    time_limit_s: float = 60.0
    memory_bytes: int = 4 * 2**30


class WorkerPool:
    """`count` processes, started when first needed and ended when idle."""

    def __init__(self, count: int, limits: WorkerLimits, forks: ForkServer | None = None) -> None:
        """The processes are forked from `forks` if it is given."""
        self.count = count
        self.limits = limits
        self.queue = TaskQueue(count)
        self._forks = forks
        # Guarded by the queue's `changed`.
        self._threads: list[threading.Thread] = []
        self._losses: Counter[str] = Counter()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self,
        function: Callable[[Item], Value],
        items: Iterable[Item],
        lane: Callable[[Item], int] | None = None,
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Apply a module-level function to every item, in completion order. Items are taken only as needed; closing
        the generator leaves the rest undone. Items of one `lane` go to one process, which may keep what they have in
        common, as long as it has the time for them. Raises WorkersUnavailable."""
        run = Run()
        waiting = iter(items)
        under_way = 0
        try:
            while True:
                look_ahead = 2 * AHEAD_AT_MOST * self.queue.hands
                if under_way <= look_ahead // 2:
                    tasks = [
                        run.task(function, item, None if lane is None else lane(item) % self.count)
                        for item in itertools.islice(waiting, look_ahead - under_way)
                    ]
                    self._put(tasks)
                    under_way += len(tasks)
                if not under_way:
                    return
                outcomes = run.next()
                under_way -= len(outcomes)
                yield from outcomes
        finally:
            self.queue.abandon(run)

    def call(self, function: Callable[[Item], Value], item: Item) -> Value:
        """Apply a function to one item before all waiting tasks, on this machine. Raises PictureError and
        WorkersUnavailable."""
        run = Run()
        try:
            self._put([run.task(function, item, home=True)], urgent=True)
            (outcome,) = run.next()
        finally:
            self.queue.abandon(run)
        if outcome.failure is not None:
            raise outcome.failure
        return cast(Value, outcome.value)

    @property
    def alive(self) -> bool:
        """Whether new tasks will be done: the pool is open, and every thread that was started is running."""
        return self.queue.ended is None and all(thread.is_alive() for thread in self._threads)

    @property
    def losses(self) -> Mapping[str, int]:
        """The number of processes lost, by reason."""
        with self.queue.changed:
            return dict(self._losses)

    def close(self) -> None:
        """End the processes. Callers that wait for outcomes get WorkersUnavailable."""
        self.queue.end(WorkersUnavailable("workers.stopped"))
        for thread in self._threads:
            thread.join()

    def _put(self, tasks: Sequence[Task], urgent: bool = False) -> None:
        with self.queue.changed:
            self.queue.put(tasks, urgent)
            while len(self._threads) < self.count:
                number = len(self._threads)
                thread = threading.Thread(target=self._feed, args=(number,), name=f"comparimg-worker-{number}")
                # One that is known and does not run yet would count as dead.
                thread.start()
                self._threads.append(thread)

    # In the threads of the processes

    def _feed(self, number: int) -> None:
        handle = _WorkerHandle(self.limits, number, self._forks)
        try:
            while (tasks := self._take(handle)) is not None:
                if tasks or handle.sent:
                    self._advance(handle, tasks)
                else:
                    handle.release()
        except Exception as error:
            foreseen = isinstance(error, WorkersUnavailable | OSError | WorkerDied)
            log.error("nothing can be decoded: %s", error, exc_info=not foreseen)
            self.queue.end(WorkersUnavailable("workers.unusable", error=error))
        finally:
            handle.kill()

    def _take(self, handle: "_WorkerHandle") -> list[Task] | None:
        """The tasks to send next; waits while there is nothing to do. Empty after IDLE_S without tasks, None if the
        pool is closed."""
        return self.queue.take(lambda: self._pick(handle), lambda: bool(handle.sent), IDLE_S)

    def _pick(self, handle: "_WorkerHandle") -> list[Task]:
        tasks = self.queue.tasks
        # No more than a fair share: a process must not hold tasks that another could start.
        room = min(handle.ahead - len(handle.sent), math.ceil(len(tasks) / self.queue.hands))
        room_bytes = AHEAD_BYTES - sum(len(task.message) for task in handle.sent)
        picked: list[Task] = []
        while tasks and len(picked) < room:
            place = self._next_of(handle.lane)
            task = tasks[place]
            room_bytes -= len(task.message)
            if room_bytes < 0 and (picked or handle.sent):
                break
            del tasks[place]
            if task.run.wanted:
                picked.append(task)
        return picked

    def _next_of(self, lane: int) -> int:
        """The place of the next task for a process: that of its lane if there is one, else the first."""
        for place, task in enumerate(self.queue.tasks):
            if task.lane is None or task.lane == lane:
                return place
        return 0

    def _advance(self, handle: "_WorkerHandle", tasks: list[Task]) -> None:
        """Send tasks and receive the outcomes of pending ones."""
        try:
            handle.send(tasks)
            done = handle.receive()
        except _WorkerLost as lost:
            log.warning("a decoding process was lost: %s", lost.failure.message)
            undone = handle.unfinished()
            together = _done_together(undone)
            culprit, *others = undone
            done = []
            if len(together) > 1:
                # None of them is suspected more than the others: one that is the cause ends the next process as well.
                for task in together:
                    task.isolate()
                others = undone
            elif culprit.tried or not lost.may_be_chance:
                done.append((culprit, Outcome(culprit.item, None, lost.failure)))
            else:
                culprit.tried = True
                others.insert(0, culprit)
            with self.queue.changed:
                self._losses[lost.failure.reason] += 1
            self.queue.put_back(others)
        self.queue.finish(done)


class _WorkerLost(Exception):
    """The process was killed or died; `may_be_chance` if its current task is not necessarily the cause."""

    def __init__(self, failure: PictureError, may_be_chance: bool) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.may_be_chance = may_be_chance


class _WorkerHandle:
    """One process, the lane of the tasks that it gets first, its pending tasks, and how many of those there may be."""

    def __init__(self, limits: WorkerLimits, lane: int, forks: ForkServer | None = None) -> None:
        self.lane = lane
        self.sent: deque[Task] = deque()
        self.ahead = 1
        self._pace_s = AHEAD_S
        self._limits = limits
        self._forks = forks
        self._process: WorkerProcess | None = None
        self._since_s = 0.0

    def send(self, tasks: Sequence[Task]) -> None:
        """Send tasks to the process, started if there is none. Raises _WorkerLost and WorkersUnavailable."""
        child = self._process = self._process or self._start()
        if not self.sent:
            self._since_s = time.monotonic()
        self.sent.extend(tasks)
        try:
            if tasks:
                child.send(*(task.message for task in tasks))
        except WorkerDied as death:
            raise _crash(death) from death

    def receive(self) -> list[tuple[Task, Outcome[Any, Any]]]:
        """The tasks that were answered; none after CHECK_S. Raises _WorkerLost and WorkersUnavailable."""
        assert self._process is not None
        if self._pace_s < GATHER_S and len(self.sent) * self._pace_s > 2 * GATHER_S:
            time.sleep(GATHER_S)
        try:
            answers = self._process.receive(CHECK_S)
        except WorkerDied as death:
            raise _crash(death) from death
        now_s = time.monotonic()
        took_s, limit_s = now_s - self._since_s, self._limits.time_limit_s
        if answers:
            self._since_s = now_s
            self._pace_s = max(took_s / len(answers), AHEAD_S / AHEAD_AT_MOST)
            self.ahead = math.ceil(AHEAD_S / self._pace_s)
        elif took_s > limit_s:
            self.kill()
            failure = PictureError("timed_out", "picture.timed_out", seconds=limit_s)
            raise _WorkerLost(failure, may_be_chance=False)
        return [self._parse_answer(answer) for answer in answers]

    def unfinished(self) -> list[Task]:
        """The pending tasks of a lost process."""
        undone = list(self.sent)
        self.sent.clear()
        self._process = None
        self.ahead, self._pace_s = 1, AHEAD_S
        return undone

    def release(self) -> None:
        if self._process is not None:
            self._process.release()
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _parse_answer(self, answer: bytes) -> tuple[Task, Outcome[Any, Any]]:
        kind, payload = pickle.loads(answer)
        if kind == Answer.UNUSABLE:
            raise WorkersUnavailable("workers.unusable", error=payload)
        task = self.sent.popleft()
        if kind == Answer.DONE:
            return task, Outcome(task.item, payload)
        return task, Outcome(task.item, None, PictureError(*payload))

    def _start(self) -> WorkerProcess:
        for pause_s in START_PAUSES_S:
            try:
                return WorkerProcess(self._limits.memory_bytes, self._forks)
            except (OSError, WorkerDied) as error:
                log.warning("a decoding process cannot be started: %s", error)
                time.sleep(pause_s)
        return WorkerProcess(self._limits.memory_bytes, self._forks)


def _done_together(undone: Sequence[Task]) -> list[Task]:
    """Those of the tasks of a lost process that it may have been doing."""
    joined = itertools.takewhile(lambda task: is_staged(task.function) and not task.alone, undone)
    return list(itertools.islice(joined, TOGETHER_AT_MOST))


def _crash(death: WorkerDied) -> _WorkerLost:
    return _WorkerLost(PictureError("crashed", "picture.decoder_crashed", cause=death.message), may_be_chance=True)
