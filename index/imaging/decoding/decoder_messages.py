"""EDGE: what the libraries that decode pictures write to standard error: libjpeg and libtiff warn nowhere else."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Final

STANDARD_ERROR: Final = 2
MOST_BYTES: Final = 4096

# Standard error belongs to the process.
_lock: Final = threading.Lock()


@contextlib.contextmanager
def captured() -> Iterator[list[str]]:
    """What is written to standard error until the end of the block, filled in there; at most MOST_BYTES."""
    words: list[str] = []
    with _lock:
        reader, writer = os.pipe()
        try:
            # What does not fit into the pipe is lost, and no one waits for it.
            os.set_blocking(writer, False)
            os.set_blocking(reader, False)
            before = _duplicate(STANDARD_ERROR)
            os.dup2(writer, STANDARD_ERROR)
            try:
                yield words
            finally:
                if before is None:
                    os.close(STANDARD_ERROR)
                else:
                    os.dup2(before, STANDARD_ERROR)
                    os.close(before)
                with contextlib.suppress(BlockingIOError):
                    words.append(os.read(reader, MOST_BYTES).decode("ascii", "replace"))
        finally:
            os.close(reader)
            os.close(writer)


def _duplicate(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:
        return None
