"""Stands in the place of Python's module: takes away what macOS lacks, in every process that has this folder in its
path. Imported by index.operating_system before anything asks for what is taken away.
"""

import ctypes
import importlib.util
import os
import sys
import sysconfig
import time
from typing import Any

_spec = importlib.util.find_spec("_posixsubprocess")
_folder = os.path.dirname(_spec.origin) if _spec and _spec.origin else sysconfig.get_path("platstdlib")
_real: Any = None
for _entry in (os.path.join(_folder, name) for name in os.listdir(_folder) if name.startswith("resource.")):
    _found = importlib.util.spec_from_file_location("resource", _entry)
    if _found is not None and _found.loader is not None and not _entry.endswith(".py"):
        _real = importlib.util.module_from_spec(_found)
        _found.loader.exec_module(_real)
for _name in dir(_real):
    if not _name.startswith("_"):
        globals()[_name] = getattr(_real, _name)


def setrlimit(kind: int, limits: tuple[int, int]) -> None:
    """macOS refuses a limit of the address space."""
    if kind == _real.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")
    _real.setrlimit(kind, limits)


def _hidden(real: Any) -> Any:
    """Opens nothing of Linux's own file systems."""

    def call(path: Any, *others: Any, **named: Any) -> Any:
        if isinstance(path, str | bytes | os.PathLike) and os.fsencode(path).startswith(
            (b"/proc/", b"/sys/", b"/run/")
        ):
            raise FileNotFoundError(2, os.strerror(2), path)
        return real(path, *others, **named)

    return call


class _Library:
    """A C library without prctl, renameat2, mallopt and malloc_trim."""


# What finds its files by the name of the system is loaded as what it is.
for _early in (
    "llvmlite.binding", "numba", "cv2", "numpy", "PIL.Image", "onnxruntime", "urllib.request", "uuid", "sysconfig",
    "platform", "multiprocessing",
):  # fmt: skip
    try:
        __import__(_early)
    except ImportError:
        continue
sys.platform = "darwin"
for _lacking in (
    "O_PATH", "O_TMPFILE", "sched_getaffinity", "posix_fadvise", "POSIX_FADV_DONTNEED", "listxattr", "getxattr",
    "setxattr", "copy_file_range", "memfd_create", "pidfd_open", "eventfd", "sendfile",
):  # fmt: skip
    if hasattr(os, _lacking):
        delattr(os, _lacking)
del time.CLOCK_BOOTTIME
_load = ctypes.CDLL
ctypes.CDLL = lambda name, *others, **named: _Library() if name is None else _load(name, *others, **named)  # type: ignore[assignment, misc]
os.open = _hidden(os.open)  # type: ignore[assignment]
import builtins  # noqa: E402

builtins.open = _hidden(builtins.open)  # type: ignore[assignment]
