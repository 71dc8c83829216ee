"""PURE: two aligned pictures -> whether each keeps detail where the other is white or black.

A copy only loses detail: where brightening has made it white, its original has detail, and never the other way round.
Of two exposures of one scene the longer has detail in the shadows of the shorter, and the shorter in the lights of the
longer. No edit of one file gives both back.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification.once import once_a_picture
from index.imaging.verification.registration import smoothed
from index.imaging.verification.transforms import Grey, Mask


@dataclass(frozen=True, slots=True)
class ClippingLimits:
    """What is clipped in a window of 7 pixels, and what has detail. Deviations are standard deviations."""

    white: float = threshold(247.0, "levels", "Means above are white.")
    black: float = threshold(10.0, "levels", "Means below are black.")
    flat: float = threshold(2.0, "levels", "Deviation of what is clipped: nothing is left but rounding.")
    detail: float = threshold(4.0, "levels", "Deviation of what has detail.")
    min_share: float = threshold(
        0.0002, "share of the picture", "Of what each keeps and the other has lost. Of 48 copies of other tones none "
        "has any of it in both directions."
    )  # fmt: skip
    lightest: int = threshold(250, "levels", "Red, green or blue from here on is clipped, as far as a JPEG keeps it.")
    in_one: float = threshold(0.3, "share of the window", "So much more of it is clipped in one than in the other.")


CLIPPING: Final = ClippingLimits()

WINDOW: Final = 7
# Of sums over a window, in levels.
ROUNDING: Final = 0.1


def kept_by_each(first: Grey, second: Grey, where: Mask) -> float:
    """The share of what both show, of two pictures of one shape, float32 (height, width), that the one keeps and the
    other has lost: in the direction in which it is less."""
    shown = int(where.sum())
    if not shown or not (_may_be_lost(first) and _may_be_lost(second)):
        return 0.0
    levels = [_levels(picture) for picture in (first, second)]
    shares = [
        float((_lost(*levels[1 - of]) & (levels[of][1] > CLIPPING.detail) & where).sum()) / shown for of in (0, 1)
    ]
    return min(shares)


def clipped_in_one(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Mask:
    """Where red, green or blue is clipped in one of two aligned pictures, RGB uint8 (height, width, 3), and not in the
    other: what brightening does to a floor is another tone curve there, and no other thing."""
    shares = [
        cv2.blur((picture.max(axis=2) >= CLIPPING.lightest).astype(np.float32), (WINDOW, WINDOW))
        for picture in (first, second)
    ]
    return np.asarray(cv2.absdiff(*shares) > CLIPPING.in_one)


@once_a_picture
def _levels(picture: Grey) -> tuple[Grey, Grey]:
    """The mean and the standard deviation around each pixel."""
    smooth = smoothed(picture)
    mean = cv2.blur(smooth, (WINDOW, WINDOW))
    variance = cv2.blur(smooth * smooth, (WINDOW, WINDOW)) - mean * mean
    return mean, np.sqrt(np.maximum(variance, 0))


@once_a_picture
def _may_be_lost(picture: Grey) -> bool:
    """Whether anything can be clipped: no mean is beyond the lightest and the darkest level, but for rounding."""
    smooth = smoothed(picture)
    return float(smooth.max()) > CLIPPING.white - ROUNDING or float(smooth.min()) < CLIPPING.black + ROUNDING


def _lost(mean: Grey, deviation: Grey) -> Mask:
    return ((mean > CLIPPING.white) | (mean < CLIPPING.black)) & (deviation < CLIPPING.flat)
