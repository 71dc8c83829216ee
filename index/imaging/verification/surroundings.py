"""PURE: a picture that shows all of another, and more -> whether what is around that part is a frame.

A frame is plain and of another shade than the picture where they meet. A crop has cut through things that go on: the
shades outside follow those inside, along the whole edge. A white wall around a dark coat is plain, too, and most of the
edge may lie in shadow; but the coat goes on where it was cut.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from index.imaging.thresholds import threshold
from index.imaging.verification.surroundings_limits import FITTED
from index.imaging.verification.transforms import Grey, Mask


@dataclass(frozen=True, slots=True)
class SurroundingsLimits:
    """When what is around a part of a picture is a frame."""

    max_varied: int = threshold(4, "levels", "What varies less is plain, as a frame is.")
    min_step: int = threshold(8, "levels", "Where a frame meets a picture there is a step; a sky goes on.")
    other_shade: int = threshold(8, "levels", "What is outside differs by more from its median where it is not plain.")
    same_shade: int = threshold(6, "levels", "What is outside and inside differs by less where the picture goes on.")
    follows: float = threshold(
        FITTED["follows"],
        "share of the edge",
        "Of the edge with another shade outside: as many are nearer to the shade inside than to the median outside, in"
        " a crop. Fitted with goes_on.",
    )
    goes_on: float = threshold(FITTED["goes_on"], "share of the edge", "And as much of all has the same shade inside.")


SURROUNDINGS: Final = SurroundingsLimits()

# Where a picture meets its frame, both are blurred: this many pixels are left out.
RIM_PX: Final = 4
# The side of the square whose mean is taken on each side of the edge: for its step, and for what goes on.
NEAR_PX: Final = 15
NEXT_PX: Final = 5
# Less than one pixel of that square.
LEAST_WEIGHT: Final = 1e-3
# Fewer pixels of an edge with another shade are noise.
LEAST_EDGE: Final = 6


def is_frame(whole: Grey, covered: Mask) -> bool:
    """Whether what is around a part of a picture is a frame. `whole` is the picture, float32 (height, width) in levels;
    `covered` is the part, of the same shape."""
    if not is_plain(whole, covered):
        return False
    follows, goes_on = continuation(whole, covered)
    return follows < SURROUNDINGS.follows or goes_on < SURROUNDINGS.goes_on


def is_plain(whole: Grey, covered: Mask) -> bool:
    """Whether most of what is around a part is of one shade, and of another than most of the part where they meet."""
    around = whole[~grown(covered, RIM_PX)]
    if not around.size:
        # A frame of a few pixels is all rim.
        around = whole[~covered]
    if not around.size or float(np.median(np.abs(around - np.median(around)))) >= SURROUNDINGS.max_varied:
        return False
    beyond, within = _along_edge(whole, covered, NEAR_PX)
    return float(np.nanmedian(np.abs(beyond - within))) >= SURROUNDINGS.min_step


def continuation(whole: Grey, covered: Mask) -> tuple[float, float]:
    """Along the edge of a part: the share of the places with another shade outside than most that are nearer to the
    shade inside, 0 where there are few such places; and the share of all places with the same shade on both sides."""
    beyond, within = _along_edge(whole, covered, NEXT_PX)
    known = ~(np.isnan(beyond) | np.isnan(within))
    beyond, within = beyond[known], within[known]
    if not beyond.size:
        return 0.0, 0.0
    step = np.abs(beyond - within)
    from_most = np.abs(beyond - np.median(beyond))
    other = from_most > SURROUNDINGS.other_shade
    follows = float(np.mean(step[other] < from_most[other] / 2)) if int(other.sum()) >= LEAST_EDGE else 0.0
    return follows, float(np.mean(step < SURROUNDINGS.same_shade))


def _along_edge(whole: Grey, covered: Mask, near_px: int) -> tuple[Grey, Grey]:
    """The shades outside and inside of each place of the edge of a part, float32 (n,), NaN if there are none. Of the
    part, the two pixels at its edge are left out."""
    outside, inside = ~covered, ~grown(~covered, 2)
    met = covered & grown(outside, 1)
    return _mean_near(whole, outside, near_px)[met], _mean_near(whole, inside, near_px)[met]


def _mean_near(picture: Grey, where: Mask, near_px: int) -> Grey:
    """For each pixel the mean of the pixels near it that are in `where`, NaN if there are none."""
    weight = cv2.blur(where.astype(np.float32), (near_px, near_px))
    total = cv2.blur(np.where(where, picture, 0).astype(np.float32), (near_px, near_px))
    return np.asarray(np.where(weight > LEAST_WEIGHT, total / np.maximum(weight, LEAST_WEIGHT), np.nan), np.float32)


def grown(mask: Mask, by_px: int) -> Mask:
    """A mask with all that is within so many pixels of it, in rows and columns."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)) > 0
