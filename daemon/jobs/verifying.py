"""What becomes of proposed pairs: same pixels, the verifier's word, or left for later. In the runner's thread only.

What was judged is kept as it comes. A picture that is out of reach, or a worker that dies or hangs, costs the pairs
that it concerns, not the job: they are looked at again, and given up with a word where that fails again and again.
"""

import contextlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from daemon.jobs.progress import Progress
from daemon.jobs.tries import Tries
from daemon.jobs.views import OUT_OF_REACH, Views
from daemon.processes.decoding import pixel_digest
from daemon.processes.judging import NO_VIEW, PairTask, judge_pair
from daemon.processes.workers import WorkerPool
from index.candidates.features import SCHEME as FEATURE_SCHEME
from index.errors import PictureError
from index.model import Facts, Kind, Turn
from index.records import attempts, catalogue, findings
from index.records.findings import Found
from index.records.unjudged import Candidate
from index.store import Store
from index.verification.evidence import VERIFIER, mirrored, of_same_pixels
from index.verification.verify import Judgement

log = logging.getLogger(__name__)

# Judgements kept in one step: half a second of work and more.
JUDGED_AT_ONCE: Final = 50
# Pairs written down as being judged in one step: enough to keep every worker busy for seconds.
BEGUN_AT_ONCE: Final = 500
# Reasons that say nothing of the picture, only of this moment.
PASSING: Final = frozenset({OUT_OF_REACH, "unreadable", "changed"})
# What a worker died of, or was killed for: perhaps by chance.
LOSSES: Final = attempts.LOSSES | {NO_VIEW}


@dataclass(slots=True)
class Judged:
    """Matches among the candidates, how many pairs of each distance came to which kind ("" for none), and the pairs
    that are to be looked at later."""

    found: list[Found] = field(default_factory=list)
    tallies: Counter[tuple[int, str]] = field(default_factory=Counter)
    later: list[Candidate] = field(default_factory=list)


@dataclass(slots=True)
class _Asked:
    """What came of some pairs: those with a word on them, and what failed of the others."""

    found: list[Found] = field(default_factory=list)
    settled: set[tuple[int, int]] = field(default_factory=set)
    failures: dict[tuple[int, int], PictureError] = field(default_factory=dict)

    @property
    def lost(self) -> list[tuple[int, int]]:
        return [pair for pair, failure in self.failures.items() if failure.reason in LOSSES]


@dataclass(frozen=True, slots=True)
class _Pictures:
    """What is known of the contents of some pairs."""

    rows: Mapping[int, Any]
    facts: Mapping[int, Facts]


class Verifier:
    """Asks worker processes for a word on pairs."""

    def __init__(self, store: Store, pool: WorkerPool, views: Views) -> None:
        self._store = store
        self._pool = pool
        self._digested = Tries(store, pool, "pixels", "read to its last pixel")
        self._views = views

    def judge(self, progress: Progress, candidates: Sequence[Candidate], verify: bool, steps: int = 0) -> Judged:
        """A word on each of these; with `verify`, on those that have not the same pixels the verifier's. The job is
        `steps` further in the end, and on the way by the share of the pairs that have a word."""
        with self._store.read() as database:
            failures = attempts.failures(database, VERIFIER)
        judged = Judged()
        calm = [c for c in candidates if c.pair not in failures]
        done = told = 0
        for some in catalogue.chunks(calm, BEGUN_AT_ONCE):
            self._judge_some(progress, some, verify, failures, judged)
            done += len(some)
            progress.advance(steps * done // len(candidates) - told)
            told = steps * done // len(candidates)
        suspects = sorted((c for c in candidates if c.pair in failures), key=lambda c: (failures[c.pair], c.pair))
        for candidate in suspects:
            if failures[candidate.pair] < attempts.FAILURES:
                self._judge_some(progress, [candidate], verify, failures, judged)
            else:
                self._tell(candidate, f"that failed {attempts.FAILURES} times, and is not tried again")
        progress.advance(steps - told)
        judged.tallies = tallies(candidates, judged.found)
        return judged

    def _judge_some(
        self,
        progress: Progress,
        candidates: Sequence[Candidate],
        verify: bool,
        failures: Mapping[tuple[int, int], int],
        judged: Judged,
    ) -> None:
        with self._store.read() as database:
            rows = catalogue.contents(database, {content_id for c in candidates for content_id in c.pair})
            known = findings.judgements(database, [c.pair for c in candidates], VERIFIER) if verify else {}
        pictures = _Pictures(rows, {content_id: catalogue.facts_of(row) for content_id, row in rows.items()})
        unknown = [c for c in candidates if c.pair not in known]
        with self._written_down(unknown) as asked:
            asked.found += self._same_pixels(progress, candidates, pictures)
            asked.settled |= {(match.a_id, match.b_id) for match in asked.found}
            if verify:
                asked.found += [_as_judged(c, known[c.pair]) for c in candidates
                                if c.pair in known and known[c.pair].kind and c.pair not in asked.settled]  # fmt: skip
                self._verify(progress, [c for c in unknown if c.pair not in asked.settled], pictures, asked)
            else:
                asked.found += [_by_hash_alone(c) for c in unknown if c.pair not in asked.settled]
                asked.settled |= {c.pair for c in unknown}
        judged.found += asked.found
        for candidate in unknown:
            if (failure := asked.failures.get(candidate.pair)) is None:
                continue
            lost = failure.reason in LOSSES
            again = failures.get(candidate.pair, 0) + lost < attempts.FAILURES
            if failure.reason in PASSING or (lost and again):
                judged.later.append(candidate)
            if failure.reason not in PASSING:
                self._tell(candidate, failure.message + ("; it is tried again later" if lost and again else ""))

    @contextlib.contextmanager
    def _written_down(self, candidates: Sequence[Candidate]) -> Iterator[_Asked]:
        """Pairs are in the index as being judged, until they are not, whatever the reason."""
        asked = _Asked()
        pairs = [candidate.pair for candidate in candidates]
        if not pairs:
            yield asked
            return
        self._store.write(lambda db: attempts.begin(db, VERIFIER, pairs))
        try:
            yield asked
        finally:
            self._store.write(lambda db: attempts.end(db, VERIFIER, pairs, asked.settled, asked.lost))

    def _tell(self, candidate: Candidate, words: str) -> None:
        with self._store.read() as database:
            files = catalogue.files_of(database, candidate.pair)
        names = [catalogue.display(bytes(files[one][0].path)) if one in files else "a file that is gone"
                 for one in candidate.pair]  # fmt: skip
        log.warning("%s and %s were not compared: %s", *names, words)

    def _same_pixels(
        self, progress: Progress, candidates: Sequence[Candidate], pictures: _Pictures
    ) -> list[Found]:
        """Pairs of one size and (nearly) one hash whose pixels are equal, each picture decoded once for all time."""
        facts = pictures.facts
        alike = [
            c
            for c in candidates
            if c.turn is Turn.NONE and c.distance <= 2 and _size(facts[c.a_id]) == _size(facts[c.b_id])
        ]
        concerned = {content_id for c in alike for content_id in c.pair}
        kept = {content_id: pictures.rows[content_id].pixel_digest for content_id in concerned}
        known = {content_id: bytes(digest) for content_id, digest in kept.items() if digest is not None}
        tasks = self._views.pixel_tasks(concerned - set(known))
        outcomes = self._digested.run(pixel_digest, tasks.items())
        try:
            for outcome in outcomes:
                progress.checkpoint()
                content_id = outcome.item[0]
                known[content_id] = digest = outcome.value or b""
                if outcome.failure is None or outcome.failure.reason not in PASSING | LOSSES:
                    self._store.submit(partial(catalogue.set_pixel_digest, content_id=content_id, pixel_digest=digest))
        finally:
            outcomes.close()
        same = [c for c in alike if known.get(c.a_id) and known.get(c.a_id) == known.get(c.b_id)]
        told = [of_same_pixels(facts[c.a_id], facts[c.b_id]) for c in same]
        return [
            Found(c.a_id, c.b_id, Kind.PIXELS, c.distance, Turn.NONE, 1.0, evidence)
            for c, evidence in zip(same, told, strict=True)
        ]

    def _verify(
        self, progress: Progress, candidates: Sequence[Candidate], pictures: _Pictures, asked: _Asked
    ) -> None:
        """What the verifier takes for the same picture. A view that is gone or broken is made anew, once."""
        broken = self._ask(progress, candidates, pictures, asked)
        if broken:
            self._views.forget(bytes(pictures.rows[content_id].digest) for c in broken for content_id in c.pair)
            for candidate in broken:
                del asked.failures[candidate.pair]
            self._ask(progress, broken, pictures, asked)
        by_pair = {c.pair: c for c in candidates}
        with self._store.read() as database:
            known = findings.judgements(database, list(by_pair), VERIFIER)
        asked.settled |= set(known)
        asked.found += [_as_judged(by_pair[pair], said) for pair, said in known.items() if said.kind]

    def _ask(
        self, progress: Progress, candidates: Sequence[Candidate], pictures: _Pictures, asked: _Asked
    ) -> list[Candidate]:
        """Judge and keep; the pairs of which a view cannot be read."""
        views, unseen = self._views.ensure({content_id for c in candidates for content_id in c.pair}, progress)
        for c in candidates:
            failed = [unseen[content_id] for content_id in c.pair if content_id in unseen]
            if failed:
                # What lasts outweighs what passes.
                asked.failures[c.pair] = min(failed, key=lambda failure: failure.reason in PASSING)
        seen = {c.pair: c for c in candidates if c.pair not in asked.failures}
        by_features = {content_id for c in seen.values() if c.turn is None for content_id in c.pair}
        with self._store.read() as database:
            features = catalogue.features_of(database, by_features, FEATURE_SCHEME)
        digests = {content_id: bytes(row.digest) for content_id, row in pictures.rows.items()}
        tasks = [
            _pair_task(c, views, pictures.facts, features, swapped=digests[c.a_id] > digests[c.b_id])
            for _, c in sorted(seen.items())
        ]
        judged: list[dict[str, Any]] = []
        broken: list[Candidate] = []

        def keep() -> None:
            self._store.write(lambda db: findings.record_judgements(db, VERIFIER, judged))
            judged.clear()

        outcomes = self._pool.run(judge_pair, tasks)
        try:
            for outcome in outcomes:
                progress.checkpoint()
                if outcome.value is not None:
                    judged.append(_judged_row(outcome.item, outcome.value))
                    if len(judged) == JUDGED_AT_ONCE:
                        keep()
                    continue
                assert outcome.failure is not None
                pair = _pair_of(outcome.item)
                asked.failures[pair] = outcome.failure
                if outcome.failure.reason == NO_VIEW:
                    broken.append(seen[pair])
        finally:
            outcomes.close()
            keep()
        return broken


def tallies(candidates: Iterable[Candidate], found: Iterable[Found]) -> Counter[tuple[int, str]]:
    """How many of these pairs of each distance came to which kind, "" for none."""
    kinds = {(match.a_id, match.b_id): str(match.kind) for match in found}
    return Counter((c.distance, kinds.get(c.pair, "")) for c in candidates)


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


def _pair_of(task: PairTask) -> tuple[int, int]:
    return min(task.first_id, task.second_id), max(task.first_id, task.second_id)


def _judged_row(task: PairTask, said: Judgement) -> dict[str, Any]:
    """A judgement as the index keeps it, led from the smaller id to the larger."""
    swapped = task.first_id > task.second_id
    told = mirrored(said.evidence) if swapped else said.evidence
    a_id, b_id = _pair_of(task)
    return {
        "a": a_id,
        "b": b_id,
        "kind": said.kind or "",
        "turn": said.turn.inverse if swapped else said.turn,
        "confidence": said.confidence,
        "evidence": json.dumps(told, sort_keys=True),
    }


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
