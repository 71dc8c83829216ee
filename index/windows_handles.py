"""EDGE: system calls of Windows that Python lacks.

They open files and folders without following a link, lock, and limit memory. Imported on Windows only; each function
raises OSError.
"""

import ctypes
import errno
import importlib
import os
from ctypes import wintypes
from typing import Any, Final

GENERIC_READ: Final = 0x80000000
GENERIC_WRITE: Final = 0x40000000
LIST_DIRECTORY: Final = 0x0001
READ_ATTRIBUTES: Final = 0x0080
SHARE_READ: Final = 1
SHARE_WRITE: Final = 2
SHARE_DELETE: Final = 4
CREATE_NEW: Final = 1
CREATE_ALWAYS: Final = 2
OPEN_EXISTING: Final = 3
OPEN_ALWAYS: Final = 4
TRUNCATE_EXISTING: Final = 5
BACKUP_SEMANTICS: Final = 0x02000000
OPEN_REPARSE_POINT: Final = 0x00200000
ATTRIBUTE_DIRECTORY: Final = 0x10
FILE_ATTRIBUTE_TAG_INFO: Final = 9
# This bit marks reparse tags that replace another name. Files in a cloud have tags as well, but are files.
NAME_SURROGATE: Final = 0x20000000
INVALID_HANDLE: Final = ctypes.c_void_p(-1).value
# Beyond any byte that is read or written, since a Windows lock forbids both.
LOCKED_BYTE: Final = 2**30
EXTENDED_LIMITS: Final = 9
LIMIT_PROCESS_MEMORY: Final = 0x100
O_BINARY: Final = 0x8000
ERRORS_STAY_SILENT: Final = 0x0003

_runtime: Any = importlib.import_module("msvcrt")
_kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined, unused-ignore]
_kernel.CreateFileW.restype = wintypes.HANDLE
_kernel.CreateFileW.argtypes = (
    wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, wintypes.LPVOID, wintypes.DWORD, wintypes.DWORD, wintypes.HANDLE,
)  # fmt: skip
_kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel.GetFileInformationByHandleEx.argtypes = (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD)
_kernel.CreateJobObjectW.restype = wintypes.HANDLE
_kernel.CreateJobObjectW.argtypes = (wintypes.LPVOID, wintypes.LPCWSTR)
_kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD)
_kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
_kernel.GetCurrentProcess.restype = wintypes.HANDLE
_kernel.GlobalMemoryStatusEx.argtypes = (wintypes.LPVOID,)


class _Basic(ctypes.Structure):
    _fields_ = (
        ("process_time", ctypes.c_int64), ("job_time", ctypes.c_int64), ("flags", wintypes.DWORD),
        ("least_set", ctypes.c_size_t), ("most_set", ctypes.c_size_t), ("processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t), ("priority", wintypes.DWORD), ("scheduling", wintypes.DWORD),
    )  # fmt: skip


class _Extended(ctypes.Structure):
    _fields_ = (
        ("basic", _Basic), ("io", ctypes.c_uint64 * 6), ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t), ("peak_process", ctypes.c_size_t), ("peak_job", ctypes.c_size_t),
    )  # fmt: skip


class _Memory(ctypes.Structure):
    _fields_ = (("length", wintypes.DWORD), ("load", wintypes.DWORD), ("sizes", ctypes.c_uint64 * 7))


def leads_elsewhere(tag: int) -> bool:
    """Whether a reparse tag is that of a link, a junction or a mount point."""
    return bool(tag & NAME_SURROGATE)


def open_folder(path: str, refuses_links: bool) -> int:
    """A descriptor of a folder. While it is open, no one can rename or remove the folder or a folder above it."""
    access, sharing = LIST_DIRECTORY | READ_ATTRIBUTES, SHARE_READ | SHARE_WRITE
    handle = _handle(path, access, sharing, OPEN_EXISTING, BACKUP_SEMANTICS, refuses_links)
    if not _attributes_and_tag(handle, path)[0] & ATTRIBUTE_DIRECTORY:
        _kernel.CloseHandle(handle)
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return int(_runtime.open_osfhandle(handle, os.O_RDONLY))


def open_file(path: str, flags: int, refuses_links: bool) -> int:
    """A binary descriptor of a file. Others may rename and remove the file while it is open."""
    access = GENERIC_READ if not flags & os.O_WRONLY else 0
    access |= GENERIC_WRITE if flags & (os.O_WRONLY | os.O_RDWR) else 0
    if flags & os.O_CREAT:
        how = CREATE_NEW if flags & os.O_EXCL else CREATE_ALWAYS if flags & os.O_TRUNC else OPEN_ALWAYS
    else:
        how = TRUNCATE_EXISTING if flags & os.O_TRUNC else OPEN_EXISTING
    handle = _handle(path, access, SHARE_READ | SHARE_WRITE | SHARE_DELETE, how, BACKUP_SEMANTICS, refuses_links)
    kept = flags & (os.O_APPEND | os.O_WRONLY | os.O_RDWR)
    return int(_runtime.open_osfhandle(handle, kept | O_BINARY))


def _handle(path: str, access: int, sharing: int, how: int, flags: int, refuses_links: bool) -> int:
    wanted = flags | (OPEN_REPARSE_POINT if refuses_links else 0)
    handle = _kernel.CreateFileW(path, access, sharing, None, how, wanted, None)
    if handle in (None, INVALID_HANDLE):
        raise _failure(path)
    if refuses_links and (tag := _attributes_and_tag(handle, path)[1]):
        _kernel.CloseHandle(handle)
        if leads_elsewhere(tag):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        return _handle(path, access, sharing, how, flags, False)
    return int(handle)


def _attributes_and_tag(handle: int, path: str) -> tuple[int, int]:
    found = (wintypes.DWORD * 2)()
    if not _kernel.GetFileInformationByHandleEx(handle, FILE_ATTRIBUTE_TAG_INFO, found, ctypes.sizeof(found)):
        failure = _failure(path)
        _kernel.CloseHandle(handle)
        raise failure
    return int(found[0]), int(found[1])


def _failure(path: str | None = None) -> OSError:
    code = ctypes.get_last_error()  # type: ignore[attr-defined, unused-ignore]
    return OSError(None, ctypes.FormatError(code).strip(), path, code)  # type: ignore[attr-defined, unused-ignore]


def lock(descriptor: int) -> None:
    """Lock a file for this process. Raises BlockingIOError if another process holds the lock."""
    os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
    try:
        _runtime.locking(descriptor, _runtime.LK_NBLCK, 1)
    except PermissionError as error:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)


def limit_memory(limit_bytes: int) -> None:
    """Limit the memory that this process may commit, with a job object. A crash opens no window."""
    _kernel.SetErrorMode(ERRORS_STAY_SILENT)
    job = _kernel.CreateJobObjectW(None, None)
    limits = _Extended()
    limits.basic.flags, limits.process_memory = LIMIT_PROCESS_MEMORY, limit_bytes
    if not (
        job
        and _kernel.SetInformationJobObject(job, EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
        and _kernel.AssignProcessToJobObject(job, _kernel.GetCurrentProcess())
    ):
        raise _failure()


def memory_bytes() -> int:
    """The memory of the machine in bytes."""
    found = _Memory(ctypes.sizeof(_Memory))
    if not _kernel.GlobalMemoryStatusEx(ctypes.byref(found)):
        raise _failure()
    return int(found.sizes[0])
