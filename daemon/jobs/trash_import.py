"""Adds files in trashes that are missing in the index: it may have been lost, or a disk may have been mounted.

A manifest is read from where the last reading ended, some lines at a time. Of an unchanged one, only size and time are
read. A trash that others could have written to is not read, and becomes a problem. Used by the runner's thread, and by
the main thread before that one is started.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from daemon.files import trash_manifest
from daemon.files.protected_paths import ManagedFolders
from daemon.files.trash import Trashes
from daemon.files.trash_manifest import Entry
from index.database.records import images, trash_folders, trash_items
from index.database.records.trash_folders import TrashFolder
from index.database.records.trash_items import Item, ItemState
from index.database.store import Store
from index.imaging.discovery.trash_places import is_in_trash, origin
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message, hint_of
from index.model import Identity
from index.paths import display

log = logging.getLogger(__name__)

LINES_AT_ONCE: Final = 2_000
# The most that is read of one manifest at a time; the next check continues. About 2.5 million lines.
MOST_BYTES: Final = 2**30
TAIL_BYTES: Final = 64
REASON: Final = "untrusted_trash"


class TrashImport:
    """Reads the manifests of the trashes in the managed folders."""

    def __init__(self, store: Store, folders: ManagedFolders, now_ns: int) -> None:
        self._store = store
        self._folders = folders
        self._trashes = Trashes(folders)
        self._now_ns = now_ns

    def check(self, passed: Iterable[bytes] = ()) -> int:
        """Read what is new in the manifests, also of trash folders that a walk `passed`. Returns the number of files
        added."""
        with self._store.read() as database:
            known = trash_folders.all_folders(database)
        there = self._trashes.folders([*known, *passed])
        for folder, trash_folder in known.items():
            if folder not in there and trash_folder.read_bytes:
                # When it is back, it is read from the start: files recorded as removed are checked again.
                self._store_state(TrashFolder(folder, objection=trash_folder.objection))
        count = 0
        for folder in there:
            try:
                count += self._check(known.get(folder), folder)
            except OSError as error:
                log.warning("the manifest of %s cannot be read: %s", display(folder), error)
        return count

    def recheck(self) -> None:
        """Check the files that were recorded as removed: someone may have restored them."""
        with self._store.read() as database:
            gone = trash_items.gone_places(database)
        back = self._trashes.files_among(place for place in gone if is_in_trash(place))
        if back:
            self._store.write(lambda database: trash_items.set_state(database, back, ItemState.IN_TRASH))

    def _check(self, known: TrashFolder | None, folder: bytes) -> int:
        objection = self._trashes.objection(folder)
        trash_folder = known or TrashFolder(folder)
        if objection != trash_folder.objection:
            trash_folder = replace(trash_folder, objection=objection)
            self._record_objection(trash_folder)
        if objection:
            return 0
        try:
            with self._trashes.opened_manifest(folder) as descriptor:
                return self._read(trash_folder, descriptor)
        except FileNotFoundError:
            return 0

    def _record_objection(self, trash_folder: TrashFolder) -> None:
        """Record an objection as a problem of the trash folder, or remove that problem."""
        if trash_folder.objection:
            log.warning(
                "%s is not used: %s. %s",
                display(trash_folder.folder),
                trash_folder.objection,
                hint_of(trash_folder.objection) or "",
            )

        def record(database: Any) -> None:
            trash_folders.update(database, trash_folder)
            images.forget_problem(database, trash_folder.folder)
            roots = [
                row for row in images.watched_roots(database) if is_at_or_below(trash_folder.folder, bytes(row.path))
            ]
            if trash_folder.objection and roots:
                root = max(roots, key=lambda row: len(row.path))
                hint = hint_of(trash_folder.objection) or ""
                message = Message("trash.not_used", problem=trash_folder.objection, hint=hint)
                images.record_problem(database, root.id, trash_folder.folder, REASON, message, self._now_ns)

        self._store.write(record)

    def _read(self, trash_folder: TrashFolder, descriptor: int) -> int:
        status = Identity.of(os.fstat(descriptor))
        now = (status.inode, status.size_bytes, status.mtime_ns)
        if now == (trash_folder.inode, trash_folder.size_bytes, trash_folder.mtime_ns):
            return 0
        start = _resume_position(trash_folder, descriptor, status)
        lines = trash_manifest.read_lines(descriptor, start, MOST_BYTES)
        reader = _LineReader(trash_folder.folder, self._trashes.prefixes(trash_folder.folder))
        count, position = 0, start
        while chunk := list(islice(lines, LINES_AT_ONCE)):
            position = chunk[-1][1]
            items = self._items(reader, (line for line, _ in chunk))
            if items:
                count += self._store.write(lambda database, items=items: trash_items.import_items(database, items))  # type: ignore[misc]
        tail = os.pread(descriptor, TAIL_BYTES, max(0, position - TAIL_BYTES))[: min(position, TAIL_BYTES)]
        at_end = status.size_bytes - start < MOST_BYTES
        # If it was not read to its end, it counts as changed at the next check.
        seen = now if at_end else (status.inode, position, 0)
        self._store_state(TrashFolder(trash_folder.folder, *seen, position, tail))
        if count:
            log.info("%s holds %d files that the index did not have", display(trash_folder.folder), count)
        return count

    def _items(self, reader: "_LineReader", lines: Iterable[bytes]) -> list[Item]:
        """The items of some lines whose files are there now."""
        read_entries = list(reader.entries(lines))
        places = {entry.place for entry in read_entries}
        there = self._trashes.files_among(places)
        if self._trashes.undo_removals(places - there):
            there = self._trashes.files_among(places)
        # Whether a file was restored or removed since is visible on the disk, not in the lines.
        entries = {entry.place: entry for entry in read_entries if entry.event == "trash"}
        return [reader.item(entry) for place, entry in entries.items() if place in there]

    def _store_state(self, trash_folder: TrashFolder) -> None:
        self._store.write(lambda database: trash_folders.update(database, trash_folder))


@dataclass(frozen=True, slots=True)
class _LineReader:
    """Parses the lines of one manifest; `prefixes` are those of Trashes.prefixes."""

    trash_folder: bytes
    prefixes: dict[bytes, bytes]

    def entries(self, lines: Iterable[bytes]) -> Iterator[Entry]:
        for line in lines:
            entry = trash_manifest.parse(self.trash_folder, line) if line else None
            if entry is not None:
                yield entry

    def item(self, entry: Entry) -> Item:
        path, elsewhere = origin(entry.place, entry.path, entry.relative, self.prefixes)
        return Item(
            entry.place, path, entry.inode, entry.size_bytes, entry.mtime_ns, entry.digest, entry.at_ns,
            adopted=True, elsewhere=elsewhere,
        )  # fmt: skip


def _resume_position(trash_folder: TrashFolder, descriptor: int, status: Identity) -> int:
    """The position to continue reading from: 0 unless it is the file that was read before, with lines appended."""
    if trash_folder.inode != status.inode or not 0 < trash_folder.read_bytes <= status.size_bytes:
        return 0
    before = os.pread(descriptor, len(trash_folder.tail), trash_folder.read_bytes - len(trash_folder.tail))
    return trash_folder.read_bytes if before == trash_folder.tail else 0
