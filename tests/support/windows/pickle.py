"""Stands in the place of Python's module, in every process that has this folder in its path.

Takes away what Windows lacks before the package `index` is imported, and puts plain calls of this system in the place
of those of Windows. It cannot show that those do what they are treated as (index/windows_handles.py).
"""

import ctypes
import errno
import fcntl
import importlib.util
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import types
from typing import Any

_spec = importlib.util.spec_from_file_location("pickle", os.path.join(sysconfig.get_path("stdlib"), "pickle.py"))
assert _spec is not None
assert _spec.loader is not None
_real = importlib.util.module_from_spec(_spec)
sys.modules["pickle"] = _real
_spec.loader.exec_module(_real)

# What finds its files by the name of the system is loaded as what it is.
for _early in (
    "tempfile", "selectors", "shutil", "urllib.request", "uuid", "platform", "multiprocessing", "click", "msgspec",
    "llvmlite.binding", "numba", "cv2", "numpy", "PIL.Image", "onnxruntime", "asyncio", "sqlite3", "zoneinfo",
    "tzlocal", "watchdog.observers",
):  # fmt: skip
    try:
        __import__(_early)
    except ImportError:
        continue

_open, _close = os.open, os.close
_flock, _exclusive = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB
_folder, _no_links = os.O_DIRECTORY | os.O_CLOEXEC, os.O_NOFOLLOW


def _handles() -> types.ModuleType:
    """What index.windows_handles offers, here."""
    module = types.ModuleType("index.windows_handles")

    def open_folder(path: str, refuses_links: bool) -> int:
        return _open(path, _folder | (_no_links if refuses_links else 0))

    def open_file(path: str, flags: int, refuses_links: bool) -> int:
        return _open(path, flags | (_no_links if refuses_links else 0), 0o666)

    module.open_folder, module.open_file = open_folder, open_file  # type: ignore[attr-defined]
    module.leads_elsewhere = lambda tag: False  # type: ignore[attr-defined]
    module.lock = lambda descriptor: _flock(descriptor, _exclusive)  # type: ignore[attr-defined]
    module.limit_memory = lambda limit: None  # type: ignore[attr-defined]
    module.memory_bytes = lambda: 4 * 2**30  # type: ignore[attr-defined]
    return module


def _by_path(real: Any) -> Any:
    """Takes no descriptors."""

    def call(*given: Any, **named: Any) -> Any:
        if any(isinstance(one, int) for one in given[:1]) or "dir_fd" in named or "src_dir_fd" in named:
            raise NotImplementedError(real.__name__)
        return real(*given, **named)

    call.__name__ = real.__name__
    return call


class _NoLibrary:
    def __init__(self, name: Any, *_: Any, **__: Any) -> None:
        if name is None:
            raise TypeError("no single C library")


def _share(end: socket.socket, _: int) -> bytes:
    return b"%d" % end.fileno()


def _started(command: Any, **named: Any) -> Any:
    """Every socket is inherited, so that one can be named."""
    assert "pass_fds" not in named
    return _popen(command, close_fds=False, **named)


_accept = socket.socketpair
_popen = subprocess.Popen


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = _accept()
    theirs.set_inheritable(True)
    return ours, theirs


sys.modules["index.windows_handles"] = _handles()
sys.platform = "win32"
tempfile._O_TMPFILE_WORKS = False  # type: ignore[attr-defined]
os.O_NOINHERIT = os.O_CLOEXEC  # type: ignore[attr-defined]
for _lacking in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[_lacking] = None  # type: ignore[assignment]
for _lacking in (
    "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_PATH", "O_TMPFILE", "sched_getaffinity", "geteuid",
    "getuid", "fchown", "fchmod", "sysconf", "posix_fadvise", "listxattr", "getxattr", "setxattr", "pread", "pwrite",
    "nice", "set_blocking", "statvfs", "copy_file_range", "memfd_create", "fork",
):  # fmt: skip
    if hasattr(os, _lacking):
        delattr(os, _lacking)
for _name in ("stat", "mkdir", "rmdir", "unlink", "rename", "link", "scandir", "listdir", "utime"):
    setattr(os, _name, _by_path(getattr(os, _name)))
socket.socketpair = _pair
socket.socket.share = _share  # type: ignore[attr-defined]
socket.fromshare = lambda data: socket.socket(fileno=int(data))  # type: ignore[attr-defined]
subprocess.Popen = _started  # type: ignore[assignment, misc]
_load = ctypes.CDLL
ctypes.CDLL = lambda name, *others, **named: _NoLibrary(name) if name is None else _load(name, *others, **named)  # type: ignore[assignment, misc]
assert errno.ENOTSUP
