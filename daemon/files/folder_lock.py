"""EDGE: says to other processes of this machine that files below a folder are being changed. Any thread.

A shared flock(2) on the folder itself: there is no file to leave behind, and it ends with the process. Where a file
system has no such locks nobody is told, and nobody asks in vain.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from daemon.files.removal import FOLDER

# Whoever asks holds a lock for a moment, too.
TRIES: Final = 50
WAIT_S: Final = 0.02


@contextmanager
def in_use(folders: Iterable[bytes]) -> Iterator[None]:
    """Keep shared locks on these folders, where they can be had."""
    with ExitStack() as stack:
        for folder in sorted(set(folders)):
            with contextlib.suppress(OSError):
                descriptor = os.open(folder, FOLDER)
                stack.callback(os.close, descriptor)
                _lock(descriptor)
        yield


def is_in_use(folder: bytes) -> bool:
    """Whether anybody keeps a lock on a folder or on one above it."""
    while True:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            descriptor = os.open(folder, FOLDER)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:
                pass  # no locks here
            finally:
                os.close(descriptor)
        if folder in (b"/", b""):
            return False
        folder = os.path.dirname(folder)


def _lock(descriptor: int) -> None:
    for _ in range(TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
        time.sleep(WAIT_S)
