"""Features of many pictures -> candidate pairs: pictures that share enough features in a common geometry.

Locality-sensitive hashing for Hamming distance (Indyk and Motwani, Approximate Nearest Neighbors, STOC 1998): in each
of some tables, descriptors meet where a fixed choice of their bits is equal, or equal but for one (Lv et al.,
Multi-Probe LSH, VLDB 2007). Those that meet are compared in full. Two pictures with enough near descriptors are
proposed if enough of these agree on one similarity, and enough of all their mutually nearest corners as well, of which
those of captions and interfaces count less; the verifier then decides.

Each picture is compared with those before it, whatever the batches they arrive in. The features that two pictures share
do not depend on which came first, nor on a third. Only the limits that bound the work depend on the order: a bucket
with more than CROWD features is a pattern of many pictures and is ignored, a corner that many before it have counts
less, and each picture is proposed with at most PROPOSED_AT_MOST of those before it, those it shares most with.
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
    """When local features propose a pair."""

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

# Of the pictures before it, each is proposed with those it shares most corners with.
PROPOSED_AT_MOST: Final = 20
# So many pictures are searched as a batch. Rebuilding the tables costs as much as some 45 single searches among 10,000
# pictures and 80 among 100,000, calculated from the table of docs/measurements/search.md.
MANY: Final = 80

Join = Callable[[LshTables, NDArray[np.int64], int, Callable[[], None], int], Iterator[Hits]]


class FeatureIndex:
    """Pictures by number, 0 upwards in the order they are added; about 70 bytes a feature, 14 KB a picture.

    Not for several threads at once; it has some of its own while it searches many.
    """

    def __init__(self, threads: int | None = None) -> None:
        """`threads` is how many may search at once; as many as there are processors where it is left out."""
        self._threads = threads or os.cpu_count() or 1
        self._chains = LshTables()
        self._count = 0
        self._removed: set[int] = set()

    def __len__(self) -> int:
        return self._count

    def remove(self, pictures: Iterable[int]) -> None:
        """Stop proposing these. They keep their memory and count in their buckets until the index is rebuilt."""
        self._removed.update(pictures)

    def load(self, pictures: Sequence[FeatureSet]) -> None:
        """Add pictures whose pairs with one another are known."""
        for picture in pictures:
            self._append(picture, keys_of(picture.descriptors))

    def add(
        self, pictures: Sequence[FeatureSet], checkpoint: Callable[[], None] | None = None
    ) -> list[tuple[int, int]]:
        """Add pictures; the pairs (earlier, later) that they make with those before them and with one another.

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
        """The same pairs, with the tables rebuilt once for all pictures."""
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
        """The earlier pictures that share enough corners with this one, if too many the best of them. `crowded` (n,):
        in how many tables the bucket of each corner is."""
        query, met = hits
        owners = self._chains.owners[met]
        weights = _weights(query, owners, crowded)
        enough = np.bincount(owners, minlength=self._count + 1) >= PROPOSAL.min_agreeing
        enough[list(self._removed)] = False
        chosen = enough[owners]
        # Features that meet in several tables are listed several times. Features ascend with their owners.
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
        """Whether enough of the mutually nearest corners of two pictures agree: a millisecond, where the verifier takes
        7 to 20 for a pair that met by accident."""
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
    """What each corner of a picture counts for, (corners,): less where many earlier pictures have one that is near, of
    which a crowded bucket shows none."""
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
