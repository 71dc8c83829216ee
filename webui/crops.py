"""Parts of pictures at full resolution, for what a browser cannot show itself: made by the workers, the last ones kept.

A whole picture is decoded for each part, so only a few are made at a time, and those a reader goes back to come from
memory.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from index.errors import PictureError
from webui.refusals import Refusal

Box = tuple[int, int, int, int]

# A part may be of a picture of some hundred megapixels; two at once is what a machine with many more cores can bear.
AT_A_TIME = 2
WAIT_S = 30.0
KEPT_BYTES = 64 * 2**20


class Crops:
    """The making of parts, and the last 64 MB of them. Any web thread asks."""

    def __init__(self, make: Callable[[int, Box, int], bytes], kept_bytes: int = KEPT_BYTES) -> None:
        self._make = make
        self._kept_bytes = kept_bytes
        self._places = threading.BoundedSemaphore(AT_A_TIME)
        self._guard = threading.Lock()
        self._kept: OrderedDict[tuple[bytes, Box, int], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, content_id: int, digest: bytes, box: Box, side: int) -> bytes:
        """The JPEG of a part. Raises Refusal: 404 where there can be none, 503 where it takes too long."""
        key = (digest, box, side)
        if (kept := self._look(key)) is not None:
            return kept
        if not self._places.acquire(timeout=WAIT_S):
            raise Refusal(503, "busy", "This part is still being made.", headers={"Retry-After": "2"})
        try:
            # Whoever asked for the same part meanwhile has left it here.
            made = self._look(key)
            if made is None:
                made = self._make(content_id, box, side)
                self._keep(key, made)
            return made
        except PictureError as error:
            raise Refusal(404, "no_view", error.message) from error
        finally:
            self._places.release()

    def _look(self, key: tuple[bytes, Box, int]) -> bytes | None:
        with self._guard:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[bytes, Box, int], part: bytes) -> None:
        with self._guard:
            self._bytes += len(part) - len(self._kept.pop(key, b""))
            self._kept[key] = part
            while self._bytes > self._kept_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])
