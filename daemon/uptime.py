"""EDGE: the clock that nobody can set, read, and recorded in the index now and then. Threads: any, main.

A record costs a commit, which wakes a sleeping disk. After a crash the time since the last one is not counted: files in
the trash are then spared for that much longer.
"""

import logging
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path

from index.errors import ComparImgError
from index.records import uptime
from index.records.uptime import BootTime
from index.store import Store

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
RECORD_EVERY_S = 6 * 3600.0


def boot_time() -> BootTime:
    """The time since the machine started, asleep or awake."""
    return BootTime(_boot(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


@cache
def _boot() -> str:
    """Which start of the machine this is. Where that is not known every process counts its own time only."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return str(uuid.uuid4())


class UptimeRecorder:
    """Records when asked, and every six hours while `keep_up` is called."""

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
        """Queue a record. One that fails is logged: the trash is only spared for longer."""
        self._recorded_s = self._clock()
        try:
            # The clock is read within the change, after every file that the index has in the trash by then.
            future = self._store.submit(lambda database: uptime.record(database, self._boot_time()))
        except ComparImgError as error:
            log.warning("the uptime was not recorded: %s", error)
            return None
        future.add_done_callback(_log_failure)
        return future

    def keep_up(self) -> None:
        """Record where it is time to. To be called every second or so."""
        if self._clock() - self._recorded_s >= RECORD_EVERY_S:
            self.record()


def _log_failure(future: "Future[int]") -> None:
    error = future.exception()
    if error is not None:
        log.warning("the uptime was not recorded: %s", error)
