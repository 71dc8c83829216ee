"""EDGE: changes of names on disk that follow no link and overwrite nothing. Any thread.

A file is named by a `Spot`. Its folder is opened step by step from a folder that the configuration names, and no step
may be a symbolic link, so that nobody can lead a change elsewhere by exchanging a folder for a link. Everything here
either happens or raises OSError (FileExistsError where a name is taken) and leaves the names as they were.
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

from daemon.files import contents, removal
from daemon.files.contents import are_equal, digest_of
from daemon.files.removal import FOLDER, NO_LINKS, NO_SPACE, READ, UNSUPPORTED, Proof
from index.images import descent
from index.images.trash_places import is_in_trash
from index.model import Identity

# What a file system (NFS, FAT, some of FUSE) says to a file without a name, and a system without /proc to naming it.
NO_UNNAMED: Final = frozenset({*UNSUPPORTED, errno.EISDIR, errno.ENOENT})

__all__ = ["FOLDER", "NO_LINKS", "NO_SPACE", "READ", "UNSUPPORTED", "Spot", "are_equal", "digest_of"]


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
        removal.move(old, source.name, new, target.name, into_ours=is_in_trash(target.path))


def exchange(first: Spot, second: Spot) -> None:
    """Let two files change places, in one step. Raises OSError with one of UNSUPPORTED where that cannot be done."""
    with opened_folder(first.top, first.folder) as one, opened_folder(second.top, second.folder) as other:
        removal.exchange(one, first.name, other, second.name)


def link_new(source: Spot, target: Spot) -> None:
    """Give a file another name besides its own, that nobody has."""
    with opened_folder(source.top, source.folder) as old, opened_folder(target.top, target.folder) as new:
        os.link(source.name, target.name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)


def remove(spot: Spot, proof: Proof) -> bool:
    """Remove a file where `proof` holds of it; whether it is gone. Otherwise it stays under its name or, where that was
    taken meanwhile, beside it."""
    with opened_folder(spot.top, spot.folder) as folder:
        try:
            return removal.remove(folder, spot.name, proof, is_in_trash(spot.path)) is None
        except FileNotFoundError:
            return True


def remove_folder(spot: Spot) -> None:
    """Remove an empty folder that was made for a removal. Raises OSError."""
    with opened_folder(spot.top, spot.folder) as folder:
        removal.remove_private_folder(folder, spot.name)


def put_back(spot: Spot) -> None:
    """Give a file its name back that a crash left in a folder made for its removal."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), opened_folder(spot.top, spot.folder) as folder:
        removal.put_back_all(folder, spot.name)


def recorded(identity: Identity, digest: bytes) -> Proof:
    """The proof of a file that is recorded by its inode and the digest of its bytes."""

    def proof(descriptor: int) -> bool:
        is_it = os.fstat(descriptor).st_ino == identity.inode
        return is_it and bool(digest) and digest_of(descriptor) == digest

    return proof


def second_name_of(other: Spot) -> Proof:
    """The proof of a file that has another name, looked at when it is asked for."""

    def proof(descriptor: int) -> bool:
        try:
            with opened_folder(other.top, other.folder) as folder:
                return removal.second_name(folder, other.name)(descriptor)
        except OSError:
            return False

    return proof


def copy_new(descriptor: int, target: Spot, temp: Spot, digest: bytes) -> bool:
    """Copy an open file to a name that nobody has, with its times, mode and (where possible) extended attributes, to
    the disk itself. Whether what is read back from there has the digest: otherwise nothing is left of it.

    Where the file system can, the copy has no name before it is complete; elsewhere it is made under the name `temp`.
    Raises FileExistsError where a name is taken, OSError; a failure leaves nothing.
    """

    def fill(copy: int) -> bool:
        contents.copy_bytes(descriptor, copy)
        contents.copy_attributes(descriptor, copy)
        return _digest_on_disk(copy) == digest

    return _made(target, temp, fill) is not None


def write_new(data: bytes, like: int, target: Spot) -> Identity:
    """Write a file under a name that nobody has, with the times, mode, owner and extended attributes of an open one,
    to the disk itself, and compare what is read back from there. A failure leaves nothing."""

    def fill(copy: int) -> bool:
        contents.write_fully(copy, data)
        contents.copy_attributes(like, copy)
        if _digest_on_disk(copy) != bytes(blake3(data).digest()):
            raise OSError(errno.EIO, "the disk gives back other bytes than were written")
        return True

    made = _made(target, target, fill)
    assert made is not None
    return made


def _made(target: Spot, temp: Spot, fill: Callable[[int], bool]) -> Identity | None:
    """Make a file with the bytes that `fill` writes, and give it its name if that returns true."""
    with opened_folder(target.top, target.folder) as folder:
        try:
            copy = os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in NO_UNNAMED:
                raise
            return _made_under_name(folder, target, temp, fill)
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
        return _made_under_name(folder, target, temp, fill)


def _made_under_name(folder: int, target: Spot, temp: Spot, fill: Callable[[int], bool]) -> Identity | None:
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
    """The digest of a file as the disk has it."""
    contents.bring_to_disk(descriptor)
    return digest_of(descriptor)


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
