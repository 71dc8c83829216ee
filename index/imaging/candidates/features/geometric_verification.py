"""PURE: corners of two pictures that look alike -> how one picture lies over the other, and how many agree on it.

Any two pairs of corners fix a turn, a scale, a place and a handedness (a similarity); the angles and sizes of those
corners must say about the same, or the pairs met by accident. Of all such hypotheses the one counts with which most
pairs agree: RANSAC (Fischler and Bolles, 1981) with every hypothesis tried, so that chance has no part in it. The
answer is the same whichever picture comes first.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.candidates.features import LEVEL_FACTOR, PER_PX, PER_TURN, Described, Descriptors, Places

# Where a corner is to lie, in pixels of a view: a picture taken at a slant is none of these similarities exactly.
TOLERANCE_PX: Final = 12.0
# Two corners nearer than this fix neither turn nor scale.
APART_PX: Final = 20.0
ANGLE_TOLERANCE: Final = 0.45
SCALE_TOLERANCE: Final = 0.5
# Pairs of corners looked at: the cube of it is paid for, and so many agree or not as well as all do.
PAIRS_AT_MOST: Final = 32
# Corners of two pictures that are already known to be worth a look may be less alike, and fewer.
NEAR_BITS: Final = 56
LEAST_AGREEING: Final = 4
PLACINGS: Final = 2


def agreeing(first: Places, second: Places, pairs: NDArray[np.int64]) -> int:
    """How many corners agree at best: rows of `pairs`, int64 (n, 2), name corners of the first and second picture.

    A corner has a part in the first of its pairs only. Of more than PAIRS_AT_MOST pairs the first are looked at.
    """
    pairs = _one_to_one(pairs)
    if len(pairs) < 2:
        return len(pairs)
    agree = _agreements(_Corners(first[pairs[:, 0]]), _Corners(second[pairs[:, 1]]))
    return int(np.count_nonzero(agree, axis=1).max()) if len(agree) else 1


def placings(first: Described, second: Described) -> tuple[NDArray[np.float64], ...]:
    """How the first picture may lie over the second: the similarity that most corners agree on, and that on which most
    of the others do, since two pictures with one caption or logo may have nothing else in common. Each is fitted by
    least squares, as a matrix (3, 3) from pixels to pixels of views enlarged as for `describe`, and mirrors where its
    determinant is negative. Fewer where fewer than LEAST_AGREEING agree.
    """
    pairs = _mutually_nearest(first.descriptors, second.descriptors)[:PAIRS_AT_MOST]
    a, b = _Corners(first.places[pairs[:, 0]]), _Corners(second.places[pairs[:, 1]])
    agree = _agreements(a, b)
    found: list[NDArray[np.float64]] = []
    for _ in range(PLACINGS):
        counts = np.count_nonzero(agree, axis=1)
        if not len(counts) or counts.max() < LEAST_AGREEING:
            break
        best = agree[counts.argmax()]
        found.append(_fitted(a, b, best))
        agree = agree & ~best
    return tuple(found)


def _fitted(a: "_Corners", b: "_Corners", corners: NDArray[np.bool_]) -> NDArray[np.float64]:
    mirrored = bool((a.mirrored != b.mirrored)[corners][0])
    source, target = (-a.xy.conj() if mirrored else a.xy)[corners], b.xy[corners]
    (factor, offset), *_ = np.linalg.lstsq(np.stack([source, np.ones_like(source)], axis=1), target, rcond=None)
    across = -1 if mirrored else 1
    return np.array(
        [
            [across * factor.real, -factor.imag, offset.real],
            [across * factor.imag, factor.real, offset.imag],
            [0, 0, 1],
        ]
    )


def _agreements(a: "_Corners", b: "_Corners") -> NDArray[np.bool_]:
    """Of each hypothesis that two corners make, which of the corners agree with it: (hypotheses, corners)."""
    mirrored = a.mirrored != b.mirrored
    # Of a mirrored pair the first picture is looked at in a mirror.
    a_xy = np.where(mirrored, -a.xy.conj(), a.xy)
    turned = b.angle - np.where(mirrored, np.pi - a.angle, a.angle)
    grown = np.log(LEVEL_FACTOR) * (b.level - a.level)
    one, other = np.triu_indices(len(mirrored), 1)
    from_a, from_b = a_xy[other] - a_xy[one], b.xy[other] - b.xy[one]
    usable = (mirrored[one] == mirrored[other]) & (np.abs(from_a) >= APART_PX) & (np.abs(from_b) >= APART_PX)
    one, other, similarity = one[usable], other[usable], from_b[usable] / from_a[usable]
    likely = np.ones(len(one), bool)
    for end in (one, other):
        off = np.abs(np.angle(np.exp(1j * turned[end]) / similarity))
        likely &= (off <= ANGLE_TOLERANCE) & (np.abs(grown[end] - np.log(np.abs(similarity))) <= SCALE_TOLERANCE)
    one, similarity = one[likely], similarity[likely]
    predicted = similarity[:, None] * (a_xy - a_xy[one][:, None]) + b.xy[one][:, None]
    # Half way between the pixels of one picture and those of the other.
    tolerance = TOLERANCE_PX * np.sqrt(np.abs(similarity))[:, None]
    agree: NDArray[np.bool_] = (np.abs(predicted - b.xy) <= tolerance) & (mirrored == mirrored[one][:, None])
    return agree


class _Corners:
    """Places in units that can be reckoned with: `xy` complex, in pixels; `angle` in radians; `level`; `mirrored`."""

    def __init__(self, places: Places) -> None:
        self.xy = (places[:, 0] + 1j * places[:, 1]) / PER_PX
        self.angle = places[:, 2] * (2 * np.pi / PER_TURN)
        self.level = (places[:, 3] // 2).astype(np.float64)
        self.mirrored = places[:, 3] % 2 == 1


def _mutually_nearest(first: Descriptors, second: Descriptors) -> NDArray[np.int64]:
    """The pairs of corners that are nearest to each other, and near, the nearest first: int64 (n, 2)."""
    if not len(first) or not len(second):
        return np.empty((0, 2), np.int64)
    words = [np.ascontiguousarray(one).view(np.uint64) for one in (first, second)]
    bits = np.bitwise_count(words[0][:, None] ^ words[1]).sum(axis=2, dtype=np.int64)
    nearest = bits.argmin(axis=1)
    own = np.arange(len(first))
    distance = bits[own, nearest]
    mutual = (bits.argmin(axis=0)[nearest] == own) & (distance <= NEAR_BITS)
    pairs: NDArray[np.int64] = np.stack([own[mutual], nearest[mutual]], axis=1)
    nearest_first: NDArray[np.int64] = pairs[distance[mutual].argsort(kind="stable")]
    return nearest_first


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
