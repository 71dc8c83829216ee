"""PURE: one picture aligned with another -> the gates that the frame of 256 pixels decides.

They ask whether the pictures agree nearly everywhere. What differs in one place or two only, such as a stamp or a
caption, passes.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.verification.alignment import Aligned, Prepared
from index.imaging.verification.gate_thresholds import (
    CONTAINED,
    CORRELATION,
    DIFFERENT,
    EXCLUSIVE,
    GRAPHIC,
    STAMP,
    TEXTURE,
    Contained,
    Correlation,
    Different,
    Exclusive,
    Gate,
    Graphic,
    Stamp,
    Texture,
)
from index.imaging.verification.similarity import Similarity
from index.imaging.verification.strokes import STROKES
from index.imaging.verification.transforms import Mask


def coarse_gates(aligned: Aligned, *, graphic: bool) -> tuple[Gate, ...]:
    """All gates of the coarse frame, in the order in which they are shown."""
    return (
        texture(aligned.similarity, TEXTURE),
        contained(aligned, CONTAINED),
        exclusive(aligned, EXCLUSIVE),
        correlation(aligned.similarity, CORRELATION),
        different(aligned.similarity, DIFFERENT, graphic=graphic),
    )


def is_graphic(first: Prepared, second: Prepared) -> bool:
    """Whether both pictures are drawings, forms or screens, in which a small difference matters: both are plain, and
    they are drawn in strokes, or both are too small for that. The mean counts: one may have a caption of its own, or
    be blurred."""
    if not is_plain(first, second):
        return False
    shares = [picture.strokes for picture in (first, second) if max(picture.grey.shape) >= STROKES.min_side]
    return not shares or sum(shares) / len(shares) >= STROKES.min_share


def is_plain(first: Prepared, second: Prepared, limits: Graphic = GRAPHIC) -> bool:
    """Whether both pictures are as plain as graphics are, and some others."""
    plain, background = min(first.plain, second.plain), min(first.background, second.background)
    return plain >= limits.min_plain or background >= limits.min_background


def texture(similarity: Similarity, limits: Texture) -> Gate:
    """Whether enough blocks have texture: fewer in a thumbnail, and where all agree perfectly."""
    blocks = similarity.correlation.size
    least = int(np.clip(limits.min_share * blocks, limits.min_blocks_of_few, limits.min_blocks))
    if similarity.median >= limits.min_median_of_few and not similarity.different.any():
        least = limits.min_blocks_of_few
    return Gate("texture", similarity.textured, least, similarity.textured >= least)


def contained(aligned: Aligned, limits: Contained) -> Gate:
    """Whether one picture shows nearly all of the other."""
    return Gate("contained", round(aligned.contained, 3), limits.min_share, aligned.contained >= limits.min_share)


def exclusive(aligned: Aligned, limits: Exclusive) -> Gate:
    """Whether one of the pictures shows nothing that the other does not show, or both are the middle of one picture, in
    two ratios of their sides, as wallpapers are."""
    passed = aligned.exclusive <= limits.max_share or aligned.crossed
    return Gate("exclusive", round(aligned.exclusive, 3), limits.max_share, passed)


def correlation(similarity: Similarity, limits: Correlation) -> Gate:
    """Whether the median block agrees."""
    median = similarity.median
    return Gate("correlation", round(median, 3), limits.min_median, median >= limits.min_median)


def different(similarity: Similarity, limits: Different, *, graphic: bool) -> Gate:
    """Whether next to no block shows something else; what is no graphic may have a stamp."""
    share = similarity.different_share
    limit = limits.max_share_of_graphic if graphic else limits.max_share
    passed = share <= limit or (not graphic and is_only_stamped(similarity))
    return Gate("different", round(share, 3), limit, passed)


def is_only_stamped(similarity: Similarity, limits: Stamp = STAMP) -> bool:
    """Whether all that differs is one solid place or two, with enough around them that agrees."""
    different_blocks = similarity.different.astype(np.uint8)
    agreeing = similarity.textured - int(different_blocks.sum())
    if agreeing < limits.min_agreeing or similarity.median < limits.min_median:
        return False
    # A caption has plain blocks between its words: places one block apart are one place.
    square = np.ones((3, 3), np.uint8)
    _, labels = cv2.connectedComponents(cv2.dilate(different_blocks, square), connectivity=8)
    sizes = np.bincount(labels[different_blocks > 0])
    largest = np.argsort(-sizes, kind="stable")[:2]
    places = [_filled(different_blocks * (labels == label)) for label in largest if sizes[label]]
    if _is_stamp(similarity, places[0], limits):
        return True
    # A logo and a date: the second must keep out of the middle, where the subject is.
    return len(places) == 2 and not _middle(places[1]).any() and _is_stamp(similarity, places[0] | places[1], limits)


def _filled(place: NDArray[np.uint8]) -> Mask:
    # With a rim, since OpenCV closes what is at a border towards it.
    return cv2.morphologyEx(np.pad(place, 1), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0


def _middle(place: Mask) -> Mask:
    rows, columns = place.shape
    return place[rows // 3 : rows - rows // 3, columns // 3 : columns - columns // 3]


def _is_stamp(similarity: Similarity, place: Mask, limits: Stamp) -> bool:
    """Whether it is small, solid, not in the middle, and next to nothing differs elsewhere."""
    stamped = int(similarity.different[place].sum())
    solid = float(similarity.different[place & ~np.isnan(similarity.correlation)].mean())
    elsewhere = similarity.different_share - stamped / similarity.textured
    small = float(place.mean()) <= limits.max_area and stamped <= limits.max_blocks * similarity.textured
    small = small and float(_middle(place).mean()) <= limits.max_of_middle
    return small and solid >= limits.min_solid and elsewhere <= limits.max_elsewhere
