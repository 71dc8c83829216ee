"""PURE: the lowest quality at which a picture still reaches a score, with as few encodings as possible.

The search runs on a small mosaic of the picture and is confirmed on the whole: scoring takes most of the time, and only
a fraction of it on the mosaic. If the two scores differ, the aim on the mosaic is moved by the difference.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

LOWEST: Final = 20
HIGHEST: Final = 97
# The maximum number of times that the whole picture is scored.
CONFIRMATIONS: Final = 4
# Tiles of the mosaic: their sides are multiples of JPEG blocks at any subsampling, and large enough for all scales.
TILE: Final = 256
TILES: Final = 4


def mosaic(picture: Bytes) -> Bytes:
    """4 x 4 tiles of 256 pixels from all over a picture of shape (height, width, ...), or all of a small one."""
    if min(picture.shape[:2]) < TILES * TILE:
        return picture
    tops, lefts = ([_aligned(side, number) for number in range(TILES)] for side in picture.shape[:2])
    rows = [np.concatenate([picture[top : top + TILE, left : left + TILE] for left in lefts], 1) for top in tops]
    return np.ascontiguousarray(np.concatenate(rows))


def _aligned(side: int, number: int) -> int:
    """Where a tile begins: evenly spread, at a whole block of 16 pixels."""
    return (side - TILE) * number // (TILES - 1) // 16 * 16


def least_quality(
    guide: Callable[[int], float], confirm: Callable[[int], float], aim: float, highest: int = HIGHEST
) -> int | None:
    """The lowest quality up to `highest` at which `confirm` (the score of the whole picture) reaches the aim, guided by
    `guide` (the score of the mosaic, which must grow with the quality); None if there is none."""
    known: dict[int, float] = {}

    def guided(quality: int) -> float:
        if quality not in known:
            known[quality] = guide(quality)
        return known[quality]

    confirmed: dict[int, bool] = {}
    aim_of_guide = aim
    for _ in range(CONFIRMATIONS):
        quality = _least(guided, aim_of_guide, highest)
        if quality in confirmed:
            # The mosaic shows no difference where the whole picture does: one step towards the aim.
            quality = quality - 1 if confirmed[quality] else quality + 1
        if quality in confirmed or not LOWEST <= quality <= highest:
            break
        score = confirm(quality)
        confirmed[quality] = score >= aim
        aim_of_guide += aim - score
    return min((quality for quality, reached in confirmed.items() if reached), default=None)


def _least(score: Callable[[int], float], aim: float, highest: int) -> int:
    """By bisection; `highest` if none is sufficient."""
    low, high = LOWEST, highest
    while low < high:
        middle = (low + high) // 2
        if score(middle) >= aim:
            high = middle
        else:
            low = middle + 1
    return low
