"""Whether the writer and the runner do their work, not only whether their threads exist. Thread: main.

The writer is asked for a change that changes nothing: it passes the queue, begins, commits and comes back, and no disk
is woken for it. The runner says by itself when it was last at a checkpoint.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from index.errors import ComparImgError

log = logging.getLogger(__name__)

ASK_EVERY_S = 20.0
# Above what the largest single change takes (the groups of a million images made anew), far below what nobody notices.
WRITER_LIMIT_S = 300.0
# Between two checkpoints lies at most the decode of one file, twice, and a change of the index.
RUNNER_LIMIT_S = 600.0


class Vitals:
    """`ask_writer` queues a change, `silence_s` tells how long the runner has been silent."""

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
        self._trouble: Mapping[str, str] = {}
        self._hangs = False

    @property
    def trouble(self) -> Mapping[str, str]:
        """The parts that do not do their work, each with what is wrong. Any thread may ask."""
        return self._trouble

    @property
    def hangs(self) -> bool:
        """Whether a part is beyond help but by a new start; a locked or full disk is not."""
        return self._hangs

    def look(self) -> None:
        """Ask again where it is time to, and make up the mind. To be called every second or so."""
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
        self._conclude({"index": self._refusal, **hanging} if self._refusal else hanging)
        self._hangs = bool(hanging)

    def _conclude(self, trouble: Mapping[str, str]) -> None:
        for name, told in trouble.items():
            if name not in self._trouble:
                log.critical("the part %r does not do its work: %s", name, told)
        for name in set(self._trouble) - set(trouble):
            log.warning("the part %r works again", name)
        self._trouble = trouble
