"""EDGE: limits the memory that the C library keeps in this process."""

import contextlib
from typing import Final

from index.operating_system import c_library

# From malloc.h.
M_ARENA_MAX: Final = -8
# glibc creates an arena for nearly every thread, up to eight for each processor, and memory freed in one is not used by
# others. After a soak test of ten minutes, 19 MB of the service's 120 MB were free in twenty arenas, and growing. With
# two arenas it was 4 MB, without growth, at the same processor time.
HEAPS: Final = 2
M_MMAP_THRESHOLD: Final = -3
M_TRIM_THRESHOLD: Final = -1
# Without this, glibc maps each block above 128 KB, such as a matrix of a preview, and unmaps it again, page by page.
# That was a tenth of the processor time of comparing a pair.
HELD_BYTES: Final = 8 * 2**20
HELD_IN_ALL_BYTES: Final = 64 * 2**20


def limit_arenas() -> None:
    """Limit the number of arenas that threads share. Call it before any thread starts. No effect with another C
    library."""
    with contextlib.suppress(AttributeError, OSError):
        c_library().mallopt(M_ARENA_MAX, HEAPS)


def hold_buffers() -> None:
    """Reuse buffers of some megabytes instead of returning them to the system. For worker processes, whose end releases
    their memory anyway. No effect with another C library."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = c_library().mallopt
        mallopt(M_MMAP_THRESHOLD, HELD_BYTES)
        mallopt(M_TRIM_THRESHOLD, HELD_IN_ALL_BYTES)


def trim() -> None:
    """Return the free memory of the heaps to the system. This takes a millisecond or two."""
    with contextlib.suppress(AttributeError, OSError):
        c_library().malloc_trim(0)
