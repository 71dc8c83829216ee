"""Fitting how well what is faint must agree where no hash proposes a pair."""

import random

from fitting.faint import COPIES, OTHERS, Part, Sample, figures, fit, measured, quarters
from index.imaging.verification.faint import FAINT
from index.imaging.verification.faint_limits import FIGURES, FITTED
from support.pictures import photograph


def test_the_limit_loses_one_copy_in_five_hundred_at_most() -> None:
    copies = [Sample(COPIES, 0.81 + number / 10_000, others_pass=True) for number in range(499)]
    lost, none = Sample(COPIES, 0.32, others_pass=True), Sample(COPIES, None, others_pass=True)
    others = [Sample(OTHERS, agreement, others_pass=False) for agreement in (0.2, 0.9)]
    assert fit([*copies, lost, *others]) == 0.8
    assert fit([*copies[:100], lost]) == 0.3
    assert figures([lost, none, *others], 0.8) == {COPIES: "1 of 2", OTHERS: "1 of 2"}


def test_a_limit_stays_as_it_is_where_no_copy_has_anything_faint() -> None:
    assert fit([Sample(COPIES, None, others_pass=True)]) == FAINT.min_agreement


def test_quarters_are_measured_where_no_hash_proposes_them() -> None:
    parts = [Part(data) for data in quarters(photograph(3, 480, 360), random.Random(1))]
    assert len(parts) == 4
    assert measured(COPIES, parts[0], parts[0]) is None
    found = measured(OTHERS, parts[0], parts[3])
    assert found is None or not found.others_pass


def test_the_limit_that_ships_is_the_fitted_one() -> None:
    assert FITTED == {"min_agreement": FAINT.min_agreement}
    assert set(FIGURES) == {"chosen_on", "judged_on"}
