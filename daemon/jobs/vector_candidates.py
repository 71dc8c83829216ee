"""A third way to propose pairs: vectors of a model, computed by workers from the previews and stored in the index.

Used by the detector in the runner's thread, if the method of a detection uses the model.
"""

from array import array
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from daemon.jobs.embedding_model import FAILURES_IN_A_ROW, EmbeddingModel, is_failure_of_model
from daemon.jobs.previews import Previews
from daemon.jobs.progress import Portion, Progress
from daemon.jobs.quarantine import Quarantine
from daemon.processes.model_task import NO_VIEW, EmbedTask, embed_preview
from daemon.processes.worker_pool import Outcome
from index.database.records import images, vectors
from index.database.store import Store
from index.errors import PictureError
from index.imaging.candidates.perceptual_hash import SCHEME
from index.imaging.embedding.vector_index import VectorIndex

# Contents whose vectors are made at a time: some seconds of work, which a crash can lose.
MADE_AT_ONCE: Final = 200
# Those whose vectors are read at a time.
AT_ONCE: Final = 5000
# Reasons for which a model may have no vector of one picture, although it has vectors of others.
NONE_OF_PICTURE: Final = frozenset(("model.not_finite", "model.zero"))


class ModelFailed(Exception):
    """The model cannot be used: `failure` is the reason. The detection continues without it."""

    def __init__(self, failure: PictureError) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True, slots=True)
class ModelPair:
    """Two contents, a < b, with similar vectors."""

    a_id: int
    b_id: int
    cosine: float

    @property
    def pair(self) -> tuple[int, int]:
        return self.a_id, self.b_id


class VectorCandidates:
    """The vectors of the contents seen so far, in the order of arrival. Held by one detection."""

    def __init__(self, store: Store, model: EmbeddingModel, previews: Previews, key: str, turns: int) -> None:
        """`turns` is how many turns of each content are compared with those before."""
        self._store = store
        self._model = model
        self._previews = previews
        self._key = key
        self._turns = turns
        self._quarantine = Quarantine[int](store, model.pool, key, "embedded")
        self._limits = model.report().limits
        self._index = VectorIndex(model.report().dimensions, self._limits)
        self._content_ids = array("q")
        self._rows: dict[int, int] = {}

    def load(self, content_ids: Sequence[int]) -> None:
        """Add contents, by ascending id, whose pairs are known."""
        for chunk in images.chunks(content_ids, AT_ONCE):
            with self._store.read() as database:
                self._take_in(vectors.vectors_of(database, chunk, self._key, 1), chunk)

    def remove(self, content_ids: Sequence[int]) -> None:
        """Remove contents: they are no longer proposed."""
        self._index.remove([row for one in content_ids if (row := self._rows.pop(one, None)) is not None])

    def describe(self, progress: Progress, detection_id: int, least_detail: int) -> None:
        """Compute the vectors of all contents that have none by this model, and remove those of other models. If a stop
        or a crash interrupts this, only the last seconds are lost. Raises ModelFailed."""
        with self._store.read() as database:
            missing = vectors.without_vectors(
                database, detection_id, SCHEME, least_detail, self._key, self._turns
            )  # fmt: skip
        if missing:
            progress.begin("embedding", len(missing))
        for chunk in images.chunks(missing, MADE_AT_ONCE):
            portion = Portion(progress, len(chunk))
            portion.expect(2 * len(chunk))
            self._make(portion, chunk)
            portion.end()
        self._store.write(lambda database: vectors.remove_other_models(database, self._key))

    def propose(self, progress: Progress, content_ids: Sequence[int]) -> list[ModelPair]:
        """Add contents and return the pairs that they form with those before and with one another. Raises ModelFailed.
        A picture without a preview takes no part."""
        made = self._vectors(progress, content_ids)
        start = len(self._content_ids)
        present = self._take_in(made, content_ids)
        dimensions = self._index.dimensions
        queries = [np.frombuffer(made[one], np.int8).reshape(-1, dimensions)[: self._turns] for one in present]
        if not queries:
            return []
        turned = np.concatenate(queries)
        ends = np.repeat(np.arange(start, start + len(present)), self._turns)
        best: dict[tuple[int, int], float] = {}
        for query, near in enumerate(self._index.earlier(turned, ends, progress.checkpoint)):
            own = present[query // self._turns]
            for row, cosine in near:
                other = self._content_ids[row]
                pair = (min(own, other), max(own, other))
                best[pair] = max(cosine, best.get(pair, -1.0))
        return [ModelPair(*pair, round(cosine, 4)) for pair, cosine in best.items()]

    def cosine(self, a_id: int, b_id: int) -> float | None:
        """The cosine of two contents as they are stored; None if one has no vector."""
        first, second = self._rows.get(a_id), self._rows.get(b_id)
        return None if first is None or second is None else round(self._index.cosine(first, second), 4)

    def lets_through(self, cosine: float | None) -> bool:
        """Whether a pair proposed by a hash is similar enough for the model; true if it has no vector of one of
        them."""
        return cosine is None or cosine >= self._limits.passing

    def _take_in(self, made: dict[int, bytes], content_ids: Sequence[int]) -> list[int]:
        """Add those that have a vector. Returns their ids, in the order given."""
        dimensions = self._index.dimensions
        present = [one for one in content_ids if len(made.get(one, b"")) >= dimensions]
        if present:
            self._rows.update((one, row) for row, one in enumerate(present, start=len(self._content_ids)))
            unturned = b"".join(made[one][:dimensions] for one in present)
            self._index.extend(np.frombuffer(unturned, np.int8).reshape(len(present), dimensions))
            self._content_ids.extend(present)
        return present

    def _vectors(self, progress: Progress, content_ids: Sequence[int]) -> dict[int, bytes]:
        with self._store.read() as database:
            kept = vectors.vectors_of(database, content_ids, self._key, self._turns)
        return kept | self._make(Portion(progress), [one for one in content_ids if one not in kept])

    def _make(self, progress: Progress, content_ids: Collection[int]) -> dict[int, bytes]:
        """Vectors by content, which are stored. A missing or broken preview is made again, once."""
        made: dict[int, bytes] = {}
        broken = self._embed(progress, content_ids, made)
        if broken:
            with self._store.read() as database:
                rows = images.contents(database, broken)
            self._previews.forget(bytes(row.digest) for row in rows.values())
            self._embed(progress, broken, made)
        return made

    def _embed(self, progress: Progress, content_ids: Collection[int], made: dict[int, bytes]) -> list[int]:
        """Compute vectors and store them. Returns the contents whose preview cannot be read."""
        if not content_ids:
            return []
        paths, _ = self._previews.ensure(content_ids, progress)
        task, broken, failures = self._model.task, [], 0
        outcomes = self._quarantine.run(
            embed_preview,
            ((one, EmbedTask(task, str(path), self._turns)) for one, path in paths.items()),
            self._record,
        )
        with closing(outcomes):
            for outcome in outcomes:
                progress.advance()
                if outcome.failure is None:
                    made[outcome.item[0]], failures = outcome.value or b"", 0
                elif outcome.failure.reason == NO_VIEW:
                    broken.append(outcome.item[0])
                elif is_failure_of_model(outcome.failure):
                    failures += 1
                    if failures >= FAILURES_IN_A_ROW or outcome.failure.message.code == "model.changed":
                        raise ModelFailed(outcome.failure)
        return broken

    def _record(self, database: Any, outcomes: Collection[Outcome[tuple[int, EmbedTask], bytes]]) -> None:
        """Store vectors, and which pictures the model has no vector of."""
        kept = {one.item[0]: one.value for one in outcomes if one.value is not None}
        kept |= {one.item[0]: b"" for one in outcomes if one.failure and one.failure.message.code in NONE_OF_PICTURE}
        vectors.store_vectors(database, self._key, self._turns, kept)
