"""EDGE: how many folders this process may watch: the limit for one user, minus what other programs use and need.

Reads /proc. All programs of a user share the limit of inotify, and exhausting it breaks systemd and the desktop.
"""

import os
from typing import Final

MAX_USER_WATCHES: Final = "/proc/sys/fs/inotify/max_user_watches"
# The rest is left for programs that are started later; a desktop needs a few thousand.
SHARE_OF_WATCHES: Final = 0.8


def max_user_watches() -> int | None:
    """The number of folders that all programs of one user may watch, None if it is unknown."""
    try:
        with open(MAX_USER_WATCHES, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def watches_of_others(proc: str = "/proc") -> int:
    """The number of folders and files that the other programs of this user watch, as far as /proc shows."""
    return sum(
        _watches_of(f"{proc}/{name}")
        for name in os.listdir(proc)
        if name.isdigit() and int(name) != os.getpid() and _is_ours(f"{proc}/{name}")
    )


def watches_at_most() -> int | None:
    """The number of folders that we may watch in total, None if no limit can be read."""
    limit = max_user_watches()
    return None if limit is None else max(0, int(limit * SHARE_OF_WATCHES) - watches_of_others())


def _is_ours(process: str) -> bool:
    try:
        return os.stat(process).st_uid == os.geteuid()
    except OSError:
        return False


def _watches_of(process: str) -> int:
    count = 0
    try:
        for number in os.listdir(f"{process}/fd"):
            if os.readlink(f"{process}/fd/{number}") == "anon_inode:inotify":
                with open(f"{process}/fdinfo/{number}", "rb") as file:
                    count += sum(line.startswith(b"inotify wd:") for line in file)
    except OSError:
        # The process has ended, or may not be inspected.
        return count
    return count
