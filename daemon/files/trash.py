"""EDGE: the trashes, one for each file system: where a file goes, and the manifest that tells where it came from.

A trash is the folder `.comparimg-trash` in the highest folder that a file can be renamed to without leaving its mount,
at or below the watched folder. In it, each batch has a folder, and each file its own name behind the number of its
step. `manifest.jsonl` is appended to, and on the disk, before a file comes or goes; it needs no ComparImg to be read.
"""

import contextlib
import errno
import json
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from daemon.files import safe_files
from daemon.files.file_names import TRASH as NAME
from daemon.files.file_names import fitting, is_in_trash
from daemon.files.grounds import Grounds
from daemon.files.mounts import mounts_below, read_mounts
from daemon.files.safe_files import Spot
from index.records.trash_items import Item

MANIFEST: Final = b"manifest.jsonl"
# What keeps us from making a folder here, and not in the next one below.
NOT_HERE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR})


__all__ = ["MANIFEST", "NAME", "Entry", "Trashes", "home_of", "is_in_trash", "read_manifest"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a manifest: what happened to the file at `place`. Events: trash, restored, emptied."""

    event: str
    place: bytes
    path: bytes
    size_bytes: int
    mtime_ns: int
    inode: int
    digest: bytes
    batch_id: int
    at_ns: int


class Trashes:
    """The trashes of the configured folders; `mark` gives what every line tells of the index. Used by one thread."""

    def __init__(self, grounds: Grounds, mark: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._grounds = grounds
        self._mark = mark
        self._homes: dict[Spot, bytes] = {}

    def place_for(self, spot: Spot, batch_name: str, step_id: int) -> Spot:
        """Where the file at a spot goes: a name that is free, in a folder that is there. Raises OSError."""
        home = self._home(spot)
        folder = os.path.join(home, batch_name.encode())
        place = Spot(spot.top, os.path.join(folder, fitting(b"%d-" % step_id, spot.name)))
        with safe_files.opened_folder(spot.top, folder, make=True):
            pass
        return place

    def record(self, entries: Iterable[Entry]) -> None:
        """Append to the manifests, and bring that to the disk. Raises OSError."""
        by_home: dict[bytes, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_home[home_of(entry.place)].append(entry)
        mark = self._mark() if by_home else {}
        for home, some in by_home.items():
            lines = b"".join(_line(home, entry, mark) for entry in some)
            _append(self._grounds.spot(os.path.join(home, MANIFEST)), lines)

    def forget_places(self) -> None:
        """Look anew where each trash is: mounts may have changed."""
        self._homes = {}

    def homes(self) -> list[bytes]:
        """The trash folders that there are in the configured folders and where other file systems begin below."""
        mounts = read_mounts()
        found = set()
        for top in self._grounds.paths:
            real = os.path.realpath(top)
            below = [top + mount.point[len(real.rstrip(b"/")) :] for mount in mounts_below(real, mounts)]
            found |= {os.path.join(folder, NAME) for folder in (top, *below)}
        return sorted(home for home in found if _is_folder(home))

    def items_in(self, home: bytes) -> list[Item]:
        """What a manifest tells of files that are there now, whoever put them there."""
        found = []
        for entry in read_manifest(self._grounds.spot(os.path.join(home, MANIFEST)), home):
            with contextlib.suppress(OSError):
                if entry.event == "trash" and safe_files.identity_at(self._grounds.spot(entry.place)) is not None:
                    found.append(
                        Item(
                            place=entry.place,
                            path=entry.path,
                            inode=entry.inode,
                            size_bytes=entry.size_bytes,
                            mtime_ns=entry.mtime_ns,
                            digest=entry.digest,
                            trashed_ns=entry.at_ns,
                        )
                    )
        return found

    def _home(self, spot: Spot) -> bytes:
        """The trash folder for the files of one folder, made where it is missing."""
        key = spot.beside(b"")
        if key not in self._homes:
            self._homes[key] = _find_home(spot)
        return self._homes[key]


def home_of(place: bytes) -> bytes:
    """The trash folder that a place is in."""
    return place[: place.index(b"/" + NAME + b"/") + len(NAME) + 1]


def read_manifest(spot: Spot, home: bytes) -> list[Entry]:
    """The last that a manifest tells of each place; lines that a crash cut off, or a person broke, are passed over."""
    found: dict[bytes, Entry] = {}
    try:
        with safe_files.opened_file(spot) as descriptor, open(descriptor, "rb", closefd=False) as lines:
            for line in lines:
                with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                    entry = _entry(home, json.loads(line))
                    found[entry.place] = entry
    except OSError:
        return []
    return list(found.values())


def _find_home(spot: Spot) -> bytes:
    folders = [spot.top]
    for name in spot.folder[len(spot.top) :].split(b"/"):
        if name:
            folders.append(os.path.join(folders[-1], name))
    keys = []
    for folder in folders:
        with safe_files.opened_folder(spot.top, folder) as descriptor:
            keys.append(safe_files.mount_key(descriptor))
    start = len(folders) - 1
    while start > 0 and keys[start - 1] == keys[-1]:
        start -= 1
    refusal: OSError | None = None
    for folder in folders[start:]:
        try:
            return _make_home(spot.top, folder, keys[-1])
        except OSError as error:
            if error.errno not in NOT_HERE:
                raise
            refusal = refusal or error
    raise refusal or OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def _make_home(top: bytes, folder: bytes, key: tuple[int, int]) -> bytes:
    home = os.path.join(folder, NAME)
    with safe_files.opened_folder(top, folder) as parent:
        with contextlib.suppress(FileExistsError):
            os.mkdir(NAME, 0o700, dir_fd=parent)
            os.fsync(parent)
        inner = os.open(NAME, safe_files.FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    try:
        # Something else mounted there would take the files to another disk.
        if safe_files.mount_key(inner) != key:
            raise OSError(errno.EPERM, "another file system is mounted on the trash")
        if os.fstatvfs(inner).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(f"/proc/self/fd/{inner}", os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    finally:
        os.close(inner)
    return home


def _append(manifest: Spot, lines: bytes) -> None:
    with safe_files.opened_folder(manifest.top, manifest.folder) as folder:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(manifest.name, flags, 0o600, dir_fd=folder)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # the line before was cut off by a crash
            while lines:
                lines = lines[os.write(descriptor, lines) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not size:
            os.fsync(folder)


def _line(home: bytes, entry: Entry, mark: Mapping[str, Any]) -> bytes:
    told = {
        "at": datetime.fromtimestamp(entry.at_ns // 10**9, UTC).isoformat(),
        "event": entry.event,
        "file": os.fsdecode(entry.place[len(home) + 1 :]),
        "from": os.fsdecode(entry.path),
        "bytes": entry.size_bytes,
        "mtime_ns": entry.mtime_ns,
        "inode": entry.inode,
        "blake3": entry.digest.hex(),
        "batch": entry.batch_id,
        **mark,
    }
    return json.dumps(told, ensure_ascii=True).encode() + b"\n"


def _entry(home: bytes, told: dict[str, Any]) -> Entry:
    name = os.fsencode(told["file"])
    if name.startswith(b"/") or b".." in name.split(b"/"):
        raise ValueError(name)
    return Entry(
        event=str(told["event"]),
        place=os.path.join(home, name),
        path=os.fsencode(told["from"]),
        size_bytes=int(told["bytes"]),
        mtime_ns=int(told["mtime_ns"]),
        inode=int(told["inode"]),
        digest=bytes.fromhex(told["blake3"]),
        batch_id=int(told["batch"]),
        at_ns=int(datetime.fromisoformat(told["at"]).timestamp()) * 10**9,
    )


def _is_folder(path: bytes) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISDIR(os.lstat(path).st_mode)
    return False
