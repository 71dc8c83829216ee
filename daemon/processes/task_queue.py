"""The tasks that wait to be done, and the outcomes that their callers wait for. Any thread may use it.

The threads of worker processes take tasks from its beginning; remote workers get tasks from its end. A task is either
in the queue or with the thread that took it, never both: it is answered once, whatever fails.
"""

import pickle
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Generic, TypeVar

from daemon.processes.worker import alone, of_item
from index.errors import ComparImgError, PictureError

Item = TypeVar("Item")
Value = TypeVar("Value")


class WorkersUnavailable(ComparImgError):
    """Nothing can be decoded, whatever the file: the pool is closed, or its processes cannot be started."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Value]):
    """The result of one task: a value, or a failure."""

    item: Item
    value: Value | None
    failure: PictureError | None = None


@dataclass(slots=True, eq=False)
class Run:
    """The tasks of one caller: the queue `outcomes` gets their outcomes, or why there will be no more."""

    outcomes: "queue.SimpleQueue[list[Outcome[Any, Any]] | WorkersUnavailable]" = field(
        default_factory=queue.SimpleQueue
    )
    wanted: bool = True

    def task(self, function: Callable[[Any], Any], item: Any, lane: int | None = None, home: bool = False) -> "Task":
        message = pickle.dumps((function, item), pickle.HIGHEST_PROTOCOL)
        return Task(self, function, item, message, lane, home)

    def next(self) -> list[Outcome[Any, Any]]:
        ended = self.outcomes.get()
        if isinstance(ended, WorkersUnavailable):
            raise ended
        return ended


@dataclass(slots=True, eq=False)
class Task:
    """A function to be applied to an item, with the message that requests it from a worker process. Tasks to be done at
    `home` are not sent elsewhere. `tried` is whether a process died of it once, `alone` whether it is not done together
    with others, `lost` how often a machine that had it was lost."""

    run: Run
    function: Callable[[Any], Any]
    item: Any
    message: bytes
    lane: int | None = None
    home: bool = False
    tried: bool = False
    alone: bool = False
    lost: int = 0

    def isolate(self) -> None:
        """Have it done alone from now on."""
        self.alone = True
        self.message = pickle.dumps((alone, (self.function, self.item)), pickle.HIGHEST_PROTOCOL)


class TaskQueue:
    """Tasks in the order in which they are done. `changed` guards them, and is notified of every change. `hands` is the
    number of processes that take from the queue, here and elsewhere, `home_hands` of those here."""

    def __init__(self, hands: int) -> None:
        self.changed = threading.Condition()
        self.tasks: deque[Task] = deque()
        self.ended: WorkersUnavailable | None = None
        self._runs: set[Run] = set()
        self.home_hands = hands
        self._lent_hands: dict[object, int] = {}
        self._done_at_home: Counter[Callable[[Any], Any]] = Counter()

    @property
    def hands(self) -> int:
        return self.home_hands + sum(self._lent_hands.values())

    def lend(self, borrower: object, hands: int) -> None:
        """Count the processes of another machine that takes from the queue from now on; 0 if it no longer does."""
        with self.changed:
            self._lent_hands.pop(borrower, None)
            if hands:
                self._lent_hands[borrower] = hands
            self.changed.notify_all()

    def put(self, tasks: Sequence[Task], urgent: bool = False) -> None:
        """Raises WorkersUnavailable if the queue has ended."""
        with self.changed:
            if self.ended is not None:
                raise self.ended
            self._runs.update(task.run for task in tasks)
            if urgent:
                self.tasks.extendleft(reversed(tasks))
            else:
                self.tasks.extend(tasks)
            self._notify(len(tasks))

    def put_back(self, tasks: Sequence[Task]) -> None:
        """Return tasks that were taken and not done: they are the next, in this order."""
        with self.changed:
            self.tasks.extendleft(reversed([task for task in tasks if task.run.wanted]))
            self._notify(len(tasks))

    def take(self, pick: Callable[[], list[Task]], busy: Callable[[], bool], idle_s: float) -> list[Task] | None:
        """What `pick` takes from `tasks`. Waits while that is nothing and the caller is not `busy`. Empty after
        `idle_s`, None if the queue has ended."""
        with self.changed:
            while self.ended is None:
                tasks = pick()
                if tasks or busy():
                    return tasks
                if not self.changed.wait(idle_s):
                    return []
        return None

    def finish(self, done: Iterable[tuple[Task, Outcome[Any, Any]]], home: bool = True) -> None:
        """Hand outcomes to the callers that wait for them."""
        pairs = list(done)
        for run, of_run in groupby(pairs, key=lambda pair: pair[0].run):
            run.outcomes.put([outcome for _, outcome in of_run])
        if home and pairs:
            with self.changed:
                self._done_at_home.update(underlying(task) for task, _ in pairs)

    def done_at_home(self) -> Mapping[Callable[[Any], Any], int]:
        """The number of tasks done by the processes of this machine, by function."""
        with self.changed:
            return dict(self._done_at_home)

    def abandon(self, run: Run) -> None:
        """No caller waits for these from now on."""
        with self.changed:
            run.wanted = False
            self._runs.discard(run)

    def end(self, why: WorkersUnavailable) -> None:
        """Nothing is done from now on; all waiting callers get the reason."""
        with self.changed:
            self.ended = self.ended or why
            self.tasks.clear()
            for run in self._runs:
                run.outcomes.put(self.ended)
            self._runs.clear()
            self.changed.notify_all()

    def _notify(self, count: int) -> None:
        # A thread of a remote worker may not be able to do the task that it is woken for.
        if self._lent_hands:
            self.changed.notify_all()
        else:
            self.changed.notify(count)


def underlying(task: Task) -> Callable[[Any], Any]:
    """The function of a task; with keyed items, the function that is applied to them."""
    applied = getattr(task.function, "func", None)
    return task.function.args[0] if applied is of_item else task.function  # type: ignore[attr-defined]


def item_of(task: Task) -> Any:
    """The item that this function is applied to."""
    return task.item[1] if getattr(task.function, "func", None) is of_item else task.item
