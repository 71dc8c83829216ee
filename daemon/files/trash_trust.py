"""EDGE: whether a trash folder is one that nobody else can have put files or lines into.

ComparImg makes it with mode 0700. Where the file system keeps no owners or modes (FAT, many network shares), every
folder looks alike: so what looks wrong is compared with a folder made there for that purpose.
"""

import contextlib
import os
import stat
from typing import Final

from daemon.files import removal, safe_files
from daemon.files.manifest import NAME as MANIFEST

OTHERS_WRITE: Final = "other users can write to the trash folder"
OTHER_OWNER: Final = "the trash folder belongs to another user"
REMEDIES: Final = {
    OTHERS_WRITE: "Look at what is in it, then run chmod -R go-w on it.",
    OTHER_OWNER: "Look at what is in it, then give it to the user of the service with chown -R.",
}
BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def objection(top: bytes, home: bytes) -> str:
    """Why a trash folder at or below `top` must not be used, "" where it may be. Raises OSError where it cannot be
    looked at."""
    holder = os.path.dirname(home)
    with safe_files.opened_folder(top, home) as folder, safe_files.opened_folder(top, holder) as outer:
        owners = {0, os.geteuid(), os.fstat(outer).st_uid}
        looked_at = [os.fstat(folder)]
        with contextlib.suppress(FileNotFoundError):
            looked_at.append(os.stat(MANIFEST, dir_fd=folder, follow_symlinks=False))
        found = _objection(looked_at, owners, BY_OTHERS)
        made = _as_made_here(folder) if found else None
        return found if made is None else _objection(looked_at, owners | {made.st_uid}, BY_OTHERS & ~made.st_mode)


def _objection(looked_at: list[os.stat_result], owners: set[int], modes: int) -> str:
    if any(status.st_uid not in owners for status in looked_at):
        return OTHER_OWNER
    return OTHERS_WRITE if any(status.st_mode & modes for status in looked_at) else ""


def _as_made_here(folder: int) -> os.stat_result | None:
    """What a folder looks like that is made in another one with mode 0700; None where none can be made."""
    try:
        with removal.private_folder(folder) as made:
            return os.fstat(made)
    except OSError:
        return None
