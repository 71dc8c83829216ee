"""The bytes of indexed files, sent as they are: opened without following a link, and only while they are the same file.

A large one holds a web thread until its reader has nearly all of it, however slowly, so only a few are sent at a time.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator

from index.images import descent
from index.model import Identity
from index.queries.listing import FileRow
from webui.refusals import Refusal

CHUNK_BYTES = 256 * 1024
# What the server takes from a thread at once, whatever its reader does.
LARGE_BYTES = 16 * 2**20
LARGE_AT_MOST = 6


class OriginalFile:
    """The bytes of an open file, as many as were promised, in chunks; closed by whoever sends them."""

    def __init__(self, descriptor: int, size_bytes: int, ended: Callable[[], object] = lambda: None) -> None:
        self._file = open(descriptor, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._left = size_bytes
        self._ended: Callable[[], object] | None = ended

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (chunk := self._file.read(min(CHUNK_BYTES, self._left))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Give file and place back. May be called again."""
        self._file.close()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


class Originals:
    """The files that are being sent by one app. Any web thread asks."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(LARGE_AT_MOST)

    def send(self, descriptor: int, size_bytes: int) -> OriginalFile:
        """The bytes of an open file, which is closed with them. Raises Refusal where it is one too many at a time."""
        if size_bytes <= LARGE_BYTES:
            return OriginalFile(descriptor, size_bytes)
        if not self._places.acquire(blocking=False):
            os.close(descriptor)
            raise Refusal(
                503,
                "busy",
                f"{LARGE_AT_MOST} large files are being sent already.",
                "Ask again when one of them has arrived.",
                headers={"Retry-After": "5"},
            )
        return OriginalFile(descriptor, size_bytes, self._places.release)


def open_unchanged(row: FileRow) -> int:
    """A descriptor of exactly the file that was indexed. Raises Refusal where it is another one, or gone."""
    try:
        descriptor = descent.open_file(row.root_path, row.path)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise _changed() from error
        if not row.online:
            raise Refusal(409, "offline", "The folder of this image is offline.", "Connect it again.") from error
        raise Refusal(404, "gone", f"The file cannot be opened: {error.strerror}.") from error
    status = os.fstat(descriptor)
    known = Identity(row.device, row.inode, row.size_bytes, row.mtime_ns)
    if Identity.of(status) != known:
        os.close(descriptor)
        raise _changed()
    return descriptor


def _changed() -> Refusal:
    return Refusal(409, "changed", "The file has changed since it was indexed.", "It will be read again shortly.")
