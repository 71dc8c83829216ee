"""EDGE: finds the aliases of a path: other paths to the same file, through other mounts or stacked file systems.

A change through one alias is a change through all of them. Reads the disk, changes nothing. Used by one thread.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from daemon.files.mounts import Mount, MountTable, layers_of, upper_layer
from index import operating_system
from index.imaging.discovery.walk import is_at_or_below

# The file that protects its folder and everything below it.
MARKER: Final = b".comparimg-protected"
# The extended attribute in which mergerfs lists the branches that hold a file or folder.
BRANCHES: Final = "user.mergerfs.allpaths"
# More aliases than this mean that mounts show each other in a loop.
MOST_ALIASES: Final = 64

Step = Callable[[bytes], Iterable[bytes]]


class PathAliases:
    """The aliases of paths under one list of mounts."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._table = MountTable(mounts)
        self._of_device: dict[bytes, list[Mount]] = defaultdict(list)
        for mount in mounts:
            self._of_device[mount.device].append(mount)
        stacked = [mount for mount in mounts if mount.is_stacked]
        self._layers = {mount: [os.path.realpath(layer) for layer in layers_of(mount)] for mount in stacked}
        self._marked: dict[bytes, bool] = {}

    def of(self, path: bytes) -> tuple[bytes, ...]:
        """A path without links and its aliases, itself first. Aliases are on every mount that shows the path, in the
        layers of a stacked file system that it is on, and on stacked file systems that have it in a layer."""
        if not self._layers:
            return tuple(self._reachable(path, lambda _: ()))
        below = self._reachable(path, self._into_layers)
        above = self._reachable(path, self._out_of_layers)
        return tuple(dict.fromkeys([*below, *above]))

    def is_on_stack(self, path: bytes) -> bool:
        """Whether a path is on a stacked file system."""
        mount = self._table.mount_of(path)
        return mount is not None and mount.is_stacked

    def nearest_marked_folder(self, path: bytes) -> bytes | None:
        """The nearest folder at or above a path that holds a marker file."""
        return next((folder for folder in with_parents(path) if self._is_marked(folder)), None)

    def is_shown_from(self, path: bytes, top: bytes) -> bool:
        """Whether the file at a path on a stacked file system (or its folder, if there is no file) is in fact below
        `top`. It is if the end of its path, appended to `top`, leads to the same inode. Needed when mountinfo does not
        list the layers, or lists them as another process sees them, as in a container."""
        mount = self._table.mount_of(path)
        if mount is None or not mount.is_stacked or is_at_or_below(path, top):
            return False
        seen = _status(path)
        if seen is None:
            path = os.path.dirname(path)
            seen = _status(path)
        if seen is None or not is_at_or_below(path, mount.point):
            return False
        inside, upper = _names(path[len(mount.point) :]), _names(upper_layer(mount))
        # `top` may already be anywhere on the path to the file in its layer, so every end of that path is tried.
        ends = [inside[start:] for start in range(len(inside) + 1)]
        ends += [[*upper[start:], *inside] for start in range(len(upper))]
        return any(_is_same(seen, os.path.join(top, *end)) for end in ends)

    def _reachable(self, path: bytes, through_stacks: Step) -> list[bytes]:
        aliases = [path]
        for alias in aliases:  # grows during the loop
            for other in (*self._by_mounts(alias), *through_stacks(alias)):
                if other not in aliases and len(aliases) < MOST_ALIASES:
                    aliases.append(other)
        return aliases

    def _by_mounts(self, path: bytes) -> Iterator[bytes]:
        place = self._table.place_of(path)
        if place is None:
            return
        device, inner = place
        for mount in self._of_device[device]:
            if is_at_or_below(inner, mount.root):
                alias = _joined(mount.point, inner[len(mount.root.rstrip(b"/")) :])
                if self._table.mount_of(alias) is mount:
                    yield alias

    def _into_layers(self, path: bytes) -> Iterator[bytes]:
        mount = self._table.mount_of(path)
        if mount is None or not mount.is_stacked:
            return
        below = path[len(mount.point.rstrip(b"/")) :]
        inner = mount.root.rstrip(b"/") + below
        for layer in self._layers[mount]:
            yield _joined(layer, inner)
        if mount.kind == "fuse.mergerfs":
            yield from _mergerfs_branches(path)

    def _out_of_layers(self, path: bytes) -> Iterator[bytes]:
        for mount, layers in self._layers.items():
            for layer in layers:
                if not is_at_or_below(path, layer):
                    continue
                inner = path[len(layer.rstrip(b"/")) :] or b"/"
                if is_at_or_below(inner, mount.root):
                    yield _joined(mount.point, inner[len(mount.root.rstrip(b"/")) :])

    def _is_marked(self, folder: bytes) -> bool:
        if folder not in self._marked:
            self._marked[folder] = os.path.lexists(os.path.join(folder, MARKER))
        return self._marked[folder]


def with_parents(path: bytes) -> Iterator[bytes]:
    """An absolute path and every folder above it, the nearest first."""
    while path not in (b"/", b""):
        yield path
        path = path.rpartition(b"/")[0].rstrip(b"/")
    yield b"/"


def key_of(folder: bytes) -> tuple[int, int] | None:
    """The device and inode of a folder, which all its aliases share; None if it is not a folder."""
    status = _status(folder)
    return None if status is None or not stat.S_ISDIR(status.st_mode) else (status.st_dev, status.st_ino)


def _status(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _is_same(seen: os.stat_result, path: bytes) -> bool:
    """Whether the file at a path has the given inode, kind and time. Its device is not compared: a stacked file system
    reports its own."""
    status = _status(path)
    return status is not None and (
        (status.st_ino, stat.S_IFMT(status.st_mode), status.st_mtime_ns)
        == (seen.st_ino, stat.S_IFMT(seen.st_mode), seen.st_mtime_ns)
    )


def _names(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name]


def _mergerfs_branches(path: bytes) -> list[bytes]:
    for existing in (path, os.path.dirname(path)):
        try:
            branches = operating_system.extended_attribute(existing, BRANCHES).split(b"\0")
        except OSError:
            continue
        rest = path[len(existing) :]
        return [os.path.realpath(branch) + rest for branch in branches if branch.startswith(b"/")]
    return []


def _joined(top: bytes, below: bytes) -> bytes:
    return (top.rstrip(b"/") + b"/" + below.lstrip(b"/")).rstrip(b"/") or b"/"
