"""EDGE: changes of names on disk that follow no link and overwrite nothing. Any thread.

A file is named by a `FileRef`. Its folder is opened level by level from a managed folder, and no level may be a
symbolic link, so that no one can divert a change by replacing a folder with a link. Each function either succeeds, or
raises OSError (FileExistsError if a name is taken) and leaves the names as they were.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from daemon.files import file_bytes, removal
from daemon.files.file_bytes import are_equal, digest_of
from daemon.files.removal import FOLDER, NO_LINKS, NO_SPACE, READ, UNSUPPORTED, Proof
from index import operating_system
from index.errors import FileError
from index.imaging.discovery import descent
from index.imaging.discovery.trash_places import is_in_trash
from index.model import Identity

# Errors of a file system (NFS, FAT, some of FUSE) without O_TMPFILE, and of naming such a file without /proc.
NO_UNNAMED: Final = frozenset({*UNSUPPORTED, errno.EISDIR, errno.ENOENT})

__all__ = ["FOLDER", "NO_LINKS", "NO_SPACE", "READ", "UNSUPPORTED", "FileRef", "are_equal", "digest_of"]


@dataclass(frozen=True, slots=True)
class FileRef:
    """A path in a folder at or below `top`; both are absolute. `top` itself may be reached by a link."""

    top: bytes
    path: bytes

    @property
    def folder(self) -> bytes:
        return self.path.rpartition(b"/")[0] or b"/"

    @property
    def name(self) -> bytes:
        return self.path.rpartition(b"/")[2]

    def sibling(self, name: bytes) -> "FileRef":
        """Another name in the same folder."""
        return FileRef(self.top, os.path.join(self.folder, name))


@contextmanager
def opened_folder(top: bytes, folder: bytes, make: bool = False) -> Iterator[int]:
    """Open a folder at or below `top` without following a link below `top`. With `make` it is created if missing."""
    descriptor = os.open(top, FOLDER)
    try:
        for name in descent.steps(top, folder):
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=descriptor)
                    os.fsync(descriptor)
            inner = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_file(file_ref: FileRef) -> Iterator[int]:
    """Open a regular file for reading. Raises OSError, with ELOOP for a link and EINVAL for anything else."""
    with opened_folder(file_ref.top, file_ref.folder) as folder:
        descriptor = os.open(file_ref.name, READ, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileError(errno.EINVAL, "file.not_regular")
        yield descriptor
    finally:
        os.close(descriptor)


def identity_at(file_ref: FileRef) -> Identity | None:
    """The identity of the file at a path, None if there is none. Raises OSError if that cannot be determined, or if
    `top` is missing."""
    os.stat(file_ref.top)
    try:
        with opened_folder(file_ref.top, file_ref.folder) as folder:
            return Identity.of(os.stat(file_ref.name, dir_fd=folder, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a folder in the path became a link, which leads to another file
            return None
        raise


def is_same(first: Identity | None, second: Identity | None) -> bool:
    """Whether two identities belong to one unchanged file. The device is ignored: a disk may come back with another
    number."""
    return (
        first is not None
        and second is not None
        and (first.inode, first.size_bytes, first.mtime_ns) == (second.inode, second.size_bytes, second.mtime_ns)
    )


def mount_key(descriptor: int) -> tuple[int, int]:
    """The key that two folders must share for a rename between them: the mount (a bind mount is a different one) and
    the device (a btrfs subvolume is a different one)."""
    device = os.fstat(descriptor).st_dev
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as lines:
            entry = next(line for line in lines if line.startswith(b"mnt_id:"))
            return int(entry.split()[1]), device
    except (OSError, StopIteration, ValueError):
        return 0, device


def can_rename(first: FileRef, second: FileRef) -> bool:
    """Whether a file can be moved from the first folder to the second without being copied."""
    with (
        opened_folder(first.top, first.folder) as first_folder,
        opened_folder(second.top, second.folder) as second_folder,
    ):
        return mount_key(first_folder) == mount_key(second_folder)


# Changes


def rename_new(source: FileRef, target: FileRef) -> None:
    """Rename a file to a free name."""
    with opened_folder(source.top, source.folder) as old, opened_folder(target.top, target.folder) as new:
        removal.move(old, source.name, new, target.name, into_ours=is_in_trash(target.path))


def exchange(first: FileRef, second: FileRef) -> None:
    """Exchange two files, in one step. Raises OSError with one of UNSUPPORTED if that is impossible."""
    with (
        opened_folder(first.top, first.folder) as first_folder,
        opened_folder(second.top, second.folder) as second_folder,
    ):
        removal.exchange(first_folder, first.name, second_folder, second.name)


def link_new(source: FileRef, target: FileRef) -> None:
    """Give a file a second, free name."""
    with opened_folder(source.top, source.folder) as old, opened_folder(target.top, target.folder) as new:
        os.link(source.name, target.name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)


def remove(file_ref: FileRef, proof: Proof) -> bool:
    """Remove a file if `proof` is true for it. Returns whether it was removed. Otherwise it keeps its name or, if that
    was taken meanwhile, gets one next to it."""
    with opened_folder(file_ref.top, file_ref.folder) as folder:
        try:
            return removal.remove(folder, file_ref.name, proof, is_in_trash(file_ref.path)) is None
        except FileNotFoundError:
            return True


def remove_folder(file_ref: FileRef) -> None:
    """Remove an empty private folder that was made for a removal. Raises OSError."""
    with opened_folder(file_ref.top, file_ref.folder) as folder:
        removal.remove_private_folder(folder, file_ref.name)


def undo_removals(file_ref: FileRef) -> None:
    """After a crash: give a file its name back if it was left in a private folder that was made for its removal."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        opened_folder(file_ref.top, file_ref.folder) as folder,
    ):
        removal.undo_removals(folder, file_ref.name)


def proof_by_record(identity: Identity, digest: bytes) -> Proof:
    """The proof that a file is the recorded one, by its inode and the digest of its bytes."""

    def proof(descriptor: int) -> bool:
        is_it = Identity.of(os.fstat(descriptor)).inode == identity.inode
        return is_it and bool(digest) and digest_of(descriptor) == digest

    return proof


def proof_by_second_name(other: FileRef) -> Proof:
    """The proof that a file has another name. That name is read when the proof is called."""

    def proof(descriptor: int) -> bool:
        try:
            with opened_folder(other.top, other.folder) as folder:
                return removal.proof_by_second_name(folder, other.name)(descriptor)
        except OSError:
            return False

    return proof


def copy_new(descriptor: int, target: FileRef, temp: FileRef, digest: bytes) -> bool:
    """Copy an open file to a free name, with its times, mode and (if possible) extended attributes, and sync it.
    Returns whether the bytes read back from the disk have the digest; if not, the copy is removed.

    If the file system supports it, the copy has no name until it is complete. Otherwise it is written under the name
    `temp`. Raises FileExistsError if a name is taken, OSError. A failure leaves nothing behind.
    """

    def fill(copy: int) -> bool:
        file_bytes.copy_bytes(descriptor, copy)
        file_bytes.copy_attributes(descriptor, copy)
        return _digest_on_disk(copy) == digest

    return _create_file(target, temp, fill) is not None


def write_new(data: bytes, like: int, target: FileRef) -> Identity:
    """Write a file under a free name, with the times, mode, owner and extended attributes of the open file `like`.
    Syncs it and compares what is read back from the disk. A failure leaves nothing behind."""

    def fill(copy: int) -> bool:
        file_bytes.write_fully(copy, data)
        file_bytes.copy_attributes(like, copy)
        if _digest_on_disk(copy) != bytes(blake3(data).digest()):
            raise FileError(errno.EIO, "file.other_bytes")
        return True

    made = _create_file(target, target, fill)
    assert made is not None
    return made


def _create_file(target: FileRef, temp: FileRef, fill: Callable[[int], bool]) -> Identity | None:
    """Create a file, let `fill` write its bytes, and give it its name if `fill` returns true."""
    with opened_folder(target.top, target.folder) as folder:
        if not operating_system.UNNAMED:
            return _create_named_file(folder, target, temp, fill)
        try:
            copy = os.open(b".", operating_system.UNNAMED | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in NO_UNNAMED:
                raise
            return _create_named_file(folder, target, temp, fill)
        try:
            if not fill(copy):
                return None
            try:
                os.link(b"/proc/self/fd/%d" % copy, target.name, dst_dir_fd=folder, follow_symlinks=True)
            except OSError as error:
                if error.errno not in NO_UNNAMED | NO_LINKS:
                    raise
            else:
                return Identity.of(os.fstat(copy))
        finally:
            os.close(copy)
        return _create_named_file(folder, target, temp, fill)


def _create_named_file(folder: int, target: FileRef, temp: FileRef, fill: Callable[[int], bool]) -> Identity | None:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(temp.name, flags, 0o600, dir_fd=folder)
    is_kept = False
    try:
        is_kept = fill(copy)
        if is_kept and temp != target:
            removal.move(folder, temp.name, folder, target.name)
        return Identity.of(os.fstat(copy)) if is_kept else None
    except BaseException:
        is_kept = False
        raise
    finally:
        if not is_kept:
            status = os.fstat(copy)
            with contextlib.suppress(OSError):
                removal.remove(folder, temp.name, lambda file: os.path.samestat(os.fstat(file), status))
        os.close(copy)


def _digest_on_disk(descriptor: int) -> bytes:
    """The digest of a file as the disk has stored it."""
    file_bytes.sync_and_drop_cache(descriptor)
    return digest_of(descriptor)


def sync_folders(file_refs: Iterable[FileRef]) -> None:
    """Sync the folders of these files to the disk, and with them the names."""
    for top, path in {(file_ref.top, file_ref.folder) for file_ref in file_refs}:
        try:
            with opened_folder(top, path) as folder:
                os.fsync(folder)
        except OSError as error:
            # Some network file systems cannot sync folders. A folder that was removed need not be synced.
            if error.errno not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
