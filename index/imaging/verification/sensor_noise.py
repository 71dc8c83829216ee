"""PURE: two aligned pictures -> whether their noise is that of one exposure or of two.

What a lens draws is the same in two exposures of one scene, the noise of the sensor is not (Lukas, Fridrich and Goljan,
Digital Camera Identification from Sensor Pattern Noise, 2006, separate the two as is done here). A copy has the noise
of its original, less what was smoothed or quantised away, plus what was added. In both cases one of the two holds all
that they have in common, so their covariance reaches the smaller of their variances; the noise of two exposures is
independent, and theirs does not. It is measured where the scene itself varies least.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification.once import once_a_picture
from index.imaging.verification.order_statistics import median, quantile
from index.imaging.verification.similarity import blocks_where, over_blocks
from index.imaging.verification.transforms import Grey, Mask

BLOCK: Final = 16
# The band of the noise: finer than the scene, coarser than what interpolation and JPEG lose first. In pixels.
FINEST_PX: Final = 0.6
COARSEST_PX: Final = 1.8
# The scene is what varies over more than this.
SCENE_PX: Final = 2.5


@dataclass(frozen=True, slots=True)
class NoiseBlockLimits:
    """In which blocks of 16 pixels noise is compared."""

    darkest: float = threshold(6.0, "levels", "Blocks with darker pixels are clipped and have no noise.")
    brightest: float = threshold(249.0, "levels", "The same for brighter pixels.")
    quiet: float = threshold(1 / 3, "share of blocks", "Those in which the scene varies least are compared.")
    min_blocks: int = threshold(12, "blocks", "Fewer say nothing.")
    min_noise: float = threshold(0.3, "levels", "The standard deviation that the noise of both must have.")
    max_ratio: float = threshold(1.5, "ratio", "Between their standard deviations: about as strong in both.")


NOISE_BLOCKS: Final = NoiseBlockLimits()

# Noise that the JPEG of a preview adds to the band, independent in each preview: 0.3 levels and more, a part of which
# replaces what was there.
VIEW_NOISE: Final = 0.25
ROUNDING: Final = 0.03
# The distance between these quantiles of a normal distribution is DEVIATIONS standard deviations.
MOST_OF_ALL: Final = (0.1, 0.9)
DEVIATIONS: Final = 2.56
# The standard deviation, from block to block, of the logarithm of the ratio of two independent noises of one strength.
# A common part of the noise reduces it.
CHANCE: Final = 0.125


@dataclass(frozen=True, slots=True)
class Noise:
    """`agreement` is the covariance divided by the smaller variance, less what making the previews has added to that:
    about 1 in a copy, 0 between independent noise. It is the median of the comparable blocks, whose share of the quiet
    blocks is `comparable`; None if they are too few. `strength` is the standard deviation of their weaker noise, in
    grey levels.

    Of all quiet blocks, `coherence` is the median correlation, `gain` the strength of the second's fine detail relative
    to the first's, and `unevenness` the variation of that from block to block, relative to what chance produces where
    the noise of both is equally strong everywhere; 0, 1 and 1 if there are no quiet blocks."""

    agreement: float | None = None
    comparable: float = 0.0
    strength: float = 0.0
    coherence: float = 0.0
    gain: float = 1.0
    unevenness: float = 1.0


def noise(first: Grey, second: Grey, where: Mask) -> Noise:
    """Compare the noise of two pictures of one shape, float32 (height, width), `where` (bool) both show the same."""
    if min(second.shape) < BLOCK:
        return Noise()
    usable = over_blocks(np.logical_and, where, BLOCK).ravel() & _unclipped(first) & _unclipped(second)
    if usable.sum() * NOISE_BLOCKS.quiet < NOISE_BLOCKS.min_blocks:
        return Noise()
    activity = np.maximum(_activity(first), _activity(second))
    quiet = usable & (activity <= quantile(activity[usable], NOISE_BLOCKS.quiet))
    band_first, band_second = (blocks_where(band(picture), BLOCK, quiet) for picture in (first, second))
    variance_first, variance_second = (
        np.einsum("ij,ij->i", band_first, band_first) / BLOCK**2,
        np.einsum("ij,ij->i", band_second, band_second) / BLOCK**2,
    )
    covariance = np.einsum("ij,ij->i", band_first, band_second) / BLOCK**2
    smaller, larger = np.minimum(variance_first, variance_second), np.maximum(variance_first, variance_second)
    comparable = (smaller > NOISE_BLOCKS.min_noise**2) & (larger < NOISE_BLOCKS.max_ratio**2 * smaller)
    coherence = median(covariance / np.sqrt(variance_first * variance_second + ROUNDING**2))
    gain = float(np.sqrt((median(variance_second) + ROUNDING) / (median(variance_first) + ROUNDING)))
    logarithms = np.log((variance_second + ROUNDING) / (variance_first + ROUNDING)) / 2
    spread = (quantile(logarithms, MOST_OF_ALL[1]) - quantile(logarithms, MOST_OF_ALL[0])) / DEVIATIONS
    unevenness = spread / (CHANCE * float(np.sqrt(max(1 - coherence**2, ROUNDING))))
    if comparable.sum() < NOISE_BLOCKS.min_blocks:
        return Noise(coherence=coherence, gain=gain, unevenness=unevenness)
    agreement = median(covariance[comparable] / (smaller[comparable] - VIEW_NOISE**2))
    strength = float(np.sqrt(median(smaller[comparable])))
    return Noise(agreement, float(comparable.mean()), strength, coherence, gain, unevenness)


@once_a_picture
def band(picture: Grey) -> Grey:
    """The finest detail that the previews keep, and with it the noise; float32 of the shape of the picture."""
    finest, coarsest = (cv2.GaussianBlur(picture, (0, 0), width) for width in (FINEST_PX, COARSEST_PX))
    return np.asarray(cv2.subtract(finest, coarsest, finest))


@once_a_picture
def _activity(picture: Grey) -> NDArray[np.float32]:
    """The mean variation of the scene from pixel to pixel in each block."""
    scene = cv2.GaussianBlur(picture, (0, 0), SCENE_PX)
    slopes = (cv2.Sobel(scene, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (1, 0))
    across, down = slopes
    steepness = np.abs(across, out=across)
    steepness += np.abs(down, out=down)
    return np.asarray(over_blocks(np.add, steepness, BLOCK).ravel() / np.float32(BLOCK**2), np.float32)


@once_a_picture
def _unclipped(picture: Grey) -> NDArray[np.bool_]:
    darkest, brightest = (over_blocks(extreme, picture, BLOCK).ravel() for extreme in (np.minimum, np.maximum))
    return np.asarray((darkest > NOISE_BLOCKS.darkest) & (brightest < NOISE_BLOCKS.brightest), np.bool_)
