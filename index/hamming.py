"""Kernels: the least Hamming distance over the 8 turns, of some hashes to very many, compiled by numba.

A flip negates the odd frequencies of a picture, so it inverts fixed bits of its hash (but for those few whose
coefficient lies between the median and its mirror image, see index.search). With the bits sorted into 4 planes by the
parity of their row and column, one XOR and 4 population counts give the distance under all 4 flips, and a second pass
with the transposed hash those under the other 4: two comparisons for eight turns.
"""

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Words = NDArray[np.uint64]

# Rows that stay in the first-level cache while a block of queries passes over them: 1024 x 4 planes x 8 bytes.
BLOCK = 1024


@intrinsic  # type: ignore[untyped-decorator]
def _popcount(context: Any, value: Any) -> Any:
    """The processor's population count; LLVM makes it AVX-512 VPOPCNTDQ or NEON CNT where there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _least(d0: int, d1: int, d2: int, d3: int, size: int) -> int:
    """The least distance over no flip, horizontal, vertical and both, given those of the planes of `size` bits."""
    straight, across = d0 + d1 + d2 + d3, d0 + (size - d1) + d2 + (size - d3)
    down, both = d0 + d1 + (size - d2) + (size - d3), d0 + (size - d1) + (size - d2) + d3
    return min(min(straight, across), min(down, both))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _one_word(query: Words, planes: Words, low: int, high: int, size: int, distances: Words) -> None:
    """Planes of at most 64 bits (hsize 8 and 16): everything in registers, 8 rows at a time with AVX-512."""
    p0, p1, p2, p3 = planes[0, 0], planes[0, 1], planes[0, 2], planes[0, 3]
    a0, a1, a2, a3 = query[0, 0, 0], query[0, 0, 1], query[0, 0, 2], query[0, 0, 3]
    b0, b1, b2, b3 = query[1, 0, 0], query[1, 0, 1], query[1, 0, 2], query[1, 0, 3]
    for j in range(low, high):
        x0, x1, x2, x3 = p0[j], p1[j], p2[j], p3[j]
        straight = _least(
            _popcount(a0 ^ x0), _popcount(a1 ^ x1), _popcount(a2 ^ x2), _popcount(a3 ^ x3), size
        )
        crossed = _least(
            _popcount(b0 ^ x0), _popcount(b1 ^ x1), _popcount(b2 ^ x2), _popcount(b3 ^ x3), size
        )
        distances[j - low] = min(straight, crossed)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _many_words(
    query: Words, planes: Words, low: int, high: int, size: int, distances: Words, sums: Words
) -> None:
    """Planes of several words (hsize 32): summed word by word, so that each loop still runs over rows."""
    length = high - low
    for side in range(2):
        for plane in range(4):
            total = sums[plane]
            for j in range(length):
                total[j] = 0
            for word in range(planes.shape[0]):
                bits, row = query[side, word, plane], planes[word, plane]
                for j in range(length):
                    total[j] += _popcount(bits ^ row[low + j])
        for j in range(length):
            found = _least(sums[0, j], sums[1, j], sums[2, j], sums[3, j], size)
            distances[j] = found if side == 0 else min(distances[j], found)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def near_rows(
    queries: Words,
    query_slack: NDArray[np.uint64],
    query_end: NDArray[np.int64],
    planes: Words,
    slack: NDArray[np.uint64],
    tolerance: int,
    size: int,
    found_query: NDArray[np.int32],
    found_row: NDArray[np.int32],
) -> int:
    """Rows whose distance to a query, all turns tried, may be within the tolerance.

    `queries` are uint64 (q, 2, words, 4): planes of each hash and of its transpose; `planes` uint64 (words, 4, n).
    Query k is compared with rows 0 to query_end[k] - 1; a row counts when its distance is at most tolerance plus the
    larger slack of the two. Fills the two arrays and gives the count, or -1 when they are too small.
    """
    distances = np.empty(BLOCK, np.uint64)
    sums = np.empty((4, BLOCK), np.uint64)
    count = 0
    last = query_end.max() if len(query_end) else 0
    for low in range(0, last, BLOCK):
        for k in range(len(queries)):
            high = min(low + BLOCK, query_end[k])
            if high <= low:
                continue
            if planes.shape[0] == 1:
                _one_word(queries[k], planes, low, high, np.uint64(size), distances)
            else:
                _many_words(queries[k], planes, low, high, np.uint64(size), distances, sums)
            own = query_slack[k]
            hits = 0
            for j in range(high - low):
                hits += distances[j] <= tolerance + max(own, slack[low + j])
            if hits == 0:
                continue
            if count + hits > len(found_row):
                return -1
            for j in range(high - low):
                if distances[j] <= tolerance + max(own, slack[low + j]):
                    found_query[count] = k
                    found_row[count] = low + j
                    count += 1
    return count
