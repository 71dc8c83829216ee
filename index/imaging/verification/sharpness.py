"""PURE: two aligned pictures -> how much stronger the fine detail of one is, and whether it is the same detail.

Sharpening and blurring change the strength of the same detail; noise, and loss that is replaced by other detail, lower
the correlation.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from index.imaging.thresholds import threshold
from index.imaging.verification.sensor_noise import band
from index.imaging.verification.transforms import Grey, Mask


@dataclass(frozen=True, slots=True)
class SharpnessLimits:
    """What fine detail is measured from."""

    min_deviation: float = threshold(0.1, "levels", "A picture without any detail is taken to have this much.")


SHARPNESS: Final = SharpnessLimits()


@dataclass(frozen=True, slots=True)
class Sharpness:
    """`gain` is the strength of the second's fine detail relative to the first's, `coherence` their correlation."""

    gain: float = 1.0
    coherence: float = 1.0

    @property
    def ratio(self) -> float:
        """The ratio of the stronger to the weaker, at least 1."""
        return max(self.gain, 1 / self.gain)


def sharpness(first: Grey, second: Grey, where: Mask | tuple[slice, slice]) -> Sharpness:
    """Compare the fine detail of two pictures of one shape, float32 (height, width), `where` both show the same."""
    band_first, band_second = (band(picture)[where] for picture in (first, second))
    if not band_first.size:
        return Sharpness()
    spreads = [max(float(detail.std()), SHARPNESS.min_deviation) for detail in (band_first, band_second)]
    covariance = float(np.mean((band_first - band_first.mean()) * (band_second - band_second.mean())))
    return Sharpness(spreads[1] / spreads[0], covariance / (spreads[0] * spreads[1]))
