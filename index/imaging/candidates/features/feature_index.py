"""Features of many pictures -> which of them share enough, laid out alike, with a new one to be looked at together.

Locality-sensitive hashing for Hamming distance (Indyk and Motwani, Approximate Nearest Neighbors, STOC 1998): in each
of some tables, descriptors meet where a fixed choice of their bits is equal, or equal but for one (Lv et al.,
Multi-Probe LSH, VLDB 2007). Those that meet are compared in full. A picture with enough near descriptors is proposed
where enough of them agree on how one picture lies over the other; the verifier then looks.

Pictures are taken one after the other, each against those before it, whatever the portions they come in. What two
pictures share does not depend on which came first, nor on any third; what does is only what keeps the work bounded:
a place in a table where CROWD have met is a pattern of many pictures and says nothing more, and of the pictures
before it each is proposed with the PROPOSED_AT_MOST it shares most with.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.candidates import feature_hits
from index.candidates.feature_hits import Chains, Hits, Words, keys_of, words_of
from index.candidates.feature_places import agreeing
from index.candidates.features import Described

log = logging.getLogger(__name__)

# Descriptors of one corner in two copies are some 20 to 30 bits apart, those of two corners about 128.
NEAR_BITS: Final = 40
# Of 6,000 pairs of unrelated photographs one had so many corners that agree.
AGREEING: Final = 4
PROPOSED_AT_MOST: Final = 20
# So many are searched for together. Laying the tables out anew costs as much as some 45 of them one by one among 10,000
# pictures and 80 among 100,000, reckoned from the table of docs/search.md.
MANY: Final = 80

Join = Callable[[Chains, NDArray[np.int64], int, Callable[[], None]], Iterator[Hits]]


class FeatureIndex:
    """Pictures by number, 0 upwards in the order they are added; about 70 bytes a feature, 14 KB a picture.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._chains = Chains()
        self._count = 0
        self._removed: set[int] = set()

    def __len__(self) -> int:
        return self._count

    def remove(self, pictures: Iterable[int]) -> None:
        """Propose these no more. They keep their place in memory and in the crowds until the index is made anew."""
        self._removed.update(pictures)

    def load(self, pictures: Sequence[Described]) -> None:
        """Add pictures whose pairs with one another are known."""
        for picture in pictures:
            self._append(picture, keys_of(picture.descriptors))

    def add(
        self, pictures: Sequence[Described], checkpoint: Callable[[], None] | None = None
    ) -> list[tuple[int, int]]:
        """Add pictures and give the pairs (earlier, later) that they make with those before them and one another.

        `checkpoint` is called before each picture and may raise to leave off; the index is then of no more use.
        """
        joined = _join() if len(pictures) >= MANY else None
        if joined is not None:
            return self._add_together(pictures, joined, checkpoint or _go_on)
        near = _engine()
        found: list[tuple[int, int]] = []
        for picture in pictures:
            if checkpoint is not None:
                checkpoint()
            keys = keys_of(picture.descriptors)
            hits = near(self._chains, words_of(picture.descriptors), keys, NEAR_BITS)
            found += [(earlier, self._count) for earlier in self._proposed(picture, hits)]
            self._append(picture, keys)
        return found

    def _add_together(
        self, pictures: Sequence[Described], joined: Join, checkpoint: Callable[[], None]
    ) -> list[tuple[int, int]]:
        """As one after the other, with the tables laid out once for all of them."""
        first, begins = self._count, np.empty(len(pictures), np.int64)
        for number, picture in enumerate(pictures):
            begins[number] = self._chains.count
            self._append(picture, keys_of(picture.descriptors))
        found: list[tuple[int, int]] = []
        for number, hits in enumerate(joined(self._chains, begins, NEAR_BITS, checkpoint)):
            checkpoint()
            found += [(earlier, first + number) for earlier in self._proposed(pictures[number], hits)]
        return found

    def _append(self, picture: Described, keys: NDArray[np.int64]) -> None:
        self._chains.append(self._count, picture.descriptors, picture.places, keys)
        self._count += 1

    def _proposed(self, picture: Described, hits: Hits) -> list[int]:
        """The pictures before this one that have enough corners in common with it, of too many the best."""
        query, met = hits
        owners = self._chains.owners[met]
        enough = np.bincount(owners, minlength=self._count + 1) >= AGREEING
        enough[list(self._removed)] = False
        chosen = enough[owners]
        # Met in several tables, told several times. Features ascend with their owners.
        met, query = np.divmod(np.unique(met[chosen] * len(picture) + query[chosen]), max(1, len(picture)))
        earlier, starts, counts = np.unique(self._chains.owners[met], return_index=True, return_counts=True)
        scores = []
        for number, start, count in zip(earlier.tolist(), starts, counts, strict=True):
            if count >= AGREEING:
                shared = np.stack([query[start : start + count], met[start : start + count]], axis=1)
                score = agreeing(picture.places, self._chains.places, self._nearest_first(picture, shared))
                if score >= AGREEING:
                    scores.append((-score, number))
        return [number for _, number in sorted(scores)[:PROPOSED_AT_MOST]]

    def _nearest_first(self, picture: Described, shared: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pairs of corners by the distance of their descriptors."""
        own, others = words_of(picture.descriptors)[shared[:, 0]], self._chains.descriptors[shared[:, 1]]
        nearest: NDArray[np.int64] = np.bitwise_count(own ^ others).sum(axis=1).argsort(kind="stable")
        return shared[nearest]


@cache
def _engine() -> Callable[[Chains, Words, NDArray[np.int64], int], Hits]:
    try:
        from index.candidates.feature_hits_compiled import near  # noqa: PLC0415 - numba is loaded when there is work for it
    except (ImportError, OSError) as error:
        log.warning("local features are searched without numba, at a tenth of the speed: %s", error)
        return feature_hits.near
    return near


@cache
def _join() -> Join | None:
    try:
        from index.candidates.feature_join import joined  # noqa: PLC0415 - as above
    except (ImportError, OSError):
        return None
    return joined


def _go_on() -> None:
    """Where nobody may want to leave off."""
