"""EDGE: limits the memory that the C library keeps in this process."""

import contextlib
from typing import Final

from index.operating_system import c_library

# From malloc.h.
M_ARENA_MAX: Final = -8
# glibc makes an arena for nearly every thread, up to eight for each processor, and memory freed in one is not used by
# others: of the 120 MB of the service after a soak test of ten minutes, 19 MB were free in twenty arenas and growing.
# With two arenas it is 4 MB, without growth, at the same processor time.
HEAPS: Final = 2
M_MMAP_THRESHOLD: Final = -3
M_TRIM_THRESHOLD: Final = -1
# Otherwise what is larger than 128 KB, such as a matrix of a preview, is fetched from the system and given back each
# time, page by page: a tenth of the processor time of comparing a pair.
HELD_BYTES: Final = 8 * 2**20
HELD_IN_ALL_BYTES: Final = 64 * 2**20


def limit_arenas() -> None:
    """Limit the arenas that threads share; call it before any thread starts. No effect on another C library."""
    with contextlib.suppress(AttributeError, OSError):
        c_library().mallopt(M_ARENA_MAX, HEAPS)


def hold_buffers() -> None:
    """Have buffers of some megabytes used again instead of given back to the system, in a process whose memory goes
    with it. No effect on another C library."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = c_library().mallopt
        mallopt(M_MMAP_THRESHOLD, HELD_BYTES)
        mallopt(M_TRIM_THRESHOLD, HELD_IN_ALL_BYTES)


def trim() -> None:
    """Return free memory in the heaps to the system; it takes a millisecond or two."""
    with contextlib.suppress(AttributeError, OSError):
        c_library().malloc_trim(0)
