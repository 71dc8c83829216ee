"""EDGE: looks at a root again and again: is it there, is it the same folder, is it empty. Thread: comparimg-guard.

One thread for each root, as a dead network mount holds whoever touches it, for hours perhaps; whoever listens judges by
the silence.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from daemon.files.mounts import Mount, mount_of, mounts_below, read_mounts
from index.images.walk import Exclusions

# A guard whose root does not answer cannot be joined; it is left behind as the daemon thread it is.
JOIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a root. `error` is why it cannot be used, or ""; the rest is meaningful only without one."""

    error: str = ""
    device: int = 0
    inode: int = 0
    is_empty: bool = False
    mount: Mount | None = None
    mounts_below: tuple[Mount, ...] = ()

    def is_same_place(self, other: "Sight") -> bool:
        """Whether watches made at the one sight still stand at the other."""
        return (self.device, self.inode, self.mount, self.mounts_below) == (
            other.device, other.inode, other.mount, other.mounts_below,
        )  # fmt: skip

    @property
    def is_remote(self) -> bool:
        return self.mount is not None and self.mount.is_remote

    @property
    def has_remote_below(self) -> bool:
        return any(mount.is_remote for mount in self.mounts_below)


def see(path: bytes, exclusions: Exclusions) -> Sight:
    """One look at a root, which may take as long as its file system does not answer."""
    try:
        status = os.stat(path)
        with os.scandir(path) as listing:
            is_empty = not any(not exclusions.excludes(path, entry.name) for entry in listing)
    except OSError as error:
        return Sight(error=f"cannot be listed: {error.strerror}")
    mounts = read_mounts()
    place = os.path.realpath(path)
    below = [
        mount
        for mount in mounts_below(place, mounts)
        if not exclusions.excludes_path(path.rstrip(b"/") + mount.point[len(place.rstrip(b"/")) :])
    ]
    return Sight("", status.st_dev, status.st_ino, is_empty, mount_of(place, mounts), tuple(below))


class RootGuard:
    """Tells what it sees of one root every `interval_s`, from a thread of its own."""

    def __init__(
        self, path: bytes, exclusions: Exclusions, interval_s: float, tell: Callable[[bytes, Sight], None]
    ) -> None:
        self._path = path
        self._exclusions = exclusions
        self._interval_s = interval_s
        self._tell = tell
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
            self._tell(self._path, see(self._path, self._exclusions))
            self._stop.wait(self._interval_s)
