"""PURE: deskews a grey picture if its corners show that it was tilted, and by how much.

A program that rotates a picture by some degrees fills the corners with four triangles of one shade. Their longer legs
are along the sides that were horizontal, their shorter ones along those that were vertical, and all four have the angle
of the tilt. A picture that was not tilted is unlikely to have such corners.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DeskewLimits:
    """The limits for corners that prove a tilt."""

    min_px: int = threshold(32, "pixels", "A picture with a shorter side has no corners to speak of.")
    shade: int = threshold(10, "levels", "Pixels so near are of one shade: JPEG rings.")
    min_leg: int = threshold(5, "pixels", "Shorter legs of a triangle say little of its angle.")
    min_tilt: float = threshold(2.5, "degrees", "Less does not keep the hash of the whole from matching.")
    max_tilt: float = threshold(43.0, "degrees", "Near 45 the legs do not show which way the picture was tilted.")
    agreeing: float = threshold(4.0, "degrees", "By which the angles of the corners may differ.")
    min_corners: int = threshold(3, "corners", "In one of four the picture itself may be of the same shade.")
    enlarged: float = threshold(
        0.8, "share of a side", "Triangles that take more have the whole picture between them: the canvas was enlarged."
    )


DESKEW: Final = DeskewLimits()

# Pixels of a line that are examined one by one, before the whole line is.
AT_FIRST: Final = 4
# Pixels from the side at which legs are measured: a picture on an enlarged canvas touches the side in a single point.
BESIDE: Final = 2


def deskew(grey: Bytes) -> Bytes | None:
    """The picture before it was tilted, from luma, uint8 (height, width); what was cut off is middle grey. None if the
    corners show no tilt, which is the usual case."""
    if min(grey.shape) < DESKEW.min_px:
        return None
    legs, triangles = _legs(grey)
    if np.count_nonzero(triangles) < DESKEW.min_corners:
        return None
    # Corners are clockwise from the top left. After a counterclockwise tilt the first and third corner have
    # their longer leg along the side that was horizontal, after a clockwise one the second and fourth.
    for clockwise in (False, True):
        turned = np.array([clockwise, not clockwise] * 2)
        long, short = np.where(turned, legs[:, 1], legs[:, 0]), np.where(turned, legs[:, 0], legs[:, 1])
        angles = np.degrees(np.arctan2(short, long))
        agree = triangles & (np.abs(angles - np.median(angles[triangles])) <= DESKEW.agreeing)
        tilt = float(np.degrees(np.arctan2(short[agree].sum(), long[agree].sum())))
        if agree.sum() >= DESKEW.min_corners and DESKEW.min_tilt <= tilt <= DESKEW.max_tilt:
            return _turned(grey, tilt, clockwise, legs, agree)
    return None


def _turned(grey: Bytes, tilt: float, clockwise: bool, legs: NDArray[np.float64], agree: NDArray[np.bool_]) -> Bytes:
    height, width = grey.shape
    size = (width, height)
    # Opposite corners have equal legs: two neighbours represent all four.
    leg, next_leg = (legs[[k, k + 2], 0][agree[[k, k + 2]]].mean() for k in (0, 1))
    if leg + next_leg > DESKEW.enlarged * width:
        size = _size_before(width, height, tilt)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), tilt if clockwise else -tilt, 1)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.asarray(cv2.warpAffine(grey, turn, size, flags=cv2.INTER_LINEAR, borderValue=128), np.uint8)


def _legs(grey: Bytes) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The length of the corners' shade along the two sides of each, clockwise from the top left, float64 (4, 2):
    horizontal and vertical; and which of them are triangles of that shade, bool (4,)."""
    corners = (grey, grey[:, ::-1], grey[::-1, ::-1], grey[::-1])
    # The median. np.median takes as long as all the rest.
    shade = sum(sorted(int(corner[0, 0]) for corner in corners)[1:3]) // 2
    legs = [(_run(corner[BESIDE], shade), _run(corner[:, BESIDE], shade)) for corner in corners]
    inner = [int(corner[upright // 3, level // 3]) for corner, (level, upright) in zip(corners, legs, strict=True)]
    triangles = [
        abs(level - shade) <= DESKEW.shade and min(leg) >= DESKEW.min_leg
        for level, leg in zip(inner, legs, strict=True)
    ]
    return np.array(legs, np.float64), np.array(triangles)


def _run(line: Bytes, shade: int) -> int:
    """The number of pixels at the start of a line that have this shade."""
    # Most pictures have no such corner, and their lines end at once.
    for place, level in enumerate(line[:AT_FIRST].tolist()):
        if abs(level - shade) > DESKEW.shade:
            return place
    other = np.abs(line.astype(np.int16) - shade) > DESKEW.shade
    first = int(other.argmax())
    return first if other[first] else len(line)


def _size_before(width: int, height: int, tilt: float) -> tuple[int, int]:
    """The size of the picture whose canvas has this size after the tilt."""
    cosine, sine = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    before = np.linalg.solve([[cosine, sine], [sine, cosine]], [width, height])
    return max(1, round(float(before[0]))), max(1, round(float(before[1])))
