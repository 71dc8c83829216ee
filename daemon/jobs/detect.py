"""Detection: contents are matched as they come, against all before them; a full detection is the same from zero.

Runs in the runner's thread only. Owns the search index of the current detection, in memory, loaded when first needed.
What was matched is committed block by block with its watermark, and what was judged as it comes, so that a stop or a
crash repeats the search of one block at most, and the judging of a few pairs.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from daemon.jobs.progress import Progress
from daemon.jobs.proposing import Proposer
from daemon.jobs.verifying import Judged, Verifier
from daemon.jobs.views import Views
from daemon.processes.workers import WorkerPool
from index.candidates.features import SCHEME as FEATURE_SCHEME
from index.candidates.fingerprint import SCHEME
from index.candidates.part_index import PartIndex
from index.candidates.parts import part_tolerance
from index.candidates.search import HashIndex, Pairs
from index.model import TURNS, Depth, DetectParameters, Kind, Turn, default_tolerance
from index.records import catalogue, findings, orphans, samples, unjudged
from index.records.jobs import DetectJobParameters
from index.records.unjudged import Candidate
from index.store import Store

log = logging.getLogger(__name__)

# New contents matched in one step, some seconds of work: what a crash can lose.
BLOCK: Final = 300
# The same by local features: searched for together, and the dearer the fewer they are.
THOROUGH_BLOCK: Final = 1000
# Contents loaded at a time of those matched before.
LOADED_AT_ONCE: Final = 20_000
# Unrelated pairs of which the verifier is asked after a detection: half a minute of work, once.
JUDGED_AT_RANDOM: Final = 100
# Below this quality (PDQ's, 0 to 100) a hash says nothing; PDQ itself discards up to 49.
LEAST_DETAIL: Final = 5


class Detector:
    """Matches contents and keeps the groups up to date."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        views: Views,
        settings: Callable[[], DetectParameters],
    ) -> None:
        self._store = store
        self._pool = pool
        self._views = views
        self._verifier = Verifier(store, pool, views)
        self._settings = settings
        self._index: _Loaded | None = None

    def recover(self) -> None:
        """At a start: see Verifier."""
        self._verifier.recover()

    def run(self, progress: Progress, wanted: DetectJobParameters) -> Mapping[str, Any]:
        """A full detection under the settings and what the job changes of them."""
        parameters = resolve(self._settings(), wanted)
        groups = self._detect(progress, parameters)
        self._forget_orphans(progress)
        self._calibrate(progress, parameters)
        return {"groups": groups}

    def _forget_orphans(self, progress: Progress) -> None:
        """Let go of what is known of bytes that no file has had for long."""
        now_ns = time.time_ns()
        self._store.write(lambda db: orphans.note(db, now_ns))
        while digests := self._store.write(lambda db: orphans.forget(db, now_ns - orphans.KEPT_NS)):
            progress.checkpoint()
            self._views.forget(digests)
            # It may hold some of them.
            self._index = None

    def _calibrate(self, progress: Progress, parameters: DetectParameters) -> None:
        """Measure on pairs drawn at random what a tolerance would propose wrongly, and what the verifier lets through.

        The verifier is asked of the nearest that the tolerance does not propose: nothing was chosen among them.
        """
        progress.begin("calibrating", None)
        with self._store.read() as database:
            detection = findings.current_detection(database)
            drawn = samples.draw(database, SCHEME, LEAST_DETAIL)
            assert detection is not None
            unrelated = ~samples.matched(database, detection.id, drawn.pairs)
        distances = drawn.distances[parameters.hsize, parameters.turns]
        beyond = np.flatnonzero(unrelated & (distances > parameters.tolerance))
        nearest = beyond[np.argsort(distances[beyond], kind="stable")[:JUDGED_AT_RANDOM]]
        turns = drawn.turns[parameters.hsize, parameters.turns]
        candidates = [
            Candidate(a_id, b_id, int(distances[pair]), TURNS[turns[pair]])
            for pair, (a_id, b_id) in zip(nearest.tolist(), drawn.pairs[nearest].tolist(), strict=True)
        ]
        found = self._verifier.judge(progress, candidates, verify=True).found if parameters.verify else []
        accepted = sum(match.kind is not Kind.POSSIBLE for match in found)
        judged = len(candidates) if parameters.verify else 0
        told = samples.measured(drawn, unrelated, judged, accepted, time.time_ns())
        if parameters.verify:
            with self._store.read() as database:
                wrong = samples.wrongly_proposed(database, detection.id, parameters.tolerance)
            told = samples.with_wrong(told, parameters.hsize, parameters.turns, parameters.tolerance, wrong)
        self._store.write(lambda db: samples.keep(db, detection.id, told))

    def _detect(self, progress: Progress, parameters: DetectParameters) -> int:
        """Match everything under these parameters and show the groups; how many there are."""
        now_ns = time.time_ns()
        detection_id = self._store.write(lambda db: findings.begin_detection(db, parameters, now_ns))
        self._match(progress, detection_id, parameters)

        def show(database: Any) -> int:
            changed = findings.regroup_all(database, detection_id, time.time_ns())
            findings.forget_concerned(database)
            findings.make_current(database, detection_id, time.time_ns())
            return changed

        progress.begin("grouping", None)
        return self._store.write(show)

    def update(self, progress: Progress, touched: Collection[int] = ()) -> int:
        """Match what is new under the current detection and make anew the groups that changes concern: those noted in
        the index (see findings.concern), and these."""
        with self._store.read() as database:
            detection = findings.current_detection(database)
        if detection is None:
            return self._detect(progress, resolve(self._settings(), DetectJobParameters()))
        parameters = findings.load_parameters(detection.parameters)
        if findings.is_outdated(detection):
            return self._detect(progress, parameters)
        self._match(progress, detection.id, parameters)

        def regroup(database: Any) -> int:
            contents = findings.concerned(database).union(touched)
            findings.forget_concerned(database)
            return findings.regroup(database, detection.id, contents, time.time_ns())

        return self._store.write(regroup)

    def bring_up_to_date(self, progress: Progress, wanted: DetectJobParameters) -> None:
        """Under the parameters of the detection that is there already, match what is new; else detect from zero."""
        parameters = resolve(self._settings(), wanted)
        with self._store.read() as database:
            detection = findings.current_detection(database)
        if detection is not None and detection.parameters == findings.dump_parameters(parameters):
            self.update(progress)
            self._store.write(lambda db: findings.regroup_all(db, detection.id, time.time_ns()))
        else:
            self._detect(progress, parameters)

    # Matching

    def _match(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> None:
        """Match every content beyond the watermark, and note those that new matches concern."""
        self._catch_up(progress, detection_id, parameters)
        index = self._loaded(progress, detection_id, parameters)
        total = self._count_new(detection_id)
        if index.proposer is not None:
            with self._store.read() as database:
                undescribed = catalogue.undescribed(database, index.last_id, SCHEME, LEAST_DETAIL, FEATURE_SCHEME)
            if undescribed:
                progress.begin("describing", len(undescribed))
                index.proposer.describe(progress, undescribed)
        progress.begin("matching", total)
        while True:
            before = len(index.content_ids)
            last = index.load_more(self._store, BLOCK if index.proposer is None else THOROUGH_BLOCK)
            if last is None:
                return
            candidates = self._candidates(progress, index, before, parameters)
            candidates += self._candidates_by_parts(progress, index, before, parameters, candidates)
            candidates += self._candidates_by_features(progress, index, before, candidates)
            judged = self._verifier.judge(progress, candidates, parameters.verify)

            def keep(database: Any, judged: Judged = judged, last: int = last) -> None:
                findings.concern(database, findings.record_matches(database, detection_id, judged.found))
                findings.add_tallies(database, detection_id, judged.tallies)
                unjudged.leave(database, detection_id, judged.later)
                findings.set_watermark(database, detection_id, last)

            self._store.write(keep)
            progress.advance(len(index.content_ids) - before)

    def _catch_up(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> None:
        """Look at the pairs that were proposed before and could not be looked at then."""
        with self._store.read() as database:
            waiting = unjudged.within_reach(database, detection_id)
        if not waiting:
            return
        progress.begin("matching", len(waiting))
        judged = self._verifier.judge(progress, waiting, parameters.verify)

        def keep(database: Any) -> None:
            findings.concern(database, findings.record_matches(database, detection_id, judged.found))
            findings.add_tallies(database, detection_id, judged.tallies, proposed_before=True)
            unjudged.take_back(database, detection_id, waiting)
            unjudged.leave(database, detection_id, judged.later)

        self._store.write(keep)

    def _loaded(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> "_Loaded":
        with self._store.read() as database:
            watermark = findings.watermark_of(database, detection_id)
        if (
            self._index is None
            or self._index.detection_id != detection_id
            or self._index.last_id > watermark
        ):
            wants_features = parameters.verify and parameters.depth is Depth.THOROUGH
            proposer = Proposer(self._store, self._pool, self._views) if wants_features else None
            self._index = _Loaded(detection_id, parameters, proposer)
        while self._index.last_id < watermark:
            before = len(self._index.content_ids)
            if self._index.load_more(self._store, LOADED_AT_ONCE, watermark) is None:
                break
            if self._index.proposer is not None:
                self._index.proposer.load(progress, self._index.content_ids[before:])
        return self._index

    def _count_new(self, detection_id: int) -> int:
        with self._store.read() as database:
            watermark = findings.watermark_of(database, detection_id)
            return catalogue.count_hashed(database, watermark, SCHEME)

    def _candidates(
        self, progress: Progress, index: "_Loaded", start: int, parameters: DetectParameters
    ) -> list[Candidate]:
        found: list[Candidate] = []
        for pairs in index.hashes.pairs(start, parameters.tolerance, lambda _: progress.checkpoint()):
            found += _by_content(pairs, index.content_ids)
        return found

    def _candidates_by_parts(
        self,
        progress: Progress,
        index: "_Loaded",
        start: int,
        parameters: DetectParameters,
        known: Sequence[Candidate],
    ) -> list[Candidate]:
        """Pairs of which one looks like a part of the other, as small crops and framed copies do. The distance told is
        that of the wholes."""
        if index.parts is None:
            return []
        by_hash = {(candidate.a_id, candidate.b_id) for candidate in known}
        pairs = index.parts.pairs(start, part_tolerance(parameters.tolerance), progress.checkpoint)
        found = [(a, b, (index.content_ids[a], index.content_ids[b])) for a, b in pairs]
        return [
            Candidate(*contents, index.hashes.distance(a, b), Turn.NONE, by_part=True)
            for a, b, contents in found
            if contents not in by_hash
        ]

    def _candidates_by_features(
        self, progress: Progress, index: "_Loaded", start: int, known: Sequence[Candidate]
    ) -> list[Candidate]:
        """Pairs with local features in common that no hash proposed. Their distance is told for what it is."""
        if index.proposer is None:
            return []
        by_hash = {(candidate.a_id, candidate.b_id) for candidate in known}
        pairs = [pair for pair in index.proposer.propose(progress, index.content_ids[start:]) if pair not in by_hash]
        rows = {content_id: row for row, content_id in enumerate(index.content_ids)}
        return [Candidate(a, b, index.hashes.distance(rows[a], rows[b]), None) for a, b in pairs]


class _Loaded:
    """The hashes of the contents matched so far, in the order of their ids."""

    def __init__(self, detection_id: int, parameters: DetectParameters, proposer: Proposer | None) -> None:
        self.detection_id = detection_id
        self.proposer = proposer
        self.last_id = 0
        self.content_ids: list[int] = []
        self.hashes = HashIndex(parameters.hsize, parameters.turns)
        # Without the verifier a part that looks like a whole would be a match by itself.
        self.parts = PartIndex(parameters.hsize) if parameters.verify else None

    def load_more(self, store: Store, count: int, limit: int | None = None) -> int | None:
        """Take in the next contents, up to the id `limit`; the last id looked at, None when there are no more."""
        with store.read() as database:
            contents = catalogue.hashed_contents(database, self.last_id, limit, self.hashes.hsize, SCHEME, count)
            wanted = (content_id for content_id, _, _ in contents) if self.parts is not None else ()
            parts = catalogue.region_hashes(database, wanted, self.hashes.hsize)
        if not contents:
            return None
        self.last_id = contents[-1][0]
        useful = [(content_id, bits) for content_id, detail, bits in contents if detail >= LEAST_DETAIL]
        if useful:
            packed = np.frombuffer(b"".join(bits for _, bits in useful), np.uint8)
            rows = packed.reshape(len(useful), 4, -1)
            self.hashes.extend(rows)
            if self.parts is not None:
                self.parts.extend(rows[:, 0], [parts.get(content_id, ()) for content_id, _ in useful])
            self.content_ids += [content_id for content_id, _ in useful]
        return self.last_id


def resolve(settings: DetectParameters, wanted: DetectJobParameters) -> DetectParameters:
    """The settings with what a job asks for instead; a tolerance is given in bits of the hsize it is for."""
    changes: dict[str, Any] = {
        name: value
        for name in ("hsize", "tolerance", "turns", "verify", "depth")
        if (value := getattr(wanted, name)) is not None
    }
    if "hsize" in changes and "tolerance" not in changes and changes["hsize"] != settings.hsize:
        changes["tolerance"] = default_tolerance(changes["hsize"])
    return replace(settings, folders=tuple(sorted(wanted.folders)), **changes)


def _by_content(pairs: Pairs, content_ids: Sequence[int]) -> list[Candidate]:
    """The pairs of rows as pairs of contents; ids ascend with rows."""
    columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), pairs.turn.tolist())
    return [
        Candidate(content_ids[first], content_ids[second], distance, TURNS[turn])
        for first, second, distance, turn in zip(*columns, strict=True)
    ]
