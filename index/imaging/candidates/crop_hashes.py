"""PURE: a grey picture -> the hashes of parts of it, for what a hash of the whole cannot see.

Three kinds of parts pay for what they cost. The inside of a frame, where there is one: a copy in a border, between bars
or inside a screenshot has its original's hash there. The picture levelled, where its corners tell that it was tilted.
And nine tenths of each side of every picture, at four places: what was cropped by a tenth or so differs from the whole
in most of the finer bits, but not from the nearest of these. Parts are compared unturned.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.candidates.fingerprint import Box, hash_grey, hash_unturned
from index.candidates.framing import inner_box
from index.candidates.levelling import levelled
from index.model import Hashes

INSIDE: Final = "inside"
LEVELLED: Final = "levelled"
CROPPED: Final = "cropped"
# In fortieths of a side, by which a hash may be off and still be near: nine tenths at 1 and 3, across and down, are so
# near to all that lies between 0 and 4. Of 120 crops each by 5, 8, 10, 12, 15 and 20 % of the sides, at any place, 99,
# 100, 96, 78, 36 and 1 % are near to the whole or to one of the four; with the middle alone 93, 66, 32, 29, 11 and 0 %,
# with nine of them 97, 97, 98, 97, 74 and 3 %.
FORTIETH: Final = 4
PLACES: Final = (1, 3)
LENGTH: Final = 36
# Of the tolerance of wholes. At all of it, parts would propose as many wrong pairs again.
TOLERANCE_SHARE: Final = 0.9


def part_hashes(grey: NDArray[np.uint8], box: Box) -> dict[str, Hashes]:
    """The hashes of the parts of a picture given as luma, uint8 (height, width), of which it takes `box`.

    `bits` holds the first row of each hash alone, that of the part as it stands; of several parts one after the other.
    """
    left, top, right, bottom = box
    parts = {CROPPED: hash_unturned(_crops(grey, box))}
    inner = inner_box(grey)
    if inner is not None:
        inside = (max(left, inner[0]), max(top, inner[1]), min(right, inner[2]), min(bottom, inner[3]))
        parts[INSIDE] = _unturned(hash_grey(grey, inside))
    level = levelled(grey)
    if level is not None:
        parts[LEVELLED] = _unturned(hash_grey(level))
    return parts


def separate(bits: bytes, hsize: int) -> list[bytes]:
    """The hashes of parts that are kept one after the other."""
    size = hsize * hsize // 8
    return [bits[start : start + size] for start in range(0, len(bits), size)]


def part_tolerance(tolerance: int) -> int:
    """The bits by which a whole and a part may differ, where wholes may differ by `tolerance`."""
    return int(TOLERANCE_SHARE * tolerance)


def _crops(grey: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The four, uint8 (4, height, width). Of one square, so that pictures of all sizes share what hashing keeps for
    each size: 2 of 256 bits off those of the picture itself."""
    left, top, right, bottom = (round(edge) for edge in box)
    picture = grey[top : max(bottom, top + 1), left : max(right, left + 1)]
    whole, side = 40 * FORTIETH, LENGTH * FORTIETH
    way = cv2.INTER_AREA if min(picture.shape) >= whole else cv2.INTER_CUBIC
    square = np.asarray(cv2.resize(picture, (whole, whole), interpolation=way), np.uint8)
    starts = [place * FORTIETH for place in PLACES]
    return np.stack([square[y : y + side, x : x + side] for y in starts for x in starts])


def _unturned(hashes: Hashes) -> Hashes:
    return Hashes(hashes.scheme, {hsize: bits[: hsize * hsize // 8] for hsize, bits in hashes.bits.items()})
