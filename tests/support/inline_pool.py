"""A pool that does its tasks in this very process: for tests that fork it, kill it, or break what it calls."""

from collections.abc import Callable, Generator, Iterable
from typing import Any

from daemon.processes.worker_pool import Outcome, WorkerLimits
from index.errors import PictureError


class InlinePool:
    """What a WorkerPool is to its callers, without processes."""

    def __init__(self, count: int, limits: WorkerLimits) -> None:
        self.count = count

    def __enter__(self) -> "InlinePool":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(
        self, function: Callable[[Any], Any], items: Iterable[Any], lane: Callable[[Any], int] | None = None
    ) -> Generator[Outcome[Any, Any], None, None]:
        for item in items:
            try:
                yield Outcome(item, function(item))
            except PictureError as failure:
                yield Outcome(item, None, failure)

    def call(self, function: Callable[[Any], Any], item: Any) -> Any:
        return function(item)

    def close(self) -> None:
        pass
