"""PURE: two grey pictures of one scene -> the map from the first to the second.

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

from index.imaging.thresholds import threshold

# float32, as OpenCV needs it; its stubs declare no types of results.
Grey = NDArray[Any]
Map = NDArray[np.float64]
Mask = NDArray[np.bool_]

# The most ORB features of a picture.
FEATURES: Final = 500


@dataclass(frozen=True, slots=True)
class FitLimits:
    """Which matches of ORB features count, and which maps could come from an edit."""

    max_ratio: float = threshold(
        0.82,
        "ratio of distances",
        "Lowe's ratio test (IJCV 2004), a little looser than his 0.8 since a robust fit follows.",
    )
    min_inliers: int = threshold(12, "places", "Fewer features agree by accident.")
    reprojection_px: float = threshold(3.0, "pixels", "Features within this of their place agree with a map.")
    min_scale: float = threshold(0.05, "ratio", "Crops, borders, tilts and resizing shrink no side by more.")
    max_squeeze: float = threshold(1.6, "ratio", "They change no side by more than this for another.")


FIT: Final = FitLimits()

# Steps of ECC at most, the change of the coefficient at which it ends, and the side of its Gaussian filter.
ECC_STEPS: Final = 30
ECC_PRECISION: Final = 1e-4
ECC_FILTER: Final = 5
# Corners are given to OpenCV in 1/16 pixel.
FRACTION_BITS: Final = 4
# Maps are right within about a pixel.
EDGE_PX: Final = 2
IDENTITY: Final = np.eye(3)
# What rounding leaves of the identity. OpenCV places a pixel to 1/32.
NOTHING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Features:
    """ORB keypoints, float32 (n, 2), and descriptors, uint8 (n, 32), of one picture."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def stretch(first: tuple[int, ...], second: tuple[int, ...]) -> Map:
    """The map that stretches a picture of shape `first`, (height, width), to the shape `second`, corner on corner."""
    sy, sx = second[0] / first[0], second[1] / first[1]
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def refine(first: Grey, second: Grey, start: Map, perspective: bool = False, steps: int = ECC_STEPS) -> Map | None:
    """Improve a map by ECC. None if it does not converge: then the pictures hardly agree anywhere near it."""
    inverse = inverted(start)
    if inverse is None:
        return None
    kind = cv2.MOTION_HOMOGRAPHY if perspective else cv2.MOTION_AFFINE
    # OpenCV searches the map from the template (second) to the input (first).
    guess = (inverse if perspective else inverse[:2]).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, ECC_PRECISION)
    try:
        _, refined = cv2.findTransformECC(second, first, guess, kind, criteria, None, ECC_FILTER)  # type: ignore[call-overload]
    except cv2.error:
        return None
    full = refined.astype(np.float64) if perspective else np.vstack([refined, [0, 0, 1]]).astype(np.float64)
    better = inverted(full)
    return better if better is not None and is_plausible(better, first.shape) else None


def features(grey: NDArray[np.uint8]) -> Features:
    """The strongest ORB features of a picture, spread over 8 octaves by 1.2."""
    orb: Any = cv2.ORB_create(FEATURES, fastThreshold=7)  # type: ignore[attr-defined]
    # The patch of a feature does not fit in, and OpenCV fails at pictures of one pixel.
    too_small = min(grey.shape) < orb.getPatchSize()
    points, descriptors = ((), None) if too_small else orb.detectAndCompute(grey, None)
    if descriptors is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
    return Features(np.array(cv2.KeyPoint.convert(points), np.float32), descriptors)


def fit(first: Features, second: Features) -> Map | None:
    """The affine map that most features agree on, by RANSAC; None if too few agree."""
    if min(len(first.points), len(second.points)) < FIT.min_inliers:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(first.descriptors, second.descriptors, k=2)
    good = [pair[0] for pair in matches if len(pair) == 2 and pair[0].distance < FIT.max_ratio * pair[1].distance]
    if len(good) < FIT.min_inliers:
        return None
    source = first.points[[match.queryIdx for match in good]]
    target = second.points[[match.trainIdx for match in good]]
    fitted, inliers = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=FIT.reprojection_px, maxIters=2000
    )
    if fitted is None or inliers is None or not np.isfinite(fitted).all():
        return None
    # Many features may be matched to a single one: only different places count.
    kept = inliers.ravel().astype(bool)
    if len(np.unique(np.round(target[kept] / 2), axis=0)) < FIT.min_inliers:
        return None
    transform = np.vstack([fitted, [0, 0, 1]])
    return transform if abs(np.linalg.det(transform)) > 1e-6 else None


def warp(first: Grey, size: tuple[int, ...], transform: Map) -> Grey:
    """The first picture in the frame `size`, (height, width), of the second: float32; its edge pixels are repeated
    beyond. Where the map moves nothing, it is the first itself."""
    if moves_nothing(first.shape, size, transform):
        return np.asarray(first, np.float32)
    picture, shape, how = _smoothed(first, transform), (size[1], size[0]), cv2.INTER_LINEAR
    if (transform[2] == IDENTITY[2]).all():
        # Without perspective, in half the time.
        warped = cv2.warpAffine(picture, transform[:2], shape, flags=how, borderMode=cv2.BORDER_REPLICATE)
    else:
        warped = cv2.warpPerspective(picture, transform, shape, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def moves_nothing(first: tuple[int, ...], size: tuple[int, ...], transform: Map) -> bool:
    """Whether a map leaves every pixel of a picture of shape `first` where it is, in a frame `size` of the same
    shape."""
    return tuple(first[:2]) == tuple(size) and float(np.abs(transform - IDENTITY).max()) < NOTHING


def warp_nonrigid(first: Grey, size: tuple[int, ...], transform: Map, bend: NDArray[np.float32]) -> Grey:
    """As `warp`, with a displacement of each pixel of the frame: `bend`, float32 (2, height, width), pixels in x and
    y."""
    height, width = size[0], size[1]
    inverse = np.linalg.inv(transform)
    x = np.arange(width, dtype=np.float32)[None, :] + bend[0]
    y = np.arange(height, dtype=np.float32)[:, None] + bend[1]
    depth = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
    from_x = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / depth
    from_y = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / depth
    x_map, y_map = from_x.astype(np.float32), from_y.astype(np.float32)
    warped = cv2.remap(_smoothed(first, transform), x_map, y_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def covered(first: tuple[int, ...], size: tuple[int, ...], transform: Map) -> Mask:
    """Where a picture of shape `first` covers the frame `size` of the second, bool (height, width)."""
    mask = np.zeros((size[0], size[1]), np.uint8)
    corners = np.clip(warped_corners(first, transform), -4 * max(size), 5 * max(size))
    cv2.fillConvexPoly(mask, np.round(corners * 2**FRACTION_BITS).astype(np.int32), 1, shift=FRACTION_BITS)
    return mask > 0


def inside(mask: Mask) -> Mask:
    """The mask less EDGE_PX along every edge, that of the frame included: a map is right within about a pixel, and the
    surroundings of one picture have bled into it as it was resized."""
    square = np.ones((2 * EDGE_PX + 1, 2 * EDGE_PX + 1), np.uint8)
    return cv2.erode(mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def warped_corners(first: tuple[int, ...], transform: Map) -> NDArray[np.float64]:
    """The corners of a picture of shape `first`, (height, width), after the map: float64 (4, 2), x and y."""
    height, width = first[0], first[1]
    corners = np.array([[[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]]])
    return np.asarray(cv2.perspectiveTransform(corners, transform)[0], np.float64)


def is_plausible(transform: Map, first: tuple[int, ...]) -> bool:
    """Whether a map could come from a crop, a border, a tilt or a resize: no fold, no extreme squeeze."""
    height, width = first[0], first[1]
    corners = warped_corners(first, transform)
    if not np.isfinite(corners).all() or not cv2.isContourConvex(corners.astype(np.float32)):
        return False
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    scales = sides / np.array([width, height, width, height])
    return bool(scales.min() > FIT.min_scale and scales.max() / scales.min() < FIT.max_squeeze)


def inverted(transform: Map) -> Map | None:
    """The inverse map, None if there is none."""
    if not np.isfinite(transform).all() or abs(np.linalg.det(transform)) < 1e-9:
        return None
    back = np.linalg.inv(transform)
    result: Map = back / back[2, 2]
    return result


def _smoothed(first: Grey, transform: Map) -> Grey:
    """The picture smoothed before it is shrunk: warping does not filter, and would alias."""
    shrink = float(np.sqrt(abs(np.linalg.det(transform[:2, :2]))))
    return cv2.GaussianBlur(first, (0, 0), 0.5 / max(shrink, 0.02)) if shrink < 0.7 else first
