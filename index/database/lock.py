"""EDGE: one process at a time uses a data folder, however the files in it are named, linked or deleted.

Locked are the folder itself, the folder that the index lies in where the index is a symbolic link, and the file `lock`,
which also excludes earlier versions and holds the process id. The locks end with the process, however it ends.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from index.errors import AlreadyRunning

FILE: Final = "lock"
# Held by another process. Any other error means that this file system has no such lock on a folder (NFS, SMB).
HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN})


class DataLock:
    """Holds the data folder of an index from its making to `close`. Raises AlreadyRunning and OSError."""

    def __init__(self, index: Path) -> None:
        self._path = index.parent / FILE
        self._folders: list[int] = []
        self._file = -1
        try:
            self._hold_folders({index.parent, Path(os.path.realpath(index)).parent})
            self._hold_file()
        except BaseException:
            self.close()
            raise

    def keep(self) -> None:
        """Make the file `lock` again where somebody deleted or replaced it."""
        with contextlib.suppress(OSError, AlreadyRunning):
            if not self._is_in_place():
                before = self._file
                self._hold_file()
                os.close(before)

    def close(self) -> None:
        """Let go. May be called again."""
        for descriptor in (self._file, *self._folders):
            if descriptor >= 0:
                os.close(descriptor)
        self._file, self._folders = -1, []

    def _hold_folders(self, folders: set[Path]) -> None:
        held: set[tuple[int, int]] = set()
        for folder in sorted(folders):
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # the symbolic link leads nowhere
            self._folders.append(descriptor)
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) in held:
                continue
            held.add((status.st_dev, status.st_ino))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in HELD:
                    raise self._refusal(folder, _holder(self._path)) from error

    def _hold_file(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise self._refusal(self._path.parent, _holder(self._path)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._file = descriptor

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path, follow_symlinks=False), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _refusal(self, folder: Path, holder: str) -> AlreadyRunning:
        return AlreadyRunning(
            f"Another ComparImg (process {holder or 'unknown'}) is using {folder}.",
            "Stop it, or name another folder with --data-dir.",
        )


def _holder(lock: Path) -> str:
    try:
        return lock.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
