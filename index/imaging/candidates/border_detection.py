"""PURE: a grey picture -> the box inside its frame: what a border, a letterbox or a screenshot surrounds.

Where one picture was laid into another its sides are straight, long and meet in corners, and what is around it is
plain along each of them; doors, tables and horizons seldom have all of that. Lines are where most pixels differ from
those across; the box is that of two level and two upright lines whose sides are nearly all such pixels. A side of the
picture itself may serve as a side of the box, but no more than two: a horizon is no frame. Of 253 photographs of rooms
and clothes none has such a box, and 158 of 182 copies in borders, bars and screenshots have the right one. Where a dark
picture goes over into black bars no line is to be seen: there what is plain from the picture's sides inwards is taken
for the frame.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.candidates.fingerprint import Box

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]
Map = NDArray[np.float64]

# Smaller pictures, in pixels on the shorter side, have no room for a frame.
LEAST_PX: Final = 32
# Grey levels across a side; JPEG and noise make steps of half as much.
STEP: Final = 10
# Lines looked at each way, the two sides of the picture besides.
LINES: Final = 6
# Pixels between two lines that are not the same one.
APART: Final = 3
# Share of a line, of all its picture's side, below which no box is looked for.
LEAST_LINE: Final = 0.25
# Shares of the sides of the box that step: of the weakest and of all.
LEAST_SIDE: Final = 0.6
LEAST_SIDES: Final = 0.75
# What another side of its own is worth to a box: those of a border run on to the picture's sides.
EACH_SIDE: Final = 0.05
# Shares of the picture: of its area that the box has at least, of its width or height that the box lacks at least.
LEAST_AREA: Final = 0.12
LEAST_TRIMMED: Final = 0.03
# The best boxes are tried, until around one this share of the pixels along each side is within so many levels of one.
TRIED: Final = 12
PLAIN: Final = 8
LEAST_PLAIN: Final = 0.85
# How far outside a side, in pixels: past what scaling has blurred.
BESIDE_PX: Final = 2
# Share of a row or column within so many levels of one, for it to belong to a bar: JPEG rings at the bar's edge alone.
LEAST_OF_BAR: Final = 0.99


def inner_box(grey: Bytes) -> Box | None:
    """The box inside a frame, in whole pixels of luma, uint8 (height, width); None, as is usual, where there is no
    frame. 0.6 ms for a picture of 200 x 253."""
    if min(grey.shape) < LEAST_PX:
        return None
    return _within_lines(grey) or _within_bars(grey)


def laid_by_frame(first: Bytes, second: Bytes) -> Map | None:
    """How the first of two greys lies over the second, from pixels to pixels, (3, 3), if it is what the frame of the
    second surrounds, or the other way; None where neither has a frame. The wider frame counts."""
    one, other = _whole(first), _whole(second)
    in_first, in_second = inner_box(first) or one, inner_box(second) or other
    if in_first == one and in_second == other:
        return None
    if _area(in_first) / first.size < _area(in_second) / second.size:
        one = in_first
    else:
        other = in_second
    across, down = (other[2] - other[0]) / (one[2] - one[0]), (other[3] - other[1]) / (one[3] - one[1])
    # Boxes begin at the edge of a pixel, half a pixel before its centre.
    x, y = (other[k] - 0.5 - scale * (one[k] - 0.5) for k, scale in enumerate((across, down)))
    return np.array([[across, 0, x], [0, down, y], [0, 0, 1]])


def _whole(grey: Bytes) -> Box:
    return 0.0, 0.0, float(grey.shape[1]), float(grey.shape[0])


def _area(box: Box) -> float:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _within_bars(grey: Bytes) -> Box | None:
    """The box between plain bars along two sides of the picture at least, each of one shade."""
    height, width = grey.shape
    top, bottom = _bar(grey), height - _bar(grey[::-1])
    left, right = _bar(grey.T), width - _bar(grey[:, ::-1].T)
    if left >= right or top >= bottom:
        return None
    inside = (left > 0) + (top > 0) + (right < width) + (bottom < height)
    trimmed = max(1 - (right - left) / width, 1 - (bottom - top) / height)
    box = float(left), float(top), float(right), float(bottom)
    if inside < 2 or trimmed < LEAST_TRIMMED or _area(box) < LEAST_AREA * grey.size:
        return None
    return box


def _bar(rows: Bytes) -> int:
    """How many rows from the first on are of its shade."""
    shade = int(np.median(rows[0]))
    if np.mean(np.abs(rows[0].astype(np.int16) - shade) <= PLAIN) < LEAST_OF_BAR:
        return 0
    plain = (np.abs(rows.astype(np.int16) - shade) <= PLAIN).mean(axis=1) >= LEAST_OF_BAR
    return len(rows) if plain.all() else int(plain.argmin())


def _within_lines(grey: Bytes) -> Box | None:
    """The box between level and upright lines."""
    height, width = grey.shape
    level, upright = _steps(grey), _steps(np.ascontiguousarray(grey.T))
    rows, columns = _lines(level), _lines(upright)
    if len(rows) + len(columns) < 2:
        return None
    tops, bottoms = _pairs(rows, height)
    lefts, rights = _pairs(columns, width)
    # Boxes are rows of pairs of level lines and columns of pairs of upright ones.
    sides = np.stack([
        _share(level, tops, lefts, rights), _share(level, bottoms, lefts, rights),
        _share(upright, lefts, tops, bottoms).T, _share(upright, rights, tops, bottoms).T,
    ])  # fmt: skip
    inside = _inside(tops, bottoms, height)[:, None] + _inside(lefts, rights, width)[None, :]
    across, down = (rights - lefts)[None, :], (bottoms - tops)[:, None]
    trimmed = np.maximum(1 - across / width, 1 - down / height)
    # The sides that are the picture's own prove nothing.
    mean = (sides.sum(axis=0) - (4 - inside)) / np.maximum(inside, 1)
    likely = (inside >= 2) & (sides.min(axis=0) >= LEAST_SIDE) & (mean >= LEAST_SIDES)
    likely &= (across * down >= LEAST_AREA * height * width) & (trimmed >= LEAST_TRIMMED)
    score = np.where(likely, mean + EACH_SIDE * inside, 0.0)
    for place in np.argsort(-score, axis=None, kind="stable")[:TRIED]:
        row, column = np.unravel_index(place, score.shape)
        if not likely[row, column]:
            return None
        left, top, right, bottom = lefts[column], tops[row], rights[column], bottoms[row]
        if _is_plain_around(grey, int(left), int(top), int(right), int(bottom)):
            return float(left), float(top), float(right), float(bottom)
    return None


def _steps(grey: Bytes) -> Bytes:
    """Between each row and the next, which pixels step: 0 or 1, (height + 1, width); all do at the picture's sides.

    A side that scaling has spread over two pixels makes a step of two.
    """
    one, two = cv2.absdiff(grey[1:], grey[:-1]), cv2.absdiff(grey[2:], grey[:-2])
    largest = np.asarray(one, np.uint8)
    np.maximum(largest[:-1], two, out=largest[:-1])
    np.maximum(largest[1:], two, out=largest[1:])
    steps = np.ones((len(grey) + 1, grey.shape[1]), np.uint8)
    np.greater(largest, STEP, out=steps[1:-1], casting="unsafe")
    return steps


def _lines(steps: Bytes) -> Numbers:
    """The strongest lines inside the picture."""
    strength = steps.sum(axis=1, dtype=np.int64)
    strength[[0, -1]] = 0
    found: list[int] = []
    for _ in range(LINES):
        line = int(strength.argmax())
        if strength[line] < LEAST_LINE * steps.shape[1]:
            break
        found.append(line)
        strength[max(0, line - APART + 1) : line + APART] = 0
    return np.array(sorted(found), np.int64)


def _pairs(lines: Numbers, side: int) -> tuple[Numbers, Numbers]:
    all_lines = np.concatenate([[0], lines, [side]])
    one, other = np.triu_indices(len(all_lines), 1)
    return all_lines[one], all_lines[other]


def _inside(starts: Numbers, ends: Numbers, side: int) -> Numbers:
    """How many of the two lines are not the picture's own sides."""
    return (starts > 0).astype(np.int64) + (ends < side)


def _share(steps: Bytes, lines: Numbers, starts: Numbers, ends: Numbers) -> Shares:
    """The share of each line (n) that steps, from each start to its end (m): (n, m)."""
    unique, back = np.unique(lines, return_inverse=True)
    sums = np.zeros((len(unique), steps.shape[1] + 1), np.int64)
    np.cumsum(steps[unique], axis=1, out=sums[:, 1:])
    share: Shares = ((sums[:, ends] - sums[:, starts]) / (ends - starts))[back]
    return share


def _is_plain_around(grey: Bytes, left: int, top: int, right: int, bottom: int) -> bool:
    """Whether what is just outside each side, the picture's own apart, is of one shade along it."""
    height, width = grey.shape
    beside = []
    if top > 0:
        beside.append(grey[max(0, top - BESIDE_PX), left:right])
    if bottom < height:
        beside.append(grey[min(height, bottom + BESIDE_PX) - 1, left:right])
    if left > 0:
        beside.append(grey[top:bottom, max(0, left - BESIDE_PX)])
    if right < width:
        beside.append(grey[top:bottom, min(width, right + BESIDE_PX) - 1])
    return all(_plain_share(line) >= LEAST_PLAIN for line in beside)


def _plain_share(line: Bytes) -> float:
    """The share of some pixels within PLAIN levels of their median."""
    # As np.median finds it, at a fourth of the time.
    middle = len(line) // 2
    shade = int(np.partition(line, middle)[middle])
    return float(np.count_nonzero((line >= shade - PLAIN) & (line <= shade + PLAIN))) / len(line)
