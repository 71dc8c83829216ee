"""EDGE: how many folders this process may watch: what the system lets one user have, less what others use and need.

Reads /proc. The limit of inotify is one for all programs of a user: who takes all of it breaks systemd and the desktop.
"""

import os
from typing import Final

MAX_USER_WATCHES: Final = "/proc/sys/fs/inotify/max_user_watches"
# What is left for programs that are started later; a desktop needs a few thousand itself.
SHARE_OF_WATCHES: Final = 0.8


def max_user_watches() -> int | None:
    """How many folders all programs of one user may watch, None where the system does not tell."""
    try:
        with open(MAX_USER_WATCHES, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def watches_of_others(proc: str = "/proc") -> int:
    """How many folders and files the other programs of this user watch, as far as the system tells."""
    return sum(
        _watches_of(f"{proc}/{name}")
        for name in os.listdir(proc)
        if name.isdigit() and int(name) != os.getpid() and _is_ours(f"{proc}/{name}")
    )


def watches_at_most() -> int | None:
    """How many folders we may watch in all, None where the system sets no limit that could be read."""
    limit = max_user_watches()
    return None if limit is None else max(0, int(limit * SHARE_OF_WATCHES) - watches_of_others())


def _is_ours(process: str) -> bool:
    try:
        return os.stat(process).st_uid == os.geteuid()
    except OSError:
        return False


def _watches_of(process: str) -> int:
    found = 0
    try:
        for number in os.listdir(f"{process}/fd"):
            if os.readlink(f"{process}/fd/{number}") == "anon_inode:inotify":
                with open(f"{process}/fdinfo/{number}", "rb") as file:
                    found += sum(line.startswith(b"inotify wd:") for line in file)
    except OSError:
        # It ended meanwhile, or does not let itself be looked at.
        return found
    return found
