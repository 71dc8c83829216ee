"""EDGE: watchdog in, settled paths out; native or polling for each root; limits, overflow and lost roots survived.

Events are hints: what is told is where to look again, never what to do. Every root is reconciled when it comes online
(after its watches stand, so that nothing falls between), when events were lost, and from time to time. A root that is
gone, does not answer or is suddenly empty is offline, and what happened in it is forgotten, not told.

Thread: comparimg-watcher owns all that is kept here; the guards of the roots and watchdog's threads only put on its
queue.
"""

import errno
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daemon.watching.inotify import FolderWatches, Loss, NativeRoot
from daemon.watching.root_guard import RootGuard, Sight
from daemon.watching.settle import Settler
from daemon.watching.watch_limits import max_user_watches, watches_at_most
from index.errors import ComparImgError
from index.images.sniff import may_be_image
from index.images.walk import Exclusions, is_at_or_below, look
from index.model import Identity, RootState

log = logging.getLogger(__name__)

# What is taken from the queue before the clock is looked at again.
AT_A_TIME: Final = 5_000
# How often waiting paths are looked at in the time that they have to rest.
TICKS: Final = 6
# Above this silence of the watcher's own thread something is wrong with it.
HEARTBEAT_S: Final = 60.0


class WatchMode(StrEnum):
    """How changes in a root are learnt of: by inotify, by walking it, or as its file system asks for."""

    AUTO = "auto"
    NATIVE = "native"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class WatchedRoot:
    """A root to watch. `exclude` are its shell patterns (see Exclusions)."""

    path: bytes
    recursive: bool = True
    mode: WatchMode = WatchMode.AUTO
    exclude: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """The watcher's waiting times, in seconds.

    A file is taken after `settle_s` of rest. Roots are looked at every `guard_s`, and are offline after
    `silence_s` without an answer. Polled roots are reconciled every `poll_s`, the others every `reconcile_s`. Every
    `retry_s` it is seen whether a root that inotify could not take may be watched after all.
    """

    settle_s: float = 3.0
    guard_s: float = 5.0
    silence_s: float = 30.0
    poll_s: float = 300.0
    reconcile_s: float = 6 * 3600.0
    retry_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Settled:
    """Files or folders to look at again. What is not there any more is gone, with all that was below it."""

    paths: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """A root to walk as a whole; `reason` is a word for the log."""

    root: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a root is watched now. `note` says why it is polled where it might be expected not to be."""

    state: RootState | None
    mode: WatchMode
    folders: int
    reason: str
    note: str


@dataclass(slots=True)
class _Watch:
    """What is known of one root."""

    root: WatchedRoot
    exclusions: Exclusions
    state: RootState | None = None
    reason: str = ""
    sight: Sight | None = None
    had_files: bool = False
    is_native: bool = False
    note: str = ""
    # The most that inotify had to give when the root was more than that; 0 where something else was wrong.
    refused_at: int = 0
    retry_s: float = math.inf
    # When it is tried whatever inotify has to give: the root may have become smaller.
    retry_anyway_s: float = math.inf
    told: tuple[RootState, str] | None = None
    answered_s: float = 0.0
    reconcile_s: float = math.inf
    reconcile_reason: str = ""


class Watcher:
    """Watches roots that are not the same folder twice; one inside another is watched by itself, not by the outer one.

    The callbacks run in the watcher's thread. `on_settled` and `on_reconcile` ask for work and return; where one raises
    a ComparImgError (a full disk, say) the same is told again later. `on_root_state` tells every change, and the first
    state, of a root.
    """

    def __init__(
        self,
        roots: Sequence[WatchedRoot],
        on_settled: Callable[[Settled], None],
        on_reconcile: Callable[[Reconcile], None],
        on_root_state: Callable[[bytes, RootState, str], None],
        times: WatchTimes | None = None,
        watches_at_most: Callable[[], int | None] = watches_at_most,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_settled = on_settled
        self._on_reconcile = on_reconcile
        self._on_root_state = on_root_state
        self._times = times or WatchTimes()
        self._watches_at_most = watches_at_most
        self._clock = clock
        # What the other threads have to say, as calls for ours to make.
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = False
        self._native: FolderWatches | None = None
        self._settler = Settler(self._times.settle_s, [root.path for root in roots])
        self._roots = {root.path: _Watch(root, Exclusions(root.path, root.exclude)) for root in roots}
        # The innermost root rules a path, so the longest comes first.
        self._innermost = sorted(self._roots.values(), key=lambda watch: -len(watch.root.path))
        self._guards = [
            RootGuard(watch.root.path, watch.exclusions, self._times.guard_s, self._hear_sight)
            for watch in self._roots.values()
        ]
        self._tick_s = -math.inf
        self._beat_s = math.inf
        self._thread = threading.Thread(target=self._run, name="comparimg-watcher")

    def start(self) -> None:
        """Begin to watch. Each root that is there is told online, and to be reconciled, once it is watched."""
        self._thread.start()
        for guard in self._guards:
            guard.start()

    def stop(self) -> frozenset[bytes]:
        """End, and give the paths that had not come to rest: the next start finds them, as it walks every root."""
        for guard in self._guards:
            guard.stop()
        self._queue.put(self._end)
        if self._thread.ident is not None:
            self._thread.join()
            for guard in self._guards:
                guard.join()
        return self._settler.drain()

    def touch(self, paths: Iterable[bytes]) -> None:
        """Look at these again when they have come to rest: files that a walk came upon while they were written."""
        self._hear_paths(tuple(paths), False)

    @property
    def alive(self) -> bool:
        """Whether the watcher does its work; a root that does not answer is no reason to doubt it."""
        return self._thread.is_alive() and self._clock() - self._beat_s < HEARTBEAT_S

    def coverage(self) -> Mapping[bytes, Coverage]:
        """How each root is watched at this moment, for whoever asks."""
        native = self._native
        return {
            path: Coverage(
                watch.state,
                WatchMode.NATIVE if watch.is_native else WatchMode.POLL,
                native.count(path) if native is not None and watch.is_native else 0,
                watch.reason,
                watch.note,
            )
            for path, watch in self._roots.items()
        }

    # From any thread

    def _hear_paths(self, paths: tuple[bytes, ...], are_folders: bool) -> None:
        self._queue.put(lambda: self._touch(paths, are_folders))

    def _hear_sight(self, root: bytes, sight: Sight) -> None:
        self._queue.put(lambda: self._see(self._roots[root], sight))

    def _hear_loss(self, root: bytes, loss: Loss) -> None:
        self._queue.put(lambda: self._lose(self._roots[root], loss))

    # The watcher's thread

    def _run(self) -> None:
        for watch in self._roots.values():
            watch.answered_s = self._clock()
        try:
            while not self._stopping:
                self._hear()
                now_s = self._clock()
                self._beat_s = now_s
                self._notice_silence(now_s)
                self._mend()
                self._retry_native(now_s)
                self._tell_states()
                self._tell_settled(now_s)
                self._tell_reconciles(now_s)
        finally:
            if self._native is not None:
                self._native.stop()

    def _hear(self) -> None:
        """Take in what the other threads said, waiting for it as long as nothing else is to be done."""
        try:
            self._queue.get(timeout=self._idle_s())()
            # Some at a time: a flood shall not keep us from telling.
            for _ in range(AT_A_TIME):
                self._queue.get_nowait()()
        except queue.Empty:
            return

    def _end(self) -> None:
        self._stopping = True

    def _idle_s(self) -> float:
        now_s = self._clock()
        until_s = min((min(watch.reconcile_s, watch.retry_s) for watch in self._roots.values()), default=math.inf)
        due_s = self._settler.next_due_s()
        if due_s is not None:
            # At the tick, not the very moment: what happens together is told together.
            until_s = min(until_s, max(due_s, self._tick_s))
        return max(0.0, min(until_s - now_s, self._times.guard_s))

    def _touch(self, paths: tuple[bytes, ...], are_folders: bool) -> None:
        now_s = self._clock()
        for path in paths:
            watch = self._watch_of(path)
            if watch is None or watch.state is not RootState.ONLINE or watch.exclusions.excludes_path(path):
                continue
            if are_folders or may_be_image(os.path.basename(path)):
                self._settler.touch(path, now_s)

    def _watch_of(self, path: bytes) -> _Watch | None:
        return next((watch for watch in self._innermost if is_at_or_below(path, watch.root.path)), None)

    # What is told

    def _tell_states(self) -> None:
        for watch in self._roots.values():
            if watch.state is None or watch.told == (watch.state, watch.reason):
                continue
            try:
                self._on_root_state(watch.root.path, watch.state, watch.reason)
                watch.told = (watch.state, watch.reason)
            except ComparImgError as error:
                log.warning("the state of %s could not be handed on: %s", _display(watch), error)

    def _tell_settled(self, now_s: float) -> None:
        if now_s < self._tick_s:
            return
        self._tick_s = now_s + self._times.settle_s / TICKS
        paths = self._settler.due(now_s, _look)
        if paths:
            try:
                self._on_settled(Settled(paths))
            except ComparImgError as error:
                log.warning("%d changed paths could not be handed on, and are kept: %s", len(paths), error)
                for path in paths:
                    self._settler.touch(path, now_s)

    def _tell_reconciles(self, now_s: float) -> None:
        for watch in self._roots.values():
            if watch.reconcile_s > now_s:
                continue
            try:
                self._on_reconcile(Reconcile(watch.root.path, watch.reconcile_reason))
            except ComparImgError as error:
                log.warning("a walk of %s could not be asked for: %s", _display(watch), error)
                watch.reconcile_s = now_s + self._times.guard_s
                continue
            often = not watch.is_native or (watch.sight is not None and watch.sight.has_remote_below)
            watch.reconcile_s = now_s + (self._times.poll_s if often else self._times.reconcile_s)
            watch.reconcile_reason = "poll" if often else "from time to time"

    # Roots that come and go

    def _notice_silence(self, now_s: float) -> None:
        for watch in self._roots.values():
            if now_s - watch.answered_s > self._times.silence_s:
                self._go_offline(watch, "does not answer")

    def _see(self, watch: _Watch, sight: Sight) -> None:
        now_s = self._clock()
        watch.answered_s = now_s
        before, watch.sight = watch.sight, sight
        if sight.error:
            self._go_offline(watch, sight.error)
        elif sight.is_empty and watch.had_files:
            self._go_offline(watch, "is suddenly empty")
        else:
            watch.had_files = not sight.is_empty
            if watch.state is not RootState.ONLINE:
                self._come_online(watch, "start" if watch.state is None else "it is back")
            elif before is None or not sight.is_same_place(before):
                self._come_online(watch, "it is another folder")
            elif before.is_empty and not sight.is_empty:
                # What the index holds of it was kept as long as it was empty.
                self._reconcile_soon(watch, "it is no longer empty", 2 * self._times.settle_s)

    def _go_offline(self, watch: _Watch, reason: str) -> None:
        if watch.state is RootState.OFFLINE and watch.reason == reason:
            return
        log.warning("%s is offline: it %s", _display(watch), reason)
        self._watch_no_longer(watch)
        self._settler.forget_below(watch.root.path)
        watch.reconcile_s = math.inf
        watch.state, watch.reason = RootState.OFFLINE, reason

    def _come_online(self, watch: _Watch, reason: str) -> None:
        self._watch_no_longer(watch)
        if self._wants_native(watch):
            self._watch_natively(watch)
        watch.state, watch.reason = RootState.ONLINE, ""
        self._reconcile_soon(watch, reason, 0.0)

    def _reconcile_soon(self, watch: _Watch, reason: str, delay_s: float) -> None:
        soon_s = self._clock() + delay_s
        if soon_s < watch.reconcile_s:
            watch.reconcile_s, watch.reconcile_reason = soon_s, reason

    def _lose(self, watch: _Watch, loss: Loss) -> None:
        if loss is Loss.LIMIT and watch.is_native:
            self._watch_no_longer(watch)
            self._fall_back(watch, OSError(errno.ENOSPC, ""))
        # What overflowed is likely not over: a walk in the midst of it would see half.
        self._reconcile_soon(watch, f"inotify {loss}", 2 * self._times.settle_s)

    # Native watches

    def _wants_native(self, watch: _Watch) -> bool:
        if watch.note:
            return False
        if watch.root.mode is WatchMode.AUTO:
            return watch.sight is not None and not watch.sight.is_remote
        return watch.root.mode is WatchMode.NATIVE

    def _watch_natively(self, watch: _Watch) -> None:
        nested = [path for path in self._roots if path != watch.root.path and is_at_or_below(path, watch.root.path)]
        native = NativeRoot(
            watch.root.path,
            watch.root.recursive,
            watch.exclusions,
            frozenset(nested),
            self._hear_paths,
            self._hear_loss,
        )
        # On a cold disk this may take minutes, and is no reason to doubt the thread.
        self._beat_s = math.inf
        try:
            if self._native is None:
                self._native = FolderWatches(self._watches_at_most)
                self._native.start()
            self._native.add(native)
            watch.is_native = True
        except OSError as error:
            self._fall_back(watch, error)
        finally:
            self._beat_s = self._clock()

    def _watch_no_longer(self, watch: _Watch) -> None:
        if watch.is_native and self._native is not None:
            self._native.remove(watch.root.path)
        watch.is_native = False

    def _fall_back(self, watch: _Watch, error: OSError) -> None:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        before = watch.note
        watch.retry_s = self._clock() + self._times.retry_s
        watch.retry_anyway_s = self._clock() + self._times.reconcile_s
        # Other programs come and go: what was too little once is so the next minute.
        watch.refused_at = max(watch.refused_at, self._room()) if error.errno == errno.ENOSPC else 0
        if error.errno == errno.ENOSPC:
            watch.note = (
                f"has more folders than inotify may watch (fs.inotify.max_user_watches is {max_user_watches()}), "
                f"and is walked every {self._times.poll_s:.0f} s instead"
            )
        else:
            watch.note = f"cannot be watched ({error.strerror}), and is walked every {self._times.poll_s:.0f} s instead"
        if watch.note != before:
            log.warning("%s %s", _display(watch), watch.note)

    def _room(self) -> int:
        """How many more folders could be watched."""
        limit = self._watches_at_most()
        return 2**31 if limit is None else limit - (self._native.count() if self._native is not None else 0)

    def _retry_native(self, now_s: float) -> None:
        """Watch what fell back as soon as there is more room than when it did, and look from time to time whether it
        fits by now: to find out takes a walk each time."""
        for watch in self._roots.values():
            if now_s < watch.retry_s or watch.state is not RootState.ONLINE or not watch.note:
                continue
            watch.retry_s = now_s + self._times.retry_s
            if watch.refused_at:
                room = self._room()
                if room <= watch.refused_at and now_s < watch.retry_anyway_s:
                    continue
                watch.refused_at = max(watch.refused_at, room)
            self._watch_natively(watch)
            if watch.is_native:
                watch.note, watch.retry_s, watch.refused_at = "", math.inf, 0
                log.info("%s is watched again", _display(watch))
                self._reconcile_soon(watch, "it is watched again", 0.0)

    def _mend(self) -> None:
        """Begin anew what ended: watchdog's threads when something in them raises, a root's when it is deleted."""
        if self._native is None:
            return
        if not self._native.alive:
            log.error("the inotify watches ended unasked and are made anew")
            self._native.stop()
            self._native = None
        for watch in self._roots.values():
            if watch.is_native and (self._native is None or not self._native.watches(watch.root.path)):
                # Whether there is something to watch, the next look at it tells.
                self._watch_no_longer(watch)
                watch.sight = None


def _look(path: bytes) -> Identity | None:
    try:
        return look(path)
    except OSError:
        # Whoever reads it tells why it cannot be looked at.
        return None


def _display(watch: _Watch) -> str:
    return os.fsdecode(watch.root.path).encode("utf-8", "replace").decode()
