"""PURE: two grey pictures of one scene -> the map that lays the first over the second.

Maps are 3x3 float64 matrices from pixel centres of the first to those of the second. Small differences (a crop, a
border, a tilt, a stretch of a few per cent) are found by maximising the enhanced correlation coefficient (ECC:
Evangelidis and Psarakis, Parametric Image Alignment Using ECC Maximization, PAMI 2008), large ones by ORB features
(Rublee et al., ORB, ICCV 2011) and a robust fit (RANSAC, Fischler and Bolles, CACM 1981). OpenCV seeds its RANSAC with
a constant: the same features give the same map.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32, as OpenCV wants it; its stubs say so of nothing they return.
Grey = NDArray[Any]
Map = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEATURES: Final = 500
# Lowe's ratio test (IJCV 2004), a little looser than his 0.8 since the fit that follows is robust.
RATIO: Final = 0.82
INLIERS_AT_LEAST: Final = 12
REPROJECTION_PX: Final = 3.0
ECC_STEPS: Final = 30
ECC_PRECISION: Final = 1e-4
ECC_FILTER: Final = 5
# Corners are given to OpenCV in 1/16 pixel.
FRACTION_BITS: Final = 4
EDGE_PX: Final = 2


@dataclass(frozen=True, slots=True)
class Features:
    """ORB keypoints, float32 (n, 2), and descriptors, uint8 (n, 32), of one picture."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def stretch(first: tuple[int, ...], second: tuple[int, ...]) -> Map:
    """The map that stretches a picture of (height, width) `first` over one of `second`, corner on corner."""
    sy, sx = second[0] / first[0], second[1] / first[1]
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def refine(first: Grey, second: Grey, start: Map, perspective: bool = False, steps: int = ECC_STEPS) -> Map | None:
    """Improve a map by ECC. None where it does not converge: then the pictures hardly agree anywhere near it."""
    inverse = inverted(start)
    if inverse is None:
        return None
    kind = cv2.MOTION_HOMOGRAPHY if perspective else cv2.MOTION_AFFINE
    # OpenCV looks for the map from the template (second) to the input (first).
    guess = (inverse if perspective else inverse[:2]).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, ECC_PRECISION)
    try:
        _, found = cv2.findTransformECC(second, first, guess, kind, criteria, None, ECC_FILTER)  # type: ignore[call-overload]
    except cv2.error:
        return None
    full = found.astype(np.float64) if perspective else np.vstack([found, [0, 0, 1]]).astype(np.float64)
    better = inverted(full)
    return better if better is not None and sane(better, first.shape) else None


def features(grey: NDArray[np.uint8]) -> Features:
    """The strongest ORB features of a picture, spread over 8 octaves by 1.2."""
    orb: Any = cv2.ORB_create(FEATURES, fastThreshold=7)  # type: ignore[attr-defined]
    # The patch that a feature is described by does not fit in, and OpenCV fails at pictures of one pixel.
    too_small = min(grey.shape) < orb.getPatchSize()
    points, descriptors = ((), None) if too_small else orb.detectAndCompute(grey, None)
    if descriptors is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
    return Features(np.array(cv2.KeyPoint.convert(points), np.float32), descriptors)


def fit(first: Features, second: Features) -> Map | None:
    """The affine map that most features agree on, None where too few agree."""
    if min(len(first.points), len(second.points)) < INLIERS_AT_LEAST:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(first.descriptors, second.descriptors, k=2)
    good = [pair[0] for pair in matches if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    if len(good) < INLIERS_AT_LEAST:
        return None
    source = first.points[[match.queryIdx for match in good]]
    target = second.points[[match.trainIdx for match in good]]
    found, inliers = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION_PX, maxIters=2000
    )
    if found is None or inliers is None or not np.isfinite(found).all():
        return None
    # Many features may be matched to one: only different places count.
    kept = inliers.ravel().astype(bool)
    if len(np.unique(np.round(target[kept] / 2), axis=0)) < INLIERS_AT_LEAST:
        return None
    over = np.vstack([found, [0, 0, 1]])
    return over if abs(np.linalg.det(over)) > 1e-6 else None


def lay(first: Grey, size: tuple[int, ...], over: Map) -> Grey:
    """The first picture seen in the frame (height, width) of the second; beyond its edges its last pixels go on."""
    shape = (size[1], size[0])
    laid = cv2.warpPerspective(
        _smoothed(first, over), over, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(laid, np.float32)


def lay_bent(first: Grey, size: tuple[int, ...], over: Map, bend: NDArray[np.float32]) -> Grey:
    """As `lay`, each pixel of the frame taken from `bend`, float32 (2, height, width), pixels x and y beside it."""
    height, width = size[0], size[1]
    inverse = np.linalg.inv(over)
    x = np.arange(width, dtype=np.float32)[None, :] + bend[0]
    y = np.arange(height, dtype=np.float32)[:, None] + bend[1]
    depth = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
    from_x = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / depth
    from_y = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / depth
    x_map, y_map = from_x.astype(np.float32), from_y.astype(np.float32)
    laid = cv2.remap(_smoothed(first, over), x_map, y_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, np.float32)


def covered(first: tuple[int, ...], size: tuple[int, ...], over: Map) -> Mask:
    """Where a picture of (height, width) `first`, laid so, covers the frame (height, width) of the second."""
    mask = np.zeros((size[0], size[1]), np.uint8)
    corners = np.clip(laid_corners(first, over), -4 * max(size), 5 * max(size))
    cv2.fillConvexPoly(mask, np.round(corners * 2**FRACTION_BITS).astype(np.int32), 1, shift=FRACTION_BITS)
    return mask > 0


def inside(mask: Mask) -> Mask:
    """The mask less EDGE_PX along every edge, that of the frame as well: a map is right within a pixel or so, and what
    surrounds one picture only has bled into it as it was resized."""
    square = np.ones((2 * EDGE_PX + 1, 2 * EDGE_PX + 1), np.uint8)
    return cv2.erode(mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def laid_corners(first: tuple[int, ...], over: Map) -> NDArray[np.float64]:
    """Where the corners of a picture of (height, width) `first` come to lie, (4, 2), x and y."""
    height, width = first[0], first[1]
    corners = np.array([[[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]]])
    return np.asarray(cv2.perspectiveTransform(corners, over)[0], np.float64)


def sane(over: Map, first: tuple[int, ...]) -> bool:
    """Whether a map could come from a crop, a border, a tilt or a resizing: no fold, no extreme squeeze."""
    height, width = first[0], first[1]
    laid = laid_corners(first, over)
    if not np.isfinite(laid).all() or not cv2.isContourConvex(laid.astype(np.float32)):
        return False
    sides = np.linalg.norm(np.roll(laid, -1, axis=0) - laid, axis=1)
    scales = sides / np.array([width, height, width, height])
    return bool(scales.min() > 0.05 and scales.max() / scales.min() < 1.6)


def inverted(over: Map) -> Map | None:
    """The map back, None where there is none."""
    if not np.isfinite(over).all() or abs(np.linalg.det(over)) < 1e-9:
        return None
    back = np.linalg.inv(over)
    result: Map = back / back[2, 2]
    return result


def _smoothed(first: Grey, over: Map) -> Grey:
    """Warping does not filter: what is shrunk must be smoothed first, or it aliases."""
    shrink = float(np.sqrt(abs(np.linalg.det(over[:2, :2]))))
    return cv2.GaussianBlur(first, (0, 0), 0.5 / max(shrink, 0.02)) if shrink < 0.7 else first
