"""EDGE: the process that holds a data folder, as another program of this machine sees it."""

import contextlib
import fcntl
import os
import signal
from pathlib import Path


def process_of(data_dir: Path) -> int | None:
    """The process id of the service that uses a data folder, None where none does (or it may not be asked)."""
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
    """Have that service read its configuration anew; whether one was told to."""
    process = process_of(data_dir)
    if process is None:
        return False
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGHUP)
        return True
    return False
