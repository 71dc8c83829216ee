"""EDGE: two small files beside an index, by which an index is recognised that was put back from a copy.

`index.counter` holds the id and the counter of the index as they were committed last, and is replaced whenever the
counter rises. `index.anchor` is made once and never touched again. Its inode and the time of its last change, which no
program can set, are in the first: a copy of the whole folder has another anchor. Used by one thread at a time.
"""

import contextlib
import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

from index.upkeep.backups import sync_folder

log = logging.getLogger(__name__)

FILE: Final = "index.counter"
ANCHOR: Final = "index.anchor"
ANCHOR_TEXT: Final = b"ComparImg tells by this file whether its data folder was copied or put back from a copy.\n"
SECOND_NS: Final = 10**9
# A file that was written and never touched has its times within moments of each other, whatever the clock says. This is
# more than a slow disk takes.
TIMES_APART_NS: Final = 60 * SECOND_NS
# What a counter can be. Where one is read from a file, anybody may have written that.
HIGHEST: Final = 2**62


class Mark(NamedTuple):
    """Which index, and how far it is."""

    index_id: str
    counter: int


@dataclass(frozen=True, slots=True)
class Record:
    """What `index.counter` says. `index_inode` is that of the index."""

    index_id: str
    counter: int
    index_inode: int
    anchor_inode: int
    anchor_changed_ns: int
    written_ns: int


class Witness:
    """The files beside an index that is open. Where they cannot be written they are missing, never out of date."""

    def __init__(self, index: Path, record: Record | None) -> None:
        """`record` is what the file says, None where it is not of this index in this place."""
        self._index = index
        self._index_inode = index.stat().st_ino
        self._path = index.with_name(FILE)
        self._is_anchored = record is not None
        self._kept = None if record is None else Mark(record.index_id, record.counter)
        self._has_failed = False

    def keep(self, mark: Mark) -> None:
        """Write the mark where it is not written yet, after it was committed."""
        if mark == self._kept:
            return
        try:
            self._write(mark)
            self._kept, self._has_failed = mark, False
        except OSError as error:
            self._kept = None
            if not self._has_failed:
                self._has_failed = True
                log.warning("%s cannot be written: %s", self._path, error)
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def follow(self, mark: Mark) -> None:
        """Write that the same index is in another file from now on."""
        self._index_inode, self._kept = self._index.stat().st_ino, None
        self.keep(mark)

    def _write(self, mark: Mark) -> None:
        anchor = self._index.with_name(ANCHOR)
        if not self._is_anchored or not anchor.exists():
            anchor.unlink(missing_ok=True)
            # Comes to the disk with the other file. Where it does not, the safe side is taken.
            with open(anchor, "xb", opener=_private) as file:
                file.write(ANCHOR_TEXT)
            self._is_anchored = True
        status = anchor.stat()
        record = Record(*mark, self._index_inode, status.st_ino, status.st_ctime_ns, time.time_ns())
        partial = self._path.with_name(f"{FILE}-partial")
        with open(partial, "wb", opener=_private) as file:
            file.write(json.dumps(asdict(record)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self._path)
        sync_folder(self._path.parent)


def _private(name: str, flags: int) -> int:
    """Open a file that is its owner's alone from the beginning: changing its mode later would change its ctime."""
    return os.open(name, flags, 0o600)


def record_beside(index: Path) -> Record | None:
    """What the file beside an index says, None where it is missing, cannot be read or is not whole."""
    try:
        with index.with_name(FILE).open("rb") as file:
            record = Record(**json.loads(file.read(4096)))
    except (OSError, ValueError, TypeError):
        return None
    index_id, *numbers = asdict(record).values()
    is_whole = isinstance(index_id, str) and all(type(number) is int for number in numbers)
    return record if is_whole and 0 <= record.counter < HIGHEST else None


def is_in_its_place(index: Path, record: Record) -> bool:
    """Whether the index and the files beside it are the very files that were written here, not copies of them."""
    try:
        file, anchor = index.with_name(FILE).stat(), index.with_name(ANCHOR).stat()
        inodes = (index.stat().st_ino, anchor.st_ino)
    except OSError:
        return False
    times = (record.written_ns, file.st_mtime_ns, file.st_ctime_ns)
    return (
        inodes == (record.index_inode, record.anchor_inode)
        and _is_same_time(anchor.st_ctime_ns, record.anchor_changed_ns)
        and max(times) - min(times) < TIMES_APART_NS
    )


def _is_same_time(found_ns: int, recorded_ns: int) -> bool:
    """Whether two times are the same on a file system that may keep no more than steps of two seconds."""
    is_coarse = recorded_ns % SECOND_NS == 0 or found_ns % SECOND_NS == 0
    return abs(found_ns - recorded_ns) < 2 * SECOND_NS if is_coarse else found_ns == recorded_ns
