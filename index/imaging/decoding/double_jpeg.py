"""PURE: decoded pixels of a picture -> the quality of a JPEG that it was before, if that was a lesser one.

A JPEG keeps the mean of each block of 8 x 8 pixels as a multiple of its quantisation step, and what is saved again
keeps it too, as long as the blocks stay in their places: as a PNG, as a better JPEG, with a caption, brighter. The
histogram of the means is then a comb, which its Fourier transform shows as a peak (the traces of double compression of
Popescu and Farid, Statistical Tools for Digital Forensics, 2004).
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

BLOCK_PX: Final = 8
# No more blocks than these on a side are looked at, those in the middle.
MOST_BLOCKS: Final = 64
LEAST_BLOCKS: Final = 400
# What is of one shade, a white ground or a bar, tells nothing, nor does what is clipped: in grey levels.
LEAST_SLOPE: Final = 0.4
LEAST_VARIANCE: Final = 0.5
DARKEST: Final = 3.0
BRIGHTEST: Final = 252.0
# The histogram has so many bins for a grey level, and its transform so many frequencies for one cycle a level.
BINS: Final = 16
FREQUENCIES: Final = 512
# A step is an eighth of an entry of a quantisation table. Larger ones than this are of quality 20 and less.
LARGEST_ENTRY: Final = 40
# The file's own steps make a comb as well; a coarser one is at least so much coarser.
COARSER: Final = 1.3
LEAST_ENTRY: Final = 2.8
# How high a peak must be, where 1 is a comb and nothing else, and above what is around it.
LEAST_PEAK: Final = 0.15
# The file's own comb mirrors that of a better JPEG which it was before, up to a height of 0.23 in 14 photographs.
LEAST_PEAK_OF_JPEG: Final = 0.25
# Whole numbers, which are all that is left of a large JPEG, mirror the faint combs of others.
LEAST_PEAK_OF_WHOLE: Final = 0.35
LEAST_PEAK_OF_NOISE: Final = 5.0
LEAST_ABOVE_MEDIAN: Final = 4.0
# Of two peaks that mirror each other one is lower than the other by no more than this.
AS_HIGH: Final = 0.85
MIRROR_WIDTH: Final = 0.02
# The first entry of libjpeg's luminance table at quality 50.
STANDARD_ENTRY: Final = 16


def earlier_quality(levels: NDArray[np.uint8], block: int, own_entry: int = 0) -> int:
    """libjpeg's quality, to a few points, of a JPEG that the picture was before and that had coarser steps than it has
    now; 0 where nothing tells of one.

    `levels` is the luminance, of shape (height, width), beginning where a block begins; `block` how many of its pixels
    are a block's side, fewer than 8 where it was decoded at a reduced size; `own_entry` the first of the luminance
    table of the file itself, 0 where it is no JPEG.
    """
    means = _telling_means(levels, block)
    if means.size < LEAST_BLOCKS:
        return 0
    histogram = np.bincount(np.rint(means * BINS).astype(np.intp), minlength=256 * BINS)
    spectrum = np.abs(np.fft.rfft(histogram, FREQUENCIES * BINS)) / means.size
    # Cycles for a level: those of a comb of whole numbers, or of finer ones where a mean is of several, and the file's.
    combs = [float(block**2), *([BLOCK_PX / own_entry] if own_entry else [])]
    lowest = BLOCK_PX / LARGEST_ENTRY
    highest = min(BLOCK_PX / max(COARSER * own_entry, LEAST_ENTRY), block, *(comb - lowest for comb in combs))
    first, last = round(FREQUENCIES * lowest), round(FREQUENCIES * highest)
    if last - first < 2:
        return 0
    heights = spectrum[first : last + 1]
    inner = heights[1:-1]
    is_peak = (inner >= heights[:-2]) & (inner >= heights[2:])
    if own_entry:
        # Pixels are whole numbers, which mirror the file's own comb.
        frequencies = np.arange(first + 1, last) / FREQUENCIES
        for mirrored in (1 - combs[-1], 2 - combs[-1], 1 - 2 * combs[-1], 2 - 2 * combs[-1], combs[-1] - 1):
            is_peak &= np.abs(frequencies - mirrored) > MIRROR_WIDTH
    if not is_peak.any():
        return 0
    highest_peak = int(np.argmax(np.where(is_peak, inner, 0)))
    height = float(inner[highest_peak])
    above_noise = LEAST_PEAK_OF_NOISE / np.sqrt(means.size), LEAST_ABOVE_MEDIAN * float(np.median(heights))
    alone = LEAST_PEAK_OF_JPEG if own_entry else LEAST_PEAK
    least = max(alone if block > 1 else LEAST_PEAK_OF_WHOLE, *above_noise)
    if height < least:
        return 0
    frequency = (first + 1 + highest_peak) / FREQUENCIES
    for mirrored in (comb - frequency for comb in combs if frequency < comb / 2 and comb - frequency < block):
        place = round(mirrored * FREQUENCIES)
        # Each of two such peaks may mirror the other: the better quality is taken.
        if spectrum[place - 1 : place + 2].max() >= AS_HIGH * height:
            frequency = mirrored
            break
    return quality_of_entry(BLOCK_PX / frequency)


def quality_of_entry(entry: float) -> int:
    """The libjpeg quality whose luminance table begins with this."""
    scale = 100 * entry / STANDARD_ENTRY
    return max(1, min(100, round((200 - scale) / 2 if scale <= 100 else 5000 / scale)))


def _telling_means(levels: NDArray[np.uint8], block: int) -> NDArray[np.float32]:
    """The means of the blocks that are neither clipped nor as bright as the next one, nor of one shade."""
    rows, columns = (min(side // block, MOST_BLOCKS) for side in levels.shape)
    if min(rows, columns) < 2:
        return np.empty(0, np.float32)
    top, left = ((side // block - n) // 2 * block for side, n in zip(levels.shape, (rows, columns), strict=True))
    inside = np.asarray(levels[top : top + rows * block, left : left + columns * block], np.float32)
    means, squares = (
        np.asarray(cv2.resize(one, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
        for one in (inside, inside * inside)
    )
    telling = (np.abs(means - np.roll(means, 1, axis=1)) > LEAST_SLOPE) & (means > DARKEST) & (means < BRIGHTEST)
    if block > 1:
        telling &= squares - means * means > LEAST_VARIANCE
    return np.asarray(means[telling], np.float32)
