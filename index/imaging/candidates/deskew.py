"""PURE: a grey picture that was tilted -> the picture levelled again, where the corners tell by how much.

A program that turns a picture by some degrees fills what comes free: four triangles of one shade, one in each corner.
Their legs alternate, the long ones along the sides that were level, the short ones along those that were upright, and
all four have the angle of the tilt. No other picture is likely to have that.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

# Smaller pictures, in pixels on the shorter side, have no corners to speak of.
LEAST_PX: Final = 32
# Grey levels within which pixels are of one shade: JPEG rings.
SHADE: Final = 10
# In pixels from the side: of an enlarged canvas the picture touches that in a single point.
BESIDE: Final = 2
# Legs in pixels: shorter ones say little of an angle.
LEAST_LEG: Final = 5
# Degrees: less does not keep a hash from seeing it, and by how much the corners may disagree.
LEAST_TILT: Final = 2.5
MOST_TILT: Final = 43.0
AGREEING: Final = 4.0
# In one of the four the picture itself may be of the same shade.
LEAST_CORNERS: Final = 3
# Triangles that take so much of the sides have the whole picture between them: the canvas was enlarged.
ENLARGED: Final = 0.8


def levelled(grey: Bytes) -> Bytes | None:
    """The picture as it was before it was tilted, uint8 (height, width), what was cut off in middle grey; None, as is
    usual, where no corners tell of a tilt."""
    if min(grey.shape) < LEAST_PX:
        return None
    legs, triangles = _legs(grey)
    if triangles.sum() < LEAST_CORNERS:
        return None
    # Of each corner clockwise from the top left, by how much a side that was level is tilted: against the clock the
    # first and third have their longer leg along it, with the clock the second and fourth.
    for clockwise in (False, True):
        turned = np.array([clockwise, not clockwise] * 2)
        long, short = np.where(turned, legs[:, 1], legs[:, 0]), np.where(turned, legs[:, 0], legs[:, 1])
        angles = np.degrees(np.arctan2(short, long))
        agree = triangles & (np.abs(angles - np.median(angles[triangles])) <= AGREEING)
        tilt = float(np.degrees(np.arctan2(short[agree].sum(), long[agree].sum())))
        if agree.sum() >= LEAST_CORNERS and LEAST_TILT <= tilt <= MOST_TILT:
            return _turned(grey, tilt, clockwise, legs, agree)
    return None


def _turned(grey: Bytes, tilt: float, clockwise: bool, legs: NDArray[np.float64], agree: NDArray[np.bool_]) -> Bytes:
    height, width = grey.shape
    size = (width, height)
    # Opposite corners have the same legs: either of two neighbours stands for its pair.
    one, other = (legs[[k, k + 2], 0][agree[[k, k + 2]]].mean() for k in (0, 1))
    if one + other > ENLARGED * width:
        size = _size_before(width, height, tilt)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), tilt if clockwise else -tilt, 1)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.asarray(cv2.warpAffine(grey, turn, size, flags=cv2.INTER_LINEAR, borderValue=128), np.uint8)


def _legs(grey: Bytes) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How far the shade of the corners goes on along the two sides of each, clockwise from the top left, (4, 2): level
    and upright; and which are triangles of it, (4,)."""
    corners = (grey, grey[:, ::-1], grey[::-1, ::-1], grey[::-1])
    shade = int(np.median([corner[0, 0] for corner in corners]))
    legs = np.array([[_run(corner[BESIDE], shade), _run(corner[:, BESIDE], shade)] for corner in corners], np.float64)
    thirds = (legs // 3).astype(np.int64)
    inner = [int(corner[upright, level]) for corner, (level, upright) in zip(corners, thirds, strict=True)]
    return legs, (np.abs(np.array(inner) - shade) <= SHADE) & (legs.min(axis=1) >= LEAST_LEG)


def _run(line: Bytes, shade: int) -> int:
    """How many pixels from the start of a line are of one shade."""
    other = np.abs(line.astype(np.int16) - shade) > SHADE
    return int(other.argmax()) if other.any() else len(line)


def _size_before(width: int, height: int, tilt: float) -> tuple[int, int]:
    """The size of a picture that, tilted, takes a canvas of this size."""
    cosine, sine = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    before = np.linalg.solve([[cosine, sine], [sine, cosine]], [width, height])
    return max(1, round(float(before[0]))), max(1, round(float(before[1])))
