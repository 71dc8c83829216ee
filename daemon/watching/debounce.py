"""PURE: when has a changed file come to rest; clock injected.

A path that something happened to waits until nothing more has happened for a while and two looks, that long apart,
found the same. What happened does not matter: created, written, renamed, deleted all end in one look at what is there.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from index.model import Identity

# None where no regular file is: nothing at all, or a folder. Raises nothing.
Look = Callable[[bytes], Identity | None]

# How many times longer a folder waits whose paths came too many to be kept one by one.
STORM_FACTOR: Final = 10


class Settler:
    """The paths that something happened to, until they rest. Not for several threads.

    Times are seconds of one monotonic clock. Above `at_most` waiting paths the folders that hold them wait instead,
    never a folder above one of `tops`: memory stays bounded, and a flood costs one walk of where it was.
    """

    def __init__(self, delay_s: float, tops: Collection[bytes] = (), at_most: int = 10_000) -> None:
        self._delay_s = delay_s
        self._tops = frozenset(tops)
        self._at_most = at_most
        # Path -> when it may be at rest. The delay being one for all, the order of insertion is that of time.
        self._waiting: dict[bytes, float] = {}
        self._looked: dict[bytes, Identity | None] = {}
        self._touched: dict[bytes, None] = {}
        self._storms: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._storms)

    def touch(self, path: bytes, now_s: float) -> None:
        """Something happened to this path, which is a file, a folder, or not there any more."""
        if self._storms and any(parent in self._storms for parent in _upwards(path)):
            return
        self._wait(path, now_s)
        self._touched[path] = None
        if len(self._waiting) > self._at_most:
            self._gather(now_s)

    def due(self, now_s: float, look: Look) -> frozenset[bytes]:
        """Those that came to rest; where a folder is among them, without the paths below it. To be called every
        fraction of the delay while anything waits: the first look at a path is taken here as well."""
        for path in self._touched:
            self._looked[path] = look(path)
            if self._waiting[path] <= now_s:
                self._wait(path, now_s)
        self._touched.clear()
        resting = []
        while self._waiting:
            path, rests_s = next(iter(self._waiting.items()))
            if rests_s > now_s:
                break
            identity = look(path)
            if identity == self._looked[path]:
                resting.append(path)
                del self._waiting[path], self._looked[path]
            else:
                self._looked[path] = identity
                self._wait(path, now_s)
        for folder, rests_s in list(self._storms.items()):
            if rests_s <= now_s:
                resting.append(folder)
                del self._storms[folder]
        return topmost(resting)

    def next_due_s(self) -> float | None:
        """When `due` may have something to give or to look at, None while nothing waits."""
        if self._touched:
            return 0.0
        times = [*self._storms.values(), *(next(iter(self._waiting.items()))[1:] if self._waiting else ())]
        return min(times, default=None)

    def forget_below(self, top: bytes) -> None:
        """Drop what waits at or below a path of which nothing can be known now."""
        for paths in (self._waiting, self._looked, self._touched, self._storms):
            for path in [path for path in paths if top in _upwards(path)]:
                del paths[path]

    def drain(self) -> frozenset[bytes]:
        """Everything that still waits, which then no longer does."""
        waiting = topmost([*self._waiting, *self._storms])
        for paths in (self._waiting, self._looked, self._touched, self._storms):
            paths.clear()
        return waiting

    def _wait(self, path: bytes, now_s: float) -> None:
        self._waiting.pop(path, None)
        self._waiting[path] = now_s + self._delay_s

    def _gather(self, now_s: float) -> None:
        """Let folders wait for what is in them, further up until there are few."""
        folders = {*self._waiting, *self._storms}
        while len(folders) > self._at_most // 2:
            above = {path if path in self._tops else _above(path) for path in folders}
            if above == folders:
                break
            folders = above
        for paths in (self._waiting, self._looked, self._touched):
            paths.clear()
        before = self._storms
        rests_s = now_s + STORM_FACTOR * self._delay_s
        self._storms = {folder: before.get(folder, rests_s) for folder in topmost(folders)}


def is_fresh(identity: Identity, now_ns: int, delay_s: float) -> bool:
    """Whether a file that a walk came upon was changed so lately that it may still be being written.

    By the clock that stamps files; one that is ahead of ours by more than the delay makes no file fresh for ever.
    """
    return abs(now_ns - identity.mtime_ns) < delay_s * 1e9


def topmost(paths: Iterable[bytes]) -> frozenset[bytes]:
    """The paths without those that are below another of them."""
    every = frozenset(paths)
    return frozenset(path for path in every if not any(above in every for above in _upwards(path) if above != path))


def _above(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


def _upwards(path: bytes) -> Iterator[bytes]:
    while path not in (b"/", b""):
        yield path
        path = _above(path)
    yield b"/"
