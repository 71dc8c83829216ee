"""PURE: two pictures laid over each other -> by how much their details are shifted against each other, block by block.

A copy comes from the very same exposure: whatever was done to it, once it is laid over the original its details fall
on theirs within a few hundredths of a pixel. Two exposures of one scene never do: the camera moved, the lens bends
otherwise, leaves stir. The shift of each block is estimated by least squares from the gradients (Lucas and Kanade, An
Iterative Image Registration Technique, IJCAI 1981), after tone and sharpness have been matched, and compared with the
shift that the noise in it would feign.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32, as OpenCV wants it; its stubs say so of nothing they return.
Grey = NDArray[Any]

BLOCK: Final = 32
SMOOTHING_PX: Final = 0.8
# Blocks with less gradient than this per pixel, in their weaker direction, have no place of their own.
LEAST_GRADIENT: Final = 1.2
LEAST_BLOCKS: Final = 6
TONES: Final = 64
# Light changes over more than this; around it pictures are brought to one middle grey. Below DARKEST is only noise.
LIGHT_PX: Final = 65
MIDDLE: Final = 110.0
DARKEST: Final = 12.0
# Widths of the blurs by whose sum a sharpened or blurred copy is explained, in pixels.
WIDTHS: Final = (0.8, 1.6, 3.2)


@dataclass(frozen=True, slots=True)
class Registration:
    """`shift_px` is the median over `blocks` blocks of their residual shift in pixels of the frame, `significance` the
    median of it in standard errors. Zero of each where there are too few blocks to tell."""

    shift_px: float
    significance: float
    blocks: int


def residual_shift(first: Grey, second: Grey, covered: NDArray[np.bool_], *, relit: bool = False) -> Registration:
    """How far the details of `first`, laid over `second` (same shape), are from theirs; a common shift, scale, shear or
    perspective that is left does not count.

    A change of tone is followed where it is one for the whole picture; `relit` is for one that is not, a vignette say.
    """
    height, width = (side // BLOCK * BLOCK for side in first.shape)
    if not height or not width or covered.sum() < LEAST_BLOCKS * BLOCK * BLOCK:
        return Registration(0.0, 0.0, 0)
    if relit:
        first, second = _evenly_lit(first, covered), _evenly_lit(second, covered)
    explained = _explained(first, second, covered)[:height, :width]
    target = cv2.GaussianBlur(second, (0, 0), SMOOTHING_PX)[:height, :width]
    gradient_x = cv2.Sobel(explained, cv2.CV_32F, 1, 0, ksize=3) / 8
    gradient_y = cv2.Sobel(explained, cv2.CV_32F, 0, 1, ksize=3) / 8
    whole = _sum(covered[:height, :width].astype(np.float32)) > 0.99 * BLOCK * BLOCK
    gain = _gain(explained, target)
    level = _spread(_sum(target) / BLOCK**2) - _spread(gain) * _spread(_sum(explained) / BLOCK**2)
    residual = target - (_spread(gain) * explained + level)
    x, y = gradient_x * _spread(gain), gradient_y * _spread(gain)
    xx, xy, yy = _sum(x * x), _sum(x * y), _sum(y * y)
    determinant = xx * yy - xy * xy
    weaker = (xx + yy) / 2 - np.sqrt(np.maximum(((xx - yy) / 2) ** 2 + xy * xy, 0))
    useful = whole & (weaker > LEAST_GRADIENT * BLOCK * BLOCK) & (gain > 0.2) & (gain < 5)
    if useful.sum() < LEAST_BLOCKS:
        return Registration(0.0, 0.0, int(useful.sum()))
    xr, yr = _sum(x * residual)[useful], _sum(y * residual)[useful]
    xx, xy, yy, determinant = xx[useful], xy[useful], yy[useful], determinant[useful]
    shift_x, shift_y = -(yy * xr - xy * yr) / determinant, -(xx * yr - xy * xr) / determinant
    left = _sum(residual * residual)[useful] - np.maximum(0, -(shift_x * xr + shift_y * yr))
    # Neighbouring pixels of a smoothed residual are not independent: about one in four counts.
    variance = np.maximum(left, 1.0) / BLOCK**2 * 4
    error = np.sqrt(variance * (xx + yy) / determinant)
    own_x, own_y = _without_common(useful, shift_x), _without_common(useful, shift_y)
    length = np.hypot(own_x, own_y)
    return Registration(float(np.median(length)), float(np.median(length / error)), int(useful.sum()))


def _evenly_lit(picture: Grey, covered: NDArray[np.bool_]) -> Grey:
    """The picture over its local mean: a vignette, a warm corner or a shadow filter is gone, details are not."""
    inside = covered.astype(np.float32)
    window = (LIGHT_PX, LIGHT_PX)
    # Means over squares: a Gaussian of this width would take as long as all the rest.
    light = cv2.blur(picture * inside, window) / np.maximum(cv2.blur(inside, window), 1e-3)
    return np.asarray(np.clip(picture * (MIDDLE / (light + DARKEST)), 0, 255), np.float32)


def _explained(first: Grey, second: Grey, covered: NDArray[np.bool_]) -> Grey:
    """The first with the tone and the sharpness of the second."""
    tones = np.clip(first * (TONES / 256), 0, TONES - 1e-3).astype(np.int64)
    inside = tones[covered]
    counts = np.bincount(inside, minlength=TONES)
    sums = np.bincount(inside, weights=second[covered], minlength=TONES)
    known = counts > 0
    centres = (np.arange(TONES) + 0.5) * (256 / TONES)
    curve = np.interp(centres, centres[known], sums[known] / counts[known])
    matched = np.interp(first, centres, curve).astype(np.float32)
    target = cv2.GaussianBlur(second, (0, 0), SMOOTHING_PX)
    bands = np.stack([cv2.GaussianBlur(matched, (0, 0), width) for width in WIDTHS])
    sample = np.flatnonzero(covered.ravel())[:: max(1, int(covered.sum()) // 20_000)]
    columns = np.stack([*(band.ravel()[sample] for band in bands), np.ones(len(sample), np.float32)], axis=1)
    weights, *_ = np.linalg.lstsq(columns, target.ravel()[sample], rcond=None)
    mixed: Grey = np.tensordot(weights[:-1], bands, axes=1).astype(np.float32) + np.float32(weights[-1])
    return mixed


def _gain(explained: Grey, target: Grey) -> Grey:
    """The contrast of each block of the target for one of the other."""
    mean_e, mean_t = _sum(explained) / BLOCK**2, _sum(target) / BLOCK**2
    product = _sum(explained * target) / BLOCK**2 - mean_e * mean_t
    square = _sum(explained * explained) / BLOCK**2 - mean_e * mean_e
    return np.asarray(product / np.maximum(square, 1.0), np.float32)


def _without_common(useful: NDArray[np.bool_], shift: Grey) -> Grey:
    """Shifts less the bilinear motion that fits them all: what a wrong crop, tilt or perspective leaves."""
    rows, columns = np.nonzero(useful)
    design = np.stack([np.ones(len(rows)), rows, columns, rows * columns], axis=1)
    common, *_ = np.linalg.lstsq(design, shift, rcond=None)
    return np.asarray(shift - design @ common, np.float32)


def _sum(picture: Grey) -> Grey:
    """Sums over the blocks: (height, width) -> (height/BLOCK, width/BLOCK)."""
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    return np.asarray(picture.reshape(rows, BLOCK, columns, BLOCK).sum(axis=(1, 3)), np.float32)


def _spread(values: Grey) -> Grey:
    """A value for each block over all its pixels."""
    return np.repeat(np.repeat(values, BLOCK, axis=0), BLOCK, axis=1)
