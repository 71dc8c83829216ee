"""Backs up the index every day while it is in use. The first backup is made as soon as there is a decision.

Thread: comparimg-copier.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import peewee

from index.database.records import decisions
from index.database.store import Store
from index.errors import StoreError

log = logging.getLogger(__name__)

EVERY_S: Final = 24 * 3600.0
# A backup of a new index without decisions would be almost empty if it were made at once.
FIRST_S: Final = 600.0
CHECK_S: Final = 60.0


class IndexBackup:
    """Checks every minute whether a backup is due. A failure is logged once; every later check tries again."""

    def __init__(self, store: Store, check_s: float = CHECK_S, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._check_s = check_s
        self._now_ns = now_ns
        self._logged: type[StoreError] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comparimg-copier")

    def __enter__(self) -> "IndexBackup":
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
        while not self._stop.wait(self._check_s):
            newest_ns = self._store.backups.newest_ns()
            running_s = time.monotonic() - began_s
            decided = newest_ns is None and self._holds_decisions()
            if is_due(newest_ns, self._now_ns(), running_s, decided):
                self._copy()

    def _holds_decisions(self) -> bool:
        try:
            with self._store.read() as database:
                return decisions.has_user_decisions(database)
        except peewee.DatabaseError:
            # The index is locked or damaged. That is reported elsewhere, and the next check tries again.
            return False

    def _copy(self) -> None:
        try:
            log.info("backed up the index: %s", self._store.back_up())
            self._logged = None
        except StoreError as error:
            if type(error) is not self._logged:
                log.error("%s %s", error.message, error.hint)
            self._logged = type(error)


def is_due(newest_ns: int | None, now_ns: int, running_s: float, decided: bool) -> bool:
    """Whether a backup is due. If the newest backup is in the future, it was made by a wrong clock. `decided`: the
    index has decisions, which no scan can restore, so the first backup is urgent."""
    if newest_ns is None:
        return decided or running_s >= FIRST_S
    age_s = (now_ns - newest_ns) / 1e9
    return not 0 <= age_s < EVERY_S
