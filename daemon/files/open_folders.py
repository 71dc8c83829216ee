"""EDGE: keeps folders open while many files in them are examined. Used by one thread; changes nothing on disk.

As in daemon.files.safe_files, no link is followed below the managed folder. A folder that is replaced in the meantime
is still seen in its old state. That is good enough for a plan, since every step is checked again before it is
performed.
"""

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from daemon.files.removal import FOLDER, READ
from daemon.files.safe_files import FileRef
from index.errors import FileError
from index.imaging.discovery import descent
from index.model import Identity

# Enough for a deep path; a process may usually have 1,024 files open.
MOST_OPEN: Final = 64


class OpenFolders:
    """Folders at or below the managed ones. At most MOST_OPEN of them are open at a time, until `close`."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def identity_at(self, file_ref: FileRef) -> Identity | None:
        """The same as safe_files.identity_at."""
        top, folder_path = file_ref.top, file_ref.folder
        if (top, folder_path) not in self._open:
            self._folder(top, top)
        try:
            folder = self._folder(top, folder_path)
            return Identity.of(os.stat(file_ref.name, dir_fd=folder, follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise

    def status_of(self, file_ref: FileRef) -> os.stat_result:
        """The status of a regular file that can be opened. Raises the same as safe_files.opened_file."""
        descriptor = os.open(file_ref.name, READ, dir_fd=self._folder(file_ref.top, file_ref.folder))
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileError(errno.EINVAL, "file.not_regular")
        return status

    def names_in(self, top: bytes, folder: bytes) -> list[bytes]:
        """Every name in a folder. Raises OSError."""
        return [os.fsencode(name) for name in os.listdir(self._folder(top, folder))]

    def _folder(self, top: bytes, folder: bytes) -> int:
        """The descriptor of a folder, valid until the next call. Raises OSError, with ELOOP or ENOTDIR for a link."""
        if (known := self._open.get((top, folder))) is not None:
            self._open.move_to_end((top, folder))
            return known
        # The folders above it that are not open yet, the deepest first.
        missing = list(_upwards(top, descent.steps(top, folder)))
        descriptor = None
        for number, (path, _) in enumerate(missing):
            if (descriptor := self._open.get((top, path))) is not None:
                self._open.move_to_end((top, path))
                missing = missing[:number]
                break
        for path, name in reversed(missing):
            if descriptor is None:
                descriptor = os.open(top, FOLDER)
            else:
                descriptor = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            self._open[top, path] = descriptor
            if len(self._open) > MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
        assert descriptor is not None
        return descriptor


def _upwards(top: bytes, names: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Each folder that these names lead to, with its name, the deepest first. `top` comes last, with b""."""
    path = os.path.join(top, *names)
    for name in reversed(names):
        yield path, name
        path = path.rpartition(b"/")[0]
    yield top, b""
