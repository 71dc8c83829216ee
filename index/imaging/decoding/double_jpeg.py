"""PURE: estimates from decoded pixels the quality of an earlier JPEG, if that was lower.

A JPEG stores the mean of each block of 8 x 8 pixels as a multiple of its quantisation step. A copy saved from it (as a
PNG, as a better JPEG, with a caption, brighter) keeps these means as long as the blocks stay at their positions. The
histogram of the means is then a comb, which its Fourier transform shows as a peak (the traces of double compression of
Popescu and Farid, Statistical Tools for Digital Forensics, 2004).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold

BLOCK_PX: Final = 8
# At most this many blocks per side are used, those in the middle.
MOST_BLOCKS: Final = 64


@dataclass(frozen=True, slots=True)
class CombLimits:
    """The limits for a comb of block means that shows an earlier JPEG."""

    min_blocks: int = threshold(400, "blocks", "The fewest blocks for a histogram.")
    min_slope: float = threshold(
        0.4, "levels", "A smaller difference from the next block means one shade, which gives no evidence."
    )
    min_variance: float = threshold(0.5, "levels squared", "A smaller variance within a block means one shade, too.")
    darkest: float = threshold(3.0, "levels", "Darker blocks are clipped.")
    brightest: float = threshold(252.0, "levels", "Brighter blocks are clipped.")
    max_entry: int = threshold(40, "entry of the quantisation table", "Larger entries belong to quality 20 and less.")
    min_coarser: float = threshold(
        1.3, "ratio", "The file's own steps also make a comb; an earlier JPEG's comb must be this much coarser."
    )
    min_entry: float = threshold(
        2.8, "entry of the quantisation table", "Smaller entries belong to quality 91 and more."
    )
    min_peak: float = threshold(0.15, "share of a pure comb", "The least height of a peak in the spectrum.")
    min_peak_of_jpeg: float = threshold(
        0.25,
        "share of a pure comb",
        "The file's own comb mirrors that of a better earlier JPEG, up to 0.23 in 14 photographs.",
    )
    min_peak_of_whole: float = threshold(
        0.35,
        "share of a pure comb",
        "Rounding to whole numbers, the only trace of a large JPEG, mirrors faint combs.",
    )
    min_peak_of_noise: float = threshold(
        5.0, "standard deviations", "The least height above what chance gives for this number of blocks."
    )
    min_above_median: float = threshold(4.0, "ratio", "The least height relative to the median of the spectrum.")
    as_high: float = threshold(0.85, "ratio", "The least height of one of two mirrored peaks relative to the other.")
    mirror_width: float = threshold(
        0.02, "cycles a level", "A peak this close to a mirrored frequency is a mirror image."
    )


COMB: Final = CombLimits()

# The bins of the histogram for one grey level, and the frequencies of its transform for one cycle per level.
BINS: Final = 16
FREQUENCIES: Final = 512
# The first entry of libjpeg's luminance table at quality 50.
STANDARD_ENTRY: Final = 16


def earlier_quality(levels: NDArray[np.uint8], block: int, own_entry: int = 0) -> int:
    """The libjpeg quality, to a few points, of an earlier JPEG with coarser steps than the file has now; 0 if there is
    no trace of one.

    `levels` is the luminance, of shape (height, width), starting at the start of a block. `block` is the side of a
    block in these pixels, fewer than 8 if the picture was decoded at a reduced size. `own_entry` is the first entry of
    the luminance table of the file itself, 0 if it is no JPEG.
    """
    means = _usable_means(levels, block)
    if means.size < COMB.min_blocks:
        return 0
    # Combs that are expected anyway, in cycles per level: that of whole numbers (finer if a mean is of several pixels),
    # and that of the file's own table.
    combs = [float(block**2), *([BLOCK_PX / own_entry] if own_entry else [])]
    lowest = BLOCK_PX / COMB.max_entry
    highest = min(
        BLOCK_PX / max(COMB.min_coarser * own_entry, COMB.min_entry), block, *(comb - lowest for comb in combs)
    )
    first, last = round(FREQUENCIES * lowest), round(FREQUENCIES * highest)
    if last - first < 2:
        return 0
    # A mirrored peak is at most at `block` cycles per level, and its neighbours are needed, too.
    spectrum = _spectrum(means, max(last, FREQUENCIES * block) + 2)
    heights = spectrum[first : last + 1]
    inner = heights[1:-1]
    is_peak = (inner >= heights[:-2]) & (inner >= heights[2:])
    if own_entry:
        is_peak &= _apart_from_mirrors(first + 1, last, combs[-1])
    if not is_peak.any():
        return 0
    highest_peak = int(np.argmax(np.where(is_peak, inner, 0)))
    height = float(inner[highest_peak])
    alone = COMB.min_peak_of_jpeg if own_entry else COMB.min_peak
    least = max(alone if block > 1 else COMB.min_peak_of_whole, COMB.min_peak_of_noise / np.sqrt(means.size))
    if height < least or height < COMB.min_above_median * median(heights):
        return 0
    frequency = (first + 1 + highest_peak) / FREQUENCIES
    for mirrored in (comb - frequency for comb in combs if frequency < comb / 2 and comb - frequency < block):
        place = round(mirrored * FREQUENCIES)
        # Each of two such peaks may be the mirror image of the other. The one of the better quality is used.
        if spectrum[place - 1 : place + 2].max() >= COMB.as_high * height:
            frequency = mirrored
            break
    return quality_of_entry(BLOCK_PX / frequency)


def _spectrum(means: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """The first `count` heights in the spectrum of the histogram of block means, relative to a pure comb."""
    histogram = np.zeros((1, FREQUENCIES * BINS))
    counts = np.bincount(np.rint(means * BINS).astype(np.intp))
    histogram[0, : len(counts)] = counts
    # Real and imaginary parts in turn, except that the first and the last height have no imaginary part. This takes
    # half the time of numpy's transform.
    parts = np.asarray(cv2.dft(histogram), np.float64)[0]
    inner = min(count, len(parts) // 2)
    heights = np.empty(min(count, len(parts) // 2 + 1))
    heights[0], heights[-1] = means.size, abs(parts[-1])
    real, imaginary = parts[1 : 2 * inner - 1 : 2], parts[2 : 2 * inner - 1 : 2]
    np.sqrt(real * real + imaginary * imaginary, out=heights[1:inner])
    heights /= means.size
    return heights


@lru_cache(maxsize=64)
def _apart_from_mirrors(first: int, last: int, comb: float) -> NDArray[np.bool_]:
    """Which places from `first` to before `last` in the spectrum mirror no frequency of the file's own comb: pixel
    values are whole numbers, which mirror it."""
    frequencies = np.arange(first, last) / FREQUENCIES
    apart = np.ones(len(frequencies), np.bool_)
    for mirrored in (1 - comb, 2 - comb, 1 - 2 * comb, 2 - 2 * comb, comb - 1):
        apart &= np.abs(frequencies - mirrored) > COMB.mirror_width
    return apart


def median(values: NDArray[np.float64]) -> float:
    """Like np.median, for at least two values, in a quarter of the time."""
    middle, odd = divmod(len(values), 2)
    lower = middle - 1 + odd
    return float(np.partition(values, (lower, middle))[lower : middle + 1].mean())


def quality_of_entry(entry: float) -> int:
    """The libjpeg quality whose luminance table begins with this entry."""
    scale = 100 * entry / STANDARD_ENTRY
    return max(1, min(100, round((200 - scale) / 2 if scale <= 100 else 5000 / scale)))


def _usable_means(levels: NDArray[np.uint8], block: int) -> NDArray[np.float32]:
    """The means of the blocks, without blocks that are clipped, uniform, or as bright as the next one."""
    rows, columns = (min(side // block, MOST_BLOCKS) for side in levels.shape)
    if min(rows, columns) < 2:
        return np.empty(0, np.float32)
    top, left = ((side // block - n) // 2 * block for side, n in zip(levels.shape, (rows, columns), strict=True))
    inside = np.asarray(levels[top : top + rows * block, left : left + columns * block], np.float32)
    means = _block_means(inside, block)
    slopes = np.empty_like(means)
    np.subtract(means[:, 1:], means[:, :-1], out=slopes[:, 1:])
    np.subtract(means[:, 0], means[:, -1], out=slopes[:, 0])
    usable = (np.abs(slopes) > COMB.min_slope) & (means > COMB.darkest)
    usable &= means < COMB.brightest
    if block > 1:
        usable &= _block_means(inside * inside, block) - means * means > COMB.min_variance
    return np.asarray(means[usable], np.float32)


def _block_means(values: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """The means of the blocks, whose side is a power of two: by halves, for which OpenCV has a faster way than for
    whole blocks. Sums of whole numbers this small are exact."""
    while block > 1:
        height, width = values.shape
        values = np.asarray(cv2.resize(values, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.float32)
        block //= 2
    return values
