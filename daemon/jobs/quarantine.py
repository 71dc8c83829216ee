"""The quarantine: work that may crash its worker process or the whole service is tried a few times, then given up.

It is used for reading files, making previews, describing features, comparing pairs and compressing. Work is recorded
before it is started (see records.quarantine). Work that crashed before is tried last and alone, so that everything else
is done first, and is given up after TRIES crashes, with its name in the log.
"""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from daemon.processes.worker import of_item
from daemon.processes.worker_pool import Outcome, WorkerPool
from index.database.records import images, quarantine
from index.database.records.quarantine import LOSSES, TRIES, Crashes, Key
from index.database.store import Store
from index.errors import PictureError, StoreError
from index.model import FileVersion
from index.paths import display

log = logging.getLogger(__name__)

KeyT = TypeVar("KeyT", bound=Key)
Item = TypeVar("Item")
Value = TypeVar("Value")
Outcomes = list[Outcome[tuple[KeyT, Item], Value]]

# The reason of work that is not tried again.
GIVEN_UP: Final = "given_up"
# Recorded as started in one commit. One more chunk is recorded ahead, so that no worker waits for the disk.
STARTED_AT_ONCE: Final = 200
# Recorded as ended in one commit: what a crash of the service can lose.
ENDED_AT_ONCE: Final = 500
ENDED_S: Final = 1.0
# How long `call` waits for the index, which may be busy or on a full disk, before it continues without the record.
RECORDED_S: Final = 1.0


def recover(store: Store) -> None:
    """At start-up: work that was under way when the service ended is tried last and alone from now on."""
    keys = store.write(quarantine.record_crash)
    if len(keys) == 1:
        log.warning("%s being worked on when ComparImg ended", _subject(store, keys[0]))
    elif keys:
        log.warning("%d files, pictures or pairs of them were being worked on when ComparImg ended", len(keys))


class Quarantine(Generic[KeyT]):
    """One kind of work. `work` names it in the index, `done` is its participle for messages ("described").

    With `failures_are_recorded`, the caller records failures and so prevents further tries; then only crashes of the
    service are counted.
    """

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        work: str,
        done: str,
        failures_are_recorded: bool = False,
    ) -> None:
        self._store = store
        self._pool = pool
        self._work = work
        self._done = done
        self._failures_are_recorded = failures_are_recorded

    def split(self, keys: Iterable[KeyT]) -> tuple[list[KeyT], list[KeyT]]:
        """The keys that never crashed, and the others in the order in which to try them: last."""
        crashes = self._crashes()
        calm: list[KeyT] = []
        suspects: list[KeyT] = []
        for key in keys:
            (suspects if crashes.of(key) else calm).append(key)
        return calm, sorted(suspects, key=lambda key: (crashes.of(key), key))

    def given_up(self, keys: Iterable[KeyT]) -> set[KeyT]:
        """Those of the keys that are not tried again."""
        crashes = self._crashes()
        return {key for key in keys if crashes.of(key) >= TRIES}

    def run(
        self,
        function: Callable[[Item], Value],
        items: Iterable[tuple[KeyT, Item]],
        record: Callable[[Any, Outcomes[KeyT, Item, Value]], object] | None = None,
        losses: Collection[str] = LOSSES,
        lane: Callable[[KeyT], int] | None = None,
    ) -> Generator[Outcome[tuple[KeyT, Item], Value], None, None]:
        """Like WorkerPool.run, with items by key, taken as needed. Given-up work fails with GIVEN_UP.

        `record(database, outcomes)` stores the results of some items, in the transaction that ends their quarantine.
        `losses` are the failures that count as crashes.
        """
        crashes = self._crashes()
        suspects: list[tuple[KeyT, Item]] = []

        def calm() -> Iterator[tuple[KeyT, Item]]:
            for key, item in items:
                if crashes.of(key):
                    suspects.append((key, item))
                else:
                    yield key, item

        end = partial(self._end, record, losses)
        yield from self._run(function, calm(), end, crashes, losses, lane)
        for key, item in sorted(suspects, key=lambda keyed: (crashes.of(keyed[0]), keyed[0])):
            if crashes.of(key) < TRIES:
                yield from self._run(function, [(key, item)], end, crashes, losses)
            else:
                outcome: Outcome[tuple[KeyT, Item], Value] = Outcome((key, item), None, self._give_up(key))
                end([outcome], ())
                yield outcome

    def call(self, function: Callable[[Item], Value], key: KeyT, item: Item) -> Value:
        """Like WorkerPool.call. Only crashes of the service are counted: a user may ask again for what failed."""
        if self._crashes().of(key) >= TRIES:
            raise self._give_up(key)
        # A reader of the page does not wait longer for an index that is busy or whose disk is full.
        with contextlib.suppress(StoreError, TimeoutError):
            self._store.submit(partial(quarantine.start, work=self._work, keys=[key])).result(RECORDED_S)
        end: Callable[..., None] = quarantine.cancel
        try:
            value = self._pool.call(function, item)
            end = quarantine.finish
            return value
        finally:
            with contextlib.suppress(StoreError):
                self._store.submit(partial(end, work=self._work, keys=[key]))

    def _crashes(self) -> Crashes:
        with self._store.read() as database:
            return quarantine.crashes(database, self._work)

    def _run(
        self,
        function: Callable[[Item], Value],
        items: Iterable[tuple[KeyT, Item]],
        end: Callable[[Outcomes[KeyT, Item, Value], Collection[KeyT]], None],
        crashes: Crashes,
        losses: Collection[str],
        lane: Callable[[KeyT], int] | None = None,
    ) -> Generator[Outcome[tuple[KeyT, Item], Value], None, None]:
        """Run the items together. Ends are recorded from time to time, starts at the latest here."""
        started: set[KeyT] = set()
        ended: Outcomes[KeyT, Item, Value] = []
        ended_s = time.monotonic()

        def record_ended() -> None:
            nonlocal ended_s
            outcomes = ended.copy()
            ended.clear()
            end(outcomes, ())
            started.difference_update(outcome.item[0] for outcome in outcomes)
            ended_s = time.monotonic()

        lane_of = None if lane is None else lambda keyed: lane(keyed[0])
        outcomes = self._pool.run(partial(of_item, function), self._start(items, started), lane_of)
        try:
            for outcome in outcomes:
                ended.append(outcome)
                if _is_loss(outcome, losses) and not self._failures_are_recorded:
                    self._log_loss(outcome, crashes)
                if len(ended) >= ENDED_AT_ONCE or time.monotonic() - ended_s >= ENDED_S:
                    record_ended()
                yield outcome
        finally:
            # Also if the job is stopped: what was done is stored, and nothing is counted against the rest.
            outcomes.close()
            end(ended, started.difference(outcome.item[0] for outcome in ended))

    def _start(self, items: Iterable[tuple[KeyT, Item]], started: set[KeyT]) -> Iterator[tuple[KeyT, Item]]:
        """Yield the items, each after it was recorded as started; `started` collects them."""
        remaining = iter(items)
        ahead: deque[tuple[list[tuple[KeyT, Item]], Future[None]]] = deque()
        while chunk := list(islice(remaining, STARTED_AT_ONCE)):
            keys = [key for key, _ in chunk]
            started.update(keys)
            ahead.append((chunk, self._store.submit(partial(quarantine.start, work=self._work, keys=keys))))
            if len(ahead) > 1:
                yield from _recorded(*ahead.popleft())
        if ahead:
            yield from _recorded(*ahead.popleft())

    def _end(
        self,
        record: Callable[[Any, Outcomes[KeyT, Item, Value]], object] | None,
        losses: Collection[str],
        outcomes: Outcomes[KeyT, Item, Value],
        cancelled: Collection[KeyT],
    ) -> None:
        """Store the results of some items, and end their quarantine and that of items that were not done."""
        failed = [] if self._failures_are_recorded else [outcome for outcome in outcomes if outcome.failure is not None]
        undone = {outcome.item[0] for outcome in failed}
        done = [outcome.item[0] for outcome in outcomes if outcome.item[0] not in undone]
        crashed = [outcome.item[0] for outcome in failed if _is_loss(outcome, losses)]

        def end(database: Any) -> None:
            if record is not None:
                record(database, outcomes)
            quarantine.finish(database, self._work, done)
            quarantine.cancel(database, self._work, undone.union(cancelled), crashed)

        if outcomes or cancelled:
            self._store.write(end)

    def log_failure(self, key: KeyT, message: str) -> None:
        """Log a warning that something was not done, with its name."""
        log.warning("%s not %s: %s", _subject(self._store, key), self._done, message)

    def _log_loss(self, outcome: Outcome[tuple[KeyT, Any], Any], crashes: Crashes) -> None:
        assert outcome.failure is not None
        key, _ = outcome.item
        again = "again later" if crashes.of(key) + 1 < TRIES else "no more"
        self.log_failure(key, f"{outcome.failure.message}; it is tried {again}")

    def _give_up(self, key: KeyT) -> PictureError:
        failure = PictureError(GIVEN_UP, "picture.given_up", n=TRIES)
        self.log_failure(key, str(failure))
        return failure


def _recorded(chunk: Sequence[tuple[KeyT, Item]], recorded: "Future[None]") -> Sequence[tuple[KeyT, Item]]:
    """The chunk, once it is recorded."""
    recorded.result()
    return chunk


def _is_loss(outcome: Outcome[Any, Any], losses: Collection[str]) -> bool:
    return outcome.failure is not None and outcome.failure.reason in losses


def _subject(store: Store, key: Key) -> str:
    """The names of the files of a key, as the beginning of a sentence."""
    if isinstance(key, FileVersion):
        return f"{display(key.path)} was"
    content_ids = (key,) if isinstance(key, int) else key
    with store.read() as database:
        files = images.files_of(database, content_ids)
    names = [display(bytes(files[c][0].path)) if files.get(c) else "a missing file" for c in content_ids]
    return f"{' and '.join(names)} {'were' if len(names) > 1 else 'was'}"
