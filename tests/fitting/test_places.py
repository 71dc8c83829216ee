"""The fit of the limits of places: it chooses and judges on different photographs; the shipped limits come from it."""

import random
from dataclasses import replace

import pytest

from fitting import places as fitting
from index.imaging.verification.place_limits import FIGURES, FITTED
from index.imaging.verification.places import ADDED
from support.pictures import photograph


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[fitting.Sample]:
    folder = tmp_path_factory.mktemp("photographs")
    paths = [folder / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        photograph(number + 1, 448, 336).save(path)
    return fitting.samples_of(paths, 3)


def test_the_pairs_have_places_and_both_kinds(samples: list[fitting.Sample]) -> None:
    assert {sample.is_added for sample in samples} == {True, False}
    assert all(sample.seen for sample in samples)


def test_a_fit_is_never_worse_than_where_it_began(samples: list[fitting.Sample]) -> None:
    careless = replace(ADDED, one_sided=0.55, flat=8.0, thin_ink=2.0, ink=5.0)
    assert fitting.score(samples, fitting.fit(samples, careless)) <= fitting.score(samples, careless)
    assert fitting.places.ADDED is ADDED


def test_what_was_added_passes(samples: list[fitting.Sample]) -> None:
    _, rightly = fitting.score(samples, ADDED)
    assert rightly < 0


def test_pairs_are_the_same_for_the_same_seed() -> None:
    scene, other = photograph(1, 448, 336), photograph(2, 448, 336)
    once, again = (
        [(kind, first.tobytes(), second.tobytes()) for kind, _, first, second in fitting.pairs_of(scene, other, rng)]
        for rng in (random.Random(5), random.Random(5))
    )
    assert once == again


def test_the_shipped_limits_are_those_in_use_with_their_figures() -> None:
    assert FITTED == {name: getattr(ADDED, name) for name in fitting.FITTED}
    for kind in ("moved", "other", "mirrored", "two captions"):
        passed, of = (int(part) for part in FIGURES["judged_on"][kind].split(" of "))
        assert passed <= 0.1 * of, kind
