"""Thumbnails for the page: the previews of pictures, made once by the daemon's workers and stored on disk by digest.

Only a few are made at a time, and never the same one twice. A failure is cached for a while, so that a page full of
broken files is slow only once.
"""

import logging
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from index.errors import PictureError
from index.imaging.decoding.pictures import JPEG_END, preview_path
from index.messages import Message
from webui.http_errors import HttpError

log = logging.getLogger(__name__)

# Enough to keep the workers busy, and few enough to leave most web threads to other requests.
MAX_CONCURRENT = 4
WAIT_S = 20.0
FAILURE_TTL_NS = 600 * 10**9
MAX_FAILURES = 10_000


class Thumbnails:
    """The folder `views` of the data folder. Makes the previews that it does not have yet. Thread-safe."""

    def __init__(self, folder: Path, make: Callable[[int], bytes], elapsed_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._make = make
        self._elapsed_ns = elapsed_ns
        self._slots = threading.BoundedSemaphore(MAX_CONCURRENT)
        self._lock = threading.Lock()
        self._under_way: dict[bytes, threading.Event] = {}
        self._failures: OrderedDict[bytes, tuple[int, Message]] = OrderedDict()

    def get(self, content_id: int, digest: bytes) -> bytes:
        """The preview of a content as JPEG. Raises HttpError: 404 if there can be none, 503 if it takes too long."""
        while (kept := self._read(digest)) is None:
            self._raise_failure(digest)
            with self._lock:
                pending = self._under_way.get(digest)
                if pending is None:
                    mine = self._under_way[digest] = threading.Event()
            if pending is None:
                try:
                    # Another thread may have made it after the first check.
                    return self._read(digest) or self._make_and_store(content_id, digest)
                finally:
                    with self._lock:
                        del self._under_way[digest]
                    mine.set()
            if not pending.wait(WAIT_S):
                raise _busy()
        return kept

    def _read(self, digest: bytes) -> bytes | None:
        try:
            preview = preview_path(self._folder, digest).read_bytes()
        except OSError:
            return None
        # After a power loss, a file may exist without its bytes.
        return preview if preview.endswith(JPEG_END) else None

    def _raise_failure(self, digest: bytes) -> None:
        with self._lock:
            at_ns, message = self._failures.get(digest, (0, None))
        if message is not None and self._elapsed_ns() - at_ns < FAILURE_TTL_NS:
            raise HttpError(404, "no_view", message)

    def _make_and_store(self, content_id: int, digest: bytes) -> bytes:
        if not self._slots.acquire(timeout=WAIT_S):
            raise _busy()
        try:
            preview = self._make(content_id)
        except PictureError as error:
            with self._lock:
                self._failures[digest] = (self._elapsed_ns(), error.message)
                while len(self._failures) > MAX_FAILURES:
                    self._failures.popitem(last=False)
            raise HttpError(404, "no_view", error.message) from error
        finally:
            self._slots.release()
        self._store(digest, preview)
        return preview

    def _store(self, digest: bytes, preview: bytes) -> None:
        """Store a preview atomically, unless its maker has already done so. If that fails, as on a full disk, it is
        still served."""
        target = preview_path(self._folder, digest)
        if self._read(digest) is not None:
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, partial = tempfile.mkstemp(dir=target.parent, suffix=".partial")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(preview)
                os.replace(partial, target)
            except OSError:
                os.unlink(partial)
                raise
        except OSError as error:
            log.warning("the preview %s cannot be stored: %s", target, error)


def _busy() -> HttpError:
    return HttpError(503, "busy", "rest.preview_in_making", headers={"Retry-After": "2"})
