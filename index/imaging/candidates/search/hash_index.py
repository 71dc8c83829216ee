"""Finds all candidate pairs within a tolerance by perceptual hashes, in bulk or one against all. The search is exact.

The distance of two pictures is the smallest value, over all turns t, of
min(hamming(hash of t(A), hash of B), hamming(hash of A, hash of inverse t (B))),
which does not depend on their order. Neither does the turn of a pair: it is the first one in the order of `Turn` that
gives this distance (of two equal quarter turns, rotate_90 starts from the smaller hash). So the set of pairs within a
tolerance does not depend on the order of rows. Only the limit for thousands of similar pictures does: a row is paired
with at most `most` earlier rows, the nearest ones; of equally near ones, the first.

Runs in the caller's thread and, during a call, in threads of its own.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.search import numpy_search
from index.imaging.candidates.search.hash_rows import Bytes, Hits, Queries, Rows, exact_distance

log = logging.getLogger(__name__)

Engine = Callable[[Rows, Queries, int, int, bool], Hits]

# Ten thousand similar pictures would make fifty million pairs. So each is paired with at most this many earlier ones.
MOST: Final = 100
# Queries that are compared with a block of rows while it is in the first-level cache.
QUERIES: Final = 64
# Rows converted at a time, which takes some ten times their memory.
TAKEN_IN: Final = 1 << 15
# Up to this many comparisons (all pairs of 6,000) take numpy about a second; loading numba takes half of that.
WORTH_COMPILING: Final = 20_000_000
# With this many rows, compiling is worthwhile even for a single picture, since the index will be searched often.
LARGE: Final = 200_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidate pairs: rows `first` < `second` (int64), distance in bits (int64), and the position in TURNS of the
    turn that, applied to the first picture, gives the second (uint8). Sorted by second, then distance, then first."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.int64]
    turn: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.first)


class HashIndex:
    """Hashes of one size in memory, appended to in amortised constant time.

    A row takes 67, 163 or 643 bytes at hsize 8, 16 or 32. Rows are numbered from 0 in the order they were added, and
    keep their numbers when others are removed. Must be used by one thread at a time.
    """

    def __init__(self, hsize: int, turns: bool = True, threads: int | None = None) -> None:
        """`threads`: the number of threads for a search; by default, that of the processors."""
        self.hsize = hsize
        self._turns = turns
        self._threads = threads or os.cpu_count() or 1
        self._rows = Rows(hsize)

    def __len__(self) -> int:
        return self._rows.count

    def extend(self, hashes: Bytes) -> None:
        """Append hashes: uint8 (n, 4, hsize*hsize/8), the stored rows of `Hashes`."""
        for low in range(0, len(hashes), TAKEN_IN):
            self._rows.extend(hashes[low : low + TAKEN_IN])

    def remove(self, rows: Sequence[int] | NDArray[np.int64]) -> None:
        """Exclude rows from all results. They keep their memory until the index is rebuilt."""
        self._rows.present[: len(self)][rows] = False

    def pairs(
        self,
        start: int,
        tolerance: int,
        checkpoint: Callable[[int], None] | None = None,
        *,
        most: int = MOST,
    ) -> Iterator[Pairs]:
        """The pairs within `tolerance` bits of every row from `start` on with the rows before it: each pair once.

        Yields in chunks; `checkpoint` is called with the number of rows done so far and may raise to stop.
        """
        count = len(self)
        engine = _engine((count + start) * (count - start) // 2, count)
        step = QUERIES * self._threads
        with ThreadPoolExecutor(self._threads) as threads:
            for low in range(start, count, step):
                high = min(low + step, count)
                parts = [range(part, min(part + QUERIES, high)) for part in range(low, high, QUERIES)]
                for pairs in threads.map(lambda part: self._with_earlier(engine, part, tolerance, most), parts):
                    if len(pairs):
                        yield pairs
                if checkpoint is not None:
                    checkpoint(high - start)

    def distance(self, first: int, second: int) -> int:
        """The distance of two rows in bits, however large."""
        query = Queries.of(self._rows.stored(range(second, second + 1)), self.hsize, np.zeros(1, np.int64))
        distance, _ = exact_distance(query.eight[0], self._rows.hashes[first : first + 1], self._turns)
        return int(distance[0])

    def near(self, hashes: Bytes, tolerance: int, *, most: int = MOST) -> Pairs:
        """The nearest rows to each of some hashes that are not in the index, uint8 (n, 4, hsize*hsize/8).

        In the answer `first` are rows and `second` positions in `hashes`.
        """
        if not len(hashes):
            return _as_pairs(Hits.empty(), 0)
        engine = _engine(len(self) * len(hashes), len(self))
        ends = np.full(len(hashes), len(self), np.int64)
        return _as_pairs(engine(self._rows, Queries.of(hashes, self.hsize, ends), tolerance, most, self._turns), 0)

    def _with_earlier(self, engine: Engine, part: range, tolerance: int, most: int) -> Pairs:
        ends = np.where(self._rows.present[part.start : part.stop], np.arange(part.start, part.stop), 0)
        queries = Queries.of(self._rows.stored(part), self.hsize, ends)
        return _as_pairs(engine(self._rows, queries, tolerance, most, self._turns), part.start)


def _as_pairs(hits: Hits, start: int) -> Pairs:
    return Pairs(hits.row, hits.query + start, hits.distance, hits.turn)


def _engine(comparisons: int, rows: int) -> Engine:
    if comparisons >= WORTH_COMPILING or rows >= LARGE or "index.imaging.candidates.search.numba_search" in sys.modules:
        return _compiled() or numpy_search.nearest
    return numpy_search.nearest


@cache
def _compiled() -> Engine | None:
    try:
        from index.imaging.candidates.search.numba_search import nearest  # noqa: PLC0415 - numba is loaded when there is work for it
    except (ImportError, OSError) as error:
        log.warning("the search runs without numba, at an eighth of the speed: %s", error)
        return None
    return nearest
