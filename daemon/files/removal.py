"""EDGE: removal. The only module that takes the last name of a file away outside our own data folder. Any thread.

Three kinds of files may be removed (docs/safety.md): a file that we made and a trashed file that a person ordered to be
emptied, both recorded by inode and digest, and a second name of a file that has another one. Any name can be given to
another file at any moment, so a look at the name proves nothing. It is first moved into a new folder, which nobody else
knows and only we may write to. There the file is checked, then unlinked. A file that is not proven gets its name back,
or a visible one near to it.

Folders are given as open descriptors, names without slashes. Plain renames and unlink(2) are used nowhere else.
"""

import contextlib
import ctypes
import errno
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from daemon.files.file_names import visible_names

log = logging.getLogger(__name__)

# Whether an open file is one that may be removed.
Proof = Callable[[int], bool]

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a named pipe put where a picture was must not hold us.
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Flags of renameat2(2).
NOREPLACE: Final = 1
EXCHANGE: Final = 2
# What a file system (NFS, some of FUSE), an old kernel or an old C library says to those flags.
UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
# What a file system without hard links (FAT, some network shares) says to link(2).
NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
PRIVATE: Final = re.compile(rb"\.comparimg-[0-9a-f]{16}\.removing")

_libc = ctypes.CDLL(None, use_errno=True)


def remove(folder: int, name: bytes, proof: Proof) -> bytes | None:
    """Remove a name where `proof` holds of the file behind it; None when it is removed.

    Otherwise the file stays, and its name in the folder is returned: its own, or a visible one near to it where
    another file took its own meanwhile. Raises FileNotFoundError where there is none, and OSError (also from `proof`)
    with the file under its name again.
    """
    with _private_folder(folder) as private:
        # The folder is new: there is nothing that this could replace.
        os.rename(name, name, src_dir_fd=folder, dst_dir_fd=private)
        try:
            proven = _is_proven(private, name, proof)
        except BaseException:
            _put_back(private, name, folder)
            raise
        if not proven:
            return _put_back(private, name, folder)
        os.unlink(name, dir_fd=private)
        return None


def move(old: int, source: bytes, new: int, target: bytes) -> None:
    """Give a file a new name that nobody has. Raises FileExistsError where it is taken, OSError.

    Where the file system cannot do that in one step the file has both names for a moment, or an empty file holds the
    new one. A crash may leave that.
    """
    try:
        _renameat2(old, source, new, target, NOREPLACE)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _move_by_link(old, source, new, target)


def exchange(old: int, source: bytes, new: int, target: bytes) -> None:
    """Let two files change names, in one step. Raises OSError with one of UNSUPPORTED where that cannot be done."""
    _renameat2(old, source, new, target, EXCHANGE)


def put_back_all(folder: int, name: bytes) -> None:
    """Give a file its name back that a crash left in a folder made for its removal. What cannot be given its own name
    stands beside it under a visible one."""
    for inner in os.listdir(folder):
        private = os.fsencode(inner)
        if not PRIVATE.fullmatch(private):
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            descriptor = os.open(private, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            try:
                if name in map(os.fsencode, os.listdir(descriptor)):
                    _put_back(descriptor, name, folder)
            finally:
                os.close(descriptor)
            with contextlib.suppress(OSError):
                os.rmdir(private, dir_fd=folder)


@contextmanager
def _private_folder(folder: int) -> Iterator[int]:
    """A new folder in another, which goes when it is empty in the end."""
    name = b".comparimg-%s.removing" % secrets.token_hex(8).encode()
    os.mkdir(name, 0o700, dir_fd=folder)
    try:
        private = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        try:
            yield private
        finally:
            os.close(private)
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=folder)


def _is_proven(folder: int, name: bytes, proof: Proof) -> bool:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    try:
        descriptor = os.open(name, READ, dir_fd=folder)
    except PermissionError:
        return False  # what cannot be read cannot be proven
    try:
        before = os.fstat(descriptor)
        return (
            stat.S_ISREG(before.st_mode)
            and proof(descriptor)
            and _state(os.fstat(descriptor)) == _state(before)
            and os.path.samestat(os.stat(name, dir_fd=folder, follow_symlinks=False), before)
        )
    finally:
        os.close(descriptor)


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _put_back(private: int, name: bytes, folder: int) -> bytes:
    """Give a file its name in a folder again, or a visible one near to it; the name. Nothing is overwritten."""
    for candidate in (name, *visible_names(name)):
        try:
            _move_out(private, name, folder, candidate)
        except FileExistsError:
            continue
        if candidate != name:
            shown = candidate.decode("utf-8", "replace")
            log.warning("another file took the name of one that was to be looked at, which is kept as %s", shown)
        return candidate
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


def _move_out(private: int, name: bytes, folder: int, target: bytes) -> None:
    """As `move`, out of a folder to which only we write: the name there is still that of the same file."""
    try:
        _renameat2(private, name, folder, target, NOREPLACE)
        return
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    try:
        os.link(name, target, src_dir_fd=private, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _move_by_reserving(private, name, folder, target)
        return
    if _is_one_file(private, name, folder, target):
        os.unlink(name, dir_fd=private)


def _move_by_link(old: int, source: bytes, new: int, target: bytes) -> None:
    """A new name by link(2), which never overwrites; then the old one is removed as a second name."""
    try:
        os.link(source, target, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _move_by_reserving(old, source, new, target)
        return
    # Another file that was saved under the old name since is not proven, and stays.
    remove(old, source, second_name(new, target))


def _move_by_reserving(old: int, source: bytes, new: int, target: bytes) -> None:
    """A new name by an empty file that reserves it and is then replaced: for file systems that have neither."""
    reserved = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=new)
    try:
        status = os.fstat(reserved)
        try:
            os.rename(source, target, src_dir_fd=old, dst_dir_fd=new)
        except OSError:
            with contextlib.suppress(OSError):
                remove(new, target, lambda file: os.path.samestat(os.fstat(file), status) and not status.st_size)
            raise
        _keep_written(reserved, new, target)
    finally:
        os.close(reserved)


def _keep_written(reserved: int, folder: int, name: bytes) -> None:
    """Keep what another program wrote into the empty file that reserved a name, before it was replaced."""
    size = os.fstat(reserved).st_size
    if not size:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for candidate in visible_names(name):
        with contextlib.suppress(FileExistsError):
            copy = os.open(candidate, flags, 0o600, dir_fd=folder)
            try:
                while piece := os.pread(reserved, 2**20, os.fstat(copy).st_size):
                    os.write(copy, piece)
                os.fsync(copy)
            finally:
                os.close(copy)
            return


def second_name(folder: int, name: bytes) -> Proof:
    """The proof of a file that has another name, looked at when it is asked for."""

    def proof(descriptor: int) -> bool:
        try:
            other = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(other, os.fstat(descriptor))

    return proof


def _is_one_file(old: int, source: bytes, new: int, target: bytes) -> bool:
    first = os.stat(source, dir_fd=old, follow_symlinks=False)
    return os.path.samestat(first, os.stat(target, dir_fd=new, follow_symlinks=False))


def _renameat2(old: int, source: bytes, new: int, target: bytes, flags: int) -> None:
    call = getattr(_libc, "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(old, source, new, target, flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(target))
