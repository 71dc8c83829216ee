"""EDGE: reads the time since boot, which no one can change, and records it in the index. Threads: any, main.

A record needs a commit, which wakes a sleeping disk. After a crash, the time since the last record is not counted:
files stay in the trash for that much longer.
"""

import logging
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path

from index import operating_system
from index.database.records import uptime
from index.database.records.uptime import BootTime
from index.database.store import Store
from index.errors import ComparImgError

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
RECORD_EVERY_S = 6 * 3600.0


def boot_time() -> BootTime:
    """The time since the machine booted, asleep or awake."""
    return BootTime(_boot(), operating_system.nanoseconds_since_boot())


@cache
def _boot() -> str:
    """The id of the current boot. If it is unknown, every process counts its own time only."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return str(uuid.uuid4())


class UptimeRecorder:
    """Records the time since boot on request, and every six hours by `record_if_due`."""

    def __init__(
        self,
        store: Store,
        boot_time: Callable[[], BootTime] = boot_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._boot_time = boot_time
        self._clock = clock
        self._recorded_s = clock()

    def record(self) -> "Future[int] | None":
        """Queue a record. A failure is only logged: files then stay in the trash longer."""
        self._recorded_s = self._clock()
        try:
            # The clock is read inside the change, and so later than the arrival of every file that the index then has
            # in the trash.
            future = self._store.submit(lambda database: uptime.record(database, self._boot_time()))
        except ComparImgError as error:
            log.warning("the uptime was not recorded: %s", error)
            return None
        future.add_done_callback(_log_failure)
        return future

    def record_if_due(self) -> None:
        """Record if a record is due. Call it about every second."""
        if self._clock() - self._recorded_s >= RECORD_EVERY_S:
            self.record()


def _log_failure(future: "Future[int]") -> None:
    error = future.exception()
    if error is not None:
        log.warning("the uptime was not recorded: %s", error)
