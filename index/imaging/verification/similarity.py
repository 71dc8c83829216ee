"""PURE: two aligned grey pictures -> how similar they are, block by block.

Blocks are compared by normalised correlation, the structure term of SSIM (Wang et al., Image Quality Assessment, 2004),
which brightness and contrast do not change. Blocks without texture do not count.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification.once import once_a_picture
from index.imaging.verification.order_statistics import median, quantile

# float32, as OpenCV needs it; its stubs declare no types of results.
Grey = NDArray[Any]

# Side of a block in pixels of the common frame.
BLOCK: Final = 16


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """When a block of 16 pixels counts, and when it shows something else. A "deviation" is a standard deviation."""

    flat: float = threshold(4.0, "levels", "Blocks of a lower deviation are flat: JPEG and sensor noise reach about 2.")
    min_textured: int = threshold(
        24, "blocks", "Where fewer have texture, as in mist or on a calm sea, fainter texture counts."
    )
    faint: tuple[float, ...] = threshold((2.0, 1.2), "levels", "The deviations of fainter texture, tried in turn.")
    min_faint: int = threshold(32, "blocks", "Fainter texture counts in so many blocks: noise alone does not agree.")
    over_noise: float = threshold(
        1.5, "times the median noise", "Added noise is a texture of its own and drowns what is fainter than this."
    )
    max_noise_ratio: float = threshold(
        2.0, "ratio", "Noise is about as strong in all blocks (10 % and 90 % quantile); things are not."
    )
    min_noise_blocks: int = threshold(16, "blocks", "So many blocks, flat in the other picture, measure the noise.")
    max_noise: float = threshold(2.0, "times flat", "Stronger noise is not assumed.")
    min_covered: float = threshold(0.75, "share of a block", "A block that is covered less does not count.")
    white: float = threshold(250.0, "levels", "White is above.")
    min_white: float = threshold(0.01, "share of pixels", "With less white, nothing was clipped.")
    min_clipped: float = threshold(128.0, "levels", "Brightening that makes darker pixels white leaves no picture.")
    min_pixels_of_level: int = threshold(20, "pixels", "So many of a level are needed for a point of the tone curve.")
    max_steepness: float = threshold(
        16.0, "levels a level", "Steeper parts of the tone curve are taken for this steep."
    )
    different: float = threshold(0.55, "correlation", "A block below shows something else.")


BLOCKS: Final = BlockLimits()

# Correlation that rounding to whole grey levels alone may cause: added to the denominator.
ROUNDING: Final = 0.25
LEVELS_PER_BIN: Final = 4
BINS: Final = 256 // LEVELS_PER_BIN
# Parts of a level by which levels are sorted: they fit into 16 bits, which numpy sorts in a tenth of the time.
PARTS: Final = 256
# One pixel of so many is used for the tone curve.
SPARSE: Final = 5
# Both are smoothed by this, to remove the fine detail that noise, JPEG and thumbnails lose.
SMOOTHING_PX: Final = 1.2
# Shapes of what is covered whose equations are kept: 50 KB each.
COVERS_KEPT: Final = 64


def planes(side: int) -> Grey:
    """An orthonormal basis of the planes over a block, float32 (3, side ** 2)."""
    ramp = np.arange(side, dtype=np.float32) - (side - 1) / 2
    plane = np.stack([np.ones(side**2, np.float32), np.tile(ramp, side), np.repeat(ramp, side)])
    plane /= np.linalg.norm(plane, axis=1, keepdims=True)
    return plane


PLANE: Final = planes(BLOCK)


@dataclass(frozen=True, eq=False)
class Similarity:
    """Blocks of a common frame compared. `correlation`, float32 (rows, columns), is NaN where a block does not count
    (not covered, or flat in both); `textured` is how many count, and shares are shares of these. `faint` is whether
    they count only because there are too few others."""

    correlation: NDArray[np.float32]
    textured: int
    faint: bool = False

    @cached_property
    def median(self) -> float:
        return median(self.correlation[~np.isnan(self.correlation)]) if self.textured else 0.0

    @cached_property
    def fit(self) -> float:
        """How well the pictures fit each other, 0 to 1, to choose the better of two maps: blocks that agree closely
        have nearly all of the weight, whatever else was painted over."""
        return float(np.nansum(np.clip(self.correlation, 0, 1) ** 8)) / max(1, self.textured)

    @cached_property
    def different(self) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            return self.correlation < BLOCKS.different

    @property
    def different_share(self) -> float:
        return float(self.different.sum()) / max(1, self.textured)

    def share_below(self, correlation: float) -> float:
        with np.errstate(invalid="ignore"):
            return float((self.correlation < correlation).sum()) / max(1, self.textured)


def compare(first: Grey, second: Grey, covered: NDArray[np.bool_]) -> Similarity:
    """Compare two pictures of one shape, float32 (height, width), where `covered`, bool of the same shape."""
    if min(first.shape) < BLOCK:
        return Similarity(np.empty((0, 0), np.float32), 0)
    cover = _cover(covered.shape, np.packbits(covered).tobytes())
    a, b = _seen(first), _seen(second)
    lost = _lost(a, b)
    slopes = _steepness(a, b), _steepness(b, a)
    detail_a, detail_b = _detrended(a, cover), _detrended(b, cover)
    spread_a = np.sqrt(np.einsum("ijk,ijk->ij", detail_a, detail_a) / cover.pixels)
    spread_b = np.sqrt(np.einsum("ijk,ijk->ij", detail_b, detail_b) / cover.pixels)
    inside = (cover.share >= BLOCKS.min_covered) & ~lost
    # If only one picture is flat, this is nearly 0, as it should be.
    correlation = np.einsum("ijk,ijk->ij", detail_a, detail_b) / cover.pixels / (spread_a * spread_b + ROUNDING)
    counts = inside & _textured(spread_a, spread_b, inside, slopes, BLOCKS.flat)
    faint = False
    if counts.sum() < BLOCKS.min_textured:
        for flat in BLOCKS.faint:
            fainter = inside & _textured(spread_a, spread_b, inside, slopes, flat)
            if fainter.sum() >= BLOCKS.min_faint:
                counts, faint = fainter, True
                break
    return Similarity(np.where(counts, correlation, np.nan).astype(np.float32), int(counts.sum()), faint)


@dataclass(frozen=True, slots=True)
class _Cover:
    """What of each block is covered: its share, the pixels it counts for, float32 (rows, columns). Of those that are
    covered in part, `partly`, bool (rows, columns): the weights of their pixels, float32 (n, BLOCK ** 2), and the
    normal equations of the planes, (n, 3, 3)."""

    share: Grey
    pixels: Grey
    partly: NDArray[np.bool_]
    mask: Grey
    normal: Grey


@lru_cache(maxsize=COVERS_KEPT)
def _cover(shape: tuple[int, int], packed: bytes) -> _Cover:
    """Most pairs of one shape cover each other wholly: their planes have the same equations."""
    covered = np.unpackbits(np.frombuffer(packed, np.uint8), count=shape[0] * shape[1]).reshape(shape)
    weight = in_blocks(covered.astype(np.float32), BLOCK)
    share = weight.mean(axis=-1)
    partly = (share > 0) & (share < 1)
    mask = weight[partly]
    # The small addition keeps the equations of a block that is hardly covered solvable.
    normal = np.einsum("nk,ik,jk->nij", mask, PLANE, PLANE) + 1e-4 * np.eye(3, dtype=np.float32)
    return _Cover(share, np.maximum(share, BLOCKS.min_covered) * BLOCK**2, partly, mask, normal)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A picture as it is compared: its smoothed blocks, float32 (rows, columns, BLOCK ** 2)."""

    blocks: Grey

    @cached_property
    def lightest(self) -> float:
        return float(self.blocks.max(initial=0.0))

    @cached_property
    def inverse(self) -> Grey:
        return 255 - self.blocks

    @cached_property
    def darkest(self) -> float:
        """The lightest of the inverse."""
        return float(255 - self.blocks.min(initial=255.0))

    @cached_property
    def level(self) -> Grey:
        """The blocks less the plane that fits each best."""
        return np.asarray(self.blocks - (self.blocks @ PLANE.T) @ PLANE)

    @cached_property
    def sparse(self) -> Grey:
        return self.blocks[..., ::SPARSE].ravel()

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """The places of these levels, from the darkest on."""
        return np.argsort((self.sparse * PARTS).astype(np.uint16), kind="stable")

    @cached_property
    def bins(self) -> NDArray[np.uint8]:
        """The bins of these levels."""
        return _bins(self.sparse)

    @cached_property
    def mean_bins(self) -> NDArray[np.uint8]:
        """The bin of the mean of each block."""
        return _bins(self.blocks.mean(axis=-1))


def _bins(levels: Grey) -> NDArray[np.uint8]:
    return np.clip(levels / LEVELS_PER_BIN, 0, BINS - 1).astype(np.uint8)


@once_a_picture
def _seen(picture: Grey) -> _Seen:
    return _Seen(in_blocks(cv2.GaussianBlur(picture, (0, 0), SMOOTHING_PX), BLOCK))


def _textured(
    spread_a: Grey, spread_b: Grey, inside: NDArray[np.bool_], slopes: tuple[Grey, Grey], flat: float
) -> NDArray[np.bool_]:
    """The blocks with something to compare: more texture than a change of tone makes of flat ones."""
    gain = _gain(spread_a[inside], spread_b[inside], flat)
    noise = max(_noise(spread_b, spread_a, inside, flat), _noise(spread_a, spread_b, inside, flat))
    textured = (spread_a > noise) | (spread_b > noise)
    textured &= (spread_a * gain > flat) | (spread_b > flat * gain)
    # Equalising and posterising turn the faintest slopes into steps: texture that needs a steep tone curve was flat.
    steep_b, steep_a = slopes
    textured &= ((spread_a > flat) | (spread_b > flat * steep_b)) & ((spread_b > flat) | (spread_a > flat * steep_a))
    return np.asarray(textured)


def _noise(plain: Grey, spread: Grey, inside: NDArray[np.bool_], flat: float) -> float:
    """The standard deviation up to which a block may be only noise: that of the blocks which are flat in the other
    picture, whose deviations are `plain`, if it is about equal in all of them. That of things is not."""
    of_flat = spread[inside & (plain < flat)]
    if len(of_flat) < BLOCKS.min_noise_blocks:
        return flat
    least, middle, most = (quantile(of_flat, share) for share in (0.1, 0.5, 0.9))
    return (
        float(np.clip(BLOCKS.over_noise * middle, flat, BLOCKS.max_noise * flat))
        if most < BLOCKS.max_noise_ratio * least
        else flat
    )


def _lost(a: _Seen, b: _Seen) -> NDArray[np.bool_]:
    """The blocks that brightening or darkening has made white or black in one of the two."""
    lost = np.zeros(a.blocks.shape[:2], np.bool_)
    for before, after in ((a, b), (b, a)):
        if after.lightest > BLOCKS.white:
            lost |= _made_white(before.blocks, after.blocks)
        if after.darkest > BLOCKS.white:
            lost |= _made_white(before.inverse, after.inverse)
    return lost


def _made_white(a: Grey, b: Grey) -> NDArray[np.bool_]:
    """The blocks that brightening has made white in `b`: every pixel of theirs was bright enough in `a`."""
    white = b > BLOCKS.white
    if np.count_nonzero(white) / white.size < BLOCKS.min_white:
        return np.zeros(a.shape[:2], np.bool_)
    mostly = np.count_nonzero(white, axis=-1) > white.shape[-1] / 2
    if not mostly.any():
        return np.asarray(mostly)
    return np.asarray(mostly & (a.min(axis=-1) >= _clipped_from(a, white)), np.bool_)


def _clipped_from(a: Grey, white: NDArray[np.bool_]) -> float:
    """The level of `a` above which most pixels have become white. A white thing pasted over it does not make most
    pixels of any level white."""
    levels = np.minimum(a[..., ::3] / LEVELS_PER_BIN, 255 // LEVELS_PER_BIN).astype(np.int64).ravel()
    every = np.bincount(levels, minlength=BINS)
    clipped = np.bincount(levels[white[..., ::3].ravel()], minlength=len(every))
    not_clipped = np.flatnonzero(clipped < every / 2)
    level = float((not_clipped.max() + 1 if len(not_clipped) else 0) * LEVELS_PER_BIN)
    return min(max(level, BLOCKS.min_clipped), BLOCKS.white)


def _detrended(seen: _Seen, cover: _Cover) -> Grey:
    """Blocks less the plane that fits each best: vignettes and shadows are not structure. Without weight they are 0."""
    detail = seen.level.copy()
    detail[cover.share == 0] = 0
    if len(cover.mask):
        partial = seen.blocks[cover.partly]
        right = np.einsum("nk,nk,ik->ni", cover.mask, partial, PLANE)[..., None]
        fitted = np.linalg.solve(cover.normal, right)[..., 0]
        detail[cover.partly] = (partial - fitted @ PLANE).astype(np.float32) * cover.mask
    return detail


def _steepness(a: _Seen, b: _Seen) -> Grey:
    """The steepest rise of the tone curve from `a` to `b` at the levels of each block of `a`, at least 1."""
    counts = np.bincount(a.bins, minlength=BINS)
    known = np.flatnonzero(counts >= BLOCKS.min_pixels_of_level)
    if len(known) < 2:
        return np.ones(a.blocks.shape[:2], np.float32)
    # Bin by bin, and in a bin from the darkest level of `b` on: the middle of each is a point of the curve.
    in_order = b.order[np.argsort(a.bins[b.order], kind="stable")]
    middle = np.cumsum(counts) - counts + counts // 2
    curve = b.sparse[in_order[np.minimum(middle[known], len(in_order) - 1)]]
    # Tone curves rise. One that leaps up and comes down again shows another thing on a wall of one tone.
    above, below = np.maximum.accumulate(curve), np.minimum.accumulate(curve[::-1])[::-1]
    rise = np.minimum(np.diff(above), np.diff(below)) / (np.diff(known) * LEVELS_PER_BIN)
    steep = np.ones(BINS)
    steep[known[0] : known[-1]] = np.maximum(1, np.repeat(rise, np.diff(known)))
    # At a known level two pieces meet: the steeper counts.
    steep[known[1:]] = np.maximum(steep[known[1:]], rise)
    return np.asarray(np.clip(steep[a.mean_bins], 1, BLOCKS.max_steepness), np.float32)


def _gain(spread_a: Grey, spread_b: Grey, flat: float) -> float:
    """The contrast of the second relative to the first, over all blocks."""
    textured = (spread_a > flat) & (spread_b > flat / 4)
    if textured.sum() < 4:
        return 1.0
    return min(max(median(spread_b[textured] / spread_a[textured]), 0.1), 10.0)


def in_blocks(picture: NDArray[Any], side: int) -> NDArray[Any]:
    """(height, width) -> (height // side, width // side, side * side), without pixels beyond the last whole blocks."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    whole = picture[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.swapaxes(1, 2).reshape(rows, columns, side * side)


def over_blocks(ufunc: np.ufunc, picture: NDArray[Any], side: int) -> NDArray[Any]:
    """A ufunc reduced over each block: (height, width) -> (height // side, width // side). Lines first, which needs no
    copy of the blocks."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    lines = ufunc.reduce(picture[: rows * side, : columns * side].reshape(rows, side, columns * side), axis=1)
    return np.asarray(ufunc.reduce(lines.reshape(rows, columns, side), axis=2))


def blocks_where(picture: NDArray[Any], side: int, where: NDArray[np.bool_]) -> NDArray[Any]:
    """The blocks of a picture for which `where`, bool (rows * columns,), holds: (n, side * side)."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    whole = picture[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.swapaxes(1, 2)[where.reshape(rows, columns)].reshape(-1, side * side)
