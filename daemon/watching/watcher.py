"""EDGE: turns watchdog events into stable paths; inotify or polling for each root; handles limits and lost roots.

Events are hints: they are reported as paths to scan again, never as actions. Every root is reconciled when it comes
online (after its watches are set up, so that no change is missed), when events were lost, and at intervals. A root that
is missing, does not respond or is suddenly empty is offline, and its pending events are dropped.

Thread: comparimg-watcher owns all state here. The probes of the roots and watchdog's threads only put calls on its
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

from daemon.watching.debounce import Debouncer
from daemon.watching.inotify import FolderWatches, Loss, NativeRoot
from daemon.watching.root_probe import ProbeResult, RootProbe
from daemon.watching.watch_limits import max_user_watches, watches_at_most
from index.errors import ComparImgError
from index.imaging.discovery.file_types import may_be_image
from index.imaging.discovery.walk import Exclusions, identity_of, is_at_or_below
from index.messages import Message, of_os_error
from index.model import Identity, RootState

log = logging.getLogger(__name__)

# Calls taken from the queue before the clock is read again.
CALLS_AT_A_TIME: Final = 5_000
# How often waiting paths are probed during the delay.
TICKS: Final = 6
# A heartbeat older than this means that the watcher's thread hangs.
HEARTBEAT_S: Final = 60.0


class WatchMode(StrEnum):
    """How changes in a root are detected: by inotify, by polling, or by the one that its file system needs."""

    AUTO = "auto"
    NATIVE = "native"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class WatchedRoot:
    """A root to watch. `exclude` has its shell patterns (see Exclusions)."""

    path: bytes
    recursive: bool = True
    mode: WatchMode = WatchMode.AUTO
    exclude: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """The waiting times of the watcher, in seconds.

    A file is reported after `settle_s` without a change. Roots are probed every `guard_s`, and are offline after
    `silence_s` without an answer. Polled roots are reconciled every `poll_s`, others every `reconcile_s`. A root for
    which there were too few inotify watches is tried again every `retry_s`.
    """

    settle_s: float = 3.0
    guard_s: float = 5.0
    silence_s: float = 30.0
    poll_s: float = 300.0
    reconcile_s: float = 6 * 3600.0
    retry_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Settled:
    """Files or folders to scan again. One that does not exist was deleted, with everything below it."""

    paths: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """A root to walk completely; `reason` is for the log."""

    root: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a root is watched now. `note` says why it is polled although inotify was expected."""

    state: RootState | None
    mode: WatchMode
    folders: int
    reason: Message | None
    note: Message | None


@dataclass(slots=True)
class _Watch:
    """The state of one root."""

    root: WatchedRoot
    exclusions: Exclusions
    state: RootState | None = None
    reason: Message | None = None
    probe_result: ProbeResult | None = None
    had_files: bool = False
    is_native: bool = False
    note: Message | None = None
    # The most free watches with which the root did not fit; 0 if it failed for another reason.
    refused_at: int = 0
    retry_s: float = math.inf
    # When it is tried again, whatever the number of free watches: the root may have become smaller.
    retry_anyway_s: float = math.inf
    reported: tuple[RootState, Message | None] | None = None
    answered_s: float = 0.0
    reconcile_s: float = math.inf
    reconcile_reason: str = ""


class Watcher:
    """Watches distinct roots. A root inside another has its own watches, and the outer root leaves it out.

    The callbacks run in the watcher's thread. `on_settled` and `on_reconcile` request work and return. If one raises a
    ComparImgError (as on a full disk), the same request is made again later. `on_root_state` gets the first state of a
    root and every change of it.
    """

    def __init__(
        self,
        roots: Sequence[WatchedRoot],
        on_settled: Callable[[Settled], None],
        on_reconcile: Callable[[Reconcile], None],
        on_root_state: Callable[[bytes, RootState, Message | None], None],
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
        # Reports of other threads, as calls that this thread makes.
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = False
        self._native: FolderWatches | None = None
        self._debouncer = Debouncer(self._times.settle_s, [root.path for root in roots])
        self._roots = {root.path: _Watch(root, Exclusions(root.path, root.exclude)) for root in roots}
        # A path belongs to the innermost root, so the longest comes first.
        self._innermost = sorted(self._roots.values(), key=lambda watch: -len(watch.root.path))
        self._probes = {path: self._probe_of(watch) for path, watch in self._roots.items()}
        self._tick_s = -math.inf
        self._heartbeat_s = math.inf
        self._thread = threading.Thread(target=self._run, name="comparimg-watcher")

    def start(self) -> None:
        """Start watching. Each existing root is reported as online and for reconciling after its watches are set up."""
        self._thread.start()
        for guard in self._probes.values():
            guard.start()

    def stop(self) -> frozenset[bytes]:
        """Stop, and return the paths that are not stable yet. The next start finds them, since it walks every root."""
        self._queue.put(self._end)
        if self._thread.ident is not None:
            # Only this thread starts further root probes, so it must have ended first.
            self._thread.join()
            for guard in self._probes.values():
                guard.stop()
            for guard in self._probes.values():
                guard.join()
        return self._debouncer.drain()

    def watch(self, roots: Sequence[WatchedRoot]) -> None:
        """Watch these roots from now on, and no others. Roots that stay the same are not touched; the others are
        reported as at the start. Any thread, after `start`."""
        self._queue.put(lambda: self._replace_roots(roots))

    def touch(self, paths: Iterable[bytes]) -> None:
        """Report these paths again when they are stable. For files that a walk found while they were being written."""
        self._on_paths(tuple(paths), False)

    @property
    def alive(self) -> bool:
        """Whether the watcher works. A root that does not respond does not affect it."""
        return self._thread.is_alive() and self._clock() - self._heartbeat_s < HEARTBEAT_S

    def coverage(self) -> Mapping[bytes, Coverage]:
        """How each root is watched at present. Any thread."""
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

    # Any thread

    def _on_paths(self, paths: tuple[bytes, ...], are_folders: bool) -> None:
        self._queue.put(lambda: self._touch(paths, are_folders))

    def _on_probe(self, root: bytes, probe_result: ProbeResult) -> None:
        self._queue.put(lambda: self._of_watched(root, lambda watch: self._handle_probe(watch, probe_result)))

    def _on_loss(self, root: bytes, loss: Loss) -> None:
        self._queue.put(lambda: self._of_watched(root, lambda watch: self._handle_loss(watch, loss)))

    def _of_watched(self, root: bytes, handle: Callable[[_Watch], None]) -> None:
        """Handle the report of a root, unless it is no longer watched."""
        watch = self._roots.get(root)
        if watch is not None:
            handle(watch)

    # The watcher's thread

    def _run(self) -> None:
        for watch in self._roots.values():
            watch.answered_s = self._clock()
        try:
            while not self._stopping:
                self._drain_queue()
                now_s = self._clock()
                self._heartbeat_s = now_s
                self._check_silence(now_s)
                self._restart_ended()
                self._retry_native(now_s)
                self._report_states()
                self._report_settled(now_s)
                self._report_reconciles(now_s)
        finally:
            if self._native is not None:
                self._native.stop()

    def _drain_queue(self) -> None:
        """Make the calls of other threads. If there is nothing else to do, wait for one."""
        try:
            self._queue.get(timeout=self._idle_s())()
            # A limited number at a time: a flood of events must not delay the reports.
            for _ in range(CALLS_AT_A_TIME):
                self._queue.get_nowait()()
        except queue.Empty:
            return

    def _end(self) -> None:
        self._stopping = True

    def _idle_s(self) -> float:
        now_s = self._clock()
        until_s = min((min(watch.reconcile_s, watch.retry_s) for watch in self._roots.values()), default=math.inf)
        due_s = self._debouncer.next_due_s()
        if due_s is not None:
            # Not before the next tick: changes that happen together are then reported together.
            until_s = min(until_s, max(due_s, self._tick_s))
        return max(0.0, min(until_s - now_s, self._times.guard_s))

    def _touch(self, paths: tuple[bytes, ...], are_folders: bool) -> None:
        now_s = self._clock()
        for path in paths:
            watch = self._watch_of(path)
            if watch is None or watch.state is not RootState.ONLINE or watch.exclusions.excludes_path(path):
                continue
            if are_folders or may_be_image(os.path.basename(path)):
                self._debouncer.touch(path, now_s)

    def _watch_of(self, path: bytes) -> _Watch | None:
        return next((watch for watch in self._innermost if is_at_or_below(path, watch.root.path)), None)

    def _probe_of(self, watch: _Watch) -> RootProbe:
        return RootProbe(watch.root.path, watch.exclusions, self._times.guard_s, self._on_probe)

    def _replace_roots(self, roots: Sequence[WatchedRoot]) -> None:
        before, now_s = self._roots, self._clock()
        kept = {root.path: watch for root in roots if (watch := before.get(root.path)) and watch.root == root}
        nested = {path: self._nested_in(path) for path in kept}
        for path, watch in before.items():
            if path not in kept:
                self._probes.pop(path).stop()
                self._unwatch(watch)
                self._debouncer.forget_below(path)
        # Replaced as a whole, since other threads read it.
        self._roots = {
            root.path: kept.get(root.path) or _Watch(root, Exclusions(root.path, root.exclude), answered_s=now_s)
            for root in roots
        }
        self._innermost = sorted(self._roots.values(), key=lambda watch: -len(watch.root.path))
        self._debouncer.set_tops(self._roots)
        for path, watch in self._roots.items():
            if path not in kept:
                self._probes[path] = self._probe_of(watch)
                self._probes[path].start()
            elif watch.state is RootState.ONLINE and self._nested_in(path) != nested[path]:
                # Files inside a nested root belong to that root, or did until now.
                self._come_online(watch, "the folders inside it changed")

    def _nested_in(self, path: bytes) -> frozenset[bytes]:
        """The roots inside a root, which have their own watches."""
        return frozenset(other for other in self._roots if other != path and is_at_or_below(other, path))

    # Reports

    def _report_states(self) -> None:
        for watch in self._roots.values():
            if watch.state is None or watch.reported == (watch.state, watch.reason):
                continue
            try:
                self._on_root_state(watch.root.path, watch.state, watch.reason)
                watch.reported = (watch.state, watch.reason)
            except ComparImgError as error:
                log.warning("the state of %s could not be stored: %s", _display(watch), error)

    def _report_settled(self, now_s: float) -> None:
        if now_s < self._tick_s:
            return
        self._tick_s = now_s + self._times.settle_s / TICKS
        paths = self._debouncer.due(now_s, _identity_of)
        if paths:
            try:
                self._on_settled(Settled(paths))
            except ComparImgError as error:
                log.warning("the scan of %d changed paths could not be queued and is retried: %s", len(paths), error)
                for path in paths:
                    self._debouncer.touch(path, now_s)

    def _report_reconciles(self, now_s: float) -> None:
        for watch in self._roots.values():
            if watch.reconcile_s > now_s:
                continue
            try:
                self._on_reconcile(Reconcile(watch.root.path, watch.reconcile_reason))
            except ComparImgError as error:
                log.warning("the scan of %s could not be queued and is retried: %s", _display(watch), error)
                watch.reconcile_s = now_s + self._times.guard_s
                continue
            often = not watch.is_native or (watch.probe_result is not None and watch.probe_result.has_remote_below)
            watch.reconcile_s = now_s + (self._times.poll_s if often else self._times.reconcile_s)
            watch.reconcile_reason = "poll" if often else "from time to time"

    # Roots that appear and disappear

    def _check_silence(self, now_s: float) -> None:
        for watch in self._roots.values():
            if now_s - watch.answered_s > self._times.silence_s:
                self._go_offline(watch, Message("root.silent"))

    def _handle_probe(self, watch: _Watch, probe_result: ProbeResult) -> None:
        now_s = self._clock()
        watch.answered_s = now_s
        before, watch.probe_result = watch.probe_result, probe_result
        if probe_result.error:
            self._go_offline(watch, probe_result.error)
        elif probe_result.is_empty and watch.had_files:
            self._go_offline(watch, Message("root.empty"))
        else:
            watch.had_files = not probe_result.is_empty
            if watch.state is not RootState.ONLINE:
                self._come_online(watch, "start" if watch.state is None else "it is back")
            elif before is None or not probe_result.is_same_place(before):
                self._come_online(watch, "it is another folder")
            elif before.is_empty and not probe_result.is_empty:
                # Its images stayed in the index while it was empty.
                self._reconcile_soon(watch, "it is no longer empty", 2 * self._times.settle_s)

    def _go_offline(self, watch: _Watch, reason: Message) -> None:
        if watch.state is RootState.OFFLINE and watch.reason == reason:
            return
        log.warning("%s is offline: it %s", _display(watch), reason)
        self._unwatch(watch)
        self._debouncer.forget_below(watch.root.path)
        watch.reconcile_s = math.inf
        watch.state, watch.reason = RootState.OFFLINE, reason

    def _come_online(self, watch: _Watch, reason: str) -> None:
        self._unwatch(watch)
        if self._wants_native(watch):
            self._watch_natively(watch)
        watch.state, watch.reason = RootState.ONLINE, None
        self._reconcile_soon(watch, reason, 0.0)

    def _reconcile_soon(self, watch: _Watch, reason: str, delay_s: float) -> None:
        soon_s = self._clock() + delay_s
        if soon_s < watch.reconcile_s:
            watch.reconcile_s, watch.reconcile_reason = soon_s, reason

    def _handle_loss(self, watch: _Watch, loss: Loss) -> None:
        if loss is Loss.LIMIT and watch.is_native:
            self._unwatch(watch)
            self._fall_back(watch, OSError(errno.ENOSPC, ""))
        # The burst that overflowed the queue is probably not over. A walk during it would see only part of it.
        self._reconcile_soon(watch, f"inotify {loss}", 2 * self._times.settle_s)

    # Native watches

    def _wants_native(self, watch: _Watch) -> bool:
        if watch.note:
            return False
        if watch.root.mode is WatchMode.AUTO:
            return watch.probe_result is not None and not watch.probe_result.is_remote
        return watch.root.mode is WatchMode.NATIVE

    def _watch_natively(self, watch: _Watch) -> None:
        native = NativeRoot(
            watch.root.path,
            watch.root.recursive,
            watch.exclusions,
            self._nested_in(watch.root.path),
            self._on_paths,
            self._on_loss,
        )
        # On a cold disk this may take minutes, so the heartbeat check is suspended.
        self._heartbeat_s = math.inf
        try:
            if self._native is None:
                self._native = FolderWatches(self._watches_at_most)
                self._native.start()
            self._native.add(native)
            watch.is_native = True
        except OSError as error:
            self._fall_back(watch, error)
        finally:
            self._heartbeat_s = self._clock()

    def _unwatch(self, watch: _Watch) -> None:
        if watch.is_native and self._native is not None:
            self._native.remove(watch.root.path)
        watch.is_native = False

    def _fall_back(self, watch: _Watch, error: OSError) -> None:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        before = watch.note
        watch.retry_s = self._clock() + self._times.retry_s
        watch.retry_anyway_s = self._clock() + self._times.reconcile_s
        # Other programs start and end. The next attempt needs more free watches than were too few before.
        watch.refused_at = max(watch.refused_at, self._free_watches()) if error.errno == errno.ENOSPC else 0
        if error.errno == errno.ENOSPC:
            watch.note = Message("root.too_many_folders", limit=max_user_watches(), seconds=round(self._times.poll_s))
        else:
            watch.note = Message("root.unwatchable", error=of_os_error(error), seconds=round(self._times.poll_s))
        if watch.note != before:
            log.warning("%s %s", _display(watch), watch.note)

    def _free_watches(self) -> int:
        """The number of further folders that could be watched."""
        limit = self._watches_at_most()
        return 2**31 if limit is None else limit - (self._native.count() if self._native is not None else 0)

    def _retry_native(self, now_s: float) -> None:
        """Try to watch a polled root with inotify when there are more free watches than when it failed, and at
        intervals anyway. Each attempt takes a walk."""
        for watch in self._roots.values():
            if now_s < watch.retry_s or watch.state is not RootState.ONLINE or not watch.note:
                continue
            watch.retry_s = now_s + self._times.retry_s
            if watch.refused_at:
                room = self._free_watches()
                if room <= watch.refused_at and now_s < watch.retry_anyway_s:
                    continue
                watch.refused_at = max(watch.refused_at, room)
            self._watch_natively(watch)
            if watch.is_native:
                watch.note, watch.retry_s, watch.refused_at = None, math.inf, 0
                log.info("%s is watched again", _display(watch))
                self._reconcile_soon(watch, "it is watched again", 0.0)

    def _restart_ended(self) -> None:
        """Restart what has ended: watchdog's threads if one of them raised, the watches of a root if it was deleted."""
        if self._native is None:
            return
        if not self._native.alive:
            log.error("the inotify watches ended unexpectedly, and are set up again")
            self._native.stop()
            self._native = None
        for watch in self._roots.values():
            if watch.is_native and (self._native is None or not self._native.watches(watch.root.path)):
                # The next probe shows whether the root still exists.
                self._unwatch(watch)
                watch.probe_result = None


def _identity_of(path: bytes) -> Identity | None:
    try:
        return identity_of(path)
    except OSError:
        # The scan that reads it reports the reason.
        return None


def _display(watch: _Watch) -> str:
    return os.fsdecode(watch.root.path).encode("utf-8", "replace").decode()
