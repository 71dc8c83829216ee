"""Which features of many new pictures are near to those before them, all at once, compiled by numba.

The same hits as index.candidates.feature_hits.near gives for one picture after the other, but a table is laid out
anew, place beside place, and walked once from end to end: at 100,000 pictures a walk along chains waits for memory at
every step, and takes some four times as long.

Importing it raises ImportError or OSError where numba is missing or the system forbids code made at run time.
What was compiled is used until this file changes: what other files define comes as arguments, never as constants.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from index.candidates import feature_hits
from index.candidates.compiling import compiled, popcount
from index.candidates.feature_hits import BITS, CHOICES, PROBES, Chains, Hits, Words
from index.candidates.features import Descriptors


def joined(chains: Chains, begins: NDArray[np.int64], most_bits: int, checkpoint: Callable[[], None]) -> Iterator[Hits]:
    """Of each of the last pictures in the chains, in their order, the hits among the pictures before it.

    `begins` int64 (n,): the number of the first feature of each of them. `checkpoint` is called between tables.
    Takes 24 bytes a feature for as long as it lasts, and 8 a hit.
    """
    count, first_feature = chains.count, int(begins[0])
    descriptors = chains.descriptors[:count]
    # The picture of each new feature, from 0.
    later = np.repeat(np.arange(len(begins)), np.diff(begins, append=count))
    found: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    for choice in CHOICES:
        checkpoint()
        order, starts, halves = _laid_out(descriptors, choice)
        room = 1 << 16
        while True:
            query, met = np.empty(room, np.int32), np.empty(room, np.int32)
            number = _meet(
                order, starts, halves, descriptors, later, begins, PROBES, most_bits, feature_hits.CROWD, query, met
            )
            if number <= room:
                break
            room = number
        found.append((query[:number], met[:number]))
    queries, mets = np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])
    del found
    owner = later[queries - first_feature]
    by_owner = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=len(begins))).tolist()
    low = 0
    for begin, high in zip(begins.tolist(), ends, strict=True):
        here = by_owner[low:high]
        yield queries[here].astype(np.int64) - begin, mets[here].astype(np.int64)
        low = high


def _laid_out(words: Words, choice: tuple[int, ...]) -> tuple[NDArray[np.int32], NDArray[np.int64], Words]:
    """The features by their key in one table, in a place those before first: (n,); where each place starts, and the
    last ends: (2^BITS + 1,); half of each descriptor in that order, which tells nearly all that are far: (n, 2)."""
    chosen = np.array(choice, np.int64)
    keys = np.empty(len(words), np.int32)
    _keys(words.view(np.uint8).reshape(-1, 32), chosen // 8, 7 - chosen % 8, keys)
    starts = np.zeros((1 << BITS) + 1, np.int64)
    np.cumsum(np.bincount(keys, minlength=1 << BITS), out=starts[1:])
    order = np.empty(len(words), np.int32)
    halves = np.empty((len(words), 2), np.uint64)
    _put(words, keys, starts[:-1].copy(), order, halves)
    return order, starts, halves


@compiled()
def _keys(
    descriptors: Descriptors, bytes_: NDArray[np.int64], shifts: NDArray[np.int64], keys: NDArray[np.int32]
) -> None:
    for one in range(len(descriptors)):
        key = 0
        for bit in range(len(bytes_)):
            key |= ((descriptors[one, bytes_[bit]] >> shifts[bit]) & 1) << bit
        keys[one] = key


@compiled()
def _put(
    words: Words, keys: NDArray[np.int32], free: NDArray[np.int64], order: NDArray[np.int32], halves: Words
) -> None:
    for one in range(len(keys)):
        place = free[keys[one]]
        order[place] = one
        halves[place, 0], halves[place, 1] = words[one, 0], words[one, 1]
        free[keys[one]] += 1


@compiled()
def _meet(
    order: NDArray[np.int32],
    starts: NDArray[np.int64],
    halves: Words,
    descriptors: Words,
    later: NDArray[np.int64],
    begins: NDArray[np.int64],
    probes: NDArray[np.int64],
    most_bits: int,
    crowd: int,
    query: NDArray[np.int32],
    met: NDArray[np.int32],
) -> int:
    """Fills the last two as far as there is room; how many were found."""
    found = 0
    first_feature = begins[0]
    for key in range(len(starts) - 1):
        for at in range(starts[key + 1] - 1, starts[key] - 1, -1):
            one = order[at]
            if one < first_feature:
                break
            begin = begins[later[one - first_feature]]
            w0, w1, w2, w3 = descriptors[one, 0], descriptors[one, 1], descriptors[one, 2], descriptors[one, 3]
            for probe in probes:
                low, high = starts[key ^ probe], starts[(key ^ probe) + 1]
                if high - low > crowd and order[low + crowd] < begin:
                    continue
                for place in range(low, high):
                    other = order[place]
                    if other >= begin:
                        break
                    bits = popcount(w0 ^ halves[place, 0]) + popcount(w1 ^ halves[place, 1])
                    if bits > most_bits:
                        continue
                    bits += popcount(w2 ^ descriptors[other, 2]) + popcount(w3 ^ descriptors[other, 3])
                    if bits <= most_bits:
                        if found < len(query):
                            query[found], met[found] = one, other
                        found += 1
    return found
