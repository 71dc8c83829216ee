"""EDGE: removal. The only module that takes the last name of a file away outside our own data folder. Any thread.

Three kinds of files may be removed (docs/safety.md): a file that we made and a trashed file that a person ordered to be
emptied, both recorded by inode and digest, and a second name of a file that has another one. (Where a file system can
neither rename without replacing nor link, a file is moved by a copy that is compared: the original counts as such.)

Any name can be given to another file at any moment, so a look at the name proves nothing. It is first moved into a new
folder, which nobody else knows and only we may write to. There the file is checked, then unlinked. A file that is not
proven gets its name back, or a visible one near to it.

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
from contextlib import ExitStack, contextmanager
from typing import Final

from daemon.files import contents
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
# What a full disk says, a used-up quota, and a limit on the size of files.
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PRIVATE: Final = re.compile(rb"\.comparimg-[0-9a-f]{16}\.removing")

_libc = ctypes.CDLL(None, use_errno=True)


def remove(folder: int, name: bytes, proof: Proof, is_ours: bool = False) -> bytes | None:
    """Remove a name where `proof` holds of the file behind it; None when it is removed.

    `is_ours` says that only we write to the folder: there a full disk, which has no room for a new folder, is no
    hindrance to emptying it.

    Otherwise the file stays, and its name in the folder is returned: its own, or a visible one near to it where
    another file took its own meanwhile. Raises FileNotFoundError where there is none, and OSError (also from `proof`)
    with the file under its name again.
    """
    try:
        stack = ExitStack()
        private = stack.enter_context(private_folder(folder))
    except OSError as error:
        if error.errno not in NO_SPACE or not is_ours:
            raise
        return _remove_here(folder, name, proof)
    with stack:
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


def _remove_here(folder: int, name: bytes, proof: Proof) -> bytes | None:
    """As `remove`, in a folder to which only we write."""
    if not _is_proven(folder, name, proof):
        return name
    os.unlink(name, dir_fd=folder)
    return None


def move(old: int, source: bytes, new: int, target: bytes, into_ours: bool = False) -> None:
    """Give a file a new name that nobody has. Raises FileExistsError where it is taken, OSError.

    Where the file system cannot do that in one step the file has both names for a moment. Where it has no hard links
    either the file is copied, and the original removed; `into_ours` says that only we write to the new folder, so that
    a plain rename suffices there. A crash may leave both.
    """
    try:
        _renameat2(old, source, new, target, NOREPLACE)
        return
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    try:
        os.link(source, target, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    else:
        # Another file that was saved under the old name since is not proven, and stays.
        remove(old, source, second_name(new, target))
        return
    if not into_ours:
        _move_by_copy(old, source, new, target)
    elif _is_free(new, target):
        os.rename(source, target, src_dir_fd=old, dst_dir_fd=new)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _is_free(folder: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return True
    return False


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


def remove_private_folder(folder: int, name: bytes) -> None:
    """Remove a folder that a crash left, if it is empty. Raises OSError, ValueError for any other folder."""
    if not PRIVATE.fullmatch(name):
        raise ValueError(name)
    os.rmdir(name, dir_fd=folder)


@contextmanager
def private_folder(folder: int) -> Iterator[int]:
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
    mode = os.stat(name, dir_fd=private, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        os.rename(name, target, src_dir_fd=private, dst_dir_fd=folder)  # a folder replaces no file
        return
    try:
        os.link(name, target, src_dir_fd=private, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if not stat.S_ISLNK(mode):
            _move_by_copy(private, name, folder, target)
            return
        os.symlink(os.readlink(name, dir_fd=private), target, dir_fd=folder)
    os.unlink(name, dir_fd=private)


def _move_by_copy(old: int, source: bytes, new: int, target: bytes) -> None:
    """A copy under a name that nobody has, then the original is removed: for file systems that have neither."""
    original = os.open(source, READ, dir_fd=old)
    try:
        status = os.fstat(original)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        copy = os.open(target, flags, 0o600, dir_fd=new)
        try:
            made = os.fstat(copy)
            is_whole = False
            try:
                contents.copy_bytes(original, copy)
                contents.copy_attributes(original, copy)
                contents.bring_to_disk(copy)
                is_whole = contents.are_equal(original, copy)
            finally:
                if not is_whole:
                    remove(new, target, lambda file: os.path.samestat(os.fstat(file), made))
        finally:
            os.close(copy)
        if not is_whole:
            raise OSError(errno.EIO, "the file changed while it was copied, or the disk gives back other bytes")

        def is_copied(file: int) -> bool:
            there = os.stat(target, dir_fd=new, follow_symlinks=False)
            now = os.fstat(file)
            return os.path.samestat(now, status) and _state(now) == _state(status) and os.path.samestat(there, made)

        remove(old, source, is_copied)
    finally:
        os.close(original)


def second_name(folder: int, name: bytes) -> Proof:
    """The proof of a file that has another name, looked at when it is asked for."""

    def proof(descriptor: int) -> bool:
        try:
            other = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(other, os.fstat(descriptor))

    return proof


def _renameat2(old: int, source: bytes, new: int, target: bytes, flags: int) -> None:
    call = getattr(_libc, "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(old, source, new, target, flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(target))
