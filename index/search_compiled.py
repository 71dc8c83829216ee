"""PURE: the rows nearest to some hashes, over the 8 turns, compiled by numba: 1 nanosecond a pair at hsize 16.

Importing it takes 0.7 s, and the first use on a machine compiles for some seconds, kept on disk from then on. It raises
ImportError or OSError where numba is missing or the system forbids code made at run time.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from index.search_rows import BLOCK, COMPARISONS, ROTATE_90, ROTATE_270, Found, Queries, Rows, Words

# Distances looked at together: nearly always none of them is near.
HANDFUL: Final = 64

FORWARD: Final = np.array([forward for forward, _ in COMPARISONS])
BACKWARD: Final = np.array([backward for _, backward in COMPARISONS])


def nearest(rows: Rows, queries: Queries, tolerance: int, most: int, turns: bool) -> Found:
    """The nearest rows within `tolerance` bits of each query, at most `most`, of equally near ones the first."""
    row = np.empty((len(queries), most), np.int64)
    distance = np.empty((len(queries), most), np.int64)
    turn = np.empty((len(queries), most), np.uint8)
    count = np.zeros(len(queries), np.int64)
    _nearest(
        queries.eight, queries.planes, queries.slack, queries.ends,
        rows.hashes, rows.planes, rows.slack, rows.present,
        tolerance, 8 if turns else 1, count, row, distance, turn,
    )  # fmt: skip
    found = np.arange(most) < count[:, None]
    return Found(np.repeat(np.arange(len(queries)), count), row[found], distance[found], turn[found])


def _compiled(inline: str = "never") -> Callable[[Callable[..., Any]], Any]:
    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(function, cache=True, nogil=True, inline=inline)
        except RuntimeError:  # Neither beside the code nor in the user's cache can anything be kept.
            return numba.njit(function, nogil=True, inline=inline)

    return decorate


@intrinsic  # type: ignore[untyped-decorator]
def _popcount(context: Any, word: Any) -> Any:
    """The processor's population count; LLVM makes it AVX-512 VPOPCNTDQ or NEON CNT where there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@_compiled()
def _nearest(
    eight: Words,
    query_planes: Words,
    query_slack: NDArray[np.int64],
    ends: NDArray[np.int64],
    hashes: Words,
    planes: Words,
    slack: NDArray[np.int16],
    present: NDArray[np.bool_],
    tolerance: int,
    turns: int,
    count: NDArray[np.int64],
    row: NDArray[np.int64],
    distance: NDArray[np.int64],
    turn: NDArray[np.uint8],
) -> None:
    """Fills the last four, (q,) and (q, most): how many rows were found, and which, the nearest first."""
    most = row.shape[1]
    limits = np.full(len(ends), tolerance)
    least = np.empty(BLOCK, np.int16)
    for block in range((ends.max() + BLOCK - 1) // BLOCK):
        low = block * BLOCK
        for k in range(len(ends)):
            if limits[k] < 0 or ends[k] <= low:
                continue
            if planes.shape[2] == 1:
                _least_inverted(query_planes[k], planes[block], 1, hashes.shape[2] * 16, least)
            else:
                _least_inverted(query_planes[k], planes[block], 4, 256, least)
            for start in range(0, BLOCK, HANDFUL):
                handful = slice(start, start + HANDFUL)
                if not _any_near(least[handful], limits[k], query_slack[k], slack[block, handful]):
                    continue
                for j in range(start, min(start + HANDFUL, ends[k] - low)):
                    if least[j] > limits[k] + max(query_slack[k], slack[block, j]) or not present[low + j]:
                        continue
                    exact, how = _by_definition(eight[k], hashes[low + j], turns)
                    if exact <= limits[k]:
                        _insert(low + j, exact, how, k, count, row, distance, turn)
                        if count[k] == most:
                            # A later row must be nearer than the farthest of these, not as near.
                            limits[k] = distance[k, most - 1] - 1


@_compiled(inline="always")
def _least_of_flips(query: Words, planes: Words, j: int, words: int, size: int) -> int:
    d0, d1, d2, d3 = 0, 0, 0, 0
    for word in range(words):
        d0 += _popcount(query[0, word] ^ planes[0, word, j])
        d1 += _popcount(query[1, word] ^ planes[1, word, j])
        d2 += _popcount(query[2, word] ^ planes[2, word, j])
        d3 += _popcount(query[3, word] ^ planes[3, word, j])
    # No flip and the horizontal one; the vertical one and both.
    return min(d0 + d2 + size - abs(d1 + d3 - size), d0 - d2 + 2 * size - abs(d1 - d3))


@_compiled(inline="always")
def _least_inverted(query: Words, planes: Words, words: int, size: int, least: NDArray[np.int16]) -> None:
    """The least distance over the 8 turns by inverted bits. Inlined with `words` a constant: the loop over it is
    unrolled, and that over rows becomes one over vectors, 8 rows at a time with AVX-512."""
    for j in range(BLOCK):
        least[j] = min(
            _least_of_flips(query[0], planes, j, words, size), _least_of_flips(query[1], planes, j, words, size)
        )


@_compiled(inline="always")
def _any_near(least: NDArray[np.int16], limit: int, own: int, slack: NDArray[np.int16]) -> bool:
    near = 0
    for j in range(HANDFUL):
        near += least[j] <= limit + max(own, slack[j])
    return near > 0


@_compiled()
def _by_definition(eight: Words, four: Words, turns: int) -> tuple[int, int]:
    """index.search_rows.by_definition of one pair."""
    best, turn, ninety, other = 1 << 20, 0, 0, 0
    for t in range(turns):
        ahead, back = 0, 0
        for word in range(four.shape[1]):
            ahead += _popcount(eight[FORWARD[t, 0], word] ^ four[FORWARD[t, 1], word])
            back += _popcount(eight[BACKWARD[t, 0], word] ^ four[BACKWARD[t, 1], word])
        least = min(ahead, back)
        if t == ROTATE_90:
            ninety = least
        elif t == ROTATE_270:
            other = least
        if least < best:
            best, turn = least, t
    if turn == ROTATE_90 and ninety == other:
        for word in range(four.shape[1]):
            if four[0, word] != eight[0, word]:
                return best, ROTATE_270 if four[0, word] > eight[0, word] else ROTATE_90
    return best, turn


@_compiled()
def _insert(
    found: int,
    exact: int,
    how: int,
    k: int,
    count: NDArray[np.int64],
    row: NDArray[np.int64],
    distance: NDArray[np.int64],
    turn: NDArray[np.uint8],
) -> None:
    """Put a row behind those of query k that are as near, and let the farthest go when there are too many."""
    place = min(count[k], row.shape[1] - 1)
    while place > 0 and distance[k, place - 1] > exact:
        row[k, place] = row[k, place - 1]
        distance[k, place] = distance[k, place - 1]
        turn[k, place] = turn[k, place - 1]
        place -= 1
    row[k, place], distance[k, place], turn[k, place] = found, exact, how
    count[k] = min(count[k] + 1, row.shape[1])
