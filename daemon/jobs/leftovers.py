"""Files that a crash left under our names and that no journal knows of: the index was lost, or an older one put back.

A full scan reports them. A temporary file may be an original: what a manifest says was on its way to the trash goes
there, and anything else goes to the trash as a file of its own. What was about to be removed gets its name back.
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
from daemon.files.grounds import Grounds
from daemon.files.manifest import Entry
from daemon.files.rescue import Rescue
from daemon.files.safe_files import Spot
from daemon.files.trash import Trashes
from daemon.jobs import put_back
from index.images.walk import is_at_or_below
from index.records import batches, trash_homes, trash_items
from index.store import Store

log = logging.getLogger(__name__)

TEMPORARY: Final = re.compile(rb"\.comparimg-(.+)-(\d+)\.part")


def keep_strays(
    store: Store, grounds: Grounds, paths: Iterable[bytes], now_ns: Callable[[], int] = time.time_ns
) -> int:
    """Bring such files, found at these paths, to where they are seen; how many. Those that a step may still need, and
    those of a process that is at work, stay."""
    trashes = Trashes(grounds, lambda: put_back.told_of(store.mark))
    name = f"{datetime.fromtimestamp(now_ns() // 10**9, UTC):%Y%m%d-%H%M%S}-crash-{secrets.token_hex(4)}"
    rescue = Rescue(trashes, name, now_ns=now_ns)
    count = 0
    for path in paths:
        spot = grounds.spot(path)
        if _is_needed(store, path) or is_in_use(spot.folder) or grounds.protector_of(path) is not None:
            continue
        try:
            if TEMPORARY.fullmatch(spot.name):
                _keep_temporary(store, trashes, grounds, rescue, spot)
            else:
                _empty_private(rescue, spot)
            count += 1
        except OSError as error:
            log.warning("%s stays: %s", os.fsdecode(path), error)
    items = [kept.item for kept in rescue.take() if kept.item is not None]
    if items:
        store.write(lambda db: trash_items.add(db, items))
    return count


def _is_needed(store: Store, path: bytes) -> bool:
    """Whether a batch that is under way, or a step in doubt, has this temporary file."""
    match = TEMPORARY.fullmatch(os.path.basename(path))
    if match is None:
        return False
    with store.read() as database:
        return batches.needs_temp(database, match[1].decode("ascii", "replace"), path)


def _keep_temporary(store: Store, trashes: Trashes, grounds: Grounds, rescue: Rescue, spot: Spot) -> None:
    identity = safe_files.identity_at(spot)
    with store.read() as database:
        known = trash_homes.every(database)
    for home in trashes.homes(known):
        if identity is None or not is_at_or_below(spot.path, os.path.dirname(home)):
            continue
        for entry in trashes.entries(home):
            if _is_of(entry, identity.inode, identity.size_bytes, identity.mtime_ns):
                place = grounds.spot(entry.place)
                if safe_files.identity_at(place) is None:
                    log.warning("%s was on its way to the trash", os.fsdecode(entry.path))
                    safe_files.rename_new(spot, place)
                    store.write(lambda db, home=home: trash_homes.read_again(db, home))  # type: ignore[misc]
                    return
    rescue.keep(spot, spot.beside(spot.name.lstrip(b".")))


def _is_of(entry: Entry, inode: int, size_bytes: int, mtime_ns: int) -> bool:
    return entry.event == "trash" and (entry.inode, entry.size_bytes, entry.mtime_ns) == (inode, size_bytes, mtime_ns)


def _empty_private(rescue: Rescue, folder: Spot) -> None:
    """Give what is in a folder that was made for a removal its names back."""
    with safe_files.opened_folder(folder.top, folder.path) as descriptor:
        names = [os.fsencode(name) for name in os.listdir(descriptor)]
    for name in names:
        inner, before = Spot(folder.top, os.path.join(folder.path, name)), folder.beside(name)
        try:
            safe_files.rename_new(inner, before)
        except FileExistsError:
            rescue.keep(inner, before)
    with contextlib.suppress(OSError):
        safe_files.remove_folder(folder)
