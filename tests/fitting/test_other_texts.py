"""The fit of what is another text: hardly a copy counts as one, and the shipped limits have their figures."""

import random

import pytest

from fitting import other_texts as fitting
from index.imaging.verification.other_text import OTHER_TEXT
from index.imaging.verification.other_text_limits import FIGURES, FITTED
from support.pictures import photograph


def test_a_fit_takes_no_copy_for_another_text() -> None:
    samples = [
        fitting.Sample("another stamp", ((0.4, 0.7),)),
        fitting.Sample("another word", ((0.0, 0.0), (0.3, 0.6))),
        fitting.Sample("band", ((0.02, 0.8), (0.4, 0.1))),
        fitting.Sample("logo", ()),
    ]
    assert fitting.mistakes(samples, fitting.fit(samples)) == (0, 0)


def test_the_same_seed_makes_the_same_pairs() -> None:
    once, again = (
        [(kind, first.tobytes(), second.tobytes()) for kind, first, second in pairs]
        for pairs in (fitting.pairs_of(photograph(1, 400, 300), random.Random("seed")) for _ in range(2))
    )
    assert once == again
    assert {kind for kind, *_ in once} >= set(fitting.OTHERS)


@pytest.mark.parametrize("part", ["chosen_on", "judged_on"])
def test_the_shipped_limits_are_those_in_use_with_their_figures(part: str) -> None:
    assert FITTED == {name: getattr(OTHER_TEXT, name) for name in FITTED}
    assert set(FIGURES[part]) >= set(fitting.OTHERS)
    for kind, figure in FIGURES[part].items():
        passed, of = (int(number) for number in figure.split(" of "))
        assert passed <= 0.4 * of if kind in fitting.OTHERS else passed >= 0.95 * of, kind
