"""Candidate pairs among pictures with too little detail for a hash: those of one size whose pixels are equal.

Examples are blank pages, plain colours, and white on a transparent background. In the runner's thread only.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import combinations

from index.database.records import images
from index.database.records.deferred_pairs import CandidatePair
from index.database.store import Store
from index.model import Turn

Digests = Callable[[Collection[int]], Mapping[int, bytes]]


class FlatPictures:
    """The flat pictures that a detection has matched, by their size."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_size: dict[tuple[int, int], set[int]] = defaultdict(set)

    def add(self, content_ids: Collection[int]) -> list[set[int]]:
        """Add pictures. Returns the sets of one size that they are in, of two pictures or more."""
        with self._store.read() as database:
            sizes = images.sizes_of(database, content_ids)
        for content_id, size in sizes.items():
            self._by_size[size].add(content_id)
        return [of_size for size in set(sizes.values()) if len(of_size := self._by_size[size]) > 1]

    def remove(self, content_ids: Iterable[int]) -> None:
        for of_size in self._by_size.values():
            of_size.difference_update(content_ids)


def equal_pairs(new: Collection[int], sets: Iterable[Collection[int]], digests: Digests) -> list[CandidatePair]:
    """The pairs within each set that have equal pixels and of which one is new."""
    wanted = set(new)
    pairs: list[CandidatePair] = []
    for of_size in sets:
        known = digests(of_size)
        equal: dict[bytes, list[int]] = defaultdict(list)
        for content_id in sorted(of_size):
            if known.get(content_id):
                equal[known[content_id]].append(content_id)
        for alike in equal.values():
            pairs += [
                CandidatePair(a, b, 0, Turn.NONE) for a, b in combinations(alike, 2) if a in wanted or b in wanted
            ]
    return pairs
