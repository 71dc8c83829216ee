"""Verifies candidate pairs: same pixels, a judgement of the verifier, or deferred. In the runner's thread only.

Judgements are stored as they come. A picture that is unreachable, or a worker that dies or hangs, affects only its
pairs, not the job: they are compared again later, and given up after repeated failures.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from daemon.jobs.previews import OUT_OF_REACH, Previews
from daemon.jobs.progress import Portion, Progress
from daemon.jobs.quarantine import Quarantine
from daemon.processes.decode_task import PictureTask, code_digest, pixel_digest
from daemon.processes.verify_task import NO_VIEW, PairTask, verify_pair
from daemon.processes.worker_pool import Outcome, WorkerPool
from index.database.records import images, matches
from index.database.records.deferred_pairs import CandidatePair
from index.database.records.matches import MatchResult
from index.database.records.quarantine import LOSSES, Pair
from index.database.records.regrouping import component_labels
from index.database.store import Store
from index.errors import PictureError
from index.imaging.candidates.features.descriptors import SCHEME as FEATURE_SCHEME
from index.imaging.verification.edit_evidence import VERIFIER, of_same_pixels, reversed_evidence
from index.imaging.verification.file_facts import kind_of_same_pixels
from index.imaging.verification.reasons import ALIKE
from index.imaging.verification.verify import Judgement
from index.model import RAW_FORMATS, Facts, Kind, Turn

# Pairs that are prepared together: enough to keep every worker busy for seconds.
PREPARED_AT_ONCE: Final = 500
# Pictures with equal pixels may have hashes that differ by fewer bits than this: a JPEG is hashed from fewer pixels
# than the PNG made from it, which changes 4 bits of 256 in a scanned page.
MOST_BITS: Final = 16

# Above every cosine: for a pair that the model cannot judge, since one of them is turned.
UNKNOWN: Final = 2.0

# Reasons that are not properties of the picture, but of the moment.
PASSING: Final = frozenset({OUT_OF_REACH, "unreadable", "changed"})
# The same if a preview was made again, and still cannot be read.
LOSSES_OF_FRESH: Final = LOSSES | {NO_VIEW}


@dataclass(slots=True)
class Judged:
    """Matches among the candidates, the number of pairs of each distance by kind ("" for no match), the deferred pairs,
    and the assumed pairs, which were left out since no group may depend on them."""

    found: list[MatchResult] = field(default_factory=list)
    tallies: Counter[tuple[int, str]] = field(default_factory=Counter)
    later: list[CandidatePair] = field(default_factory=list)
    assumed: list[CandidatePair] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The known facts of the contents of some pairs."""

    rows: Mapping[int, Any]
    facts: Mapping[int, Facts]


class Verifier:
    """Has pairs compared by worker processes."""

    def __init__(self, store: Store, pool: WorkerPool, previews: Previews) -> None:
        self._store = store
        self._digested = Quarantine[int](store, pool, "pixels", "read to its last pixel")
        self._read = Quarantine[int](store, pool, "code", "read for its coded pixels")
        self._compared = Quarantine[Pair](store, pool, VERIFIER, "compared")
        self._previews = previews

    def judge(
        self,
        progress: Progress,
        candidates: Sequence[CandidatePair],
        verify: bool,
        steps: int = 0,
        *,
        assume: bool = False,
        by_pixels: bool = True,
    ) -> Judged:
        """The matches among these pairs. With `verify`, the verifier decides on those that do not have the same pixels.
        The job advances by `steps`, in proportion to the pairs that are done.

        With `assume`, pairs that a hash proposes are not verified if they have not been. Those proposed otherwise are:
        most are wrong, and would make groups depend on many pairs. Without `by_pixels`, their pixels are known to
        differ.
        """
        judged = Judged()
        by_pair = {candidate.pair: candidate for candidate in candidates}
        calm, suspects = self._compared.split(by_pair)
        calm = [one.pair for one in _ranked([by_pair[pair] for pair in calm], _lanes(calm))]
        whole = Portion(progress, steps)
        whole.expect(len(by_pair))
        for pairs in images.chunks([*calm, *suspects], PREPARED_AT_ONCE):
            chunk = [by_pair[pair] for pair in pairs]
            portion = Portion(whole, len(chunk))
            self._judge_together(portion, chunk, verify, judged, assume=assume, by_pixels=by_pixels)
            portion.end()
        whole.end()
        assumed = {candidate.pair for candidate in judged.assumed}
        judged.tallies = tallies([one for one in candidates if one.pair not in assumed], judged.found)
        return judged

    def _judge_together(
        self,
        progress: Portion,
        candidates: Sequence[CandidatePair],
        verify: bool,
        judged: Judged,
        *,
        assume: bool,
        by_pixels: bool,
    ) -> None:
        """Verify pairs whose previews are made and looked up together."""
        with self._store.read() as database:
            rows = images.contents(database, {content_id for c in candidates for content_id in c.pair})
        pictures = _Pictures(rows, {content_id: images.facts_of(row) for content_id, row in rows.items()})
        # A compared pair needs at most two previews. It is not known yet which pairs are settled by their pixels.
        compared = [c for c in candidates if verify and not (assume and c.turn is not None)]
        progress.expect(len(compared) + len({content_id for c in compared for content_id in c.pair}))
        same = self._same_pixels(progress, candidates, pictures) if by_pixels else []
        judged.found += same
        settled = {(match.a_id, match.b_id) for match in same}
        different = [c for c in candidates if c.pair not in settled]
        if verify:
            self._verify(progress, different, pictures, judged, assume=assume)
        else:
            judged.found += (_if_seen_whole(_unverified(c, pictures.facts), pictures.facts) for c in different)

    def _same_pixels(
        self, progress: Portion, candidates: Sequence[CandidatePair], pictures: _Pictures
    ) -> list[MatchResult]:
        """Pairs of one size and similar hashes whose pixels are equal."""
        facts = pictures.facts
        alike = [c for c in candidates if c.distance <= MOST_BITS and _size(facts[c.a_id]) == _size(facts[c.b_id])]
        known = self._pixel_digests(progress, pictures.rows, {content_id for c in alike for content_id in c.pair})
        return [
            MatchResult(
                *c.pair,
                kind_of_same_pixels(facts[c.a_id], facts[c.b_id]),
                c.distance,
                Turn.NONE,
                1.0,
                _with_cosine(of_same_pixels(facts[c.a_id], facts[c.b_id]), c),
            )
            for c in alike
            if known.get(c.a_id) and known.get(c.a_id) == known.get(c.b_id)
        ]

    def digests(self, progress: Progress, content_ids: Collection[int]) -> dict[int, bytes]:
        """The pixel digests of contents, as below."""
        with self._store.read() as database:
            rows = images.contents(database, content_ids)
        return self._pixel_digests(Portion(progress), rows, rows)

    def _pixel_digests(
        self, progress: Portion, rows: Mapping[int, Any], concerned: Collection[int]
    ) -> dict[int, bytes]:
        """The pixel digests of these contents, b"" for those that have none. Each is decoded only once. Those that
        cannot be read now are left out."""
        kept = {content_id: rows[content_id].pixel_digest for content_id in concerned}
        known = {content_id: bytes(digest) for content_id, digest in kept.items() if digest is not None}
        tasks = self._previews.pixel_tasks(set(concerned) - set(known))
        progress.expect(len(tasks))
        same = self._coded_the_same(progress, rows, tasks)
        known |= self._decode(progress, {key: task for key, task in tasks.items() if key not in same})
        proven = {key: known[first] for key, first in same.items() if known.get(first)}
        if proven:
            self._store.write(lambda database: _keep_pixel_digests(database, proven))
            progress.advance(len(proven))
        # If the first of them cannot be decoded, nothing follows for the others.
        known |= self._decode(progress, {key: tasks[key] for key in same if key not in proven})
        return known | proven

    def _decode(self, progress: Progress, tasks: Mapping[int, PictureTask]) -> dict[int, bytes]:
        """The pixel digests of contents that are decoded now, b"" for those that have none."""
        found: dict[int, bytes] = {}
        with closing(self._digested.run(pixel_digest, tasks.items(), _record_pixel_digests)) as outcomes:
            for outcome in outcomes:
                progress.advance()
                found[outcome.item[0]] = outcome.value or b""
        return found

    def _coded_the_same(
        self, progress: Portion, rows: Mapping[int, Any], tasks: Mapping[int, PictureTask]
    ) -> dict[int, int]:
        """The contents whose files prove, without decoding, that they have the pixels of another one among these, each
        with that other. Damaged files prove nothing."""
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for content_id in tasks:
            row = rows[content_id]
            if row.format == "JPEG" and not row.damage:
                by_size[row.width, row.height].append(content_id)
        items = [(key, tasks[key]) for of_size in by_size.values() if len(of_size) > 1 for key in of_size]
        progress.expect(len(items))
        digests: dict[bytes, list[int]] = defaultdict(list)
        with closing(self._read.run(code_digest, items)) as outcomes:
            for outcome in outcomes:
                progress.advance()
                if outcome.value:
                    digests[outcome.value].append(outcome.item[0])
        return {key: min(same) for same in digests.values() for key in same if key != min(same)}

    def _verify(
        self,
        progress: Progress,
        candidates: Sequence[CandidatePair],
        pictures: _Pictures,
        judged: Judged,
        *,
        assume: bool,
    ) -> None:
        """The pairs that the verifier accepts, and those that it could not compare yet."""
        by_pair = {c.pair: c for c in candidates}
        with self._store.read() as database:
            known = matches.judgements(database, list(by_pair), VERIFIER)
        unknown = [c for c in candidates if c.pair not in known]
        if assume:
            judged.assumed += [c for c in unknown if c.turn is not None]
            unknown = [c for c in unknown if c.turn is None]
        if unknown:
            failures = self._compare_twice(progress, unknown, pictures)
            self._defer([by_pair[pair] for pair in failures], failures, judged)
            with self._store.read() as database:
                known |= matches.judgements(database, [c.pair for c in unknown], VERIFIER)
        judged.found += [
            _if_seen_whole(_as_judged(by_pair[pair], judgement), pictures.facts)
            for pair, judgement in known.items()
            if judgement.kind
        ]

    def _compare_twice(
        self, progress: Progress, candidates: Sequence[CandidatePair], pictures: _Pictures
    ) -> dict[Pair, PictureError]:
        """Why pairs were not compared. A missing or broken preview is made again, once."""
        failures = self._compare(progress, candidates, pictures, LOSSES)
        broken = [c for c in candidates if c.pair in failures and failures[c.pair].reason == NO_VIEW]
        if broken:
            self._previews.forget(bytes(pictures.rows[content_id].digest) for c in broken for content_id in c.pair)
            for candidate in broken:
                del failures[candidate.pair]
            failures |= self._compare(progress, broken, pictures, LOSSES_OF_FRESH)
        return failures

    def _compare(
        self,
        progress: Progress,
        candidates: Sequence[CandidatePair],
        pictures: _Pictures,
        losses: Collection[str],
    ) -> dict[Pair, PictureError]:
        """Have pairs compared and store the judgements. Returns why the others have none."""
        paths, unseen = self._previews.ensure({content_id for c in candidates for content_id in c.pair}, progress)
        failures = self._without_preview(candidates, unseen)
        seen = [c for c in candidates if c.pair not in failures]
        lanes = _lanes([c.pair for c in seen])
        seen = _ranked(seen, lanes)
        by_features = {content_id for c in seen if c.turn is None for content_id in c.pair}
        with self._store.read() as database:
            features = images.features_of(database, by_features, FEATURE_SCHEME)
        digests = {content_id: bytes(row.digest) for content_id, row in pictures.rows.items()}
        tasks = (
            (c.pair, _pair_task(c, paths, pictures.facts, features, swapped=digests[c.a_id] > digests[c.b_id]))
            for c in seen
        )
        outcomes = self._compared.run(verify_pair, tasks, _record_judgements, losses, lambda pair: lanes[pair[0]])
        with closing(outcomes):
            for outcome in outcomes:
                progress.advance()
                if outcome.failure is not None:
                    failures[outcome.item[0]] = outcome.failure
        return failures

    def _without_preview(
        self, candidates: Iterable[CandidatePair], unseen: Mapping[int, PictureError]
    ) -> dict[Pair, PictureError]:
        """The pairs that cannot be compared because a preview could not be made, with the reason."""
        failures: dict[Pair, PictureError] = {}
        for candidate in candidates:
            causes = [unseen[content_id] for content_id in candidate.pair if content_id in unseen]
            if not causes:
                continue
            # A permanent reason takes precedence over a temporary one.
            failures[candidate.pair] = failure = min(causes, key=lambda cause: cause.reason in PASSING)
            if failure.reason not in PASSING:
                again = "; it is tried again later" if failure.reason in LOSSES else ""
                self._compared.log_failure(candidate.pair, f"{failure.message}{again}")
        return failures

    def _defer(
        self, candidates: Sequence[CandidatePair], failures: Mapping[Pair, PictureError], judged: Judged
    ) -> None:
        """Defer pairs that may succeed later."""
        given_up = self._compared.given_up(failures)
        for candidate in candidates:
            reason = failures[candidate.pair].reason
            if reason in PASSING or (reason in LOSSES_OF_FRESH and candidate.pair not in given_up):
                judged.later.append(candidate)


def _record_pixel_digests(database: Any, outcomes: Iterable[Outcome[tuple[int, PictureTask], bytes]]) -> None:
    """Store digests, b"" for pictures that have none."""
    for outcome in outcomes:
        if outcome.failure is None or outcome.failure.reason not in PASSING | LOSSES:
            images.set_pixel_digest(database, outcome.item[0], outcome.value or b"")


def _record_judgements(database: Any, outcomes: Iterable[Outcome[tuple[Pair, PairTask], Judgement]]) -> None:
    rows = [_judged_row(outcome.item[1], outcome.value) for outcome in outcomes if outcome.value is not None]
    matches.record_judgements(database, VERIFIER, rows)


def _keep_pixel_digests(database: Any, digests: Mapping[int, bytes]) -> None:
    for content_id, digest in digests.items():
        images.set_pixel_digest(database, content_id, digest)


def tallies(candidates: Iterable[CandidatePair], found: Iterable[MatchResult]) -> Counter[tuple[int, str]]:
    """The number of these pairs of each distance by kind, "" for no match."""
    kinds = {(match.a_id, match.b_id): str(match.kind) for match in found}
    return Counter((c.distance, kinds.get(c.pair, "")) for c in candidates)


def _lanes(pairs: Sequence[Pair]) -> dict[int, int]:
    """A number for each content that it shares with all contents connected to it by pairs: one worker compares them in
    a row, and reads each picture once."""
    contents, places = np.unique(np.asarray(pairs, np.int64).reshape(-1, 2), return_inverse=True)
    labels = component_labels(len(contents), places.reshape(-1, 2))
    _, lanes = np.unique(labels, return_inverse=True)
    return dict(zip(contents.tolist(), lanes.tolist(), strict=True))


def _ranked(candidates: Sequence[CandidatePair], lanes: Mapping[int, int]) -> list[CandidatePair]:
    """Lane by lane, and within a lane content by content: first the pairs that the model cannot judge, then the most
    similar by the model. If a search is stopped, the most likely pairs are done."""
    of_lanes: dict[int, float] = {}
    of_contents: dict[int, float] = {}
    for one in candidates:
        for best, key in ((of_lanes, lanes[one.a_id]), (of_contents, one.a_id)):
            best[key] = max(_likeness(one), best.get(key, -1.0))

    def place(one: CandidatePair) -> tuple[float, int, float, int, float, int]:
        lane = lanes[one.a_id]
        return -of_lanes[lane], lane, -of_contents[one.a_id], one.a_id, -_likeness(one), one.b_id

    return sorted(candidates, key=place)


def _likeness(candidate: CandidatePair) -> float:
    return UNKNOWN if candidate.cosine is None else candidate.cosine


def _pair_task(
    candidate: CandidatePair,
    paths: Mapping[int, Path],
    facts: Mapping[int, Facts],
    features: Mapping[int, bytes],
    swapped: bool,
) -> PairTask:
    """The pair in the order of the digests, so that the judgement does not depend on the order of arrival, which
    determines the ids."""
    first, second, turn = candidate.a_id, candidate.b_id, candidate.turn
    if swapped:
        first, second, turn = second, first, turn and turn.inverse
    previews = str(paths[first]), str(paths[second])
    by_model = turn is None and candidate.cosine is not None
    task = PairTask(first, second, *previews, facts[first], facts[second], turn, candidate.by_part, by_model)
    if turn is not None or first not in features or second not in features:
        return task
    return replace(task, first_features=features[first], second_features=features[second])


def _judged_row(task: PairTask, judgement: Judgement) -> dict[str, Any]:
    """A judgement as it is stored in the index, from the smaller id to the larger."""
    swapped = task.first_id > task.second_id
    evidence = reversed_evidence(judgement.evidence) if swapped else judgement.evidence
    return {
        "a": min(task.first_id, task.second_id),
        "b": max(task.first_id, task.second_id),
        "kind": judgement.kind or "",
        "turn": judgement.turn.inverse if swapped else judgement.turn,
        "confidence": judgement.confidence,
        "evidence": json.dumps(evidence, sort_keys=True),
    }


def _size(facts: Facts) -> tuple[int, int]:
    return facts.width, facts.height


def _unverified(candidate: CandidatePair, facts: Mapping[int, Facts]) -> MatchResult:
    """The match of a candidate without verification. A pair that only a model proposes is at most possible, since the
    model cannot distinguish similar pictures from copies."""
    turn = candidate.turn or Turn.NONE
    several = max(facts[content_id].frames for content_id in candidate.pair) > 1
    kind = Kind.POSSIBLE if several or candidate.turn is None else Kind.NEAR
    evidence = _with_cosine({"reason": ALIKE} if candidate.turn is None else {}, candidate)
    return MatchResult(candidate.a_id, candidate.b_id, kind, candidate.distance, turn, 0.5, evidence)


def _with_cosine(evidence: dict[str, Any], candidate: CandidatePair) -> dict[str, Any]:
    """The judgement with the cosine of the model, which the verifier does not know."""
    return evidence if candidate.cosine is None else {**evidence, "cosine": candidate.cosine}


def _if_seen_whole(match: MatchResult, facts: Mapping[int, Facts]) -> MatchResult:
    """At most possible if one of the two is RAW: it was compared by its preview, which does not represent the rest."""
    if facts[match.a_id].format in RAW_FORMATS or facts[match.b_id].format in RAW_FORMATS:
        return replace(match, kind=Kind.POSSIBLE)
    return match


def _as_judged(candidate: CandidatePair, judgement: Any) -> MatchResult:
    return MatchResult(
        candidate.a_id,
        candidate.b_id,
        Kind(judgement.kind),
        candidate.distance,
        Turn(judgement.turn),
        judgement.confidence,
        _with_cosine(json.loads(judgement.evidence), candidate),
    )
