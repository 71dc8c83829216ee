"""EDGE: finds the folders of this machine that the page offers for watching.

They are those that `[web] browse` names, or else the home and the mounted disks, with everything below them. Links are
resolved before anything is checked.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from daemon.files.mounts import Mount, read_mounts
from index.errors import UsageError
from index.imaging.discovery.trash_places import NAME as TRASH
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message, of_os_error
from index.paths import display
from webui.services import FolderEntry, FolderListing

# Never offered, listed or watched from the page, whatever the configuration says.
SYSTEM: Final = (b"/proc", b"/sys", b"/dev", b"/etc")
# Plain files in memory; not a device, although below /dev.
SHARED_MEMORY: Final = b"/dev/shm"
# Mount points of the system, not of a person's disk.
SYSTEM_MOUNTS: Final = (*SYSTEM, b"/boot", b"/run", b"/snap", b"/usr", b"/var/lib", b"/nix")
REMOVABLE: Final = b"/run/media"
DISKS: Final = frozenset(
    {
        "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus", "jfs", "ntfs", "ntfs3",
        "udf", "vfat", "xfs", "zfs",
    }
)  # fmt: skip
# Limits: the entries of a folder that are read, and the folders in it that are listed.
ENTRIES_READ: Final = 20_000
FOLDERS_LISTED: Final = 200


def offered_folders(named: Sequence[bytes], mounts: Iterable[Mount] | None = None) -> list[bytes]:
    """The existing folders at the top of what is offered, without links."""
    if named:
        tops = list(named)
    else:
        tops = [os.fsencode(os.path.expanduser("~")), *map(_point, filter(_is_disk, mounts or read_mounts()))]
    real = dict.fromkeys(os.path.realpath(top) for top in tops)
    return [top for top in real if top != b"/" and os.path.isdir(top)] or ([b"/"] if b"/" in real else [])


def watching_problem(path: bytes, named: Sequence[bytes], data_dir: bytes) -> Message | None:
    """Why the page may not add a folder (an absolute path without links), None if it may."""
    if path == b"/" or _is_systems(path):
        return Message("folders.of_system", path=display(path))
    if is_at_or_below(path, os.path.realpath(data_dir)):
        return Message("folders.of_comparimg", path=display(path))
    if named and not any(is_at_or_below(path, top) for top in offered_folders(named)):
        return Message("folders.not_offered", path=display(path))
    return None


def listing(under: bytes, named: Sequence[bytes], data_dir: bytes, watched: Iterable[bytes]) -> FolderListing:
    """The folders directly in `under`, or, if its last name is incomplete, those that complete it; for an empty path
    the top folders; none for a path outside them. Raises UsageError for a folder that cannot be listed."""
    tops = offered_folders(named)
    roots = [os.path.realpath(root) for root in watched]
    own = os.path.realpath(data_dir)
    if not under:
        return FolderListing(b"", None, tuple(_entry(top, top, roots) for top in sorted(tops)), False)
    if not under.startswith(b"/") or b"\0" in under:
        raise UsageError("job.not_absolute", path=display(under), field="under")
    folder, start = under, b""
    if not under.endswith(b"/") and not os.path.isdir(under):
        folder, start = os.path.split(under)
    folder = os.path.realpath(folder)
    begun = os.path.join(folder, start)
    completed = [top for top in tops if start and top.startswith(begun) and b"/" not in top[len(begun) :]]
    if not _may_be_listed(folder, tops, own):
        if completed:
            return FolderListing(folder, None, tuple(_entry(top, top, roots) for top in sorted(completed)), False)
        # The path is returned as it was given: not everyone may know what is there.
        return FolderListing(under, None, (), False, is_offered=False)
    parent = os.path.dirname(folder)
    found, is_cut = _folders_in(folder, start)
    entries = []
    for name in sorted(found, key=lambda name: (name.lower(), name)):
        real = os.path.realpath(os.path.join(folder, name))
        if _may_be_listed(real, tops, own):
            entries.append(_entry(real, name, roots))
    return FolderListing(
        folder,
        parent if parent != folder and _may_be_listed(parent, tops, own) else b"",
        tuple(entries[:FOLDERS_LISTED]),
        is_cut or len(entries) > FOLDERS_LISTED,
    )


def _folders_in(folder: bytes, start: bytes) -> tuple[list[bytes], bool]:
    """The names of the folders in a folder that begin with `start`, in any case of letters, and whether there are more.
    Hidden names are included only if `start` is hidden."""
    wanted = start.decode("utf-8", "surrogateescape").lower()
    names = []
    try:
        with os.scandir(folder) as entries:
            read = list(islice(entries, ENTRIES_READ + 1))
    except OSError as error:
        raise UsageError("folders.unlistable", path=display(folder), error=of_os_error(error), field="under") from error
    for entry in read[:ENTRIES_READ]:
        name = entry.name.decode("utf-8", "surrogateescape").lower()
        if not name.startswith(wanted) or (name.startswith(".") and not wanted.startswith(".")):
            continue
        try:
            if entry.is_dir():
                names.append(entry.name)
        except OSError:
            continue
    return names, len(read) > ENTRIES_READ


def _may_be_listed(path: bytes, tops: Iterable[bytes], data_dir: bytes) -> bool:
    if _is_systems(path) or is_at_or_below(path, data_dir) or TRASH in path.lower().split(b"/"):
        return False
    return any(is_at_or_below(path, top) for top in tops)


def _is_systems(path: bytes) -> bool:
    return any(is_at_or_below(path, place) for place in SYSTEM) and not is_at_or_below(path, SHARED_MEMORY)


def _entry(path: bytes, name: bytes, roots: Iterable[bytes]) -> FolderEntry:
    return FolderEntry(path, name, any(is_at_or_below(path, root) for root in roots))


def _is_disk(mount: Mount) -> bool:
    """Whether a mount may have a person's photographs."""
    if mount.point == b"/" or not (mount.kind in DISKS or mount.is_remote or mount.kind.startswith("fuse.")):
        return False
    is_systems = any(is_at_or_below(mount.point, place) for place in SYSTEM_MOUNTS)
    return is_at_or_below(mount.point, REMOVABLE) or not is_systems


def _point(mount: Mount) -> bytes:
    return mount.point
