"""Finds pairs in which one whole picture looks like a part of the other, by their hashes, without turns.

Every whole picture is compared with every part. Without turns, a pair costs an eighth of that in search.hash_index.
"""

import contextlib
import os
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.search import numpy_search
from index.imaging.candidates.search.hash_rows import BLOCK, GROWTH, grow

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Near = tuple[NDArray[np.int64], NDArray[np.int64]]
Engine = Callable[[Words, Words, int, int, int], Near]

# Thousands of similar pictures would make millions of pairs. So each hash is paired with at most this many, the
# nearest.
MOST: Final = 20
# Queries between two checkpoints.
STEP: Final = 64
# Fewer comparisons than this take numpy less time than loading numba would.
WORTH_COMPILING: Final = 20_000_000


class _Hashes:
    """Hashes of one size in memory, appended to in amortised constant time. Stored in the order in which they are
    compared, by block and word: uint64 (blocks, words, BLOCK)."""

    def __init__(self, hsize: int) -> None:
        self._blocks: Words = np.zeros((1, hsize * hsize // 64, BLOCK), np.uint64)
        self.count = 0

    def extend(self, hashes: Bytes) -> None:
        """Append hashes, uint8 (n, hsize*hsize/8)."""
        block, place = np.divmod(np.arange(self.count, self.count + len(hashes)), BLOCK)
        if len(hashes) and block[-1] >= len(self._blocks):
            grow(self._blocks, max(int(block[-1]) + 1, len(self._blocks) + len(self._blocks) // GROWTH))
        self._blocks[block, :, place] = np.ascontiguousarray(hashes).view(np.uint64)
        self.count += len(hashes)

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Clear these rows. Hashes of pictures have half of their bits set, so none is near to a cleared one."""
        block, place = np.divmod(rows, BLOCK)
        self._blocks[block, :, place] = 0

    def rows(self, start: int) -> Words:
        """The hashes from one row on, uint64 (n, words)."""
        block, place = np.divmod(np.arange(start, self.count), BLOCK)
        return self._blocks[block, :, place]

    def near(self, engine: Engine, queries: Words, end: int, tolerance: int) -> Near:
        """The positions in `queries`, uint64 (q, words), and the rows before `end` within `tolerance` bits of each
        other, for each query the nearest MOST, of equally near ones the first."""
        return engine(self._blocks[: -(-end // BLOCK)], queries, end, tolerance, MOST)


class CropIndex:
    """Pictures by number, 0 upwards in the order they are added; 32 bytes a whole and 40 a part at hsize 16.

    Must be used by one thread at a time. A search starts threads of its own.
    """

    def __init__(self, hsize: int, threads: int | None = None) -> None:
        """`threads`: the number of threads for a search; by default, that of the processors."""
        self._threads = threads or os.cpu_count() or 1
        self._wholes = _Hashes(hsize)
        self._parts = _Hashes(hsize)
        self._owners = array("q")
        # For each picture, the number of parts before its own.
        self._first_part = array("q", [0])
        self._removed: set[int] = set()

    def __len__(self) -> int:
        return self._wholes.count

    def extend(self, wholes: Bytes, parts: Sequence[Sequence[bytes]]) -> None:
        """Add pictures: their hashes, uint8 (n, hsize*hsize/8), and those of the parts of each."""
        owners = [number for number, own in enumerate(parts, start=len(self)) for _ in own]
        rows = b"".join(bits for own in parts for bits in own)
        self._wholes.extend(wholes)
        self._parts.extend(np.frombuffer(rows, np.uint8).reshape(len(owners), -1 if owners else wholes.shape[1]))
        self._owners.extend(owners)
        for own in parts:
            self._first_part.append(self._first_part[-1] + len(own))

    def remove(self, pictures: NDArray[np.int64]) -> None:
        """Exclude pictures from all results. They keep their memory until the index is rebuilt."""
        self._wholes.remove(pictures)
        self._parts.remove(np.flatnonzero(np.isin(np.frombuffer(self._owners, np.int64), pictures)))
        self._removed.update(pictures.tolist())

    def pairs(self, start: int, tolerance: int, checkpoint: Callable[[], None] = lambda: None) -> list[tuple[int, int]]:
        """The pairs (earlier, later) of which one looks like a part of the other, the later from `start` on."""
        near: set[tuple[int, int]] = set()
        owners = np.frombuffer(self._owners, np.int64)
        first_part = self._first_part[start]
        # New wholes with all parts, new parts with the wholes before them.
        wholes, parts = self._wholes.rows(start), self._parts.rows(first_part)
        engine = _engine(len(wholes) * self._parts.count + len(parts) * start)
        with ThreadPoolExecutor(self._threads) as threads:

            def search(hashes: _Hashes, queries: Words, end: int) -> Iterator[Near]:
                """Positions in `queries` and the rows near to them, in portions."""
                step = STEP * self._threads
                for low in range(0, len(queries), step):
                    starts = range(low, min(low + step, len(queries)), STEP)
                    portions = [queries[start : start + STEP] for start in starts]
                    found = threads.map(lambda portion: hashes.near(engine, portion, end, tolerance), portions)
                    for start, (query, row) in zip(starts, found, strict=True):
                        yield query + start, row
                    checkpoint()

            for query, row in search(self._parts, wholes, self._parts.count):
                near.update(zip((query + start).tolist(), owners[row].tolist(), strict=True))
            for query, row in search(self._wholes, parts, start):
                near.update(zip(owners[query + first_part].tolist(), row.tolist(), strict=True))
        present = {(min(pair), max(pair)) for pair in near if self._removed.isdisjoint(pair)}
        return sorted(pair for pair in present if pair[0] != pair[1])


def _engine(comparisons: int) -> Engine:
    if comparisons >= WORTH_COMPILING or "index.imaging.candidates.search.numba_search" in sys.modules:
        with contextlib.suppress(ImportError, OSError):
            from index.imaging.candidates.search import numba_search  # noqa: PLC0415 - numba is loaded when there is work for it

            return numba_search.unturned
    return numpy_search.unturned
