"""PURE: how often each level of luminance occurs -> whether the picture was stored in the range of video before.

WebP and video keep luminance in 220 levels, from 16 to 235 (ITU-R BT.601); cameras use all 256. Once stretched to the
full range, its levels lie 255/219 apart: about one in seven occurs less, with a period that no edit has by chance, and
a JPEG of good quality leaves some of that.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]

# Cycles a level: as many levels for each of the 255 as there are steps from 16 to 235.
CYCLES: Final = 219 / 255
# Cycles of other periods, about as long after sampling by whole levels: they show what is usual in this picture.
BESIDE: Final = (0.10, 0.11, 0.12, 0.165, 0.175, 0.185)
# What is left of a depth of nothing by chance.
LEAST_DEPTH: Final = 0.02
# Black and white collect what was clipped.
INNER: Final = slice(3, 253)
# The distribution without its fine structure: a mean over this many levels on each side, by Gauss.
REACH: Final = 6
SIGMA: Final = 2.5
# A level that occurs more often than this multiple of those around it is a fill, as of a frame.
FILL: Final = 3.0
# Drawings have few levels, at any distance from each other.
LEAST_LEVELS: Final = 64

PLACES: Final = np.arange(256)[INNER]
WAVE: Final = np.cos(2 * np.pi * CYCLES * PLACES)
WAVES_BESIDE: Final = np.exp(2j * np.pi * np.multiply.outer(PLACES, BESIDE))


def limited_range(levels: Levels) -> float:
    """How far the depth of the period of limited range exceeds that of others, from 0; 1 and more is rare without.

    `levels` holds how often each level occurs, (256,).
    """
    padded = np.pad(levels, 4, mode="edge")
    # The median.
    usual = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 9), axis=1)[:, 4]
    if np.count_nonzero(usual) < LEAST_LEVELS:
        return 0.0
    counts = np.minimum(levels, FILL * usual + 10)
    gauss = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / SIGMA) ** 2)
    smooth = np.convolve(counts, gauss / gauss.sum(), "same")[INNER]
    rises = counts[INNER] - smooth
    # The levels lie on whole multiples from black on, so that the phase is known.
    depth = float(rises @ WAVE)
    beside = np.abs(rises @ WAVES_BESIDE)
    scale = 2 / float(smooth.sum())
    return round(max(0.0, depth * scale / (float(np.median(beside)) * scale + LEAST_DEPTH)), 3)
