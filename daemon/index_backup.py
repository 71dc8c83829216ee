"""Makes a copy of the index each day, while it is in use, and the first as soon as people decided something.

Thread: comparimg-copier.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import peewee

from index.errors import StoreError
from index.records import decisions
from index.store import Store

log = logging.getLogger(__name__)

EVERY_S: Final = 24 * 3600.0
# The first copy of a new index, in which nobody decided anything, would hold nothing if it were made at once.
FIRST_S: Final = 600.0
LOOK_S: Final = 60.0


class Copier:
    """Looks now and then whether a copy is due. One that fails is told once, and tried again with every look."""

    def __init__(self, store: Store, look_s: float = LOOK_S, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._look_s = look_s
        self._now_ns = now_ns
        self._told: type[StoreError] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comparimg-copier")

    def __enter__(self) -> "Copier":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        began_s = time.monotonic()
        while not self._stop.wait(self._look_s):
            newest_ns = self._store.backups.newest_ns()
            running_s = time.monotonic() - began_s
            decided = newest_ns is None and self._holds_decisions()
            if is_due(newest_ns, self._now_ns(), running_s, decided):
                self._copy()

    def _holds_decisions(self) -> bool:
        try:
            with self._store.read() as database:
                return decisions.any_by_people(database)
        except peewee.DatabaseError:
            # Locked or damaged, which others tell of: the next look asks again.
            return False

    def _copy(self) -> None:
        try:
            log.info("made a copy of the index: %s", self._store.back_up())
            self._told = None
        except StoreError as error:
            if type(error) is not self._told:
                log.error("%s %s", error.message, error.hint)
            self._told = type(error)


def is_due(newest_ns: int | None, now_ns: int, running_s: float, decided: bool) -> bool:
    """Whether it is time for a copy; a newest one from the future is of a clock that was wrong. `decided` is whether an
    index without any copy holds what no scan can bring back."""
    if newest_ns is None:
        return decided or running_s >= FIRST_S
    age_s = (now_ns - newest_ns) / 1e9
    return not 0 <= age_s < EVERY_S
