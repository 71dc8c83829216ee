"""PURE: medians and quantiles as numpy's, without what its general case spends on a few hundred values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def median(values: NDArray[Any]) -> float:
    """The median of real numbers, at least one, none NaN, of any shape: as numpy.median."""
    flat = values.ravel()
    middle = len(flat) // 2
    if len(flat) % 2:
        return float(np.partition(flat, middle)[middle])
    around = np.partition(flat, (middle - 1, middle))
    # In the precision of the values, as numpy has it.
    return float((around[middle - 1] + around[middle]) / around.dtype.type(2))


def quantile(values: NDArray[Any], share: float) -> float:
    """The quantile of real numbers, at least one, none NaN, of any shape: interpolated between two values, as
    numpy.quantile."""
    flat = values.ravel()
    place = share * (len(flat) - 1)
    below = min(int(place), len(flat) - 1)
    above = min(below + 1, len(flat) - 1)
    around = np.partition(flat, (below, above))
    low, high, part = around[below], around[above], place - below
    step = float(high - low)
    return float(low) + step * part if part < 0.5 else float(high) - step * (1 - part)
