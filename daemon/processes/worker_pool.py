"""Killable processes that decode: a crash, a hang or a bomb costs the one file that caused it.

Each process has a thread that feeds it (comparimg-worker-N), a little ahead so that it never waits, and that kills and
replaces it when an answer is overdue. The task that a process died of is tried once more in another, since it may have
been killed from outside; those behind it go on to the next. Any thread may use the pool.
"""

import itertools
import logging
import math
import pickle
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from daemon.processes.child import Child, Died
from daemon.processes.worker import Answer
from index.errors import ComparImgError, PictureError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Value = TypeVar("Value")

# A process is sent work for about so long ahead. A thread that is woken for each answer of a 1 ms task costs as much
# as the task: where more work than that is under way, answers are left to gather.
AHEAD_S: Final = 0.03
GATHER_S: Final = 0.01
AHEAD_AT_MOST: Final = 32
# What may lie in the socket unread: less than it holds, so that feeding a process that hangs does not hang.
AHEAD_BYTES: Final = 2**16
# How soon a pool that is closed in the middle of a decode is seen to be.
LOOK_S: Final = 0.2
# A process without work is let go, and its memory with it.
IDLE_S: Final = 300.0
# Between attempts to start a process: a machine may be out of memory or process numbers for a moment.
START_PAUSES_S: Final = (0.2, 1.0, 5.0)


class WorkersUnavailable(ComparImgError):
    """Nothing can be decoded, whatever the file: the pool is closed, or its processes cannot be started."""


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


@dataclass(slots=True, eq=False)
class _Run:
    """One caller's tasks: `ends` brings outcomes as they come, or why there will be no more."""

    ends: "queue.SimpleQueue[list[Outcome[Any, Any]] | WorkersUnavailable]" = field(default_factory=queue.SimpleQueue)
    wanted: bool = True

    def task(self, function: Callable[[Any], Any], item: Any) -> "_Task":
        return _Task(self, item, pickle.dumps((function, item), pickle.HIGHEST_PROTOCOL))

    def next(self) -> list[Outcome[Any, Any]]:
        ended = self.ends.get()
        if isinstance(ended, WorkersUnavailable):
            raise ended
        return ended


@dataclass(slots=True, eq=False)
class _Task:
    run: _Run
    item: Any
    message: bytes
    tried: bool = False


class WorkerPool:
    """`count` processes, started when first needed and let go when idle."""

    def __init__(self, count: int, limits: WorkerLimits) -> None:
        self.count = count
        self._limits = limits
        self._changed = threading.Condition()
        # These are touched under _changed only.
        self._tasks: deque[_Task] = deque()
        self._runs: set[_Run] = set()
        self._ended: WorkersUnavailable | None = None
        self._threads: list[threading.Thread] = []
        self._losses: Counter[str] = Counter()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, function: Callable[[Item], Value], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Apply a module-level function to every item, in completion order. Items are taken only as needed; closing
        the generator leaves the rest undone. Raises WorkersUnavailable."""
        run = _Run()
        waiting = iter(items)
        look_ahead = 2 * AHEAD_AT_MOST * self.count
        under_way = 0
        try:
            while True:
                if under_way <= look_ahead // 2:
                    some = [run.task(function, item) for item in itertools.islice(waiting, look_ahead - under_way)]
                    self._put(some)
                    under_way += len(some)
                if not under_way:
                    return
                outcomes = run.next()
                under_way -= len(outcomes)
                yield from outcomes
        finally:
            self._forget(run)

    def call(self, function: Callable[[Item], Value], item: Item) -> Value:
        """Apply a function to one item before anything that waits. Raises PictureError and WorkersUnavailable."""
        run = _Run()
        try:
            self._put([run.task(function, item)], urgent=True)
            (outcome,) = run.next()
        finally:
            self._forget(run)
        if outcome.failure is not None:
            raise outcome.failure
        return cast(Value, outcome.value)

    @property
    def alive(self) -> bool:
        """Whether what is given will be done: the pool is open, and so is every feeding thread that was started."""
        return self._ended is None and all(thread.is_alive() for thread in self._threads)

    @property
    def losses(self) -> Mapping[str, int]:
        """How many processes were lost, by the reason."""
        with self._changed:
            return dict(self._losses)

    def close(self) -> None:
        """End the processes. Whoever waits for outcomes is told that there will be none."""
        self._end(WorkersUnavailable("The decoding processes are stopped."))
        for thread in self._threads:
            thread.join()

    def _put(self, tasks: Sequence[_Task], urgent: bool = False) -> None:
        with self._changed:
            if self._ended is not None:
                raise self._ended
            self._runs.update(task.run for task in tasks)
            if urgent:
                self._tasks.extendleft(reversed(tasks))
            else:
                self._tasks.extend(tasks)
            while len(self._threads) < self.count:
                thread = threading.Thread(target=self._feed, name=f"comparimg-worker-{len(self._threads)}")
                self._threads.append(thread)
                thread.start()
            self._changed.notify(len(tasks))

    def _forget(self, run: _Run) -> None:
        with self._changed:
            run.wanted = False
            self._runs.discard(run)

    def _end(self, why: WorkersUnavailable) -> None:
        with self._changed:
            self._ended = self._ended or why
            self._tasks.clear()
            for run in self._runs:
                run.ends.put(self._ended)
            self._runs.clear()
            self._changed.notify_all()

    # What the feeding threads do

    def _feed(self) -> None:
        feeder = _Feeder(self._limits)
        try:
            while (tasks := self._take(feeder)) is not None:
                if tasks or feeder.sent:
                    self._advance(feeder, tasks)
                else:
                    feeder.let_go()
        except Exception as error:
            foreseen = isinstance(error, WorkersUnavailable | OSError | Died)
            log.error("nothing can be decoded: %s", error, exc_info=not foreseen)
            self._end(WorkersUnavailable(f"The decoding processes cannot be used: {error}"))
        finally:
            feeder.kill()

    def _take(self, feeder: "_Feeder") -> list[_Task] | None:
        """What to send next; waits while there is nothing at all to do. Empty where that took IDLE_S, None where the
        pool has ended."""
        with self._changed:
            while self._ended is None:
                tasks = self._pick(feeder)
                if tasks or feeder.sent:
                    return tasks
                if not self._changed.wait(IDLE_S):
                    return []
        return None

    def _pick(self, feeder: "_Feeder") -> list[_Task]:
        # No more than a fair share: a process must not sit on what another could begin.
        room = min(feeder.ahead - len(feeder.sent), math.ceil(len(self._tasks) / self.count))
        room_bytes = AHEAD_BYTES - sum(len(task.message) for task in feeder.sent)
        picked: list[_Task] = []
        while self._tasks and len(picked) < room:
            task = self._tasks[0]
            room_bytes -= len(task.message)
            if room_bytes < 0 and (picked or feeder.sent):
                break
            self._tasks.popleft()
            if task.run.wanted:
                picked.append(task)
        return picked

    def _advance(self, feeder: "_Feeder", tasks: list[_Task]) -> None:
        """Send tasks and see what has come of those under way."""
        try:
            feeder.send(tasks)
            done = feeder.receive()
        except _Lost as lost:
            log.warning("a decoding process was lost: %s", lost.failure.message)
            culprit, *others = feeder.take_back()
            done = []
            if culprit.tried or not lost.may_be_chance:
                done.append((culprit, Outcome(culprit.item, None, lost.failure)))
            else:
                culprit.tried = True
                others.insert(0, culprit)
            with self._changed:
                self._losses[lost.failure.reason] += 1
                self._tasks.extendleft(reversed(others))
                self._changed.notify(len(others))
        for run, of_run in itertools.groupby(done, key=lambda pair: pair[0].run):
            run.ends.put([outcome for _, outcome in of_run])


class _Lost(Exception):
    """The process was killed or died; `may_be_chance` where the task it was at need not be to blame."""

    def __init__(self, failure: PictureError, may_be_chance: bool) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.may_be_chance = may_be_chance


class _Feeder:
    """One process, the tasks it was sent and has not answered, and how many those may be."""

    def __init__(self, limits: WorkerLimits) -> None:
        self.sent: deque[_Task] = deque()
        self.ahead = 1
        self._pace_s = AHEAD_S
        self._limits = limits
        self._child: Child | None = None
        self._since_s = 0.0

    def send(self, tasks: Sequence[_Task]) -> None:
        """Send tasks to the process, which is started where there is none. Raises _Lost and WorkersUnavailable."""
        child = self._child = self._child or self._start()
        if not self.sent:
            self._since_s = time.monotonic()
        self.sent.extend(tasks)
        try:
            for task in tasks:
                child.send(task.message)
        except Died as death:
            raise _crash(death) from death

    def receive(self) -> list[tuple[_Task, Outcome[Any, Any]]]:
        """The tasks that were answered; none where none was for a while. Raises _Lost and WorkersUnavailable."""
        assert self._child is not None
        if len(self.sent) * self._pace_s > 2 * GATHER_S:
            time.sleep(GATHER_S)
        try:
            answers = self._child.receive(LOOK_S)
        except Died as death:
            raise _crash(death) from death
        now_s = time.monotonic()
        took_s, limit_s = now_s - self._since_s, self._limits.time_limit_s
        if answers:
            self._since_s = now_s
            self._pace_s = max(took_s / len(answers), AHEAD_S / AHEAD_AT_MOST)
            self.ahead = math.ceil(AHEAD_S / self._pace_s)
        elif took_s > limit_s:
            self.kill()
            failure = PictureError("timed_out", f"took longer than {limit_s:g} seconds to decode")
            raise _Lost(failure, may_be_chance=False)
        return [self._match(answer) for answer in answers]

    def take_back(self) -> list[_Task]:
        """What a lost process left undone."""
        undone = list(self.sent)
        self.sent.clear()
        self._child = None
        self.ahead, self._pace_s = 1, AHEAD_S
        return undone

    def let_go(self) -> None:
        if self._child is not None:
            self._child.let_go()
            self._child = None

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _match(self, answer: bytes) -> tuple[_Task, Outcome[Any, Any]]:
        kind, told = pickle.loads(answer)
        if kind == Answer.UNUSABLE:
            raise WorkersUnavailable(told)
        task = self.sent.popleft()
        if kind == Answer.DONE:
            return task, Outcome(task.item, told)
        return task, Outcome(task.item, None, PictureError(*told))

    def _start(self) -> Child:
        for pause_s in START_PAUSES_S:
            try:
                return Child(self._limits.memory_bytes)
            except (OSError, Died) as error:
                log.warning("a decoding process cannot be started: %s", error)
                time.sleep(pause_s)
        return Child(self._limits.memory_bytes)


def _crash(death: Died) -> _Lost:
    return _Lost(PictureError("crashed", f"the decoder crashed ({death})"), may_be_chance=True)
