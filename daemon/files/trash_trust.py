"""EDGE: checks whether other users could have put files into a trash folder, or lines into its manifest.

ComparImg creates the folder with mode 0700. On file systems without owners or modes (FAT, many network shares), every
folder looks the same. So a folder that looks wrong is compared with a new one, created there for that purpose.
"""

import contextlib
import os
import stat
from typing import Final

from daemon.files import removal, safe_files
from daemon.files.trash_manifest import NAME as MANIFEST
from index.messages import Message

OTHERS_WRITE: Final = Message("trash.others_write")
OTHER_OWNER: Final = Message("trash.other_owner")
BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def objection(top: bytes, trash_folder: bytes) -> Message | None:
    """Why a trash folder at or below `top` must not be used, None if it may be. Raises OSError if it cannot be
    examined."""
    holder = os.path.dirname(trash_folder)
    with safe_files.opened_folder(top, trash_folder) as folder, safe_files.opened_folder(top, holder) as outer:
        owners = {0, os.geteuid(), os.fstat(outer).st_uid}
        statuses = [os.fstat(folder)]
        with contextlib.suppress(FileNotFoundError):
            statuses.append(os.stat(MANIFEST, dir_fd=folder, follow_symlinks=False))
        reason = _objection(statuses, owners, BY_OTHERS)
        made = _reference_status(folder) if reason else None
        return reason if made is None else _objection(statuses, owners | {made.st_uid}, BY_OTHERS & ~made.st_mode)


def _objection(statuses: list[os.stat_result], owners: set[int], modes: int) -> Message | None:
    if any(status.st_uid not in owners for status in statuses):
        return OTHER_OWNER
    return OTHERS_WRITE if any(status.st_mode & modes for status in statuses) else None


def _reference_status(folder: int) -> os.stat_result | None:
    """The status of a new folder that is created inside another one with mode 0700; None if that fails."""
    try:
        with removal.private_folder(folder) as made:
            return os.fstat(made)
    except OSError:
        return None
