"""EDGE: removes files. The only module that removes the last name of a file outside our own data folder. Any thread.

Three kinds of files may be removed (docs/safety.md): a file that we made, a trashed file that a person ordered to be
emptied (both are recorded by inode and digest), and a second name of a file that has another name. If a file system can
neither rename without replacing nor create hard links, a file is moved by a verified copy: then the original counts as
a second name.

Another program can give the name to another file at any moment, so checking the file under its name proves nothing. The
file is first moved into a new folder, whose name no one else knows and to which only we may write. There it is checked,
then unlinked. A file without proof gets its name back, or a visible name close to it.

Folders are given as open descriptors, names without slashes. Plain renames and unlink(2) are used nowhere else.
"""

import contextlib
import errno
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from daemon.files import file_bytes
from daemon.files.file_names import visible_names
from index.errors import FileError
from index.operating_system import RENAME_EXCHANGE, RENAME_NOREPLACE, renameat2

log = logging.getLogger(__name__)

# Whether an open file may be removed.
Proof = Callable[[int], bool]

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a named pipe in the place of a picture must not block us.
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Errors of a file system (NFS, some of FUSE), an old kernel or an old C library without those flags.
UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
# Errors of link(2) on a file system without hard links (FAT, some network shares).
NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
# Errors of a full disk, an exhausted quota, and a limit on the size of files.
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PRIVATE: Final = re.compile(rb"\.comparimg-[0-9a-f]{16}\.removing")


def remove(folder: int, name: bytes, proof: Proof, is_ours: bool = False) -> bytes | None:
    """Remove a name if `proof` is true for the file that has it; None when it is removed.

    Otherwise the file stays, and its name in the folder is returned: its own, or a visible one close to it if another
    file has taken its own in the meantime. Raises FileNotFoundError if there is none, and OSError (also from `proof`)
    with the file under its name again.

    `is_ours` says that only we write to the folder: then the file can be removed even if the disk is full and has no
    room for a new folder.
    """
    try:
        stack = ExitStack()
        private = stack.enter_context(private_folder(folder))
    except OSError as error:
        if error.errno not in NO_SPACE or not is_ours:
            raise
        return _remove_here(folder, name, proof)
    with stack:
        # The folder is new and empty: this rename cannot replace a file.
        os.rename(name, name, src_dir_fd=folder, dst_dir_fd=private)
        try:
            proven = _is_proven(private, name, proof)
        except BaseException:
            _restore_name(private, name, folder)
            raise
        if not proven:
            return _restore_name(private, name, folder)
        os.unlink(name, dir_fd=private)
        return None


def _remove_here(folder: int, name: bytes, proof: Proof) -> bytes | None:
    """Like `remove`, in a folder to which only we write."""
    if not _is_proven(folder, name, proof):
        return name
    os.unlink(name, dir_fd=folder)
    return None


def move(old: int, source: bytes, new: int, target: bytes, into_ours: bool = False) -> None:
    """Rename a file to a free name. Raises FileExistsError if it is taken, OSError.

    If the file system cannot do that in one step, the file has both names for a moment. If it has no hard links either,
    the file is copied and the original removed. A crash may leave both. `into_ours`: only we write to the new folder,
    so a plain rename is safe there.
    """
    try:
        renameat2(old, source, new, target, RENAME_NOREPLACE)
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
        # If another file was saved under the old name since, the proof fails and that file stays.
        remove(old, source, proof_by_second_name(new, target))
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
    """Exchange the names of two files, in one step. Raises OSError with one of UNSUPPORTED if that is impossible."""
    renameat2(old, source, new, target, RENAME_EXCHANGE)


def undo_removals(folder: int, name: bytes) -> None:
    """After a crash: give a file its name back if it was left in a private folder that was made for its removal. If the
    name is taken, the file gets a visible one next to it."""
    for inner in os.listdir(folder):
        private = os.fsencode(inner)
        if not PRIVATE.fullmatch(private):
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            descriptor = os.open(private, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            try:
                if name in map(os.fsencode, os.listdir(descriptor)):
                    _restore_name(descriptor, name, folder)
            finally:
                os.close(descriptor)
            with contextlib.suppress(OSError):
                os.rmdir(private, dir_fd=folder)


def remove_private_folder(folder: int, name: bytes) -> None:
    """Remove an empty private folder that a crash left behind. Raises OSError, and ValueError for any other folder."""
    if not PRIVATE.fullmatch(name):
        raise ValueError(name)
    os.rmdir(name, dir_fd=folder)


@contextmanager
def private_folder(folder: int) -> Iterator[int]:
    """Create a folder inside another one; it is removed at the end if it is empty."""
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
        return False  # a file that cannot be read cannot be proven
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


def _restore_name(private: int, name: bytes, folder: int) -> bytes:
    """Give a file its name in a folder back, or a visible one close to it. Returns the name. Nothing is overwritten."""
    for candidate in (name, *visible_names(name)):
        try:
            _move_out(private, name, folder, candidate)
        except FileExistsError:
            continue
        if candidate != name:
            shown = candidate.decode("utf-8", "replace")
            log.warning("another file took the name of one that was being checked, which is kept as %s", shown)
        return candidate
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


def _move_out(private: int, name: bytes, folder: int, target: bytes) -> None:
    """Like `move`, out of a folder to which only we write, so the name there still belongs to the same file."""
    try:
        renameat2(private, name, folder, target, RENAME_NOREPLACE)
        return
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    mode = os.stat(name, dir_fd=private, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        os.rename(name, target, src_dir_fd=private, dst_dir_fd=folder)  # a folder cannot replace a file
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
    """Copy a file to a free name, then remove the original. For file systems that support neither of the other ways."""
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
                file_bytes.copy_bytes(original, copy)
                file_bytes.copy_attributes(original, copy)
                file_bytes.sync_and_drop_cache(copy)
                is_whole = file_bytes.are_equal(original, copy)
            finally:
                if not is_whole:
                    remove(new, target, lambda file: os.path.samestat(os.fstat(file), made))
        finally:
            os.close(copy)
        if not is_whole:
            raise FileError(errno.EIO, "file.changed_while_copied")

        def is_copied(file: int) -> bool:
            there = os.stat(target, dir_fd=new, follow_symlinks=False)
            now = os.fstat(file)
            return os.path.samestat(now, status) and _state(now) == _state(status) and os.path.samestat(there, made)

        remove(old, source, is_copied)
    finally:
        os.close(original)


def proof_by_second_name(folder: int, name: bytes) -> Proof:
    """The proof that a file has another name. That name is read when the proof is called."""

    def proof(descriptor: int) -> bool:
        try:
            other = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(other, os.fstat(descriptor))

    return proof
