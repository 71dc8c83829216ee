"""EDGE: the trashes, one for each file system: where a file goes, and the manifest that tells where it came from.

A trash is the folder `.comparimg-trash` in the highest folder that a file can be renamed to without leaving its mount,
at or below the watched folder. In it, each batch has a folder, and each file its own name behind the number of its
step. `manifest.jsonl` is appended to, and on the disk, before a file comes or goes; it needs no ComparImg to be read.
"""

import contextlib
import errno
import logging
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from daemon.files import manifest, removal, safe_files, trash_trust
from daemon.files.file_names import fitting
from daemon.files.folder_lock import is_in_use
from daemon.files.grounds import Grounds
from daemon.files.manifest import NAME as MANIFEST
from daemon.files.manifest import Entry, line_of
from daemon.files.mounts import mounts_below, read_mounts
from daemon.files.safe_files import Spot
from index.images.trash_places import NAME, holder_of, home_of, is_in_trash
from index.images.walk import is_at_or_below

log = logging.getLogger(__name__)

EXECUTABLE: Final = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
# What keeps us from making a folder here, and not in the next one below.
NOT_HERE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR})


class UntrustedTrash(PermissionError):
    """A trash folder that other users may have put something in: daemon.files.trash_trust."""


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
            lines = b"".join(line_of(home, entry, mark) for entry in some)
            _append(self._grounds.spot(os.path.join(home, MANIFEST)), lines)

    def forget_places(self) -> None:
        """Look anew where each trash is: mounts may have changed."""
        self._homes = {}

    def homes(self, known: Iterable[bytes] = ()) -> list[bytes]:
        """The trash folders that there are in the configured folders and where other file systems begin below, and
        those of the `known` ones that there are."""
        mounts = read_mounts()
        found = {
            home for home in known
            if os.path.basename(home) == NAME and not is_in_trash(holder_of(home)) and self._grounds.is_below_any(home)
        }  # fmt: skip
        for top in self._grounds.paths:
            real = os.path.realpath(top)
            below = [top + mount.point[len(real.rstrip(b"/")) :] for mount in mounts_below(real, mounts)]
            found |= {os.path.join(folder, NAME) for folder in (top, *below) if not is_in_trash(folder)}
        return sorted(home for home in found if _is_folder(home))

    def objection(self, home: bytes) -> str:
        """Why a trash folder must not be used, "" where it may be. Raises OSError where it cannot be looked at."""
        return trash_trust.objection(self._grounds.spot(home).top, home)

    @contextmanager
    def opened_manifest(self, home: bytes) -> Iterator[int]:
        """The manifest of a trash folder. Raises OSError."""
        with safe_files.opened_file(self._grounds.spot(os.path.join(home, MANIFEST))) as descriptor:
            yield descriptor

    def entries(self, home: bytes) -> Iterator[Entry]:
        """Every line of a manifest that can be read; none where there is none, or where the folder is not used."""
        with contextlib.suppress(OSError):
            if not self.objection(home):
                with self.opened_manifest(home) as descriptor:
                    for line, _ in manifest.read_lines(descriptor):
                        entry = manifest.parse(home, line)
                        if entry is not None:
                            yield entry

    def files_among(self, places: Iterable[bytes]) -> set[bytes]:
        """Those of some places at which there is a regular file now."""
        return files_among({place: self._grounds.spot(place) for place in places})

    def put_back(self, places: Iterable[bytes]) -> bool:
        """Give files at these places their names back that a crash left in a folder made for their removal; whether
        there was such a folder. What another process is at stays."""
        found = False
        by_folder: dict[Spot, list[Spot]] = defaultdict(list)
        for place in places:
            spot = self._grounds.spot(place)
            by_folder[spot.beside(b"")].append(spot)
        for folder, spots in by_folder.items():
            with contextlib.suppress(OSError):
                with safe_files.opened_folder(folder.top, folder.folder) as descriptor:
                    names = map(os.fsencode, os.listdir(descriptor))
                    is_left = any(map(removal.PRIVATE.fullmatch, names))
                if is_left and not is_in_use(folder.folder):
                    for spot in spots:
                        safe_files.put_back(spot)
                    found = True
        return found

    def prefixes(self, home: bytes) -> dict[bytes, bytes]:
        """The configured folders that are, by their real directories, the folder that holds a trash, above it, or in
        it: what each path begins with there, and the part of that folder it is the same as."""
        holder = holder_of(home)
        real = os.path.realpath(holder)
        found = {real: b"", holder: b""}
        for ground in self._grounds.paths:
            of_ground = os.path.realpath(ground)
            if is_at_or_below(real, of_ground):
                found.setdefault(ground + real[len(of_ground.rstrip(b"/")) :], b"")
            elif is_at_or_below(of_ground, real):
                found.setdefault(ground, of_ground[len(real.rstrip(b"/")) + 1 :])
        return found

    def _home(self, spot: Spot) -> bytes:
        """The trash folder for the files of one folder, made where it is missing."""
        key = spot.beside(b"")
        if key not in self._homes:
            self._homes[key] = _find_home(spot)
        return self._homes[key]


def files_among(spots: Mapping[bytes, Spot]) -> set[bytes]:
    """Those of some places at which there is a regular file now; each folder is opened once."""
    by_folder: dict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
    for place, spot in spots.items():
        by_folder[spot.top, spot.folder].append(place)
    found = set()
    for (top, path), places in by_folder.items():
        with contextlib.suppress(OSError), safe_files.opened_folder(top, path) as folder:
            for place in places:
                with contextlib.suppress(OSError):
                    status = os.stat(os.path.basename(place), dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found.add(place)
    return found


def make_plain(descriptor: int) -> bool:
    """Take from an open file what lets it be executed, or run with other rights; whether that is so now. It is left
    alone where it has other names, belongs to somebody else, or its file system keeps no modes. Raises OSError."""
    status = os.fstat(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    if mode & EXECUTABLE and status.st_nlink == 1:
        try:
            os.fchmod(descriptor, mode & ~EXECUTABLE)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                raise
    return not os.fstat(descriptor).st_mode & EXECUTABLE


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
        except UntrustedTrash:
            raise  # a person is to look at it; another trash below it would hide that
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
        why = trash_trust.objection(top, home)
        if why:
            raise UntrustedTrash(errno.EPERM, why, os.fsdecode(home))
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
    """Append lines to a manifest, made where it is missing, and bring them to the disk. Raises OSError."""
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




def _is_folder(path: bytes) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISDIR(os.lstat(path).st_mode)
    return False
