"""Downloads of indexed files. They are opened without following links, and only while they are the indexed files.

A large download occupies a web thread until the client has received nearly all of it, however slowly. So the number of
large downloads at a time is limited.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator

from index.database.queries.listing import FileRow
from index.imaging.discovery import descent
from index.messages import of_os_error
from index.model import Identity
from webui.http_errors import HttpError

CHUNK_BYTES = 256 * 1024
# The server buffers this much of an answer, however slowly the client reads.
LARGE_BYTES = 16 * 2**20
LARGE_AT_MOST = 6


class FileDownload:
    """Iterates over the bytes of an open file in chunks, up to `size_bytes`. The WSGI server closes it."""

    def __init__(self, descriptor: int, size_bytes: int, ended: Callable[[], object] = lambda: None) -> None:
        self._file = open(descriptor, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._left = size_bytes
        self._ended: Callable[[], object] | None = ended

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (chunk := self._file.read(min(CHUNK_BYTES, self._left))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file and release the slot. May be called again."""
        self._file.close()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


class Downloads:
    """The downloads in progress of one app. Thread-safe."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(LARGE_AT_MOST)

    def send(self, descriptor: int, size_bytes: int) -> FileDownload:
        """A download of an open file; closing it closes the file. Raises HttpError with 503 if there are too many."""
        if size_bytes <= LARGE_BYTES:
            return FileDownload(descriptor, size_bytes)
        if not self._slots.acquire(blocking=False):
            os.close(descriptor)
            raise HttpError(503, "busy", "rest.too_many_downloads", n=LARGE_AT_MOST, headers={"Retry-After": "5"})
        return FileDownload(descriptor, size_bytes, self._slots.release)


def open_unchanged(row: FileRow) -> int:
    """A descriptor of exactly the file that was indexed. Raises HttpError if it was replaced, changed or removed."""
    try:
        descriptor = descent.open_file(row.root_path, row.path)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise _changed() from error
        if not row.online:
            raise HttpError(409, "offline", "rest.root_offline") from error
        raise HttpError(404, "gone", "rest.file_unopenable", error=of_os_error(error)) from error
    status = os.fstat(descriptor)
    known = Identity(row.device, row.inode, row.size_bytes, row.mtime_ns)
    if Identity.of(status) != known:
        os.close(descriptor)
        raise _changed()
    return descriptor


def _changed() -> HttpError:
    return HttpError(409, "changed", "rest.file_changed")
