"""EDGE: on which file system a folder stands, and which others are mounted below it. Reads /proc/self/mountinfo."""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from index.images.walk import is_at_or_below

MOUNTINFO: Final = "/proc/self/mountinfo"

# Where changes are made by other machines (or by the host of this one), inotify tells only of our own.
REMOTE: Final = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "davfs",
        "ceph", "glusterfs", "lustre", "beegfs", "gfs2", "ocfs2",
        "9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "fakeowner", "grpcfuse", "osxfs",
    }
)  # fmt: skip
# File systems in user space are mostly remote ones (sshfs, rclone, s3fs); these are not.
LOCAL_FUSE: Final = frozenset(
    {
        "fuseblk", "fuse.ntfs-3g", "fuse.exfat", "fuse.zfs", "fuse.veracrypt",
        "fuse.mergerfs", "fuse.mhddfs", "fuse.unionfs", "fuse.shfs", "fuse.bindfs",
        "fuse.gocryptfs", "fuse.encfs", "fuse.ecryptfs", "fuse.cryfs",
    }
)  # fmt: skip
# File systems that show folders of other ones: a change through them is a change there.
STACKED: Final = frozenset(
    {
        "overlay", "aufs", "unionfs", "ecryptfs", "shiftfs",
        "fuse.mergerfs", "fuse.mhddfs", "fuse.unionfs", "fuse.unionfs-fuse", "fuse.shfs", "fuse.bindfs",
        "fuse.fuse-overlayfs",
    }
)  # fmt: skip
# Options of overlay that name such folders.
LAYERS: Final = frozenset({b"lowerdir", b"lowerdir+", b"upperdir", b"datadir+"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo; `mount_id` tells a file system mounted anew from the one before. `root` is the folder
    of the file system (that of `device`) which is mounted: not its topmost one where a folder is bound elsewhere.
    `source` and `options` are those of the file system, the options as they stand there."""

    mount_id: int
    point: bytes
    kind: str
    device: bytes = b""
    root: bytes = b"/"
    source: bytes = b""
    options: bytes = b""

    @property
    def is_stacked(self) -> bool:
        # bindfs has no name of its own.
        is_bindfs = self.kind == "fuse" and self.source.startswith(b"/") and not self.source.startswith(b"/dev/")
        return self.kind in STACKED or is_bindfs

    @property
    def is_remote(self) -> bool:
        return self.kind in REMOTE or (self.kind.startswith("fuse") and self.kind not in LOCAL_FUSE)


def read_mounts() -> list[Mount]:
    """Every mount this process sees, in order; none where the system does not tell."""
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
    """The mount on which an absolute path without symbolic links stands: the deepest, and of two the later."""
    best: Mount | None = None
    for mount in mounts:
        if is_at_or_below(path, mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def mounts_below(path: bytes, mounts: Iterable[Mount]) -> list[Mount]:
    """The mounts whose points are below a path."""
    return [mount for mount in mounts if mount.point != path and is_at_or_below(mount.point, path)]


def place_in_file_system(path: bytes, mounts: Iterable[Mount]) -> tuple[bytes, bytes] | None:
    """The device and the path within its file system of an absolute path without symbolic links: the same for every
    mount, bound or not, by which a file is reached. None where no mount is known."""
    mount = mount_of(path, mounts)
    if mount is None:
        return None
    below = path[len(mount.point.rstrip(b"/")) :]
    return mount.device, (mount.root.rstrip(b"/") + below).rstrip(b"/") or b"/"


def layers_of(mount: Mount) -> tuple[bytes, ...]:
    """The folders that a stacked file system shows, as far as its line names them by absolute paths.

    They are named as the process that mounted it saw them: in a container, or after something was mounted over them,
    another folder or none may be there.
    """
    if not mount.is_stacked:
        return ()
    # Those in user space, and ecryptfs, name them as what is mounted.
    found = [layer for value in (*_options(mount, LAYERS), mount.source) for layer in _separate(value)]
    return tuple(dict.fromkeys(layer for layer in found if layer.startswith(b"/")))


def upper_layer(mount: Mount) -> bytes:
    """The folder in which a change through an overlay is kept, as it was named: perhaps relative to an unknown one,
    or as another process saw it. b"" where none is named."""
    return next(_options(mount, frozenset({b"upperdir"})), b"")


def _options(mount: Mount, keys: Collection[bytes]) -> Iterator[bytes]:
    for option in mount.options.split(b","):
        key, _, value = option.partition(b"=")
        if key in keys:
            yield _unescape(value)


def _separate(value: bytes) -> Iterator[bytes]:
    """The folders in a value: separated by colons, where a backslash takes the next character for itself."""
    for part in re.findall(rb"(?:\\.|[^:\\])+", value, re.DOTALL):
        folder = re.sub(rb"\\(.)", rb"\1", part, flags=re.DOTALL)
        yield folder.rstrip(b"/") or folder


def ways_into(folder: bytes, mounts: Iterable[Mount]) -> dict[bytes, bytes]:
    """Mount points, or folders below them, by which what is at or below a folder is reached as well: each with the
    folder it is the same as.

    For where the mount that the folder stands on is not listed, as in a chroot, and its place in the file system cannot
    be told: the same inode at the end of the same path is the same folder. Only local file systems are touched.
    """
    found = {}
    for mount in mounts:
        if mount.is_remote:
            continue
        for end in _ends(mount.root):
            if _is_one_folder(os.path.join(folder, end), mount.point):
                found[mount.point] = os.path.join(folder, end).rstrip(b"/")
        for end in _ends(folder):
            way = os.path.join(mount.point, end)
            if way != folder and _is_one_folder(way, folder):
                found[way.rstrip(b"/")] = folder
    return found


def _ends(path: bytes) -> list[bytes]:
    """What a path ends in, from nothing to all of it."""
    names = [name for name in path.split(b"/") if name]
    return [b"/".join(names[start:]) for start in range(len(names), -1, -1)]


def _is_one_folder(first: bytes, second: bytes) -> bool:
    try:
        return os.path.samestat(os.stat(first), os.stat(second))
    except OSError:
        return False


def _unescape(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
