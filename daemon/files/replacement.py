"""EDGE: puts one file in the place of another, even if another program saves to that path meanwhile. Any thread.

A file that another program saved meanwhile gets its name back. If there are several, the newest gets it, and older ones
are kept.
"""

import os
from collections.abc import Callable
from typing import Final

from daemon.files import safe_files
from daemon.files.rescue import Rescue
from daemon.files.safe_files import FileRef
from index.errors import StepRefused

# How often a program may save a file again while its previous save is being restored.
MOST_SAVES: Final = 10_000


def is_open_at(descriptor: int, file_ref: FileRef) -> bool:
    """Whether a path leads to an open file."""
    return inode_at(file_ref) == inode_of(descriptor)


def has_arrived(descriptor: int, file_ref: FileRef) -> bool:
    """Whether a path leads to an open file, or to the copy by which that file was moved."""
    if is_open_at(descriptor, file_ref):
        return True
    try:
        with safe_files.opened_file(file_ref) as there:
            return safe_files.are_equal(descriptor, there)
    except OSError:
        return False


def inode_of(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def inode_at(file_ref: FileRef) -> tuple[int, int] | None:
    there = safe_files.identity_at(file_ref)
    return None if there is None else (there.device, there.inode)


def replaced_error() -> StepRefused:
    return StepRefused("changed", "step.replaced")


def move_away(subject: int, source: FileRef, target: FileRef, rescue: Rescue) -> None:
    """Rename an open file. Raises StepRefused if another file had its name. That file gets its name back; if a third
    file has taken the name, it is kept under another."""
    safe_files.rename_new(source, target)
    if has_arrived(subject, target):
        return
    restore_name(target, source, rescue.record)
    raise replaced_error()


def restore_name(now: FileRef, before: FileRef, on_conflict: Callable[[FileRef, FileRef], object]) -> None:
    """Give a file its name back. If another, newer file has the name by now, `on_conflict` is called with both paths:
    Rescue.record if a user can see the file where it is, Rescue.keep if it has one of our temporary names. Raises
    OSError."""
    try:
        safe_files.rename_new(now, before)
    except FileNotFoundError:
        pass
    except FileExistsError:
        on_conflict(now, before)


def replace_file(old_file: int, new_file: int, temp: FileRef, path: FileRef, away: FileRef, rescue: Rescue) -> None:
    """Put the open file `new_file`, named `temp`, in the place of the open file `old_file`, which is renamed to `away`.
    If the file system can exchange names, there is a file at `path` at every moment."""
    try:
        safe_files.exchange(temp, path)
    except OSError as error:
        if error.errno not in safe_files.UNSUPPORTED:
            raise
        move_away(old_file, path, away, rescue)
        safe_files.rename_new(temp, path)
        return
    if is_open_at(old_file, temp):
        # The path may hold our file, or one that was saved over it since: both are correct.
        safe_files.rename_new(temp, away)
        return
    restore_concurrent_save(inode_of(new_file), temp, path, rescue)
    raise replaced_error()


def restore_concurrent_save(ours: tuple[int, int], temp: FileRef, path: FileRef, rescue: Rescue) -> None:
    """Give a file its name back if another program saved it just before an exchange, which then took it away.

    The path may have been saved to again since. The file that an exchange takes away is newer than the file it puts
    there, unless the previous exchange put it there. So the newest save ends up at the path; an older one is kept.
    """
    brought = ours
    for _ in range(MOST_SAVES):
        saved = inode_at(temp)
        if saved is None:
            return
        try:
            safe_files.exchange(temp, path)
        except FileNotFoundError:
            # The file at the path was moved away in the meantime.
            restore_name(temp, path, rescue.keep)
            return
        if inode_at(temp) == brought:
            break
        brought = saved
    if inode_at(temp) != ours:
        rescue.keep(temp, path)
