"""Rescues files that a crash left under temporary names and that no journal has: the index was lost or restored.

A full scan reports them. A temporary file may be an original: if a manifest shows that it was on its way to the trash,
it goes there; any other goes to the trash as a separate file. A file that was about to be removed gets its name back.
Runs in the runner's thread.
"""

import contextlib
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from daemon.files import safe_files
from daemon.files.folder_lock import is_in_use
from daemon.files.protected_paths import ManagedFolders
from daemon.files.rescue import Rescue
from daemon.files.safe_files import FileRef
from daemon.files.trash import Trashes
from daemon.files.trash_manifest import Entry
from daemon.jobs import restored_index
from index.database.records import batches, trash_folders, trash_items
from index.database.store import Store
from index.imaging.discovery.walk import is_at_or_below

log = logging.getLogger(__name__)

TEMPORARY: Final = re.compile(rb"\.comparimg-(.+)-(\d+)\.part")


def rescue_leftovers(
    store: Store, folders: ManagedFolders, paths: Iterable[bytes], now_ns: Callable[[], int] = time.time_ns
) -> int:
    """Move such files, found at these paths, to where a user can see them. Returns how many. Those that a step may
    still need, and those of a running process, stay."""
    trashes = Trashes(folders, lambda: restored_index.mark_fields(store.mark))
    name = f"{datetime.fromtimestamp(now_ns() // 10**9, UTC):%Y%m%d-%H%M%S}-crash-{secrets.token_hex(4)}"
    rescue = Rescue(trashes, name, now_ns=now_ns)
    count = 0
    for path in paths:
        file_ref = folders.file_ref(path)
        if _is_needed(store, path) or is_in_use(file_ref.folder) or folders.protector_of(path) is not None:
            continue
        try:
            if TEMPORARY.fullmatch(file_ref.name):
                _rescue_temporary(store, trashes, folders, rescue, file_ref)
            else:
                _restore_from_private(rescue, file_ref)
            count += 1
        except OSError as error:
            log.warning("%s stays: %s", os.fsdecode(path), error)
    items = [kept.item for kept in rescue.drain() if kept.item is not None]
    if items:
        store.write(lambda db: trash_items.add(db, items))
    return count


def _is_needed(store: Store, path: bytes) -> bool:
    """Whether this is the temporary file of a running batch, or of a step in doubt."""
    match = TEMPORARY.fullmatch(os.path.basename(path))
    if match is None:
        return False
    with store.read() as database:
        return batches.is_temp_in_use(database, match[1].decode("ascii", "replace"), path)


def _rescue_temporary(
    store: Store, trashes: Trashes, folders: ManagedFolders, rescue: Rescue, file_ref: FileRef
) -> None:
    identity = safe_files.identity_at(file_ref)
    with store.read() as database:
        known = trash_folders.all_folders(database)
    for trash_folder in trashes.folders(known):
        if identity is None or not is_at_or_below(file_ref.path, os.path.dirname(trash_folder)):
            continue
        for entry in trashes.entries(trash_folder):
            if _is_of(entry, identity.inode, identity.size_bytes, identity.mtime_ns):
                place = folders.file_ref(entry.place)
                if safe_files.identity_at(place) is None:
                    log.warning("%s was being moved to the trash", os.fsdecode(entry.path))
                    safe_files.rename_new(file_ref, place)
                    store.write(lambda db, trash_folder=trash_folder: trash_folders.require_full_read(db, trash_folder))  # type: ignore[misc]
                    return
    rescue.keep(file_ref, file_ref.sibling(file_ref.name.lstrip(b".")))


def _is_of(entry: Entry, inode: int, size_bytes: int, mtime_ns: int) -> bool:
    return entry.event == "trash" and (entry.inode, entry.size_bytes, entry.mtime_ns) == (inode, size_bytes, mtime_ns)


def _restore_from_private(rescue: Rescue, folder: FileRef) -> None:
    """Give the files in a private folder, made for a removal, their names back."""
    with safe_files.opened_folder(folder.top, folder.path) as descriptor:
        names = [os.fsencode(name) for name in os.listdir(descriptor)]
    for name in names:
        inner, before = FileRef(folder.top, os.path.join(folder.path, name)), folder.sibling(name)
        try:
            safe_files.rename_new(inner, before)
        except FileExistsError:
            rescue.keep(inner, before)
    with contextlib.suppress(OSError):
        safe_files.remove_folder(folder)
