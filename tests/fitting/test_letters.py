"""The fit of the limits of letters: pairs are the same for a seed, and the shipped limits have their figures."""

import random

import numpy as np
import pytest

from fitting import letters as fitting
from index.imaging.verification.letter_limits import FIGURES, FITTED
from index.imaging.verification.letters import LETTERS
from samples.text_pages import COPIES, PAIRS


def sample(kind: str, strength: float, usual: float = 1.0) -> fitting.Sample:
    residual = np.zeros((64, 64), np.float32)
    residual[20:24, 20:24] = strength
    return fitting.Sample(kind, kind in COPIES, ((residual, usual),))


@pytest.mark.parametrize("kind", ["screen, one word", "page, one word"])
def test_the_same_seed_renders_the_same_pair_and_its_texts_differ(kind: str) -> None:
    once, again = (PAIRS[kind](random.Random("1")) for _ in range(2))
    assert once == again
    assert once[0] != once[1]


def test_a_fit_lets_no_other_word_pass_and_keeps_copies_between() -> None:
    samples = [sample("screen, one word", 30), sample("enlarged", 20, usual=9), sample("JPEG 40 to 70", 7, usual=4)]
    limits = fitting.fit(samples)
    assert fitting.score(samples, *limits) == (0, 0)


def test_what_differs_nowhere_passes() -> None:
    assert fitting.passes(fitting.Sample("reduced", True, ((None, 0.0),)), 6.0, 2.5)


def test_the_shipped_limits_are_those_in_use_with_their_figures() -> None:
    assert FITTED == {name: getattr(LETTERS, name) for name in FITTED}
    for kind, figure in FIGURES["judged_on"].items():
        passed, of = (int(part) for part in figure.split(" of "))
        assert passed >= 0.9 * of if kind in COPIES else passed <= 0.1 * of, kind
