"""LSH tables: keep the descriptors of features in memory, and find near ones with numpy.

A table has a bucket for each value of some bits of a descriptor. A bucket is a chain, and new features are added at its
head. It takes four bytes per feature and is never sorted. When a picture is added, the chains contain exactly the
earlier pictures.
"""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.features.descriptors import Descriptors, Places

Words = NDArray[np.uint64]
Scalar = TypeVar("Scalar", bound=np.generic)

# The bits of a descriptor that form the key of each table: the least correlated bits of ORB among those that are set
# about half of the time. Bits chosen at random are partly correlated, and chains are then ten times as long.
CHOICES: Final = (
    (13, 23, 30, 50, 63, 82, 107, 117, 120, 138, 140, 143, 161, 173, 195, 201, 215, 227, 228, 249),
    (14, 32, 33, 45, 60, 67, 85, 87, 104, 110, 119, 120, 127, 139, 145, 159, 161, 164, 186, 251),
    (0, 10, 11, 15, 30, 31, 41, 68, 71, 77, 146, 163, 187, 190, 192, 212, 213, 243, 244, 252),
    (1, 2, 9, 12, 14, 19, 24, 70, 72, 73, 76, 84, 105, 108, 193, 197, 206, 230, 239, 240),
    (8, 9, 33, 34, 60, 65, 69, 87, 93, 175, 179, 181, 184, 190, 202, 207, 209, 245, 247, 250),
    (3, 4, 12, 15, 30, 47, 61, 71, 77, 104, 111, 133, 148, 163, 169, 178, 179, 190, 191, 246),
)
TABLES: Final = len(CHOICES)
BITS: Final = len(CHOICES[0])
# A bucket with more features is a pattern of many pictures, not a corner.
CROWD: Final = 128
END_OF_CHAIN: Final = -1

_WEIGHTS: Final = (1 << np.arange(BITS)).astype(np.int64)
# XORed with a key, these give the key itself, and each key that differs in one bit.
PROBES: Final = np.array([0, *(1 << np.arange(BITS))], np.int64)

# Numbers of features of one picture, and of the features near them: int64 (n,) each.
Hits = tuple[NDArray[np.int64], NDArray[np.int64]]


class LshTables:
    """Features by number, 0 upwards. `descriptors` uint64 (capacity, 4), `owners` int32 (capacity,): the picture;
    `places` int16 (capacity, 4) as in `FeatureSet`. `following` int32 (TABLES, capacity): the next in its chain,
    `heads` and `lengths` int32 (TABLES, 2^BITS): of each chain. Beyond `count` is spare capacity."""

    def __init__(self) -> None:
        self.count = 0
        self.descriptors: Words = np.empty((0, 4), np.uint64)
        self.owners: NDArray[np.int32] = np.empty(0, np.int32)
        self.places: Places = np.empty((0, 4), np.int16)
        self.following: NDArray[np.int32] = np.empty((TABLES, 0), np.int32)
        self.heads = np.full((TABLES, 1 << BITS), END_OF_CHAIN, np.int32)
        self.lengths = np.zeros((TABLES, 1 << BITS), np.int32)

    def append(self, owner: int, descriptors: Descriptors, places: Places, keys: NDArray[np.int64]) -> None:
        """Add the features of one picture at the heads of their chains, in their order."""
        start, end = self.count, self.count + len(descriptors)
        if end > len(self.owners):
            self._grow(max(end, len(self.owners) * 5 // 4 + 10_000))
        self.descriptors[start:end] = words_of(descriptors)
        self.places[start:end] = places
        self.owners[start:end] = owner
        numbers = np.arange(start, end, dtype=np.int32)
        for table in range(TABLES):
            by_key = np.argsort(keys[table], kind="stable")
            key, number = keys[table][by_key], numbers[by_key]
            first = np.ones(len(key), np.bool_)
            first[1:] = key[1:] != key[:-1]
            before = np.empty(len(key), np.int32)
            before[first] = self.heads[table][key[first]]
            before[~first] = number[:-1][~first[1:]]
            self.following[table, number] = before
            # If a position is assigned several times, the last value stays.
            self.heads[table][key] = number
            np.add.at(self.lengths[table], key, 1)
        self.count = end

    def crowded(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of tables in which the bucket of each key, (TABLES, n), has more than CROWD features: (n,)."""
        lengths = self.lengths[np.arange(TABLES)[:, None], keys]
        tables: NDArray[np.int64] = (lengths > CROWD).sum(axis=0, dtype=np.int64)
        return tables

    def _grow(self, capacity: int) -> None:
        self.descriptors = _grown(self.descriptors, capacity)
        self.owners = _grown(self.owners, capacity)
        self.places = _grown(self.places, capacity)
        following = np.empty((TABLES, capacity), np.int32)
        following[:, : self.count] = self.following[:, : self.count]
        self.following = following


def keys_of(descriptors: Descriptors) -> NDArray[np.int64]:
    """The key of each descriptor in each table: (TABLES, n)."""
    bits = np.unpackbits(descriptors, axis=1).astype(np.int64)
    return np.stack([bits[:, list(choice)] @ _WEIGHTS for choice in CHOICES])


def words_of(descriptors: Descriptors) -> Words:
    """Descriptors uint8 (n, 32) as uint64 (n, 4)."""
    return np.ascontiguousarray(descriptors).view(np.uint64).reshape(-1, 4)


def near(chains: LshTables, words: Words, keys: NDArray[np.int64], most_bits: int) -> Hits:
    """The features within `most_bits` of each of these. A feature that is found in two tables is listed twice."""
    probed = keys[:, :, None] ^ PROBES
    table = np.broadcast_to(np.arange(TABLES)[:, None, None], probed.shape).ravel()
    query = np.broadcast_to(np.arange(len(words))[:, None], probed.shape).ravel()
    key = probed.ravel()
    met = np.where(chains.lengths[table, key] <= CROWD, chains.heads[table, key], END_OF_CHAIN)
    chunks: list[Hits] = []
    while True:
        going = met != END_OF_CHAIN
        table, query, met = table[going], query[going], met[going]
        if not len(met):
            break
        close = np.bitwise_count(words[query] ^ chains.descriptors[met]).sum(axis=1) <= most_bits
        chunks.append((query[close], met[close].astype(np.int64)))
        met = chains.following[table, met]
    if not chunks:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate([hits[0] for hits in chunks]), np.concatenate([hits[1] for hits in chunks])


def _grown(array: NDArray[Scalar], length: int) -> NDArray[Scalar]:
    larger = np.empty((length, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
