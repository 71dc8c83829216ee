"""EDGE: restores files from trashes by their manifests alone, without an index.

A manifest may be forged, so a file is restored only below the folder that holds its trash (discovery.trash_places),
under a free name, and without execute bits.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from daemon.files import safe_files, trash_manifest, trash_trust
from daemon.files.file_names import names_like
from daemon.files.protected_paths import ManagedFolders
from daemon.files.safe_files import FileRef
from daemon.files.trash import Trashes, files_among, remove_execute_bits
from daemon.files.trash_manifest import Entry
from index.imaging.discovery.companions import bond_of, companions_of, keys_of, renamed, stem_of
from index.imaging.discovery.file_types import claims_image
from index.imaging.discovery.trash_places import NAME, adopted_restore_target, holder_of, origin
from index.messages import Message, of_os_error

LINES_AT_ONCE: Final = 2_000
# The number of files whose lines are written to the manifest, with one sync, before they are moved.
RESTORED_AT_ONCE: Final = 64


class ByteCheck(StrEnum):
    """How the bytes of a file compare with the digest in the manifest."""

    UNCHECKED = "unchecked"
    SAME = "same"
    DIFFERENT = "different"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True)
class TrashedFile:
    """A file in a trash. `target` is the path it is restored to; `elsewhere` is true if the manifest gives another
    path.

    `restored`: it was restored to the target. `message` says why something could not be done.
    """

    trash_folder: bytes
    entry: Entry
    target: bytes
    elsewhere: bool
    bytes: ByteCheck = ByteCheck.UNCHECKED
    restored: bool = False
    message: Message | None = None


def trash_folders_in(folder: bytes, unreadable: list[bytes]) -> Iterator[bytes]:
    """The trash folders at or below an absolute folder without links. Folders that cannot be listed are added to
    `unreadable`. No link is followed."""
    if os.path.basename(folder) == NAME:
        yield folder
        return
    for path, names, _ in os.walk(folder, onerror=lambda error: unreadable.append(os.fsencode(error.filename))):
        if NAME in names:
            names.remove(NAME)
            trash_folder = os.path.join(path, NAME)
            if not os.path.islink(trash_folder):
                yield trash_folder
        names.sort()


def objection(trash_folder: bytes) -> Message | None:
    """Why the service would not use a trash folder, None if it would. Raises OSError."""
    return trash_trust.objection(holder_of(trash_folder), trash_folder)


def files_in(trash_folder: bytes) -> Iterator[TrashedFile]:
    """The files in a trash that its manifest lists. Raises OSError if the manifest cannot be read."""
    holder = holder_of(trash_folder)
    prefixes = {os.path.realpath(holder): b"", holder: b""}
    with safe_files.opened_file(_file_ref(trash_folder, os.path.join(trash_folder, trash_manifest.NAME))) as descriptor:
        lines = trash_manifest.read_lines(descriptor)
        while chunk := list(islice(lines, LINES_AT_ONCE)):
            parsed = (trash_manifest.parse(trash_folder, line) for line, _ in chunk if line)
            entries = {entry.place: entry for entry in parsed if entry is not None and entry.event == "trash"}
            there = files_among({place: _file_ref(trash_folder, place) for place in entries})
            for place, entry in entries.items():
                if place in there:
                    restore_target = adopted_restore_target(place, *origin(place, entry.path, entry.relative, prefixes))
                    yield TrashedFile(trash_folder, entry, restore_target.path, restore_target.asks)


def count_files(trash_folder: bytes) -> int:
    """The number of files in a trash, listed in its manifest or not."""
    count = 0
    with os.scandir(trash_folder) as batches:
        for batch in batches:
            if batch.is_dir(follow_symlinks=False):
                with os.scandir(batch.path) as files:
                    count += sum(file.is_file(follow_symlinks=False) for file in files)
    return count


def check_bytes(file: TrashedFile) -> TrashedFile:
    """Compare the bytes of a file with the digest in the manifest. Returns the file with the result."""
    try:
        with safe_files.opened_file(_file_ref(file.trash_folder, file.entry.place)) as descriptor:
            return replace(file, bytes=_compare(file.entry, descriptor))
    except OSError as error:
        return replace(file, message=of_os_error(error))


def restore_files(
    files: Iterator[TrashedFile], refusal_for: Callable[[bytes], Message | None]
) -> Iterator[TrashedFile]:
    """Restore files, and yield the outcome of each. `refusal_for` says why nothing may be restored to a path, or None
    if it may."""
    renamings = Renamings()
    while chunk := list(islice(files, RESTORED_AT_ONCE)):
        refused = [replace(file, message=why) for file in chunk if (why := refusal_for(file.target))]
        yield from refused
        targets = {file.target for file in refused}
        done = _record_and_restore([file for file in chunk if file.target not in targets], renamings)
        yield from done
        ended = [file for file in done if file.restored]
        safe_files.sync_folders(
            _file_ref(file.trash_folder, path) for file in ended for path in (file.target, file.entry.place)
        )


class Renamings:
    """The images that were restored under another name. Their companions get a name that matches."""

    def __init__(self) -> None:
        self._names: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}

    def record(self, wanted: bytes, got: bytes) -> None:
        """Record the path that a file should have had, and the one that it got."""
        folder, name = os.path.split(wanted)
        if got != wanted and bond_of(name) is None:
            for key in keys_of(name):
                self._names[folder, key] = name, os.path.basename(got)

    def target(self, path: bytes) -> bytes:
        """The path of a companion that matches the present name of its image. Any other file keeps its path."""
        folder, name = os.path.split(path)
        for key in sorted({key for near in (name, stem_of(name)) for key in keys_of(near)}):
            image, now = self._names.get((folder, key), (b"", b""))
            if image and any(companion.name == name for companion in companions_of(image, (name, stem_of(name)))):
                return os.path.join(folder, renamed(name, image, now))
        return path


def _record_and_restore(files: list[TrashedFile], renamings: Renamings) -> list[TrashedFile]:
    """Write to the manifests which files are restored, then restore them."""
    now_ns = time.time_ns()
    ready = []
    for trash_folder in {file.trash_folder for file in files}:
        in_folder = [file for file in files if file.trash_folder == trash_folder]
        entries = [replace(file.entry, event="restored", path=file.target, at_ns=now_ns) for file in in_folder]
        try:
            Trashes(ManagedFolders.of({holder_of(trash_folder): False})).record(entries)
        except OSError as error:
            ready += [replace(file, message=of_os_error(error)) for file in in_folder]
        else:
            ready += [_restore_file(file, renamings) for file in in_folder]
    return ready


def _restore_file(file: TrashedFile, renamings: Renamings) -> TrashedFile:
    place = _file_ref(file.trash_folder, file.entry.place)
    target = _file_ref(file.trash_folder, renamings.target(file.target))
    try:
        with safe_files.opened_file(place) as descriptor:
            bytes_are = _compare(file.entry, descriptor)
            if not remove_execute_bits(descriptor) and not claims_image(target.name):
                return replace(file, bytes=bytes_are, message=Message("trash.executable"))
            with safe_files.opened_folder(target.top, target.folder, make=True):
                pass
            path = _move_to_free_name(place, target)
            renamings.record(file.target, path)
            return replace(file, bytes=bytes_are, restored=True, target=path)
    except OSError as error:
        return replace(file, message=of_os_error(error))


def _move_to_free_name(place: FileRef, target: FileRef) -> bytes:
    """Move a file out of a trash to its target or the nearest free name. Returns the path."""
    for name in names_like(target.name, b"restored"):
        file_ref = target.sibling(name)
        try:
            safe_files.rename_new(place, file_ref)
        except FileExistsError:
            continue
        return file_ref.path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _compare(entry: Entry, descriptor: int) -> ByteCheck:
    if not entry.digest:
        return ByteCheck.UNRECORDED
    return ByteCheck.SAME if safe_files.digest_of(descriptor) == entry.digest else ByteCheck.DIFFERENT


def _file_ref(trash_folder: bytes, path: bytes) -> FileRef:
    return FileRef(holder_of(trash_folder), path)
