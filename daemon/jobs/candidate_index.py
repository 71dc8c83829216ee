"""The contents that a detection has matched and that have a file, in memory: new ones are proposed with these.

By hash, by hashes of parts and, where the depth asks for it, by local features. Used in the runner's thread.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from peewee import SqliteDatabase

from daemon.jobs.progress import Progress
from daemon.jobs.proposing import Proposer
from index.candidates.features import SCHEME as FEATURE_SCHEME
from index.candidates.fingerprint import SCHEME
from index.candidates.part_index import PartIndex
from index.candidates.parts import part_tolerance
from index.candidates.search import HashIndex
from index.model import TURNS, DetectParameters, Turn
from index.records import absent, catalogue
from index.records.unjudged import Candidate
from index.store import Store

# New contents matched in one step, some seconds of work: what a crash can lose.
BLOCK: Final = 300
# The same by local features: searched for together, and the dearer the fewer they are.
THOROUGH_BLOCK: Final = 1000
# Contents loaded at a time of those matched before.
LOADED_AT_ONCE: Final = 20_000
# Below this quality (PDQ's, 0 to 100) a hash says nothing; PDQ itself discards up to 49.
LEAST_DETAIL: Final = 5
# Rows let go of keep their memory. So many of all, and at the least so many, and the rest is loaded anew.
LEFT_SHARE: Final = 0.1
LEFT_AT_LEAST: Final = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """Some contents: (id, detail, the 4 rows of bits), and the hashes of the parts of each; ids ascend."""

    contents: Sequence[tuple[int, int, bytes]]
    parts: dict[int, list[bytes]]

    def __len__(self) -> int:
        return len(self.contents)

    @property
    def last_id(self) -> int:
        return self.contents[-1][0]


class CandidateIndex:
    """The contents of one detection, in the order they were taken in."""

    def __init__(
        self, store: Store, detection_id: int, parameters: DetectParameters, proposer: Proposer | None
    ) -> None:
        self.detection_id = detection_id
        self.block = BLOCK if proposer is None else THOROUGH_BLOCK
        # The highest of all that were taken in as they came.
        self.last_id = 0
        self._store = store
        self._tolerance = parameters.tolerance
        self._proposer = proposer
        self._content_ids = array("q")
        self._hashes = HashIndex(parameters.hsize, parameters.turns)
        # Without the verifier a part that looks like a whole would be a match by itself.
        self._parts = PartIndex(parameters.hsize) if parameters.verify else None
        # Up to where it is known which contents lost their files, and how many did.
        self._noted = 0
        self._left = 0

    # What is matched already

    def load(self, progress: Progress, up_to_id: int) -> None:
        """Take in the contents up to an id, whose pairs are known."""
        with self._store.read() as database:
            self._noted = absent.latest(database)
        while (block := self._read(LOADED_AT_ONCE, up_to_id)) is not None:
            content_ids = self._add(block)
            if self._proposer is not None:
                self._proposer.load(progress, content_ids)
        self.last_id = up_to_id

    def let_go(self) -> bool:
        """Propose no more what lost its last file since this was done; False where that was so much that the index is
        better loaded anew."""
        with self._store.read() as database:
            lost, self._noted = absent.since(database, self.detection_id, self._noted)
        if lost:
            content_ids = np.frombuffer(self._content_ids, np.int64)
            rows = np.flatnonzero(np.isin(content_ids, lost))
            self._hashes.remove(rows)
            if self._parts is not None:
                self._parts.remove(rows)
            if self._proposer is not None:
                self._proposer.let_go(lost)
            self._left += len(lost)
        return self._left <= max(LEFT_AT_LEAST, int(LEFT_SHARE * len(self._content_ids)))

    # What is to be matched

    def describe(self, progress: Progress) -> None:
        """Make the features of all that is to come and has none."""
        if self._proposer is None:
            return
        with self._store.read() as database:
            undescribed = catalogue.undescribed(
                database, self.detection_id, self.last_id, SCHEME, LEAST_DETAIL, FEATURE_SCHEME
            )
        if undescribed:
            progress.begin("describing", len(undescribed))
            self._proposer.describe(progress, undescribed)

    def next_block(self) -> Block | None:
        """The next contents that came, or None when there are no more."""
        return self._read(self.block, None)

    def block_of(self, content_ids: Sequence[int]) -> Block:
        """These contents, whichever they are."""
        with self._store.read() as database:
            contents = catalogue.hashes_of(database, content_ids, self._hashes.hsize, SCHEME)
            return self._with_parts(database, contents)

    def take_in(self, progress: Progress, block: Block) -> list[Candidate]:
        """Take contents in and give the pairs they may make with those before them and one another."""
        start = len(self._content_ids)
        content_ids = self._add(block)
        found = self._by_hash(progress, start)
        known = {candidate.pair for candidate in found}
        found += self._by_parts(progress, start, known)
        found += self._by_features(progress, content_ids, {candidate.pair for candidate in found})
        return found

    def _read(self, count: int, up_to_id: int | None) -> Block | None:
        with self._store.read() as database:
            contents = catalogue.hashed_contents(
                database, self.detection_id, self.last_id, up_to_id, self._hashes.hsize, SCHEME, count
            )
            block = self._with_parts(database, contents)
        if not contents:
            return None
        self.last_id = block.last_id
        return block

    def _with_parts(self, database: SqliteDatabase, contents: Sequence[tuple[int, int, bytes]]) -> Block:
        wanted = [content_id for content_id, _, _ in contents] if self._parts is not None else []
        return Block(contents, catalogue.region_hashes(database, wanted, self._hashes.hsize))

    def _add(self, block: Block) -> list[int]:
        """The contents that have enough in them to take part, by ascending id."""
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

    def _by_hash(self, progress: Progress, start: int) -> list[Candidate]:
        found: list[Candidate] = []
        for pairs in self._hashes.pairs(start, self._tolerance, lambda _: progress.checkpoint()):
            columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), pairs.turn.tolist())
            for first, second, distance, turn in zip(*columns, strict=True):
                a_id, b_id, way = self._content_ids[first], self._content_ids[second], TURNS[turn]
                # What came back has a lower id than much of what was matched before it.
                one = (a_id, b_id, distance, way) if a_id < b_id else (b_id, a_id, distance, way.inverse)
                found.append(Candidate(*one))
        return found

    def _by_parts(self, progress: Progress, start: int, known: set[tuple[int, int]]) -> list[Candidate]:
        """Pairs of which one looks like a part of the other, as small crops and framed copies do. The distance told is
        that of the wholes."""
        if self._parts is None:
            return []
        rows = self._parts.pairs(start, part_tolerance(self._tolerance), progress.checkpoint)
        pairs = [(self._pair(a, b), self._hashes.distance(a, b)) for a, b in rows]
        return [Candidate(*pair, distance, Turn.NONE, by_part=True) for pair, distance in pairs if pair not in known]

    def _by_features(
        self, progress: Progress, content_ids: Sequence[int], known: set[tuple[int, int]]
    ) -> list[Candidate]:
        """Pairs with local features in common that no hash proposed. Their distance is told for what it is."""
        if self._proposer is None:
            return []
        pairs = [pair for pair in self._proposer.propose(progress, content_ids) if pair not in known]
        rows = {content_id: row for row, content_id in enumerate(self._content_ids)} if pairs else {}
        return [Candidate(a, b, self._hashes.distance(rows[a], rows[b]), None) for a, b in pairs]

    def _pair(self, first: int, second: int) -> tuple[int, int]:
        a_id, b_id = self._content_ids[first], self._content_ids[second]
        return min(a_id, b_id), max(a_id, b_id)
