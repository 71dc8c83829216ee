"""Detects a restored index: the manifests of the trashes are ahead of it, so it is an earlier copy.

Every line of a manifest has the id of the index that wrote it, and the counter of that index when the steps were
started (upkeep.lineage). The counter is committed before the line is written, so a crash alone never leaves the index
behind. Lines without an id, or with that of another index, are no evidence.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from daemon.files import safe_files
from daemon.files.protected_paths import ManagedFolders
from daemon.files.trash_manifest import LONGEST_LINE_BYTES
from daemon.files.trash_manifest import NAME as MANIFEST
from index.database.store import Store
from index.database.upkeep.lineage_files import HIGHEST, LineageMark
from index.errors import StoreError
from index.paths import display

log = logging.getLogger(__name__)

# A manifest is read from its end, where the highest counter is: in pieces of 2,000 lines, up to a limit in case no line
# is of this index.
PIECE_BYTES: Final = 2**20
MOST_BYTES: Final = 64 * 2**20


# Manifests that were checked since an index was opened: lines written after that cannot be ahead of its counter.
_checked: WeakKeyDictionary[Store, set[tuple[bytes, int]]] = WeakKeyDictionary()


def mark_fields(mark: LineageMark | None) -> Mapping[str, Any]:
    """The fields that identify the index in every line of a manifest."""
    return {} if mark is None else {"index": mark.index_id, "counter": mark.counter}


def end_if_behind(store: Store, folders: ManagedFolders, trash_folders: Iterable[bytes]) -> bool:
    """If the manifests of these trash folders are ahead of the index, end all its unfinished work that changes files.
    Returns whether that was so. Each manifest is checked once after the index was opened."""
    mark = store.mark
    if mark is None:
        return False
    checked = _checked.setdefault(store, set())
    highest = 0
    for trash_folder in trash_folders:
        there = _inode_of(folders, trash_folder)
        if there is not None and (trash_folder, there) not in checked:
            checked.add((trash_folder, there))
            highest = max(highest, _highest_in(folders, trash_folder, mark.index_id))
    if highest <= mark.counter:
        return False
    store.end_as_put_back(highest)
    return True


def refusal() -> StoreError:
    return StoreError("job.index_put_back")


def _inode_of(folders: ManagedFolders, trash_folder: bytes) -> int | None:
    try:
        identity = safe_files.identity_at(folders.file_ref(os.path.join(trash_folder, MANIFEST)))
    except OSError:
        return None
    return None if identity is None else identity.inode


def _highest_in(folders: ManagedFolders, trash_folder: bytes, index_id: str) -> int:
    """The highest counter of an index in the manifest of a trash folder; 0 if it has no line there."""
    try:
        with safe_files.opened_file(folders.file_ref(os.path.join(trash_folder, MANIFEST))) as descriptor:
            end = os.fstat(descriptor).st_size
            least = max(0, end - MOST_BYTES)
            rest = b""
            while end > least:
                start = max(least, end - PIECE_BYTES)
                lines = (os.pread(descriptor, end - start, start) + rest).split(b"\n")
                # The first line may begin before this piece. A line that is too long is not one of ComparImg.
                rest = lines.pop(0)[:LONGEST_LINE_BYTES] if start else b""
                counters = [*_counters(lines, index_id)]
                if counters:
                    return max(counters)
                end = start
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("the manifest of %s cannot be read: %s", display(trash_folder), error)
    return 0


def _counters(lines: Iterable[bytes], index_id: str) -> Iterable[int]:
    for line in lines:
        if index_id.encode() in line and len(line) <= LONGEST_LINE_BYTES:
            try:
                values = json.loads(line)
                is_ours = isinstance(values, dict) and values.get("index") == index_id
            except (ValueError, RecursionError):
                continue
            counter = values.get("counter") if is_ours else None
            if type(counter) is int and 0 <= counter < HIGHEST:
                yield counter
