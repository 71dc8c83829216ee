"""PURE: two registered pictures -> how well what is faint in them agrees.

The map and the tones are fitted to strong contrasts: edges, folds, seams. Of these a plain picture has a few, and a few
can be aligned with those of another picture: any two lines that cross, with any two others. That they agree says no
more than was fitted. The shading between them, of cloth, skin or a wall, has fitted nothing. It agrees in a copy, and
in next to no other picture.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from index.imaging.thresholds import threshold
from index.imaging.verification.faint_limits import FITTED
from index.imaging.verification.similarity import BLOCK, BLOCKS, PLANE, Grey, blocks_where, over_blocks
from index.imaging.verification.transforms import Mask


@dataclass(frozen=True, slots=True)
class Faint:
    """The correlation of all blocks of 16 pixels together that are neither flat nor textured, each less its mean and
    slope, in the frame of 448 pixels."""

    min_agreement: float = threshold(
        FITTED["min_agreement"], "correlation", "Where no hash proposes the pair. Fitted on parts of photographs."
    )
    min_blocks: int = threshold(4, "blocks", "In fewer there is no gate.")
    sure_coherence: float = threshold(
        0.5,
        "correlation",
        "Of fine detail in quiet places, which is as faint: from here on it proves the same. Parts of two photographs "
        "that show nearly one thing have 0.11 or less.",
    )
    flat: float = threshold(min(BLOCKS.faint), "levels", "Blocks of a lower deviation in both are flat.")


FAINT: Final = Faint()


def faint_agreement(first: Grey, second: Grey, where: Mask, limits: Faint = FAINT) -> tuple[float, int]:
    """The correlation of what is faint, and in how many blocks it was found: 0 in none.

    `first` has the tone and sharpness of `second`, both float32 (height, width). Blocks count that lie in `where`, bool
    of the same shape, as a whole.
    """
    if min(second.shape) < BLOCK:
        return 0.0, 0
    whole = over_blocks(np.logical_and, where, BLOCK).ravel()
    a, b = (_level(blocks_where(picture, BLOCK, whole)) for picture in (first, second))
    square_a, square_b, product = ((x * y).mean(axis=1) for x, y in ((a, a), (b, b), (a, b)))
    strength = np.maximum(square_a, square_b)
    faint = (strength > limits.flat**2) & (strength < BLOCKS.flat**2)
    scale = float(square_a[faint].sum()) * float(square_b[faint].sum())
    blocks = int(np.count_nonzero(faint))
    return (float(product[faint].sum()) / scale**0.5 if scale > 0 else 0.0), blocks


def _level(blocks: Grey) -> Grey:
    """Blocks less the plane that fits each best: (n, BLOCK ** 2)."""
    return np.asarray(blocks - (blocks @ PLANE.T) @ PLANE, np.float32)
