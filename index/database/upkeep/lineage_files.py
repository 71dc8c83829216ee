"""EDGE: two small files next to an index, by which an index that was put back from a copy is recognised.

`index.counter` has the last committed id and counter of the index, and is replaced whenever the counter rises.
`index.anchor` is created once and never changed. Its inode and its ctime, which no program can set, are recorded in
`index.counter`. In a copy of the whole folder they differ. Not thread-safe.
"""

import contextlib
import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

from index.database.upkeep.backups import sync_folder

log = logging.getLogger(__name__)

FILE: Final = "index.counter"
ANCHOR: Final = "index.anchor"
ANCHOR_TEXT: Final = b"By this file, ComparImg recognises a data folder that was copied, or restored from a copy.\n"
SECOND_NS: Final = 10**9
# The times of a file that was written once and never changed are close together, whatever the clock says. A slow disk
# takes less than this.
MAX_TIMES_APART_NS: Final = 60 * SECOND_NS
# The highest valid counter. A counter read from a file is untrusted.
HIGHEST: Final = 2**62


class LineageMark(NamedTuple):
    """The id of an index, and its counter."""

    index_id: str
    counter: int


@dataclass(frozen=True, slots=True)
class Record:
    """The content of `index.counter`. `index_inode` is the inode of the index."""

    index_id: str
    counter: int
    index_inode: int
    anchor_inode: int
    anchor_changed_ns: int
    written_ns: int


class LineageFiles:
    """The files next to an open index. If they cannot be written, they are removed, so they are never out of date."""

    def __init__(self, index: Path, record: Record | None) -> None:
        """`record` is the content of the file, None if it is not valid for this index in this place."""
        self._index = index
        self._index_inode = index.stat().st_ino
        self._path = index.with_name(FILE)
        self._is_anchored = record is not None
        self._written = None if record is None else LineageMark(record.index_id, record.counter)
        self._has_failed = False

    def write(self, mark: LineageMark) -> None:
        """Write a committed mark, unless it is already written."""
        if mark == self._written:
            return
        try:
            self._write_files(mark)
            self._written, self._has_failed = mark, False
        except OSError as error:
            self._written = None
            if not self._has_failed:
                self._has_failed = True
                log.warning("%s cannot be written: %s", self._path, error)
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def write_for_new_file(self, mark: LineageMark) -> None:
        """Write a committed mark for an index that has been moved to a new file."""
        self._index_inode, self._written = self._index.stat().st_ino, None
        self.write(mark)

    def _write_files(self, mark: LineageMark) -> None:
        anchor = self._index.with_name(ANCHOR)
        if not self._is_anchored or not anchor.exists():
            anchor.unlink(missing_ok=True)
            # Synced together with the other file. If that fails, the index counts as copied, which is safe.
            with open(anchor, "xb", opener=_open_private) as file:
                file.write(ANCHOR_TEXT)
            self._is_anchored = True
        status = anchor.stat()
        record = Record(*mark, self._index_inode, status.st_ino, status.st_ctime_ns, time.time_ns())
        partial = self._path.with_name(f"{FILE}-partial")
        with open(partial, "wb", opener=_open_private) as file:
            file.write(json.dumps(asdict(record)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self._path)
        sync_folder(self._path.parent)


def _open_private(name: str, flags: int) -> int:
    """Open a file with private permissions from the start. Changing its mode later would change its ctime."""
    return os.open(name, flags, 0o600)


def read_record(index: Path) -> Record | None:
    """The content of the file next to an index, None if it is missing, unreadable or invalid."""
    try:
        with index.with_name(FILE).open("rb") as file:
            record = Record(**json.loads(file.read(4096)))
    except (OSError, ValueError, TypeError):
        return None
    index_id, *numbers = asdict(record).values()
    is_whole = isinstance(index_id, str) and all(type(number) is int for number in numbers)
    return record if is_whole and 0 <= record.counter < HIGHEST else None


def is_original_place(index: Path, record: Record) -> bool:
    """Whether the index and the files next to it are the original files written here, and not copies of them."""
    try:
        file, anchor = index.with_name(FILE).stat(), index.with_name(ANCHOR).stat()
        inodes = (index.stat().st_ino, anchor.st_ino)
    except OSError:
        return False
    times = (record.written_ns, file.st_mtime_ns, file.st_ctime_ns)
    return (
        inodes == (record.index_inode, record.anchor_inode)
        and _is_same_time(anchor.st_ctime_ns, record.anchor_changed_ns)
        and max(times) - min(times) < MAX_TIMES_APART_NS
    )


def _is_same_time(found_ns: int, recorded_ns: int) -> bool:
    """Whether two times are equal, on a file system that may store them with a resolution of two seconds."""
    is_coarse = recorded_ns % SECOND_NS == 0 or found_ns % SECOND_NS == 0
    return abs(found_ns - recorded_ns) < 2 * SECOND_NS if is_coarse else found_ns == recorded_ns
