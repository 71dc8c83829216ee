"""The tolerance for a large library: by its power of two, within the budget, never below the least."""

import numpy as np
import pytest

from index.imaging.candidates.calibration import false_candidates
from index.imaging.candidates.tolerance_budget import BUDGET, affordable_tolerance, size_class
from index.model import default_tolerance


def distances(hsize: int, seed: int = 0) -> list[int]:
    """Of 50,000 pairs of unrelated pictures, of which 1.4e-5 are within the default tolerance at hsize 16."""
    bits = hsize * hsize
    drawn = np.random.default_rng(seed).normal(0.4375 * bits, 0.03 * bits, 50_000)
    return sorted((2 * np.rint(drawn / 2)).astype(int).tolist())


def test_the_class_of_a_size_changes_at_powers_of_two_only() -> None:
    assert [size_class(count) for count in (0, 1, 1000, 2**16 - 1)] == [0, 0, 0, 0]
    assert [size_class(2**16), size_class(2**17 - 1), size_class(2**17), size_class(2_000_000)] == [16, 16, 17, 20]


@pytest.mark.parametrize("hsize", [8, 16, 32])
def test_a_small_library_has_the_usual_tolerance_and_a_larger_one_never_a_higher(hsize: int) -> None:
    of_pairs = distances(hsize)
    chosen = [affordable_tolerance(of_pairs, power, hsize) for power in (0, *range(16, 24))]
    assert chosen[0] == default_tolerance(hsize)
    assert chosen == sorted(chosen, reverse=True)
    assert min(chosen) >= int(BUDGET.least_share * hsize * hsize)


def test_the_highest_tolerance_within_the_budget_is_chosen() -> None:
    of_pairs = distances(16)
    lowered = {power: affordable_tolerance(of_pairs, power, 16) for power in range(16, 24)}
    assert len(set(lowered.values())) > 2
    for power, tolerance in lowered.items():
        most = BUDGET.wrong_a_picture * 2**power
        if tolerance < 80:
            assert false_candidates(of_pairs, 2**power, tolerance + 2).guess > most
        if tolerance > 72:
            assert false_candidates(of_pairs, 2**power, tolerance).guess <= most


def test_without_a_sample_nothing_is_lowered() -> None:
    assert affordable_tolerance([], 20, 16) == 80
