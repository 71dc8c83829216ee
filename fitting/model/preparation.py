"""A picture as the model is given it: one exact definition, and the variations of it that training sees."""

import random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fitting.model.alterations import FILTERS, Picture

SIDE: Final = 224
MEAN: Final = 127.0
DEVIATION: Final = 128.0


def square(im: Picture) -> Picture:
    """An RGB picture at SIDE x SIDE: to at most twice that by a bilinear filter, then stretched by a bicubic one.

    Both are Pillow's, whose filters widen when they reduce. Another resize changes the embedding.
    """
    if max(im.size) > 2 * SIDE:
        im = im.copy()
        im.thumbnail((2 * SIDE, 2 * SIDE), Image.Resampling.BILINEAR)
    return im.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def varied_square(im: Picture, rng: random.Random) -> Picture:
    """The same by any filter in three of ten cases, so that the embedding depends less on it."""
    return im.resize((SIDE, SIDE), rng.choice(FILTERS)) if rng.random() < 0.3 else square(im)


def values(squares: list[Picture]) -> NDArray[np.float32]:
    """Squares as float32 [n, 3, SIDE, SIDE], RGB, (x - MEAN) / DEVIATION."""
    stacked = np.stack([np.asarray(one) for one in squares]).astype(np.float32)
    return np.ascontiguousarray(((stacked - MEAN) / DEVIATION).transpose(0, 3, 1, 2))
