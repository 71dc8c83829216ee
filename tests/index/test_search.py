"""The search answers what brute force answers, whatever the hashes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import search
from index.fingerprint import hash_grey, rows_of, turned
from index.model import HSIZES, TURNS, Turn
from index.search import HashIndex


def bits(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count()


def brute_force(rows: np.ndarray, hsize: int, start: int, tolerance: int, turns: bool):
    """By the definition, one pair and one turn after the other."""
    eight = turned(rows, hsize)
    found = set()
    for second in range(start, len(rows)):
        for first in range(second):
            distances = [
                min(
                    bits(eight[first, t].tobytes(), eight[second, 0].tobytes()),
                    bits(eight[first, 0].tobytes(), eight[second, TURNS.index(turn.inverse)].tobytes()),
                )
                for t, turn in enumerate(TURNS)
            ][: 8 if turns else 1]
            if min(distances) <= tolerance:
                found.add((first, second, min(distances), distances.index(min(distances))))
    return found


def answers(index: HashIndex, start: int, tolerance: int):
    return {
        tuple(map(int, pair))
        for found in index.pairs(start, tolerance)
        for pair in zip(found.first, found.second, found.distance, found.turn, strict=True)
    }


def library(seed: int, hsize: int, count: int, kin: float) -> np.ndarray:
    """Hashes of small noise pictures, some of them turned and altered copies of others, some flat, some any bits."""
    rng = np.random.default_rng(seed)
    turns = [lambda g: g, np.fliplr, np.flipud, np.rot90, np.transpose, lambda g: np.rot90(g, 3)]
    pictures: list[np.ndarray] = []
    rows = []
    for _ in range(count):
        if pictures and rng.random() < kin:
            grey = turns[rng.integers(len(turns))](pictures[rng.integers(len(pictures))])
            grey = np.clip(grey + rng.integers(-20, 21, grey.shape), 0, 255)
        else:
            grey = rng.integers(0, 256, (24, 30)) if rng.random() < 0.8 else np.full((24, 30), rng.integers(0, 256))
        pictures.append(grey)
        rows.append(rows_of(hash_grey(np.ascontiguousarray(grey, np.uint8)), hsize))
    if rng.random() < 0.5:
        rows.append(rng.integers(0, 256, rows[0].shape, dtype=np.uint8))
    return np.stack(rows)


@given(
    seed=st.integers(0, 10_000),
    hsize=st.sampled_from(HSIZES),
    count=st.integers(1, 14),
    kin=st.sampled_from([0.2, 0.8]),
    share=st.floats(0, 0.55),
    start=st.integers(0, 14),
    turns=st.booleans(),
    compiled=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_equal_to_brute_force(seed, hsize, count, kin, share, start, turns, compiled):
    rows = library(seed, hsize, count, kin)
    start = min(start, len(rows))
    tolerance = round(share * hsize * hsize)
    before = search.WORTH_COMPILING
    search.WORTH_COMPILING = 0 if compiled else before
    try:
        index = HashIndex(hsize, turns)
        for low in range(0, len(rows), 5):
            index.extend(rows[low : low + 5])
        assert answers(index, start, tolerance) == brute_force(rows, hsize, start, tolerance, turns)
    finally:
        search.WORTH_COMPILING = before


@pytest.mark.parametrize("hsize", HSIZES)
def test_more_rows_than_a_block_and_more_hits_than_a_buffer(hsize: int, monkeypatch: pytest.MonkeyPatch):
    """3,000 rows of which 300 are one picture: 44,850 pairs among them, found by both engines alike."""
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 256, (3000, 4, hsize * hsize // 8), dtype=np.uint8)
    rows[::10] = rows_of(hash_grey(rng.integers(0, 256, (40, 40), dtype=np.uint8)), hsize)
    tolerance = hsize * hsize // 8
    plain = HashIndex(hsize)
    plain.extend(rows)
    monkeypatch.setattr(search, "WORTH_COMPILING", 10**12)
    expected = answers(plain, 2500, tolerance)
    monkeypatch.setattr(search, "WORTH_COMPILING", 0)
    assert answers(plain, 2500, tolerance) == expected
    assert len(expected) >= 50 * 250


@pytest.mark.parametrize("turn", TURNS)
def test_the_turn_leads_from_the_first_to_the_second(turn: Turn):
    grey = np.random.default_rng(8).integers(0, 256, (60, 90), dtype=np.uint8)
    how = {
        Turn.NONE: lambda g: g,
        Turn.FLIP_HORIZONTAL: np.fliplr,
        Turn.FLIP_VERTICAL: np.flipud,
        Turn.ROTATE_180: lambda g: np.rot90(g, 2),
        Turn.TRANSPOSE: np.transpose,
        Turn.ROTATE_90: lambda g: np.rot90(g, -1),
        Turn.ROTATE_270: np.rot90,
        Turn.TRANSVERSE: lambda g: np.rot90(np.transpose(g), 2),
    }[turn]
    index = HashIndex(16)
    index.extend(rows_of(hash_grey(grey), 16)[None])
    index.extend(rows_of(hash_grey(np.ascontiguousarray(how(grey))), 16)[None])
    ((first, second, distance, found),) = answers(index, 0, 4)
    assert (first, second, TURNS[found]) == (0, 1, turn)
    assert distance <= 2


def test_progress_is_told_and_may_leave_off():
    index = HashIndex(8)
    index.extend(np.random.default_rng(1).integers(0, 256, (500, 4, 8), dtype=np.uint8))
    told: list[int] = []
    list(index.pairs(100, 3, told.append))
    assert told[-1] == 400
    assert told == sorted(told)

    def leave_off(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(index.pairs(0, 3, leave_off))
