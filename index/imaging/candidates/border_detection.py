"""PURE: finds the frame of a grey picture: a border, a letterbox or a screenshot around the actual content.

A picture pasted into another has long, straight sides that meet in corners, with plain surroundings along each side.
Doors, tables and horizons seldom have all of this. A line is where most pixels differ from those on its other side. The
box is between two horizontal and two vertical lines along which nearly all pixels differ. At most two of its sides may
be sides of the picture itself: a horizon is no frame. Of 253 photographs of rooms and fashion none has such a box, and
158 of 182 copies in borders, bars and screenshots have the right one. A dark picture between black bars has no visible
line. There, plain rows and columns at the sides of the picture are the frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.perceptual_hash import Box
from index.imaging.thresholds import threshold

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]
Map = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BorderLimits:
    """The limits for a border: straight sides, plain surroundings, and enough content inside."""

    min_px: int = threshold(32, "pixels", "A picture with a shorter side has no room for a border.")
    min_step: int = threshold(10, "levels", "Across a side; JPEG and noise make steps of half as much.")
    min_line: float = threshold(0.25, "share of the picture's side", "Shorter lines are no side of a box.")
    min_side: float = threshold(0.6, "share of a side", "Of the weakest side: its pixels that step.")
    min_sides: float = threshold(0.75, "share of the sides", "The same, of all sides together.")
    min_area: float = threshold(0.12, "share of the picture", "A smaller box is more likely a thing in the picture.")
    min_trimmed: float = threshold(
        0.03, "share of a side", "By which the box is shorter than the picture, in one direction."
    )
    plain: int = threshold(8, "levels", "From the median: pixels of one shade.")
    min_plain: float = threshold(0.85, "share of pixels", "Of one shade, just outside each side of the box.")
    min_of_bar: float = threshold(
        0.99, "share of a row", "Of one shade, for a row to belong to a bar. JPEG rings at its edge alone."
    )


BORDER: Final = BorderLimits()

# Lines examined in each direction, besides the two sides of the picture.
LINES: Final = 6
# Lines nearer than this, in pixels, are one line.
APART: Final = 3
# Added to the score of a box for each side that is not a side of the picture.
EACH_SIDE: Final = 0.05
# The boxes with the highest scores are tried until one has plain surroundings.
TRIED: Final = 12
# Distance of the samples outside a side, in pixels: beyond the pixels that scaling has blurred.
BESIDE_PX: Final = 2


# The pairs of this many lines, by position. They are cached, since making them takes longer than using them.
_PAIRS: Final = {count: np.triu_indices(count, 1) for count in range(2, LINES + 3)}


def content_box(grey: Bytes) -> Box | None:
    """The box inside a frame, in whole pixels of luma, uint8 (height, width). None if there is no frame, which is the
    usual case. Takes 0.6 ms for a picture of 200 x 253."""
    if min(grey.shape) < BORDER.min_px:
        return None
    return _within_lines(grey) or _within_bars(grey)


def transform_by_frame(first: Bytes, second: Bytes) -> Map | None:
    """The map from pixels of the first of two greys to those of the second, float64 (3, 3), if one is the content of
    the other's frame; None if neither has a frame. If both have, the wider frame counts."""
    box_first, box_second = _whole(first), _whole(second)
    in_first, in_second = content_box(first) or box_first, content_box(second) or box_second
    if in_first == box_first and in_second == box_second:
        return None
    if _area(in_first) / first.size < _area(in_second) / second.size:
        box_first = in_first
    else:
        box_second = in_second
    across, down = (
        (box_second[2] - box_second[0]) / (box_first[2] - box_first[0]),
        (box_second[3] - box_second[1]) / (box_first[3] - box_first[1]),
    )
    # Boxes begin at the edge of a pixel, half a pixel before its centre.
    x, y = (box_second[k] - 0.5 - scale * (box_first[k] - 0.5) for k, scale in enumerate((across, down)))
    return np.array([[across, 0, x], [0, down, y], [0, 0, 1]])


def _whole(grey: Bytes) -> Box:
    return 0.0, 0.0, float(grey.shape[1]), float(grey.shape[0])


def _area(box: Box) -> float:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _within_bars(grey: Bytes) -> Box | None:
    """The box between plain bars, each of one shade, along at least two sides of the picture."""
    height, width = grey.shape
    top, bottom = _bar(grey), height - _bar(grey[::-1])
    left, right = _bar(grey.T), width - _bar(grey[:, ::-1].T)
    if left >= right or top >= bottom:
        return None
    inside = (left > 0) + (top > 0) + (right < width) + (bottom < height)
    trimmed = max(1 - (right - left) / width, 1 - (bottom - top) / height)
    box = float(left), float(top), float(right), float(bottom)
    if inside < 2 or trimmed < BORDER.min_trimmed or _area(box) < BORDER.min_area * grey.size:
        return None
    return box


def _bar(rows: Bytes) -> int:
    """The number of rows, from the first one on, with the same shade."""
    if _plain_share(rows[0]) < BORDER.min_of_bar:
        return 0
    shade = int(np.median(rows[0]))
    plain = (np.abs(rows.astype(np.int16) - shade) <= BORDER.plain).mean(axis=1) >= BORDER.min_of_bar
    return len(rows) if plain.all() else int(plain.argmin())


def _within_lines(grey: Bytes) -> Box | None:
    """The box between horizontal and vertical lines."""
    height, width = grey.shape
    level, upright = _steps(grey), _steps(np.asarray(cv2.transpose(grey), np.uint8))
    rows, columns = _lines(level), _lines(upright)
    if len(rows) + len(columns) < 2:
        return None
    rows, columns = [0, *rows, height], [0, *columns, width]
    (top, bottom), (left, right) = _PAIRS[len(rows)], _PAIRS[len(columns)]
    # Boxes: a row for each pair of horizontal lines, a column for each pair of vertical ones.
    tall, wide = np.subtract(*np.take(rows, (bottom, top))), np.subtract(*np.take(columns, (right, left)))
    along, beside = _share(level, rows, columns, wide), _share(upright, columns, rows, tall).T
    sides = along[top], along[bottom], beside[:, left], beside[:, right]
    weakest = np.minimum(np.minimum(sides[0], sides[1]), np.minimum(sides[2], sides[3]))
    if weakest.max() < BORDER.min_side:
        return None
    inside = _inside(len(rows), len(columns))
    # The sides of the picture itself are no evidence.
    mean = (sides[0] + sides[1] + sides[2] + sides[3] - inside.missing) / inside.at_least_one
    likely = inside.enough & (weakest >= BORDER.min_side) & (mean >= BORDER.min_sides)
    if not likely.any():
        return None
    across, down = wide[None, :], tall[:, None]
    trimmed = np.maximum(1 - across / width, 1 - down / height)
    likely &= (across * down >= BORDER.min_area * height * width) & (trimmed >= BORDER.min_trimmed)
    places = np.flatnonzero(likely)
    score = (mean + inside.score).ravel()[places]
    plain = _PlainLines(grey)
    for place in places[np.argsort(-score, kind="stable")[:TRIED]].tolist():
        row, column = divmod(place, likely.shape[1])
        start, end = (columns[left[column]], rows[top[row]]), (columns[right[column]], rows[bottom[row]])
        if plain.are_around(*start, *end):
            return float(start[0]), float(start[1]), float(end[0]), float(end[1])
    return None


def _steps(grey: Bytes) -> Bytes:
    """Whether each pixel differs from the one in the row before: 0 or 1, uint8 (height + 1, width). It always does at
    the sides of the picture.

    To find a side that scaling has spread over two pixels, rows two apart are compared.
    """
    to_next, to_second_next = cv2.absdiff(grey[1:], grey[:-1]), cv2.absdiff(grey[2:], grey[:-2])
    largest = np.asarray(to_next, np.uint8)
    np.maximum(largest[:-1], to_second_next, out=largest[:-1])
    np.maximum(largest[1:], to_second_next, out=largest[1:])
    steps = np.ones((len(grey) + 1, grey.shape[1]), np.uint8)
    np.greater(largest, BORDER.min_step, out=steps[1:-1], casting="unsafe")
    return steps


def _lines(steps: Bytes) -> list[int]:
    """The strongest lines inside the picture, ascending."""
    strength = np.asarray(cv2.reduce(steps, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S), np.int32)[:, 0]
    strength[[0, -1]] = 0
    strongest: list[int] = []
    for _ in range(LINES):
        line = int(strength.argmax())
        if strength[line] < BORDER.min_line * steps.shape[1]:
            break
        strongest.append(line)
        strength[max(0, line - APART + 1) : line + APART] = 0
    return sorted(strongest)


@dataclass(frozen=True, slots=True)
class _Inside:
    """What follows from how many sides of each box are not sides of the picture, arrays of a row for each pair of
    horizontal lines and a column for each pair of vertical ones: whether they are enough, how many are missing, how
    many there are but at least one, and what they add to the score."""

    enough: NDArray[np.bool_]
    missing: Numbers
    at_least_one: Numbers
    score: Shares


@cache
def _inside(rows: int, columns: int) -> _Inside:
    """For so many lines in each direction, of which the first and the last are sides of the picture."""
    level, upright = ((first > 0).astype(np.int64) + (second < count - 1) for count in (rows, columns)
                      for first, second in (_PAIRS[count],))  # fmt: skip
    inside = level[:, None] + upright[None, :]
    return _Inside(inside >= 2, 4 - inside, np.maximum(inside, 1), np.float64(EACH_SIDE) * inside)


def _share(steps: Bytes, lines: Sequence[int], places: Sequence[int], lengths: Numbers) -> Shares:
    """The share of each line (n) that differs, between each pair of places along it, with this length: (n, m)."""
    first, second = _PAIRS[len(places)]
    sums = np.zeros((len(lines), len(places)), np.int64)
    between = np.add.reduceat(steps[lines], places[:-1], axis=1, dtype=np.int64)
    np.cumsum(between, axis=1, out=sums[:, 1:])
    share: Shares = (sums[:, second] - sums[:, first]) / lengths
    return share


class _PlainLines:
    """Whether the pixels just outside the sides of boxes have one shade. Boxes share many of their sides."""

    def __init__(self, grey: Bytes) -> None:
        self._grey = grey
        self._known: dict[tuple[bool, int, int, int], bool] = {}

    def are_around(self, left: int, top: int, right: int, bottom: int) -> bool:
        """Whether they have outside each side of a box; sides of the picture do not count."""
        height, width = self._grey.shape
        return (
            (top <= 0 or self._is_plain(True, max(0, top - BESIDE_PX), left, right))
            and (bottom >= height or self._is_plain(True, min(height, bottom + BESIDE_PX) - 1, left, right))
            and (left <= 0 or self._is_plain(False, max(0, left - BESIDE_PX), top, bottom))
            and (right >= width or self._is_plain(False, min(width, right + BESIDE_PX) - 1, top, bottom))
        )

    def _is_plain(self, is_row: bool, line: int, start: int, end: int) -> bool:
        key = is_row, line, start, end
        known = self._known.get(key)
        if known is None:
            pixels = self._grey[line, start:end] if is_row else self._grey[start:end, line]
            known = self._known[key] = _plain_share(pixels) >= BORDER.min_plain
        return known


def _plain_share(line: Bytes) -> float:
    """The share of some pixels within BORDER.plain levels of their median."""
    ordered = line.copy()
    middle = len(ordered) // 2
    # As np.median does, in a quarter of the time.
    ordered.partition(middle)
    shade = int(ordered[middle])
    lowest, highest = max(0, shade - BORDER.plain), min(255, shade + BORDER.plain)
    # Unsigned, what is lower is higher than all others.
    ordered -= np.uint8(lowest)
    return int(np.count_nonzero(ordered <= highest - lowest)) / len(ordered)
