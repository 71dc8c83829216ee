"""EDGE: what Linux offers and other systems offer otherwise or not at all, behind one name each.

ComparImg runs on Linux. On macOS `detect` and `compress` run, as far as they change no file that was there: what macOS
lacks is left out here, so that no other module asks where it runs. On Windows nothing runs (see refusal).
"""

import contextlib
import ctypes
import errno
import os
import signal
import sys
import time
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

IS_LINUX: Final = sys.platform.startswith("linux")
IS_WINDOWS: Final = sys.platform == "win32"
# For folders in a path, which are not listed: on Linux they need not be readable.
TRAVERSE: Final = getattr(os, "O_PATH", os.O_RDONLY)
# For a file without a name, 0 where there are none.
UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
HAS_O_PATH: Final = hasattr(os, "O_PATH")
PR_SET_PDEATHSIG: Final = 1
# Where the memory of the machine is not known.
ASSUMED_MEMORY_BYTES: Final = 4 * 2**30
# F_FULLFSYNC of macOS, whose fsync(2) leaves the bytes in the cache of the disk.
_FULL_SYNC: Final = None if fcntl is None else getattr(fcntl, "F_FULLFSYNC", None)


def cores() -> int:
    """The processors that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if allowed is None else len(allowed(0))


def memory_bytes() -> int:
    """The memory of the machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return ASSUMED_MEMORY_BYTES


def nanoseconds_since_boot() -> int:
    """Asleep or awake."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def die_with_parent() -> None:
    """Have this process killed with the thread that started it; on macOS it ends when its socket does."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_address_space(limit_bytes: int) -> None:
    """Limit the memory of this process, and have it write no core files. macOS does not keep the first limit."""
    if resource is None:
        return
    for kind, limit in ((resource.RLIMIT_AS, limit_bytes), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def sync(descriptor: int) -> None:
    """Write a file to the disk, and not only to its cache. Raises OSError."""
    if _FULL_SYNC is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, _FULL_SYNC)
            return
    os.fsync(descriptor)


def drop_cache(descriptor: int) -> None:
    """Have the next read of a file ask the disk, where the system takes such advice."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        advise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def copy_extended_attributes(source: int, target: int) -> None:
    """Those of an open file, where Python knows them on this system. Raises OSError."""
    if not hasattr(os, "listxattr"):
        return
    for name in os.listxattr(source):
        with contextlib.suppress(OSError):
            os.setxattr(target, name, os.getxattr(source, name))


def extended_attribute(path: bytes, name: str) -> bytes:
    """Raises OSError, also where Python knows none on this system."""
    if not hasattr(os, "getxattr"):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    return os.getxattr(path, name)
