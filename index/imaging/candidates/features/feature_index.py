"""Finds candidate pairs by local features: pictures that share enough features in a common geometry.

Locality-sensitive hashing for Hamming distance (Indyk and Motwani, Approximate Nearest Neighbors, STOC 1998): in each
table, two descriptors collide if a fixed choice of their bits is equal, or differs in one bit (Lv et al., Multi-Probe
LSH, VLDB 2007). Descriptors that collide are compared in full. Two pictures with enough near descriptors are proposed
if enough of these agree on one similarity transform, and enough of all mutually nearest corners do as well. Corners of
captions and interfaces count less. The verifier then decides.

Each picture is compared with all earlier ones, however they are batched. The features that two pictures share do not
depend on their order, nor on other pictures. Only the limits on the work depend on the order: a bucket with more than
CROWD features belongs to a pattern of many pictures and is ignored, a corner that many earlier pictures have counts
less, and each picture is proposed with at most PROPOSED_AT_MOST earlier ones, those with the most shared corners.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.features import lsh_tables
from index.imaging.candidates.features.corner_limits import FITTED
from index.imaging.candidates.features.descriptors import FeatureSet
from index.imaging.candidates.features.geometric_verification import agreeing_weight, inlier_count
from index.imaging.candidates.features.lsh_tables import Hits, LshTables, Words, keys_of, words_of
from index.imaging.thresholds import threshold

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProposalLimits:
    """The limits for a pair proposed by local features."""

    near_bits: int = threshold(
        40, "of 256 bits", "Descriptors of one corner in two copies are 20 to 30 bits apart, of two corners about 128."
    )
    min_agreeing: int = threshold(4, "corners", "Of 6,000 pairs of unrelated photographs one has so many that agree.")
    min_confirming: float = threshold(
        8.0, "corners", "Of mutually nearest ones: keeps all but one of 600 copies, and two of three pairs by accident."
    )
    shared_by: int = threshold(
        FITTED["shared_by"],
        "pictures",
        "A corner that more of those before it have is that of a caption or an interface, and counts for so many "
        "divided by their number.",
    )
    crowded_in: int = threshold(3, "tables of 6", "A corner whose bucket is crowded in so many is in CROWD pictures.")


PROPOSAL: Final = ProposalLimits()

# Each picture is proposed with those earlier ones that share the most corners with it.
PROPOSED_AT_MOST: Final = 20
# From this many pictures on, they are searched as a batch. Rebuilding the tables costs as much as some 45 single
# searches among 10,000 pictures and 80 among 100,000, calculated from the table of docs/measurements/search.md.
MANY: Final = 80

Join = Callable[[LshTables, NDArray[np.int64], int, Callable[[], None], int], Iterator[Hits]]


class FeatureIndex:
    """Pictures by number, 0 upwards in the order they are added; about 70 bytes a feature, 14 KB a picture.

    Must be used by one thread at a time. A search among many pictures starts threads of its own.
    """

    def __init__(self, threads: int | None = None) -> None:
        """`threads`: the number of threads for a search; by default, that of the processors."""
        self._threads = threads or os.cpu_count() or 1
        self._chains = LshTables()
        self._count = 0
        self._removed: set[int] = set()

    def __len__(self) -> int:
        return self._count

    def remove(self, pictures: Iterable[int]) -> None:
        """Propose these pictures no longer. They stay in memory, and in their buckets, until the index is rebuilt."""
        self._removed.update(pictures)

    def load(self, pictures: Sequence[FeatureSet]) -> None:
        """Add pictures whose pairs with one another are already known."""
        for picture in pictures:
            self._append(picture, keys_of(picture.descriptors))

    def add(
        self, pictures: Sequence[FeatureSet], checkpoint: Callable[[], None] | None = None
    ) -> list[tuple[int, int]]:
        """Add pictures. Returns the pairs (earlier, later) with earlier pictures and with one another.

        `checkpoint` is called before each picture and may raise to stop; the index is then unusable.
        """
        match_batch = _join() if len(pictures) >= MANY else None
        if match_batch is not None:
            return self._add_together(pictures, match_batch, checkpoint or _go_on)
        near = _engine()
        pairs: list[tuple[int, int]] = []
        for picture in pictures:
            if checkpoint is not None:
                checkpoint()
            keys = keys_of(picture.descriptors)
            hits = near(self._chains, words_of(picture.descriptors), keys, PROPOSAL.near_bits)
            crowded = self._chains.crowded(keys)
            pairs += [(earlier, self._count) for earlier in self._proposed(picture, hits, crowded)]
            self._append(picture, keys)
        return pairs

    def _add_together(
        self, pictures: Sequence[FeatureSet], match_batch: Join, checkpoint: Callable[[], None]
    ) -> list[tuple[int, int]]:
        """Returns the same pairs. The tables are rebuilt once for all pictures."""
        first, begins = self._count, np.empty(len(pictures), np.int64)
        crowded = []
        for number, picture in enumerate(pictures):
            begins[number] = self._chains.count
            keys = keys_of(picture.descriptors)
            crowded.append(self._chains.crowded(keys))
            self._append(picture, keys)
        pairs: list[tuple[int, int]] = []
        found = match_batch(self._chains, begins, PROPOSAL.near_bits, checkpoint, self._threads)
        for number, hits in enumerate(found):
            checkpoint()
            pairs += [(earlier, first + number) for earlier in self._proposed(pictures[number], hits, crowded[number])]
        return pairs

    def _append(self, picture: FeatureSet, keys: NDArray[np.int64]) -> None:
        self._chains.append(self._count, picture.descriptors, picture.places, keys)
        self._count += 1

    def _proposed(self, picture: FeatureSet, hits: Hits, crowded: NDArray[np.int64]) -> list[int]:
        """The earlier pictures that share enough corners with this one; the best of them if they are too many.
        `crowded` (n,): the number of tables in which the bucket of each corner is crowded."""
        query, met = hits
        owners = self._chains.owners[met]
        weights = _weights(query, owners, crowded)
        enough = np.bincount(owners, minlength=self._count + 1) >= PROPOSAL.min_agreeing
        enough[list(self._removed)] = False
        chosen = enough[owners]
        # Features that collide in several tables are listed several times. Their numbers ascend with those of pictures.
        met, query = np.divmod(np.unique(met[chosen] * len(picture) + query[chosen]), max(1, len(picture)))
        earlier, starts, counts = np.unique(self._chains.owners[met], return_index=True, return_counts=True)
        scores = []
        for number, start, count in zip(earlier.tolist(), starts, counts, strict=True):
            if count >= PROPOSAL.min_agreeing:
                shared = np.stack([query[start : start + count], met[start : start + count]], axis=1)
                score = inlier_count(picture.places, self._chains.places, self._nearest_first(picture, shared))
                if score >= PROPOSAL.min_agreeing:
                    scores.append((-score, number))
        confirmed = (number for _, number in sorted(scores) if self._is_confirmed(picture, number, weights))
        return list(islice(confirmed, PROPOSED_AT_MOST))

    def _is_confirmed(self, picture: FeatureSet, earlier: int, weights: NDArray[np.float64]) -> bool:
        """Whether enough of the mutually nearest corners of two pictures agree. This takes a millisecond, the verifier
        7 to 20 ms for an accidental pair."""
        owners = self._chains.owners[: self._chains.count]
        own = slice(*np.searchsorted(owners, (earlier, earlier + 1)))
        weight = agreeing_weight(picture, self._chains.descriptors[own], self._chains.places[own], weights)
        return weight >= PROPOSAL.min_confirming

    def _nearest_first(self, picture: FeatureSet, shared: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pairs of corners by the distance of their descriptors."""
        own, others = words_of(picture.descriptors)[shared[:, 0]], self._chains.descriptors[shared[:, 1]]
        nearest: NDArray[np.int64] = np.bitwise_count(own ^ others).sum(axis=1).argsort(kind="stable")
        return shared[nearest]


def _weights(query: NDArray[np.int64], owners: NDArray[np.int32], crowded: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight of each corner of a picture, (corners,). It is lower if many earlier pictures have a similar one, even
    if that is not found since its bucket is crowded."""
    met = np.unique(query.astype(np.int64) << 32 | owners)
    pictures = np.bincount(met >> 32, minlength=len(crowded))
    pictures = np.where(crowded >= PROPOSAL.crowded_in, np.maximum(pictures, lsh_tables.CROWD), pictures)
    return PROPOSAL.shared_by / np.maximum(pictures, PROPOSAL.shared_by)


@cache
def _engine() -> Callable[[LshTables, Words, NDArray[np.int64], int], Hits]:
    try:
        from index.imaging.candidates.features.lsh_compiled import near  # noqa: PLC0415 - numba is loaded when there is work for it
    except (ImportError, OSError) as error:
        log.warning("local features are searched without numba, at a tenth of the speed: %s", error)
        return lsh_tables.near
    return near


@cache
def _join() -> Join | None:
    try:
        from index.imaging.candidates.features.lsh_batch import match_batch  # noqa: PLC0415 - as above
    except (ImportError, OSError):
        return None
    return match_batch


def _go_on() -> None:
    """The checkpoint of a caller that never stops."""
