"""EDGE: the lock by which only one process at a time uses a data folder.

Three things are locked: the folder, the folder of the index where that is a symbolic link, and the file `lock`, which
also excludes earlier versions and holds the process id. So the lock holds however the files in the folder are named,
linked or deleted. The locks end with the process, however it ends.
"""

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

from index import operating_system
from index.errors import AlreadyRunning

FILE: Final = "lock"
# Held by another process. Any other error means that this file system has no such lock on a folder (NFS, SMB).
HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN})


class DataLock:
    """Locks the data folder of an index from construction to `close`. Raises AlreadyRunning and OSError."""

    def __init__(self, index: Path) -> None:
        self._path = index.parent / FILE
        self._folders: list[int] = []
        self._file = -1
        try:
            self._lock_folders({index.parent, Path(os.path.realpath(index)).parent})
            self._lock_file()
        except BaseException:
            self.close()
            raise

    def renew(self) -> None:
        """Create and lock the file `lock` again where it was deleted or replaced."""
        with contextlib.suppress(OSError, AlreadyRunning):
            if not self._is_file_ours():
                before = self._file
                self._lock_file()
                os.close(before)

    def close(self) -> None:
        """Release the locks. May be called again."""
        for descriptor in (self._file, *self._folders):
            if descriptor >= 0:
                os.close(descriptor)
        self._file, self._folders = -1, []

    def _lock_folders(self, folders: set[Path]) -> None:
        held: set[tuple[int, int]] = set()
        for folder in sorted(folders):
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # the target of the symbolic link does not exist
            self._folders.append(descriptor)
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) in held:
                continue
            held.add((status.st_dev, status.st_ino))
            try:
                operating_system.lock(descriptor)
            except OSError as error:
                if error.errno in HELD:
                    raise self._already_running(folder, _pid_of_holder(self._path)) from error

    def _lock_file(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            operating_system.lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise self._already_running(self._path.parent, _pid_of_holder(self._path)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._file = descriptor

    def _is_file_ours(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path, follow_symlinks=False), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _already_running(self, folder: Path, holder: str) -> AlreadyRunning:
        return AlreadyRunning("index.in_use", process=holder or "unknown", folder=folder)


def _pid_of_holder(lock: Path) -> str:
    try:
        return lock.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
