"""Expectations: intervals that hold what they promise, on libraries whose truth is known."""

import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.candidates.calibration import Expectation, let_through, poisson_interval, share_interval, wrong_pairs


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390), (100, 81.36, 121.63)]
)
def test_poisson_interval_against_the_exact_table(count: int, low: float, high: float):
    found = poisson_interval(count)
    assert found.low == pytest.approx(low, abs=0.06)
    assert found.high == pytest.approx(high, rel=0.01)


def test_shares():
    assert share_interval(0, 0) == (0.0, 1.0)
    low, high = share_interval(0, 100)
    assert low == pytest.approx(0.0, abs=1e-9)
    assert 0.03 < high < 0.04
    low, high = share_interval(50, 100)
    assert 0.39 < low < 0.41
    assert 0.59 < high < 0.61


@pytest.mark.parametrize("tolerance", [80, 90, 100, 110])
def test_the_interval_holds_the_truth_of_a_normal_library(tolerance: int):
    """Pairs with distances N(115, 8): what is expected at a tolerance is known exactly."""
    rng = random.Random(1)
    distances = [round(rng.gauss(115, 8)) for _ in range(200_000)]
    images = 50_000
    truth = images * (images - 1) / 2 * NormalDist(115, 8).cdf(tolerance + 0.5)
    found = wrong_pairs(distances, images, tolerance)
    assert found.low <= truth <= found.high
    # An exponential tail falls more slowly than a normal one.
    assert truth / 2 <= found.guess <= 4 * truth


@given(st.lists(st.integers(0, 256), max_size=60), st.integers(0, 10_000), st.integers(0, 256))
def test_whatever_the_sample_the_interval_is_one(distances: list[int], images: int, tolerance: int):
    found = wrong_pairs(distances, images, tolerance)
    assert 0 <= found.low <= found.guess <= found.high


def test_what_is_let_through_is_a_share_of_what_is_proposed():
    wrong = Expectation(100.0, 200.0, 400.0)
    found = let_through(wrong, judged=100, accepted=0)
    assert 0 <= found.low < 1
    assert found.guess == pytest.approx(200 * 0.5 / 101)
    assert 10 < found.high < 16
