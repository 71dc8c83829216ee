"""The fit of what is a message: no caption is treated as one, and the shipped limits have their figures."""

import pytest

from fitting import messages as fitting
from index.imaging.verification.message_limits import FIGURES, FITTED
from index.imaging.verification.messages import MESSAGE
from support.pictures import photograph


def test_a_fit_takes_no_caption_for_a_message() -> None:
    samples = [
        fitting.Sample("message", True, (0.06, 0.2)),
        fitting.Sample("label", False, (0.2, 0.5)),
        fitting.Sample("logo", False, (0.001, 0.05)),
    ]
    assert fitting.mistakes(samples, fitting.fit(samples)) == (0, 0)


def test_the_same_seed_makes_the_same_samples() -> None:
    once, again = (list(fitting.samples_of([photograph(1, 300, 400)], "seed")) for _ in range(2))
    assert once == again
    assert once


@pytest.mark.parametrize("part", ["chosen_on", "judged_on"])
def test_the_shipped_limits_are_those_in_use_with_their_figures(part: str) -> None:
    assert FITTED == {name: getattr(MESSAGE, name) for name in FITTED}
    for kind, figure in FIGURES[part].items():
        counted, of = (int(number) for number in figure.split(" of "))
        assert counted >= 0.9 * of if kind == "message" else not counted, kind
