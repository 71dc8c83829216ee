"""PURE: two pictures laid over each other -> by how much stronger the fine detail of one is, and if it is the same.

Sharpening and blurring change the strength of what is there; noise, and loss that other detail makes up for, make the
two correlate less.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from index.verification.align import Grey, Mask
from index.verification.exposure import band

# A picture without any detail, in grey levels.
LEAST_DETAIL: Final = 0.1


@dataclass(frozen=True, slots=True)
class Sharpness:
    """`gain` is the strength of the second's fine detail for the first's, `coherence` their correlation."""

    gain: float = 1.0
    coherence: float = 1.0

    @property
    def ratio(self) -> float:
        """By how much it is stronger in one of them, 1 at least."""
        return max(self.gain, 1 / self.gain)


def sharpness(first: Grey, second: Grey, where: Mask) -> Sharpness:
    """Compare the fine detail of two pictures of one shape, float32 (height, width), `where` both show the same."""
    if not where.any():
        return Sharpness()
    one, other = (band(picture)[where] for picture in (first, second))
    spreads = [max(float(some.std()), LEAST_DETAIL) for some in (one, other)]
    common = float(np.mean((one - one.mean()) * (other - other.mean())))
    return Sharpness(spreads[1] / spreads[0], common / (spreads[0] * spreads[1]))
