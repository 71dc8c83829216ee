"""Pairs drawn at random: the same draw, distances by the definition, and expectations that come true."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index.database import schema
from index.database.records import random_pairs
from index.database.store import Store
from index.imaging.candidates.calibration import false_candidates
from index.imaging.candidates.search.hash_index import HashIndex
from index.model import HSIZES
from support.weblibrary import Library

SCHEME = "test"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        yield made


def spectra(count: int, hsize: int, seed: int) -> np.ndarray:
    """Hashes in 4 flips of made-up pictures whose frequencies hang together, uint8 (count, 4, hsize*hsize/8)."""
    random = np.random.default_rng(seed)
    bits = hsize * hsize
    together = np.random.default_rng(2).standard_normal((3, bits)) / 2
    odd = np.where(np.arange(hsize) % 2, -1, 1)
    signs = np.stack([np.ones(bits), np.tile(odd, hsize), np.repeat(odd, hsize), np.outer(odd, odd).ravel()])
    own = random.standard_normal((count, bits)) + random.standard_normal((count, 3)) @ together
    rows = own[:, None] * signs
    return np.packbits(rows > np.median(rows, axis=2, keepdims=True), axis=2)


def fill(library: Library, count: int) -> dict[int, np.ndarray]:
    hashes = {hsize: spectra(count, hsize, hsize) for hsize in HSIZES}
    rows = [
        {
            "digest": number.to_bytes(32, "big"), "size_bytes": 1, "scheme": SCHEME, "detail": 50,
            **{f"hash{hsize}": hashes[hsize][number].tobytes() for hsize in HSIZES},
        }
        for number in range(count)
    ]  # fmt: skip

    def insert(database: object) -> None:
        for low in range(0, count, 100):
            schema.Content.insert_many(rows[low : low + 100]).execute(database)

    library.write(insert)
    return hashes


def test_of_few_contents_every_pair_is_drawn_and_measured_by_the_definition(library: Library) -> None:
    hashes = fill(library, 7)
    with library.store.read() as database:
        drawn = random_pairs.draw(database, SCHEME, 5)
        assert (
            len(random_pairs.draw(database, "other", 5).pairs)
            == len(random_pairs.draw(database, SCHEME, 51).pairs)
            == 0
        )
    assert drawn.images == 7
    assert drawn.pairs.tolist() == [[a, b] for a in range(1, 8) for b in range(a + 1, 8)]
    for hsize in HSIZES:
        for turns in (True, False):
            index = HashIndex(hsize, turns)
            index.extend(hashes[hsize])
            wanted = [index.distance(a - 1, b - 1) for a, b in drawn.pairs.tolist()]
            assert drawn.distances[hsize, turns].tolist() == wanted


def test_of_many_as_many_are_drawn_as_are_wanted_and_always_the_same(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(library, 60)
    monkeypatch.setattr(random_pairs, "PAIRS", 500)
    with library.store.read() as database:
        first, again = random_pairs.draw(database, SCHEME, 5), random_pairs.draw(database, SCHEME, 5)
    assert np.array_equal(first.pairs, again.pairs)
    assert len({tuple(pair) for pair in first.pairs.tolist()}) == len(first.pairs) == 500
    assert (first.pairs[:, 0] < first.pairs[:, 1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [84, 90, 96])
def test_what_is_expected_is_what_a_search_of_all_pairs_finds(
    library: Library, monkeypatch: pytest.MonkeyPatch, tolerance: int
) -> None:
    """Predicted from a sample of one pair in nine, observed among all."""
    hashes = fill(library, 600)
    monkeypatch.setattr(random_pairs, "PAIRS", 20_000)
    with library.store.read() as database:
        drawn = random_pairs.draw(database, SCHEME, 5)
    sample = random_pairs.measure(drawn, np.ones(len(drawn.pairs), bool), 0, 0, 1)
    expected = false_candidates(sample.distances(16, True), 600, tolerance)
    index = HashIndex(16)
    index.extend(hashes[16])
    observed = sum(len(pairs) for pairs in index.pairs(0, tolerance, most=600))
    assert expected.low <= observed <= expected.high
    assert observed > 0


def test_a_stored_sample_is_read_back_unchanged(library: Library) -> None:
    fill(library, 12)
    with library.store.read() as database:
        assert random_pairs.read(database) is None
        drawn = random_pairs.draw(database, SCHEME, 5)
    unrelated = np.ones(len(drawn.pairs), bool)
    unrelated[0] = False
    sample = random_pairs.with_false_candidates(
        random_pairs.measure(drawn, unrelated, 40, 1, 77), 16, True, 80, {70: 2, 79: 1}
    )
    library.write(lambda db: random_pairs.store(db, library.detection_id, sample))
    with library.store.read() as database:
        assert random_pairs.read(database) == sample
    assert [sample.false_candidates_within(16, True, tolerance) for tolerance in (69, 70, 80, 81)] == [0, 2, 3, None]
    assert sample.false_candidates_within(16, False, 70) is sample.false_candidates_within(8, True, 9) is None
    assert sample.distances(8, False) == sorted(drawn.distances[8, False][1:].tolist())


def test_what_a_detection_proposed_and_denied_is_counted(library: Library) -> None:
    rows = [(70, 5, 3, 1), (79, 2, 0, 0), (90, 9, 0, 0)]
    for distance, proposed, near, possible in rows:
        values = {"distance": distance, "proposed": proposed, "near": near, "possible": possible}
        library.write(lambda db, v=values: schema.Tally.insert(detection=library.detection_id, **v).execute(db))
    with library.store.read() as database:
        assert random_pairs.false_candidates(database, library.detection_id, 80) == {70: 1, 79: 2}


def test_pairs_that_are_matches_are_not_unrelated(library: Library) -> None:
    fill(library, 4)
    values = {"kind": "near", "distance": 1, "turn": "none", "confidence": 1.0, "evidence": "{}"}
    library.write(lambda db: schema.Match.insert(detection=library.detection_id, a=1, b=3, **values).execute(db))
    with library.store.read() as database:
        pairs = np.array([[1, 2], [1, 3], [3, 4]])
        assert random_pairs.matched(database, library.detection_id, pairs).tolist() == [False, True, False]
