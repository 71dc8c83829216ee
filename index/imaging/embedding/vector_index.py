"""The nearest vectors by cosine, exact among the nearest by the signs of their components.

The signs of a vector are a hash: the share of signs in which two vectors differ is about their angle divided by half a
turn. So all signs are compared, 32 bytes a picture at 256 dimensions, and the nearest by signs are ranked by their
cosines (Charikar, Similarity estimation techniques from rounding algorithms, 2002).

A row is compared only with those before it, so the result does not depend on how many are added at a time. Not for
several threads at once; it uses its own threads.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.search.hash_rows import BLOCK
from index.imaging.embedding.cosine_limits import USUAL, CosineLimits
from index.imaging.embedding.vectors import Rows, Words, cosines, signs, words_for
from index.imaging.thresholds import threshold

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proposals:
    """How many pictures a model proposes to the verifier as candidates; CosineLimits defines how near they must be."""

    ranked: int = threshold(
        100, "rows", "The nearest by signs, ranked by cosine: 0.998 of copies are among them at 256 dimensions."
    )
    nearest: int = threshold(5, "rows", "So many for each picture: the right one of a copy is first in 0.99 of cases.")
    most: int = threshold(
        12, "rows", "So many of those that are close: of many copies of one picture, its original may be the tenth."
    )
    close: float = threshold(
        0.5,
        "share of the way to 1",
        "From the limit of further pictures: close are those beyond, 0.795 for the model that ships.",
    )


PROPOSALS: Final = Proposals()

# Rows are kept in segments of this many blocks, so that growing never copies existing rows.
BLOCKS: Final = 128
SEGMENT: Final = BLOCKS * BLOCK
# Below this many comparisons numpy is faster than loading numba.
WORTH_COMPILING: Final = 20_000_000
# Queries compared with a segment while it is in the second-level cache.
QUERIES: Final = 16

Engine = Callable[..., int]


class Near(NamedTuple):
    """A row near a query, and their cosine."""

    row: int
    cosine: float


class _Segment:
    """Some rows: their signs by block and word, uint64 (blocks, words, BLOCK), their vectors, int8 (rows, d), and
    whether each is still there."""

    def __init__(self, dimensions: int) -> None:
        self.signs: Words = np.zeros((BLOCKS, words_for(dimensions), BLOCK), np.uint64)
        self.vectors: Rows = np.zeros((SEGMENT, dimensions), np.int8)
        self.present: NDArray[np.bool_] = np.zeros(SEGMENT, np.bool_)


class VectorIndex:
    """Vectors of one model in memory; 289 bytes a row at 256 dimensions. Rows are numbered from 0 in the order in which
    they were added, and keep their numbers when others are removed."""

    def __init__(self, dimensions: int, limits: CosineLimits = USUAL, threads: int | None = None) -> None:
        self.dimensions = dimensions
        self._limits = limits
        self._threads = threads or os.cpu_count() or 1
        self._segments: list[_Segment] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, rows: Rows) -> None:
        """Append vectors, int8 (n, d)."""
        while len(rows):
            number, start = divmod(self._count, SEGMENT)
            if number == len(self._segments):
                self._segments.append(_Segment(self.dimensions))
            segment, added = self._segments[number], rows[: SEGMENT - start]
            places = np.arange(start, start + len(added))
            segment.vectors[places] = added
            segment.signs[places // BLOCK, :, places % BLOCK] = signs(added)
            segment.present[places] = True
            self._count += len(added)
            rows = rows[len(added) :]

    def remove(self, rows: Sequence[int] | NDArray[np.int64]) -> None:
        """Exclude rows from all results. They keep their memory until the index is rebuilt."""
        for row in np.asarray(rows, np.int64).tolist():
            self._segments[row // SEGMENT].present[row % SEGMENT] = False

    def vector(self, row: int) -> Rows:
        """The vector of one row, (d,)."""
        vector: Rows = self._segments[row // SEGMENT].vectors[row % SEGMENT]
        return vector

    def cosine(self, first: int, second: int) -> float:
        """The cosine of two rows."""
        return float(cosines(self.vector(first)[None], self.vector(second))[0])

    def earlier(
        self, queries: Rows, ends: NDArray[np.int64], checkpoint: Callable[[], None] = lambda: None
    ) -> Iterator[list[Near]]:
        """For each query, int8 (n, d), the nearest rows before its end, (n,), within PROPOSALS and the limits, the
        nearest first. `checkpoint` may raise to stop."""
        engine = _engine(int(ends.sum()))
        with ThreadPoolExecutor(self._threads) as threads:
            step = QUERIES * self._threads
            for low in range(0, len(queries), step):
                high = min(low + step, len(queries))
                parts = [slice(start, min(start + QUERIES, high)) for start in range(low, high, QUERIES)]
                for found in threads.map(lambda part: self._nearest(engine, queries[part], ends[part].tolist()), parts):
                    yield from found
                checkpoint()

    def _nearest(self, engine: Engine, queries: Rows, ends: Sequence[int]) -> list[list[Near]]:
        row = np.empty((len(queries), PROPOSALS.ranked), np.int64)
        distance = np.empty(row.shape, np.int32)
        bits, counts = signs(queries), [0] * len(queries)
        for number, segment in enumerate(self._segments):
            start = number * SEGMENT
            for k, end in enumerate(ends):
                if start < end:
                    counts[k] = engine(
                        bits[k], segment.signs, segment.present, start, end, counts[k], row[k], distance[k]
                    )
        return [self._ranked(row[k, :count], queries[k]) for k, count in enumerate(counts)]

    def _ranked(self, rows: NDArray[np.int64], query: Rows) -> list[Near]:
        if not len(rows):
            return []
        near = np.sort(rows)
        likeness = cosines(np.stack([self.vector(one) for one in near.tolist()]), query)
        order = np.argsort(-likeness, kind="stable")[: PROPOSALS.most].tolist()
        close = self._limits.further + PROPOSALS.close * (1 - self._limits.further)
        limits = [self._limits.first, *[self._limits.further] * (PROPOSALS.nearest - 1)]
        limits += [close] * (PROPOSALS.most - PROPOSALS.nearest)
        return [
            Near(int(near[k]), float(likeness[k]))
            for k, limit in zip(order, limits, strict=False)
            if likeness[k] >= limit
        ]


def _engine(comparisons: int) -> Engine:
    if comparisons >= WORTH_COMPILING or "index.imaging.embedding.compiled_search" in sys.modules:
        return _compiled() or _by_numpy
    return _by_numpy


@cache
def _compiled() -> Engine | None:
    try:
        from index.imaging.embedding.compiled_search import add_nearest  # noqa: PLC0415 - numba is loaded when there is work for it
    except (ImportError, OSError) as error:
        log.warning("the search runs without numba: %s", error)
        return None
    compiled: Engine = add_nearest
    return compiled


def _by_numpy(
    query: Words,
    blocks: Words,
    present: NDArray[np.bool_],
    first_row: int,
    end: int,
    count: int,
    row: NDArray[np.int64],
    distance: NDArray[np.int32],
) -> int:
    """The same as compiled_search.add_nearest."""
    used = -(-min(end - first_row, SEGMENT) // BLOCK)
    apart: Any = np.bitwise_count(blocks[:used] ^ query[:, None]).sum(axis=1, dtype=np.int32).ravel()
    rows = np.flatnonzero(present[: min(end - first_row, SEGMENT)])
    rows_all = np.concatenate([row[:count], rows + first_row])
    apart_all = np.concatenate([distance[:count], apart[rows]])
    order = np.lexsort((rows_all, apart_all))[: len(row)]
    row[: len(order)], distance[: len(order)] = rows_all[order], apart_all[order]
    return len(order)
