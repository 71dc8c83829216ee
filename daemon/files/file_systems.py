"""EDGE: which file system a folder stands on, told by what stays the same over restarts and mounts. Reads only.

Device numbers change with the order in which disks come, and the next disk gets the one before's. What identifies a
file system is asked for in one way for each kind, so that it never changes by the way it was learnt:

- ext2 to ext4, btrfs (each subvolume), ZFS (each dataset): the number in statfs(2), made of their own identifier.
- XFS: its UUID, which it tells anybody.
- Others on a block device (FAT, exFAT, NTFS, F2FS): the UUID that udev found; none without udev, in a container say.
- NFS, SMB: the server and the folder it gives. That may change under the same files, so it proves no other disk.

Nothing identifies others: tmpfs, overlay, most in user space.
"""

import array
import fcntl
import os
from collections.abc import Collection
from enum import Enum
from typing import Final

from daemon.files.mounts import Mount, mount_of, mounts_below, place_in_file_system
from index.records.disks import Standing

FAMILIES: Final = {
    "ext2": "ext", "ext3": "ext", "ext4": "ext", "btrfs": "btrfs", "zfs": "zfs", "xfs": "xfs",
    "nfs": "nfs", "nfs4": "nfs", "cifs": "smb", "smb3": "smb", "smbfs": "smb",
}  # fmt: skip
BY_NUMBER: Final = frozenset({"ext", "btrfs", "zfs"})
BY_NAME: Final = frozenset({"nfs", "smb"})
UDEV: Final = "/run/udev/data"
BY_UUID: Final = "/dev/disk/by-uuid"
# XFS_IOC_FSGEOMETRY_V1: 112 bytes, the UUID from the 64th on.
XFS_GEOMETRY: Final = 0x80705864
XFS_GEOMETRY_BYTES: Final = 112
XFS_UUID: Final = slice(64, 80)


class Likeness(Enum):
    """Whether a folder stands where it stood."""

    SAME = "same"
    OTHER = "other"
    PERHAPS = "perhaps"  # another, unless its files say that it is the same
    UNKNOWN = "unknown"


def compare(before: Standing, now: Standing) -> Likeness:
    if not before.identity or not now.identity:
        return Likeness.UNKNOWN
    if (before.identity, before.place) == (now.identity, now.place):
        return Likeness.SAME
    if before.identity == now.identity or BY_NAME & {_family(before), _family(now)}:
        return Likeness.PERHAPS
    return Likeness.OTHER


def mount_points(root: bytes, mounts: Collection[Mount]) -> list[bytes]:
    """The mount points below a folder, by paths that begin with it, be it a link."""
    real = os.path.realpath(root)
    return [root.rstrip(b"/") + mount.point[len(real.rstrip(b"/")) :] for mount in mounts_below(real, mounts)]


def standing_of(folder: bytes, mounts: Collection[Mount]) -> Standing:
    """Raises OSError where the folder cannot be looked at."""
    real = os.path.realpath(folder)
    mount, place = mount_of(real, mounts), place_in_file_system(real, mounts)
    if mount is None or place is None:
        return Standing(folder, "", b"")
    return Standing(folder, _identity(real, mount), place[1])


def _identity(folder: bytes, mount: Mount) -> str:
    family = FAMILIES.get(mount.kind, "")
    if family in BY_NUMBER:
        number = os.statvfs(folder).f_fsid
        return f"{family}:{number:016x}" if number else ""
    if family in BY_NAME:
        return f"{family}:{os.fsdecode(mount.source)}"
    device = os.stat(folder).st_dev
    value = _xfs_uuid(folder) if family == "xfs" else _uuid_of(device) if os.major(device) else ""
    return f"{family or 'uuid'}:{value}" if value else ""


def _family(standing: Standing) -> str:
    return standing.identity.partition(":")[0]


def _xfs_uuid(folder: bytes) -> str:
    told = array.array("B", bytes(XFS_GEOMETRY_BYTES))
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, XFS_GEOMETRY, told)
        finally:
            os.close(descriptor)
    except OSError:
        return ""
    return bytes(told[XFS_UUID]).hex()


def _uuid_of(device: int) -> str:
    """What udev says of a block device."""
    try:
        with open(f"{UDEV}/b{os.major(device)}:{os.minor(device)}", encoding="utf-8", errors="replace") as lines:
            return next((line[13:].strip() for line in lines if line.startswith("E:ID_FS_UUID=")), "")
    except OSError:
        pass
    try:
        with os.scandir(BY_UUID) as links:
            for link in links:
                if link.stat().st_rdev == device:
                    return link.name
    except OSError:
        pass
    return ""
