"""PURE: the luminance of a picture -> histograms of the coefficients of its blocks.

They are made for each place where the blocks of an earlier JPEG may begin; `earlier_coding` says what they show of it.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.model import Turn

BLOCK_PX: Final = 8
# The side of the middle that is looked at, in pixels: 16,384 blocks are more than enough.
MOST_PX: Final = 1024
# The coefficients 1 to 27 in zigzag order as (row, column): finer ones are mostly zero.
COEFFICIENTS: Final = tuple(
    sorted(
        ((row, column) for row in range(7) for column in range(7) if 0 < row + column < 7),
        key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]),
    )
)
# Absolute values by halves up to 64.
BINS: Final = 128
BIN: Final = 0.5

Histograms = NDArray[np.uint8]


def grids(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Where the blocks of an earlier JPEG of this size may begin, (left, top): at the corner, or, after a flip or a
    quarter turn, where the last whole block ended."""
    return tuple(dict.fromkeys((left, top) for left in (0, width % 8) for top in (0, height % 8)))


def grid_after(turn: Turn, width: int, height: int) -> tuple[int, int]:
    """Where the blocks of an earlier JPEG begin in a picture of this size that is the JPEG's after a turn."""
    reversed_across = turn in (Turn.FLIP_HORIZONTAL, Turn.ROTATE_180, Turn.ROTATE_90, Turn.TRANSVERSE)
    reversed_down = turn in (Turn.FLIP_VERTICAL, Turn.ROTATE_180, Turn.ROTATE_270, Turn.TRANSVERSE)
    return width % BLOCK_PX if reversed_across else 0, height % BLOCK_PX if reversed_down else 0


def coefficient_histograms(luminance: NDArray[np.uint8], left: int, top: int) -> Histograms:
    """For each of COEFFICIENTS how many blocks have which absolute value, (27, BINS) uint8: square roots of counts.

    `luminance` is (height, width); the blocks begin at (`left`, `top`).
    """
    values = luminance[top:, left:]
    rows, columns = (side // BLOCK_PX for side in values.shape)
    most = MOST_PX // BLOCK_PX
    first_row, first_column = max(0, rows - most) // 2, max(0, columns - most) // 2
    rows, columns = min(rows, most), min(columns, most)
    if not rows or not columns:
        return np.zeros((len(COEFFICIENTS), BINS), np.uint8)
    values = values[first_row * 8 : (first_row + rows) * 8, first_column * 8 : (first_column + columns) * 8]
    blocks = values.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    sizes = blocks[_usable(values).ravel()].astype(np.float32) @ _transform().T
    np.abs(sizes, out=sizes)
    sizes *= np.float32(1 / BIN)
    np.rint(sizes, out=sizes)
    np.minimum(sizes, np.float32(BINS), out=sizes)
    # All coefficients are counted at once, each in bins of its own.
    sizes += np.arange(len(COEFFICIENTS), dtype=np.float32) * np.float32(BINS + 1)
    counts = np.bincount(sizes.astype(np.int64).ravel(), minlength=len(COEFFICIENTS) * (BINS + 1))
    counts = counts.reshape(len(COEFFICIENTS), BINS + 1)[:, :BINS]
    return np.minimum(255, np.rint(np.sqrt(counts))).astype(np.uint8)


def _usable(values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which blocks are not clipped, (rows, columns): a clipped one has other coefficients than were stored."""
    rows = values.shape[0] // BLOCK_PX
    # 255 and 0 are followed by 0 and 1. The 8 pixels of a line of a block are one word.
    clipped = np.bitwise_or.reduce((values + np.uint8(1) <= 1).reshape(rows, BLOCK_PX, -1), axis=1)
    return np.asarray(clipped.view(np.uint64) == 0)


@lru_cache(maxsize=1)
def _transform() -> NDArray[np.float32]:
    """The rows are the coefficients, the columns the pixels of a block."""
    basis = []
    for row, column in COEFFICIENTS:
        unit = np.zeros((8, 8), np.float32)
        unit[row, column] = 1
        basis.append(np.asarray(cv2.idct(unit), np.float32).ravel())
    return np.stack(basis)


def _zigzag() -> dict[tuple[int, int], int]:
    order = sorted(
        ((row, column) for row in range(8) for column in range(8)),
        key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]),
    )
    return {place: number for number, place in enumerate(order)}


ZIGZAG: Final = _zigzag()
COUNTS: Final = np.arange(256, dtype=np.float32) ** 2
