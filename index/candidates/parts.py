"""PURE: a grey picture -> the hashes of parts of it, for what a hash of the whole cannot see.

Three parts pay for what they cost. The inside of a frame, where there is one: a copy in a border, between bars or
inside a screenshot has its original's hash there. The picture levelled, where its corners tell that it was tilted. And
the middle of every picture: what was cropped by a tenth or so differs from the whole in most of the finer bits, but not
from the middle. Parts are compared unturned.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.candidates.fingerprint import Box, hash_grey
from index.candidates.framing import inner_box
from index.candidates.levelling import levelled
from index.model import Hashes

INSIDE: Final = "inside"
LEVELLED: Final = "levelled"
MIDDLE: Final = "middle"
# Of each side. A crop may be anywhere: the middle of 0.9 is within 0.05 of most that leave 0.85 to 0.95.
MIDDLE_SHARE: Final = 0.9
# Of the tolerance of wholes. At all of it, parts would propose as many wrong pairs again; at nine tenths, a sixth more.
TOLERANCE_SHARE: Final = 0.9


def part_hashes(grey: NDArray[np.uint8], box: Box) -> dict[str, Hashes]:
    """The hashes of the parts of a picture given as luma, uint8 (height, width), of which it takes `box`.

    `bits` holds the first row of each hash alone, that of the part as it stands.
    """
    left, top, right, bottom = box
    x, y = (1 - MIDDLE_SHARE) / 2 * (right - left), (1 - MIDDLE_SHARE) / 2 * (bottom - top)
    parts = {MIDDLE: (left + x, top + y, right - x, bottom - y)}
    inner = inner_box(grey)
    if inner is not None:
        parts[INSIDE] = (max(left, inner[0]), max(top, inner[1]), min(right, inner[2]), min(bottom, inner[3]))
    hashes = {role: hash_grey(grey, part) for role, part in parts.items()}
    level = levelled(grey)
    if level is not None:
        hashes[LEVELLED] = hash_grey(level)
    return {role: _unturned(found) for role, found in hashes.items()}


def part_tolerance(tolerance: int) -> int:
    """The bits by which a whole and a part may differ, where wholes may differ by `tolerance`."""
    return int(TOLERANCE_SHARE * tolerance)


def _unturned(hashes: Hashes) -> Hashes:
    return Hashes(hashes.scheme, {hsize: bits[: hsize * hsize // 8] for hsize, bits in hashes.bits.items()})
