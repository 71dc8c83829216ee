"""EDGE: what the libraries that decode pictures write to standard error: libjpeg and libtiff warn nowhere else."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from index import operating_system

MOST_BYTES: Final = 4096

# Standard error belongs to the process.
_lock: Final = threading.Lock()


@contextlib.contextmanager
def captured() -> Iterator[list[str]]:
    """What is written to standard error until the end of the block, filled in there; at most MOST_BYTES."""
    words: list[str] = []
    with _lock:
        try:
            with operating_system.captured_standard_error(MOST_BYTES) as written:
                yield words
        finally:
            words += [piece.decode("ascii", "replace") for piece in written]
