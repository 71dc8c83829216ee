"""EDGE: finds the process that has locked a data folder. For other programs on this machine."""

import contextlib
import fcntl
import os
import signal
from pathlib import Path


def process_of(data_dir: Path) -> int | None:
    """The process id of the service that uses a data folder, None if there is none (or the lock cannot be read)."""
    try:
        with (data_dir / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read())
    except (OSError, ValueError):
        pass
    return None


def reload(data_dir: Path) -> bool:
    """Make that service reload its configuration. Returns whether a process was signalled."""
    process = process_of(data_dir)
    if process is None:
        return False
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGHUP)
        return True
    return False
