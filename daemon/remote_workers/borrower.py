"""One connected machine: which tasks it was lent, how fast it is, and how many more it gets.

For each queue, a thread (comparimg-lend-N) sends it batches. Its answers arrive in the lender's thread. Whatever
happens to the machine, each task it was lent is either answered by it or returned to the queue, exactly once.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from daemon.processes.task_queue import Outcome, Task, TaskQueue, item_of, underlying
from daemon.remote_workers.lendable import Work
from daemon.remote_workers.sent_views import SentViews, Views
from daemon.remote_workers.wire import Batch, Done, Failed, FromService, Hello

log = logging.getLogger(__name__)

# Pairs in one message. They share views, and a message costs as much as some milliseconds of work.
AT_ONCE: Final = 8
# A machine is sent work for about this long ahead, but at least one task for each of its processes.
AHEAD_S: Final = 2.0
FIRST_AHEAD: Final = 2 * AT_ONCE
# The weight of the newest measurement of its pace.
NEWEST: Final = 0.3
# A task that was lost with a machine this many times is done by the service's own processes.
LOST_AT_MOST: Final = 2
IDLE_S: Final = 60.0


class InvalidAnswer(Exception):
    """An answer that none of our workers would give."""


@dataclass(frozen=True, slots=True)
class _Lent:
    """A task that is lent."""

    queue: TaskQueue
    task: Task
    work: Work


class Borrower:
    """A machine that has said hello. `send` sends it a message and raises nothing; a broken connection ends this
    object."""

    def __init__(
        self,
        name: str,
        hello: Hello,
        works: Mapping[Callable[[Any], Any], Work],
        send: Callable[[FromService], None],
    ) -> None:
        """`works` maps the functions that are lent to their works."""
        self.name = name
        self.processes = hello.processes
        # It has all keys from the start, since other threads read it while the lender's thread counts.
        self.done = Counter({work.name: 0 for work in works.values()})
        self.came_home = 0
        # When it was last heard from, and when it last answered or was given work after a pause.
        self.heard_s = self.answered_s = time.monotonic()
        self._can = frozenset(hello.can)
        self._works = works
        self._send = send
        # Taken before the other locks, while a batch is assembled and sent: which views the machine has depends on the
        # order of the batches.
        self._sending = threading.Lock()
        self._sent = SentViews()
        self._lock = threading.Lock()
        # Guarded by the lock, which may be taken inside a queue's lock, but not the other way round.
        self._lent: dict[tuple[int, int], _Lent] = {}
        self._batches = 0
        self._ended = False
        self._pace_s = 0.0
        self._threads: list[threading.Thread] = []
        self._queues: list[TaskQueue] = []

    def start(self, queues: Collection[TaskQueue]) -> None:
        for queue in queues:
            self._queues.append(queue)
            queue.lend(self, self.processes)
            thread = threading.Thread(target=self._feed, args=(queue,), name=f"comparimg-lend-{self.name}")
            thread.start()
            self._threads.append(thread)

    @property
    def away(self) -> int:
        """The number of tasks that it has."""
        with self._lock:
            return len(self._lent)

    def take_answers(self, answers: Sequence[Done | Failed]) -> None:
        """Record answers. Raises InvalidAnswer; the answers before that one remain valid."""
        done: dict[TaskQueue, list[tuple[Task, Outcome[Any, Any]]]] = {}
        self._update_pace(len(answers))
        try:
            for answer in answers:
                lent = self._returned(answer)
                if isinstance(answer, Failed):
                    # Whether the picture is at fault is decided only by this machine's own processes, which now do the
                    # task.
                    log.info("%s failed to do a task, which is done here instead: %s", self.name, answer.reason)
                    self._return_to_service(lent)
                else:
                    outcome = Outcome(lent.task.item, self._value(lent, answer.value))
                    done.setdefault(lent.queue, []).append((lent.task, outcome))
                    self.done[lent.work.name] += 1
        finally:
            for queue, of_queue in done.items():
                queue.finish(of_queue, home=False)
        self._wake()

    def _returned(self, answer: Done | Failed) -> _Lent:
        with self._lock:
            lent = self._lent.pop((answer.batch, answer.number), None)
        if lent is None:
            raise InvalidAnswer("an answer to what was not asked")
        return lent

    def _value(self, lent: _Lent, data: bytes) -> Any:
        try:
            return lent.work.decode(item_of(lent.task), data)
        except ValueError as error:
            self._return_to_service(lent)
            raise InvalidAnswer(f"no value of {lent.work.name}: {error}") from error

    def _update_pace(self, answers: int) -> None:
        with self._lock:
            now_s = time.monotonic()
            pace_s = (now_s - self.answered_s) / max(1, answers)
            self._pace_s = pace_s if not self._pace_s else (1 - NEWEST) * self._pace_s + NEWEST * pace_s
            self.answered_s = now_s

    def end(self) -> None:
        """Handle its disconnection: its tasks go to others."""
        with self._lock:
            self._ended = True
            lost = list(self._lent.values())
            self._lent.clear()
        for queue in self._queues:
            queue.lend(self, 0)
        for lent in lost:
            lent.task.lost += 1
            lent.task.home = lent.task.home or lent.task.lost >= LOST_AT_MOST
        for queue in self._queues:
            queue.put_back([lent.task for lent in lost if lent.queue is queue])

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def joined(self) -> bool:
        """Whether its threads have ended."""
        return not any(thread.is_alive() for thread in self._threads)

    # In the sending threads

    def _feed(self, queue: TaskQueue) -> None:
        while not self._ended:
            tasks = queue.take(lambda: self._pick(queue), lambda: self._ended, IDLE_S)
            if tasks is None:
                return
            if tasks:
                with self._sending:
                    self._lend(queue, tasks)

    def _pick(self, queue: TaskQueue) -> list[Task]:
        """Some tasks of one work, taken from the end of the queue. The processes of this machine take tasks from its
        beginning, where tasks of one lane follow one another."""
        room = self._capacity(len(queue.tasks), queue.hands)
        picked: list[Task] = []
        passed: list[Task] = []
        work: Work | None = None
        while queue.tasks and len(picked) < room:
            task = queue.tasks.pop()
            wanted = self._work_of(task)
            if wanted is None or work not in (None, wanted):
                passed.append(task)
            elif task.run.wanted:
                picked.append(task)
                work = wanted
        queue.tasks.extend(reversed(passed))
        picked.reverse()
        return picked

    def _work_of(self, task: Task) -> Work | None:
        if task.home:
            return None
        work = self._works.get(underlying(task))
        return work if work is not None and work.needs(item_of(task)) in self._can else None

    def _capacity(self, waiting: int, hands: int) -> int:
        """How many tasks it gets now: at most its share of the waiting tasks, and none while that would be a message
        with only one or two tasks."""
        with self._lock:
            away = len(self._lent)
            most = max(FIRST_AHEAD, 2 * self.processes + AT_ONCE)
            if self._pace_s:
                most = min(most, max(self.processes, math.ceil(AHEAD_S / self._pace_s)))
        free = most - away
        if free < min(AT_ONCE, most) and away >= self.processes:
            return 0
        return min(free, AT_ONCE, math.ceil(waiting * self.processes / hands))

    def _lend(self, queue: TaskQueue, tasks: list[Task]) -> None:
        work = self._works[underlying(tasks[0])]
        views = Views(self._sent)
        written: list[tuple[Task, bytes]] = []
        for task in tasks:
            try:
                written.append((task, work.encode(item_of(task), views)))
            except (OSError, ValueError):
                # Doing the task here shows what is wrong with it.
                task.home = True
                queue.put_back([task])
        with self._lock:
            ended = self._ended
            if not ended:
                self._batches += 1
                number = self._batches
                if not self._lent:
                    self.answered_s = time.monotonic()
                self._lent.update(
                    ((number, place), _Lent(queue, task, work)) for place, (task, _) in enumerate(written)
                )
        if ended:
            queue.put_back([task for task, _ in written])
        elif written:
            self._send(Batch(number, work.name, tuple(views.sent), tuple(data for _, data in written)))
            self._sent.note(views)

    def _return_to_service(self, lent: _Lent) -> None:
        self.came_home += 1
        lent.task.home = True
        lent.queue.put_back([lent.task])

    def _wake(self) -> None:
        """Wake the sending threads: the machine may have room again."""
        for queue in self._queues:
            with queue.changed:
                queue.changed.notify_all()
