"""PURE: a grey picture -> how much of it is drawn in strokes, such as letters and the lines of charts.

Graphics are plain, and so are black cloth, a clear sky and a smooth drawn landscape. But contrasts in these are no
strokes, or are not on a single tone.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification.similarity import in_blocks
from index.imaging.verification.stroke_limits import FITTED
from index.imaging.verification.transforms import Grey


@dataclass(frozen=True, slots=True)
class StrokeLimits:
    """What is drawn in strokes, in blocks of 16 pixels of the frame of 448."""

    min_share: float = threshold(FITTED["min_share"], "share of blocks", "In a graphic; fitted on drawn pictures.")
    min_side: int = threshold(300, "pixels", "In smaller pictures letters are no strokes: what is plain is a graphic.")
    contrast: float = threshold(0.2, "share of the range", "The least contrast of strokes with what is next to them.")
    min_contrast: float = threshold(24.0, "levels", "At least.")
    min_of_block: float = threshold(0.12, "share of a block", "A block with less has no strokes.")
    min_blocks: int = threshold(12, "blocks", "Where fewer count, there may be single lines: then thin_of_block holds.")
    thin_of_block: float = threshold(0.04, "share of a block", "A line of one pixel across is 0.06.")
    tone_width: int = threshold(12, "levels", "If half of a block is within this many levels, it has one tone.")
    on_texture: float = threshold(0.33, "blocks", "A block with strokes on no single tone counts so much.")
    flat: float = threshold(4.0, "levels", "Blocks of a lower deviation do not count.")


STROKES: Final = StrokeLimits()

BLOCK: Final = 16
# Strokes are thinner than this, in pixels.
STROKE_PX: Final = 5
# The range of a picture, without so much at both ends.
RANGE: Final = (0.005, 0.995)


def stroke_contrast(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The levels by which each pixel of a grey picture, uint8 (height, width), differs from both its sides, as strokes
    do: the larger of the black and the white top hat."""
    square = np.ones((STROKE_PX, STROKE_PX), np.uint8)
    dark, light = (cv2.morphologyEx(levels, kind, square) for kind in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT))
    return np.asarray(cv2.max(dark, light), np.uint8)


def stroke_share(frame: Grey) -> float:
    """Of the blocks with strokes or with a texture of many tones, the share with strokes. The edges of plain areas are
    neither. 0 where no block counts."""
    levels = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    darkest, lightest = np.quantile(levels, RANGE)
    contrast = max(STROKES.min_contrast, STROKES.contrast * float(lightest - darkest))
    blocks = in_blocks(levels, BLOCK).reshape(-1, BLOCK**2)
    textured = blocks.std(axis=-1) > STROKES.flat
    if not textured.any():
        return 0.0
    stroked = in_blocks(stroke_contrast(levels) > contrast, BLOCK).reshape(-1, BLOCK**2)[textured].mean(axis=-1)
    tones, half = np.sort(blocks[textured].astype(np.int16), axis=-1), BLOCK**2 // 2
    on_one_tone = (tones[:, half - 1 :] - tones[:, : half + 1]).min(axis=-1) <= STROKES.tone_width
    has_strokes = stroked > STROKES.min_of_block
    if (has_strokes | ~on_one_tone).sum() < STROKES.min_blocks:
        has_strokes = stroked > STROKES.thin_of_block
    counted = int((has_strokes | ~on_one_tone).sum())
    drawn = np.where(on_one_tone, 1.0, STROKES.on_texture)[has_strokes].sum()
    return float(drawn / counted) if counted else 0.0
