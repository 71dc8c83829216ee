"""PURE: how a job reports its progress."""

from typing import Protocol


class Progress(Protocol):
    """What a job calls while it works (see JobContext)."""

    def begin(self, phase: str, total: int | None, done: int = 0) -> None: ...
    def advance(self, steps: int = 1) -> None: ...
    def checkpoint(self) -> None: ...


class NullProgress:
    """Progress that is not reported, of work that runs to its end."""

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        pass

    def checkpoint(self) -> None:
        pass


class Context(Progress, Protocol):
    """The progress of a job, and its id; 0 outside a job."""

    @property
    def job_id(self) -> int: ...
