"""PURE: finds the similarity transform that maps one picture to another, from matched corners, and its inliers.

Two pairs of corners define a similarity: a rotation, scale, translation, and mirrored or not. The angles and sizes of
the corners must agree with it; otherwise the match is accidental. The hypothesis with the most inliers wins. This is
RANSAC (Fischler and Bolles, 1981) with every hypothesis tried, so the result is deterministic. It does not depend on
the order of the two pictures.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.features.descriptors import (
    LEVEL_FACTOR,
    PER_PX,
    PER_TURN,
    Descriptors,
    FeatureSet,
    Places,
)
from index.imaging.thresholds import threshold


@dataclass(frozen=True, slots=True)
class TransformLimits:
    """The limits within which corners of two pictures agree on a similarity."""

    tolerance_px: float = threshold(12.0, "pixels", "Of a preview: a picture taken at a slant is no exact similarity.")
    min_distance_px: float = threshold(20.0, "pixels", "Two nearer corners fix neither turn nor scale.")
    angle_tolerance: float = threshold(0.45, "radians", "Between the turn of a corner and that of the similarity.")
    scale_tolerance: float = threshold(0.5, "natural logarithm", "The same for scales.")
    near_bits: int = threshold(
        56, "of 256 bits", "Corners of pictures that are proposed already may be less alike, and fewer."
    )
    min_inliers: int = threshold(4, "corners", "That agree on a similarity.")


TRANSFORM: Final = TransformLimits()

# Pairs of corners examined. The cost grows with the cube of this, and more do not change the result.
PAIRS_AT_MOST: Final = 32
# Two pictures may share a caption or a logo; then the second similarity is the one that counts.
TRANSFORMS_AT_MOST: Final = 2


def inlier_count(first: Places, second: Places, pairs: NDArray[np.int64]) -> int:
    """The most inliers of any similarity: rows of `pairs`, int64 (n, 2), are corners of the first and second picture.

    Only the first pair of each corner counts. Of more than PAIRS_AT_MOST pairs the first are examined.
    """
    pairs = _one_to_one(pairs)
    if len(pairs) < 2:
        return len(pairs)
    agree = _inliers(_Corners(first[pairs[:, 0]]), _Corners(second[pairs[:, 1]]))
    return int(np.count_nonzero(agree, axis=1).max()) if len(agree) else 1


def agreeing_weight(
    first: FeatureSet, second: Descriptors | NDArray[np.uint64], places: Places, weights: NDArray[np.float64]
) -> float:
    """The largest total weight of mutually nearest corners of two pictures that agree on one similarity. `second` and
    `places` are those of the second picture, `weights` (n,) belong to the corners of the first.

    The pairs with the largest weights are examined first; of equal ones, the nearest.
    """
    pairs = _mutually_nearest(first.descriptors, second)
    pairs = pairs[np.argsort(-weights[pairs[:, 0]], kind="stable")][:PAIRS_AT_MOST]
    if len(pairs) < 2:
        return float(weights[pairs[:, 0]].sum())
    agree = _inliers(_Corners(first.places[pairs[:, 0]]), _Corners(places[pairs[:, 1]]))
    return float((agree @ weights[pairs[:, 0]]).max()) if len(agree) else 0.0


def ransac_transforms(first: FeatureSet, second: FeatureSet) -> tuple[NDArray[np.float64], ...]:
    """The transforms that may map the first picture to the second: the similarity with most inliers, and the one with
    most inliers among the other corners, since two pictures with one caption or logo may have nothing else in common.

    Each is fitted by least squares: float64 (3, 3), from pixels to pixels of previews enlarged as for `describe`; the
    determinant is negative where it mirrors. Similarities with fewer than TRANSFORM.min_inliers are left out.
    """
    pairs = _mutually_nearest(first.descriptors, second.descriptors)[:PAIRS_AT_MOST]
    if len(pairs) < TRANSFORM.min_inliers:
        return ()
    a, b = _Corners(first.places[pairs[:, 0]]), _Corners(second.places[pairs[:, 1]])
    agree = _inliers(a, b)
    transforms: list[NDArray[np.float64]] = []
    for _ in range(TRANSFORMS_AT_MOST):
        counts = np.count_nonzero(agree, axis=1)
        if not len(counts) or counts.max() < TRANSFORM.min_inliers:
            break
        best = agree[counts.argmax()]
        transforms.append(_fitted(a, b, best))
        agree = agree & ~best
    return tuple(transforms)


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


def _inliers(a: "_Corners", b: "_Corners") -> NDArray[np.bool_]:
    """Which corners agree with each hypothesis made from two of them: (hypotheses, corners)."""
    mirrored = a.mirrored != b.mirrored
    # If the pair is mirrored, the first picture is mirrored before it is compared.
    a_xy = np.where(mirrored, -a.xy.conj(), a.xy)
    turned = b.angle - np.where(mirrored, np.pi - a.angle, a.angle)
    grown = np.log(LEVEL_FACTOR) * (b.level - a.level)
    first, second = np.triu_indices(len(mirrored), 1)
    from_a, from_b = a_xy[second] - a_xy[first], b.xy[second] - b.xy[first]
    usable = (
        (mirrored[first] == mirrored[second])
        & (np.abs(from_a) >= TRANSFORM.min_distance_px)
        & (np.abs(from_b) >= TRANSFORM.min_distance_px)
    )
    first, second, similarity = first[usable], second[usable], from_b[usable] / from_a[usable]
    likely = np.ones(len(first), bool)
    for end in (first, second):
        off = np.abs(np.angle(np.exp(1j * turned[end]) / similarity))
        likely &= (off <= TRANSFORM.angle_tolerance) & (
            np.abs(grown[end] - np.log(np.abs(similarity))) <= TRANSFORM.scale_tolerance
        )
    first, similarity = first[likely], similarity[likely]
    predicted = similarity[:, None] * (a_xy - a_xy[first][:, None]) + b.xy[first][:, None]
    # In pixels of a scale half way between those of the two pictures.
    tolerance = TRANSFORM.tolerance_px * np.sqrt(np.abs(similarity))[:, None]
    agree: NDArray[np.bool_] = (np.abs(predicted - b.xy) <= tolerance) & (mirrored == mirrored[first][:, None])
    return agree


class _Corners:
    """Places in units for calculation: `xy` complex, in pixels; `angle` in radians; `level`; `mirrored`."""

    def __init__(self, places: Places) -> None:
        self.xy = (places[:, 0] + 1j * places[:, 1]) / PER_PX
        self.angle = places[:, 2] * (2 * np.pi / PER_TURN)
        self.level = (places[:, 3] // 2).astype(np.float64)
        self.mirrored = places[:, 3] % 2 == 1


def _mutually_nearest(first: Descriptors, second: Descriptors | NDArray[np.uint64]) -> NDArray[np.int64]:
    """The pairs of corners that are mutually nearest and near enough, the nearest first: int64 (n, 2)."""
    if not len(first) or not len(second):
        return np.empty((0, 2), np.int64)
    words = [np.ascontiguousarray(rows).view(np.uint64) for rows in (first, second)]
    # Word by word: a sum over an axis of length four takes three times as long.
    bits = np.zeros((len(first), len(second)), np.uint16)
    for own, other in zip(words[0].T, words[1].T, strict=True):
        bits += np.bitwise_count(own[:, None] ^ other)
    nearest = bits.argmin(axis=1)
    numbers = np.arange(len(first))
    distance = bits[numbers, nearest]
    mutual = (bits.argmin(axis=0)[nearest] == numbers) & (distance <= TRANSFORM.near_bits)
    pairs: NDArray[np.int64] = np.stack([numbers[mutual], nearest[mutual]], axis=1)
    nearest_first: NDArray[np.int64] = pairs[distance[mutual].argsort(kind="stable")]
    return nearest_first


def _one_to_one(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pairs, in order, without those in which a corner occurs again."""
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
