"""Detection: contents are matched as they come, against all before them; a full detection is the same from zero.

Runs in the runner's thread only. Owns the search index of the current detection, in memory, loaded when first needed.
What was matched is committed block by block with its watermark, and what was judged as it comes, so that a stop or a
crash repeats the search of one block at most, and the judging of a few pairs.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from daemon.jobs.progress import Progress
from daemon.jobs.proposing import Proposer
from daemon.jobs.views import Views
from daemon.processes.decoding import pixel_digest
from daemon.processes.judging import PairTask, judge_pair
from daemon.processes.workers import WorkerPool
from index.candidates.features import SCHEME as FEATURE_SCHEME
from index.candidates.fingerprint import SCHEME
from index.candidates.part_index import PartIndex
from index.candidates.parts import part_tolerance
from index.candidates.search import HashIndex, Pairs
from index.model import TURNS, Depth, DetectParameters, Facts, Kind, Turn, default_tolerance
from index.records import catalogue, findings, orphans, samples
from index.records.findings import Found
from index.records.jobs import DetectJobParameters
from index.store import Store
from index.verification.evidence import VERIFIER, mirrored, of_same_pixels
from index.verification.verify import Judgement

log = logging.getLogger(__name__)

# New contents matched in one step, some seconds of work: what a crash can lose.
BLOCK: Final = 300
# The same by local features: searched for together, and the dearer the fewer they are.
THOROUGH_BLOCK: Final = 1000
# Judgements kept in one step: half a second of work and more.
JUDGED_AT_ONCE: Final = 50
# Contents loaded at a time of those matched before.
LOADED_AT_ONCE: Final = 20_000
# Unrelated pairs of which the verifier is asked after a detection: half a minute of work, once.
JUDGED_AT_RANDOM: Final = 100
# Below this quality (PDQ's, 0 to 100) a hash says nothing; PDQ itself discards up to 49.
LEAST_DETAIL: Final = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair of contents that is proposed, a < b; the turn, applied to a, gives b, and is None where features alone
    proposed the pair. `by_part`: one is like a part of the other."""

    a_id: int
    b_id: int
    distance: int
    turn: Turn | None
    by_part: bool = False


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
        self._settings = settings
        self._index: _Loaded | None = None

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
        found, _ = self._judge(progress, candidates, parameters) if parameters.verify else ([], None)
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
            found, tallies = self._judge(progress, candidates, parameters)

            def keep(
                database: Any,
                found: Sequence[Found] = found,
                tallies: Counter[tuple[int, str]] = tallies,
                last: int = last,
            ) -> None:
                findings.concern(database, findings.record_matches(database, detection_id, found))
                findings.add_tallies(database, detection_id, tallies)
                findings.set_watermark(database, detection_id, last)

            self._store.write(keep)
            progress.advance(len(index.content_ids) - before)

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

    # Judging

    def _judge(
        self, progress: Progress, candidates: Sequence[Candidate], parameters: DetectParameters
    ) -> tuple[list[Found], Counter[tuple[int, str]]]:
        """Matches among the candidates, and how many pairs of each distance came to which kind ("" for none)."""
        with self._store.read() as database:
            involved = {content_id for c in candidates for content_id in (c.a_id, c.b_id)}
            rows = catalogue.contents(database, involved)
        facts = {content_id: catalogue.facts_of(row) for content_id, row in rows.items()}
        found = self._same_pixels(progress, candidates, rows, facts)
        same = {(match.a_id, match.b_id) for match in found}
        others = [c for c in candidates if (c.a_id, c.b_id) not in same]
        if parameters.verify:
            digests = {content_id: bytes(row.digest) for content_id, row in rows.items()}
            found += self._verified(progress, others, facts, digests)
        else:
            found += [_by_hash_alone(c) for c in others]
        kinds = {(match.a_id, match.b_id): str(match.kind) for match in found}
        return found, Counter((c.distance, kinds.get((c.a_id, c.b_id), "")) for c in candidates)

    def _same_pixels(
        self,
        progress: Progress,
        candidates: Sequence[Candidate],
        rows: Mapping[int, Any],
        facts: Mapping[int, Facts],
    ) -> list[Found]:
        """Pairs of one size and (nearly) one hash whose pixels are equal, each picture decoded once for all time."""
        alike = [
            c
            for c in candidates
            if c.turn is Turn.NONE and c.distance <= 2 and _size(facts[c.a_id]) == _size(facts[c.b_id])
        ]
        concerned = {content_id for c in alike for content_id in (c.a_id, c.b_id)}
        kept = {content_id: rows[content_id].pixel_digest for content_id in concerned}
        known = {content_id: bytes(digest) for content_id, digest in kept.items() if digest is not None}
        tasks = self._views.pixel_tasks(concerned - set(known))
        outcomes = self._pool.run(_digest_named, list(tasks.items()))
        try:
            for outcome in outcomes:
                progress.checkpoint()
                content_id = outcome.item[0]
                known[content_id] = digest = outcome.value or b""
                self._store.submit(partial(catalogue.set_pixel_digest, content_id=content_id, pixel_digest=digest))
        finally:
            outcomes.close()
        same = [c for c in alike if known.get(c.a_id) and known.get(c.a_id) == known.get(c.b_id)]
        told = [of_same_pixels(facts[c.a_id], facts[c.b_id]) for c in same]
        return [
            Found(c.a_id, c.b_id, Kind.PIXELS, c.distance, Turn.NONE, 1.0, evidence)
            for c, evidence in zip(same, told, strict=True)
        ]

    def _verified(
        self,
        progress: Progress,
        candidates: Sequence[Candidate],
        facts: Mapping[int, Facts],
        digests: Mapping[int, bytes],
    ) -> list[Found]:
        """What the verifier takes for the same picture; it is asked once for each pair of contents."""
        with self._store.read() as database:
            known = findings.judgements(database, [(c.a_id, c.b_id) for c in candidates], VERIFIER)
        unknown = [c for c in candidates if (c.a_id, c.b_id) not in known]
        views = self._views.ensure({i for c in unknown for i in (c.a_id, c.b_id)}, progress)
        by_features = {i for c in unknown if c.turn is None for i in (c.a_id, c.b_id)}
        with self._store.read() as database:
            features = catalogue.features_of(database, by_features, FEATURE_SCHEME)
        tasks = [
            _pair_task(c, views, facts, features, swapped=digests[c.a_id] > digests[c.b_id])
            for c in sorted(unknown, key=lambda c: (c.a_id, c.b_id))
            if c.a_id in views and c.b_id in views
        ]
        judged: list[dict[str, Any]] = []

        def keep() -> None:
            self._store.write(lambda db: findings.record_judgements(db, VERIFIER, judged))
            judged.clear()

        outcomes = self._pool.run(judge_pair, tasks)
        try:
            for outcome in outcomes:
                progress.checkpoint()
                if outcome.value is None:
                    log.warning("pair %s was not judged: %s", outcome.item, outcome.failure)
                    continue
                judged.append(_judged_row(outcome.item, outcome.value))
                if len(judged) == JUDGED_AT_ONCE:
                    keep()
        finally:
            outcomes.close()
            keep()
        with self._store.read() as database:
            known |= findings.judgements(database, [(c.a_id, c.b_id) for c in unknown], VERIFIER)
        return [
            _as_judged(c, known[c.a_id, c.b_id])
            for c in candidates
            if (c.a_id, c.b_id) in known and known[c.a_id, c.b_id].kind
        ]


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


def _pair_task(
    candidate: Candidate,
    views: Mapping[int, Path],
    facts: Mapping[int, Facts],
    features: Mapping[int, bytes],
    swapped: bool,
) -> PairTask:
    """The pair as the verifier is to see it: in the order of the digests, so that the order of arrival, which the
    ids follow, has no say in the answer."""
    first, second, turn = candidate.a_id, candidate.b_id, candidate.turn
    if swapped:
        first, second, turn = second, first, turn and turn.inverse
    seen = str(views[first]), str(views[second])
    task = PairTask(first, second, *seen, facts[first], facts[second], turn, candidate.by_part)
    if turn is not None or first not in features or second not in features:
        return task
    return replace(task, first_features=features[first], second_features=features[second])


def _judged_row(task: PairTask, said: Judgement) -> dict[str, Any]:
    """A judgement as the index keeps it, led from the smaller id to the larger."""
    swapped = task.first_id > task.second_id
    told = mirrored(said.evidence) if swapped else said.evidence
    return {
        "a": min(task.first_id, task.second_id),
        "b": max(task.first_id, task.second_id),
        "kind": said.kind or "",
        "turn": said.turn.inverse if swapped else said.turn,
        "confidence": said.confidence,
        "evidence": json.dumps(told, sort_keys=True),
    }


def _digest_named(named: tuple[int, Any]) -> bytes:
    return pixel_digest(named[1])


def _size(facts: Facts) -> tuple[int, int]:
    return facts.width, facts.height


def _by_hash_alone(candidate: Candidate) -> Found:
    turn = candidate.turn or Turn.NONE
    return Found(candidate.a_id, candidate.b_id, Kind.NEAR, candidate.distance, turn, 0.5, {})


def _as_judged(candidate: Candidate, said: Any) -> Found:
    return Found(
        candidate.a_id,
        candidate.b_id,
        Kind(said.kind),
        candidate.distance,
        Turn(said.turn),
        said.confidence,
        json.loads(said.evidence),
    )
