"""EDGE: makes the data folder private to its owner: the index lists every photograph, and the token opens the page.

A user who may write into the folder could also replace the index. So the permissions of others are removed at each
start where the folder belongs to us. Where it does not, or holds other things too, a warning is logged.
"""

import logging
import os
import stat
from pathlib import Path
from typing import Final

from index import operating_system
from index.messages import Message

log = logging.getLogger(__name__)

OTHERS: Final = 0o077
OTHERS_WRITE: Final = 0o022
# What ComparImg creates in it. Hidden folders are ignored: the folder may be the home of the service's own user.
FILES: Final = ("index.", "index-", "lock", "token")
FOLDERS: Final = ("backups", "views", "lost+found")


def make_private(folder: Path) -> None:
    """Remove the permissions of others from the folder and from what ComparImg created in it. Logs what was done and
    what could not be; raises OSError only where the folder cannot be read. Windows keeps no modes, and the folders of
    a user are closed to others."""
    if operating_system.IS_WINDOWS:
        return
    restrict_files(folder)
    status = folder.stat()
    if not status.st_mode & OTHERS:
        return
    reason = str(objection(folder) or "")
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
        log.warning(
            "other users could open the data folder %s (mode %o): it is now restricted to its owner", folder, mode
        )
    elif status.st_mode & OTHERS_WRITE:
        log.warning(
            "other users can write to the data folder %s (mode %o), and this is not changed: %s", folder, mode, reason
        )


def objection(folder: Path) -> Message | None:
    """Why the permissions of a folder must not be changed; None if they may be. Raises OSError."""
    status = folder.stat()
    if status.st_uid != os.geteuid():
        return Message("data_folder.other_owner")
    if status.st_mode & stat.S_ISVTX:
        return Message("data_folder.sticky")
    with os.scandir(folder) as listing:
        for entry in listing:
            hidden = entry.name.startswith(".")
            if entry.is_dir(follow_symlinks=False) and not hidden and entry.name not in FOLDERS:
                return Message("data_folder.other_folders")
    return None


def restrict_files(folder: Path) -> None:
    """Remove the permissions of others from the index, its log, the lock and the token. Raises OSError."""
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
    """Remove the permissions of others from one file or folder: never through a symbolic link, and not from a file
    with a second hard link, which may belong to something else."""
    if not operating_system.HAS_O_PATH:
        _restrict_by_path(path)
        return
    try:
        # O_PATH: closing a descriptor opened for reading would drop the locks that SQLite may hold on the index.
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        status = os.fstat(descriptor)
        if _is_too_open(status):
            os.chmod(f"/proc/self/fd/{descriptor}", stat.S_IMODE(status.st_mode) & ~OTHERS)
    except OSError as error:
        log.debug("the mode of %s stays: %s", path, error)
    finally:
        os.close(descriptor)


def _restrict_by_path(path: Path) -> None:
    """The same where a file cannot be held without being opened (macOS)."""
    try:
        status = os.lstat(path)
        if _is_too_open(status):
            os.chmod(path, stat.S_IMODE(status.st_mode) & ~OTHERS, follow_symlinks=False)
    except (OSError, NotImplementedError) as error:
        log.debug("the mode of %s stays: %s", path, error)


def _is_too_open(status: os.stat_result) -> bool:
    is_file = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    is_ours = status.st_uid == os.geteuid() and (is_file or stat.S_ISDIR(status.st_mode))
    return is_ours and bool(status.st_mode & OTHERS)
