"""PURE: a matrix flipped, rotated or transposed by a Turn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.model import Turn


def turned(picture: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """A matrix turned: flipped, rotated or transposed."""
    if turn in (Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE):
        picture = picture.T
    if turn in (Turn.FLIP_HORIZONTAL, Turn.ROTATE_180, Turn.ROTATE_90, Turn.TRANSVERSE):
        picture = picture[:, ::-1]
    if turn in (Turn.FLIP_VERTICAL, Turn.ROTATE_180, Turn.ROTATE_270, Turn.TRANSVERSE):
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
