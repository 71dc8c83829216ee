"""PURE: where a picture has strong edges -> whether something was put over it: a stamp, a caption, a sticker.

What is put over a photograph has hard edges, within one pixel, where the photograph has none, in a small place.
Sharpening strengthens edges that are there, all over the picture. A face or a number plate that was blurred leaves a
smooth place amid texture, and its edges were softer.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.turning import turned
from index.model import Turn

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Shares = NDArray[np.float32]

# Cells on each side of the map, and the difference of neighbouring pixels in levels from which an edge counts.
CELLS: Final = 32
WEAK_EDGE: Final = 32
STRONG_EDGE: Final = 80
STEP: Final = 2
# Of larger pictures, every second pixel is looked at.
SAMPLED_PX: Final = 3200


@dataclass(frozen=True, slots=True)
class OverlayLimits:
    """When edges that one picture alone has are something that was put over it."""

    most_before: float = threshold(0.4, "share of the new edges", "Sharpened edges were weak ones before.")
    max_area: float = threshold(0.15, "share of the cells", "More is another picture, or sharpening.")
    max_elsewhere: float = threshold(0.25, "share of the new cells", "New edges beside the place, and lost ones.")
    # A sticker, or large letters.
    min_strong: float = threshold(0.03, "share of a cell", "Outlines have 0.05 to 0.3; noise next to none.")
    min_cells: int = threshold(4, "cells", "A smaller place may be a reflection that was retouched.")
    min_dense: float = threshold(0.4, "share of cells in its box", "Scattered edges are texture.")
    min_hard: float = threshold(0.66, "strong of weak edges", "Outlines are hard; faces are not.")
    max_around: float = threshold(0.25, "share of weak edges", "A smooth place amid texture was hidden.")
    # A line of text.
    min_weak: float = threshold(0.12, "share of a cell", "Small letters have 0.2 to 0.5.")
    min_letters: int = threshold(5, "cells", "A number plate is shorter.")
    min_long: float = threshold(2.5, "length by height", "Faces are as high as wide.")
    min_line: float = threshold(0.6, "share of cells in its box", "A line is unbroken.")
    min_contrast: float = threshold(3.0, "ratio to what is around it", "Text stands out from what it is written on.")


OVERLAY: Final = OverlayLimits()


def edge_maps(luminance: Bytes, blue: Bytes, red: Bytes) -> tuple[Bytes, Bytes]:
    """How many of the pixels of each cell have a weak edge, and a strong one, towards the right or below: two maps,
    (CELLS, CELLS) uint8, in 255ths. The planes are luminance and the differences to blue and red, (height, width)
    uint8. Edges are looked for in red, green and blue: what is orange on grey has its edge in blue alone. Pixels two
    apart are compared, as colours are stored at half the resolution."""
    if min(luminance.shape) <= STEP:
        return np.zeros((CELLS, CELLS), np.uint8), np.zeros((CELLS, CELLS), np.uint8)
    # Red before blue is the order that the conversion takes.
    planes, step = (luminance, red, blue), STEP
    if max(luminance.shape) >= SAMPLED_PX:
        planes, step = (luminance[::STEP, ::STEP], red[::STEP, ::STEP], blue[::STEP, ::STEP]), 1
    picture = cv2.cvtColor(cv2.merge(planes), cv2.COLOR_YCrCb2RGB)
    corner = picture[:-step, :-step]
    steepest = cv2.max(cv2.absdiff(picture[:-step, step:], corner), cv2.absdiff(picture[step:, :-step], corner))
    of_red, of_green, of_blue = cv2.split(steepest)
    steepness: Bytes = np.maximum(np.maximum(of_red, of_green), of_blue).astype(np.uint8, copy=False)
    return _in_cells(steepness, WEAK_EDGE), _in_cells(steepness, STRONG_EDGE)


def _in_cells(steepness: Bytes, least: int) -> Bytes:
    edges = cv2.threshold(steepness, least - 1, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.resize(edges, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.uint8)


def is_overlaid(without: tuple[Bytes, Bytes], having: tuple[Bytes, Bytes], turn: Turn) -> bool:
    """Whether something was put over the second picture that the first does not have.

    Both are the `edge_maps` of pictures of one extent; `turn`, applied to the first, gives the second.
    """
    weak, strong = (turned(edges, turn) for edges in without)
    before, after = _Edges(_shares(weak), _shares(strong)), _Edges(*map(_shares, having))
    return _is_sticker(before, after) or _is_text(before, after)


def _shares(edges: Bytes) -> Shares:
    return np.asarray(edges, np.float32) / np.float32(255)


class _Edges(NamedTuple):
    weak: Shares
    strong: Shares


def _is_sticker(before: _Edges, after: _Edges) -> bool:
    place = _place(after.strong, before.weak, before.strong, after.weak, OVERLAY.min_strong)
    return (
        int(place.sum()) >= OVERLAY.min_cells
        and _density(place) >= OVERLAY.min_dense
        and float(after.strong[place].sum() / after.weak[place].sum()) >= OVERLAY.min_hard
        and _around(before.weak, place) <= OVERLAY.max_around
    )


def _is_text(before: _Edges, after: _Edges) -> bool:
    place = _place(after.weak, before.weak, before.weak, after.weak, OVERLAY.min_weak)
    if int(place.sum()) < OVERLAY.min_letters:
        return False
    height, length = sorted(_box(place))
    return (
        length >= OVERLAY.min_long * height
        and _density(place) >= OVERLAY.min_line
        and float(after.weak[place].mean()) >= OVERLAY.min_contrast * _around(after.weak, place)
    )


def _place(new: Shares, before: Shares, lost: Shares, left: Shares, least: float) -> Mask:
    """The cells of the largest place with `new` edges where there were few before; none where such cells are all over
    the picture, or where about as many lost theirs (`lost` before, `left` after)."""
    added = (new >= least) & (before <= OVERLAY.most_before * new)
    removed = (lost >= least) & (left <= OVERLAY.most_before * lost)
    if not added.any() or added.mean() > OVERLAY.max_area:
        return np.zeros_like(added)
    place = added & _largest_place(added)
    elsewhere = int((added & ~place).sum() + removed.sum())
    return place if elsewhere <= OVERLAY.max_elsewhere * place.sum() else np.zeros_like(added)


def _largest_place(cells: Mask) -> Mask:
    """The largest set of cells that touch, or have one cell between them, as words have."""
    near = cv2.dilate(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(near, connectivity=8)
    counts = np.bincount(labels[cells], minlength=2)
    counts[0] = 0
    return np.asarray(labels == int(np.argmax(counts)))


def _around(weak: Shares, place: Mask) -> float:
    """The mean share of weak edges in the two cells around a place, its gaps filled."""
    whole = cv2.morphologyEx(place.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    around = cv2.dilate(whole, np.ones((5, 5), np.uint8)) > whole
    return float(weak[around].mean()) if around.any() else 0.0


def _density(cells: Mask) -> float:
    height, width = _box(cells)
    return float(cells.sum() / (height * width))


def _box(cells: Mask) -> tuple[int, int]:
    """The height and the width of the box around some cells."""
    rows, columns = np.nonzero(cells)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
