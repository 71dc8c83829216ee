"""Takes into the index what lies in trashes that it does not know of: it may have been lost, or a disk may have come.

A manifest is read from where it was left, some lines at a time. One that has not changed costs a look at its size and
time. A trash that others could have written to is not read, and becomes a problem. Used by one thread, the runner's;
before it starts, by whoever starts it.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from daemon.files import manifest
from daemon.files.grounds import Grounds
from daemon.files.manifest import Entry
from daemon.files.trash import Trashes
from daemon.files.trash_trust import REMEDIES
from index.images.trash_places import is_in_trash, origin
from index.images.walk import is_at_or_below
from index.model import Identity
from index.records import catalogue, trash_homes, trash_items
from index.records.catalogue import display
from index.records.trash_homes import Home
from index.records.trash_items import Item, ItemState
from index.store import Store

log = logging.getLogger(__name__)

LINES_AT_ONCE: Final = 2_000
# Of one manifest in one look; the next look goes on. 2.5 million lines of ours.
MOST_BYTES: Final = 2**30
TAIL_BYTES: Final = 64
REASON: Final = "untrusted_trash"


class Adoption:
    """Reads the manifests of the trashes in the configured folders."""

    def __init__(self, store: Store, grounds: Grounds, now_ns: int) -> None:
        self._store = store
        self._grounds = grounds
        self._trashes = Trashes(grounds)
        self._now_ns = now_ns

    def look(self, passed: Iterable[bytes] = ()) -> int:
        """Read what is new in the manifests, also of trash folders that a walk `passed`; how many files were found."""
        with self._store.read() as database:
            known = trash_homes.every(database)
        there = self._trashes.homes([*known, *passed])
        for folder, home in known.items():
            if folder not in there and home.read_bytes:
                # When it is back, what was taken for gone is looked for again.
                self._keep(Home(folder, objection=home.objection))
        found = 0
        for folder in there:
            try:
                found += self._look_at(known.get(folder), folder)
            except OSError as error:
                log.warning("the manifest of %s cannot be read: %s", display(folder), error)
        return found

    def find_again(self) -> None:
        """Look for files that were taken for gone: somebody may have put them back."""
        with self._store.read() as database:
            gone = trash_items.gone(database)
        back = self._trashes.files_among(place for place in gone if is_in_trash(place))
        if back:
            self._store.write(lambda database: trash_items.set_state(database, back, ItemState.IN_TRASH))

    def _look_at(self, known: Home | None, folder: bytes) -> int:
        objection = self._trashes.objection(folder)
        home = known or Home(folder)
        if objection != home.objection:
            home = replace(home, objection=objection)
            self._tell(home)
        if objection:
            return 0
        try:
            with self._trashes.opened_manifest(folder) as descriptor:
                return self._read(home, descriptor)
        except FileNotFoundError:
            return 0

    def _tell(self, home: Home) -> None:
        """Make an objection a problem of the folder, or take it away again."""
        if home.objection:
            log.warning("%s is not used: %s. %s", display(home.folder), home.objection, REMEDIES[home.objection])

        def keep(database: Any) -> None:
            trash_homes.keep(database, home)
            catalogue.forget_problem(database, home.folder)
            roots = [row for row in catalogue.watched_roots(database) if is_at_or_below(home.folder, bytes(row.path))]
            if home.objection and roots:
                root = max(roots, key=lambda row: len(row.path))
                words = f"It is not used: {home.objection}. {REMEDIES[home.objection]}"
                catalogue.record_problem(database, root.id, home.folder, REASON, words, self._now_ns)

        self._store.write(keep)

    def _read(self, home: Home, descriptor: int) -> int:
        status = Identity.of(os.fstat(descriptor))
        now = (status.inode, status.size_bytes, status.mtime_ns)
        if now == (home.inode, home.size_bytes, home.mtime_ns):
            return 0
        start = _read_so_far(home, descriptor, status)
        lines = manifest.read_lines(descriptor, start, MOST_BYTES)
        telling = _Telling(home.folder, self._trashes.prefixes(home.folder))
        found, position = 0, start
        while portion := list(islice(lines, LINES_AT_ONCE)):
            position = portion[-1][1]
            items = self._items(telling, (line for line, _ in portion))
            if items:
                found += self._store.write(lambda database, items=items: trash_items.adopt(database, items))  # type: ignore[misc]
        tail = os.pread(descriptor, TAIL_BYTES, max(0, position - TAIL_BYTES))[: min(position, TAIL_BYTES)]
        at_end = status.size_bytes - start < MOST_BYTES
        # Where it was not read to its end, it is taken for changed at the next look.
        seen = now if at_end else (status.inode, position, 0)
        self._keep(Home(home.folder, *seen, position, tail))
        if found:
            log.info("%s holds %d files that the index did not know of", display(home.folder), found)
        return found

    def _items(self, telling: "_Telling", lines: Iterable[bytes]) -> list[Item]:
        """What some lines tell of files that are there now."""
        told = list(telling.entries(lines))
        places = {entry.place for entry in told}
        there = self._trashes.files_among(places)
        if self._trashes.put_back(places - there):
            there = self._trashes.files_among(places)
        # Whether a file was restored or removed since is told by the disk.
        entries = {entry.place: entry for entry in told if entry.event == "trash"}
        return [telling.item(entry) for place, entry in entries.items() if place in there]

    def _keep(self, home: Home) -> None:
        self._store.write(lambda database: trash_homes.keep(database, home))


@dataclass(frozen=True, slots=True)
class _Telling:
    """What the lines of one manifest mean; `prefixes` as daemon.files.trash has them."""

    home: bytes
    prefixes: dict[bytes, bytes]

    def entries(self, lines: Iterable[bytes]) -> Iterator[Entry]:
        for line in lines:
            entry = manifest.parse(self.home, line) if line else None
            if entry is not None:
                yield entry

    def item(self, entry: Entry) -> Item:
        path, elsewhere = origin(entry.place, entry.path, entry.relative, self.prefixes)
        return Item(
            entry.place, path, entry.inode, entry.size_bytes, entry.mtime_ns, entry.digest, entry.at_ns,
            adopted=True, elsewhere=elsewhere,
        )  # fmt: skip


def _read_so_far(home: Home, descriptor: int, status: Identity) -> int:
    """Where to go on reading: at the start where it is not the file that was read before, with more in it."""
    if home.inode != status.inode or not 0 < home.read_bytes <= status.size_bytes:
        return 0
    before = os.pread(descriptor, len(home.tail), home.read_bytes - len(home.tail))
    return home.read_bytes if before == home.tail else 0
