"""EDGE: the mount that a folder is on, and the mounts below it. Reads /proc/self/mountinfo."""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from index.imaging.discovery.walk import is_at_or_below

MOUNTINFO: Final = "/proc/self/mountinfo"

# Other machines (or the host of this one) change files here, and inotify reports only our own changes.
REMOTE: Final = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "davfs",
        "ceph", "glusterfs", "lustre", "beegfs", "gfs2", "ocfs2",
        "9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "fakeowner", "grpcfuse", "osxfs",
    }
)  # fmt: skip
# Most file systems in user space are remote (sshfs, rclone, s3fs); these are not.
LOCAL_FUSE: Final = frozenset(
    {
        "fuseblk", "fuse.ntfs-3g", "fuse.exfat", "fuse.zfs", "fuse.veracrypt",
        "fuse.mergerfs", "fuse.mhddfs", "fuse.unionfs", "fuse.shfs", "fuse.bindfs",
        "fuse.gocryptfs", "fuse.encfs", "fuse.ecryptfs", "fuse.cryfs",
    }
)  # fmt: skip
# File systems that show folders of other file systems: a change made through them is a change there.
STACKED: Final = frozenset(
    {
        "overlay", "aufs", "unionfs", "ecryptfs", "shiftfs",
        "fuse.mergerfs", "fuse.mhddfs", "fuse.unionfs", "fuse.unionfs-fuse", "fuse.shfs", "fuse.bindfs",
        "fuse.fuse-overlayfs",
    }
)  # fmt: skip
# The options of overlay that name such folders.
LAYERS: Final = frozenset({b"lowerdir", b"lowerdir+", b"upperdir", b"datadir+"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo. `mount_id` changes when a file system is mounted again. `root` is the folder of the file
    system (on `device`) that is mounted; for a bind mount this is not its top folder. `source` and `options` describe
    the file system; the options are still escaped."""

    mount_id: int
    point: bytes
    kind: str
    device: bytes = b""
    root: bytes = b"/"
    source: bytes = b""
    options: bytes = b""

    @property
    def is_stacked(self) -> bool:
        # bindfs has no file system type of its own.
        is_bindfs = self.kind == "fuse" and self.source.startswith(b"/") and not self.source.startswith(b"/dev/")
        return self.kind in STACKED or is_bindfs

    @property
    def is_remote(self) -> bool:
        return self.kind in REMOTE or (self.kind.startswith("fuse") and self.kind not in LOCAL_FUSE)


def read_mounts() -> list[Mount]:
    """Every mount this process sees, in order; none if the list cannot be read."""
    try:
        with open(MOUNTINFO, "rb") as file:
            return parse_mountinfo(file)
    except OSError:
        return []


def parse_mountinfo(lines: Iterable[bytes]) -> list[Mount]:
    """The mounts in lines as proc(5) describes them."""
    mounts = []
    for line in lines:
        fields, _, rest = line.partition(b" - ")
        parts = fields.split(b" ")
        if len(parts) >= 5 and rest:
            kind, source, options, *_ = [*rest.rstrip(b"\n").split(b" "), b"", b""]
            mounts.append(
                Mount(
                    int(parts[0]), _unescape(parts[4]), kind.decode("ascii", "replace"), parts[2], _unescape(parts[3]),
                    _unescape(source), options,
                )
            )  # fmt: skip
    return mounts


def mount_of(path: bytes, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that an absolute path without symbolic links is on: the one with the deepest mount point, and of
    several there the latest."""
    best: Mount | None = None
    for mount in mounts:
        if is_at_or_below(path, mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


class MountTable:
    """Mounts by their points, for looking up many paths. The cost of a lookup depends on the depth of the path, not on
    the number of mounts."""

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._latest = {mount.point: mount for mount in mounts}

    def mount_of(self, path: bytes) -> Mount | None:
        """The same as the function `mount_of`."""
        while (mount := self._latest.get(path)) is None and path not in (b"", b"/"):
            path = path.rpartition(b"/")[0] or b"/"
        return mount

    def place_of(self, path: bytes) -> tuple[bytes, bytes] | None:
        """The same as the function `path_in_file_system`."""
        mount = self.mount_of(path)
        return None if mount is None else _place_on(mount, path)


def mounts_below(path: bytes, mounts: Iterable[Mount]) -> list[Mount]:
    """The mounts whose points are below a path."""
    return [mount for mount in mounts if mount.point != path and is_at_or_below(mount.point, path)]


def path_in_file_system(path: bytes, mounts: Iterable[Mount]) -> tuple[bytes, bytes] | None:
    """Where an absolute path without symbolic links is within its file system: the device, and the path there. Every
    mount through which a file is reached, bound or not, gives the same place. None if no mount is known."""
    mount = mount_of(path, mounts)
    return None if mount is None else _place_on(mount, path)


def _place_on(mount: Mount, path: bytes) -> tuple[bytes, bytes]:
    below = path[len(mount.point.rstrip(b"/")) :]
    return mount.device, (mount.root.rstrip(b"/") + below).rstrip(b"/") or b"/"


def layers_of(mount: Mount) -> tuple[bytes, ...]:
    """The folders that a stacked file system shows, if its mountinfo line gives them as absolute paths.

    The paths are those that the mounting process saw. In a container, or if something was mounted over them later, they
    may lead to another folder or to none.
    """
    if not mount.is_stacked:
        return ()
    # File systems in user space, and ecryptfs, give them as the source of the mount.
    layers = [layer for value in (*_options(mount, LAYERS), mount.source) for layer in _split_paths(value)]
    return tuple(dict.fromkeys(layer for layer in layers if layer.startswith(b"/")))


def upper_layer(mount: Mount) -> bytes:
    """The folder in which an overlay stores changes, as its mount options give it. The path may be relative to an
    unknown folder, or be valid only for another process. b"" if there is none."""
    return next(_options(mount, frozenset({b"upperdir"})), b"")


def _options(mount: Mount, keys: Collection[bytes]) -> Iterator[bytes]:
    for option in mount.options.split(b","):
        key, _, value = option.partition(b"=")
        if key in keys:
            yield _unescape(value)


def _split_paths(value: bytes) -> Iterator[bytes]:
    """Split a value at its colons into folders; a backslash escapes the next character."""
    for part in re.findall(rb"(?:\\.|[^:\\])+", value, re.DOTALL):
        folder = re.sub(rb"\\(.)", rb"\1", part, flags=re.DOTALL)
        yield folder.rstrip(b"/") or folder


def bind_mounts_into(folder: bytes, mounts: Iterable[Mount]) -> dict[bytes, bytes]:
    """Other paths that lead to a folder or to something below it: mount points, or folders below mount points, each
    with the folder that it is identical to.

    This is for a folder whose mount is not listed, as in a chroot, so that its place in the file system is unknown. Two
    folders are the same if their paths have the same end and they have the same inode. Only local file systems are
    touched.
    """
    aliases = {}
    for mount in mounts:
        if mount.is_remote:
            continue
        for end in _path_ends(mount.root):
            if _is_one_folder(os.path.join(folder, end), mount.point):
                aliases[mount.point] = os.path.join(folder, end).rstrip(b"/")
        for end in _path_ends(folder):
            alias = os.path.join(mount.point, end)
            if alias != folder and _is_one_folder(alias, folder):
                aliases[alias.rstrip(b"/")] = folder
    return aliases


def _path_ends(path: bytes) -> list[bytes]:
    """The ends of a path, from the empty one to the whole path."""
    names = [name for name in path.split(b"/") if name]
    return [b"/".join(names[start:]) for start in range(len(names), -1, -1)]


def _is_one_folder(first: bytes, second: bytes) -> bool:
    try:
        return os.path.samestat(os.stat(first), os.stat(second))
    except OSError:
        return False


def _unescape(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
