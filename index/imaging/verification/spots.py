"""PURE: two registered pictures -> small places that differ, such as another digit of a clock over a photograph.

`places` finds what differs in most of a window of 9 pixels: a head that turns is so large, a digit on a lock screen is
not, and the rest of its line agrees. Its residual alone is far beyond what resampling, JPEG and sharpening leave at the
details of the same pair.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from index.imaging.thresholds import threshold
from index.imaging.verification.letters import WINDOW, residual_is_below, strongest
from index.imaging.verification.once import once_a_picture
from index.imaging.verification.places import ADDED, Place, clipped, inner_of
from index.imaging.verification.spot_limits import FITTED
from index.imaging.verification.transforms import Grey, Mask


@dataclass(frozen=True, slots=True)
class SpotLimits:
    """Which small places differ, in the frame of 448 pixels. A "residual" is the deviation that a window has from the
    other picture's after the best change of brightness and contrast."""

    min_residual: float = threshold(FITTED["min_residual"], "levels", "Fitted on lock screens and copies.")
    over_usual: float = threshold(
        FITTED["over_usual"], "times the 90 % quantile", "Of the residuals at details; fitted on the same."
    )
    in_both: float = threshold(
        0.5, "ratio of deviations", "Both show something there. What only one shows was blurred in the other, or added."
    )
    min_pixels: int = threshold(6, "pixels", "Fewer are chance.")


SPOTS: Final = SpotLimits()

# Spots nearer to one another are one. In pixels.
APART: Final = 15


def spots(alike: Grey, second: Grey, covered: Mask) -> tuple[Place, ...]:
    """The small places that differ where the first picture covers the second, none of them shown to be added. `alike`
    is the first with the tone and sharpness of the second; all have one shape, (height, width)."""
    inner = inner_of(covered)
    if residual_is_below(SPOTS.min_residual, alike, second, inner):
        return ()
    residual, usual = measured(alike, second, inner)
    found = labelled(residual, max(SPOTS.min_residual, SPOTS.over_usual * usual))
    height, width = second.shape
    deviation = np.maximum(_deviation(alike), _deviation(second)) if found else residual
    places = []
    for own in found:
        x, y, across, down = cv2.boundingRect(own.astype(np.uint8))
        box = (x / width, y / height, (x + across) / width, (y + down) / height)
        places.append(Place(box, int(own.sum()), "", bool(deviation[own].max() >= ADDED.ink_beneath)))
    return tuple(places)


def measured(alike: Grey, second: Grey, inner: Mask) -> tuple[Grey, float]:
    """The residual around each pixel, float32, 0 where it says nothing: not `inner`, clipped, or next to nothing in one
    of the pictures; and what is usual of it at details. Where nothing is beyond the limits, neither is examined."""
    residual, usual = strongest(alike, second, inner, SPOTS.min_residual)
    if float(residual.max()) <= max(SPOTS.min_residual, SPOTS.over_usual * usual):
        return residual, usual
    of_first, of_second = _deviation(alike), _deviation(second)
    in_both = np.minimum(of_first, of_second) > SPOTS.in_both * np.maximum(of_first, of_second)
    return np.asarray(residual * (in_both & ~clipped(alike, second)), np.float32), usual


def labelled(residual: Grey, limit: float) -> list[Mask]:
    """Where the residual is beyond a limit, one mask for each spot."""
    beyond = residual > limit
    if not beyond.any():
        return []
    grown = cv2.dilate(beyond.astype(np.uint8), np.ones((APART, APART), np.uint8))
    count, labels = cv2.connectedComponents(grown, connectivity=8)
    spots = [np.asarray(beyond & (labels == label)) for label in range(1, count)]
    return [spot for spot in spots if spot.sum() >= SPOTS.min_pixels]


@once_a_picture
def _deviation(picture: Grey) -> Grey:
    window = (WINDOW, WINDOW)
    mean = cv2.blur(picture, window)
    return np.asarray(np.sqrt(np.maximum(cv2.blur(picture * picture, window) - mean * mean, 0)), np.float32)
