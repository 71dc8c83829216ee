"""PURE: SSIMULACRA 2, how similar two pictures look to a person: 100 is identical, 90 indistinguishable.

The metric of Jon Sneyers (Cloudinary, 2022, version 2.1; github.com/cloudinary/ssimulacra2): structural similarity and
differences at edges, of each channel of a perceptual colour space at six scales, weighted as people judged 22,000
compressed pictures. Its published scale: 90 visually lossless, 70 high, 50 medium, 30 low quality.

OpenCV does the filtering, in bands of rows, so that memory does not grow with the picture. Against the definition, the
Gaussian is exact instead of recursive: some tenths of a point.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
# OpenCV declares no types of its results: they are float32 throughout.
Floats = NDArray[Any]

SCALES: Final = 6
# A scale of fewer pixels than this on a side is left out.
LEAST_SIDE: Final = 8
SIGMA: Final = 1.5
RADIUS: Final = 5
C2: Final = 0.0009
# Rows of a band, and those above and below that the coarsest scale's filter sees: 5 pixels of 32.
BAND_ROWS: Final = 512
MARGIN_ROWS: Final = 2 ** (SCALES - 1) * (RADIUS + 1)
# Backgrounds behind transparent pixels; the worse of the two scores counts.
BACKGROUNDS: Final = (0.1, 0.9)

# Linear RGB -> responses of the cones of the eye, as JPEG XL defines them.
OPSIN: Final = np.array(
    [[0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342268924547819, 0.20476744424496821, 0.55180986650955360]]
)
BIAS: Final = 0.0037930732552754493
TO_CONES: Final = np.column_stack([OPSIN, [BIAS] * 3])
# Cube roots of those -> X, Y, B, scaled and moved so that all are positive.
ROOT: Final = BIAS ** (1 / 3)
TO_XYB: Final = np.array([[7.0, -7.0, 0, 0.42], [0.5, 0.5, 0, 0.01 - ROOT], [-0.5, -0.5, 1, 0.55]])

LEVELS: Final = np.arange(256) / 255
LINEAR: Final = np.where(LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)

# By channel X, Y, B; by scale; of each norm (the mean, then that of fourth powers): similarity, edges gained, edges
# lost.
WEIGHTS: Final = np.array(
    [
        0.0, 0.0007376606707406586, 0.0, 0.0, 0.0007793481682867309, 0.0, 0.0, 0.0004371155730107379, 0.0,
        1.1041726426657346, 0.00066284834129271, 0.00015231632783718752, 0.0, 0.0016406437456599754, 0.0,
        1.8422455520539298, 11.441172603757666, 0.0, 0.0007989109436015163, 0.000176816438078653, 0.0,
        1.8787594979546387, 10.94906990605142, 0.0, 0.0007289346991508072, 0.9677937080626833, 0.0,
        0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053, 0.0004550992113792063, 0.0, 0.0,
        0.0013648766163243398, 0.0, 0.0, 0.0, 0.0, 0.0, 7.466890328078848, 0.0, 17.445833984131262,
        0.0006235601634041466, 0.0, 0.0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
        225.20515300849274, 0.0, 0.0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
        176.39317598450694, 0.0, 0.0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408, 0.0, 0.0, 0.0,
        34.77906344483772, 44.835625328877896, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0008680556573291698, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.0005313191874358747, 0.0, 0.00016533814161379112, 0.0, 0.0, 0.0, 0.0, 0.0,
        0.0004179171803251336, 0.0017290828234722833, 0.0, 0.0020827005846636437, 0.0, 0.0, 8.826982764996862,
        23.19243343998926, 0.0, 95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493,
        171.2667255897307, 0.9807858872435379, 0.0, 0.0, 0.0, 0.0005130064588990679, 0.0, 0.00010854057858411537,
    ]
)  # fmt: skip


def score(first: Bytes, second: Bytes) -> float:
    """The similarity of the second picture to the first, 100 for identical ones and without a lower bound.

    Both are uint8 of one shape, (height, width) for grey, (height, width, 3) for sRGB or (height, width, 4) with alpha.
    Pictures of fewer than 8 pixels on a side cannot be compared at any scale and score 100 or -inf. Raises ValueError
    for pictures of different shapes.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} are no pictures of one size")
    if np.array_equal(first, second):
        return 100.0
    if min(first.shape[:2]) < LEAST_SIDE:
        return -float("inf")
    if first.ndim == 3 and first.shape[2] == 4:
        return min(_score(first, second, background) for background in BACKGROUNDS)
    return _score(first, second, 0.0)


def _score(first: Bytes, second: Bytes, background: float) -> float:
    rows = first.shape[0]
    # By scale, channel and, in the order of the weights, norm and term.
    sums = np.zeros((SCALES, 3, 6))
    pixels = np.zeros(SCALES)
    for top in range(0, rows, BAND_ROWS):
        bottom = min(top + BAND_ROWS, rows)
        above, below = max(0, top - MARGIN_ROWS), min(rows, bottom + MARGIN_ROWS)
        bands = [_linear(picture[above:below], background) for picture in (first, second)]
        _add_band(bands[0], bands[1], top - above, bottom - above, sums, pixels)
    scales = int(np.count_nonzero(pixels))
    terms = sums[:scales] / pixels[:scales, None, None]
    terms[:, :, 3:] **= 0.25
    # With fewer scales the last weights are unused, as in the definition.
    flat = terms.transpose(1, 0, 2).reshape(-1)
    error = float(WEIGHTS[: flat.size] @ flat) * 0.9562382616834844
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100.0 - 10.0 * error**0.6276336467831387 if error > 0 else 100.0


def _add_band(first: Floats, second: Floats, top: int, bottom: int, sums: Floats, pixels: Floats) -> None:
    """Add the terms of rows `top` to `bottom` of two bands of linear RGB, at every scale."""
    for scale in range(SCALES):
        if scale:
            first, second = _halved(first), _halved(second)
            top, bottom = top // 2, -(-bottom // 2)
        if first.shape[1] < LEAST_SIDE or first.shape[0] < LEAST_SIDE:
            break
        sums[scale] += _terms(_xyb(first), _xyb(second), slice(top, bottom))
        pixels[scale] += (bottom - top) * first.shape[1]


def _terms(first: Floats, second: Floats, rows: slice) -> NDArray[np.float64]:
    """The sums over these rows, by channel: similarity, edges gained, edges lost; then of their fourth powers."""
    mean1, mean2 = _blurred(first), _blurred(second)
    square = _blurred(first * first)[rows] + _blurred(second * second)[rows]
    product = _blurred(first * second)[rows]
    first, second, mean1, mean2 = first[rows], second[rows], mean1[rows], mean2[rows]
    both = mean1 * mean2
    away = mean1 - mean2
    likeness = (1 - away * away) * (2 * (product - both) + C2)
    likeness /= square - mean1 * mean1 - mean2 * mean2 + C2
    unlike = np.maximum(1 - likeness, 0)
    edges = (1 + np.abs(second - mean2)) / (1 + np.abs(first - mean1)) - 1
    sums = np.empty((3, 6))
    for column, term in enumerate((unlike, np.maximum(edges, 0), np.maximum(-edges, 0))):
        square = term * term
        sums[:, column] = cv2.sumElems(term)[:3]
        sums[:, 3 + column] = cv2.sumElems(square * square)[:3]
    return sums


def _linear(picture: Bytes, background: float) -> Floats:
    colours = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else picture
    linear = LINEAR[colours[:, :, :3]]
    if colours.shape[2] == 4:
        opaque = (colours[:, :, 3:] / np.float32(255)).astype(np.float32)
        linear = linear * opaque + np.float32(background) * (1 - opaque)
    return linear


def _xyb(linear: Floats) -> Floats:
    cones = np.maximum(cv2.transform(linear, TO_CONES), 0)
    return cv2.transform(cv2.pow(cones, 1 / 3), TO_XYB)


def _blurred(channels: Floats) -> Floats:
    side = 2 * RADIUS + 1
    return cv2.GaussianBlur(channels, (side, side), SIGMA, borderType=cv2.BORDER_CONSTANT)


def _halved(linear: Floats) -> Floats:
    rows, columns = linear.shape[:2]
    even = cv2.copyMakeBorder(linear, 0, rows % 2, 0, columns % 2, cv2.BORDER_REPLICATE)
    return cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
