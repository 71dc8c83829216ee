"""Expectations: intervals that hold what they promise, on libraries whose truth is known."""

import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.imaging.candidates.calibration import (
    Expectation,
    false_candidates,
    false_matches,
    poisson_interval,
    share_interval,
)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390), (100, 81.36, 121.63)]
)
def test_poisson_interval_against_the_exact_table(count: int, low: float, high: float):
    interval = poisson_interval(count)
    assert interval.low == pytest.approx(low, abs=0.06)
    assert interval.high == pytest.approx(high, rel=0.01)


def test_shares():
    assert share_interval(0, 0) == (0.0, 1.0)
    low, high = share_interval(0, 100)
    assert low == pytest.approx(0.0, abs=1e-9)
    assert 0.03 < high < 0.04
    low, high = share_interval(50, 100)
    assert 0.39 < low < 0.41
    assert 0.59 < high < 0.61


@pytest.mark.parametrize("tolerance", [80, 90, 100, 110])
def test_the_interval_contains_the_true_value_for_a_normal_library(tolerance: int):
    """Pairs with distances N(115, 8): what is expected at a tolerance is known exactly."""
    rng = random.Random(1)
    distances = [round(rng.gauss(115, 8)) for _ in range(200_000)]
    images = 50_000
    truth = images * (images - 1) / 2 * NormalDist(115, 8).cdf(tolerance + 0.5)
    expected = false_candidates(distances, images, tolerance)
    assert expected.low <= truth <= expected.high
    # An exponential tail falls more slowly than a normal one.
    assert truth / 2 <= expected.guess <= 4 * truth


@given(st.lists(st.integers(0, 256), max_size=60), st.integers(0, 10_000), st.integers(0, 256))
def test_any_sample_gives_a_valid_interval(distances: list[int], images: int, tolerance: int):
    expected = false_candidates(distances, images, tolerance)
    assert 0 <= expected.low <= expected.guess <= expected.high


def test_expected_false_matches_are_a_share_of_the_false_candidates():
    wrong = Expectation(100.0, 200.0, 400.0)
    expected = false_matches(wrong, judged=100, accepted=0)
    assert 0 <= expected.low < 1
    assert expected.guess == pytest.approx(200 * 0.5 / 101)
    assert 10 < expected.high < 16
