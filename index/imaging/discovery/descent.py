"""EDGE: files opened below a watched folder without following a symbolic link on the way.

A path is only a name: between a look at it and its use, any folder in it can be exchanged for a link. The folders from
`top`, a configured one, down to the file are therefore opened one after the other, and no step may be a link. `top`
itself may be one, or be reached by one. Every function raises OSError: NotADirectoryError or ELOOP for a link on the
way, EINVAL for a path that is not below `top` or that climbs with `..`, ENAMETOOLONG.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LONGEST_PATH: Final = 4096
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a named pipe put where a picture was must not hold us.
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# A folder on the way is not listed, and need not be readable.
_WAY: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def steps(top: bytes, path: bytes) -> list[bytes]:
    """The names that lead from `top` to a path at or below it."""
    if len(path) >= LONGEST_PATH:
        # Most of what is done with a file names it by its whole path.
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    above = top.rstrip(b"/")
    if path != top and not path.startswith(above + b"/"):
        raise OSError(errno.EINVAL, "is not below the watched folder")
    names = [name for name in path[len(above) :].split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise OSError(errno.EINVAL, "climbs out of the folder that it names")
    return names


@contextmanager
def _way_to(top: bytes, names: list[bytes]) -> Iterator[int]:
    """The folder that these names lead to."""
    descriptor = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            inner = os.open(name, _WAY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(top: bytes, path: bytes) -> int:
    """The descriptor of a regular file, to be closed by the caller. EINVAL for what is no regular file."""
    names = steps(top, path)
    if not names:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with _way_to(top, names[:-1]) as folder:
        descriptor = os.open(names[-1], READ, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file")
    return descriptor


def open_folder(top: bytes, path: bytes) -> int:
    """The descriptor of a folder that can be listed, to be closed by the caller."""
    names = steps(top, path)
    if not names:
        return os.open(top, FOLDER)
    with _way_to(top, names[:-1]) as folder:
        return os.open(names[-1], FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def status(top: bytes, path: bytes) -> os.stat_result:
    """The status of what a path names, of a link itself; of `top`, that of the folder."""
    names = steps(top, path)
    if not names:
        return os.stat(top)
    with _way_to(top, names[:-1]) as folder:
        return os.stat(names[-1], dir_fd=folder, follow_symlinks=False)


def standing_folder(top: bytes, path: bytes) -> tuple[bytes, int]:
    """The deepest folder that exists above a path below `top`, and its device."""
    names = steps(top, path)[:-1]
    reached = top
    descriptor = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            try:
                inner = os.open(name, _WAY, dir_fd=descriptor)
            except (FileNotFoundError, NotADirectoryError):
                break
            os.close(descriptor)
            descriptor = inner
            reached = os.path.join(reached, name)
        return reached, os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def link_finder(top: bytes) -> Callable[[bytes], bool]:
    """Whether a path below `top` leads through a symbolic link, or through what is no folder; each folder is looked at
    once. What cannot be looked at is taken for no link."""
    known: dict[bytes, bool] = {}

    def is_behind_link(path: bytes) -> bool:
        folder = os.path.dirname(path)
        if folder not in known:
            known[folder] = _leads_through_link(top, folder)
        return known[folder]

    return is_behind_link


def _leads_through_link(top: bytes, folder: bytes) -> bool:
    try:
        reached, _ = standing_folder(top, os.path.join(folder, b"-"))
        if reached == folder:
            return False
        following = steps(reached, folder)[0]
        return not stat.S_ISDIR(status(top, os.path.join(reached, following)).st_mode)
    except OSError:
        return False
