"""Whether the manifests of the trashes are ahead of the index: then it is an earlier copy that was put back.

Every line of a manifest holds the id of the index that wrote it, and the counter of that index when the steps were
begun (index.upkeep.lineage). The counter is committed before the line is written, so after a crash the index is never
behind. Lines without an id, or with that of another index, are no evidence.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from daemon.files import safe_files
from daemon.files.grounds import Grounds
from daemon.files.manifest import LONGEST_LINE_BYTES
from daemon.files.manifest import NAME as MANIFEST
from index.errors import StoreError
from index.records.catalogue import display
from index.store import Store
from index.upkeep.witness import HIGHEST, Mark

log = logging.getLogger(__name__)

# A manifest is read from its end, where the highest counter is: in pieces of 2,000 lines, and not without end where no
# line is of this index.
PIECE_BYTES: Final = 2**20
MOST_BYTES: Final = 64 * 2**20


# Manifests that were looked at since an index was opened: whoever writes to them after that is at its counter.
_looked_at: WeakKeyDictionary[Store, set[tuple[bytes, int]]] = WeakKeyDictionary()


def told_of(mark: Mark | None) -> Mapping[str, Any]:
    """What every line of a manifest tells of the index."""
    return {} if mark is None else {"index": mark.index_id, "counter": mark.counter}


def end_if_behind(store: Store, grounds: Grounds, homes: Iterable[bytes]) -> bool:
    """Where the manifests of these trash folders are ahead of the index, end everything unfinished in it that changes
    files; whether that was so. Each manifest is looked at once after the index was opened."""
    mark = store.mark
    if mark is None:
        return False
    looked_at = _looked_at.setdefault(store, set())
    highest = 0
    for home in homes:
        there = _inode_of(grounds, home)
        if there is not None and (home, there) not in looked_at:
            looked_at.add((home, there))
            highest = max(highest, _highest_in(grounds, home, mark.index_id))
    if highest <= mark.counter:
        return False
    store.end_as_put_back(highest)
    return True


def refusal() -> StoreError:
    return StoreError(
        "An earlier copy of the index was put back, so this job was ended before it changed anything.",
        "Start it again if it is still wanted.",
    )


def _inode_of(grounds: Grounds, home: bytes) -> int | None:
    try:
        identity = safe_files.identity_at(grounds.spot(os.path.join(home, MANIFEST)))
    except OSError:
        return None
    return None if identity is None else identity.inode


def _highest_in(grounds: Grounds, home: bytes, index_id: str) -> int:
    """The highest counter of an index in the manifest of a trash folder, 0 where it has no line there."""
    try:
        with safe_files.opened_file(grounds.spot(os.path.join(home, MANIFEST))) as descriptor:
            end = os.fstat(descriptor).st_size
            least = max(0, end - MOST_BYTES)
            rest = b""
            while end > least:
                start = max(least, end - PIECE_BYTES)
                lines = (os.pread(descriptor, end - start, start) + rest).split(b"\n")
                # The first one may have begun before this piece. One that is too long is none of ours.
                rest = lines.pop(0)[:LONGEST_LINE_BYTES] if start else b""
                counters = [*_counters(lines, index_id)]
                if counters:
                    return max(counters)
                end = start
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("the manifest of %s cannot be read: %s", display(home), error)
    return 0


def _counters(lines: Iterable[bytes], index_id: str) -> Iterable[int]:
    for line in lines:
        if index_id.encode() in line and len(line) <= LONGEST_LINE_BYTES:
            try:
                told = json.loads(line)
                is_ours = isinstance(told, dict) and told.get("index") == index_id
            except (ValueError, RecursionError):
                continue
            counter = told.get("counter") if is_ours else None
            if type(counter) is int and 0 <= counter < HIGHEST:
                yield counter
