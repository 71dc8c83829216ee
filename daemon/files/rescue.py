"""EDGE: keeps files that have one of our temporary names but were not put there by us. Used by one thread.

Such a file is moved to the trash, with a line in the manifest. If no trash is possible, it gets a visible name next to
its path. It is never removed.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from daemon.files import safe_files
from daemon.files.file_names import visible_names
from daemon.files.safe_files import FileRef
from daemon.files.trash import Trashes
from daemon.files.trash_manifest import Entry
from index.database.records.trash_items import Item
from index.imaging.discovery.trash_places import is_in_trash
from index.model import Identity
from index.paths import display

log = logging.getLogger(__name__)

FOLDER_SUFFIX: Final = "-kept"


@dataclass(frozen=True, slots=True)
class RescuedFile:
    """A file that was kept: the path it belongs to, its present path, and its row of the index if it is in a trash."""

    path: bytes
    place: bytes
    item: Item | None = None


class Rescue:
    """Keeps such files for one batch. `batch_name` names the batch's folder in the trash. `kept` lists the files until
    `drain`."""

    def __init__(
        self, trashes: Trashes, batch_name: str, batch_id: int = 0, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.kept: list[RescuedFile] = []
        self._trashes = trashes
        self._batch_name = batch_name
        self._batch_id = batch_id
        self._now_ns = now_ns

    def drain(self) -> list[RescuedFile]:
        """The files that were kept since the last call."""
        kept, self.kept = self.kept, []
        return kept

    def keep(self, file_ref: FileRef, of: FileRef) -> bytes:
        """Keep the file at `file_ref`, which belongs to the path `of`. Returns its new path, or b"" if there was no
        file. Raises OSError if it cannot be renamed: then it stays."""
        identity = safe_files.identity_at(file_ref)
        if identity is None:
            return b""
        kept = self._keep_in_trash(file_ref, of, identity) or self._keep_beside(file_ref, of)
        log.warning("%s is not the expected file; it is kept as %s", display(file_ref.path), display(kept.place))
        self.kept.append(kept)
        return kept.place

    def record(self, place: FileRef, of: FileRef) -> None:
        """Record a file that a step moved by mistake and that stays where it is, in the trash or at a destination."""
        identity = safe_files.identity_at(place)
        if identity is None:
            return
        log.warning("%s is not the file that should be moved there", display(place.path))
        if not is_in_trash(place.path):
            self.kept.append(RescuedFile(of.path, place.path))
            return
        item = self._item(place, of, identity, _digest(place))
        self._trashes.record([_entry(item)])
        self.kept.append(RescuedFile(of.path, place.path, item))

    def _keep_in_trash(self, file_ref: FileRef, of: FileRef, identity: Identity) -> RescuedFile | None:
        try:
            digest = _digest(file_ref)
            if not digest:
                return None
            place = self._trashes.place_for(of, self._batch_name + FOLDER_SUFFIX, len(self.kept) + 1)
            for name in (place.name, *visible_names(place.name)):
                place = place.sibling(name)
                if safe_files.identity_at(place) is None:
                    break
            item = self._item(place, of, identity, digest)
            self._trashes.record([_entry(item)])
            safe_files.rename_new(file_ref, place)
            return RescuedFile(of.path, place.path, item)
        except OSError as error:
            log.warning("%s cannot go to the trash: %s", display(file_ref.path), error)
            return None

    def _keep_beside(self, file_ref: FileRef, of: FileRef) -> RescuedFile:
        for name in visible_names(of.name):
            target = file_ref.sibling(name)
            try:
                safe_files.rename_new(file_ref, target)
            except FileExistsError:
                continue
            return RescuedFile(of.path, target.path)
        raise FileExistsError(f"no name is free beside {display(of.path)}")

    def _item(self, place: FileRef, of: FileRef, identity: Identity, digest: bytes) -> Item:
        return Item(
            place.path, of.path, identity.inode, identity.size_bytes, identity.mtime_ns, digest, self._now_ns(),
            self._batch_id or None,
        )  # fmt: skip


def _entry(item: Item) -> Entry:
    return Entry(
        "trash", item.place, item.path, item.size_bytes, item.mtime_ns, item.inode, item.digest, item.batch_id or 0,
        item.trashed_ns,
    )  # fmt: skip


def _digest(file_ref: FileRef) -> bytes:
    """The digest of a regular file that can be read, b"" for anything else."""
    try:
        with safe_files.opened_file(file_ref) as descriptor:
            return safe_files.digest_of(descriptor)
    except OSError:
        return b""
