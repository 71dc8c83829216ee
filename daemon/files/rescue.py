"""EDGE: keeps files that stand under one of our names and are not what we put there. Used by one thread.

Such a file goes to the trash, with a line in the manifest, or, where there can be no trash, beside its path under a
visible name. It is never removed.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from daemon.files import safe_files
from daemon.files.file_names import visible_names
from daemon.files.manifest import Entry
from daemon.files.safe_files import Spot
from daemon.files.trash import Trashes
from index.images.trash_places import is_in_trash
from index.model import Identity
from index.records.trash_items import Item

log = logging.getLogger(__name__)

FOLDER_SUFFIX: Final = "-kept"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was kept: the path it is for, where it is now, and what the index is to know of it if it is in a
    trash."""

    path: bytes
    place: bytes
    item: Item | None = None


class Rescue:
    """Keeps such files for one batch: `batch_name` names its folder in the trash. `kept` tells which, until taken."""

    def __init__(
        self, trashes: Trashes, batch_name: str, batch_id: int = 0, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.kept: list[Kept] = []
        self._trashes = trashes
        self._batch_name = batch_name
        self._batch_id = batch_id
        self._now_ns = now_ns

    def take(self) -> list[Kept]:
        """What was kept since this was last asked."""
        kept, self.kept = self.kept, []
        return kept

    def keep(self, spot: Spot, of: Spot) -> bytes:
        """Keep what is at a spot as a file of the path `of`; where it is now, b"" where nothing was there. Raises
        OSError where it can be given no other name: then it stays."""
        identity = safe_files.identity_at(spot)
        if identity is None:
            return b""
        kept = self._in_trash(spot, of, identity) or self._beside(spot, of)
        log.warning("%s was not what was expected there; it is kept as %s", _shown(spot.path), _shown(kept.place))
        self.kept.append(kept)
        return kept.place

    def note(self, place: Spot, of: Spot) -> None:
        """Record a file that stays where a step took it, in the trash or at a destination, and is not the step's."""
        identity = safe_files.identity_at(place)
        if identity is None:
            return
        log.warning("%s is another file than was to go there", _shown(place.path))
        if not is_in_trash(place.path):
            self.kept.append(Kept(of.path, place.path))
            return
        item = self._item(place, of, identity, _digest(place))
        self._trashes.record([_entry(item)])
        self.kept.append(Kept(of.path, place.path, item))

    def _in_trash(self, spot: Spot, of: Spot, identity: Identity) -> Kept | None:
        try:
            digest = _digest(spot)
            if not digest:
                return None
            place = self._trashes.place_for(of, self._batch_name + FOLDER_SUFFIX, len(self.kept) + 1)
            for name in (place.name, *visible_names(place.name)):
                place = place.beside(name)
                if safe_files.identity_at(place) is None:
                    break
            item = self._item(place, of, identity, digest)
            self._trashes.record([_entry(item)])
            safe_files.rename_new(spot, place)
            return Kept(of.path, place.path, item)
        except OSError as error:
            log.warning("%s cannot go to the trash: %s", _shown(spot.path), error)
            return None

    def _beside(self, spot: Spot, of: Spot) -> Kept:
        for name in visible_names(of.name):
            target = spot.beside(name)
            try:
                safe_files.rename_new(spot, target)
            except FileExistsError:
                continue
            return Kept(of.path, target.path)
        raise FileExistsError(f"no name is free beside {_shown(of.path)}")

    def _item(self, place: Spot, of: Spot, identity: Identity, digest: bytes) -> Item:
        return Item(
            place.path, of.path, identity.inode, identity.size_bytes, identity.mtime_ns, digest, self._now_ns(),
            self._batch_id or None,
        )  # fmt: skip


def _entry(item: Item) -> Entry:
    return Entry(
        "trash", item.place, item.path, item.size_bytes, item.mtime_ns, item.inode, item.digest, item.batch_id or 0,
        item.trashed_ns,
    )  # fmt: skip


def _digest(spot: Spot) -> bytes:
    """The digest of a regular file that can be read, b"" of anything else."""
    try:
        with safe_files.opened_file(spot) as descriptor:
            return safe_files.digest_of(descriptor)
    except OSError:
        return b""


def _shown(path: bytes) -> str:
    return os.fsdecode(path).encode("utf-8", "replace").decode()
