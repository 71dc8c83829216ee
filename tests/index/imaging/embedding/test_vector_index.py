"""The nearest vectors: as by comparing all with all, and the same however they came."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.imaging.candidates.search.hash_rows import BLOCK
from index.imaging.embedding import compiled_search, vector_index
from index.imaging.embedding.cosine_limits import CosineLimits
from index.imaging.embedding.vector_index import PROPOSALS, Near, VectorIndex
from index.imaging.embedding.vectors import cosines, signs

LIMITS = CosineLimits(0.52, 0.64, 0.6)


def vectors(count: int, dimensions: int, seed: int = 0, scenes: int = 20) -> np.ndarray:
    """Vectors around some directions, so that many have near ones, and some are equal."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(scenes, dimensions))
    rows = centres[random.integers(0, scenes, count)] + random.normal(size=(count, dimensions)) * 0.7
    rows[:: max(2, count // 7)] = rows[0]
    return np.rint(rows * 127 / np.abs(rows).max(axis=1, keepdims=True)).astype(np.int8)


def by_definition(rows: np.ndarray, present: np.ndarray, query: np.ndarray, end: int) -> list[Near]:
    there = np.flatnonzero(present[:end])
    apart = np.bitwise_count(signs(rows[there]) ^ signs(query[None])).sum(axis=1)
    ranked = there[np.lexsort((there, apart))[: PROPOSALS.ranked]]
    likeness = cosines(rows[ranked], query)
    order = np.lexsort((ranked, -likeness))[: PROPOSALS.most]
    near = [Near(int(ranked[k]), float(likeness[k])) for k in order]
    limits = [LIMITS.first] + [LIMITS.further] * 4 + [(LIMITS.further + 1) / 2] * 7
    return [one for one, limit in zip(near, limits, strict=False) if one.cosine >= limit]


@pytest.mark.parametrize("engine", [vector_index._by_numpy, compiled_search.add_nearest], ids=["numpy", "compiled"])
@pytest.mark.parametrize("dimensions", [16, 100, 256])
def test_it_finds_what_the_definition_does(engine, dimensions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "_engine", lambda _: engine)
    # Segments of two blocks, so that several are searched.
    monkeypatch.setattr(vector_index, "BLOCKS", 2)
    monkeypatch.setattr(vector_index, "SEGMENT", 2 * BLOCK)
    rows = vectors(3 * BLOCK, dimensions)
    index = VectorIndex(dimensions, LIMITS, threads=2)
    index.extend(rows[:1000])
    index.extend(rows[1000:])
    gone = np.arange(5, len(rows), 9)
    index.remove(gone)
    present = np.ones(len(rows), bool)
    present[gone] = False
    ends = np.array([0, 1, 448, 896, 897, len(rows)])
    found = list(index.earlier(rows[ends - 1], ends))
    assert found == [by_definition(rows, present, rows[end - 1], end) for end in ends.tolist()]
    assert max(map(len, found)) >= PROPOSALS.nearest or dimensions == 256
    assert any(found)


@settings(max_examples=30)
@given(st.integers(1, 120), st.lists(st.integers(1, 119), max_size=4), st.integers(0, 10**6))
def test_what_is_found_does_not_depend_on_how_many_come_at_a_time(count: int, cuts: list[int], seed: int) -> None:
    rows = vectors(count, 24, seed, scenes=5)

    def pairs(parts: list[int]) -> list[tuple[int, Near]]:
        index, found = VectorIndex(24, threads=1), []
        for start, end in zip([0, *parts], [*parts, count], strict=True):
            index.extend(rows[start:end])
            ends = np.arange(start, end)
            for query, near in zip(range(start, end), index.earlier(rows[start:end], ends), strict=True):
                found += [(query, one) for one in near]
        return found

    assert pairs(sorted({cut for cut in cuts if cut < count})) == pairs([])


def test_of_many_close_pictures_more_are_proposed_than_of_others() -> None:
    random = np.random.default_rng(3)
    query = random.integers(-100, 100, 64)
    close, others = (np.clip(query + random.normal(0, noise, (20, 64)), -127, 127).astype(np.int8) for noise in (5, 60))
    for rows, count in ((close, PROPOSALS.most), (others, PROPOSALS.nearest)):
        index = VectorIndex(64, LIMITS)
        index.extend(rows)
        (found,) = index.earlier(query[None].astype(np.int8), np.array([20]))
        assert len(found) == count
        assert found == sorted(found, key=lambda one: -one.cosine)


def test_a_checkpoint_may_stop_it() -> None:
    index = VectorIndex(16)
    index.extend(vectors(100, 16))

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(index.earlier(vectors(100, 16), np.full(100, 100), stop))
