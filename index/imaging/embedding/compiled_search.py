"""PURE: the vectors whose signs are nearest to those of a query, compiled by numba: less than a nanosecond per word.

Importing it raises ImportError or OSError if numba is missing or the system forbids code made at run time. The compiled
code is cached until this file changes, so definitions of other files are passed as arguments.
"""

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.numba_support import compiled, popcount

Words = NDArray[np.uint64]


@compiled(inline="always")
def _distances(query: Words, block: Words, words: int, distances: NDArray[np.int64]) -> int:
    """The distances of all rows of a block, and the smallest of them."""
    for j in range(len(distances)):
        total = 0
        for word in range(words):
            total += popcount(query[word] ^ block[word, j])
        distances[j] = total
    least = 64 * words
    for j in range(len(distances)):
        least = min(least, distances[j])
    return least


@compiled()
def add_nearest(
    query: Words,
    blocks: Words,
    present: NDArray[np.bool_],
    first_row: int,
    end: int,
    count: int,
    row: NDArray[np.int64],
    distance: NDArray[np.int32],
) -> int:
    """Add the nearest rows of a segment to those of a query. The query has shape (words,), the segment (blocks, words,
    rows); its first row has the number `first_row`, and only rows before `end` count. `row` and `distance`, (most,),
    hold `count` rows, the nearest first and, at equal distance, the first by number. Returns the new count."""
    words, together, most = blocks.shape[1], blocks.shape[2], len(row)
    distances = np.empty(together, np.int64)
    limit = distance[most - 1] - 1 if count == most else 64 * words
    for number in range(len(blocks)):
        low = first_row + number * together
        if low >= end:
            break
        # With the words known to the compiler, the usual 256 dimensions take half of the time.
        if words == 4:
            least = _distances(query, blocks[number], 4, distances)
        else:
            least = _distances(query, blocks[number], words, distances)
        if least > limit:
            continue
        for j in range(min(together, end - low)):
            if distances[j] > limit or not present[number * together + j]:
                continue
            place = min(count, most - 1)
            while place > 0 and distance[place - 1] > distances[j]:
                row[place], distance[place] = row[place - 1], distance[place - 1]
                place -= 1
            row[place], distance[place] = low + j, distances[j]
            count = min(count + 1, most)
            if count == most:
                # A later row must be nearer than the farthest of these; an equal distance is not enough.
                limit = distance[most - 1] - 1
    return count
