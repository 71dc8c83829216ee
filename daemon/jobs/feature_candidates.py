"""The second way to propose pairs, for crops, frames and screenshots: local features, described by workers and kept.

Used by the detector in the runner's thread; `depth = "thorough"` asks for it.
"""

from collections.abc import Sequence

import numpy as np

from daemon.jobs.progress import Progress
from daemon.jobs.tries import Tries
from daemon.jobs.views import Views
from daemon.processes.judging import NO_VIEW, describe_view
from daemon.processes.workers import WorkerPool
from index.candidates.feature_index import FeatureIndex
from index.candidates.features import SCHEME, Described
from index.records import catalogue
from index.store import Store

# Contents whose features are read at a time: 8 MB.
AT_ONCE = 1000
# Those whose features are made at a time: some seconds of work, which a crash can lose.
MADE_AT_ONCE = 200


class Proposer:
    """The features of the contents seen so far, by content, in the order they came. Held by one detection."""

    def __init__(self, store: Store, pool: WorkerPool, views: Views) -> None:
        self._store = store
        self._tries = Tries(store, pool, SCHEME, "described")
        self._views = views
        self._index = FeatureIndex()
        self._content_ids: list[int] = []
        # Those of which no view could be made: once asked is enough.
        self._unseen: set[int] = set()

    def load(self, progress: Progress, content_ids: Sequence[int]) -> None:
        """Take in contents, by ascending id, whose pairs are known."""
        for low in range(0, len(content_ids), AT_ONCE):
            self._index.load(self._present(progress, content_ids[low : low + AT_ONCE]))

    def let_go(self, content_ids: Sequence[int]) -> None:
        """Propose these no more."""
        self._index.remove(np.flatnonzero(np.isin(np.asarray(self._content_ids, np.int64), content_ids)).tolist())

    def describe(self, progress: Progress, content_ids: Sequence[int]) -> None:
        """Make the features of contents, of which none are kept, before they are searched: what a stop or a crash
        cuts off is kept all but the last seconds."""
        for low in range(0, len(content_ids), MADE_AT_ONCE):
            some = content_ids[low : low + MADE_AT_ONCE]
            self._make(progress, some)
            progress.advance(len(some))

    def propose(self, progress: Progress, content_ids: Sequence[int]) -> list[tuple[int, int]]:
        """Take in contents and give the pairs (a < b) that they make with those before and one another.

        Features are made once for all detections. A picture without a view takes no part.
        """
        pairs = self._index.add(self._present(progress, content_ids), progress.checkpoint)
        by_content = [(self._content_ids[earlier], self._content_ids[later]) for earlier, later in pairs]
        return [(min(pair), max(pair)) for pair in by_content]

    def _present(self, progress: Progress, content_ids: Sequence[int]) -> list[Described]:
        described = self._described(progress, content_ids)
        present = [content_id for content_id in content_ids if content_id in described]
        self._content_ids += present
        return [described[content_id] for content_id in present]

    def _described(self, progress: Progress, content_ids: Sequence[int]) -> dict[int, Described]:
        with self._store.read() as database:
            kept = catalogue.features_of(database, content_ids, SCHEME)
        made = self._make(progress, [one for one in content_ids if one not in kept and one not in self._unseen])
        return {content_id: Described.from_bytes(blob) for content_id, blob in (kept | made).items()}

    def _make(self, progress: Progress, content_ids: Sequence[int]) -> dict[int, bytes]:
        """Features by content, kept; a picture without a view has none."""
        made: dict[int, bytes] = {}
        broken = self._describe(progress, content_ids, made)
        if broken:
            # What is gone or broken is made anew, once.
            with self._store.read() as database:
                rows = catalogue.contents(database, broken)
            self._views.forget(bytes(row.digest) for row in rows.values())
            self._describe(progress, broken, made)
        self._unseen |= set(content_ids) - set(made)
        return made

    def _describe(self, progress: Progress, content_ids: Sequence[int], made: dict[int, bytes]) -> list[int]:
        """Add to what is made, and keep it; those whose view cannot be read."""
        views, _ = self._views.ensure(content_ids, progress)
        broken: list[int] = []
        fresh: dict[int, bytes] = {}
        outcomes = self._tries.run(describe_view, [(content_id, str(path)) for content_id, path in views.items()])
        try:
            for outcome in outcomes:
                progress.checkpoint()
                if outcome.value is not None:
                    fresh[outcome.item[0]] = outcome.value
                elif outcome.failure is not None and outcome.failure.reason == NO_VIEW:
                    broken.append(outcome.item[0])
        finally:
            outcomes.close()
            self._store.write(lambda db: catalogue.put_features(db, SCHEME, fresh))
            made |= fresh
        return broken
