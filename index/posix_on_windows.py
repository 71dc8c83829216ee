"""EDGE: adds to `os` on Windows what other modules need from POSIX, so that none of them has to ask for the system.

`install` is called once, before any other module is imported. Afterwards:

- Paths as bytes are separated by `/`, which Windows accepts everywhere: `C:/Users/a.jpg`. Paths as text do not change.
- A folder can be opened. While it is open, no other program can rename or remove it (`windows_handles.open_folder`). So
  its path stays valid, and a name in it (`dir_fd`) is that path followed by the name.
- O_NOFOLLOW refuses symbolic links, junctions and mount points. Listings leave out the latter two.
- Files that were opened in this way can be renamed and removed while they are open.

Modes and owners are not supported: every file is ours, and changing them raises OSError.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, Final

from index import windows_handles

# Bits that no flag of Windows uses.
O_DIRECTORY: Final = 1 << 24
O_NOFOLLOW: Final = 1 << 25
O_NONBLOCK: Final = 1 << 26
OWN_FLAGS: Final = O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK
# Functions that ComparImg calls with bytes, and whose result is a path.
PATH_FUNCTIONS: Final = ("abspath", "expanduser", "join", "normpath", "realpath")

_paths: dict[int, str] = {}
_real: dict[str, Any] = {}


def with_slashes(path: str) -> str:
    """The path with `/` as separator, and without the prefix for long paths."""
    plain = path.removeprefix("\\\\?\\")
    return ("\\\\" + plain[4:] if plain.startswith("UNC\\") else plain).replace("\\", "/")


def install() -> None:
    """Add the functions. Called once, and on Windows only."""
    for name, flag in (("O_DIRECTORY", O_DIRECTORY), ("O_NOFOLLOW", O_NOFOLLOW), ("O_NONBLOCK", O_NONBLOCK)):
        setattr(os, name, flag)
    os.O_CLOEXEC = os.O_NOINHERIT  # type: ignore[attr-defined, misc]
    for call in (_open, _close, _stat, _listdir, _scandir, _fsync, _utime):
        name = call.__name__[1:]
        _real[name] = getattr(os, name)
        setattr(os, name, call)
    for name in ("mkdir", "rmdir", "unlink", "chmod"):
        setattr(os, name, _of_one(getattr(os, name)))
    for name in ("rename", "link"):
        setattr(os, name, _of_two(getattr(os, name)))
    for name in ("fchmod", "fchown"):
        setattr(os, name, _unsupported)
    for name, of_posix in (("geteuid", _user), ("pread", _pread), ("pwrite", _pwrite), ("fsencode", _fsencode)):
        _real[name] = getattr(os, name, None)
        setattr(os, name, of_posix)
    for name in PATH_FUNCTIONS:
        setattr(os.path, name, _of_path(getattr(os.path, name)))


def _of_path(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any, *others: Any, **named: Any) -> Any:
        if not isinstance(path, bytes):
            return function(path, *others, **named)
        return os.fsencode(function(os.fsdecode(path), *map(os.fsdecode, others), **named))

    return call


def _at(path: Any, folder: int | None) -> Any:
    """The path of a name in an open folder."""
    if folder is None:
        return path
    name = os.fsdecode(path)
    if "/" in name or "\\" in name or ":" in name or name == "..":
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    return _path_of(folder) if name == "." else f"{_path_of(folder)}/{name}"


def _path_of(descriptor: int) -> str:
    try:
        return _paths[descriptor]
    except KeyError:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None


def _open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    whole = _at(path, dir_fd)
    if not isinstance(path, bytes) and dir_fd is None and not flags & OWN_FLAGS:
        return int(_real["open"](path, flags, mode))
    text = os.path.abspath(os.fsdecode(whole))
    refuses_links = bool(flags & O_NOFOLLOW)
    if flags & O_DIRECTORY:
        descriptor = windows_handles.open_folder(text, refuses_links)
    else:
        descriptor = windows_handles.open_file(text, flags & ~OWN_FLAGS, refuses_links)
    _paths[descriptor] = text
    return descriptor


def _close(descriptor: int) -> None:
    _paths.pop(descriptor, None)
    _real["close"](descriptor)


def _stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
    found = _real["stat"](_at(path, dir_fd), follow_symlinks=follow_symlinks)
    assert isinstance(found, os.stat_result)
    return found


def _listdir(path: Any = ".") -> list[Any]:
    return list(_real["listdir"](_path_of(path) if isinstance(path, int) else path))


def _fsync(descriptor: int) -> None:
    """Do nothing for folders: they cannot be synced, and Windows writes their names in order."""
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        _real["fsync"](descriptor)


def _utime(path: Any, *others: Any, **named: Any) -> None:
    _real["utime"](_path_of(path) if isinstance(path, int) else path, *others, **named)


class _Listing:
    """The listing of an open folder, in the form of os.scandir."""

    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self._entries = entries

    def __enter__(self) -> "_Listing":
        return self

    def __exit__(self, *_: object) -> None:
        self._entries = []

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return iter(self._entries)


def _scandir(path: Any = ".") -> Any:
    if not isinstance(path, int):
        return _real["scandir"](path)
    with _real["scandir"](_path_of(path)) as listing:
        return _Listing([entry for entry in listing if not _is_junction(entry)])


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a junction. Symbolic links are recognised without this."""
    status = entry.stat(follow_symlinks=False)
    return not entry.is_symlink() and windows_handles.leads_elsewhere(getattr(status, "st_reparse_tag", 0))


def _of_one(function: Callable[..., None]) -> Callable[..., None]:
    def call(path: Any, *others: Any, dir_fd: int | None = None, **named: Any) -> None:
        named.pop("follow_symlinks", None)
        function(_at(path, dir_fd), *others, **named)

    return call


def _of_two(function: Callable[..., None]) -> Callable[..., None]:
    def call(
        source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None, **named: Any
    ) -> None:
        named.pop("follow_symlinks", None)
        function(_at(source, src_dir_fd), _at(target, dst_dir_fd), **named)

    return call


def _fsencode(path: Any) -> bytes:
    text = os.fspath(path)
    return text if isinstance(text, bytes) else bytes(_real["fsencode"](with_slashes(text)))


def _user() -> int:
    """The user id that Windows gives for every file."""
    return 0


def _unsupported(*_: object) -> None:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def _pread(descriptor: int, length: int, offset: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def _pwrite(descriptor: int, data: bytes, offset: int) -> int:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, data)
