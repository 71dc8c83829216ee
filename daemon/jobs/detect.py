"""Detection: contents are matched as they come, against all before them; a full detection is the same from zero.

Runs in the runner's thread only. Owns the search index of the current detection, in memory, loaded when first needed.
What was matched is committed block by block with its watermark, and what was judged as it comes, so that a stop or a
crash repeats the search of one block at most, and the judging of a few pairs.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from daemon.jobs.candidates import LEAST_DETAIL, CandidateIndex
from daemon.jobs.progress import Progress
from daemon.jobs.proposing import Proposer
from daemon.jobs.verifying import Judged, Verifier, tallies
from daemon.jobs.views import Views
from daemon.processes.workers import WorkerPool
from index.candidates.fingerprint import SCHEME
from index.model import TURNS, Depth, DetectParameters, Kind, default_tolerance
from index.records import absent, catalogue, findings, orphans, samples, unjudged
from index.records.jobs import DetectJobParameters
from index.records.unjudged import Candidate
from index.settings import check_tolerance
from index.store import Store
from index.verification.evidence import VERIFIER

# Unrelated pairs of which the verifier is asked after a detection: half a minute of work, once.
JUDGED_AT_RANDOM: Final = 100


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
        self._index: CandidateIndex | None = None

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
        """Match every content that is new, or back, and note those that new matches concern."""
        self._catch_up(progress, detection_id, parameters)
        index = self._loaded(progress, detection_id, parameters)
        # What is left in the middle of something is loaded anew.
        self._index = None
        back = self._store.write(lambda db: absent.back(db, detection_id, index.last_id))
        with self._store.read() as database:
            new = catalogue.count_hashed(database, detection_id, index.last_id, SCHEME)
        index.describe(progress)
        progress.begin("matching", new + len(back))
        for some in catalogue.chunks(back, index.block):
            self._match_back(progress, index, parameters, some)
        while (block := index.next_block()) is not None:
            candidates = index.take_in(progress, block)
            judged = self._verifier.judge(progress, candidates, parameters.verify, steps=len(block))

            def keep(database: Any, judged: Judged = judged, last: int = block.last_id) -> None:
                self._keep(database, detection_id, judged)
                findings.add_tallies(database, detection_id, judged.tallies)
                findings.set_watermark(database, detection_id, last)

            self._store.write(keep)
        self._index = index

    def _match_back(
        self, progress: Progress, index: CandidateIndex, parameters: DetectParameters, content_ids: Sequence[int]
    ) -> None:
        """Match contents that have a file again. Pairs of which a word is known were counted when they were new."""
        detection_id = index.detection_id
        candidates = index.take_in(progress, index.block_of(content_ids))
        with self._store.read() as database:
            known = findings.known_pairs(database, detection_id, [c.pair for c in candidates], VERIFIER)
        judged = self._verifier.judge(progress, candidates, parameters.verify, steps=len(content_ids))
        fresh = tallies([c for c in candidates if c.pair not in known], judged.found)

        def keep(database: Any) -> None:
            self._keep(database, detection_id, judged)
            findings.add_tallies(database, detection_id, fresh)
            absent.matched(database, detection_id, content_ids)

        self._store.write(keep)

    def _catch_up(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> None:
        """Look at the pairs that were proposed before and could not be looked at then."""
        with self._store.read() as database:
            waiting = unjudged.within_reach(database, detection_id)
        if not waiting:
            return
        progress.begin("matching", len(waiting))
        judged = self._verifier.judge(progress, waiting, parameters.verify, steps=len(waiting))

        def keep(database: Any) -> None:
            unjudged.take_back(database, detection_id, waiting)
            self._keep(database, detection_id, judged)
            findings.add_tallies(database, detection_id, judged.tallies, proposed_before=True)

        self._store.write(keep)

    @staticmethod
    def _keep(database: Any, detection_id: int, judged: Judged) -> None:
        findings.concern(database, findings.record_matches(database, detection_id, judged.found))
        unjudged.leave(database, detection_id, judged.later)

    def _loaded(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> CandidateIndex:
        """The index of all that is matched and there."""
        if self._index is not None and self._index.detection_id == detection_id and self._index.let_go():
            return self._index
        wants_features = parameters.verify and parameters.depth is Depth.THOROUGH
        proposer = Proposer(self._store, self._pool, self._views) if wants_features else None
        index = CandidateIndex(self._store, detection_id, parameters, proposer)
        with self._store.read() as database:
            watermark = findings.watermark_of(database, detection_id)
        index.load(progress, watermark)
        return index


def resolve(settings: DetectParameters, wanted: DetectJobParameters) -> DetectParameters:
    """The settings with what a job asks for instead; a tolerance is given in bits of the hsize it is for. Raises
    UsageError for one of more bits than there are."""
    changes: dict[str, Any] = {
        name: value
        for name in ("hsize", "tolerance", "turns", "verify", "depth")
        if (value := getattr(wanted, name)) is not None
    }
    if "hsize" in changes and "tolerance" not in changes and changes["hsize"] != settings.hsize:
        changes["tolerance"] = default_tolerance(changes["hsize"])
    resolved = replace(settings, folders=tuple(sorted(wanted.folders)), **changes)
    check_tolerance(resolved.hsize, resolved.tolerance)
    return resolved
