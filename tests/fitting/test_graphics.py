"""The fit of what counts as a graphic: no graphic is lost, and the shipped limit has its figures."""

import pytest

from fitting import graphics as fitting
from index.imaging.verification.stroke_limits import FIGURES, FITTED
from index.imaging.verification.strokes import STROKES
from samples.drawings import GRAPHICS, SCENERY
from support.pictures import photograph


def test_a_fit_loses_no_graphic_and_leaves_some_room() -> None:
    shares = ((0.5, True), (0.8, True), (0.2, False), (0.6, False))
    samples = [fitting.Sample("chart" if graphic else "night", graphic, share) for share, graphic in shares]
    limit = fitting.fit(samples)
    assert 0.4 < limit < 0.5
    assert fitting.mistakes(samples, limit) == (0, 1)


def test_the_same_seed_makes_the_same_samples() -> None:
    once, again = (list(fitting.samples_of([photograph(1, 360, 480)], "seed")) for _ in range(2))
    assert once == again
    assert {sample.kind for sample in once} >= set(GRAPHICS)


@pytest.mark.parametrize("part", ["chosen_on", "judged_on"])
def test_the_shipped_limit_is_that_in_use_with_its_figures(part: str) -> None:
    assert FITTED == {"min_share": STROKES.min_share}
    split = {kind: [int(number) for number in figure.split(" of ")] for kind, figure in FIGURES[part].items()}
    assert all(counted == of for kind, (counted, of) in split.items() if kind in GRAPHICS)
    scenery = [split[kind] for kind in SCENERY]
    assert sum(counted for counted, _ in scenery) <= 0.1 * sum(of for _, of in scenery)
