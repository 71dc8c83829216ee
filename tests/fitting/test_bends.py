"""Fitting how far a map may bend a picture."""

import random

from fitting.bends import COPIES, VIEWS, Sample, coarse_copies_of, figures, fit, jpeg, measured, view
from index.imaging.verification.bend_limits import FIGURES, FITTED
from index.imaging.verification.bends import BENDS
from samples.seen import Seen
from support.pictures import photograph


def test_the_limit_loses_one_copy_in_five_hundred_at_most() -> None:
    copies = [Sample(COPIES, 0.03 + number / 10_000) for number in range(499)]
    lost, views = Sample(COPIES, 0.52), [Sample(VIEWS, 0.04), Sample(VIEWS, 0.6, by_hash=True)]
    assert fit([*copies, lost, *views]) == 0.1
    assert fit([*copies[:100], lost]) == 0.55
    assert figures([lost, *views], 0.1) == {COPIES: "0 of 1", VIEWS: "1 of 1", f"{VIEWS}, by hash": "0 of 1"}


def test_the_limit_stays_as_it_is_without_copies() -> None:
    assert fit([Sample(VIEWS, 0.3)]) == BENDS.max_px


def test_copies_and_views_are_made_and_measured() -> None:
    picture, rng = photograph(3, 320, 240), random.Random(1)
    whole = Seen(jpeg(picture, 92))
    original, copy = next(iter(coarse_copies_of(picture, rng)))
    assert original == jpeg(picture, 92)
    assert whole.distance(Seen(copy))[0] < 20
    found = measured(VIEWS, whole, Seen(view(picture, rng)), None)
    assert found is None or found.kind == VIEWS


def test_the_limit_that_ships_is_the_fitted_one() -> None:
    assert FITTED == {"max_px": BENDS.max_px}
    assert set(FIGURES) == {"chosen_on", "judged_on"}
