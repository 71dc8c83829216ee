"""Fitting when the surroundings of a part show that it was cropped."""

import random

import pytest

from fitting.bends import jpeg
from fitting.surroundings import CROPS, FRAMES, Sample, figures, fit, measured, samples_of
from index.imaging.verification.surroundings import SURROUNDINGS
from index.imaging.verification.surroundings_limits import FIGURES, FITTED
from samples.seen import Seen
from support.pictures import photograph


def test_the_strictest_limits_are_chosen_that_recognise_enough_crops_and_lose_the_fewest_frames() -> None:
    crops = [Sample("ratio", 0.6, 0.5, False)] * 19 + [Sample("ratio", 0.0, 0.0, False)]
    framed = [Sample("border", 0.45, 0.5, True), Sample("border", 0.7, 0.7, True)]
    assert fit([*crops, *framed]) == (0.6, 0.5)
    nothing = dict.fromkeys((*FRAMES, *CROPS), "0 of 0")
    assert figures([*crops, *framed], (0.6, 0.5)) == nothing | {"ratio": "19 of 20", "border": "1 of 2"}


def test_frames_and_crops_are_made_and_measured() -> None:
    picture = photograph(3, 480, 360)
    whole = Seen(jpeg(picture, 92))
    framed = measured("border", whole, Seen(jpeg(FRAMES["border"](picture, random.Random(1)), 85)))
    assert framed is not None
    assert framed.is_plain
    cropped = measured("ratio", whole, Seen(jpeg(CROPS["ratio"](picture, random.Random(2)), 85)))
    assert cropped is not None
    assert cropped.goes_on > framed.goes_on
    assert {one.kind for one in samples_of([picture], "seed")} <= {*FRAMES, *CROPS}


def test_the_limits_that_ship_are_the_fitted_ones() -> None:
    assert FITTED == pytest.approx({"follows": SURROUNDINGS.follows, "goes_on": SURROUNDINGS.goes_on})
    assert set(FIGURES) == {"chosen_on", "judged_on"}
