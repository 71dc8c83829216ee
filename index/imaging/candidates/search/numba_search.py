"""PURE: finds the rows nearest to some hashes, over the 8 turns, compiled by numba: about a nanosecond per pair.

The first use on a machine compiles for some seconds. The code is then cached on disk, and loads in half a second.
Importing this module raises ImportError or OSError if numba is missing, or if the system forbids code generated at run
time. The cache is used until this file changes, so values from other files are arguments, never constants.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.numba_support import compiled, lowest, popcount
from index.imaging.candidates.search.hash_rows import AHEAD, BACK, Hits, Queries, Rows, Words

# Distances compared together, each with one bit of a word.
HANDFUL: Final = 64


def nearest(rows: Rows, queries: Queries, tolerance: int, most: int, turns: bool) -> Hits:
    """The nearest rows within `tolerance` bits of each query, at most `most`, of equally near ones the first."""
    row = np.empty((len(queries), most), np.int64)
    distance = np.empty((len(queries), most), np.int64)
    turn = np.empty((len(queries), most), np.uint8)
    count = np.zeros(len(queries), np.int64)
    _nearest(
        queries.eight, queries.planes, queries.slack, queries.ends,
        rows.hashes, rows.planes, rows.slack, rows.present,
        AHEAD, BACK, tolerance, 8 if turns else 1, count, row, distance, turn,
    )  # fmt: skip
    filled = np.arange(most) < count[:, None]
    return Hits(np.repeat(np.arange(len(queries)), count), row[filled], distance[filled], turn[filled])


def unturned(
    blocks: Words, queries: Words, end: int, tolerance: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Without turns: the queries, uint64 (q, words), and the rows before `end`, uint64 (blocks, words, rows), within
    `tolerance` bits of each other; for each query the nearest `most`, of equally near ones the first."""
    row = np.empty((len(queries), most), np.int64)
    distance, turn = np.empty_like(row), np.empty(row.shape, np.uint8)
    count = np.zeros(len(queries), np.int64)
    _unturned(queries, blocks, end, tolerance, count, row, distance, turn)
    filled = np.arange(most) < count[:, None]
    query = np.repeat(np.arange(len(queries)), count)
    order = np.lexsort((row[filled], query))
    return query[order], row[filled][order]


@compiled()
def _nearest(
    eight: Words,
    query_planes: Words,
    query_slack: NDArray[np.int64],
    ends: NDArray[np.int64],
    hashes: Words,
    planes: Words,
    slack: NDArray[np.int16],
    present: NDArray[np.bool_],
    ahead_of: NDArray[np.int64],
    back_of: NDArray[np.int64],
    tolerance: int,
    turns: int,
    count: NDArray[np.int64],
    row: NDArray[np.int64],
    distance: NDArray[np.int64],
    turn: NDArray[np.uint8],
) -> None:
    """Fills the last four, (q,) and (q, most): how many rows were found, and which, the nearest first."""
    most, size, together = row.shape[1], hashes.shape[1] * 16, planes.shape[3]
    limits = np.full(len(ends), tolerance)
    least = np.empty(together, np.int16)
    scratch = np.empty((3, 8), np.int64)
    for block in range((ends.max() + together - 1) // together):
        low = block * together
        for k in range(len(ends)):
            if limits[k] < 0 or ends[k] <= low:
                continue
            if planes.shape[2] == 1:
                _least_inverted(query_planes[k], planes[block], 1, size, least)
            else:
                _least_inverted(query_planes[k], planes[block], 4, size, least)
            for start in range(0, together, HANDFUL):
                handful = slice(start, start + HANDFUL)
                near = _near(least[handful], limits[k], query_slack[k], slack[block, handful])
                while near:
                    row_number = low + start + lowest(near)
                    near &= near - np.uint64(1)
                    if row_number >= ends[k] or not present[row_number]:
                        continue
                    exact, how = _by_definition(eight[k], hashes[row_number], turns, ahead_of, back_of, scratch)
                    if exact <= limits[k]:
                        _insert(row_number, exact, how, k, count, row, distance, turn)
                        if count[k] == most:
                            # A later row must be nearer than the farthest of these; equally near is not enough.
                            limits[k] = distance[k, most - 1] - 1


@compiled(inline="always")
def _least_of_flips(query: Words, planes: Words, j: int, words: int, size: int) -> int:
    d0, d1, d2, d3 = 0, 0, 0, 0
    for word in range(words):
        d0 += popcount(query[0, word] ^ planes[0, word, j])
        d1 += popcount(query[1, word] ^ planes[1, word, j])
        d2 += popcount(query[2, word] ^ planes[2, word, j])
        d3 += popcount(query[3, word] ^ planes[3, word, j])
    # No flip and the horizontal one; the vertical one and both.
    return min(d0 + d2 + size - abs(d1 + d3 - size), d0 - d2 + 2 * size - abs(d1 - d3))


@compiled(inline="always")
def _least_inverted(query: Words, planes: Words, words: int, size: int, least: NDArray[np.int16]) -> None:
    """The smallest distance over the 8 turns by inverted bits. It is inlined with a constant `words`, so that the loop
    over words is unrolled and the loop over rows vectorised, 8 rows at a time with AVX-512."""
    for j in range(len(least)):
        least[j] = min(
            _least_of_flips(query[0], planes, j, words, size), _least_of_flips(query[1], planes, j, words, size)
        )


@compiled(inline="always")
def _near(least: NDArray[np.int16], limit: int, own: int, slack: NDArray[np.int16]) -> np.uint64:
    """Which of these few rows may be near, as bits of one word; nearly always none."""
    near = np.uint64(0)
    for j in range(HANDFUL):
        near |= np.uint64(least[j] <= limit + max(own, slack[j])) << np.uint64(j)
    return near


@compiled()
def _by_definition(
    eight: Words,
    four: Words,
    turns: int,
    ahead_of: NDArray[np.int64],
    back_of: NDArray[np.int64],
    scratch: NDArray[np.int64],
) -> tuple[int, int]:
    """hash_rows.exact_distance of one pair; `scratch` is (3, 8)."""
    ahead, back, distances = scratch[0], scratch[1], scratch[2]
    for turn in range(8):
        ahead[turn] = back[turn] = 0
    for word in range(len(four)):
        for turn in range(8):
            back[turn] += popcount(eight[word, turn] ^ four[word, 0])
        for flip in range(4):
            ahead[flip] += popcount(eight[word, 0] ^ four[word, flip])
            ahead[4 + flip] += popcount(eight[word, 4] ^ four[word, flip])
    how = 0
    for turn in range(turns):
        distances[turn] = min(ahead[ahead_of[turn]], back[back_of[turn]])
        if distances[turn] < distances[how]:
            how = turn
    other = back_of[how]
    if other != how and distances[other] == distances[how]:
        for word in range(len(four)):
            if four[word, 0] != eight[word, 0]:
                return distances[how], other if four[word, 0] > eight[word, 0] else how
    return distances[how], how


@compiled()
def _insert(
    row_number: int,
    exact: int,
    how: int,
    k: int,
    count: NDArray[np.int64],
    row: NDArray[np.int64],
    distance: NDArray[np.int64],
    turn: NDArray[np.uint8],
) -> None:
    """Insert a row after those of query k that are equally near, and drop the farthest if there are too many."""
    place = min(count[k], row.shape[1] - 1)
    while place > 0 and distance[k, place - 1] > exact:
        row[k, place] = row[k, place - 1]
        distance[k, place] = distance[k, place - 1]
        turn[k, place] = turn[k, place - 1]
        place -= 1
    row[k, place], distance[k, place], turn[k, place] = row_number, exact, how
    count[k] = min(count[k] + 1, row.shape[1])


@compiled(inline="always")
def _distances(query: Words, block: Words, words: int, distances: NDArray[np.int64]) -> int:
    """The distances of all rows of a block, and the smallest of them. Inlined with a constant `words`: see
    _least_inverted."""
    least = 64 * words
    for j in range(len(distances)):
        total = 0
        for word in range(words):
            total += popcount(query[word] ^ block[word, j])
        distances[j] = total
    for j in range(len(distances)):
        least = min(least, distances[j])
    return least


@compiled()
def _unturned(
    queries: Words,
    blocks: Words,
    end: int,
    tolerance: int,
    count: NDArray[np.int64],
    row: NDArray[np.int64],
    distance: NDArray[np.int64],
    turn: NDArray[np.uint8],
) -> None:
    """Fills the last four, as _nearest does."""
    most, words, together = row.shape[1], blocks.shape[1], blocks.shape[2]
    limits = np.full(len(queries), tolerance)
    distances = np.empty(together, np.int64)
    for number in range((end + together - 1) // together):
        low = number * together
        for k in range(len(queries)):
            if words == 1:
                least = _distances(queries[k], blocks[number], 1, distances)
            elif words == 4:
                least = _distances(queries[k], blocks[number], 4, distances)
            else:
                least = _distances(queries[k], blocks[number], 16, distances)
            if least > limits[k]:
                continue
            for j in range(min(together, end - low)):
                if distances[j] <= limits[k]:
                    _insert(low + j, distances[j], 0, k, count, row, distance, turn)
                    if count[k] == most:
                        limits[k] = distance[k, most - 1] - 1
