"""PURE: two grey pictures of one scene -> the map that lays the first over the second.

Maps are 3x3 float64 matrices from pixel centres of the first to those of the second. Small differences (a crop, a
border, a tilt, a stretch of a few per cent) are found by maximising the enhanced correlation coefficient (ECC:
Evangelidis and Psarakis, Parametric Image Alignment Using ECC Maximization, PAMI 2008), large ones by ORB features
(Rublee et al., ORB, ICCV 2011) and a robust fit (USAC/MAGSAC++, Barath et al., CVPR 2020).
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32, as OpenCV wants it; its stubs say so of nothing they return.
Grey = NDArray[Any]
Map = NDArray[np.float64]

FEATURES: Final = 700
# Lowe's ratio test (IJCV 2004), a little looser than his 0.8 since the fit that follows is robust.
RATIO: Final = 0.82
INLIERS_AT_LEAST: Final = 12
REPROJECTION_PX: Final = 3.0
ECC_STEPS: Final = 40
ECC_PRECISION: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Features:
    """ORB keypoints, float32 (n, 2), and descriptors, uint8 (n, 32), of one picture."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def stretch(first: tuple[int, int], second: tuple[int, int]) -> Map:
    """The map that stretches a picture of (height, width) `first` over one of `second`, corner on corner."""
    sy, sx = second[0] / first[0], second[1] / first[1]
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def refine(first: Grey, second: Grey, start: Map, perspective: bool = False) -> Map | None:
    """Improve a map by ECC. None where it does not converge: then the pictures hardly agree anywhere near it."""
    kind = cv2.MOTION_HOMOGRAPHY if perspective else cv2.MOTION_AFFINE
    inverse = np.linalg.inv(start)
    inverse /= inverse[2, 2]
    # OpenCV looks for the map from the template (second) to the input (first).
    guess = (inverse if perspective else inverse[:2]).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ECC_STEPS, ECC_PRECISION)
    try:
        _, found = cv2.findTransformECC(second, first, guess, kind, criteria, None, 5)  # type: ignore[call-overload]
    except cv2.error:
        return None
    full = found.astype(np.float64) if perspective else np.vstack([found, [0, 0, 1]]).astype(np.float64)
    return _inverted(full)


def features(grey: NDArray[np.uint8]) -> Features:
    """The strongest ORB features of a picture, spread over 8 octaves by 1.2."""
    orb: Any = cv2.ORB_create(FEATURES, fastThreshold=7)  # type: ignore[attr-defined]
    points, descriptors = orb.detectAndCompute(grey, None)
    if descriptors is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
    return Features(np.array([point.pt for point in points], np.float32), descriptors)


def fit(first: Features, second: Features) -> tuple[Map, int] | None:
    """The similarity (turn in the plane, scale, shift) that most features agree on, and how many do."""
    if min(len(first.points), len(second.points)) < INLIERS_AT_LEAST:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(first.descriptors, second.descriptors, k=2)
    good = [pair[0] for pair in matches if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    if len(good) < INLIERS_AT_LEAST:
        return None
    source = first.points[[match.queryIdx for match in good]]
    target = second.points[[match.trainIdx for match in good]]
    found, inliers = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION_PX, maxIters=2000
    )
    if found is None or inliers is None or not np.isfinite(found).all():
        return None
    # Many features may be matched to one: only different places count.
    kept = inliers.ravel().astype(bool)
    places = len(np.unique(np.round(target[kept] / 2), axis=0))
    if places < INLIERS_AT_LEAST:
        return None
    return np.vstack([found, [0, 0, 1]]), places


def lay(first: Grey, size: tuple[int, int], over: Map) -> tuple[Grey, NDArray[np.bool_]]:
    """The first picture seen in the frame (height, width) of the second, and where it covers it."""
    height, width = size
    shrink = np.sqrt(abs(np.linalg.det(over[:2, :2])))
    if shrink < 0.7:
        # Warping does not filter: what is shrunk must be smoothed first, or it aliases.
        first = cv2.GaussianBlur(first, (0, 0), 0.5 / max(shrink, 0.02))
    warped = cv2.warpPerspective(first, over, (width, height), flags=cv2.INTER_LINEAR)
    whole = np.ones(first.shape, np.float32)
    covered = cv2.warpPerspective(whole, over, (width, height), flags=cv2.INTER_LINEAR) > 0.99
    return np.asarray(warped, np.float32), covered


def sane(over: Map, first: tuple[int, int]) -> bool:
    """Whether a map could come from a crop, a border, a tilt or a resizing: no fold, no extreme squeeze."""
    height, width = first
    corners = np.array([[[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]]])
    laid = cv2.perspectiveTransform(corners, over)[0]
    if not np.isfinite(laid).all() or not cv2.isContourConvex(laid.astype(np.float32)):
        return False
    sides = np.linalg.norm(np.roll(laid, -1, axis=0) - laid, axis=1)
    scales = sides / np.array([width, height, width, height])
    return bool(scales.min() > 0.05 and scales.max() / scales.min() < 1.6)


def _inverted(over: Map) -> Map | None:
    if not np.isfinite(over).all() or abs(np.linalg.det(over)) < 1e-9:
        return None
    back = np.linalg.inv(over)
    result: Map = back / back[2, 2]
    return result
