"""PURE: corners of two pictures that look alike -> how many of them agree on how one picture lies over the other.

Any two pairs of corners fix a turn, a scale, a place and a handedness (a similarity); the angles and sizes of those
corners must say about the same, or the pairs met by accident. Of all such hypotheses the one counts with which most
pairs agree: RANSAC (Fischler and Bolles, 1981) with every hypothesis tried, so that chance has no part in it. The
answer is the same whichever picture comes first.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.candidates.features import LEVEL_FACTOR, PER_PX, PER_TURN, Places

# Where a corner is to lie, in pixels of a view: a picture taken at a slant is none of these similarities exactly.
TOLERANCE_PX: Final = 12.0
# Two corners nearer than this fix neither turn nor scale.
APART_PX: Final = 20.0
ANGLE_TOLERANCE: Final = 0.45
SCALE_TOLERANCE: Final = 0.5
# Pairs of corners looked at: the cube of it is paid for, and so many agree or not as well as all do.
PAIRS_AT_MOST: Final = 32


def agreeing(first: Places, second: Places, pairs: NDArray[np.int64]) -> int:
    """How many corners agree at best: rows of `pairs`, int64 (n, 2), name corners of the first and second picture.

    A corner has a part in the first of its pairs only. Of more than PAIRS_AT_MOST pairs the first are looked at.
    """
    pairs = _one_to_one(pairs)
    if len(pairs) < 2:
        return len(pairs)
    a, b = _Corners(first[pairs[:, 0]]), _Corners(second[pairs[:, 1]])
    mirrored = a.mirrored != b.mirrored
    # Of a mirrored pair the first picture is looked at in a mirror.
    a_xy = np.where(mirrored, -a.xy.conj(), a.xy)
    turned = b.angle - np.where(mirrored, np.pi - a.angle, a.angle)
    grown = np.log(LEVEL_FACTOR) * (b.level - a.level)
    one, other = np.triu_indices(len(pairs), 1)
    from_a, from_b = a_xy[other] - a_xy[one], b.xy[other] - b.xy[one]
    usable = (mirrored[one] == mirrored[other]) & (np.abs(from_a) >= APART_PX) & (np.abs(from_b) >= APART_PX)
    one, other, similarity = one[usable], other[usable], from_b[usable] / from_a[usable]
    likely = np.ones(len(one), bool)
    for end in (one, other):
        off = np.abs(np.angle(np.exp(1j * turned[end]) / similarity))
        likely &= (off <= ANGLE_TOLERANCE) & (np.abs(grown[end] - np.log(np.abs(similarity))) <= SCALE_TOLERANCE)
    one, similarity = one[likely], similarity[likely]
    if not len(one):
        return 1
    predicted = similarity[:, None] * (a_xy - a_xy[one][:, None]) + b.xy[one][:, None]
    # Half way between the pixels of one picture and those of the other.
    tolerance = TOLERANCE_PX * np.sqrt(np.abs(similarity))[:, None]
    agree = (np.abs(predicted - b.xy) <= tolerance) & (mirrored == mirrored[one][:, None])
    return int(np.count_nonzero(agree, axis=1).max())


class _Corners:
    """Places in units that can be reckoned with: `xy` complex, in pixels; `angle` in radians; `level`; `mirrored`."""

    def __init__(self, places: Places) -> None:
        self.xy = (places[:, 0] + 1j * places[:, 1]) / PER_PX
        self.angle = places[:, 2] * (2 * np.pi / PER_TURN)
        self.level = (places[:, 3] // 2).astype(np.float64)
        self.mirrored = places[:, 3] % 2 == 1


def _one_to_one(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first pairs in which no corner is twice."""
    first: set[int] = set()
    second: set[int] = set()
    chosen = []
    for number, (one, other) in enumerate(pairs.tolist()):
        if one not in first and other not in second:
            first.add(one)
            second.add(other)
            chosen.append(number)
            if len(chosen) == PAIRS_AT_MOST:
                break
    return pairs[chosen]
