"""The views of pictures for the page: made once by the daemon's workers, kept on disk by digest.

Any web thread asks. At most a few are being made at a time, and never the same one twice. What failed is not tried
again for a while, so that a page full of broken files costs once.
"""

import logging
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from index.errors import PictureError
from index.images.pictures import JPEG_END
from webui.refusals import Refusal

log = logging.getLogger(__name__)

# Enough to keep the workers busy, and so few that most web threads are left for everything else.
AT_A_TIME = 4
WAIT_S = 20.0
FAILURE_KEPT_NS = 600 * 10**9
FAILURES_KEPT = 10_000


class Views:
    """The folder `views` of the data folder, and the making of what is not in it yet."""

    def __init__(self, folder: Path, make: Callable[[int], bytes], elapsed_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._make = make
        self._elapsed_ns = elapsed_ns
        self._places = threading.BoundedSemaphore(AT_A_TIME)
        self._guard = threading.Lock()
        self._under_way: dict[bytes, threading.Event] = {}
        self._failures: OrderedDict[bytes, tuple[int, str]] = OrderedDict()

    def path_of(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / f"{name}.jpg"

    def get(self, content_id: int, digest: bytes) -> bytes:
        """The JPEG of a content. Raises Refusal: 404 where there can be none, 503 where it takes too long."""
        while (kept := self._kept(digest)) is None:
            self._raise_failure(digest)
            with self._guard:
                others = self._under_way.get(digest)
                if others is None:
                    mine = self._under_way[digest] = threading.Event()
            if others is None:
                try:
                    # Another may have ended between the first look and this thread's turn.
                    return self._kept(digest) or self._make_and_keep(content_id, digest)
                finally:
                    with self._guard:
                        del self._under_way[digest]
                    mine.set()
            if not others.wait(WAIT_S):
                raise _busy()
        return kept

    def _kept(self, digest: bytes) -> bytes | None:
        try:
            view = self.path_of(digest).read_bytes()
        except OSError:
            return None
        # After a power loss there may be the name of a file and not its bytes.
        return view if view.endswith(JPEG_END) else None

    def _raise_failure(self, digest: bytes) -> None:
        with self._guard:
            at_ns, message = self._failures.get(digest, (0, ""))
        if message and self._elapsed_ns() - at_ns < FAILURE_KEPT_NS:
            raise Refusal(404, "no_view", message)

    def _make_and_keep(self, content_id: int, digest: bytes) -> bytes:
        if not self._places.acquire(timeout=WAIT_S):
            raise _busy()
        try:
            view = self._make(content_id)
        except PictureError as error:
            with self._guard:
                self._failures[digest] = (self._elapsed_ns(), error.message)
                while len(self._failures) > FAILURES_KEPT:
                    self._failures.popitem(last=False)
            raise Refusal(404, "no_view", error.message) from error
        finally:
            self._places.release()
        self._keep(digest, view)
        return view

    def _keep(self, digest: bytes, view: bytes) -> None:
        """Put a view in its place, whole, unless its maker did. A full disk costs the keeping, not the view."""
        target = self.path_of(digest)
        if self._kept(digest) is not None:
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, partial = tempfile.mkstemp(dir=target.parent, suffix=".partial")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(view)
                os.replace(partial, target)
            except OSError:
                os.unlink(partial)
                raise
        except OSError as error:
            log.warning("the view %s cannot be kept: %s", target, error)


def _busy() -> Refusal:
    return Refusal(503, "busy", "The view of this picture is still being made.", headers={"Retry-After": "2"})
