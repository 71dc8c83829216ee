"""EDGE: files brought back from trashes by their manifests alone, without an index.

A manifest may say anything, so a file comes back below the folder that holds its trash and nowhere else
(index.images.trash_places), under a name that nobody has, and without what lets it be executed.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from daemon.files import manifest, safe_files, trash_trust
from daemon.files.file_names import fitting
from daemon.files.grounds import Grounds
from daemon.files.manifest import Entry
from daemon.files.safe_files import Spot
from daemon.files.trash import Trashes, files_among, make_plain
from index.images.companions import bond_of, companions_of, renamed, stem_of
from index.images.sniff import claims_image
from index.images.trash_places import NAME, holder_of, origin, way_back_adopted

LINES_AT_ONCE: Final = 2_000
# Lines told to the manifest before their files are moved, with one wait for the disk.
RESTORED_AT_ONCE: Final = 64
NAMES_TRIED: Final = 1_000


class Bytes(StrEnum):
    """What the bytes of a file are beside the digest in the manifest."""

    UNCHECKED = "unchecked"
    SAME = "same"
    DIFFERENT = "different"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True)
class Found:
    """A file in a trash: `target` is where it comes back to, `elsewhere` whether the manifest says another place.

    `restored`: it came back to the target. `message` says why something could not be done.
    """

    home: bytes
    entry: Entry
    target: bytes
    elsewhere: bool
    bytes: Bytes = Bytes.UNCHECKED
    restored: bool = False
    message: str = ""


def trashes_in(folder: bytes, unreadable: list[bytes]) -> Iterator[bytes]:
    """The trash folders at or below an absolute folder without links; `unreadable` gets the folders that cannot be
    listed. No link is followed."""
    if os.path.basename(folder) == NAME:
        yield folder
        return
    for path, names, _ in os.walk(folder, onerror=lambda error: unreadable.append(os.fsencode(error.filename))):
        if NAME in names:
            names.remove(NAME)
            home = os.path.join(path, NAME)
            if not os.path.islink(home):
                yield home
        names.sort()


def objection(home: bytes) -> str:
    """Why the service would not use a trash folder, or "". Raises OSError."""
    return trash_trust.objection(holder_of(home), home)


def files_in(home: bytes) -> Iterator[Found]:
    """What the manifest of a trash tells of the files that are there. Raises OSError where it cannot be read."""
    holder = holder_of(home)
    prefixes = {os.path.realpath(holder): b"", holder: b""}
    with safe_files.opened_file(_spot(home, os.path.join(home, manifest.NAME))) as descriptor:
        lines = manifest.read_lines(descriptor)
        while portion := list(islice(lines, LINES_AT_ONCE)):
            parsed = (manifest.parse(home, line) for line, _ in portion if line)
            entries = {entry.place: entry for entry in parsed if entry is not None and entry.event == "trash"}
            there = files_among({place: _spot(home, place) for place in entries})
            for place, entry in entries.items():
                if place in there:
                    way = way_back_adopted(place, *origin(place, entry.path, entry.relative, prefixes))
                    yield Found(home, entry, way.path, way.asks)


def count_files(home: bytes) -> int:
    """How many files there are in a trash, whatever its manifest tells."""
    count = 0
    with os.scandir(home) as batches:
        for batch in batches:
            if batch.is_dir(follow_symlinks=False):
                with os.scandir(batch.path) as files:
                    count += sum(file.is_file(follow_symlinks=False) for file in files)
    return count


def checked(found: Found) -> Found:
    """The file with its bytes compared with the digest in the manifest."""
    try:
        with safe_files.opened_file(_spot(found.home, found.entry.place)) as descriptor:
            return replace(found, bytes=_compare(found.entry, descriptor))
    except OSError as error:
        return replace(found, message=_reason(error))


def restored(some: Iterator[Found], refusal: Callable[[bytes], str]) -> Iterator[Found]:
    """Bring files back, each as it ended. `refusal` says why nothing may come to a path, or ""."""
    renamings = Renamings()
    while portion := list(islice(some, RESTORED_AT_ONCE)):
        refused = [replace(found, message=why) for found in portion if (why := refusal(found.target))]
        yield from refused
        targets = {found.target for found in refused}
        done = _recorded([found for found in portion if found.target not in targets], renamings)
        yield from done
        ended = [found for found in done if found.restored]
        safe_files.sync_folders(
            _spot(found.home, path) for found in ended for path in (found.target, found.entry.place)
        )


class Renamings:
    """The images that came back under another name than their own: their companions take the matching one."""

    def __init__(self) -> None:
        self._names: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}

    def note(self, wanted: bytes, got: bytes) -> None:
        """Take note of the path that a file was to have, and of the one that it got."""
        folder, name = os.path.split(wanted)
        if got != wanted and bond_of(name) is None:
            self._names[folder, stem_of(name)] = name, os.path.basename(got)

    def target(self, path: bytes) -> bytes:
        """The path that matches what the image of a companion is called now; that of any other file is its own."""
        folder, name = os.path.split(path)
        for stem in (stem_of(name), stem_of(stem_of(name))):
            image, now = self._names.get((folder, stem), (b"", b""))
            if image and any(one.name == name for one in companions_of(image, (name, stem_of(name)))):
                return os.path.join(folder, renamed(name, image, now))
        return path


def _recorded(portion: list[Found], renamings: Renamings) -> list[Found]:
    """Write into the manifest what comes back, then bring it back."""
    now_ns = time.time_ns()
    ready = []
    for home in {found.home for found in portion}:
        some = [found for found in portion if found.home == home]
        entries = [replace(found.entry, event="restored", path=found.target, at_ns=now_ns) for found in some]
        try:
            Trashes(Grounds.of({holder_of(home): False})).record(entries)
        except OSError as error:
            ready += [replace(found, message=_reason(error)) for found in some]
        else:
            ready += [_bring_back(found, renamings) for found in some]
    return ready


def _bring_back(found: Found, renamings: Renamings) -> Found:
    place = _spot(found.home, found.entry.place)
    target = _spot(found.home, renamings.target(found.target))
    try:
        with safe_files.opened_file(place) as descriptor:
            bytes_are = _compare(found.entry, descriptor)
            if not make_plain(descriptor) and not claims_image(target.name):
                return replace(found, bytes=bytes_are, message="it can be executed, and that cannot be changed")
            with safe_files.opened_folder(target.top, target.folder, make=True):
                pass
            path = _moved(place, target)
            renamings.note(found.target, path)
            return replace(found, bytes=bytes_are, restored=True, target=path)
    except OSError as error:
        return replace(found, message=_reason(error))


def _moved(place: Spot, target: Spot) -> bytes:
    """Give the file at a place in a trash its name, or the nearest that is free; the path."""
    for number in range(NAMES_TRIED):
        word = b" (restored)" if number == 1 else b" (restored %d)" % number
        spot = target.beside(fitting(b"", target.name, word)) if number else target
        try:
            safe_files.rename_new(place, spot)
        except FileExistsError:
            continue
        return spot.path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _compare(entry: Entry, descriptor: int) -> Bytes:
    if not entry.digest:
        return Bytes.UNRECORDED
    return Bytes.SAME if safe_files.digest_of(descriptor) == entry.digest else Bytes.DIFFERENT


def _spot(home: bytes, path: bytes) -> Spot:
    return Spot(holder_of(home), path)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
