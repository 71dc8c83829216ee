"""EDGE: opens files below a watched folder without following a symbolic link in their path.

Between the check of a path and its use, any folder in it can be replaced by a link. So the folders from `top`, which is
configured, down to the file are opened one after another, and none may be a link. `top` itself may be a link, or be
reached by one. Every function raises OSError: NotADirectoryError or ELOOP for a link in the path, EINVAL for a path
that is not below `top` or contains `..`, ENAMETOOLONG.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from index import operating_system
from index.errors import FileError

LONGEST_PATH: Final = 4096
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe in place of a picture must not block.
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# For folders in a path, which are not listed and need not be readable.
_TRAVERSE: Final = operating_system.TRAVERSE | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def steps(top: bytes, path: bytes) -> list[bytes]:
    """The names that lead from `top` to a path at or below it."""
    if len(path) >= LONGEST_PATH:
        # Longer paths are refused, since most system calls on the file would fail.
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    above = top.rstrip(b"/")
    if path != top and not path.startswith(above + b"/"):
        raise FileError(errno.EINVAL, "file.not_below")
    names = [name for name in path[len(above) :].split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise FileError(errno.EINVAL, "file.climbs_out")
    return names


@contextmanager
def _folder_at(top: bytes, names: list[bytes]) -> Iterator[int]:
    """The descriptor of the folder at the end of these names."""
    descriptor = os.open(top, operating_system.TRAVERSE | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            inner = os.open(name, _TRAVERSE, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(top: bytes, path: bytes) -> int:
    """The descriptor of a regular file, which the caller closes. EINVAL for anything else."""
    names = steps(top, path)
    if not names:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with _folder_at(top, names[:-1]) as folder:
        descriptor = os.open(names[-1], READ, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileError(errno.EINVAL, "file.not_regular")
    return descriptor


def open_folder(top: bytes, path: bytes) -> int:
    """The descriptor of a folder that can be listed, which the caller closes."""
    names = steps(top, path)
    if not names:
        return os.open(top, FOLDER)
    with _folder_at(top, names[:-1]) as folder:
        return os.open(names[-1], FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def status(top: bytes, path: bytes) -> os.stat_result:
    """The status of a path. For a link, the status of the link itself; only `top` is followed."""
    names = steps(top, path)
    if not names:
        return os.stat(top)
    with _folder_at(top, names[:-1]) as folder:
        return os.stat(names[-1], dir_fd=folder, follow_symlinks=False)


def nearest_existing_folder(top: bytes, path: bytes) -> tuple[bytes, int]:
    """The deepest existing folder above a path below `top`, and its device."""
    names = steps(top, path)[:-1]
    reached = top
    descriptor = os.open(top, operating_system.TRAVERSE | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            try:
                inner = os.open(name, _TRAVERSE, dir_fd=descriptor)
            except (FileNotFoundError, NotADirectoryError):
                break
            os.close(descriptor)
            descriptor = inner
            reached = os.path.join(reached, name)
        return reached, os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def link_finder(top: bytes) -> Callable[[bytes], bool]:
    """A function that says whether a path below `top` leads through a symbolic link, or through something that is no
    folder. Each folder is examined once. A folder that cannot be examined counts as no link."""
    known: dict[bytes, bool] = {}

    def is_behind_link(path: bytes) -> bool:
        folder = os.path.dirname(path)
        if folder not in known:
            known[folder] = _leads_through_link(top, folder)
        return known[folder]

    return is_behind_link


def _leads_through_link(top: bytes, folder: bytes) -> bool:
    try:
        reached, _ = nearest_existing_folder(top, os.path.join(folder, b"-"))
        if reached == folder:
            return False
        following = steps(reached, folder)[0]
        return not stat.S_ISDIR(status(top, os.path.join(reached, following)).st_mode)
    except OSError:
        return False
