"""Fitting what the noise of a pair must show where no hash proposes it."""

import random

from fitting.unproposed import OTHER, STEP, Sample, copies_of, exposures_of, figures, limits_of, measured, rounded_down
from index.imaging.verification.gate_thresholds import EXPOSURE, REGISTRATION
from index.imaging.verification.unproposed_limits import FIGURES, FITTED
from samples.seen import Seen
from support.pictures import photograph


def test_a_limit_loses_one_copy_in_five_hundred_at_most() -> None:
    even = [Sample("60 %", 0.86 + number / 1000, uneven=False) for number in range(494)]
    few = [Sample("40 %", agreement, uneven=False) for agreement in (0.11, 0.87, 0.88)]
    uneven = [Sample("square", agreement, uneven=True) for agreement in (-0.2, 0.68, 0.7)]
    others = [Sample(OTHER, 0.99, uneven=True), Sample(OTHER, 0.3, uneven=False), Sample(OTHER, None, uneven=False)]
    shifted = [Sample("cropped", None, uneven=False, shifted_blocks=blocks) for blocks in (6, 9, 10, 15)]
    limits = limits_of([*even, *few, *uneven, *others, *shifted])
    assert limits == {"many_blocks": 12, "unproposed": 0.85, "unproposed_uneven": 0.65}
    assert figures([*few, *uneven, *others], limits) == {"another exposure": "2 of 3", "copies": "4 of 6"}


def test_a_multiple_of_the_step_is_not_rounded_down_further() -> None:
    multiples = [round(steps * STEP, 2) for steps in range(-19, 20)]
    assert [rounded_down(value) for value in multiples] == multiples
    assert [rounded_down(value) for value in (0.349, 0.299, -0.01)] == [0.3, 0.25, -0.05]


def test_pairs_are_measured_whatever_the_limits_say() -> None:
    found = [
        sample
        for make in (copies_of, exposures_of)
        for kind, first, second in make(photograph(3, 420, 320), random.Random(3))
        if (sample := measured(kind, Seen(first), Seen(second)))
    ]
    copies = [sample for sample in found if sample.kind != OTHER]
    assert len(copies) >= 8
    assert sum(sample.passes(FITTED) for sample in copies) >= len(copies) - 1


def test_the_limits_that_ship_are_the_fitted_ones() -> None:
    in_use = {"many_blocks": REGISTRATION.many_blocks, "unproposed": EXPOSURE.unproposed}
    assert in_use | {"unproposed_uneven": EXPOSURE.unproposed_uneven} == FITTED
    assert set(FIGURES) == {"chosen_on", "judged_on"}
