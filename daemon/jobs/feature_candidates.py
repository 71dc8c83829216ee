"""The second way to propose pairs, for crops, frames and screenshots: local features, described by workers and stored.

Used by the detector in the runner's thread, with `depth = "thorough"`.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from daemon.jobs.previews import Previews
from daemon.jobs.progress import Portion, Progress
from daemon.jobs.quarantine import Quarantine
from daemon.processes.verify_task import NO_VIEW, describe_preview
from daemon.processes.worker_pool import Outcome, WorkerPool
from index.database.records import images
from index.database.store import Store
from index.imaging.candidates.features.descriptors import SCHEME, FeatureSet
from index.imaging.candidates.features.feature_index import FeatureIndex

# Contents whose features are read at a time: 8 MB.
AT_ONCE = 1000
# Those whose features are made at a time: some seconds of work, which a crash can lose.
MADE_AT_ONCE = 200


class FeatureCandidates:
    """The features of the contents seen so far, by content, in the order of arrival. Held by one detection."""

    def __init__(self, store: Store, pool: WorkerPool, previews: Previews) -> None:
        self._store = store
        self._quarantine = Quarantine[int](store, pool, SCHEME, "described")
        self._previews = previews
        self._index = FeatureIndex()
        self._content_ids: list[int] = []
        # Contents without a preview: they are tried once.
        self._unseen: set[int] = set()

    def load(self, progress: Progress, content_ids: Sequence[int]) -> None:
        """Add contents, by ascending id, whose pairs are known."""
        for low in range(0, len(content_ids), AT_ONCE):
            self._index.load(self._present(progress, content_ids[low : low + AT_ONCE]))

    def remove(self, content_ids: Sequence[int]) -> None:
        """Remove contents: they are no longer proposed."""
        self._index.remove(np.flatnonzero(np.isin(np.asarray(self._content_ids, np.int64), content_ids)).tolist())

    def describe(self, progress: Progress, content_ids: Sequence[int]) -> None:
        """Compute the missing features of contents before they are searched. If a stop or a crash interrupts this, only
        the last seconds are lost."""
        for low in range(0, len(content_ids), MADE_AT_ONCE):
            chunk = content_ids[low : low + MADE_AT_ONCE]
            portion = Portion(progress, len(chunk))
            portion.expect(2 * len(chunk))
            self._make(portion, chunk)
            portion.end()

    def propose(self, progress: Progress, content_ids: Sequence[int]) -> list[tuple[int, int]]:
        """Add contents and return the pairs (a < b) that they form with those before and with one another.

        Features are computed once for all detections. A picture without a preview takes no part.
        """
        pairs = self._index.add(self._present(progress, content_ids), progress.checkpoint)
        by_content = [(self._content_ids[earlier], self._content_ids[later]) for earlier, later in pairs]
        return [(min(pair), max(pair)) for pair in by_content]

    def _present(self, progress: Progress, content_ids: Sequence[int]) -> list[FeatureSet]:
        described = self._described(progress, content_ids)
        present = [content_id for content_id in content_ids if content_id in described]
        self._content_ids += present
        return [described[content_id] for content_id in present]

    def _described(self, progress: Progress, content_ids: Sequence[int]) -> dict[int, FeatureSet]:
        with self._store.read() as database:
            kept = images.features_of(database, content_ids, SCHEME)
        made = self._make(Portion(progress), [c for c in content_ids if c not in kept and c not in self._unseen])
        return {content_id: FeatureSet.from_bytes(blob) for content_id, blob in (kept | made).items()}

    def _make(self, progress: Progress, content_ids: Sequence[int]) -> dict[int, bytes]:
        """Features by content, which are stored. A picture without a preview has none."""
        made: dict[int, bytes] = {}
        broken = self._describe(progress, content_ids, made)
        if broken:
            # A missing or broken preview is made again, once.
            with self._store.read() as database:
                rows = images.contents(database, broken)
            self._previews.forget(bytes(row.digest) for row in rows.values())
            self._describe(progress, broken, made)
        self._unseen |= set(content_ids) - set(made)
        return made

    def _describe(self, progress: Progress, content_ids: Sequence[int], made: dict[int, bytes]) -> list[int]:
        """Compute features and store them. Returns the contents whose preview cannot be read."""
        paths, _ = self._previews.ensure(content_ids, progress)
        broken: list[int] = []
        outcomes = self._quarantine.run(
            describe_preview, ((content_id, str(path)) for content_id, path in paths.items()), _record
        )
        with closing(outcomes):
            for outcome in outcomes:
                progress.advance()
                if outcome.value is not None:
                    made[outcome.item[0]] = outcome.value
                elif outcome.failure is not None and outcome.failure.reason == NO_VIEW:
                    broken.append(outcome.item[0])
        return broken


def _record(database: Any, outcomes: Iterable[Outcome[tuple[int, str], bytes]]) -> None:
    made = {outcome.item[0]: outcome.value for outcome in outcomes if outcome.value is not None}
    images.store_features(database, SCHEME, made)
