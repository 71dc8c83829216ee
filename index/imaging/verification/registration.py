"""PURE: two pictures laid over each other -> by how much their details are shifted against each other, block by block.

A copy comes from the very same exposure: whatever was done to it, once it is laid over the original its details fall
on theirs within a few hundredths of a pixel, all of them. Two exposures of one scene hardly ever do: the camera moved,
near things more than far ones, leaves stir, people breathe. The shift of each block is estimated by least squares from
the gradients (Lucas and Kanade, An Iterative Image Registration Technique, IJCAI 1981), together with the contrast,
the brightness and their slope in the block. What all blocks have in common is a wrong crop, tilt, perspective or lens,
is corrected, and does not count; neither does the shift that the noise in the blocks would feign.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.verification.align import Grey, Map, Mask, lay, lay_bent
from index.verification.blocks import in_blocks

BLOCK: Final = 32
SMOOTHING_PX: Final = 0.8
# A block whose shift is less certain than this has no say, and fewer blocks than this have none together.
MOST_ERROR_PX: Final = 0.15
LEAST_BLOCKS: Final = 6
# The standard error of the median of n lengths, for one of that median and the root of n; of these, two are sure.
ERROR_OF_MEDIAN: Final = 0.72
SURE_OF_MEDIAN: Final = 2.0
# So many blocks for each number that describes what they have in common.
BLOCKS_PER_TERM: Final = 3
# Corrections until what is left is less than SETTLED_PX. Gradients reach about a pixel far.
ROUNDS: Final = 4
SETTLED_PX: Final = 0.05
# So little is left, and so little to correct, that another round would tell nothing new.
NEARLY_PX: Final = 0.5
CERTAIN_PX: Final = 0.05
REACH_PX: Final = 1.5
# Contrast of a block relative to the other's beyond which the two show different things.
LEAST_GAIN: Final = 0.2
MOST_GAIN: Final = 5.0
# Light changes over more than this; around it pictures are brought to one middle grey. Below DARKEST is only noise.
LIGHT_PX: Final = 24
COARSE: Final = 8
MIDDLE: Final = 110.0
DARKEST: Final = 12.0
# Widths of the blurs by whose sum a sharpened or blurred copy is explained, in pixels.
WIDTHS: Final = (0.8, 1.6, 3.2)
SAMPLES: Final = 12_000
TONES: Final = 64
# Neighbouring pixels of a smoothed residual are not independent: about one in four counts. Levels are whole numbers.
DEPENDENT: Final = 8.0
LEAST_VARIANCE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Registration:
    """`shift_px` is by how much details are shifted against each other, typically, in pixels of the frame, less what
    the noise would feign, and `sure_px` less what chance makes of the median of so few; 0 where fewer than LEAST_BLOCKS
    of the `blocks` are certain enough to tell. `laid` is the first picture as it fell on the second at last."""

    shift_px: float
    sure_px: float
    blocks: int
    laid: Grey


def register(first: Grey, second: Grey, over: Map, where: Mask) -> Registration:
    """Lay `first` over `second` by a map that is right within a pixel or so, correct it, and measure what remains,
    in the part `where` both show the same, bool in the shape of the second.

    A change of tone is followed where it is one for the whole picture; a vignette, say, is not, and then both are
    brought to an even light.
    """
    found = _register(first, second, over, where, relit=False)
    if found.shift_px <= CERTAIN_PX:
        return found
    relit = _register(first, second, over, where, relit=True)
    return min(found, relit, key=lambda registration: registration.shift_px)


def matched(first: Grey, second: Grey, where: Mask) -> Grey:
    """The first picture, laid over the second, with the tone and the sharpness of it as they are `where` both show the
    same; float32 of the one shape of all three."""
    return _explained(first, second, cv2.GaussianBlur(second, (0, 0), SMOOTHING_PX), where)


def _register(first: Grey, second: Grey, over: Map, where: Mask, *, relit: bool) -> Registration:
    height, width = second.shape
    bend = np.zeros((2, height, width), np.float32)
    lit = _evenly_lit(second, where) if relit else second
    target = cv2.GaussianBlur(lit, (0, 0), SMOOTHING_PX)
    laid = lay(first, second.shape, over)
    best: Registration | None = None
    for _ in range(ROUNDS):
        seen = _evenly_lit(laid, where) if relit else laid
        found = _shifts(_explained(seen, lit, target, where), target, where)
        if len(found.x) < LEAST_BLOCKS:
            return best or Registration(0.0, 0.0, len(found.x), laid)
        common, left = _common(found, second.shape)
        shift_px, by_chance_px = _excess(left, found.error)
        registration = Registration(shift_px, max(0.0, shift_px - by_chance_px), len(found.x), laid)
        if best is None or registration.shift_px < best.shift_px:
            best = registration
        correction = _field(common, second.shape)
        most = float(np.abs(correction).max())
        if most < SETTLED_PX or (most < NEARLY_PX and registration.shift_px < CERTAIN_PX):
            break
        bend += correction
        laid = lay_bent(first, second.shape, over, bend)
    assert best is not None
    return best


@dataclass(frozen=True, slots=True)
class _Shifts:
    """Of n blocks: their centres x and y, the shift by which the first should be moved, its standard error."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    shift: NDArray[np.float64]
    error: NDArray[np.float64]


def _shifts(explained: Grey, target: Grey, where: Mask) -> _Shifts:
    rows, columns = target.shape[0] // BLOCK, target.shape[1] // BLOCK
    whole = np.asarray(_blocks(where.astype(np.float32)).min(axis=1) > 0) if rows and columns else np.zeros(0, bool)
    places = np.flatnonzero(whole)
    if not len(places):
        return _Shifts(np.empty(0), np.empty(0), np.empty((0, 2)), np.empty(0))
    slope_x = cv2.Sobel(explained, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope_y = cv2.Sobel(explained, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    ramp = np.linspace(-1, 1, BLOCK, dtype=np.float32)
    design = np.empty((len(places), 6, BLOCK * BLOCK), np.float32)
    for term, picture in enumerate((slope_x, slope_y, explained)):
        design[:, term] = _blocks(picture)[places]
    design[:, 3:] = np.ones(BLOCK * BLOCK), np.tile(ramp, BLOCK), np.repeat(ramp, BLOCK)
    values = _blocks(target)[places]
    # Normal equations; what little is added keeps those of flat blocks solvable, and their error large.
    normal = (design @ design.swapaxes(1, 2)).astype(np.float64) + 1e-3 * np.eye(6)
    right = (design @ values[:, :, None]).astype(np.float64)
    inverse = np.linalg.inv(normal)
    solved = (inverse @ right)[:, :, 0]
    left = values - (solved[:, None, :].astype(np.float32) @ design)[:, 0]
    variance = np.maximum((left * left).mean(axis=1), LEAST_VARIANCE) * DEPENDENT
    gain = solved[:, 2]
    sure = (gain > LEAST_GAIN) & (gain < MOST_GAIN)
    gain = np.where(sure, gain, 1.0)
    error = np.sqrt(variance * np.maximum(inverse[:, 0, 0] + inverse[:, 1, 1], 0)) / gain
    shift = solved[:, :2] / gain[:, None]
    sure &= (error < MOST_ERROR_PX) & (np.abs(shift).max(axis=1) < BLOCK / 4)
    shift = np.clip(shift, -REACH_PX, REACH_PX)
    row, column = np.divmod(places[sure], columns)
    centre = (BLOCK - 1) / 2
    return _Shifts(column * BLOCK + centre, row * BLOCK + centre, shift[sure], error[sure])


def _common(found: _Shifts, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The motion, of second degree in x and y, that most blocks agree on, (terms, 2), and what it leaves, (n,)."""
    terms = _terms(found.x, found.y, shape)
    count = max(count for count in (1, 3, 6) if count == 1 or len(found.x) >= BLOCKS_PER_TERM * count)
    terms = terms[:, :count]
    weight = 1 / (found.error + 0.02)
    for _ in range(4):
        fitted, *_ = np.linalg.lstsq(terms * weight[:, None], found.shift * weight[:, None], rcond=None)
        left = np.linalg.norm(found.shift - terms @ fitted, axis=1)
        # Blocks far from the others move by themselves: their say shrinks with their distance (Huber, 1964).
        reach = 1.5 * float(np.median(left)) + 0.02
        weight = np.minimum(1.0, reach / np.maximum(left, 1e-6)) / (found.error + 0.02)
    return np.asarray(fitted, np.float64), np.asarray(left, np.float64)


def _excess(left: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[float, float]:
    """The median length of what is left, less what the standard errors alone would make of it, and what chance may
    have added to the median of so few: both of a Rayleigh distribution."""
    median = float(np.median(left))
    squared = median**2 - float(np.log(2)) * float(np.median(error)) ** 2
    return float(np.sqrt(max(0.0, squared))), SURE_OF_MEDIAN * ERROR_OF_MEDIAN * median / float(np.sqrt(len(left)))


def _field(common: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The common motion at every pixel, (2, height, width)."""
    height, width = shape[0], shape[1]
    y, x = np.mgrid[:height:COARSE, :width:COARSE].astype(np.float64) + (COARSE - 1) / 2
    coarse = _terms(x.ravel(), y.ravel(), shape)[:, : len(common)] @ common
    size = (x.shape[1] * COARSE, x.shape[0] * COARSE)
    parts = [cv2.resize(part.reshape(x.shape).astype(np.float32), size)[:height, :width] for part in coarse.T]
    return np.stack(parts).astype(np.float32)


def _terms(x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    side = max(shape)
    x, y = 2 * x / side - 1, 2 * y / side - 1
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)


def _evenly_lit(picture: Grey, where: Mask) -> Grey:
    """The picture over its local mean: a vignette, a warm corner or a shadow filter is gone, details are not."""
    height, width = picture.shape
    small = (max(1, width // COARSE), max(1, height // COARSE))
    inside = where.astype(np.float32)
    weight = cv2.resize(inside, small, interpolation=cv2.INTER_AREA)
    light = cv2.resize(picture * inside, small, interpolation=cv2.INTER_AREA)
    weight = cv2.GaussianBlur(weight, (0, 0), LIGHT_PX / COARSE)
    light = cv2.GaussianBlur(light, (0, 0), LIGHT_PX / COARSE) / np.maximum(weight, 1e-3)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(picture * (MIDDLE / (light + DARKEST)), 0, 255), np.float32)


def _explained(first: Grey, second: Grey, target: Grey, where: Mask) -> Grey:
    """The first with the tone of `second` and the sharpness of `target`, which is the second smoothed."""
    places = np.flatnonzero(where.ravel())
    if not len(places):
        # They agree nowhere: nothing tells how the one would become the other.
        return np.asarray(first, np.float32)
    sample = places[:: max(1, len(places) // SAMPLES)]
    values = first.ravel()[sample]
    tones = np.minimum(values * (TONES / 256), TONES - 1).astype(np.int64)
    counts = np.bincount(tones, minlength=TONES)
    sums = np.bincount(tones, weights=second.ravel()[sample], minlength=TONES)
    known = counts > 0
    centres = (np.arange(TONES) + 0.5) * (256 / TONES)
    # A curve of whole numbers would lay steps over smooth places: fine enough, and looked up between.
    curve = np.interp(np.arange(1024) / 4, centres[known], sums[known] / counts[known]).astype(np.float32)
    matched = curve.take((first * 4 + 0.5).astype(np.int32), mode="clip")
    bands = [cv2.GaussianBlur(matched, (0, 0), width) for width in WIDTHS]
    columns = np.stack([*(band.ravel()[sample] for band in bands), np.ones(len(sample), np.float32)], axis=1)
    normal = (columns.T @ columns).astype(np.float64) + 1e-3 * np.eye(len(WIDTHS) + 1)
    weights = np.linalg.solve(normal, (columns.T @ target.ravel()[sample]).astype(np.float64)).astype(np.float32)
    mixed: Grey = weights[0] * bands[0]
    for weight, band in zip(weights[1:-1], bands[1:], strict=True):
        mixed += weight * band
    mixed += weights[-1]
    return mixed


def _blocks(picture: Grey) -> Grey:
    """(height, width) -> (blocks, BLOCK * BLOCK), in rows."""
    return np.asarray(in_blocks(picture, BLOCK).reshape(-1, BLOCK * BLOCK), np.float32)
