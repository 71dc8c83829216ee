"""PURE: how a job reports its progress."""

from typing import Protocol


class Progress(Protocol):
    """What a job calls while it works (see JobContext)."""

    def begin(self, phase: str, total: int | None, done: int = 0) -> None: ...
    def advance(self, steps: int = 1) -> None: ...
    def checkpoint(self) -> None: ...


class NullProgress:
    """Progress that is not reported, for work that runs to its end."""

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        pass

    def checkpoint(self) -> None:
        pass


class Portion:
    """The progress of a part of a job with this number of steps: it advances by the share of its work that is done.
    `expect` sets how much work there is, and may be called again for more. It never goes back, and `end` completes all
    its steps. A portion without steps only allows the job to stop in between."""

    def __init__(self, progress: Progress, steps: int = 0) -> None:
        self._progress = progress
        self._steps = steps
        self._expected = self._done = self._advanced = 0

    def expect(self, work: int) -> None:
        self._expected += work

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self._progress.begin(phase, total, done)

    def advance(self, steps: int = 1) -> None:
        self._done = min(self._done + steps, self._expected)
        self._reach(self._steps * self._done // max(self._expected, 1))

    def checkpoint(self) -> None:
        self._progress.checkpoint()

    def end(self) -> None:
        self._reach(self._steps)

    def _reach(self, steps: int) -> None:
        if steps > self._advanced:
            self._progress.advance(steps - self._advanced)
            self._advanced = steps
        else:
            self._progress.checkpoint()


class Context(Progress, Protocol):
    """The progress of a job, and its id; 0 outside a job."""

    @property
    def job_id(self) -> int: ...
