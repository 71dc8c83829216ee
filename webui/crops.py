"""Crops: parts of pictures at full resolution, made by the workers. Recent ones are cached.

A whole picture is decoded for each crop, so only a few are made at a time, and recent ones are served from memory.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from index.errors import PictureError
from webui.http_errors import HttpError

Box = tuple[int, int, int, int]

# A picture may have hundreds of megapixels. More than two at a time are too much even for a machine with many cores.
MAX_CONCURRENT = 2
WAIT_S = 30.0
CACHE_BYTES = 64 * 2**20


class Crops:
    """Makes crops, and caches the last 64 MB of them. Thread-safe."""

    def __init__(self, make: Callable[[int, Box, int], bytes], kept_bytes: int = CACHE_BYTES) -> None:
        self._make = make
        self._limit_bytes = kept_bytes
        self._slots = threading.BoundedSemaphore(MAX_CONCURRENT)
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[bytes, Box, int], bytes] = OrderedDict()
        self._cached_bytes = 0

    def get(self, content_id: int, digest: bytes, box: Box, side: int) -> bytes:
        """The JPEG of a crop. Raises HttpError: 404 if there can be none, 503 if it takes too long."""
        key = (digest, box, side)
        if (kept := self._cached(key)) is not None:
            return kept
        if not self._slots.acquire(timeout=WAIT_S):
            raise HttpError(503, "busy", "rest.crop_in_making", headers={"Retry-After": "2"})
        try:
            # Another thread may have made the same crop meanwhile.
            made = self._cached(key)
            if made is None:
                made = self._make(content_id, box, side)
                self._store(key, made)
            return made
        except PictureError as error:
            raise HttpError(404, "no_view", error.message) from error
        finally:
            self._slots.release()

    def _cached(self, key: tuple[bytes, Box, int]) -> bytes | None:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
            return self._cache.get(key)

    def _store(self, key: tuple[bytes, Box, int], part: bytes) -> None:
        with self._lock:
            self._cached_bytes += len(part) - len(self._cache.pop(key, b""))
            self._cache[key] = part
            while self._cached_bytes > self._limit_bytes:
                self._cached_bytes -= len(self._cache.popitem(last=False)[1])
