"""PURE: two aligned pictures -> the shift of their details against each other, block by block.

A copy comes from the same exposure: whatever was done to it, once it is aligned with the original all its details fall
on theirs within a few hundredths of a pixel. Two exposures of one scene hardly ever do: the camera moved, near things
more than far ones, leaves stir, people breathe. The shift of each block is estimated by least squares from the
gradients (Lucas and Kanade, An Iterative Image Registration Technique, IJCAI 1981), together with the contrast, the
brightness and their slope in the block. A motion common to all blocks comes from a crop, tilt, perspective or lens; it
is corrected and does not count. Neither does the shift that noise alone would produce.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification.gate_thresholds import WITNESSES
from index.imaging.verification.once import once_a_picture
from index.imaging.verification.order_statistics import median
from index.imaging.verification.similarity import blocks_where, over_blocks, planes
from index.imaging.verification.transforms import Grey, Map, Mask, warp, warp_nonrigid

BLOCK: Final = 32
SMOOTHING_PX: Final = 0.8


@dataclass(frozen=True, slots=True)
class ShiftLimits:
    """Which blocks of 32 pixels measure a shift, and when correcting the map ends."""

    max_error_px: float = threshold(0.15, "pixels", "A block whose shift has a larger standard error does not count.")
    settled_px: float = threshold(0.05, "pixels", "Corrections end when the largest is smaller.")
    nearly_settled_px: float = threshold(
        0.5, "pixels", "They also end here, where the shift is certain: another round changes nothing."
    )
    certain_px: float = threshold(0.05, "pixels", "A smaller shift is not measured again in an even light.")
    reach_px: float = threshold(1.5, "pixels", "Gradients reach about a pixel far: longer shifts are cut.")
    min_gain: float = threshold(0.2, "ratio", "A block with less of the contrast of the other shows another thing.")
    max_gain: float = threshold(5.0, "ratio", "The same for more.")


SHIFT: Final = ShiftLimits()

# The standard error of the median of n lengths, times the root of n and relative to the median; how many of them count.
ERROR_OF_MEDIAN: Final = 0.72
SURE_OF_MEDIAN: Final = 2.0
# Blocks needed for each parameter of the common motion.
BLOCKS_PER_TERM: Final = 3
# Corrections at most, each followed by another measurement.
ROUNDS: Final = 4
# Light is what changes over more than LIGHT_PX; it is divided out, leaving the grey MIDDLE. Below DARKEST is only
# noise.
LIGHT_PX: Final = 24
COARSE: Final = 8
# Shapes of frames whose terms of motion are kept: 100 KB each.
SHAPES_KEPT: Final = 16
MIDDLE: Final = 110.0
DARKEST: Final = 12.0
# Widths of the blurs, in pixels, whose weighted sum models a sharpened or blurred copy.
WIDTHS: Final = (0.8, 1.6, 3.2)
SAMPLES: Final = 12_000
TONES: Final = 64
# Neighbouring pixels of a smoothed residual are not independent: variances count this many times. Levels are rounded.
DEPENDENT: Final = 8.0
RIDGE: Final = 1e-3
PLANE: Final = planes(BLOCK)
LEAST_VARIANCE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Registration:
    """`shift_px` is the median shift of details in pixels of the frame, less what noise alone would produce; `sure_px`
    is less the error of the median of so few blocks as well. Both are 0 if fewer than WITNESSES.min_blocks of the
    `blocks` could be measured, whose centres are `centres`, float64 (n, 2), x and y. `warped` is the first picture as
    finally registered, float32 (height, width), and `alike` the same with the tone and sharpness of the second, None
    where it was measured in an even light. `bend` is what was added to the map, float32 (2, height, width), as
    `transforms.warp_nonrigid` takes it, and `rest` what the last measurement would add; None for nothing."""

    shift_px: float
    sure_px: float
    blocks: int
    warped: Grey
    alike: Grey | None = None
    bend: NDArray[np.float32] | None = None
    rest: NDArray[np.float32] | None = None
    centres: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))

    @property
    def motion(self) -> NDArray[np.float32] | None:
        """All that was found to move, apart from the map: its best estimate, though `warped` lacks the rest."""
        if self.bend is None or self.rest is None:
            return self.rest if self.bend is None else self.bend
        return self.bend + self.rest


def register(first: Grey, second: Grey, transform: Map, where: Mask) -> Registration:
    """Warp `first` to `second` by a map that is right within about a pixel, correct it, and measure the shift that
    remains `where` both show the same: bool (height, width), the shape of the second.

    A change of tone of the whole picture is followed. A local one, such as a vignette, is not: if the shift is large,
    it is measured again after dividing out the local light, and the smaller shift counts.
    """
    plain = _register(first, second, transform, where, relit=False)
    if plain.shift_px <= SHIFT.certain_px:
        return plain
    relit = _register(first, second, transform, where, relit=True)
    return min(plain, relit, key=lambda registration: registration.shift_px)


def matched(first: Grey, second: Grey, where: Mask) -> Grey:
    """The first of two aligned pictures with the tone and sharpness of the second, fitted `where` both show the same;
    float32 in the shape of all three."""
    return _explained(first, second, smoothed(second), where)


@once_a_picture
def smoothed(picture: Grey) -> Grey:
    """A picture as it is when its details are compared: without the finest, float32."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), SMOOTHING_PX), np.float32)


def _register(first: Grey, second: Grey, transform: Map, where: Mask, *, relit: bool) -> Registration:
    height, width = second.shape
    bend = np.zeros((2, height, width), np.float32)
    lit = evenly_lit(second, where) if relit else second
    target = smoothed(lit)
    aligned = warp(first, second.shape, transform)
    best: Registration | None = None
    bent = False
    for _ in range(ROUNDS):
        seen = evenly_lit(aligned, where) if relit else aligned
        alike = _explained(seen, lit, target, where)
        shifts = _shifts(alike, target, where)
        kept = None if relit else alike
        if len(shifts.x) < WITNESSES.min_blocks:
            return best or Registration(0.0, 0.0, len(shifts.x), aligned, kept)
        common, left = _common(shifts, second.shape)
        shift_px, by_chance_px = _excess(left, shifts.error)
        sure_px = max(0.0, shift_px - by_chance_px)
        correction = _field(common, second.shape)
        added = bend.copy() if bent else None
        centres = np.stack([shifts.x, shifts.y], axis=1)
        registration = Registration(shift_px, sure_px, len(shifts.x), aligned, kept, added, correction, centres)
        if best is None or registration.shift_px < best.shift_px:
            best = registration
        most = float(np.abs(correction).max())
        if most < SHIFT.settled_px or (most < SHIFT.nearly_settled_px and registration.shift_px < SHIFT.certain_px):
            break
        bend += correction
        bent = True
        aligned = warp_nonrigid(first, second.shape, transform, bend)
    assert best is not None
    return best


@dataclass(frozen=True, slots=True)
class _Shifts:
    """Of n blocks: their centres x and y, the shift that moves the first onto the second (n, 2), its standard error."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    shift: NDArray[np.float64]
    error: NDArray[np.float64]


def _shifts(explained: Grey, target: Grey, where: Mask) -> _Shifts:
    rows, columns = target.shape[0] // BLOCK, target.shape[1] // BLOCK
    whole = over_blocks(np.logical_and, where, BLOCK).ravel() if rows and columns else np.zeros(0, bool)
    places = np.flatnonzero(whole)
    if not len(places):
        return _Shifts(np.empty(0), np.empty(0), np.empty((0, 2)), np.empty(0))
    slope_x = cv2.Sobel(explained, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope_y = cv2.Sobel(explained, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    parts = np.empty((len(places), 4, BLOCK * BLOCK), np.float32)
    for part, picture in enumerate((slope_x, slope_y, explained, target)):
        parts[:, part] = blocks_where(picture, BLOCK, whole)
    # Single precision is enough for what is left of levels around their mean.
    parts[:, 2:] -= parts[:, 2:].mean(axis=2, keepdims=True)
    # Brightness and its slope are taken out of all four: what is left are the normal equations of shift and contrast.
    plane = (parts.reshape(-1, BLOCK * BLOCK) @ PLANE.T).reshape(len(places), 4, 3).astype(np.float64)
    products = (parts @ parts.swapaxes(1, 2)).astype(np.float64) - plane @ plane.swapaxes(1, 2)
    # The small addition keeps those of flat blocks solvable, and their error large.
    inverse = np.linalg.inv(products[:, :3, :3] + RIDGE * np.eye(3))
    right = products[:, :3, 3]
    solved = (inverse @ right[:, :, None])[:, :, 0]
    left = products[:, 3, 3] - (solved * right).sum(axis=1) - RIDGE * (solved * solved).sum(axis=1)
    variance = np.maximum(left / BLOCK**2, LEAST_VARIANCE) * DEPENDENT
    gain = solved[:, 2]
    sure = (gain > SHIFT.min_gain) & (gain < SHIFT.max_gain)
    gain = np.where(sure, gain, 1.0)
    error = np.sqrt(variance * np.maximum(inverse[:, 0, 0] + inverse[:, 1, 1], 0)) / gain
    shift = solved[:, :2] / gain[:, None]
    sure &= (error < SHIFT.max_error_px) & (np.abs(shift).max(axis=1) < BLOCK / 4)
    shift = np.clip(shift, -SHIFT.reach_px, SHIFT.reach_px)
    row, column = np.divmod(places[sure], columns)
    centre = (BLOCK - 1) / 2
    return _Shifts(column * BLOCK + centre, row * BLOCK + centre, shift[sure], error[sure])


def _common(shifts: _Shifts, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The motion of second degree in x and y that most blocks share, (terms, 2), and the residual lengths, (n,)."""
    terms = _terms(shifts.x, shifts.y, shape)
    count = max(count for count in (1, 3, 6) if count == 1 or len(shifts.x) >= BLOCKS_PER_TERM * count)
    terms = terms[:, :count]
    weight = 1 / (shifts.error + 0.02)
    for _ in range(4):
        fitted, *_ = np.linalg.lstsq(terms * weight[:, None], shifts.shift * weight[:, None], rcond=None)
        left = np.linalg.norm(shifts.shift - terms @ fitted, axis=1)
        # Blocks far from the others move on their own: their weight falls with the distance (Huber, 1964).
        reach = 1.5 * median(left) + 0.02
        weight = np.minimum(1.0, reach / np.maximum(left, 1e-6)) / (shifts.error + 0.02)
    return np.asarray(fitted, np.float64), np.asarray(left, np.float64)


def _excess(left: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[float, float]:
    """The median residual less what the standard errors alone would produce, and the error of the median of so few
    blocks: both assume a Rayleigh distribution."""
    middle = median(left)
    squared = middle**2 - float(np.log(2)) * median(error) ** 2
    return float(np.sqrt(max(0.0, squared))), SURE_OF_MEDIAN * ERROR_OF_MEDIAN * middle / float(np.sqrt(len(left)))


def _field(common: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The common motion at every pixel, (2, height, width)."""
    height, width = shape[0], shape[1]
    terms = _terms_of_field(height, width)
    rows, columns = terms.shape[:2]
    coarse = terms.reshape(rows * columns, -1)[:, : len(common)] @ common
    size = (columns * COARSE, rows * COARSE)
    parts = [cv2.resize(part.reshape(rows, columns).astype(np.float32), size)[:height, :width] for part in coarse.T]
    return np.stack(parts).astype(np.float32)


@lru_cache(maxsize=SHAPES_KEPT)
def _terms_of_field(height: int, width: int) -> NDArray[np.float64]:
    """The terms at one pixel of COARSE x COARSE, (rows, columns, terms)."""
    y, x = np.mgrid[:height:COARSE, :width:COARSE].astype(np.float64) + (COARSE - 1) / 2
    return _terms(x.ravel(), y.ravel(), (height, width)).reshape(*x.shape, -1)


def _terms(x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    side = max(shape)
    x, y = 2 * x / side - 1, 2 * y / side - 1
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)


def evenly_lit(picture: Grey, where: Mask) -> Grey:
    """The picture divided by its local mean: vignettes and shadow filters disappear, details stay."""
    height, width = picture.shape
    small = (max(1, width // COARSE), max(1, height // COARSE))
    inside = where.astype(np.float32)
    weight = cv2.resize(inside, small, interpolation=cv2.INTER_AREA)
    light = cv2.resize(picture * inside, small, interpolation=cv2.INTER_AREA)
    weight = cv2.GaussianBlur(weight, (0, 0), LIGHT_PX / COARSE)
    light = cv2.GaussianBlur(light, (0, 0), LIGHT_PX / COARSE) / np.maximum(weight, 1e-3)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(picture * (MIDDLE / (light + DARKEST)), 0, 255), np.float32)


@once_a_picture
def _sample(where: Mask) -> NDArray[np.intp]:
    """Some of the pixels, by their places, spread evenly."""
    places = np.flatnonzero(where.ravel())
    return places[:: max(1, len(places) // SAMPLES)]


def _explained(first: Grey, second: Grey, target: Grey, where: Mask) -> Grey:
    """The first with the tone of `second` and the sharpness of `target`, the smoothed second."""
    sample = _sample(where)
    if not len(sample):
        # They agree nowhere: there is nothing to fit.
        return np.asarray(first, np.float32)
    values = first.take(sample)
    tones = np.minimum(values * (TONES / 256), TONES - 1).astype(np.int64)
    counts = np.bincount(tones, minlength=TONES)
    sums = np.bincount(tones, weights=second.take(sample), minlength=TONES)
    known = counts > 0
    centres = (np.arange(TONES) + 0.5) * (256 / TONES)
    # A curve of whole numbers would add steps to smooth areas: quarters of a level, interpolated, do not.
    curve = np.interp(np.arange(1024) / 4, centres[known], sums[known] / counts[known]).astype(np.float32)
    matched = curve.take((first * 4 + 0.5).astype(np.int32), mode="clip")
    bands = [cv2.GaussianBlur(matched, (0, 0), width) for width in WIDTHS]
    columns = np.ones((len(WIDTHS) + 1, len(sample)), np.float32)
    for column, band in zip(columns, bands, strict=False):
        band.take(sample, out=column, mode="clip")
    normal = (columns @ columns.T).astype(np.float64) + 1e-3 * np.eye(len(WIDTHS) + 1)
    weights = np.linalg.solve(normal, (columns @ target.take(sample)).astype(np.float64))
    fine, middle, coarse = bands
    mixed = cv2.addWeighted(fine, weights[0], middle, weights[1], weights[3])
    return np.asarray(cv2.scaleAdd(coarse, weights[2], mixed), np.float32)
