"""EDGE: probes a root at intervals: whether it exists, is the same folder, and is empty. Thread: comparimg-guard.

Each root has a thread, since a dead network mount may block any access for hours. If reports are missing, the watcher
concludes that the root is offline.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from daemon.files.mounts import Mount, mount_of, mounts_below, read_mounts
from index.imaging.discovery.walk import Exclusions
from index.messages import Message, of_os_error

# The thread of a root that does not respond cannot be joined. It is a daemon thread, and is abandoned.
JOIN_S = 2.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one probe. `error` says why the root cannot be used; the other fields are valid only without it."""

    error: Message | None = None
    device: int = 0
    inode: int = 0
    is_empty: bool = False
    mount: Mount | None = None
    mounts_below: tuple[Mount, ...] = ()

    def is_same_place(self, other: "ProbeResult") -> bool:
        """Whether watches that were set up at one probe are still valid at the other."""
        return (self.device, self.inode, self.mount, self.mounts_below) == (
            other.device, other.inode, other.mount, other.mounts_below,
        )  # fmt: skip

    @property
    def is_remote(self) -> bool:
        return self.mount is not None and self.mount.is_remote

    @property
    def has_remote_below(self) -> bool:
        return any(mount.is_remote for mount in self.mounts_below)


def probe(path: bytes, exclusions: Exclusions) -> ProbeResult:
    """Probe a root once. Blocks as long as its file system does not respond."""
    try:
        status = os.stat(path)
        with os.scandir(path) as listing:
            is_empty = not any(not exclusions.excludes(path, entry.name) for entry in listing)
    except OSError as error:
        return ProbeResult(error=Message("root.unlistable", error=of_os_error(error)))
    mounts = read_mounts()
    place = os.path.realpath(path)
    below = [
        mount
        for mount in mounts_below(place, mounts)
        if not exclusions.excludes_path(path.rstrip(b"/") + mount.point[len(place.rstrip(b"/")) :])
    ]
    return ProbeResult(None, status.st_dev, status.st_ino, is_empty, mount_of(place, mounts), tuple(below))


class RootProbe:
    """Probes one root every `interval_s` and reports the results, from its own thread."""

    def __init__(
        self, path: bytes, exclusions: Exclusions, interval_s: float, report: Callable[[bytes, ProbeResult], None]
    ) -> None:
        self._path = path
        self._exclusions = exclusions
        self._interval_s = interval_s
        self._report = report
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comparimg-guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, without waiting for it."""
        self._stop.set()

    def join(self) -> None:
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._report(self._path, probe(self._path, self._exclusions))
            self._stop.wait(self._interval_s)
