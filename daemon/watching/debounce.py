"""PURE: decides when a changed file is stable. The clock is an argument.

A changed path is stable when there was no further event for the delay, and two probes, one delay apart, gave the same
result. The kind of event (create, write, rename, delete) does not matter: the path is probed in any case.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from index.model import Identity

# Returns None if there is no regular file: nothing, or a folder. Raises nothing.
Probe = Callable[[bytes], Identity | None]

# A folder that replaces too many paths waits this many times longer.
STORM_FACTOR: Final = 10


class Debouncer:
    """The changed paths, until they are stable. Not thread-safe.

    Times are in seconds of one monotonic clock. If more than `at_most` paths wait, their folders replace them, but
    never a folder above one of `tops`. So memory is bounded, and a flood of events costs one walk of its folder.
    """

    def __init__(self, delay_s: float, tops: Collection[bytes] = (), at_most: int = 10_000) -> None:
        self._delay_s = delay_s
        self._tops = frozenset(tops)
        self._at_most = at_most
        # Path -> when it may be stable. All have the same delay, so insertion order is time order.
        self._waiting: dict[bytes, float] = {}
        self._seen: dict[bytes, Identity | None] = {}
        self._touched: dict[bytes, None] = {}
        self._storms: dict[bytes, float] = {}

    def set_tops(self, tops: Collection[bytes]) -> None:
        """Replace the folders above which no folder waits."""
        self._tops = frozenset(tops)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._storms)

    def touch(self, path: bytes, now_s: float) -> None:
        """Record an event of a path, which is a file, a folder, or does not exist."""
        if self._storms and any(parent in self._storms for parent in _with_parents(path)):
            return
        self._wait(path, now_s)
        self._touched[path] = None
        if len(self._waiting) > self._at_most:
            self._collapse(now_s)

    def due(self, now_s: float, probe: Probe) -> frozenset[bytes]:
        """The paths that became stable, without those below a folder that did. Call it several times per delay while a
        path waits: it also makes the first probe of a path."""
        for path in self._touched:
            self._seen[path] = probe(path)
            if self._waiting[path] <= now_s:
                self._wait(path, now_s)
        self._touched.clear()
        resting = []
        while self._waiting:
            path, rests_s = next(iter(self._waiting.items()))
            if rests_s > now_s:
                break
            identity = probe(path)
            if identity == self._seen[path]:
                resting.append(path)
                del self._waiting[path], self._seen[path]
            else:
                self._seen[path] = identity
                self._wait(path, now_s)
        for folder, rests_s in list(self._storms.items()):
            if rests_s <= now_s:
                resting.append(folder)
                del self._storms[folder]
        return topmost(resting)

    def next_due_s(self) -> float | None:
        """When `due` may have something to return or to probe; None if nothing waits."""
        if self._touched:
            return 0.0
        times = [*self._storms.values(), *(next(iter(self._waiting.items()))[1:] if self._waiting else ())]
        return min(times, default=None)

    def forget_below(self, top: bytes) -> None:
        """Drop the paths that wait at or below a path that is offline."""
        for paths in (self._waiting, self._seen, self._touched, self._storms):
            for path in [path for path in paths if top in _with_parents(path)]:
                del paths[path]

    def drain(self) -> frozenset[bytes]:
        """Remove and return everything that still waits."""
        waiting = topmost([*self._waiting, *self._storms])
        for paths in (self._waiting, self._seen, self._touched, self._storms):
            paths.clear()
        return waiting

    def _wait(self, path: bytes, now_s: float) -> None:
        self._waiting.pop(path, None)
        self._waiting[path] = now_s + self._delay_s

    def _collapse(self, now_s: float) -> None:
        """Replace the waiting paths with their folders, and these with folders higher up, until there are few."""
        folders = {*self._waiting, *self._storms}
        while len(folders) > self._at_most // 2:
            above = {path if path in self._tops else _parent(path) for path in folders}
            if above == folders:
                break
            folders = above
        for paths in (self._waiting, self._seen, self._touched):
            paths.clear()
        before = self._storms
        rests_s = now_s + STORM_FACTOR * self._delay_s
        self._storms = {folder: before.get(folder, rests_s) for folder in topmost(folders)}


def is_fresh(identity: Identity, now_ns: int, delay_s: float) -> bool:
    """Whether a file that a walk found was changed so recently that it may still be written to.

    If its time is ahead of ours by more than the delay, its clock is wrong, and it does not count as fresh.
    """
    return abs(now_ns - identity.mtime_ns) < delay_s * 1e9


def topmost(paths: Iterable[bytes]) -> frozenset[bytes]:
    """The paths without those that are below another of them."""
    every = frozenset(paths)
    return frozenset(
        path for path in every if not any(above in every for above in _with_parents(path) if above != path)
    )


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


def _with_parents(path: bytes) -> Iterator[bytes]:
    while path not in (b"/", b""):
        yield path
        path = _parent(path)
    yield b"/"
