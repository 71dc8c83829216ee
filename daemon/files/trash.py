"""EDGE: the trashes, one for each file system: where a file is put, and the manifest that records where it came from.

A trash is the folder `.comparimg-trash`. It is in the highest folder, at or below the managed folder, that a file can
be renamed to without leaving its mount. Each batch has a folder in it. A file there is named by the number of its step
and its old name. Before a file is moved in or out, a line is appended to `manifest.jsonl` and synced. The manifest can
be read without ComparImg.
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

from daemon.files import removal, safe_files, trash_manifest, trash_trust
from daemon.files.file_names import fitting
from daemon.files.folder_lock import is_in_use
from daemon.files.mounts import mounts_below, read_mounts
from daemon.files.protected_paths import ManagedFolders
from daemon.files.safe_files import FileRef
from daemon.files.trash_manifest import NAME as MANIFEST
from daemon.files.trash_manifest import Entry, line_of
from index.errors import FileError
from index.imaging.discovery.trash_places import NAME, holder_of, home_of, is_in_trash
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message

log = logging.getLogger(__name__)

EXECUTABLE: Final = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
# Errors that rule out a trash folder here, but perhaps not in the next folder below.
NOT_HERE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR})


class UntrustedTrash(FileError):
    """Other users may have put something into the trash folder: see daemon.files.trash_trust."""


class Trashes:
    """The trashes of the managed folders. `mark` returns the fields that identify the index; they are written in every
    line. Used by one thread."""

    def __init__(self, folders: ManagedFolders, mark: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._folders = folders
        self._mark = mark
        self._trash_folders: dict[FileRef, bytes] = {}

    def place_for(self, file_ref: FileRef, batch_name: str, step_id: int) -> FileRef:
        """The path for a file in the trash: a free name in a folder that exists. Raises OSError."""
        trash_folder = self._trash_folder_for(file_ref)
        folder = os.path.join(trash_folder, batch_name.encode())
        place = FileRef(file_ref.top, os.path.join(folder, fitting(b"%d-" % step_id, file_ref.name)))
        with safe_files.opened_folder(file_ref.top, folder, make=True):
            pass
        return place

    def record(self, entries: Iterable[Entry]) -> None:
        """Append entries to their manifests, and sync these. Raises OSError."""
        by_folder: dict[bytes, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_folder[home_of(entry.place)].append(entry)
        mark = self._mark() if by_folder else {}
        for trash_folder, folder_entries in by_folder.items():
            lines = b"".join(line_of(trash_folder, entry, mark) for entry in folder_entries)
            _append(self._folders.file_ref(os.path.join(trash_folder, MANIFEST)), lines)

    def refresh(self) -> None:
        """Drop the cached trash folders: mounts may have changed."""
        self._trash_folders = {}

    def folders(self, known: Iterable[bytes] = ()) -> list[bytes]:
        """The trash folders that exist: in the managed folders, at the mount points below them, and among the `known`
        ones."""
        mounts = read_mounts()
        candidates = {
            trash_folder for trash_folder in known
            if os.path.basename(trash_folder) == NAME
            and not is_in_trash(holder_of(trash_folder))
            and self._folders.is_below_any(trash_folder)
        }  # fmt: skip
        for top in self._folders.paths:
            real = os.path.realpath(top)
            below = [top + mount.point[len(real.rstrip(b"/")) :] for mount in mounts_below(real, mounts)]
            candidates |= {os.path.join(folder, NAME) for folder in (top, *below) if not is_in_trash(folder)}
        return sorted(trash_folder for trash_folder in candidates if _is_folder(trash_folder))

    def objection(self, trash_folder: bytes) -> Message | None:
        """Why a trash folder must not be used, None if it may be. Raises OSError if it cannot be examined."""
        return trash_trust.objection(self._folders.file_ref(trash_folder).top, trash_folder)

    @contextmanager
    def opened_manifest(self, trash_folder: bytes) -> Iterator[int]:
        """Open the manifest of a trash folder. Raises OSError."""
        with safe_files.opened_file(self._folders.file_ref(os.path.join(trash_folder, MANIFEST))) as descriptor:
            yield descriptor

    def entries(self, trash_folder: bytes) -> Iterator[Entry]:
        """Every valid line of a manifest; none if there is no manifest, or if the folder must not be used."""
        with contextlib.suppress(OSError):
            if not self.objection(trash_folder):
                with self.opened_manifest(trash_folder) as descriptor:
                    for line, _ in trash_manifest.read_lines(descriptor):
                        entry = trash_manifest.parse(trash_folder, line)
                        if entry is not None:
                            yield entry

    def files_among(self, places: Iterable[bytes]) -> set[bytes]:
        """The given paths at which there is a regular file now."""
        return files_among({place: self._folders.file_ref(place) for place in places})

    def undo_removals(self, places: Iterable[bytes]) -> bool:
        """After a crash: give files their names back if they were left in private folders that were made for their
        removal. Returns whether there was such a folder. Folders of a process that is still running are left alone."""
        any_undone = False
        by_folder: dict[FileRef, list[FileRef]] = defaultdict(list)
        for place in places:
            file_ref = self._folders.file_ref(place)
            by_folder[file_ref.sibling(b"")].append(file_ref)
        for folder, file_refs in by_folder.items():
            with contextlib.suppress(OSError):
                with safe_files.opened_folder(folder.top, folder.folder) as descriptor:
                    names = map(os.fsencode, os.listdir(descriptor))
                    is_left = any(map(removal.PRIVATE.fullmatch, names))
                if is_left and not is_in_use(folder.folder):
                    for file_ref in file_refs:
                        safe_files.undo_removals(file_ref)
                    any_undone = True
        return any_undone

    def prefixes(self, trash_folder: bytes) -> dict[bytes, bytes]:
        """The managed folders that, with links resolved, are the folder that holds a trash, above it, or in it. Maps
        the prefix that paths have in the trash's folder to the managed folder, relative to the folder that holds the
        trash."""
        holder = holder_of(trash_folder)
        real = os.path.realpath(holder)
        prefixes = {real: b"", holder: b""}
        for folder in self._folders.paths:
            real_folder = os.path.realpath(folder)
            if is_at_or_below(real, real_folder):
                prefixes.setdefault(folder + real[len(real_folder.rstrip(b"/")) :], b"")
            elif is_at_or_below(real_folder, real):
                prefixes.setdefault(folder, real_folder[len(real.rstrip(b"/")) + 1 :])
        return prefixes

    def _trash_folder_for(self, file_ref: FileRef) -> bytes:
        """The trash folder for the files of one folder, created if it is missing."""
        key = file_ref.sibling(b"")
        if key not in self._trash_folders:
            self._trash_folders[key] = _find_trash_folder(file_ref)
        return self._trash_folders[key]


def files_among(file_refs: Mapping[bytes, FileRef]) -> set[bytes]:
    """The given paths at which there is a regular file now. Each folder is opened once."""
    by_folder: dict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
    for place, file_ref in file_refs.items():
        by_folder[file_ref.top, file_ref.folder].append(place)
    present = set()
    for (top, path), places in by_folder.items():
        with contextlib.suppress(OSError), safe_files.opened_folder(top, path) as folder:
            for place in places:
                with contextlib.suppress(OSError):
                    status = os.stat(os.path.basename(place), dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        present.add(place)
    return present


def remove_execute_bits(descriptor: int) -> bool:
    """Remove the execute, setuid and setgid bits of an open file. Returns whether it has none now. A file is left alone
    if it has other names, belongs to another user, or is on a file system without modes. Raises OSError."""
    status = os.fstat(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    if mode & EXECUTABLE and status.st_nlink == 1:
        try:
            os.fchmod(descriptor, mode & ~EXECUTABLE)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                raise
    return not os.fstat(descriptor).st_mode & EXECUTABLE


def _find_trash_folder(file_ref: FileRef) -> bytes:
    folders = [file_ref.top]
    for name in file_ref.folder[len(file_ref.top) :].split(b"/"):
        if name:
            folders.append(os.path.join(folders[-1], name))
    keys = []
    for folder in folders:
        with safe_files.opened_folder(file_ref.top, folder) as descriptor:
            keys.append(safe_files.mount_key(descriptor))
    start = len(folders) - 1
    while start > 0 and keys[start - 1] == keys[-1]:
        start -= 1
    first_error: OSError | None = None
    for folder in folders[start:]:
        try:
            return _make_trash_folder(file_ref.top, folder, keys[-1])
        except UntrustedTrash:
            raise  # a person must examine this one; a trash further below would hide the problem
        except OSError as error:
            if error.errno not in NOT_HERE:
                raise
            first_error = first_error or error
    raise first_error or OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def _make_trash_folder(top: bytes, folder: bytes, key: tuple[int, int]) -> bytes:
    trash_folder = os.path.join(folder, NAME)
    with safe_files.opened_folder(top, folder) as parent:
        with contextlib.suppress(FileExistsError):
            os.mkdir(NAME, 0o700, dir_fd=parent)
            os.fsync(parent)
        inner = os.open(NAME, safe_files.FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    try:
        why = trash_trust.objection(top, trash_folder)
        if why:
            raise UntrustedTrash(errno.EPERM, why, os.fsdecode(trash_folder))
        # If another file system is mounted on it, files would be moved to another disk.
        if safe_files.mount_key(inner) != key:
            raise FileError(errno.EPERM, "trash.other_file_system")
        if os.fstatvfs(inner).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(f"/proc/self/fd/{inner}", os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    finally:
        os.close(inner)
    return trash_folder


def _append(manifest: FileRef, lines: bytes) -> None:
    """Append lines to a manifest, created if it is missing, and sync it. Raises OSError."""
    with safe_files.opened_folder(manifest.top, manifest.folder) as folder:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(manifest.name, flags, 0o600, dir_fd=folder)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # the previous line was cut off by a crash
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
