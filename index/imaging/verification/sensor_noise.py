"""PURE: two pictures laid over each other -> whether their noise is that of one exposure or of two.

What a lens draws is the same in two exposures of one scene, the noise of the sensor is not (Lukas, Fridrich and Goljan,
Digital Camera Identification from Sensor Pattern Noise, 2006, separate the two as is done here). A copy has the noise
of its original, less what was smoothed or quantised away, plus what was added. Either way one of the two holds all that
they have in common, so that their covariance comes up to the smaller of their variances; of two exposures, whose noise
is as strong and independent, it does not. It is measured where the scene itself has least to show.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.verification.align import Grey, Mask
from index.verification.blocks import in_blocks

BLOCK: Final = 16
# The band of the noise: finer than the scene, coarser than what interpolation and JPEG lose first. In pixels.
FINEST_PX: Final = 0.6
COARSEST_PX: Final = 1.8
# The scene is what varies over more than this.
SCENE_PX: Final = 2.5
# Clipped blocks have no noise.
DARKEST: Final = 6.0
BRIGHTEST: Final = 249.0
# This share of the blocks, those in which the scene varies least, and no fewer than these, are asked.
QUIET: Final = 1 / 3
LEAST_BLOCKS: Final = 12
# A block can tell where both have noise of about one strength: standard deviations in grey levels, and their ratio.
LEAST_NOISE: Final = 0.3
MOST_RATIO: Final = 1.5
# What the JPEG of a view leaves in the band by itself, in each view another: 0.3 levels and more, a part of which takes
# the place of what was there.
VIEW_NOISE: Final = 0.25
ROUNDING: Final = 0.03
# Between these quantiles of a normal distribution lie so many of its standard deviations.
MOST_OF_ALL: Final = (0.1, 0.9)
DEVIATIONS: Final = 2.56
# By how much the logarithm of the ratio of two independent noises of one strength spreads from block to block. What
# they have in common makes that less.
CHANCE: Final = 0.125


@dataclass(frozen=True, slots=True)
class Noise:
    """`agreement` is the covariance for one of the smaller variance, less what making the views has added to it: about
    1 in a copy and 0 between independent noise, the median of the blocks that can tell, which are the share
    `comparable` of those asked; None where they are too few. `strength` is the standard deviation of the weaker noise
    there, in grey levels.

    Of all blocks asked, `coherence` is the median correlation, `gain` by how much stronger the second's fine detail is,
    and `unevenness` how much that changes from block to block, for what chance makes of it where the noise of both is
    as strong everywhere; 0, 1 and 1 where there are none."""

    agreement: float | None = None
    comparable: float = 0.0
    strength: float = 0.0
    coherence: float = 0.0
    gain: float = 1.0
    unevenness: float = 1.0


def noise(first: Grey, second: Grey, where: Mask) -> Noise:
    """Compare the noise of two pictures of one shape, float32 (height, width), `where` both show the same."""
    if min(second.shape) < BLOCK:
        return Noise()
    usable = (_blocks(where).min(axis=1) > 0) & _unclipped(first) & _unclipped(second)
    if usable.sum() * QUIET < LEAST_BLOCKS:
        return Noise()
    activity = np.maximum(_activity(first), _activity(second))
    quiet = usable & (activity <= np.quantile(activity[usable], QUIET))
    one, other = _blocks(band(first))[quiet], _blocks(band(second))[quiet]
    own, others = np.einsum("ij,ij->i", one, one) / BLOCK**2, np.einsum("ij,ij->i", other, other) / BLOCK**2
    common = np.einsum("ij,ij->i", one, other) / BLOCK**2
    smaller, larger = np.minimum(own, others), np.maximum(own, others)
    telling = (smaller > LEAST_NOISE**2) & (larger < MOST_RATIO**2 * smaller)
    coherence = float(np.median(common / np.sqrt(own * others + ROUNDING**2)))
    gain = float(np.sqrt((np.median(others) + ROUNDING) / (np.median(own) + ROUNDING)))
    logarithms = np.log((others + ROUNDING) / (own + ROUNDING)) / 2
    spread = float(np.ptp(np.quantile(logarithms, MOST_OF_ALL)) / DEVIATIONS)
    unevenness = spread / (CHANCE * float(np.sqrt(max(1 - coherence**2, ROUNDING))))
    if telling.sum() < LEAST_BLOCKS:
        return Noise(coherence=coherence, gain=gain, unevenness=unevenness)
    agreement = float(np.median(common[telling] / (smaller[telling] - VIEW_NOISE**2)))
    strength = float(np.sqrt(np.median(smaller[telling])))
    return Noise(agreement, float(telling.mean()), strength, coherence, gain, unevenness)


def band(picture: Grey) -> Grey:
    """The finest detail that the views keep, and with it the noise; float32 of the shape of the picture."""
    return cv2.GaussianBlur(picture, (0, 0), FINEST_PX) - cv2.GaussianBlur(picture, (0, 0), COARSEST_PX)


def _activity(picture: Grey) -> NDArray[np.float32]:
    """By how much the scene varies from pixel to pixel, the mean of each block."""
    scene = cv2.GaussianBlur(picture, (0, 0), SCENE_PX)
    slopes = (cv2.Sobel(scene, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (1, 0))
    across, down = slopes
    return np.asarray(_blocks(np.abs(across) + np.abs(down)).mean(axis=1), np.float32)


def _unclipped(picture: Grey) -> NDArray[np.bool_]:
    blocks = _blocks(picture)
    return np.asarray((blocks.min(axis=1) > DARKEST) & (blocks.max(axis=1) < BRIGHTEST), np.bool_)


def _blocks(picture: Grey) -> Grey:
    """(height, width) -> (blocks, BLOCK * BLOCK), in rows."""
    return np.asarray(in_blocks(picture, BLOCK).reshape(-1, BLOCK * BLOCK))
