"""EDGE: captures what decoding libraries write to standard error: libjpeg and libtiff report warnings only there."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from index import operating_system

MOST_BYTES: Final = 4096

# Standard error is shared by the whole process.
_lock: Final = threading.Lock()


@contextlib.contextmanager
def captured() -> Iterator[list[str]]:
    """Capture what is written to standard error until the end of the block, at most MOST_BYTES. The list is filled at
    that end."""
    words: list[str] = []
    with _lock:
        try:
            with operating_system.captured_standard_error(MOST_BYTES) as written:
                yield words
        finally:
            words += [piece.decode("ascii", "replace") for piece in written]
