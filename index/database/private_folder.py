"""EDGE: keeps the data folder to its owner: the index tells where every photograph is, the token opens the page.

Whoever may write into the folder could also put another index there. So what others may use is taken from them at each
start, where the folder is ours; where it is not, or holds more than an index, they are named in the log.
"""

import logging
import os
import stat
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

OTHERS: Final = 0o077
OTHERS_WRITE: Final = 0o022
# What ComparImg makes in it. A home has hidden folders as well, where it is that of the service's own user.
FILES: Final = ("index.", "index-", "lock", "token")
FOLDERS: Final = ("backups", "views", "lost+found")


def make_private(folder: Path) -> None:
    """Take the folder's rights, and those of what ComparImg made in it, from all but its owner. Logs what it did, and
    what it could not do; raises OSError only where the folder cannot be looked at."""
    restrict_files(folder)
    status = folder.stat()
    if not status.st_mode & OTHERS:
        return
    reason = why_left(folder)
    if not reason:
        try:
            folder.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
            _restrict_trees(folder)
        except OSError as error:
            reason = f"its mode cannot be changed ({error.strerror})"
        else:
            reason = "its file system keeps no modes" if folder.stat().st_mode & OTHERS else ""
    mode = stat.S_IMODE(status.st_mode)
    if not reason:
        log.warning("the data folder %s was open to others (mode %o): its owner alone may use it now", folder, mode)
    elif status.st_mode & OTHERS_WRITE:
        log.warning("others may write into the data folder %s (mode %o), and it is left so: %s", folder, mode, reason)


def why_left(folder: Path) -> str:
    """Why the rights of a folder are not ours to change, or "". Raises OSError."""
    status = folder.stat()
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    if status.st_mode & stat.S_ISVTX:
        return "it is shared by all (sticky)"
    with os.scandir(folder) as listing:
        for entry in listing:
            hidden = entry.name.startswith(".")
            if entry.is_dir(follow_symlinks=False) and not hidden and entry.name not in FOLDERS:
                return "there are other folders in it"
    return ""


def restrict_files(folder: Path) -> None:
    """Take the rights of others from the index, its log, the lock and the token. Raises OSError."""
    for name in os.listdir(folder):
        if name.startswith(FILES):
            _restrict(folder / name)


def _restrict_trees(folder: Path) -> None:
    for name in FOLDERS[:2]:
        for top, _, files in os.walk(folder / name):
            _restrict(Path(top))
            for file in files:
                _restrict(Path(top, file))


def _restrict(path: Path) -> None:
    """Never through a link, and not a file with another name, which may be somebody's."""
    try:
        # Not opened for reading: closing that would drop the locks that SQLite may hold on the index.
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        status = os.fstat(descriptor)
        is_file = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        is_ours = status.st_uid == os.geteuid() and (is_file or stat.S_ISDIR(status.st_mode))
        if is_ours and status.st_mode & OTHERS:
            os.chmod(f"/proc/self/fd/{descriptor}", stat.S_IMODE(status.st_mode) & ~OTHERS)
    except OSError as error:
        log.debug("the mode of %s stays: %s", path, error)
    finally:
        os.close(descriptor)
