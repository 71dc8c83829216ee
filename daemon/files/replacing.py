"""EDGE: one file takes the place of another, whoever saves there at that moment. Any thread.

What another program saved meanwhile has its name again in the end, the newest save of several; older ones are kept.
"""

import os
from collections.abc import Callable
from typing import Final

from daemon.files import safe_files
from daemon.files.rescue import Rescue
from daemon.files.safe_files import Spot
from index.errors import StepRefused

# How often a program may save a file anew while its save is put back.
MOST_SAVES: Final = 10_000


def is_open_at(descriptor: int, spot: Spot) -> bool:
    """Whether a name is that of an open file."""
    return inode_at(spot) == inode_of(descriptor)


def has_come(descriptor: int, spot: Spot) -> bool:
    """Whether a name is that of an open file, or of the copy by which it was moved."""
    if is_open_at(descriptor, spot):
        return True
    try:
        with safe_files.opened_file(spot) as there:
            return safe_files.are_equal(descriptor, there)
    except OSError:
        return False


def inode_of(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def inode_at(spot: Spot) -> tuple[int, int] | None:
    there = safe_files.identity_at(spot)
    return None if there is None else (there.device, there.inode)


def replaced() -> StepRefused:
    return StepRefused("changed", "The file was replaced at the last moment.")


def take_away(subject: int, source: Spot, target: Spot, rescue: Rescue) -> None:
    """Give an open file another name. Raises StepRefused where it was another one: that has its name again, or, where a
    third one took that, is kept."""
    safe_files.rename_new(source, target)
    if has_come(subject, target):
        return
    bring_back(target, source, rescue.note)
    raise replaced()


def bring_back(now: Spot, before: Spot, or_else: Callable[[Spot, Spot], object]) -> None:
    """Give a file its name again. Where another one has that by now, which is newer, `or_else` is called with both
    spots: Rescue.note where this one is seen where it is, Rescue.keep where it has a name of ours. Raises OSError."""
    try:
        safe_files.rename_new(now, before)
    except FileNotFoundError:
        pass
    except FileExistsError:
        or_else(now, before)


def put_in_place(present: int, coming: int, new: Spot, path: Spot, away: Spot, rescue: Rescue) -> None:
    """Let the open file `coming`, which has the name `new`, take the place of the open file `present`, which gets the
    name `away`. Where the file system can exchange names `path` is never without a file."""
    try:
        safe_files.exchange(new, path)
    except OSError as error:
        if error.errno not in safe_files.UNSUPPORTED:
            raise
        take_away(present, path, away, rescue)
        safe_files.rename_new(new, path)
        return
    if is_open_at(present, new):
        # Whatever is at the path by now: ours, or what was saved over it since.
        safe_files.rename_new(new, away)
        return
    give_back_saved(inode_of(coming), new, path, rescue)
    raise replaced()


def give_back_saved(ours: tuple[int, int], new: Spot, path: Spot, rescue: Rescue) -> None:
    """After an exchange that took away a file which somebody saved at that moment: give it its name again.

    It may have been saved again since. What comes away in an exchange is newer than what was brought, but for what the
    exchange before brought: so the newest save has the path in the end. An older one is kept.
    """
    brought = ours
    for _ in range(MOST_SAVES):
        saved = inode_at(new)
        if saved is None:
            return
        try:
            safe_files.exchange(new, path)
        except FileNotFoundError:
            # Moved away since it was saved.
            bring_back(new, path, rescue.keep)
            return
        if inode_at(new) == brought:
            break
        brought = saved
    if inode_at(new) != ours:
        rescue.keep(new, path)
