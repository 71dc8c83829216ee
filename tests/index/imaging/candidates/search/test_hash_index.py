"""The search answers what brute force answers, whatever the hashes, with numba and without."""

import ast
import inspect
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.imaging.candidates.perceptual_hash import hash_grey, rows_of, turned
from index.imaging.candidates.search import hash_index, numba_search
from index.imaging.candidates.search.hash_index import HashIndex, Pairs
from index.imaging.candidates.search.hash_rows import BLOCK
from index.model import HSIZES, TURNS, Turn

ENGINES = ["numba", "numpy"]
ROTATE_90, ROTATE_270 = TURNS.index(Turn.ROTATE_90), TURNS.index(Turn.ROTATE_270)
HOW = {
    Turn.NONE: lambda g: g,
    Turn.FLIP_HORIZONTAL: np.fliplr,
    Turn.FLIP_VERTICAL: np.flipud,
    Turn.ROTATE_180: lambda g: np.rot90(g, 2),
    Turn.TRANSPOSE: np.transpose,
    Turn.ROTATE_90: lambda g: np.rot90(g, -1),
    Turn.ROTATE_270: np.rot90,
    Turn.TRANSVERSE: lambda g: np.rot90(np.transpose(g), 2),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with searching_with(request.param):
        yield request.param


class searching_with:  # noqa: N801 - used as a statement
    """Makes every search, however small, go through one engine."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def __enter__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(hash_index, "WORTH_COMPILING", 0)
        if self.engine == "numpy":
            self.patch.setattr(hash_index, "_compiled", lambda: None)

    def __exit__(self, *error: object) -> None:
        self.patch.undo()


def bits(a: np.ndarray, b: np.ndarray) -> int:
    return (int.from_bytes(a.tobytes(), "big") ^ int.from_bytes(b.tobytes(), "big")).bit_count()


def apart(first: np.ndarray, second: np.ndarray, turns: bool) -> tuple[int, int]:
    """Distance and turn of two pictures given by their hashes in 8 turns: the definition, word for word."""
    distances = [
        min(bits(first[t], second[0]), bits(first[0], second[TURNS.index(turn.inverse)]))
        for t, turn in enumerate(TURNS)
    ][: 8 if turns else 1]
    least = min(distances)
    turn = distances.index(least)
    if turn == ROTATE_90 and distances[ROTATE_270] == least:
        a, b = (one[0].view(np.uint64).tolist() for one in (first, second))
        turn = ROTATE_270 if a > b else ROTATE_90
    return least, turn


def brute_force(rows: np.ndarray, hsize: int, tolerance: int, turns: bool, pairs, most: int):
    """By the definition, one pair after the other, for each second row the nearest first ones."""
    eight = turned(rows, hsize)
    near: dict[int, list] = {}
    for first, second in pairs:
        distance, turn = apart(eight[first], eight[second], turns)
        if distance <= tolerance:
            near.setdefault(second, []).append((distance, first, turn))
    return [(first, second, d, turn) for second in sorted(near) for d, first, turn in sorted(near[second])[:most]]


def listed(*chunks: Pairs) -> list[tuple[int, int, int, int]]:
    return [
        tuple(map(int, pair))
        for found in chunks
        for pair in zip(found.first, found.second, found.distance, found.turn, strict=True)
    ]


def library(seed: int, hsize: int, count: int, kin: float) -> np.ndarray:
    """Hashes of small noise pictures, some turned and altered copies of others, some flat or alike, some any bits."""
    rng = np.random.default_rng(seed)
    turns = list(HOW.values())
    pictures: list[np.ndarray] = []
    rows = []
    for _ in range(count):
        kind = rng.random()
        if pictures and kind < kin:
            grey = turns[rng.integers(len(turns))](pictures[rng.integers(len(pictures))])
            grey = np.clip(grey + rng.integers(-20, 21, grey.shape), 0, 255) if rng.random() < 0.7 else grey
        else:
            grey = rng.integers(0, 256, (24, 30)) if rng.random() < 0.8 else np.full((24, 30), rng.integers(0, 256))
        pictures.append(grey)
        row = rows_of(hash_grey(np.ascontiguousarray(grey, np.uint8)), hsize)
        chance = rng.random()
        if chance < 0.1:
            row = rng.integers(0, 256, row.shape, dtype=np.uint8)
        elif chance < 0.2:
            row = np.full(row.shape, rng.choice([0, 255]), np.uint8)
        rows.append(row)
    return np.stack(rows)


@given(
    seed=st.integers(0, 10_000),
    hsize=st.sampled_from(HSIZES),
    count=st.integers(1, 14),
    kin=st.sampled_from([0.2, 0.8]),
    share=st.one_of(st.just(0), st.floats(0, 1)),
    start=st.integers(0, 14),
    most=st.sampled_from([1, 3, 100]),
    turns=st.booleans(),
    with_=st.sampled_from(ENGINES),
)
@settings(max_examples=200, deadline=None)
def test_equal_to_brute_force(seed, hsize, count, kin, share, start, most, turns, with_):
    rows = library(seed, hsize, count, kin)
    start = min(start, count)
    tolerance = round(share * hsize * hsize)
    known = HashIndex(hsize, turns)
    known.extend(rows[:start])
    index = HashIndex(hsize, turns)
    for low in range(0, count, 5):
        index.extend(rows[low : low + 5])
    with searching_with(with_):
        pairs = [(first, second) for second in range(start, count) for first in range(second)]
        assert listed(*index.pairs(start, tolerance, most=most)) == brute_force(
            rows, hsize, tolerance, turns, pairs, most
        )
        all_known = [(first, second) for second in range(start, count) for first in range(start)]
        near = [
            (first, second + start, d, t)
            for first, second, d, t in listed(known.near(rows[start:], tolerance, most=most))
        ]
        assert near == brute_force(rows, hsize, tolerance, turns, all_known, most)


@given(seed=st.integers(0, 10_000), hsize=st.sampled_from(HSIZES), with_=st.sampled_from(ENGINES))
@settings(max_examples=50, deadline=None)
def test_the_order_of_arrival_does_not_matter(seed, hsize, with_):
    rows = library(seed, hsize, 12, 0.7)
    order = np.random.default_rng(seed).permutation(12)
    tolerance = hsize * hsize // 3

    def pairs_in(order: np.ndarray) -> set:
        index = HashIndex(hsize)
        index.extend(rows[order])
        pairs = set()
        for first, second, distance, turn in listed(*index.pairs(0, tolerance)):
            a, b, how = int(order[first]), int(order[second]), TURNS[turn]
            # Turned to lead from the lesser number; of two equal hashes it makes no difference which is which.
            pairs.add((a, b, distance, how) if a < b else (b, a, distance, how.inverse))
        return pairs

    with searching_with(with_):
        assert pairs_in(order) == pairs_in(np.arange(12))


@pytest.mark.parametrize("hsize", HSIZES)
def test_both_engines_alike_over_many_blocks(hsize: int):
    """3,000 rows, 300 of them one picture and 300 nearly that: more than a block, and more near rows than returned."""
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 256, (3000, 4, hsize * hsize // 8), dtype=np.uint8)
    rows[::10] = rows_of(hash_grey(rng.integers(0, 256, (40, 40), dtype=np.uint8)), hsize)
    rows[5::10] = rows[::10]
    rows[5::10, 0, 0] ^= rng.integers(0, 256, 300, dtype=np.uint8)
    index = HashIndex(hsize)
    index.extend(rows)
    results = []
    for engine in ENGINES:
        with searching_with(engine):
            results.append(listed(*index.pairs(2500, hsize * hsize // 8, most=120)))
    assert results[0] == results[1]
    assert len(results[0]) == 100 * 120
    assert 3000 > 2 * BLOCK


@pytest.mark.parametrize("turn", TURNS)
def test_the_turn_leads_from_the_first_to_the_second(turn: Turn, engine: str):
    grey = np.random.default_rng(8).integers(0, 256, (60, 90), dtype=np.uint8)
    index = HashIndex(16)
    index.extend(rows_of(hash_grey(grey), 16)[None])
    copy = rows_of(hash_grey(np.ascontiguousarray(HOW[turn](grey))), 16)[None]
    ((first, second, distance, found),) = listed(index.near(copy, 4))
    assert (first, second, TURNS[found]) == (0, 0, turn)
    assert distance <= 2
    index.extend(copy)
    assert listed(*index.pairs(0, 4)) == [(0, 1, distance, found)]


def test_a_thousand_of_one_look_make_a_star(engine: str):
    """Each is paired with the first few: the pairs stay few, and all have those in common."""
    index = HashIndex(16)
    index.extend(np.repeat(library(1, 16, 1, 0), 1000, axis=0))
    pairs = listed(*index.pairs(0, 80, most=4))
    assert {first for first, *_ in pairs} == {0, 1, 2, 3}
    assert [first for first, second, *_ in pairs if second == 999] == [0, 1, 2, 3]
    assert len(pairs) == 0 + 1 + 2 + 3 + 4 * 996


def test_what_is_removed_is_found_no_more(engine: str):
    rows = np.repeat(library(1, 16, 1, 0), 5, axis=0)
    index = HashIndex(16)
    index.extend(rows)
    index.remove([1, 3])
    assert [(a, b) for a, b, *_ in listed(*index.pairs(0, 0))] == [(0, 2), (0, 4), (2, 4)]
    assert index.near(rows[:1], 0).first.tolist() == [0, 2, 4]
    index.extend(rows[:1])
    assert [(a, b) for a, b, *_ in listed(*index.pairs(5, 0))] == [(0, 5), (2, 5), (4, 5)]
    assert len(index) == 6


@pytest.mark.parametrize("turns", [True, False])
def test_the_distance_of_any_two(turns: bool):
    rows = library(5, 16, 6, 0.7)
    index = HashIndex(16, turns)
    index.extend(rows)
    eight = turned(rows, 16)
    for first in range(6):
        for second in range(6):
            assert index.distance(first, second) == apart(eight[first], eight[second], turns)[0]


def test_more_threads_find_the_same(engine: str):
    found = []
    for threads in (1, 3):
        index = HashIndex(8, threads=threads)
        index.extend(np.random.default_rng(1).integers(0, 256, (400, 4, 8), dtype=np.uint8))
        found.append([(pairs.first.tolist(), pairs.second.tolist()) for pairs in index.pairs(0, 20)])
    assert found[0] == found[1] != []


def test_an_empty_index_knows_nothing(engine: str):
    index = HashIndex(16)
    assert list(index.pairs(0, 256)) == []
    assert len(index.near(library(1, 16, 2, 0), 256)) == 0
    index.extend(library(1, 16, 2, 0))
    assert list(index.pairs(2, 256)) == []
    assert len(index.near(library(1, 16, 2, 0)[:0], 256)) == 0


def test_progress_is_reported_and_may_stop_the_search():
    index = HashIndex(8)
    index.extend(np.random.default_rng(1).integers(0, 256, (500, 4, 8), dtype=np.uint8))
    reported: list[int] = []
    list(index.pairs(100, 3, reported.append))
    assert reported[-1] == 400
    assert reported == sorted(reported)

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(index.pairs(0, 3, stop))


def test_without_numba_it_searches_with_numpy(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setitem(sys.modules, "index.imaging.candidates.search.numba_search", None)
    monkeypatch.setattr(hash_index, "WORTH_COMPILING", 0)
    hash_index._compiled.cache_clear()
    index = HashIndex(8)
    index.extend(np.zeros((3, 4, 8), np.uint8))
    assert len(listed(*index.pairs(0, 0))) == 3
    assert "numba" in caplog.text
    hash_index._compiled.cache_clear()


def test_what_is_compiled_depends_on_its_own_file_alone():
    """numba keeps compiled code until the file of the function changes: a constant of another would grow stale."""
    used = {
        name
        for kernel in vars(numba_search).values()
        if hasattr(kernel, "py_func")
        for name in kernel.py_func.__code__.co_names
    }
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(inspect.getsource(numba_search)))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("index")
        for alias in node.names
    }
    assert "AHEAD" in imported
    # The instructions of candidates.numba_support never change their meaning.
    assert used & imported == {"popcount", "lowest"}
