"""Features of many pictures -> which of them share enough features with a new one to be looked at together.

Locality-sensitive hashing for Hamming distance (Indyk and Motwani, Approximate Nearest Neighbors, STOC 1998): in each
of some tables, descriptors meet where a fixed choice of their bits is equal. Those that meet are compared in full, and
pictures with enough near descriptors in common are proposed. What is proposed is looked at by the verifier.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.features import Described, Descriptors

TABLES: Final = 16
BITS: Final = 18
# Descriptors of one corner in two copies are some 20 to 30 bits apart, those of two corners about 128.
NEAR_BITS: Final = 44
# Features that two pictures share by accident, as texts and tiles do, are fewer than this in most pairs.
VOTES: Final = 6
# A place where so many meet is a pattern, not a corner.
CROWD: Final = 400
PROPOSED_AT_MOST: Final = 20

_CHOICES: Final = np.stack([np.random.default_rng(table).permutation(256)[:BITS] for table in range(TABLES)])
_WEIGHTS: Final = (1 << np.arange(BITS)).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class _Segment:
    """Descriptors sorted by key in every table. `owners` int32 (n,), `orders` int32 and `keys` uint32 (TABLES, n)."""

    descriptors: Descriptors
    owners: NDArray[np.int32]
    orders: NDArray[np.int32]
    keys: NDArray[np.uint32]

    @classmethod
    def of(cls, descriptors: Descriptors, owners: NDArray[np.int32]) -> "_Segment":
        keys = _keys(descriptors)
        orders = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
        return cls(descriptors, owners, orders, np.take_along_axis(keys, orders, axis=1))


class FeatureIndex:
    """Pictures by number, 0 upwards in the order they are added; about 160 bytes a feature, 32 KB a picture.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, pictures: Sequence[Described]) -> list[tuple[int, int]]:
        """Add pictures and give the pairs (earlier, later) that they make with those before them and one another."""
        start = self._count
        self._count += len(pictures)
        plain = np.concatenate([np.empty((0, 32), np.uint8), *(picture.plain for picture in pictures)])
        numbers = np.arange(start, self._count, dtype=np.int32)
        self._segments.append(_Segment.of(plain, np.repeat(numbers, [len(p.plain) for p in pictures])))
        queries = np.concatenate([plain, *(picture.mirrored for picture in pictures)])
        owners = np.concatenate(
            [self._segments[-1].owners, np.repeat(numbers, [len(p.mirrored) for p in pictures])]
        )
        found = [_shared(segment, queries, owners) for segment in self._segments]
        self._merge()
        return _proposed(np.concatenate(found))

    def _merge(self) -> None:
        """Put small segments together: few segments to ask, and every descriptor is sorted some ten times at most."""
        while len(self._segments) > 1 and len(self._segments[-2].owners) < 2 * len(self._segments[-1].owners):
            last, before = self._segments.pop(), self._segments.pop()
            descriptors = np.concatenate([before.descriptors, last.descriptors])
            self._segments.append(_Segment.of(descriptors, np.concatenate([before.owners, last.owners])))


def _keys(descriptors: Descriptors) -> NDArray[np.uint32]:
    """The key of each descriptor in each table: uint32 (TABLES, n)."""
    bits = np.unpackbits(descriptors, axis=1)
    return np.stack([bits[:, choice].astype(np.uint32) @ _WEIGHTS for choice in _CHOICES]).astype(np.uint32)


def _shared(segment: _Segment, queries: Descriptors, owners: NDArray[np.int32]) -> NDArray[np.int64]:
    """Near descriptors of a later and an earlier picture: int64 rows of (later, earlier, query, descriptor)."""
    pairs = [np.empty(0, np.int64)]
    count = max(1, len(segment.owners))
    words, own_words = queries.view(np.uint64), segment.descriptors.view(np.uint64)
    for table, keys in enumerate(_keys(queries)):
        low = np.searchsorted(segment.keys[table], keys, "left")
        many = np.searchsorted(segment.keys[table], keys, "right") - low
        many[many > CROWD] = 0
        query = np.repeat(np.arange(len(queries)), many)
        place = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
        met = segment.orders[table][place]
        earlier = segment.owners[met] < owners[query]
        query, met = query[earlier], met[earlier]
        near = np.bitwise_count(words[query] ^ own_words[met]).sum(axis=1) <= NEAR_BITS
        pairs.append(query[near] * count + met[near])
    unique = np.unique(np.concatenate(pairs))
    query, met = unique // count, unique % count
    return np.stack([owners[query], segment.owners[met], query, met], axis=1).astype(np.int64)


def _proposed(shared: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The pairs of pictures with enough different features in common on both sides, for each later one the best."""
    if not len(shared):
        return []
    votes: dict[tuple[int, int], int] = {}
    sides = []
    for side in (2, 3):
        rows = np.unique(shared[:, (0, 1, side)], axis=0)
        pairs, counts = np.unique(rows[:, :2], axis=0, return_counts=True)
        sides.append({(int(later), int(earlier)): int(n) for (later, earlier), n in zip(pairs, counts, strict=True)})
    for pair, count in sides[0].items():
        votes[pair] = min(count, sides[1][pair])
    best = sorted((later, -count, earlier) for (later, earlier), count in votes.items() if count >= VOTES)
    found: list[tuple[int, int]] = []
    taken: dict[int, int] = {}
    for later, _, earlier in best:
        taken[later] = taken.get(later, 0) + 1
        if taken[later] <= PROPOSED_AT_MOST:
            found.append((earlier, later))
    return found
