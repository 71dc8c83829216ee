"""EDGE: the folder of the previews, kept below a size: those used least recently are removed.

A preview that is needed again is made again. Used by one thread; others may add and read files at the same time.
"""

import contextlib
import os
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

# Down to this share of the limit, so that the folder is not read again for every few previews.
KEPT_SHARE: Final = 0.9
# After so many new bytes, as a share of the limit, the folder is read again.
GROWTH_SHARE: Final = 0.05
# How old the time of use may be: a newer one is not written again.
USE_S: Final = 24 * 3600.0


class PreviewCache:
    """The previews in a folder: at most `limit_bytes`, apart from those added since the folder was last read."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        # The folder has not been read yet, and may hold anything.
        self._new_bytes = limit_bytes

    def use(self, previews: Iterable[Path]) -> None:
        """Record that these previews are needed now. Their modification time stores this, since few disks record access
        times."""
        before_s = time.time() - USE_S
        for preview in previews:
            with contextlib.suppress(OSError):
                if preview.stat().st_mtime < before_s:
                    os.utime(preview)

    def grew(self, size_bytes: int) -> None:
        """Record that previews of this size were added."""
        self._new_bytes += size_bytes

    def trim(self, needed: Collection[str] = ()) -> int:
        """Remove the previews used least recently, but none of those at the paths `needed`, if all together exceed the
        limit. Returns how many were removed. Reading a folder of 100,000 takes half a second."""
        if self._new_bytes <= GROWTH_SHARE * self._limit_bytes:
            return 0
        self._new_bytes = 0
        previews = sorted(_previews(self._folder))
        total_bytes = sum(preview.size_bytes for preview in previews)
        if total_bytes <= self._limit_bytes:
            return 0
        removed = 0
        for preview in previews:
            if preview.path in needed:
                continue
            if total_bytes <= KEPT_SHARE * self._limit_bytes:
                break
            with contextlib.suppress(OSError):
                os.unlink(preview.path)
                removed += 1
            total_bytes -= preview.size_bytes
        return removed


class _Preview(NamedTuple):
    used_s: float
    path: str
    size_bytes: int


def _previews(folder: Path) -> Iterator[_Preview]:
    """The files in a folder of folders. Those that vanish or cannot be read are left out."""
    for below in _entries(folder):
        for entry in _entries(below.path):
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                yield _Preview(max(status.st_mtime, status.st_atime), entry.path, status.st_size)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as listing:
        return list(listing)
    return []
