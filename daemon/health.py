"""Checks that the writer and the runner make progress, not only that their threads exist. Thread: main.

The writer is given an empty change: it passes through the queue, begins, commits and returns, without waking a disk.
The runner records its own heartbeat at every checkpoint.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from index.errors import ComparImgError

log = logging.getLogger(__name__)

ASK_EVERY_S = 20.0
# Longer than the largest single change (rebuilding the groups of a million images), and short enough to help.
WRITER_LIMIT_S = 300.0
# Between two checkpoints there are at most two decodes of one file and a change of the index.
RUNNER_LIMIT_S = 600.0


class HealthMonitor:
    """Monitors the two threads. `ask_writer` queues an empty change; `silence_s` returns the seconds since the runner's
    last heartbeat."""

    def __init__(
        self,
        ask_writer: Callable[[], "Future[None]"],
        silence_s: Callable[[], float],
        runner_limit_s: float = RUNNER_LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask_writer = ask_writer
        self._silence_s = silence_s
        self.runner_limit_s = runner_limit_s
        self._clock = clock
        self._asked: Future[None] | None = None
        self._asked_s = clock()
        self._refusal = ""
        self._problems: Mapping[str, str] = {}
        self._hangs = False

    @property
    def problems(self) -> Mapping[str, str]:
        """The parts that make no progress, each with what is wrong. Any thread."""
        return self._problems

    @property
    def hangs(self) -> bool:
        """Whether a part hangs, so that only a restart helps. A locked or full disk does not count as a hang."""
        return self._hangs

    def check(self) -> None:
        """Check the writer if a check is due, and update the state. Call it about every second."""
        now_s = self._clock()
        if self._asked is not None and self._asked.done():
            self._refusal = str(self._asked.exception() or "")
            self._asked = None
        if self._asked is None and now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            try:
                self._asked = self._ask_writer()
            except ComparImgError as error:
                self._refusal = str(error)
        hanging = {}
        if self._asked is not None and now_s - self._asked_s > WRITER_LIMIT_S:
            hanging["index"] = f"no change came through for {WRITER_LIMIT_S:.0f} s"
        if self._silence_s() > self.runner_limit_s:
            hanging["jobs"] = f"the running job gave no sign of life for {self.runner_limit_s:.0f} s"
        self._update({"index": self._refusal, **hanging} if self._refusal else hanging)
        self._hangs = bool(hanging)

    def _update(self, problems: Mapping[str, str]) -> None:
        for name, problem in problems.items():
            if name not in self._problems:
                log.critical("the part %r is not working: %s", name, problem)
        for name in set(self._problems) - set(problems):
            log.warning("the part %r works again", name)
        self._problems = problems
