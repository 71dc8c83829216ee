"""EDGE: watchdog's inotify, extended to exclude folders, to count its watches and to report lost events.

watchdog 7.1 watches every folder below a root, ignores it when the kernel refuses more watches, and does not report an
overflow of the kernel's queue. Some of what is overridden here is private, so the version is pinned, and there is a
test for each of these three reasons. Threads: watchdog's own (one reader, one for each root, one that calls the
handler).
"""

import ctypes
import errno
import logging
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.inotify import InotifyEmitter, InotifyWatchGroup
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyFD,
    Mask,
    Watch,
    WatchCallback,
    WatchDescriptor,
    inotify_add_watch,
)
from watchdog.observers.inotify_move_event_grouper import GroupedInotifyEvent, PathedInotifyEvent

from index.imaging.discovery.walk import Exclusions

log = logging.getLogger(__name__)

# The mask for the kernel is derived from these. By default, each file that we read would cause an event or two.
EVENTS: Final[list[type[FileSystemEvent]]] = [
    FileCreatedEvent, FileClosedEvent, FileMovedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent, DirDeletedEvent,
]  # fmt: skip


class Loss(StrEnum):
    """Why events may be lost."""

    OVERFLOW = "overflow"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class NativeRoot:
    """A root to watch with inotify. `nested` are other roots inside it, which have their own watches.

    `on_paths` gets the one or two paths of an event, and whether they are folders. `on_loss` gets the root and the
    reason. Both run in watchdog's threads, must be quick, and must raise nothing.
    """

    path: bytes
    recursive: bool
    exclusions: Exclusions
    nested: Collection[bytes]
    on_paths: Callable[[tuple[bytes, ...], bool], None]
    on_loss: Callable[[bytes, Loss], None]

    def goes_into(self, folder: bytes) -> bool:
        """Whether a folder is watched, given that its parent is."""
        parent, name = os.path.split(folder)
        return folder not in self.nested and not self.exclusions.excludes(parent, name)


class FolderWatches:
    """The inotify watches of all native roots. Constructing it raises OSError if inotify is not available.

    `at_most` returns how many watches may be used in all (see watch_limits); it is called whenever a root is added.
    """

    def __init__(self, at_most: Callable[[], int | None]) -> None:
        self._at_most = at_most
        self._observer = _Observer(at_most())
        self._watches: dict[bytes, ObservedWatch] = {}

    def start(self) -> None:
        self._observer.start()

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()

    @property
    def alive(self) -> bool:
        """Whether the threads that serve all roots are running."""
        return self._observer.is_alive() and self._observer.reader.is_alive()

    def watches(self, path: bytes) -> bool:
        """Whether a root is still watched. A root that was deleted is not, even if another folder took its name."""
        watch = self._watches.get(path)
        return any(emitter.watch == watch and emitter.is_alive() for emitter in tuple(self._observer.emitters))

    def add(self, root: NativeRoot) -> None:
        """Watch a root. This takes about 35 us for each folder. Raises OSError, with ENOSPC if there are more folders
        than watches; then no folder of the root is watched."""
        self._observer.roots[root.path] = root
        self._observer.at_most = self._at_most()
        # watchdog accepts bytes, which then come back in the events, but its annotations lack this.
        path: Any = root.path
        self._watches[root.path] = self._observer.schedule(
            _Handler(root), path, recursive=root.recursive, event_filter=EVENTS
        )

    def remove(self, path: bytes) -> None:
        """Stop watching a root, if it was watched."""
        watch = self._watches.pop(path, None)
        if watch is not None:
            self._observer.unschedule(watch)

    def count(self, path: bytes | None = None) -> int:
        """The number of watched folders below a root, or of all roots."""
        return self._observer.count(path)


class _Handler(FileSystemEventHandler):
    """Only passes on the paths: a handler that raises or is slow would affect all roots."""

    def __init__(self, root: NativeRoot) -> None:
        self._root = root

    def dispatch(self, event: FileSystemEvent) -> None:
        paths = tuple(os.fsencode(path) for path in (event.src_path, event.dest_path) if path)
        self._root.on_paths(paths, event.is_directory)


class _Observer(BaseObserver):
    def __init__(self, at_most: int | None) -> None:
        self.reader = _Reader()
        self.reader.name = "comparimg-inotify"
        self.roots: dict[bytes, NativeRoot] = {}
        self.at_most = at_most
        super().__init__(_Emitter, inotify_fd=self.reader, observer=self)
        self.name = "comparimg-watchdog"

    def on_thread_start(self) -> None:
        self.reader.start()
        super().on_thread_start()

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self.reader.stop()
        if self.reader.ident is not None:
            self.reader.join()

    def count(self, path: bytes | None = None) -> int:
        groups = [emitter.group for emitter in self.emitters if isinstance(emitter, _Emitter) and emitter.group]
        return sum(group.count for group in groups if path is None or group.path == path)

    def has_room(self, group: "_Group") -> bool:
        # A group that is still being created is not in the list of emitters yet.
        others = sum(
            emitter.group.count
            for emitter in tuple(self.emitters)
            if isinstance(emitter, _Emitter) and emitter.group and emitter.group is not group
        )
        return self.at_most is None or others + group.count < self.at_most


class _Reader(InotifyFD):
    def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        """Watch a path, or do nothing if the folder there is watched already. Raises OSError.

        watchdog's method logs a warning in that case. A check beforehand would look the path up twice, and another
        folder could take the name in between, whose events would then be lost.
        """
        with self._lock:
            wd = inotify_add_watch(self._inotify_fd, path, mask)
            if wd == -1:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
            self._watch_for_wd.setdefault(wd, Watch(wd, mask, path)).callbacks[id_] = callback
            return wd


class _Emitter(InotifyEmitter):
    def __init__(self, event_queue: Any, watch: ObservedWatch, *, observer: _Observer, **kwargs: Any) -> None:
        super().__init__(event_queue, watch, **kwargs)
        self.name = "comparimg-watchdog-root"
        self._observer = observer

    @property
    def group(self) -> "_Group | None":
        return self._inotify if isinstance(self._inotify, _Group) else None

    def on_thread_start(self) -> None:
        root = self._observer.roots[os.fsencode(self.watch.path)]
        self._inotify = _Group(self._inotify_fd, root, self.get_event_mask_from_filter(), self._observer.has_room)

    def build_and_queue_event(self, event: GroupedInotifyEvent, *, full_events: bool = False) -> None:
        """Queue one event for a moved folder. watchdog would add one for each file below it."""
        if not isinstance(event, PathedInotifyEvent):
            source, target = event
            moved = DirMovedEvent if source.ev.is_directory else FileMovedEvent
            self.queue_event(moved(source.path, target.path))
        elif event.ev.is_directory and event.ev.is_moved_to:
            self.queue_event(DirCreatedEvent(event.path))
        else:
            if event.ev.is_directory and event.ev.is_moved_from and self.group is not None:
                self.group.forget_moved_out(event.path)
            super().build_and_queue_event(event, full_events=full_events)


class _Group(InotifyWatchGroup):
    """The watches of one root.

    Invariant: `_active_callbacks_by_watch` has every watch of this root in the reader, and `_active_callbacks_by_path`
    the paths of these watches.
    """

    def __init__(self, reader: InotifyFD, root: NativeRoot, mask: Mask, has_room: Callable[["_Group"], bool]) -> None:
        self._root = root
        self._has_room = has_room
        super().__init__(reader, root.path, event_mask=mask, is_recursive=root.recursive)

    def __repr__(self) -> str:
        # watchdog logs this in warnings. Its own version would list every watch.
        return f"<watches below {self.path!r}>"

    @property
    def count(self) -> int:
        return len(self._active_callbacks_by_watch)

    def _activate(self) -> None:
        try:
            super()._activate()
        except OSError:
            self._remove_callbacks(list(self._active_callbacks_by_watch))
            raise

    def on_queue_overflow(self) -> None:
        """Renew the watch of every folder, and report the loss. watchdog would remove all watches and add them again.
        Each removal is an event itself: above 16384 folders these would overflow the queue again and again."""
        with self._lock:
            if not self.is_active:
                return
            self._move_event_grouper.discard_pending_events()
            before = set(self._active_callbacks_by_watch)
            self._active_callbacks_by_path.clear()
            try:
                self._add_all_callbacks(self.path)
            except OSError as error:
                log.warning("the watches below %r could not be renewed: %s", self.path, error)
            self._drop(before.difference(self._active_callbacks_by_path.values()))
        self._root.on_loss(self.path, Loss.OVERFLOW)

    def forget_moved_out(self, folder: bytes) -> None:
        """Drop the watches of a folder that was moved out of the root. They would report its old path forever."""
        with self._lock:
            below = folder + b"/"
            self._drop(
                wd
                for wd, path in list(self._active_callbacks_by_watch.items())
                # Another folder may already have taken the name.
                if (path == folder or path.startswith(below)) and self._descriptor(path) != wd
            )

    def _move_watches(self, move_src_path: bytes, move_dst_path: bytes) -> bool:
        """Like watchdog's method, but both paths are checked afterwards, since an event is older than the present
        state.

        Suppose that a folder is created and moved away, and another one is created in its place. The watch made for the
        first event is then on the second folder. It would be moved with the first, and the second would have none.
        """
        moved = super()._move_watches(move_src_path, move_dst_path)
        if moved:
            for path in (move_dst_path, move_src_path):
                if os.path.isdir(path) and not os.path.islink(path):
                    self._add_all_callbacks(path)
        return moved

    def _drop(self, descriptors: Iterable[WatchDescriptor]) -> None:
        dropped = list(descriptors)
        self._inotify_fd.remove_callbacks([(wd, self._id) for wd in dropped])
        for wd in dropped:
            self._remove_watch_internally(wd)

    def _add_all_callbacks(self, path: bytes) -> None:
        """Watch a folder and those below it. Each is watched before it is listed, so that no change is missed."""
        if path != self.path and not self._root.goes_into(path):
            return
        pending = [path]
        try:
            while pending:
                folder = pending.pop()
                if self._add(folder) and self.is_recursive:
                    pending.extend(self._folders_in(folder))
        except OSError as error:
            if not self.is_active or error.errno != errno.ENOSPC:
                raise
            self._root.on_loss(self.path, Loss.LIMIT)

    def _folders_in(self, folder: bytes) -> list[bytes]:
        try:
            with os.scandir(folder) as listing:
                folders = [entry.path for entry in listing if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return []
        return [path for path in folders if self._root.goes_into(path)]

    def _add(self, folder: bytes) -> bool:
        """Watch one folder. False if it is missing or cannot be watched. Raises OSError for the root, and ENOSPC."""
        if not self._has_room(self):
            raise OSError(errno.ENOSPC, "more folders than inotify watches")
        try:
            wd = self._inotify_fd.add_callback(self._place(folder), self.event_mask, self._callback, self._id)
        except OSError as error:
            # The folder may have been removed since. An exception here would end the reader of all roots.
            if folder == self.path or error.errno == errno.ENOSPC:
                raise
            return False
        # A folder that was moved without an event still has its old watch.
        before = self._active_callbacks_by_watch.get(wd)
        if before is not None and self._active_callbacks_by_path.get(before) == wd:
            del self._active_callbacks_by_path[before]
        self._active_callbacks_by_watch[wd] = folder
        self._active_callbacks_by_path[folder] = wd
        return True

    def _descriptor(self, folder: bytes) -> WatchDescriptor:
        """The watch on a folder, created if there is none yet. -1, with the C library's errno, if that fails."""
        return inotify_add_watch(self._inotify_fd._inotify_fd, self._place(folder), self.event_mask)

    def _place(self, folder: bytes) -> bytes:
        # A root may be a symbolic link. With the slash, its target is watched, not the link.
        return folder + b"/" if folder == self.path else folder

    def _remove_watch_internally(self, wd: WatchDescriptor) -> None:
        """Like watchdog's method, which raises, and so ends the reader, if the path has another watch by now."""
        path = self._active_callbacks_by_watch.pop(wd, None)
        if path is not None and self._active_callbacks_by_path.get(path) == wd:
            del self._active_callbacks_by_path[path]
