"""A watcher on real folders that records everything it reports."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from daemon.watching.watcher import Reconcile, Settled, WatchedRoot, Watcher, WatchTimes
from index.errors import StoreError
from index.messages import text
from index.model import RootState

QUICK = WatchTimes(settle_s=0.15, guard_s=0.1, silence_s=20, poll_s=3600, reconcile_s=3600)
DEADLINE_S = 15.0


def root(folder: Path, **options) -> WatchedRoot:
    return WatchedRoot(os.fsencode(folder), **options)


class Ears:
    """A watcher and everything it reported."""

    def __init__(self, *roots: WatchedRoot, times: WatchTimes = QUICK, **options) -> None:
        self.reports: list[Settled | Reconcile | tuple[bytes, RootState, str]] = []
        self.broken = False
        self.refused = 0
        self.news = threading.Condition()
        self.watcher = Watcher(roots, self.hear, self.hear, lambda *state: self.hear(state), times=times, **options)

    def __enter__(self) -> "Ears":
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.left = self.watcher.stop()

    def hear(self, what) -> None:
        with self.news:
            if self.broken:
                self.refused += 1
                self.news.notify_all()
                raise StoreError(text("the disk is full"))
            self.reports.append(what)
            self.news.notify_all()

    def wait(self, happened: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(happened, DEADLINE_S), self.reports

    def wait_for_start(self, roots: int = 1) -> None:
        self.wait(lambda: len(self.reconciled()) >= roots)
        self.reports.clear()

    def settled(self) -> set[bytes]:
        return {path for what in self.reports if isinstance(what, Settled) for path in what.paths}

    def reconciled(self) -> list[str]:
        return [what.reason for what in self.reports if isinstance(what, Reconcile)]

    def states(self) -> list[tuple[RootState, str]]:
        return [(what[1], str(what[2] or "")) for what in self.reports if isinstance(what, tuple)]

    def hears_of(self, path: Path) -> bool:
        """Whether this path, or a folder it is in, was reported to have settled."""
        name = os.fsencode(path)
        return any(name == settled or name.startswith(settled + b"/") for settled in self.settled())
