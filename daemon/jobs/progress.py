"""PURE: what a job tells of itself while it works."""

from typing import Protocol


class Progress(Protocol):
    """What a job is told to tell (see JobContext)."""

    def begin(self, phase: str, total: int | None, done: int = 0) -> None: ...
    def advance(self, steps: int = 1) -> None: ...
    def checkpoint(self) -> None: ...


class Unwatched:
    """The progress of work that nobody watches, and that runs to its end."""

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        pass

    def checkpoint(self) -> None:
        pass


class Context(Progress, Protocol):
    """What runs a job: its progress, and which job that is; 0 where it is none."""

    @property
    def job_id(self) -> int: ...
