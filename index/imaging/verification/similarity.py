"""PURE: two grey pictures laid over each other -> how alike they are, block by block.

Blocks are compared by normalised correlation, the structure term of SSIM (Wang et al., Image Quality Assessment, 2004),
which brightness and contrast do not change. Blocks without texture say nothing and do not count.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.verification.blocks import in_blocks

# float32, as OpenCV wants it; its stubs say so of nothing they return.
Grey = NDArray[Any]

# Side of a block in pixels of the common frame.
BLOCK: Final = 16
# Standard deviation, in grey levels, under which a block is flat: JPEG and sensor noise reach about 2.
FLAT: Final = 4.0
# Of a field in the mist or a calm sea next to nothing is left then. Where fewer blocks than this have texture, fainter
# texture counts, if there are enough blocks of it: noise alone does not agree.
LEAST_TEXTURED: Final = 24
FAINT: Final = (2.0, 1.2)
LEAST_FAINT: Final = 32
# Noise that was added makes a texture of its own and drowns what is fainter: what counts is so much more than in most
# of so many blocks that are flat in the other picture, at most so many times what is flat.
OVER_NOISE: Final = 1.5
EVEN: Final = 2.0
LEAST_OF_NOISE: Final = 16
MOST_NOISE: Final = 2.0
# What rounding to whole grey levels alone may correlate.
ROUNDING: Final = 0.25
# A block of which less than this is covered does not count.
LEAST_COVERED: Final = 0.75
# White is above this. Where there is less of it, nothing was clipped.
WHITE: Final = 250.0
LEAST_WHITE: Final = 0.01
# No brightening makes white what is darker than this and leaves a picture.
LEAST_CLIPPED: Final = 128.0
LEVELS_PER_BIN: Final = 4
# One pixel of so many is asked for the curve of the tones, and so many must be of a level for it to say anything.
SPARSE: Final = 5
LEAST_OF_LEVEL: Final = 20
MOST_STEEP: Final = 16.0
# Fine detail that noise, JPEG and a thumbnail lose is smoothed away in both.
SMOOTHING_PX: Final = 1.2
# A block below this correlation shows something else.
DIFFERENT: Final = 0.55


@dataclass(frozen=True, eq=False)
class Similarity:
    """Blocks of a common frame compared. `correlation` is NaN where a block does not count (not covered or flat in
    both), `textured` how many do, `faint` whether these would be flat elsewhere; shares are of those."""

    correlation: NDArray[np.float32]
    textured: int
    faint: bool = False

    @cached_property
    def median(self) -> float:
        return float(np.median(self.correlation[~np.isnan(self.correlation)])) if self.textured else 0.0

    @cached_property
    def fit(self) -> float:
        """How well the pictures fit each other, 0 to 1, to tell which of two maps is better: only blocks that agree
        closely have much of a say, whatever else was painted over."""
        return float(np.nansum(np.clip(self.correlation, 0, 1) ** 8)) / max(1, self.textured)

    @cached_property
    def different(self) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            return self.correlation < DIFFERENT

    @property
    def different_share(self) -> float:
        return float(self.different.sum()) / max(1, self.textured)

    def share_below(self, correlation: float) -> float:
        with np.errstate(invalid="ignore"):
            return float((self.correlation < correlation).sum()) / max(1, self.textured)


def compare(first: Grey, second: Grey, covered: NDArray[np.bool_]) -> Similarity:
    """Compare two pictures of one shape, float32 (height, width), where `covered`."""
    if min(first.shape) < BLOCK:
        return Similarity(np.empty((0, 0), np.float32), 0)
    weight = in_blocks(covered.astype(np.float32), BLOCK)
    a = in_blocks(cv2.GaussianBlur(first, (0, 0), SMOOTHING_PX), BLOCK)
    b = in_blocks(cv2.GaussianBlur(second, (0, 0), SMOOTHING_PX), BLOCK)
    share = weight.mean(axis=-1)
    lost = _lost(a, b) | _lost(b, a) | _lost(255 - a, 255 - b) | _lost(255 - b, 255 - a)
    slopes = _steepness(a, b), _steepness(b, a)
    a, b = _levelled(a, weight), _levelled(b, weight)
    pixels = np.maximum(share, LEAST_COVERED) * BLOCK**2
    spread_a = np.sqrt(np.einsum("ijk,ijk->ij", a, a) / pixels)
    spread_b = np.sqrt(np.einsum("ijk,ijk->ij", b, b) / pixels)
    inside = (share >= LEAST_COVERED) & ~lost
    # Where one picture is flat and the other is not, this is next to nothing, as it should be.
    correlation = np.einsum("ijk,ijk->ij", a, b) / pixels / (spread_a * spread_b + ROUNDING)
    counts = inside & _textured(spread_a, spread_b, inside, slopes, FLAT)
    faint = False
    if counts.sum() < LEAST_TEXTURED:
        for flat in FAINT:
            fainter = inside & _textured(spread_a, spread_b, inside, slopes, flat)
            if fainter.sum() >= LEAST_FAINT:
                counts, faint = fainter, True
                break
    return Similarity(np.where(counts, correlation, np.nan).astype(np.float32), int(counts.sum()), faint)


def _textured(
    spread_a: Grey, spread_b: Grey, inside: NDArray[np.bool_], slopes: tuple[Grey, Grey], flat: float
) -> NDArray[np.bool_]:
    """The blocks in which there is something to compare: more than what a change of tone makes of what is flat."""
    gain = _gain(spread_a[inside], spread_b[inside], flat)
    noise = max(_noise(spread_b, spread_a, inside, flat), _noise(spread_a, spread_b, inside, flat))
    textured = (spread_a > noise) | (spread_b > noise)
    textured &= (spread_a * gain > flat) | (spread_b > flat * gain)
    # Equalising and posterising make steps of the faintest slopes: what is seen only where the curve is steep was flat.
    steep_b, steep_a = slopes
    textured &= ((spread_a > flat) | (spread_b > flat * steep_b)) & ((spread_b > flat) | (spread_a > flat * steep_a))
    return np.asarray(textured)


def _noise(plain: Grey, spread: Grey, inside: NDArray[np.bool_], flat: float) -> float:
    """The standard deviation up to which a block may be nothing but noise: that of the blocks which are flat in the
    other picture, of standard deviations `plain`, if it is about as strong in all of them. Things are not."""
    of_flat = spread[inside & (plain < flat)]
    if len(of_flat) < LEAST_OF_NOISE:
        return flat
    least, middle, most = np.quantile(of_flat, (0.1, 0.5, 0.9))
    return float(np.clip(OVER_NOISE * middle, flat, MOST_NOISE * flat)) if most < EVEN * least else flat


def _lost(a: Grey, b: Grey) -> NDArray[np.bool_]:
    """The blocks that brightening has made white in `b`: all of them was bright enough in `a`."""
    white = b > WHITE
    if white.mean() < LEAST_WHITE:
        return np.zeros(a.shape[:2], np.bool_)
    return np.asarray((white.mean(axis=-1) > 0.5) & (a.min(axis=-1) >= _clipped_from(a, white)), np.bool_)


def _clipped_from(a: Grey, white: NDArray[np.bool_]) -> float:
    """The level of `a` from which on upwards most has become white. Something white laid over it does not make most
    of any level white."""
    levels = np.minimum(a[..., ::3] / LEVELS_PER_BIN, 255 // LEVELS_PER_BIN).astype(np.int64).ravel()
    every = np.bincount(levels, minlength=256 // LEVELS_PER_BIN)
    clipped = np.bincount(levels[white[..., ::3].ravel()], minlength=len(every))
    others = np.flatnonzero(clipped < every / 2)
    level = float((others.max() + 1 if len(others) else 0) * LEVELS_PER_BIN)
    return min(max(level, LEAST_CLIPPED), WHITE)


def _levelled(blocks: Grey, weight: Grey) -> Grey:
    """Blocks less the plane that fits each best: neither a vignette nor a shadow is structure. What has no weight is
    left out, as if it were level."""
    ramp = np.arange(BLOCK, dtype=np.float32) - (BLOCK - 1) / 2
    plane = np.stack([np.ones(BLOCK**2, np.float32), np.tile(ramp, BLOCK), np.repeat(ramp, BLOCK)])
    plane /= np.linalg.norm(plane, axis=1, keepdims=True)
    level = blocks - (blocks @ plane.T) @ plane
    partly = (weight.min(axis=-1) < 1) & (weight.max(axis=-1) > 0)
    if partly.any():
        some, mask = blocks[partly], weight[partly]
        # What little is added keeps the equations of a block that is hardly covered solvable.
        normal = np.einsum("nk,ik,jk->nij", mask, plane, plane) + 1e-4 * np.eye(3, dtype=np.float32)
        fitted = np.linalg.solve(normal, np.einsum("nk,nk,ik->ni", mask, some, plane)[..., None])[..., 0]
        level[partly] = some - fitted @ plane
    return np.asarray(level * weight, np.float32)


def _steepness(a: Grey, b: Grey) -> Grey:
    """By how much the tones of `b` rise for those of `a` at most, at the levels of each block of `a`, 1 at least."""
    some, others = a[..., ::SPARSE].ravel(), b[..., ::SPARSE].ravel()
    bins = 256 // LEVELS_PER_BIN
    level = np.clip(some / LEVELS_PER_BIN, 0, bins - 1).astype(np.int64)
    counts = np.bincount(level, minlength=bins)
    known = np.flatnonzero(counts >= LEAST_OF_LEVEL)
    if len(known) < 2:
        return np.ones(a.shape[:2], np.float32)
    order = np.lexsort((others, level))
    middle = np.cumsum(counts) - counts + counts // 2
    curve = others[order][np.minimum(middle[known], len(order) - 1)]
    # Curves rise. Where one leaps up and comes down again something else is there, on a wall of one tone.
    above, below = np.maximum.accumulate(curve), np.minimum.accumulate(curve[::-1])[::-1]
    rise = np.minimum(np.diff(above), np.diff(below)) / (np.diff(known) * LEVELS_PER_BIN)
    steep = np.ones(bins)
    for low, high, one in zip(known[:-1], known[1:], rise, strict=True):
        steep[low : high + 1] = np.maximum(steep[low : high + 1], one)
    mean = np.clip(a.mean(axis=-1) / LEVELS_PER_BIN, 0, bins - 1).astype(np.int64)
    return np.asarray(np.clip(steep[mean], 1, MOST_STEEP), np.float32)


def _gain(spread_a: Grey, spread_b: Grey, flat: float) -> float:
    """How much contrast the second has for one of the first, over all blocks."""
    textured = (spread_a > flat) & (spread_b > flat / 4)
    if textured.sum() < 4:
        return 1.0
    return float(np.clip(np.median(spread_b[textured] / spread_a[textured]), 0.1, 10.0))
