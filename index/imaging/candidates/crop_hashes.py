"""PURE: hashes parts of a grey picture, to find copies that a hash of the whole picture cannot find.

Three kinds of parts are worth their cost:

- The content of a frame, if there is one. In a copy with a border, with bars or inside a screenshot, it has the hash of
  the original.
- The deskewed picture, if its corners show that it was tilted.
- Four crops of every picture, each with nine tenths of both sides. A copy cropped by about a tenth differs from the
  whole picture in most of the finer bits, but not from the nearest of these crops.

Parts are not compared mirrored or rotated.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.border_detection import content_box
from index.imaging.candidates.deskew import deskew
from index.imaging.candidates.perceptual_hash import Box, hash_grey, hash_parts
from index.imaging.thresholds import threshold
from index.model import Hashes

INSIDE: Final = "inside"
DESKEWED: Final = "deskewed"
CROPPED: Final = "cropped"
# A hash stays near when its part moves by a fortieth of a side. Parts of nine tenths, at 1 and 3 fortieths across and
# down, are therefore near to all those between 0 and 4. Of 120 crops each by 5, 8, 10, 12, 15 and 20 % of the sides, at
# any place, 99, 100, 96, 78, 36 and 1 % are near to the whole or to one of the four; with the middle alone 93, 66, 32,
# 29, 11 and 0 %, with nine of them 97, 97, 98, 97, 74 and 3 %. FORTIETH is in pixels of a square of 160.
FORTIETH: Final = 4
PLACES: Final = (1, 3)
LENGTH: Final = 36


@dataclass(frozen=True, slots=True)
class CropLimits:
    """How close a crop hash must be to the hash of a whole picture."""

    tolerance_share: float = threshold(
        0.9, "share of the tolerance", "At all of it, crop hashes would propose as many wrong pairs again."
    )


CROP: Final = CropLimits()


def crop_hashes(grey: NDArray[np.uint8], box: Box) -> dict[str, Hashes]:
    """The hashes of parts of a picture, by kind. `grey` is luma, uint8 (height, width), in which the picture is `box`.

    `bits` has only the first row of each hash, that of the part as it is, for one part after the other.
    """
    return nine_tenths(grey, box) | inside_and_deskewed(grey, box)


def nine_tenths(grey: NDArray[np.uint8], box: Box) -> dict[str, Hashes]:
    """The hashes of the four crops to nine tenths of each side, which every picture has."""
    return {CROPPED: hash_parts(_square(grey, box), LENGTH * FORTIETH, tuple(place * FORTIETH for place in PLACES))}


def inside_and_deskewed(grey: NDArray[np.uint8], box: Box) -> dict[str, Hashes]:
    """The hashes of the parts that few pictures have."""
    left, top, right, bottom = box
    parts = {}
    inner = content_box(grey)
    if inner is not None:
        inside = (max(left, inner[0]), max(top, inner[1]), min(right, inner[2]), min(bottom, inner[3]))
        parts[INSIDE] = _unturned(hash_grey(grey, inside))
    level = deskew(grey)
    if level is not None:
        parts[DESKEWED] = _unturned(hash_grey(level))
    return parts


def separate(bits: bytes, hsize: int) -> list[bytes]:
    """Split the hashes of parts that are stored one after the other."""
    size = hsize * hsize // 8
    return [bits[start : start + size] for start in range(0, len(bits), size)]


def crop_tolerance(tolerance: int) -> int:
    """The tolerance in bits for a crop hash and the hash of a whole picture, given the one for two whole pictures."""
    return int(CROP.tolerance_share * tolerance)


def _square(grey: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The picture resized to a square, so that pictures of all sizes use the same cached matrices. The hashes of its
    parts differ by 2 of 256 bits from those of the picture itself."""
    left, top, right, bottom = (round(edge) for edge in box)
    picture = grey[top : max(bottom, top + 1), left : max(right, left + 1)]
    whole = 40 * FORTIETH
    interpolation = cv2.INTER_AREA if min(picture.shape) >= whole else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (whole, whole), interpolation=interpolation), np.uint8)


def _unturned(hashes: Hashes) -> Hashes:
    return Hashes(hashes.scheme, {hsize: bits[: hsize * hsize // 8] for hsize, bits in hashes.bits.items()})
