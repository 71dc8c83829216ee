"""EDGE: identifies the file system of a folder by properties that are stable across restarts and mounts. Reads only.

Device numbers depend on the order in which disks appear, and are reused. Each kind of file system is identified in
exactly one way, so that its identity never depends on how it was determined:

- ext2 to ext4, btrfs (each subvolume), ZFS (each dataset): the number in statfs(2), derived from their own identifier.
- XFS: its UUID, which any user may read.
- Others on a block device (FAT, exFAT, NTFS, F2FS): the UUID that udev found; none without udev, as in a container.
- NFS, SMB: the server and its exported folder. Both may change while the files are the same, so a difference does not
  prove that it is another disk.

All others have no identity: tmpfs, overlay, most file systems in user space.
"""

import array
import os
from collections.abc import Collection
from enum import Enum
from typing import Final

from daemon.files.mounts import Mount, mount_of, mounts_below, path_in_file_system
from index import operating_system
from index.database.records.disks import DiskLocation

FAMILIES: Final = {
    "ext2": "ext", "ext3": "ext", "ext4": "ext", "btrfs": "btrfs", "zfs": "zfs", "xfs": "xfs",
    "nfs": "nfs", "nfs4": "nfs", "cifs": "smb", "smb3": "smb", "smbfs": "smb",
}  # fmt: skip
BY_NUMBER: Final = frozenset({"ext", "btrfs", "zfs"})
BY_NAME: Final = frozenset({"nfs", "smb"})
UDEV: Final = "/run/udev/data"
BY_UUID: Final = "/dev/disk/by-uuid"
# XFS_IOC_FSGEOMETRY_V1: 112 bytes, with the UUID at offset 64.
XFS_GEOMETRY: Final = 0x80705864
XFS_GEOMETRY_BYTES: Final = 112
XFS_UUID: Final = slice(64, 80)


class DiskMatch(Enum):
    """Whether a folder is on the same disk as before."""

    SAME = "same"
    OTHER = "other"
    PERHAPS = "perhaps"  # probably another disk, unless its files show that it is the same
    UNKNOWN = "unknown"


def compare(before: DiskLocation, now: DiskLocation) -> DiskMatch:
    if not before.identity or not now.identity:
        return DiskMatch.UNKNOWN
    if (before.identity, before.place) == (now.identity, now.place):
        return DiskMatch.SAME
    if before.identity == now.identity or BY_NAME & {_family(before), _family(now)}:
        return DiskMatch.PERHAPS
    return DiskMatch.OTHER


def mount_points(root: bytes, mounts: Collection[Mount]) -> list[bytes]:
    """The mount points below a folder, as paths that begin with it even if it is a link."""
    real = os.path.realpath(root)
    return [root.rstrip(b"/") + mount.point[len(real.rstrip(b"/")) :] for mount in mounts_below(real, mounts)]


def location_of(folder: bytes, mounts: Collection[Mount]) -> DiskLocation:
    """The file system of a folder, and the folder's place in it. Raises OSError if the folder cannot be examined."""
    real = os.path.realpath(folder)
    mount, place = mount_of(real, mounts), path_in_file_system(real, mounts)
    if mount is None or place is None:
        return DiskLocation(folder, "", b"")
    return DiskLocation(folder, _identity(real, mount), place[1])


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


def _family(location: DiskLocation) -> str:
    return location.identity.partition(":")[0]


def _xfs_uuid(folder: bytes) -> str:
    buffer = array.array("B", bytes(XFS_GEOMETRY_BYTES))
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            operating_system.ioctl(descriptor, XFS_GEOMETRY, buffer)
        finally:
            os.close(descriptor)
    except OSError:
        return ""
    return bytes(buffer[XFS_UUID]).hex()


def _uuid_of(device: int) -> str:
    """The UUID that udev has recorded for a block device, "" if there is none."""
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
