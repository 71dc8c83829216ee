"""Finds the features of earlier pictures that are near to those of many new ones, at once, compiled by numba.

The hits are the same as those of lsh_tables.near for one picture after the other. But each table is sorted by key into
one array and read once from end to end. With 100,000 pictures, following chains waits for memory at every step and
takes about four times as long. Threads divide a table by ranges of its keys, and the order of the hits does not depend
on the number of threads.

Importing this module raises ImportError or OSError if numba is missing, or if the system forbids code generated at run
time. Compiled code is cached until this file changes, so values from other files are arguments, never constants.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.features import lsh_tables
from index.imaging.candidates.features.descriptors import Descriptors
from index.imaging.candidates.features.lsh_tables import BITS, CHOICES, PROBES, Hits, LshTables, Words
from index.imaging.candidates.numba_support import compiled, popcount

# Numbers of features, and of those near them: int32 (n,) each.
_Met = tuple[NDArray[np.int32], NDArray[np.int32]]


def match_batch(
    chains: LshTables, begins: NDArray[np.int64], most_bits: int, checkpoint: Callable[[], None], threads: int
) -> Iterator[Hits]:
    """For each of the last pictures in the tables, in their order, the hits among the pictures before it.

    `begins` int64 (n,): the number of the first feature of each of them. `checkpoint` is called between tables.
    Meanwhile this takes 24 bytes per feature, and 8 per hit.
    """
    count, first_feature = chains.count, int(begins[0])
    descriptors = chains.descriptors[:count]
    # The picture of each new feature, from 0.
    later = np.repeat(np.arange(len(begins)), np.diff(begins, append=count))
    chunks: list[_Met] = []
    with ThreadPoolExecutor(threads) as pool:
        for choice in CHOICES:
            checkpoint()
            keys, order, starts, halves = _sorted_by_key(pool, threads, descriptors, choice)
            search = partial(_near, order, starts, halves, descriptors, later, begins, most_bits)
            chunks += pool.map(search, *_ranges(keys[first_feature:], threads))
    queries, mets = (np.concatenate(column) for column in zip(*chunks, strict=True))
    del chunks
    owner = later[queries - first_feature]
    by_owner = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=len(begins))).tolist()
    low = 0
    for begin, high in zip(begins.tolist(), ends, strict=True):
        here = by_owner[low:high]
        yield queries[here].astype(np.int64) - begin, mets[here].astype(np.int64)
        low = high


def _ranges(keys: NDArray[np.int32], threads: int) -> tuple[list[int], list[int]]:
    """Ranges of keys with about the same number of features: the lowest key of each, and the one after its last."""
    edges = np.quantile(keys, np.linspace(0, 1, threads + 1)[1:-1], method="lower").tolist() if len(keys) else []
    return [0, *edges], [*edges, 1 << BITS]


def _near(
    order: NDArray[np.int32],
    starts: NDArray[np.int64],
    halves: Words,
    descriptors: Words,
    later: NDArray[np.int64],
    begins: NDArray[np.int64],
    most_bits: int,
    low: int,
    high: int,
) -> _Met:
    """The hits of the new features whose keys are from `low` to before `high`."""
    room = 1 << 16
    while True:
        query, met = np.empty(room, np.int32), np.empty(room, np.int32)
        number = _meet(
            order,
            starts,
            halves,
            descriptors,
            later,
            begins,
            PROBES,
            most_bits,
            lsh_tables.CROWD,
            low,
            high,
            query,
            met,
        )
        if number <= room:
            return query[:number], met[:number]
        room = number


def _sorted_by_key(
    pool: Executor, threads: int, words: Words, choice: tuple[int, ...]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], Words]:
    """One table sorted by key: the key of each feature, int32 (n,); the features, int32 (n,), earlier ones first within
    a bucket; where each bucket starts and the last one ends, int64 (2^BITS + 1,); the first half of each descriptor in
    that order, uint64 (n, 2), which is enough to reject nearly all that are far."""
    chosen = np.array(choice, np.int64)
    keys = np.empty(len(words), np.int32)
    octets, portions = words.view(np.uint8).reshape(-1, 32), np.linspace(0, len(words), threads + 1).astype(np.int64)

    def fill(low: int, high: int) -> None:
        _keys(octets[low:high], chosen // 8, 7 - chosen % 8, keys[low:high])

    list(pool.map(fill, portions[:-1], portions[1:]))
    ranges = _ranges(keys[:: max(1, len(keys) // 10_000)], threads)
    starts = np.zeros((1 << BITS) + 1, np.int64)
    list(pool.map(partial(_count, keys, starts[1:]), *ranges))
    np.cumsum(starts, out=starts)
    order = np.empty(len(words), np.int32)
    halves = np.empty((len(words), 2), np.uint64)
    list(pool.map(partial(_put, words, keys, starts[:-1].copy(), order, halves), *ranges))
    return keys, order, starts, halves


@compiled()
def _keys(
    descriptors: Descriptors, bytes_: NDArray[np.int64], shifts: NDArray[np.int64], keys: NDArray[np.int32]
) -> None:
    for number in range(len(descriptors)):
        key = 0
        for bit in range(len(bytes_)):
            key |= ((descriptors[number, bytes_[bit]] >> shifts[bit]) & 1) << bit
        keys[number] = key


@compiled()
def _count(keys: NDArray[np.int32], counts: NDArray[np.int64], low: int, high: int) -> None:
    """Count how often each key from `low` to before `high` occurs."""
    for key in keys:
        if low <= key < high:
            counts[key] += 1


@compiled()
def _put(
    words: Words,
    keys: NDArray[np.int32],
    free: NDArray[np.int64],
    order: NDArray[np.int32],
    halves: Words,
    low: int,
    high: int,
) -> None:
    """Put the features whose keys are from `low` to before `high` in their places."""
    for number in range(len(keys)):
        key = keys[number]
        if low <= key < high:
            place = free[key]
            order[place] = number
            halves[place, 0], halves[place, 1] = words[number, 0], words[number, 1]
            free[key] += 1


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
    low_key: int,
    high_key: int,
    query: NDArray[np.int32],
    met: NDArray[np.int32],
) -> int:
    """Fill `query` and `met` as far as there is room. Returns the number of hits, which may be larger."""
    count = 0
    first_feature = begins[0]
    for key in range(low_key, high_key):
        for at in range(starts[key + 1] - 1, starts[key] - 1, -1):
            feature = order[at]
            if feature < first_feature:
                break
            begin = begins[later[feature - first_feature]]
            w0, w1, w2, w3 = (
                descriptors[feature, 0],
                descriptors[feature, 1],
                descriptors[feature, 2],
                descriptors[feature, 3],
            )
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
                        if count < len(query):
                            query[count], met[count] = feature, other
                        count += 1
    return count
