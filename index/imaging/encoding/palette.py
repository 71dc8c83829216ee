"""EDGE: a picture in few colours: which colours, and which of them each pixel gets.

A palette by median cut (P. Heckbert, "Color image quantization for frame buffer display", 1982), each box cut where the
error shrinks most (X. Wu, 1991), then moved by k-means. Distances are those of colours premultiplied by their opacity,
on a scale on which equal steps look about equal; green weighs most. Two palettes are tried, one for flat areas with
soft edges and one for letters, and the one with the better score is taken. If the nearest colours would be visible as
bands they are dithered, provided that this scores better: in textures it adds noise that is worse than what it hides.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from index.imaging.encoding import ssimulacra2

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

# From sRGB's levels to a scale on which a dark step counts less than a light one. The weights of red, green, blue and
# opacity, and the exponents of how often a colour occurs: rare ones are often those of letters and lines, but in a wide
# soft shadow they take its colours.
EXPONENT: Final = 1.2
WEIGHTS: Final = np.array([0.5, 1.0, 0.45, 0.625], np.float32)
POPULARITIES: Final = (0.75, 1.0)
# If there are more colours than these, they are first merged by their highest bits.
MOST_COLOURS: Final = 60_000
# The squared error of a box, relative to that of all pixels, below which it is not cut: further colours would then cost
# more bytes than they add to the score.
LEAST_ERROR: Final = 5e-7
MOVES: Final = 6
# The average error of a band, in levels of 255 over this many pixels.
BAND: Final = 2.5
BAND_SIDE: Final = 5
# Colours whose distances to a palette are computed at once.
AT_ONCE: Final = 20_000


def reduced(pixels: Image.Image, most: int) -> Image.Image:
    """A picture (L, RGB or RGBA) in at most so many colours, 1 to 256, as a palette; exact if it has no more."""
    rgba = np.array(pixels.convert("RGBA"))
    rgba[rgba[:, :, 3] == 0] = 0
    packed = rgba.view(np.uint32)[:, :, 0]
    found, counts = np.unique(packed, return_counts=True)
    if len(found) <= most:
        colours, indices = _unpacked(found), np.searchsorted(found, packed).astype(np.uint8)
    else:
        colours, indices = _best(rgba, found, counts, most)
    return _picture(colours, indices)


def _best(rgba: Bytes, found: NDArray[np.uint32], counts: NDArray[np.int64], most: int) -> tuple[Bytes, Bytes]:
    """The colours, and the place of each pixel's among them, that score best."""
    packed = rgba.view(np.uint32)[:, :, 0]
    is_opaque = rgba[:, :, 3].min() == 255
    bands = slice(0, 3 if is_opaque else 4)

    def score(colours: Bytes, indices: Bytes) -> float:
        return ssimulacra2.score(np.ascontiguousarray(rgba[:, :, bands]), colours[indices][:, :, bands].copy())

    best: tuple[float, Bytes, Bytes] | None = None
    for popularity in POPULARITIES:
        colours = _palette(found, counts, most, popularity)
        nearest = _nearest(_on_scale(_unpacked(found)), _on_scale(colours)).astype(np.uint8)
        indices = np.stack([nearest[np.searchsorted(found, row)] for row in packed])
        scored = score(colours, indices)
        if best is None or scored > best[0]:
            best = scored, colours, indices
    assert best is not None
    scored, colours, indices = best
    dithered = _dithered(rgba[:, :, :3], colours[:, :3], indices) if is_opaque else indices
    is_better = dithered is not indices and score(colours, dithered) > scored
    return colours, dithered if is_better else indices


def _picture(colours: Bytes, indices: Bytes) -> Image.Image:
    # The most frequent first, which packs best; so the bytes of transparency are few, too.
    order = np.lexsort((-np.bincount(indices.ravel(), minlength=len(colours)), colours[:, 3] == 255))
    places = np.empty(len(order), np.uint8)
    places[order] = np.arange(len(order))
    picture = Image.fromarray(places[indices])
    picture.putpalette(colours[order, :3].tobytes())
    if colours[:, 3].min() < 255:
        picture.info["transparency"] = colours[order, 3].tobytes()
    return picture


def _unpacked(colours: NDArray[np.uint32]) -> Bytes:
    return np.ascontiguousarray(colours).view(np.uint8).reshape(-1, 4)


def _on_scale(colours: NDArray[Any]) -> Floats:
    """Colours of shape (n, 4), red to opacity in levels, where their distances are what an eye sees."""
    shares = (colours / np.float32(255)).astype(np.float32)
    scaled = shares**EXPONENT
    scaled[:, :3] *= shares[:, 3:]
    scaled[:, 3] = shares[:, 3]
    return np.asarray(scaled * WEIGHTS)


def _palette(found: NDArray[np.uint32], counts: NDArray[np.int64], most: int, popularity: float) -> Bytes:
    """At most this many colours for those found, of shape (n, 4), each weighted by its count to the power of
    `popularity`."""
    colours, counts = _taken_together(found, counts)
    points, weights = _on_scale(colours), counts**popularity
    boxes = _boxes(points, weights, most)
    centres = np.stack([np.average(points[box], 0, weights[box]) for box in boxes]).astype(np.float32)
    for _ in range(MOVES):
        nearest = _nearest(points, centres)
        sums, of_each = _sums(points, weights, nearest, len(centres))
        used = of_each > 0
        centres[used] = sums[used] / of_each[used, None]
    nearest = _nearest(points, centres)
    sums, of_each = _sums(colours, weights, nearest, len(centres))
    used = of_each > 0
    means = np.rint(sums[used] / of_each[used, None]).clip(0, 255).astype(np.uint8)
    return _unpacked(np.unique(means.view(np.uint32)[:, 0]))


def _taken_together(found: NDArray[np.uint32], counts: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Means of colours with equal highest bits, as many bits as leave MOST_COLOURS, and how often they occur."""
    colours, group = _unpacked(found), np.arange(len(found))
    groups = len(found)
    for bits in (7, 6, 5, 4):
        if groups <= MOST_COLOURS:
            break
        coarse = (colours & (0xFF << (8 - bits) & 0xFF)).view(np.uint32)[:, 0]
        kept, group = np.unique(coarse, return_inverse=True)
        groups = len(kept)
    sums, of_each = _sums(colours, counts, group, groups)
    return sums / of_each[:, None], of_each


def _boxes(points: Floats, weights: NDArray[Any], most: int) -> list[NDArray[Any]]:
    """The indices of the colours, in at most this many boxes."""
    boxes = [np.arange(len(points))]
    errors = [_errors(points, weights)]
    least = LEAST_ERROR * weights.sum()
    while len(boxes) < most:
        worst = int(np.argmax([error.sum() for error in errors]))
        if errors[worst].sum() <= least:
            break
        box, axis = boxes[worst], int(errors[worst].argmax())
        box = box[np.argsort(points[box, axis], kind="stable")]
        along, weight = points[box, axis].astype(np.float64), weights[box]
        before, sums = np.cumsum(weight)[:-1], np.cumsum(weight * along)[:-1]
        rest = (weight * along).sum() - sums
        cut = int((sums**2 / before + rest**2 / (weight.sum() - before)).argmax()) + 1
        boxes[worst : worst + 1] = [box[:cut], box[cut:]]
        errors[worst : worst + 1] = [_errors(points[half], weights[half]) for half in (box[:cut], box[cut:])]
    return boxes


def _errors(points: Floats, weights: NDArray[Any]) -> NDArray[Any]:
    """The squared error of colours relative to their mean, along each axis."""
    mean = np.average(points, 0, weights)
    return np.asarray(((points - mean) ** 2 * weights[:, None]).sum(0))


def _sums(values: NDArray[Any], weights: NDArray[Any], group: NDArray[Any], groups: int) -> tuple[Any, Any]:
    """The weighted sums of values of shape (n, 4) in each group, and the sums of the weights."""
    sums = [np.bincount(group, weights * values[:, axis], groups) for axis in range(4)]
    return np.stack(sums, 1), np.bincount(group, weights, groups)


def _nearest(points: Floats, centres: Floats) -> NDArray[np.intp]:
    """For each point the nearest centre."""
    places = np.empty(len(points), np.intp)
    lengths = (centres**2).sum(1)
    for start in range(0, len(points), AT_ONCE):
        part = points[start : start + AT_ONCE]
        places[start : start + AT_ONCE] = (lengths - 2 * part @ centres.T).argmin(1)
    return places


def _dithered(rgb: Bytes, colours: Bytes, nearest: Bytes) -> Bytes:
    """Floyd-Steinberg dithering where the nearest colours are wrong on average, as in bands."""
    off = rgb.astype(np.float32) - colours[nearest]
    is_band = np.abs(cv2.blur(off, (BAND_SIDE, BAND_SIDE))).max(2) > BAND
    if not is_band.any():
        return nearest
    palette = Image.new("P", (1, 1))
    # All 256, since Pillow would add colours otherwise.
    palette.putpalette(np.pad(colours, ((0, 256 - len(colours)), (0, 0)), mode="edge").tobytes())
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    dithered = np.asarray(picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    return np.where(is_band, np.minimum(dithered, len(colours) - 1), nearest).astype(np.uint8)
