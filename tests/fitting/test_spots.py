"""The fit of the limits of small places: pairs are the same for a seed, and the shipped limits have their figures."""

import random

import numpy as np
import pytest

from fitting import spots as fitting
from fitting.letters import fit_of, mistakes
from index.imaging.verification.spot_limits import FIGURES, FITTED
from index.imaging.verification.spots import SPOTS
from support.pictures import photograph


def sample(kind: str, strength: float, usual: float = 1.0) -> fitting.Sample:
    residual = np.zeros((64, 64), np.float32)
    residual[20:24, 20:24] = strength
    return fitting.Sample(kind, residual, usual)


def test_the_same_seed_makes_the_same_pairs_and_texts_differ() -> None:
    kinds = [dict(fitting.pairs_of(photograph(1, 300, 400), random.Random("1"))) for _ in range(2)]
    assert list(kinds[0]) == list(kinds[1])
    once, again = (of[fitting.DIFFERENT]() for of in kinds)
    assert once == again
    assert once[0] != once[1]


def test_a_fit_lets_no_other_text_pass_and_keeps_copies_between() -> None:
    samples = [sample(fitting.DIFFERENT, 20), sample("sharpened", 20, usual=5), sample("brighter", 7)]
    limits = fit_of(samples, fitting.passes, fitting.RESIDUALS, fitting.USUAL)
    assert mistakes(samples, lambda one: fitting.passes(one, *limits)) == (0, 0)


def test_what_differs_nowhere_passes() -> None:
    assert fitting.passes(fitting.Sample("reduced", None, 0.0), 6.0, 4.0)


@pytest.mark.parametrize("part", ["chosen_on", "judged_on"])
def test_the_shipped_limits_are_those_in_use_with_their_figures(part: str) -> None:
    assert FITTED == {name: getattr(SPOTS, name) for name in FITTED}
    for kind, figure in FIGURES[part].items():
        passed, of = (int(number) for number in figure.split(" of "))
        assert passed <= 0.1 * of if kind == fitting.DIFFERENT else passed >= 0.95 * of, kind
