"""Detection: each new content is matched against all before it. A full detection does the same from the start.

Runs in the runner's thread only. It owns the search index of the current detection, in memory, loaded when first
needed. Matches are committed block by block with the watermark, and verified pairs as they are verified, so that a stop
or a crash repeats the search of one block and the verification of a few pairs at most.
"""

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from daemon.jobs.candidate_index import CandidateIndex
from daemon.jobs.embedding_model import EmbeddingModel
from daemon.jobs.feature_candidates import FeatureCandidates
from daemon.jobs.origins import Origins
from daemon.jobs.previews import Previews
from daemon.jobs.progress import Portion, Progress
from daemon.jobs.tolerance_choice import has_outgrown, require_thorough_size, with_tolerance
from daemon.jobs.vector_candidates import ModelFailed, VectorCandidates
from daemon.jobs.verify_pairs import Judged, Verifier, tallies
from daemon.processes.worker_pool import WorkerPool
from index.database.queries import promised_bytes
from index.database.records import (
    assumed_pairs,
    content_gc,
    deferred_pairs,
    folders,
    images,
    matches,
    missing_contents,
    random_pairs,
    regrouping,
    temporary_roots,
)
from index.database.records.deferred_pairs import CandidatePair
from index.database.records.jobs import DetectJobParameters
from index.database.store import Store
from index.errors import UsageError
from index.imaging.candidates.perceptual_hash import LEAST_DETAIL, SCHEME
from index.imaging.verification.edit_evidence import VERIFIER
from index.model import TURNS, Depth, DetectParameters, Kind, Method, default_tolerance
from index.paths import display
from index.settings import check_tolerance

# Unrelated pairs that the verifier checks after a detection: half a minute of work, once.
JUDGED_AT_RANDOM: Final = 100
# Portions of rows, which take some 50 milliseconds each.
DELETED_AT_ONCE: Final = 40
# Groups whose proposals are made in one portion, in some 100 milliseconds.
PROMISED_AT_ONCE: Final = 500
# The share of the remaining work that one round of verification takes: 265 of 315 seconds over 2,000 pictures.
ROUND_SHARE: Final = 0.8


class Detector:
    """Matches contents and keeps the groups up to date."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        previews: Previews,
        settings: Callable[[], DetectParameters],
        model: EmbeddingModel | None = None,
        criteria: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        """Without `criteria` of proposals, the reclaimable bytes of groups stay estimates."""
        self._store = store
        self._model = model
        self._pool = pool
        self._previews = previews
        self._verifier = Verifier(store, pool, previews)
        self._origins = Origins(store, pool, previews)
        # Whether all matches were examined since the start: an index from an earlier run may have some that were not.
        self._origins_complete = False
        self._settings = settings
        self._criteria = criteria
        self._index: CandidateIndex | None = None

    def run(self, progress: Progress, wanted: DetectJobParameters) -> Mapping[str, Any]:
        """A full detection with the settings, overridden by the parameters of the job. A detection in some folders is a
        limited search, and does not change the groups of the library. A detection of `undecided` pairs searches
        nothing."""
        if wanted.undecided:
            return {"groups_changed": self.verify_undecided(progress)}
        parameters = self._chosen(wanted)
        require_thorough_size(self._store, parameters)
        if parameters.folders:
            return self._search(progress, parameters)
        groups = self._detect(progress, parameters)
        self._collect_garbage(progress)
        self._calibrate(progress, parameters)
        return {"groups": groups}

    def _collect_garbage(self, progress: Progress) -> None:
        """Remove the contents that have had no file for a long time."""
        now_ns = time.time_ns()
        self._store.write(lambda db: content_gc.record_missing(db, now_ns))
        while digests := self._store.write(lambda db: content_gc.collect(db, now_ns - content_gc.RETENTION_NS)):
            progress.checkpoint()
            self._previews.forget(digests)
            # The index may hold some of them.
            self._index = None

    def _calibrate(self, progress: Progress, parameters: DetectParameters) -> None:
        """Measure on random pairs how many false candidates a tolerance proposes, and how many of them the verifier
        accepts.

        The verifier gets the nearest pairs beyond the tolerance, which no detection has selected from.
        """
        progress.begin("calibrating", None)
        with self._store.read() as database:
            detection = matches.current_detection(database)
            drawn = random_pairs.draw(database, SCHEME, LEAST_DETAIL)
            assert detection is not None
            unrelated = ~random_pairs.matched(database, detection.id, drawn.pairs)
        distances = drawn.distances[parameters.hsize, parameters.turns]
        beyond = np.flatnonzero(unrelated & (distances > parameters.tolerance))
        nearest = beyond[np.argsort(distances[beyond], kind="stable")[:JUDGED_AT_RANDOM]]
        turns = drawn.turns[parameters.hsize, parameters.turns]
        candidates = [
            CandidatePair(a_id, b_id, int(distances[pair]), TURNS[turns[pair]])
            for pair, (a_id, b_id) in zip(nearest.tolist(), drawn.pairs[nearest].tolist(), strict=True)
        ]
        false_matches = self._verifier.judge(progress, candidates, verify=True).found if parameters.verify else []
        accepted = sum(match.kind is not Kind.POSSIBLE for match in false_matches)
        judged = len(candidates) if parameters.verify else 0
        calibration = random_pairs.measure(drawn, unrelated, judged, accepted, time.time_ns())
        if parameters.verify:
            with self._store.read() as database:
                wrong = random_pairs.false_candidates(database, detection.id, parameters.tolerance)
            calibration = random_pairs.with_false_candidates(
                calibration, parameters.hsize, parameters.turns, parameters.tolerance, wrong
            )
        if parameters.model:
            with self._store.read() as database:
                angles = random_pairs.vector_distances(database, drawn.pairs[unrelated], parameters.model)
            calibration = replace(calibration, angles=angles)
        self._store.write(lambda db: random_pairs.store(db, detection.id, calibration))

    def _chosen(self, wanted: DetectJobParameters) -> DetectParameters:
        """The parameters of a full detection: the settings, overridden by those of the job, adapted to the library's
        size and the state of the model."""
        return self._decided(with_tolerance(self._store, resolve(self._settings(), wanted)))

    def _decided(self, parameters: DetectParameters) -> DetectParameters:
        """The parameters with the method that the state of the model allows."""
        used, key = (Method.HASH, "") if self._model is None else self._model.decide(parameters.method)
        cosines = str(self._model.report().limits) if self._model is not None and key else ""
        return replace(parameters, used=used, model=key, cosines=cosines)

    def _detect(self, progress: Progress, parameters: DetectParameters) -> int:
        """Match everything with these parameters and make the result current. Returns the number of groups."""
        detection_id = self._match_from_zero(progress, parameters)
        self._origins.complete(progress, detection_id)
        groups = self._show(progress, detection_id, matches.make_current)
        self._origins.complete_groups(progress, detection_id)
        self._origins_complete = True
        self._origins.look_beside(progress)
        self._promise(progress, detection_id)
        return groups

    def _show(self, progress: Progress, detection_id: int, switch: Callable[[Any, int, int], None]) -> int:
        """Build the groups of a detection in portions, and replace those of another one at once. Returns how many there
        are."""
        self._regroup_all(progress, detection_id)

        def show(database: Any) -> int:
            if switch is matches.make_current:
                _regroup_since(database, detection_id)
            else:
                regrouping.regroup(database, detection_id, matches.stale_since(database), time.time_ns())
            switch(database, detection_id, time.time_ns())
            return regrouping.count(database, detection_id)

        groups = self._store.write(show)
        self._delete_retired()
        return groups

    def _regroup_all(self, progress: Progress, detection_id: int) -> None:
        """Rebuild every group of a detection in portions, so that others can write in between."""
        self._store.write(matches.set_stale_aside)
        with self._store.read() as database:
            portions = list(regrouping.portions(database, detection_id))
        progress.begin("grouping", sum(map(len, portions)))
        for portion in portions:
            self._store.write(partial(_rebuild, detection_id, portion))
            progress.advance(len(portion))
            progress.checkpoint()

    def _delete_retired(self) -> None:
        """Delete what is left of detections that are no longer shown. Of many rows only some are deleted at a time, the
        rest at later updates, since an interruption here would cause a new full detection."""
        for _ in range(DELETED_AT_ONCE):
            if not self._store.write(matches.delete_retired):
                break

    def _search(self, progress: Progress, parameters: DetectParameters) -> Mapping[str, Any]:
        """Match the images of some folders with these parameters. Returns the limited search and its number of groups.
        Raises UsageError for a folder that is no longer watched."""
        with self._store.read() as database:
            for folder in map(os.fsencode, parameters.folders):
                if not folders.is_indexed(database, folder):
                    raise UsageError("job.not_watched", path=display(folder))
        search_id = self._match_from_zero(progress, parameters)
        self._origins.complete(progress, search_id)
        groups = self._show(progress, search_id, matches.keep_search)
        self._origins.complete_groups(progress, search_id)
        self._store.write(lambda db: matches.mark_stale(db, temporary_roots.drop_unused(db)))
        self._origins.look_beside(progress, self._searched(parameters))
        self._promise(progress, search_id)
        return {"groups": groups, "search": search_id}

    def update(self, progress: Progress, touched: Collection[int] = ()) -> int:
        """Match new contents in the current detection, and rebuild the groups of changed contents: those marked in the
        index (see matches.mark_stale), and the `touched` ones."""
        with self._store.read() as database:
            detection = matches.current_detection(database)
        if detection is None:
            return self._detect(progress, self._chosen(DetectJobParameters()))
        parameters = matches.load_parameters(detection.parameters)
        decided = self._decided(parameters)
        if matches.is_outdated(detection) or decided != parameters:
            # The groups were found by another version or another model: another file, or one that fails or works again.
            return self._detect(progress, with_tolerance(self._store, decided))
        try:
            self._match(progress, detection.id, parameters)
        except ModelFailed as failed:
            return self._detect(progress, self._without_model(parameters, failed))
        if (other := self._outgrown(detection.id, parameters)) is not None:
            return self._detect(progress, other)
        return self._renew_groups(progress, detection.id, touched, all_origins=not self._origins_complete)

    def verify_undecided(self, progress: Progress) -> int:
        """Verify the pairs on which stale groups depend, which a verdict left undecided, and rebuild these groups.
        Nothing is searched for. Returns how many groups changed."""
        with self._store.read() as database:
            detection = matches.current_detection(database)
        if detection is None or matches.is_outdated(detection):
            # The next detection examines them.
            return 0
        return self._renew_groups(progress, detection.id, (), all_origins=False)

    def _renew_groups(self, progress: Progress, current_id: int, touched: Collection[int], all_origins: bool) -> int:
        """Rebuild the stale groups and those of the `touched` contents, once the pairs on which they depend are
        verified. Returns how many groups of the library changed."""
        with self._store.read() as database:
            concerned = matches.stale_contents(database).union(touched)
            searches = [search.id for search in matches.searches(database)]
        for detection_id in (current_id, *searches):
            self._decide(progress, detection_id, [concerned] if concerned else [])
        with self._store.read() as database:
            concerned = matches.stale_contents(database).union(touched)
        self._origins.complete(progress, current_id, None if all_origins else concerned)

        def regroup(database: Any) -> int:
            contents = matches.stale_contents(database).union(touched)
            matches.clear_stale(database)
            return regrouping.regroup_shown(database, contents, time.time_ns())

        changed = self._store.write(regroup)
        self._delete_retired()
        self._origins.complete_groups(progress, current_id, None if all_origins else concerned)
        self._origins_complete |= all_origins
        self._origins.look_beside(progress, concerned)
        for detection_id in (current_id, *searches):
            self._promise(progress, detection_id, concerned)
        return changed

    def _promise(self, progress: Progress, detection_id: int, changed: Collection[int] = ()) -> None:
        """Store the bytes that the proposals of the groups of a detection free. `changed` are the contents of images
        next to which files may have changed."""
        if self._criteria is None:
            return
        criteria = self._criteria()
        self._store.write(lambda db: promised_bytes.mark_estimated(db, detection_id, criteria, changed))
        with self._store.read() as database:
            estimated = promised_bytes.estimated(database, detection_id)
        for portion in images.chunks(estimated, PROMISED_AT_ONCE):
            progress.checkpoint()
            with self._store.read() as database:
                freed = promised_bytes.promised(database, portion, criteria)
            self._store.write(partial(promised_bytes.store, freed=freed))

    def bring_up_to_date(self, progress: Progress, wanted: DetectJobParameters) -> None:
        """Match new contents if the current detection has these parameters; otherwise detect from the start."""
        parameters = self._chosen(wanted)
        with self._store.read() as database:
            detection = matches.current_detection(database)
        if detection is not None and detection.parameters == matches.dump_parameters(parameters):
            self.update(progress)
            self._regroup_all(progress, detection.id)
            self._store.write(partial(_regroup_since, detection_id=detection.id))
        else:
            self._detect(progress, parameters)

    def _outgrown(self, detection_id: int, parameters: DetectParameters) -> DetectParameters | None:
        """The parameters of a new full detection if the library has passed a power of two since the last; None if the
        tolerance stays."""
        assert self._index is not None
        pictures = self._index.pictures
        if not has_outgrown(parameters, pictures):
            return None
        other = with_tolerance(self._store, parameters, pictures)
        if other.tolerance != parameters.tolerance:
            return other
        self._store.write(lambda db: matches.set_parameters(db, detection_id, other))
        return None

    # Matching

    def _match_from_zero(self, progress: Progress, parameters: DetectParameters) -> int:
        """Match everything in a new detection. Returns its id. If the model fails, it continues without it."""
        now_ns = time.time_ns()
        detection_id = self._store.write(lambda db: matches.start_detection(db, parameters, now_ns))
        try:
            self._match(progress, detection_id, parameters)
        except ModelFailed as failed:
            return self._match_from_zero(progress, self._without_model(parameters, failed))
        with self._store.read() as database:
            portions = list(regrouping.portions(database, detection_id))
        self._decide(progress, detection_id, portions)
        return detection_id

    def _decide(self, progress: Progress, detection_id: int, portions: Sequence[Collection[int]]) -> None:
        """Verify the pairs on which the groups of these contents depend, portion by portion. The steps of the progress
        are contents, since each round shows how many pairs remain."""
        progress.begin("verifying", sum(map(len, portions)))
        for contents in portions:
            portion = Portion(progress, len(contents))
            portion.expect(len(contents))
            self._decide_portion(portion, detection_id, contents)
            portion.end()

    def _decide_portion(self, progress: Portion, detection_id: int, contents: Collection[int]) -> None:
        left = len(contents)
        while True:
            with self._store.read() as database:
                candidates = regrouping.undecided_pairs(database, detection_id, contents)
            if not candidates:
                return
            # The first round is by far the longest, and no round can predict the pairs of the next.
            steps = round(ROUND_SHARE * left)
            left -= steps
            judged = self._verifier.judge(progress, candidates, True, steps=steps, by_pixels=False)

            def record(
                database: Any, candidates: Sequence[CandidatePair] = candidates, judged: Judged = judged
            ) -> None:
                assumed_pairs.remove(database, detection_id, candidates)
                self._record(database, detection_id, judged)
                matches.add_tallies(database, detection_id, judged.tallies)

            self._store.write(record)
            contents = {content_id for candidate in candidates for content_id in candidate.pair}

    def _without_model(self, parameters: DetectParameters, failed: ModelFailed) -> DetectParameters:
        """The parameters to continue with if the model has failed: those of the hashes, or of a changed model."""
        assert self._model is not None
        self._model.fail(failed.failure)
        return self._decided(parameters)

    def _match(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> None:
        """Match every content that is new or has returned, and mark those with new matches as stale."""
        self._match_deferred(progress, detection_id, parameters)
        index = self._loaded_index(progress, detection_id, parameters)
        # If this is interrupted, the index is incomplete, and is loaded again.
        self._index = None
        back = self._store.write(lambda db: missing_contents.returned(db, detection_id, index.last_id))
        with self._store.read() as database:
            new = images.count_hashed(database, detection_id, index.last_id, SCHEME)
        chosen = self._searched(parameters)
        index.describe(progress)
        progress.begin("matching", new + len(back))
        for content_ids in images.chunks(back, index.block):
            self._match_returned(progress, index, parameters, content_ids, chosen)
        while (block := index.next_block()) is not None:
            candidates = _among(chosen, index.add_block(progress, block, partial(self._verifier.digests, progress)))
            judged = self._verifier.judge(progress, candidates, parameters.verify, steps=len(block), assume=True)

            def record(database: Any, judged: Judged = judged, last: int = block.last_id) -> None:
                self._record(database, detection_id, judged)
                matches.add_tallies(database, detection_id, judged.tallies)
                matches.set_watermark(database, detection_id, last)

            self._store.write(record)
        self._index = index

    def _match_returned(
        self,
        progress: Progress,
        index: CandidateIndex,
        parameters: DetectParameters,
        content_ids: Sequence[int],
        chosen: Collection[int] | None,
    ) -> None:
        """Match contents that have a file again. Pairs that were verified before were counted then."""
        detection_id = index.detection_id
        block, digests = index.block_of(content_ids), partial(self._verifier.digests, progress)
        candidates = _among(chosen, index.add_block(progress, block, digests))
        with self._store.read() as database:
            known = matches.known_pairs(database, detection_id, [candidate.pair for candidate in candidates], VERIFIER)
        judged = self._verifier.judge(progress, candidates, parameters.verify, steps=len(content_ids), assume=True)
        known.update(candidate.pair for candidate in judged.assumed)
        fresh = tallies([candidate for candidate in candidates if candidate.pair not in known], judged.found)

        def record(database: Any) -> None:
            self._record(database, detection_id, judged)
            matches.add_tallies(database, detection_id, fresh)
            missing_contents.mark_matched(database, detection_id, content_ids)

        self._store.write(record)

    def _match_deferred(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> None:
        """Verify the deferred pairs that can be verified now."""
        with self._store.read() as database:
            waiting = deferred_pairs.ready_pairs(database, detection_id)
        if not waiting:
            return
        progress.begin("verifying", len(waiting))
        judged = self._verifier.judge(progress, waiting, parameters.verify, steps=len(waiting))

        def record(database: Any) -> None:
            deferred_pairs.mark_done(database, detection_id, waiting)
            self._record(database, detection_id, judged)
            matches.add_tallies(database, detection_id, judged.tallies, proposed_before=True)

        self._store.write(record)

    def _searched(self, parameters: DetectParameters) -> set[int] | None:
        """The contents of the folders that a detection is limited to, None for all."""
        if not parameters.folders:
            return None
        with self._store.read() as database:
            return folders.contents_below(database, parameters.folders, parameters.recursive)

    @staticmethod
    def _record(database: Any, detection_id: int, judged: Judged) -> None:
        matches.mark_stale(database, matches.record_matches(database, detection_id, judged.found))
        matches.mark_stale(database, assumed_pairs.add(database, detection_id, judged.assumed))
        deferred_pairs.defer(database, detection_id, judged.later)

    def _loaded_index(self, progress: Progress, detection_id: int, parameters: DetectParameters) -> CandidateIndex:
        """The search index of all contents that are matched and have a file."""
        if self._index is not None and self._index.detection_id == detection_id and self._index.remove_missing():
            return self._index
        wants_features = parameters.verify and parameters.depth is Depth.THOROUGH
        proposer = FeatureCandidates(self._store, self._pool, self._previews) if wants_features else None
        index = CandidateIndex(self._store, detection_id, parameters, proposer, self._vectors(parameters))
        with self._store.read() as database:
            watermark = matches.watermark_of(database, detection_id)
        index.load(progress, watermark)
        return index

    def _vectors(self, parameters: DetectParameters) -> VectorCandidates | None:
        if self._model is None or not parameters.model:
            return None
        # If no hash shows a turn, each turn is searched for.
        turns = len(TURNS) if parameters.used is Method.MODEL and parameters.turns else 1
        return VectorCandidates(self._store, self._model, self._previews, parameters.model, turns)


def _regroup_since(database: Any, detection_id: int) -> None:
    """Rebuild the groups that became stale while all were rebuilt. Those with pairs to be verified stay stale."""
    since = matches.stale_since(database)
    matches.clear_stale(database)
    regrouping.regroup(database, detection_id, since, time.time_ns())


def _rebuild(detection_id: int, portion: Sequence[int], database: Any) -> int:
    return regrouping.rebuild(database, detection_id, portion, time.time_ns())


def _among(chosen: Collection[int] | None, candidates: Sequence[CandidatePair]) -> Sequence[CandidatePair]:
    """The candidates of which both contents were chosen; all of them if `chosen` is None."""
    if chosen is None:
        return candidates
    return [candidate for candidate in candidates if candidate.a_id in chosen and candidate.b_id in chosen]


def resolve(settings: DetectParameters, wanted: DetectJobParameters) -> DetectParameters:
    """The settings, overridden by the parameters of a job; a tolerance is in bits of the hsize of the result. Raises
    UsageError if the tolerance has more bits than the hash."""
    changes: dict[str, Any] = {
        name: value
        for name in ("hsize", "tolerance", "turns", "verify", "depth", "method")
        if (value := getattr(wanted, name)) is not None
    }
    if "hsize" in changes and "tolerance" not in changes and changes["hsize"] != settings.hsize:
        changes |= {"tolerance": default_tolerance(changes["hsize"]), "sized_for": 0}
    if wanted.tolerance is not None:
        changes["sized_for"] = -1
    resolved = replace(settings, folders=tuple(sorted(wanted.folders)), recursive=wanted.recursive, **changes)
    check_tolerance(resolved.hsize, resolved.tolerance)
    return resolved
