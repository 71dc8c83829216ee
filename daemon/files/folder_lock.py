"""EDGE: signals to other processes of this machine that files below a folder are being changed. Any thread.

The signal is a shared flock(2) on the folder itself. It needs no lock file, and the kernel releases it when the process
ends. On file systems without such locks it has no effect, and every folder counts as unused.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from daemon.files.removal import FOLDER
from index import operating_system

# A process that checks for a lock briefly holds one itself.
TRIES: Final = 50
WAIT_S: Final = 0.02


@contextmanager
def in_use(folders: Iterable[bytes]) -> Iterator[None]:
    """Hold shared locks on the given folders; a folder that cannot be locked is skipped."""
    with ExitStack() as stack:
        for folder in sorted(set(folders)):
            with contextlib.suppress(OSError):
                descriptor = os.open(folder, FOLDER)
                stack.callback(os.close, descriptor)
                _lock(descriptor)
        yield


def is_in_use(folder: bytes) -> bool:
    """Whether any process holds a lock on a folder or on a folder above it."""
    while True:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            descriptor = os.open(folder, FOLDER)
            try:
                operating_system.lock(descriptor)
            except BlockingIOError:
                return True
            except OSError:
                pass  # this file system has no locks
            finally:
                os.close(descriptor)
        if folder in (b"/", b""):
            return False
        folder = os.path.dirname(folder)


def _lock(descriptor: int) -> None:
    for _ in range(TRIES):
        with contextlib.suppress(BlockingIOError):
            operating_system.lock(descriptor, exclusively=False)
            return
        time.sleep(WAIT_S)
