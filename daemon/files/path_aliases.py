"""EDGE: the ways by which a folder can be reached: mounts of its file system, and stacked file systems that show it.

A change by one of them is a change by all. Reads the disk, changes nothing. Used by one thread.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from daemon.files.mounts import Mount, layers_of, mount_of, place_in_file_system, upper_layer
from index.images.walk import is_at_or_below

# The file that protects its folder and everything below it.
MARKER: Final = b".comparimg-protected"
# Where mergerfs tells on which of its branches a file or folder lies.
BRANCHES: Final = "user.mergerfs.allpaths"
# More ways than this to one folder are a loop of mounts that show each other.
WAYS_AT_MOST: Final = 64

Step = Callable[[bytes], Iterable[bytes]]


class Ways:
    """The ways through one list of mounts."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._mounts = mounts
        self._of_device: dict[bytes, list[Mount]] = defaultdict(list)
        for mount in mounts:
            self._of_device[mount.device].append(mount)
        stacked = [mount for mount in mounts if mount.is_stacked]
        self._layers = {mount: [os.path.realpath(layer) for layer in layers_of(mount)] for mount in stacked}
        self._marked: dict[bytes, bool] = {}

    def to(self, path: bytes) -> tuple[bytes, ...]:
        """The paths of what a path without links names, itself first: on every mount that shows it, in the folders
        that a stacked file system shows there, and where a stacked one shows it."""
        below = self._closure(path, self._into_layers)
        above = self._closure(path, self._out_of_layers)
        return tuple(dict.fromkeys([*below, *above]))

    def marked_above(self, path: bytes) -> bytes | None:
        """The nearest folder at or above a path that holds a marker file."""
        return next((folder for folder in upwards(path) if self._is_marked(folder)), None)

    def is_shown_from(self, path: bytes, top: bytes) -> bool:
        """Whether what a path on a stacked file system names (or its folder, where nothing is there) lies below `top`,
        by its inode at the end of the same path: for where no line tells which folders are shown, or tells it as
        another process sees them, as in a container."""
        mount = mount_of(path, self._mounts)
        if mount is None or not mount.is_stacked or is_at_or_below(path, top):
            return False
        seen = _status(path)
        if seen is None:
            path = os.path.dirname(path)
            seen = _status(path)
        if seen is None or not is_at_or_below(path, mount.point):
            return False
        inside, upper = _names(path[len(mount.point) :]), _names(upper_layer(mount))
        # Of what leads to the file in its layer, any beginning may lie above `top`.
        ends = [inside[start:] for start in range(len(inside) + 1)]
        ends += [[*upper[start:], *inside] for start in range(len(upper))]
        return any(_is_same(seen, os.path.join(top, *end)) for end in ends)

    def _closure(self, path: bytes, through_stacks: Step) -> list[bytes]:
        found = [path]
        for way in found:  # grows while it is gone through
            for other in (*self._mounted(way), *through_stacks(way)):
                if other not in found and len(found) < WAYS_AT_MOST:
                    found.append(other)
        return found

    def _mounted(self, way: bytes) -> Iterator[bytes]:
        place = place_in_file_system(way, self._mounts)
        if place is None:
            return
        device, inner = place
        for mount in self._of_device[device]:
            if is_at_or_below(inner, mount.root):
                other = _joined(mount.point, inner[len(mount.root.rstrip(b"/")) :])
                if mount_of(other, self._mounts) is mount:
                    yield other

    def _into_layers(self, way: bytes) -> Iterator[bytes]:
        mount = mount_of(way, self._mounts)
        if mount is None or not mount.is_stacked:
            return
        below = way[len(mount.point.rstrip(b"/")) :]
        inner = mount.root.rstrip(b"/") + below
        for layer in self._layers[mount]:
            yield _joined(layer, inner)
        if mount.kind == "fuse.mergerfs":
            yield from _branches(way)

    def _out_of_layers(self, way: bytes) -> Iterator[bytes]:
        for mount, layers in self._layers.items():
            for layer in layers:
                if not is_at_or_below(way, layer):
                    continue
                inner = way[len(layer.rstrip(b"/")) :] or b"/"
                if is_at_or_below(inner, mount.root):
                    yield _joined(mount.point, inner[len(mount.root.rstrip(b"/")) :])

    def _is_marked(self, folder: bytes) -> bool:
        if folder not in self._marked:
            self._marked[folder] = os.path.lexists(os.path.join(folder, MARKER))
        return self._marked[folder]


def upwards(path: bytes) -> Iterator[bytes]:
    """An absolute path and every folder above it, the nearest first."""
    while path not in (b"/", b""):
        yield path
        path = os.path.dirname(path)
    yield b"/"


def key_of(folder: bytes) -> tuple[int, int] | None:
    """What tells a folder from others by whatever path it is reached: its device and inode."""
    status = _status(folder)
    return None if status is None or not stat.S_ISDIR(status.st_mode) else (status.st_dev, status.st_ino)


def _status(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _is_same(seen: os.stat_result, path: bytes) -> bool:
    """Whether a file has another's inode, kind and time: on another file system, where that shows the first one's."""
    status = _status(path)
    return status is not None and (
        (status.st_ino, stat.S_IFMT(status.st_mode), status.st_mtime_ns)
        == (seen.st_ino, stat.S_IFMT(seen.st_mode), seen.st_mtime_ns)
    )


def _names(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name]


def _branches(path: bytes) -> list[bytes]:
    for one in (path, os.path.dirname(path)):
        try:
            found = os.getxattr(one, BRANCHES).split(b"\0")
        except OSError:
            continue
        rest = path[len(one) :]
        return [os.path.realpath(branch) + rest for branch in found if branch.startswith(b"/")]
    return []


def _joined(top: bytes, below: bytes) -> bytes:
    return (top.rstrip(b"/") + b"/" + below.lstrip(b"/")).rstrip(b"/") or b"/"
