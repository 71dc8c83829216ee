"""PURE: the decoded pixels of one picture -> numbers by which it can be compared with another without its pixels.

The spectrum shows whether a picture has detail of its own at each scale: one that was enlarged has none beyond the
resolution of what it was made from, and has lost its noise. The spectrum of the colours shows whether they were stored
at a lower resolution before, and the levels of luminance whether they were stored in the range of video; empty corners
show that the picture was straightened.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.originality.limited_range import limited_range

Bytes = NDArray[np.uint8]

TILE_PX: Final = 64
# So many tiles on a side at most, spread over the picture.
MOST_TILES: Final = 8
# Bands of the spectrum up to Nyquist's frequency: half a cycle a pixel.
BANDS: Final = 32
# The power of rounding to whole numbers: a lower one is none.
LEAST_POWER: Final = 1e-3
# Pixels that differ by no more are of one fill, JPEG's ringing included.
FILL_LEVELS: Final = 14
# The least legs of an empty corner: of the shorter in pixels, of the longer as a share of the side.
LEAST_LEG_PX: Final = 2
LEAST_LEG_SHARE: Final = 0.08
# At a reduced size, since a leg is a share of the side.
CORNER_PX: Final = 512
HISTOGRAM_REACH: Final = 5
# Parts of the spectrum of the second differences, up to half a cycle a pixel.
PERIODS: Final = 64
# Larger differences are edges, and would outweigh everything.
MOST_DIFFERENCE: Final = 40.0
# The side of the middle in which periods are looked for.
MOST_PX: Final = 1024


@dataclass(frozen=True, slots=True)
class PixelTraces:
    """`busy` and `quiet` are the common logarithms of the power in each of BANDS, of the third of the tiles with most
    and of that with least detail; `chroma` the same of the colours, () for a grey picture. `wedges` is the number of
    empty corners, `uneven` how far the histogram jumps between neighbouring levels, `clipped` the share of black and
    white, `colour` the mean distance from grey in levels, `limited` what `limited_range` found."""

    busy: tuple[float, ...] = ()
    quiet: tuple[float, ...] = ()
    chroma: tuple[float, ...] = ()
    periods: tuple[int, ...] = ()
    wedges: int = 0
    uneven: float = 0.0
    clipped: float = 0.0
    colour: float = 0.0
    limited: float = 0.0


def pixel_traces(luminance: Bytes, blue: Bytes, red: Bytes) -> PixelTraces:
    """The traces in a picture, by its luminance and its two colour differences, each (height, width) uint8."""
    spectra, detail = _spectra(luminance)
    # The mean distance from grey, as the middle of the range of the differences is 128.
    colour = float(sum(cv2.norm(plane, np.full_like(plane, 128), cv2.NORM_L1) / plane.size for plane in (blue, red)))
    order = np.argsort(detail, kind="stable")
    third = max(1, len(order) // 3)
    chroma: tuple[float, ...] = ()
    if colour >= 1 and len(order):
        of_colours = [_spectra(plane) for plane in (blue, red)]
        most = [power[np.argsort(rank, kind="stable")[-third:]].mean(axis=0) for power, rank in of_colours]
        chroma = _logarithms(sum(most) / 2)
    histogram = _counts(np.ascontiguousarray(luminance[::2, ::2]))
    return PixelTraces(
        busy=_logarithms(spectra[order[-third:]].mean(axis=0)) if len(order) else (),
        quiet=_logarithms(spectra[order[:third]].mean(axis=0)) if len(order) else (),
        chroma=chroma,
        periods=_periods(luminance),
        wedges=_wedges(luminance),
        uneven=_uneven(histogram),
        clipped=round(float((histogram[0] + histogram[255]) / max(1.0, histogram.sum())), 4),
        colour=round(colour, 2),
        limited=limited_range(_counts(luminance)),
    )


def _counts(plane: Bytes) -> NDArray[np.float64]:
    """How often each level occurs, (256,); in a fifth of the time of numpy's."""
    return np.asarray(cv2.calcHist([plane], [0], None, [256], [0, 256]), np.float64).ravel()


def _logarithms(power: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 2) for value in np.log10(np.maximum(power, LEAST_POWER)))


def _spectra(plane: Bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The power in each band of each tile, (tiles, BANDS), and how much detail each tile has. Tiles that are clipped
    say nothing and are left out."""
    height, width = plane.shape
    if min(height, width) < TILE_PX:
        return np.zeros((0, BANDS)), np.zeros(0)
    tops, lefts = (
        np.unique(np.linspace(0, side - TILE_PX, min(MOST_TILES, side // TILE_PX)).astype(int))
        for side in (height, width)
    )
    tiles = np.stack([plane[y : y + TILE_PX, x : x + TILE_PX] for y in tops for x in lefts]).astype(np.float32)
    clipped = ((tiles < 2) | (tiles > 253)).mean(axis=(1, 2))
    tiles = tiles[clipped < 0.2]
    if not len(tiles):
        return np.zeros((0, BANDS)), np.zeros(0)
    window, bands, counts = _window()
    tiles = (tiles - tiles.mean(axis=(1, 2), keepdims=True)) * window
    power = np.abs(np.fft.rfft2(tiles)) ** 2 / float((window**2).sum())
    flat = power.reshape(len(tiles), -1)
    spectra = np.stack([np.bincount(bands, row, BANDS + 1)[:BANDS] for row in flat]) / counts
    return spectra, spectra[:, 3:].sum(axis=1)


@lru_cache(maxsize=1)
def _window() -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.float64]]:
    """Hann's window over a tile, the band of each frequency by the larger of its two parts, since enlarging empties
    either direction alone, and how many are in each band."""
    edge = np.hanning(TILE_PX + 1)[:-1]
    down, across = np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None, :]
    bands = np.minimum(BANDS, (np.maximum(np.abs(down), across) * 2 * BANDS).astype(np.intp)).ravel()
    counts = np.maximum(1, np.bincount(bands, minlength=BANDS + 1)[:BANDS]).astype(np.float64)
    return np.outer(edge, edge).astype(np.float32), bands, counts


def _uneven(histogram: NDArray[np.float64]) -> float:
    """The mean jump from each level to the mean of those around it, relative to that mean: gaps and peaks are left by
    stretching the tones of 8 bits."""
    around = np.convolve(histogram, np.ones(HISTOGRAM_REACH) / HISTOGRAM_REACH, "same")
    inner = slice(8, 248)
    return round(float(np.abs(histogram - around)[inner].sum() / max(1.0, around[inner].sum())), 4)


def _wedges(luminance: Bytes) -> int:
    """How many corners are empty as those of a picture that was turned by a few degrees within its frame."""
    factor = max(1, max(luminance.shape) // CORNER_PX)
    small = luminance[::factor, ::factor].astype(np.int16)
    return sum(_is_wedge(corner) for corner in (small, small[:, ::-1], small[::-1], small[::-1, ::-1]))


def _is_wedge(corner: NDArray[np.int16]) -> bool:
    """Whether the corner at the top left is a triangle of one fill."""
    fill = np.abs(corner - corner[0, 0]) <= FILL_LEVELS
    across = int(np.argmin(fill[0])) or (fill.shape[1] if fill[0].all() else 0)
    down = int(np.argmin(fill[:, 0])) or (fill.shape[0] if fill[:, 0].all() else 0)
    longer = max(across / fill.shape[1], down / fill.shape[0])
    if min(across, down) < LEAST_LEG_PX or longer < LEAST_LEG_SHARE or longer > 0.95:
        return False
    # Its third side is straight: half way along the longer leg it is half as deep.
    along, depth = (fill, across) if across > down else (fill.T, down)
    deep = min(across, down)
    runs = [int(np.argmin(along[:, place])) for place in (depth // 4, depth // 2, depth * 3 // 4)]
    wanted = [deep * (1 - share) for share in (0.25, 0.5, 0.75)]
    return all(abs(run - want) <= max(2.0, 0.2 * deep) for run, want in zip(runs, wanted, strict=True))


def _periods(plane: Bytes) -> tuple[int, ...]:
    """How strongly the second differences rise and fall with each period, (PERIODS,) in tenths of the median: pixels
    that were interpolated are smoother where no pixel lay before (Gallagher, Detection of Linear and Cubic
    Interpolation in JPEG Compressed Images, 2005)."""
    middle = _middle(plane).astype(np.float32)
    found = np.zeros(PERIODS)
    for values in (middle, middle.T):
        second = np.abs(2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:])
        mean = np.minimum(second, MOST_DIFFERENCE).mean(axis=0)
        if mean.size < 2 * PERIODS + 2:
            continue
        power = np.abs(np.fft.rfft((mean - mean.mean()) * np.hanning(mean.size)))[1:]
        edges = np.linspace(0, power.size, PERIODS + 1).astype(int)
        level = max(1e-6, float(np.median(power)))
        found = np.maximum(found, [power[start:end].max() / level for start, end in pairwise(edges)])
    return tuple(int(min(255, round(10 * value))) for value in found)


def _middle(plane: Bytes) -> Bytes:
    top, left = (max(0, side - MOST_PX) // 2 for side in plane.shape)
    return plane[top : top + MOST_PX, left : left + MOST_PX]
