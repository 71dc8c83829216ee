"""Medians and quantiles are those of numpy, to the last bit."""

import numpy as np
import pytest

from index.imaging.verification.order_statistics import median, quantile


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_they_equal_numpys(number: type) -> None:
    random = np.random.default_rng(5)
    for size in (*range(1, 40), 191, 192, 588):
        for decimals in (0, 6):
            values = np.round(random.uniform(-40, 40, size), decimals).astype(number)
            assert median(values) == float(np.median(values))
            shares = (0.0, 0.1, 0.25, 0.5, 0.9, 1.0)
            assert [quantile(values, share) for share in shares] == np.quantile(values, shares).tolist()


def test_of_any_shape() -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert (median(values), quantile(values, 0.5)) == (5.5, 5.5)
