"""The search index in memory: the contents that a detection has matched, for finding candidate pairs with new ones.

It searches by hash and by crop hashes, in a thorough detection also by local features, and by the vectors of a model if
the method uses one. Used in the runner's thread.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from peewee import SqliteDatabase

from daemon.jobs.feature_candidates import FeatureCandidates
from daemon.jobs.flat_pictures import Digests, FlatPictures, equal_pairs
from daemon.jobs.progress import Progress
from daemon.jobs.vector_candidates import VectorCandidates
from index.database.records import images, missing_contents
from index.database.records.deferred_pairs import CandidatePair
from index.database.store import Store
from index.imaging.candidates.crop_hashes import crop_tolerance
from index.imaging.candidates.features.descriptors import SCHEME as FEATURE_SCHEME
from index.imaging.candidates.perceptual_hash import LEAST_DETAIL, SCHEME
from index.imaging.candidates.search.crop_index import CropIndex
from index.imaging.candidates.search.hash_index import HashIndex
from index.model import TURNS, DetectParameters, Method, Turn

# New contents matched in one step, a few seconds of work: what a crash can lose.
BLOCK: Final = 300
# The same with local features: one search serves a whole block, so larger blocks cost less for each content.
THOROUGH_BLOCK: Final = 1000
# Contents loaded at a time, of those matched before.
LOADED_AT_ONCE: Final = 20_000
# Removed rows keep their memory: above this share of all rows, and this number, the index is loaded again.
REMOVED_SHARE: Final = 0.1
REMOVED_AT_LEAST: Final = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """Some contents by ascending id, as (id, detail, the 4 rows of bits), and the crop hashes of each."""

    contents: Sequence[tuple[int, int, bytes]]
    parts: dict[int, list[bytes]]

    def __len__(self) -> int:
        return len(self.contents)

    @property
    def last_id(self) -> int:
        return self.contents[-1][0]


class CandidateIndex:
    """The contents of one detection, in the order in which they were added."""

    def __init__(
        self,
        store: Store,
        detection_id: int,
        parameters: DetectParameters,
        features: FeatureCandidates | None,
        vectors: VectorCandidates | None = None,
    ) -> None:
        self.detection_id = detection_id
        self.block = BLOCK if features is None else THOROUGH_BLOCK
        # The highest id of those that were added in order.
        self.last_id = 0
        self._store = store
        self._tolerance = parameters.tolerance
        self._features = features
        self._vectors = vectors
        self._parameters = parameters
        self._content_ids = array("q")
        self._hashes = HashIndex(parameters.hsize, parameters.turns)
        self._flat = FlatPictures(store)
        # Without the verifier, a crop that looks like a whole picture would be a match without a check.
        self._parts = CropIndex(parameters.hsize) if parameters.verify else None
        # The latest missing content that was removed, and how many were; of these, those with a hash.
        self._missing_mark = 0
        self._removed_count = 0
        self._removed_rows = 0

    @property
    def pictures(self) -> int:
        """The number of contents with a hash that have a file."""
        return len(self._content_ids) - self._removed_rows

    # Contents matched before

    def load(self, progress: Progress, up_to_id: int) -> None:
        """Add the contents up to an id, whose pairs are known."""
        with self._store.read() as database:
            self._missing_mark = missing_contents.latest_missing(database)
        while (block := self._read(LOADED_AT_ONCE, up_to_id)) is not None:
            content_ids = self._add(block)
            self._flat.add(_flat(block))
            if self._features is not None:
                self._features.load(progress, content_ids)
            if self._vectors is not None:
                self._vectors.load(content_ids)
        self.last_id = up_to_id

    def remove_missing(self) -> bool:
        """Remove the contents that lost their last file since the last call. False if there were so many that the index
        should be loaded again."""
        with self._store.read() as database:
            lost, self._missing_mark = missing_contents.missing_since(database, self.detection_id, self._missing_mark)
        if lost:
            content_ids = np.frombuffer(self._content_ids, np.int64)
            rows = np.flatnonzero(np.isin(content_ids, lost))
            self._hashes.remove(rows)
            self._flat.remove(lost)
            if self._parts is not None:
                self._parts.remove(rows)
            if self._features is not None:
                self._features.remove(lost)
            if self._vectors is not None:
                self._vectors.remove(lost)
            self._removed_count += len(lost)
            self._removed_rows += len(rows)
        return self._removed_count <= max(REMOVED_AT_LEAST, int(REMOVED_SHARE * len(self._content_ids)))

    # Contents to be matched

    def describe(self, progress: Progress) -> None:
        """Compute the missing features and vectors of the contents to be matched. Raises ModelFailed."""
        if self._vectors is not None:
            self._vectors.describe(progress, self.detection_id, LEAST_DETAIL)
        if self._features is None:
            return
        with self._store.read() as database:
            undescribed = images.without_features(
                database, self.detection_id, self.last_id, SCHEME, LEAST_DETAIL, FEATURE_SCHEME
            )
        if undescribed:
            progress.begin("describing", len(undescribed))
            self._features.describe(progress, undescribed)

    def next_block(self) -> Block | None:
        """The next new contents, None if there are no more."""
        return self._read(self.block, None)

    def block_of(self, content_ids: Sequence[int]) -> Block:
        """A block of these contents, which need not be new."""
        with self._store.read() as database:
            contents = images.hashes_of(database, content_ids, self._hashes.hsize, SCHEME)
            return self._with_parts(database, contents)

    def add_block(self, progress: Progress, block: Block, digests: Digests) -> list[CandidatePair]:
        """Add contents. Returns the candidate pairs that they form with one another and with those added before.
        `digests` returns the pixel digests of contents."""
        start = len(self._content_ids)
        flat = _flat(block)
        equal = equal_pairs(flat, self._flat.add(flat), digests)
        content_ids = self._add(block)
        candidates: list[CandidatePair] = []
        if self._parameters.by_hash:
            candidates += self._by_hash(progress, start)
            candidates += self._by_parts(progress, start, {candidate.pair for candidate in candidates})
        candidates = self._with_vectors(progress, content_ids, candidates)
        candidates += self._by_features(progress, content_ids, {candidate.pair for candidate in candidates})
        return candidates + equal

    def _read(self, count: int, up_to_id: int | None) -> Block | None:
        with self._store.read() as database:
            contents = images.hashed_contents(
                database, self.detection_id, self.last_id, up_to_id, self._hashes.hsize, SCHEME, count
            )
            block = self._with_parts(database, contents)
        if not contents:
            return None
        self.last_id = block.last_id
        return block

    def _with_parts(self, database: SqliteDatabase, contents: Sequence[tuple[int, int, bytes]]) -> Block:
        wanted = [content_id for content_id, _, _ in contents] if self._parts is not None else []
        return Block(contents, images.region_hashes(database, wanted, self._hashes.hsize))

    def _add(self, block: Block) -> list[int]:
        """Add the contents with enough detail. Returns their ids, ascending."""
        useful = [(content_id, bits) for content_id, detail, bits in block.contents if detail >= LEAST_DETAIL]
        content_ids = [content_id for content_id, _ in useful]
        if useful:
            packed = np.frombuffer(b"".join(bits for _, bits in useful), np.uint8)
            rows = packed.reshape(len(useful), 4, -1)
            self._hashes.extend(rows)
            if self._parts is not None:
                self._parts.extend(rows[:, 0], [block.parts.get(content_id, ()) for content_id in content_ids])
            self._content_ids.extend(content_ids)
        return content_ids

    def _by_hash(self, progress: Progress, start: int) -> list[CandidatePair]:
        candidates: list[CandidatePair] = []
        for pairs in self._hashes.pairs(start, self._tolerance, lambda _: progress.checkpoint()):
            columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), pairs.turn.tolist())
            for first, second, distance, turn in zip(*columns, strict=True):
                a_id, b_id, pair_turn = self._content_ids[first], self._content_ids[second], TURNS[turn]
                # A content that returned may have a lower id than some that were matched before it.
                pair = (a_id, b_id, distance, pair_turn) if a_id < b_id else (b_id, a_id, distance, pair_turn.inverse)
                candidates.append(CandidatePair(*pair))
        return candidates

    def _by_parts(self, progress: Progress, start: int, known: set[tuple[int, int]]) -> list[CandidatePair]:
        """Pairs in which one picture is similar to a part of the other, such as small crops and framed copies. Their
        distance is that between the whole pictures."""
        if self._parts is None:
            return []
        rows = self._parts.pairs(start, crop_tolerance(self._tolerance), progress.checkpoint)
        pairs = [(self._pair(a, b), self._hashes.distance(a, b)) for a, b in rows]
        return [
            CandidatePair(*pair, distance, Turn.NONE, by_part=True) for pair, distance in pairs if pair not in known
        ]

    def _by_features(
        self, progress: Progress, content_ids: Sequence[int], known: set[tuple[int, int]]
    ) -> list[CandidatePair]:
        """Pairs with common local features that no hash proposed. Their distance is stored for information only."""
        if self._features is None:
            return []
        pairs = [pair for pair in self._features.propose(progress, content_ids) if pair not in known]
        rows = {content_id: row for row, content_id in enumerate(self._content_ids)} if pairs else {}
        return [CandidatePair(a, b, self._hashes.distance(rows[a], rows[b]), None) for a, b in pairs]

    def _with_vectors(
        self, progress: Progress, content_ids: Sequence[int], candidates: list[CandidatePair]
    ) -> list[CandidatePair]:
        """The candidates with their cosines, by which the verifier ranks them. Depending on the method, pairs of the
        model are added, or pairs that it rejects are removed. A vector describes a picture in one orientation, so
        rotated pairs are not judged by it."""
        if self._vectors is None:
            return candidates
        proposed = self._vectors.propose(progress, content_ids)
        known = [
            replace(one, cosine=self._vectors.cosine(*one.pair)) if one.turn is Turn.NONE else one for one in candidates
        ]
        if self._parameters.used is Method.HASH_THEN_MODEL:
            return [one for one in known if self._vectors.lets_through(one.cosine)]
        found = {one.pair for one in known}
        fresh = [one for one in proposed if one.pair not in found]
        rows = {content_id: row for row, content_id in enumerate(self._content_ids)} if fresh else {}
        return known + [
            CandidatePair(*one.pair, self._hashes.distance(rows[one.a_id], rows[one.b_id]), None, cosine=one.cosine)
            for one in fresh
        ]

    def _pair(self, first: int, second: int) -> tuple[int, int]:
        a_id, b_id = self._content_ids[first], self._content_ids[second]
        return min(a_id, b_id), max(a_id, b_id)


def _flat(block: Block) -> list[int]:
    """The contents with too little detail for a hash."""
    return [content_id for content_id, detail, _ in block.contents if detail < LEAST_DETAIL]
