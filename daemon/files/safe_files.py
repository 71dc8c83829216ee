"""EDGE: changes of names on disk that follow no link and overwrite nothing. Any thread.

A file is named by a `Spot`. Its folder is opened step by step from a folder that the configuration names, and no step
may be a symbolic link, so that nobody can lead a change elsewhere by exchanging a folder for a link. Everything here
either happens or raises OSError (FileExistsError where a name is taken) and leaves the names as they were.
"""

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from index.model import Identity

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a named pipe put where a picture was must not hold us.
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
PIECE_BYTES: Final = 2**20
# Flags of renameat2(2).
NOREPLACE: Final = 1
EXCHANGE: Final = 2
# What a file system (NFS, some of FUSE), an old kernel or an old C library says to those flags.
UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
# What a file system without hard links (FAT, some network shares) says to link(2).
NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})

# What a full disk says, a used-up quota, and a limit on the size of files.
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Spot:
    """A name in a folder at or below `top`; both are absolute. `top` itself may be reached by a link."""

    top: bytes
    path: bytes

    @property
    def folder(self) -> bytes:
        return os.path.dirname(self.path)

    @property
    def name(self) -> bytes:
        return os.path.basename(self.path)

    def beside(self, name: bytes) -> "Spot":
        """Another name in the same folder."""
        return Spot(self.top, os.path.join(self.folder, name))


@contextmanager
def opened_folder(top: bytes, folder: bytes, make: bool = False) -> Iterator[int]:
    """A folder at or below `top`, opened without following a link below it, made where it is missing if asked."""
    descriptor = os.open(top, FOLDER)
    try:
        for name in folder[len(top) :].split(b"/"):
            if not name:
                continue
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
def opened_file(spot: Spot) -> Iterator[int]:
    """A regular file, opened for reading. Raises OSError, with ELOOP for a link and EINVAL for what is no file."""
    with opened_folder(spot.top, spot.folder) as folder:
        descriptor = os.open(spot.name, READ, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def identity_at(spot: Spot) -> Identity | None:
    """What is at a spot, None where nothing is. Raises OSError where that cannot be told, and where `top` is away."""
    os.stat(spot.top)
    try:
        with opened_folder(spot.top, spot.folder) as folder:
            return Identity.of(os.stat(spot.name, dir_fd=folder, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a folder on the way became a link: whatever is behind it is not ours
            return None
        raise


def is_same(first: Identity | None, second: Identity | None) -> bool:
    """Whether two looks were at one unchanged file. A device number is no witness: a disk comes back under another."""
    return (
        first is not None
        and second is not None
        and (first.inode, first.size_bytes, first.mtime_ns) == (second.inode, second.size_bytes, second.mtime_ns)
    )


def digest_of(descriptor: int) -> bytes:
    """The content digest of an open file, as index.images.pictures.digest has it."""
    found = blake3()
    os.lseek(descriptor, 0, os.SEEK_SET)
    while piece := os.read(descriptor, PIECE_BYTES):
        found.update(piece)
    return bytes(found.digest())


def are_equal(first: int, second: int) -> bool:
    """Whether two open files hold the same bytes, compared one by one."""
    for descriptor in (first, second):
        os.lseek(descriptor, 0, os.SEEK_SET)
    while True:
        pieces = [_read_fully(descriptor) for descriptor in (first, second)]
        if pieces[0] != pieces[1]:
            return False
        if not pieces[0]:
            return True


def _read_fully(descriptor: int) -> bytes:
    """A piece as long as can be had: read(2) may give less than asked for."""
    piece = b""
    while len(piece) < PIECE_BYTES and (more := os.read(descriptor, PIECE_BYTES - len(piece))):
        piece += more
    return piece


def mount_key(descriptor: int) -> tuple[int, int]:
    """What two folders must have in common for a rename between them: the mount (a bind mount is another one) and the
    device (a btrfs subvolume is another one)."""
    device = os.fstat(descriptor).st_dev
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as lines:
            told = next(line for line in lines if line.startswith(b"mnt_id:"))
            return int(told.split()[1]), device
    except (OSError, StopIteration, ValueError):
        return 0, device


def can_rename(first: Spot, second: Spot) -> bool:
    """Whether a file of the one folder can get a name in the other without being copied."""
    with opened_folder(first.top, first.folder) as one, opened_folder(second.top, second.folder) as other:
        return mount_key(one) == mount_key(other)


# Changes


def rename_new(source: Spot, target: Spot) -> None:
    """Give a file a new name that nobody has."""
    with opened_folder(source.top, source.folder) as old, opened_folder(target.top, target.folder) as new:
        try:
            _renameat2(old, source.name, new, target.name, NOREPLACE)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            _rename_by_link(old, source.name, new, target.name)


def exchange(first: Spot, second: Spot) -> None:
    """Let two files change places, in one moment. Raises OSError with one of UNSUPPORTED where that cannot be done."""
    with opened_folder(first.top, first.folder) as one, opened_folder(second.top, second.folder) as other:
        _renameat2(one, first.name, other, second.name, EXCHANGE)


def link_new(source: Spot, target: Spot) -> None:
    """Give a file another name besides its own, that nobody has."""
    with opened_folder(source.top, source.folder) as old, opened_folder(target.top, target.folder) as new:
        os.link(source.name, target.name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)


def rename_over(source: Spot, target: Spot) -> None:
    """Let a file take the name of another one that has a second name; the caller has made sure of that."""
    with opened_folder(source.top, source.folder) as old, opened_folder(target.top, target.folder) as new:
        os.rename(source.name, target.name, src_dir_fd=old, dst_dir_fd=new)


def remove(spot: Spot) -> None:
    """Remove a name: of a temporary file of ours, a second name, or what a person orders to be emptied."""
    with opened_folder(spot.top, spot.folder) as folder:
        os.unlink(spot.name, dir_fd=folder)


def copy_new(descriptor: int, target: Spot) -> bytes:
    """Copy an open file to a name that nobody has, with its times, mode and (where possible) extended attributes, to
    the disk itself; the digest of what was read back from there. A failure removes what was begun."""
    with opened_folder(target.top, target.folder) as folder:
        copy = os.open(
            target.name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder
        )
        try:
            _copy_bytes(descriptor, copy)
            _copy_attributes(descriptor, copy)
            os.fsync(copy)
            # What is in memory still would be read back from there, whatever the disk made of it.
            os.posix_fadvise(copy, 0, 0, os.POSIX_FADV_DONTNEED)
            return digest_of(copy)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(target.name, dir_fd=folder)
            raise
        finally:
            os.close(copy)


def write_new(data: bytes, like: int, target: Spot) -> Identity:
    """Write a file under a name that nobody has, with the times, mode, owner and extended attributes of an open one,
    to the disk itself, and compare what is read back from there. A failure removes what was begun."""
    with opened_folder(target.top, target.folder) as folder:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        made = os.open(target.name, flags, 0o600, dir_fd=folder)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(made, rest) :]
            _copy_attributes(like, made)
            os.fsync(made)
            os.posix_fadvise(made, 0, 0, os.POSIX_FADV_DONTNEED)
            if digest_of(made) != bytes(blake3(data).digest()):
                raise OSError(errno.EIO, "the disk gives back other bytes than were written")
            return Identity.of(os.fstat(made))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(target.name, dir_fd=folder)
            raise
        finally:
            os.close(made)


def sync_folders(spots: Iterable[Spot]) -> None:
    """Bring the names in the folders of these spots to the disk."""
    for top, path in {(spot.top, spot.folder) for spot in spots}:
        try:
            with opened_folder(top, path) as folder:
                os.fsync(folder)
        except OSError as error:
            # Some network file systems have no such thing for folders; what is gone needs none.
            if error.errno not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise


def _renameat2(old: int, source: bytes, new: int, target: bytes, flags: int) -> None:
    call = getattr(_libc, "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(old, source, new, target, flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(target))


def _rename_by_link(old: int, source: bytes, new: int, target: bytes) -> None:
    """A new name by link(2), which never overwrites, then the old one away."""
    try:
        os.link(source, target, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_by_reserving(old, source, new, target)
        return
    if _inode(old, source) == _inode(new, target):
        os.unlink(source, dir_fd=old)


def _rename_by_reserving(old: int, source: bytes, new: int, target: bytes) -> None:
    """A new name by an empty file that reserves it, which is then replaced: for file systems that have neither."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(target, flags, 0o600, dir_fd=new))
    reserved = _inode(new, target)
    try:
        os.rename(source, target, src_dir_fd=old, dst_dir_fd=new)
    except OSError:
        if _inode(new, target) == reserved:
            os.unlink(target, dir_fd=new)
        raise


def _inode(folder: int, name: bytes) -> tuple[int, int]:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return status.st_dev, status.st_ino


def _copy_bytes(source: int, target: int) -> None:
    os.lseek(source, 0, os.SEEK_SET)
    while piece := os.read(source, PIECE_BYTES):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(target, rest) :]


def _copy_attributes(source: int, target: int) -> None:
    status = os.fstat(source)
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
    with contextlib.suppress(OSError):
        os.fchown(target, status.st_uid, status.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
