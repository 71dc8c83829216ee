"""PURE: two aligned pictures -> whether one mapping of colours holds for all they show, and how it turns the hues.

An edit of a whole picture maps its colours everywhere alike: chroma, as a complex number, is turned and scaled by a
factor that depends on brightness only, and tinted by one that does, too. It is fitted so that what leaves it has no
weight (iteratively reweighted least squares, Holland and Welsch 1977), since a shirt in another colour covers a third
of a picture. A place that leaves it was given another colour, or is another thing. What an edit loses, as greys lose
all colour, cannot be had back: it is enough that the mapping holds in one direction.

One thing in another colour before a wall without any could be a turn of all hues as well. Such a turn is accepted
only where most of the picture has colour that turns alike.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.turning import turned
from index.imaging.verification import transforms
from index.imaging.verification.alignment import Aligned, Prepared
from index.imaging.verification.once import once_a_picture
from index.imaging.verification.order_statistics import median, quantile
from index.imaging.verification.places import NEAR
from index.imaging.verification.transforms import Grey, Mask
from index.model import Turn

# Left, top, right and bottom, as fractions of the sides.
Box = tuple[float, float, float, float]
Complex = NDArray[Any]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ColourLimits:
    """When colours differ, in the frame of 256 pixels. "Levels" of chroma are lengths of (Cb, Cr)."""

    min_residual: float = threshold(
        14.0, "levels", "JPEG 20, WebP 30, noise of 12 levels, sepia, filters: no place of 140 edits left its mapping."
    )
    min_sharpened: float = threshold(20.0, "levels", "Unsharp masks of radius 5 ring as far as 18 levels.")
    over_usual: float = threshold(5.0, "times the 80 % quantile", "Coarse quantisation leaves residuals all over.")
    max_usual: float = threshold(8.0, "levels", "With a larger 80 % quantile the mapping does not hold at all.")
    min_clipped: float = threshold(60.0, "levels", "Where a channel is clipped, brighter and darker colours differ.")
    min_of_palette: float = threshold(40.0, "levels", "A palette (GIF) has no rare colours.")
    min_of_turn: float = threshold(
        24.0, "levels", "The hue of HSV is turned in six straight pieces: 18 levels and more off a turn by 150°."
    )
    min_pixels: int = threshold(
        12, "pixels", "After opening by 3. Of 31 things in another hue, 0.3 % of the picture and more, 30 have 15."
    )
    far_degrees: float = threshold(25.0, "degrees", "Hues that turn by more ask for support by the whole picture.")
    min_factor: float = threshold(0.15, "ratio", "What keeps less of its chroma was tinted: no hue of it was turned.")
    colourful: float = threshold(5.0, "levels", "With less chroma no hue can be measured.")
    min_colourful: float = threshold(
        0.6, "share of the picture", "So much must have a hue that turns: a shirt before a white wall has less."
    )
    min_of_tone: int = threshold(8, "pixels", "So many of a tone are needed for a point of a tone curve.")
    kept: float = threshold(0.15, "share of the chroma", "What changes by less, or KEPT_LEVELS, kept its colour.")
    other_degrees: float = threshold(75.0, "degrees", "What turns by more has another colour, whatever a tint adds.")
    min_other: float = threshold(0.003, "share of the picture", "Opened by 5: less of another colour is an edge.")
    strong: float = threshold(10.0, "levels", "With that much chroma before and after.")
    max_kept: float = threshold(
        0.15, "share of the picture", "So much colour that is kept shows that no edit of the whole changed the rest."
    )
    consistent_degrees: float = threshold(30.0, "degrees", "Hues that turn alike differ by no more.")
    min_consistent: float = threshold(0.95, "share of what has a hue", "Of a recoloured thing's picture it is 0.9.")


COLOURS: Final = ColourLimits()

SMOOTHING_PX: Final = 1.2
# Sharpening and blurring change the colours near edges: these are compared smoother.
SMOOTHER_PX: Final = 3.0
# Levels beyond which a channel is clipped, and the share of a window of CLIPPED_PX that counts.
LIGHTEST: Final = 250
DARKEST: Final = 4
CLIPPED_PX: Final = 5
MIN_CLIPPED: Final = 0.1
SAMPLES: Final = 3000
ROUNDS: Final = 6
# Tone curves have TONES points, TONE levels apart, from one pixel of so many.
TONES: Final = 64
TONE: Final = 4
LEVELS: Final = 256
SPARSE: Final = 3
COSINE_OF_OTHER: Final = float(np.cos(np.radians(COLOURS.other_degrees)))
# JPEG moves chroma by so much, in levels.
KEPT_LEVELS: Final = 1.5
# Levels are divided by this in the terms of the mapping, so that all are of one order.
UNIT: Final = 64.0
# The residual at which a sample loses most of its weight, in levels; and at most, in the cost of a fit.
LEAST_SCALE: Final = 2.0
MOST_COST: Final = 12.0
FIRST_SCALE: Final = 6.0


@dataclass(frozen=True, slots=True)
class Colours:
    """`places` is how many places left the mapping that holds for most; `degrees` by how much that turns the hues, red
    to yellow to green, from the first picture to the second, 0 where by little, and `whole` whether the whole picture
    shows that it does."""

    places: int = 0
    degrees: float = 0.0
    whole: bool = True

    @property
    def same(self) -> bool:
        """Whether one mapping of colours explains all."""
        return not self.places and self.whole


@dataclass(frozen=True, eq=False)
class _Frame:
    """One picture in the common frame: values, RGB uint8 (height, width, 3), luma, float32 (height, width), chroma,
    complex, and where it is clipped."""

    values: Pixels
    luma: Grey
    chroma: Complex
    clipped: Mask

    @cached_property
    def colourfulness(self) -> Grey:
        """The length of chroma."""
        return _length(self.chroma)


def compare_colours(
    aligned: Aligned,
    first: Prepared,
    second: Prepared,
    added: tuple[Box, ...] = (),
    *,
    palette: bool = False,
    sharpened: bool = False,
) -> Colours:
    """Compare the colours of two aligned pictures, leaving out the boxes of what was `added` to one of them. `palette`
    is whether one had to do with few colours, `sharpened` whether one was sharpened or blurred."""
    if first.view is None or second.view is None:
        return Colours()
    where = transforms.inside(aligned.covered) & ~_within(added, aligned.second.shape)
    if not where.any():
        return Colours()
    values = aligned_views(aligned, first.view, second.view)
    smoothing_px = SMOOTHER_PX if sharpened else SMOOTHING_PX
    frames = _frame(values[0], smoothing_px), _frame(values[1], smoothing_px)
    least = COLOURS.min_of_palette if palette else COLOURS.min_sharpened if sharpened else COLOURS.min_residual
    if not _places(_length(frames[1].chroma - frames[0].chroma) > least, where):
        return Colours()
    forward = _mapped(frames[0], frames[1], where, least)
    if forward.same:
        return forward
    backward = _mapped(frames[1], frames[0], where, least)
    if not backward.same:
        return forward
    return Colours(backward.places, -backward.degrees, backward.whole)


def aligned_views(aligned: Aligned, first: Pixels, second: Pixels) -> tuple[Pixels, Pixels]:
    """Two previews, RGB uint8 (height, width, 3), in the frame of the second, as their greys are aligned."""
    small, other = _resized(first, aligned.first.shape, aligned.turn), _resized(second, aligned.second.shape)
    if transforms.moves_nothing(small.shape, aligned.second.shape, aligned.transform):
        return small, other
    return np.asarray(transforms.warp(small, aligned.second.shape, aligned.transform), np.uint8), other


def _mapped(source: _Frame, target: _Frame, where: Mask, least: float) -> Colours:
    """How far the colours of the target follow from those of the source."""
    if _is_local(source, target, where):
        return Colours(1)
    by_curves = _length(target.chroma - _luma_and_chroma(_with_curves(source.values, target.values, where))[1])
    clipped = source.clipped | target.clipped
    if not _left(by_curves, where, clipped, least):
        degrees = _usual_turn(source, target, where)
        if abs(degrees) > COLOURS.far_degrees and _all_turns(source, target, where, degrees):
            return Colours(0, degrees)
        if not _is_other(source, target, where):
            return Colours()
    factors = _fit(source, target, where)
    residual = _length(target.chroma - _terms(source.luma, source.chroma, target.luma) @ factors)
    middle = [float(np.median(frame.luma[where])) / UNIT for frame in (source, target)]
    factor = complex(factors[3] + factors[4] * middle[0] + factors[5] * middle[1])
    degrees = float(np.degrees(np.angle(factor))) if abs(factor) >= COLOURS.min_factor else 0.0
    far = abs(degrees) > COLOURS.far_degrees
    places = _left(residual, where, clipped, max(least, COLOURS.min_of_turn) if far else least)
    return Colours(places, degrees if far else 0.0, not far or _all_turns(source, target, where, degrees))


def _left(residual: Grey, where: Mask, clipped: Mask, least: float) -> int:
    """How many places leave a mapping; at least 1 where it does not hold at all."""
    whole = where & ~clipped
    usual = quantile(residual[whole if np.count_nonzero(whole) > np.count_nonzero(where) // 10 else where], 0.8)
    if usual > COLOURS.max_usual:
        return 1
    limit = max(least, COLOURS.over_usual * usual)
    return _places(residual > np.where(clipped, max(limit, COLOURS.min_clipped), limit), where)


def _with_curves(source: Pixels, target: Pixels, where: Mask) -> Grey:
    """The source with a tone curve for each channel that rises, as brightening, gamma, levels and filters have."""
    channels = range(source.shape[2])
    parts = [_with_curve(source[..., channel], target[..., channel], where) for channel in channels]
    return np.asarray(cv2.merge(parts), np.float32)


def _with_curve(source: Pixels, target: Pixels, where: Mask) -> Grey:
    before, after = source[where][::SPARSE], target[where][::SPARSE]
    tone = before // TONE
    counts = np.bincount(tone, minlength=TONES)
    known = np.flatnonzero(counts >= COLOURS.min_of_tone)
    if len(known) < 2:
        return np.asarray(source, np.float32)
    middle = (np.cumsum(counts) - counts + counts // 2)[known]
    # Both in 16 bits, which numpy sorts in a tenth of the time.
    in_order = np.sort(tone.astype(np.uint16) * LEVELS + after, kind="stable")
    curve = (in_order[np.minimum(middle, len(after) - 1)] % LEVELS).astype(np.float32)
    curve = (np.maximum.accumulate(curve) + np.minimum.accumulate(curve[::-1])[::-1]) / 2
    levels = np.interp(np.arange(LEVELS), (known + 0.5) * TONE, curve).astype(np.float32)
    return np.asarray(cv2.LUT(source, levels), np.float32)


def _is_local(source: _Frame, target: _Frame, where: Mask) -> bool:
    """Whether much of the colour is kept and some is another, whatever mapping explains both: one by brightness does
    where a dark thing has another colour."""
    length = np.minimum(source.colourfulness, target.colourfulness)
    change = _length(target.chroma - source.chroma)
    kept = where & (length > COLOURS.colourful) & (change < COLOURS.kept * length + KEPT_LEVELS)
    if np.count_nonzero(kept) <= COLOURS.max_kept * np.count_nonzero(where):
        return False
    return _is_other(source, target, where)


def _is_other(source: _Frame, target: _Frame, where: Mask) -> bool:
    """Whether some of the picture has another hue."""
    length = np.minimum(source.colourfulness, target.colourfulness)
    other = where & (length > COLOURS.strong) & ~(source.clipped | target.clipped)
    if not other.any():
        return False
    # The cosine of the angle between both.
    along = source.chroma.real * target.chroma.real + source.chroma.imag * target.chroma.imag
    other &= along < COSINE_OF_OTHER * source.colourfulness * target.colourfulness
    opened = cv2.morphologyEx(other.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return bool(np.count_nonzero(opened) > COLOURS.min_other * np.count_nonzero(where))


def _turn(source: _Frame, target: _Frame) -> Grey:
    """By how much each hue turns, in degrees."""
    return np.asarray(np.angle(target.chroma * np.conj(source.chroma), deg=True), np.float32)


def _hues(source: _Frame, target: _Frame, where: Mask) -> Mask:
    return where & (np.minimum(source.colourfulness, target.colourfulness) > COLOURS.colourful)


def _usual_turn(source: _Frame, target: _Frame, where: Mask) -> float:
    """The mean direction of the turns of all hues, in degrees."""
    hues = _hues(source, target, where)
    turns = target.chroma[hues] * np.conj(source.chroma[hues])
    return float(np.angle((turns / _length(turns)).sum(), deg=True)) if turns.size else 0.0


def _all_turns(source: _Frame, target: _Frame, where: Mask, degrees: float) -> bool:
    """Whether so much of the picture has hues that turn alike that no single thing was given another colour."""
    has_hue = _hues(source, target, where)
    if has_hue.sum() < COLOURS.min_colourful * where.sum():
        return False
    off = np.abs((_turn(source, target)[has_hue] - degrees + 180) % 360 - 180)
    return float((off < COLOURS.consistent_degrees).mean()) >= COLOURS.min_consistent


def _fit(source: _Frame, target: _Frame, where: Mask) -> Complex:
    """The factors of the terms that most of the picture agrees on; from two starts: all of it, and what changed
    least."""
    sample = np.flatnonzero(where.ravel())
    sample = sample[:: max(1, len(sample) // SAMPLES)]
    luma, chroma, luma_after, wanted = (
        part.ravel()[sample] for part in (source.luma, source.chroma, target.luma, target.chroma)
    )
    terms = _terms(luma, chroma, luma_after).astype(np.complex128)
    starts = np.ones(len(sample)), _weights(np.abs(wanted - chroma), FIRST_SCALE)
    fits = [_reweighted(terms, wanted, start) for start in starts]
    costs = [float(np.minimum(np.abs(wanted - terms @ factors), MOST_COST).mean()) for factors in fits]
    return fits[int(np.argmin(costs))]


def _reweighted(terms: Complex, wanted: Complex, weight: NDArray[np.float64]) -> Complex:
    ridge = (1e-3 * len(wanted) + 1e-3) * np.eye(terms.shape[1])
    factors: Complex = np.zeros(terms.shape[1], np.complex128)
    for _ in range(ROUNDS):
        weighted = terms.conj() * weight[:, None]
        factors = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ wanted)
        residual = np.abs(wanted - terms @ factors)
        weight = _weights(residual, max(LEAST_SCALE, 1.5 * median(residual)))
    return factors


def _weights(residual: NDArray[Any], scale: float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + (residual / scale) ** 2) ** 2 + 1e-6, np.float64)


def _terms(luma: Grey, chroma: Complex, luma_after: Grey) -> Complex:
    """(...,) -> (..., 6): a tint by the brightness after, and the chroma by the brightness before and after."""
    before, after = luma / UNIT, luma_after / UNIT
    one = np.ones_like(chroma)
    return np.stack([one, one * after, one * after * after, chroma, chroma * before, chroma * after], axis=-1)


def _places(off: Mask, where: Mask) -> int:
    """How many places are off, opened so that thin edges are none."""
    square = np.ones((3, 3), np.uint8)
    opened = cv2.morphologyEx((off & where).astype(np.uint8), cv2.MORPH_OPEN, square)
    if not opened.any():
        return 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    return int((stats[1:, cv2.CC_STAT_AREA] >= COLOURS.min_pixels).sum())


@once_a_picture
def _frame(values: Pixels, smoothing_px: float) -> _Frame:
    smooth = np.asarray(cv2.GaussianBlur(values, (0, 0), smoothing_px), np.uint8)
    red, green, blue = cv2.split(values)
    lightest, darkest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    extreme = np.asarray((lightest >= LIGHTEST) | (darkest <= DARKEST), np.float32)
    clipped = cv2.blur(extreme, (CLIPPED_PX, CLIPPED_PX)) > MIN_CLIPPED
    luma, chroma = _luma_and_chroma(smooth.astype(np.float32))
    return _Frame(smooth, luma, chroma, np.asarray(clipped))


def _length(chroma: Complex) -> Grey:
    """As numpy's, which guards against overflow at ten times the cost."""
    length = cv2.magnitude(np.ascontiguousarray(chroma.real), np.ascontiguousarray(chroma.imag))
    return np.asarray(length).reshape(chroma.shape)


def _luma_and_chroma(values: Grey) -> tuple[Grey, Complex]:
    """Of RGB values, float32 (height, width, 3): luma, and chroma as Cb + i Cr around 0, as JPEG has them."""
    red, green, blue = cv2.split(values)
    luma = np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, np.float32)
    return luma, (blue - luma) * 0.564 + 1j * ((red - luma) * 0.713)


@once_a_picture
def _resized(view: Pixels, shape: tuple[int, ...], turn: Turn = Turn.NONE) -> Pixels:
    """A view, turned, in the shape of a frame."""
    if turn is not Turn.NONE:
        view = np.asarray(cv2.merge([np.asarray(turned(part, turn), np.uint8) for part in cv2.split(view)]), np.uint8)
    return np.asarray(cv2.resize(view, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def _within(boxes: tuple[Box, ...], shape: tuple[int, ...]) -> Mask:
    """Where any of these boxes is, with the margin in which parts of an addition may lie."""
    height, width = shape[0], shape[1]
    inside = np.zeros((height, width), np.bool_)
    for left, top, right, bottom in boxes:
        rows = slice(max(0, int((top - NEAR) * height)), int(np.ceil((bottom + NEAR) * height)))
        columns = slice(max(0, int((left - NEAR) * width)), int(np.ceil((right + NEAR) * width)))
        inside[rows, columns] = True
    return inside
