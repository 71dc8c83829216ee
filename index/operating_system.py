"""EDGE: functions of Linux that other systems have in another form or not at all, each under one name.

ComparImg runs on Linux. On macOS and Windows, `detect` and `compress` run, as far as they do not change existing files.
Functions that these systems lack do nothing here, so that no other module has to ask for the system. The functions of
`os` that Windows lacks are added by `posix_on_windows`.
"""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import subprocess

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
if IS_WINDOWS:
    from index import windows_handles
# For folders in a path, which are not listed. On Linux they need not be readable.
TRAVERSE: Final = getattr(os, "O_PATH", os.O_RDONLY)
# For a file without a name; 0 if there is no such flag.
UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
HAS_O_PATH: Final = hasattr(os, "O_PATH")
PR_SET_PDEATHSIG: Final = 1
STANDARD_ERROR: Final = 2
# Flags of renameat2(2).
RENAME_NOREPLACE: Final = 1
RENAME_EXCHANGE: Final = 2
# Of statx(2): the flags AT_EMPTY_PATH and AT_STATX_FORCE_SYNC, the mask STATX_CTIME, and the place of stx_ctime in its
# result of 256 bytes.
_THIS_FILE_FROM_SERVER: Final = 0x1000 | 0x2000
_STATX_CTIME: Final = 0x80
_STATX_BYTES, _CTIME_OFFSET = 256, 96
# Assumed if the memory of the machine is unknown.
ASSUMED_MEMORY_BYTES: Final = 4 * 2**30
# F_FULLFSYNC of macOS, whose fsync(2) leaves the bytes in the cache of the disk.
_FULL_SYNC: Final = None if fcntl is None else getattr(fcntl, "F_FULLFSYNC", None)


def cores() -> int:
    """The number of processors that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if allowed is None else len(allowed(0))


def memory_bytes() -> int:
    """The memory of the machine in bytes."""
    if IS_WINDOWS:
        return windows_handles.memory_bytes()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return ASSUMED_MEMORY_BYTES


def processor_flags() -> frozenset[str]:
    """The features of the processor, by their names in Linux, as "avx2"; empty if they are unknown."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "flags":
                return frozenset(value.split())
    return frozenset()


def nanoseconds_since_boot() -> int:
    """The nanoseconds since boot, asleep or awake."""
    if IS_WINDOWS:
        return time.monotonic_ns()
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def die_with_parent() -> None:
    """Have this process killed with the thread that started it. On other systems than Linux, it ends with its
    socket."""
    with contextlib.suppress(AttributeError, OSError):
        c_library().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_child_of(parent: int) -> bool:
    """Whether the process that started this one is still running. On Windows, other processes may be in between."""
    return IS_WINDOWS or os.getppid() == parent


def be_nice(by: int) -> None:
    """Lower the priority of this process, if the system supports this."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(by)


@cache
def c_library() -> Any:
    """The C library of this process. Raises OSError on Windows, which has no single one. Raises AttributeError for
    functions that the library lacks."""
    if IS_WINDOWS:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return ctypes.CDLL(None, use_errno=True)


def start_python(code: str, end: socket.socket, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start Python without the site module. `code` receives the socket by `passed_socket`, and inherits nothing else.
    Raises OSError."""
    # Each process that decodes imports this module, and none of them starts another.
    import subprocess  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    arguments = ["-S", "-P", "-c", code]
    if not IS_WINDOWS:
        return subprocess.Popen(
            [sys.executable, *arguments], pass_fds=(end.fileno(),), env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    # The python.exe of an environment only starts the real one, and only that one must have the socket.
    command = [getattr(sys, "_base_executable", sys.executable), *arguments]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(end.share(process.pid))  # type: ignore[attr-defined, unused-ignore]
    return process


def passed_socket(descriptor: int) -> socket.socket:
    """The socket that `start_python` passed to this process."""
    if IS_WINDOWS:
        return socket.fromshare(sys.stdin.buffer.read())  # type: ignore[attr-defined, no-any-return, unused-ignore]
    return socket.socket(fileno=descriptor)


def largest_memory_kb() -> int:
    """The peak memory of this process, 0 if it is unknown."""
    if resource is None:
        return 0
    most = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return most if IS_LINUX else most >> 10


def lock(descriptor: int, exclusively: bool = True) -> None:
    """Lock an open file or folder for this process, without waiting. Raises BlockingIOError if another process holds
    the lock, and OSError if such locks are not supported: for folders on Windows, on some network file systems."""
    if not IS_WINDOWS:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    elif exclusively:
        windows_handles.lock(descriptor)
    else:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def ioctl(descriptor: int, request: int, buffer: Any) -> None:
    """Call ioctl(2). Raises OSError."""
    if fcntl is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    fcntl.ioctl(descriptor, request, buffer)


def renameat2(old: int, source: bytes, new: int, target: bytes, flags: int) -> None:
    """Rename with the flags of Linux. On Windows, no rename replaces anything. Raises OSError, with ENOSYS if it cannot
    be done in one step."""
    if IS_WINDOWS and flags == RENAME_NOREPLACE:
        os.rename(source, target, src_dir_fd=old, dst_dir_fd=new)
        return
    try:
        call = c_library().renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if call(old, source, new, target, flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(target))


def change_time_ns(descriptor: int) -> int:
    """When the inode of an open file was last changed, which a rename counts as. A network or FUSE file system is asked
    for it, instead of the cache. Raises OSError."""
    result = ctypes.create_string_buffer(_STATX_BYTES)
    with contextlib.suppress(AttributeError, OSError):
        if c_library().statx(descriptor, b"", _THIS_FILE_FROM_SERVER, _STATX_CTIME, result) == 0:
            seconds, nanoseconds = struct.unpack_from("=qI", result, _CTIME_OFFSET)
            return int(seconds) * 10**9 + int(nanoseconds)
    return os.fstat(descriptor).st_ctime_ns


def limit_address_space(limit_bytes: int) -> None:
    """Limit the memory of this process, and prevent core files. macOS does not enforce the first limit."""
    if IS_WINDOWS:
        with contextlib.suppress(OSError):
            windows_handles.limit_memory(limit_bytes)
    if resource is None:
        return
    for kind, limit in ((resource.RLIMIT_AS, limit_bytes), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


@contextlib.contextmanager
def captured_standard_error(most_bytes: int) -> Iterator[list[bytes]]:
    """Capture what libraries write to standard error until the end of the block. The list is filled at that end, and no
    writer has to wait. On Windows, this works only in a process that `start_python` started. One thread at a time."""
    written: list[bytes] = []
    with _captured_in_its_file(written, most_bytes) if IS_WINDOWS else _captured_by_pipe(written, most_bytes):
        yield written


@contextlib.contextmanager
def _captured_by_pipe(written: list[bytes], most_bytes: int) -> Iterator[None]:
    reader, writer = os.pipe()
    try:
        # What does not fit into the pipe is dropped.
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        before = _duplicate(STANDARD_ERROR)
        os.dup2(writer, STANDARD_ERROR)
        try:
            yield
        finally:
            if before is None:
                os.close(STANDARD_ERROR)
            else:
                os.dup2(before, STANDARD_ERROR)
                os.close(before)
            with contextlib.suppress(BlockingIOError):
                written.append(os.read(reader, most_bytes))
    finally:
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def _captured_in_its_file(written: list[bytes], most_bytes: int) -> Iterator[None]:
    """Capture through the file behind the descriptor. On Windows, each library may have its own C library, with another
    descriptor for the same file, so replacing our descriptor would capture nothing."""
    with contextlib.suppress(OSError):
        os.truncate(STANDARD_ERROR, 0)
        os.lseek(STANDARD_ERROR, 0, os.SEEK_SET)
    yield
    with contextlib.suppress(OSError):
        os.lseek(STANDARD_ERROR, 0, os.SEEK_SET)
        written.append(os.read(STANDARD_ERROR, most_bytes))


def _duplicate(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:
        return None


def sync(descriptor: int) -> None:
    """Write a file to the disk itself, not only to the disk's cache. Raises OSError."""
    if _FULL_SYNC is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, _FULL_SYNC)
            return
    os.fsync(descriptor)


def drop_cache(descriptor: int) -> None:
    """Have the next read of a file go to the disk, if the system supports this."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        advise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def copy_extended_attributes(source: int, target: int) -> None:
    """Copy the extended attributes of an open file, if Python supports this on the system. Raises OSError."""
    if not hasattr(os, "listxattr"):
        return
    for name in os.listxattr(source):
        with contextlib.suppress(OSError):
            os.setxattr(target, name, os.getxattr(source, name))


def extended_attribute(path: bytes, name: str) -> bytes:
    """An extended attribute. Raises OSError, also if Python does not support this on the system."""
    if not hasattr(os, "getxattr"):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    return os.getxattr(path, name)
