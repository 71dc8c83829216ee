"""Work on single pictures that may end its process or the whole service: tried a few times, then given up by name.

Before it is begun it is written down (see index.records.attempts). What failed before is done after all else and alone,
so that the others come to their end whatever it ends.
"""

import contextlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from daemon.processes.worker import of_item
from daemon.processes.workers import Outcome, WorkerPool
from index.errors import PictureError, StoreError
from index.records import attempts, catalogue
from index.store import Store

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Value = TypeVar("Value")

# Written down in one commit: enough that the disk is not waited for at each, few enough to be done one by one.
AT_ONCE: Final = 50
# Whoever looks at the page waits no longer for that: the index may be busy, or its disk full.
NOTED_S: Final = 1.0


def recover(store: Store) -> None:
    """At a start: what was being worked on when the service ended is done last and alone from now on."""
    count = store.write(attempts.note_crash)
    if count:
        log.warning("%d pictures or pairs of them were being worked on when ComparImg ended", count)


class Tries:
    """One kind of work. `work` names it in the index, `done` says of a picture that it was ("described")."""

    def __init__(self, store: Store, pool: WorkerPool, work: str, done: str) -> None:
        self._store = store
        self._pool = pool
        self._work = work
        self._done = done

    def run(
        self, function: Callable[[Item], Value], items: Iterable[tuple[int, Item]]
    ) -> Generator[Outcome[tuple[int, Item], Value], None, None]:
        """As WorkerPool.run, over items behind the content that each is of. What is given up fails as `given_up`."""
        failures = self._failures()
        named = list(items)
        yield from self._run(function, [one for one in named if one[0] not in failures], failures)
        suspects = [one for one in named if one[0] in failures]
        for one in sorted(suspects, key=lambda one: (failures[one[0]], one[0])):
            if failures[one[0]] < attempts.FAILURES:
                yield from self._run(function, [one], failures)
            else:
                yield Outcome(one, None, self._given_up(one[0]))

    def call(self, function: Callable[[Item], Value], content_id: int, item: Item) -> Value:
        """As WorkerPool.call. Only what ends the service counts: a person may ask again for what failed."""
        if self._failures().get(content_id, 0) >= attempts.FAILURES:
            raise self._given_up(content_id)
        pair = _alone(content_id)
        done: list[attempts.Pair] = []
        with contextlib.suppress(StoreError, TimeoutError):
            self._store.submit(lambda db: attempts.begin(db, self._work, [pair])).result(NOTED_S)
        try:
            value = self._pool.call(function, item)
            done.append(pair)
            return value
        finally:
            with contextlib.suppress(StoreError):
                self._store.submit(lambda db: attempts.end(db, self._work, [pair], done, ()))

    def _failures(self) -> dict[int, int]:
        with self._store.read() as database:
            return {content_id: count for (content_id, _), count in attempts.failures(database, self._work).items()}

    def _run(
        self, function: Callable[[Item], Value], named: Sequence[tuple[int, Item]], failures: Mapping[int, int]
    ) -> Generator[Outcome[tuple[int, Item], Value], None, None]:
        under_way: set[int] = set()
        ended: list[Outcome[tuple[int, Item], Value]] = []

        def begun() -> Iterator[tuple[int, Item]]:
            for some in catalogue.chunks(named, AT_ONCE):
                pairs = [_alone(content_id) for content_id, _ in some]
                self._store.write(partial(attempts.begin, work=self._work, pairs=pairs))
                under_way.update(content_id for content_id, _ in some)
                yield from some

        def end(content_ids: Iterable[int]) -> None:
            pairs = [_alone(content_id) for content_id in content_ids]
            done = [_alone(one.item[0]) for one in ended if one.failure is None]
            lost = [_alone(one.item[0]) for one in ended if _is_loss(one)]
            self._store.write(partial(attempts.end, work=self._work, pairs=pairs, done=done, failed=lost))
            under_way.difference_update(content_ids)
            ended.clear()

        outcomes = self._pool.run(partial(of_item, function), begun())
        try:
            for outcome in outcomes:
                ended.append(outcome)
                if _is_loss(outcome):
                    self._tell(outcome, failures.get(outcome.item[0], 0) + 1)
                if len(ended) == AT_ONCE:
                    end([one.item[0] for one in ended])
                yield outcome
        finally:
            outcomes.close()
            if under_way or ended:
                end(under_way.union(one.item[0] for one in ended))

    def _tell(self, outcome: Outcome[tuple[int, Any], Any], count: int) -> None:
        assert outcome.failure is not None
        again = "again later" if count < attempts.FAILURES else "no more"
        words = "%s was not %s: %s; it is tried %s"
        log.warning(words, self._name(outcome.item[0]), self._done, outcome.failure.message, again)

    def _given_up(self, content_id: int) -> PictureError:
        words = f"that failed {attempts.FAILURES} times, and is not tried again"
        log.warning("%s was not %s: %s", self._name(content_id), self._done, words)
        return PictureError("given_up", words)

    def _name(self, content_id: int) -> str:
        with self._store.read() as database:
            files = catalogue.files_of(database, [content_id]).get(content_id)
        return catalogue.display(bytes(files[0].path)) if files else "a file that is gone"


def _alone(content_id: int) -> attempts.Pair:
    return content_id, content_id


def _is_loss(outcome: Outcome[Any, Any]) -> bool:
    return outcome.failure is not None and outcome.failure.reason in attempts.LOSSES
