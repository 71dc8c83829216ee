"""PURE: one place in two pictures -> whether each has a text there that the other has not.

A caption covers a scene, and the scene beneath it has no letters where the caption shows its paper. Of two words that
stand in the same place, each has strokes where the other shows the background, on one background and in one ink: the
digits of a time stamp, or a word on a label. That the outlines lie mostly in one picture is chance, then: its word is
longer.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from index.imaging.thresholds import threshold
from index.imaging.verification.other_text_limits import FITTED
from index.imaging.verification.transforms import Grey, Mask


@dataclass(frozen=True, slots=True)
class OtherTextLimits:
    """When there is another text in a place, in the frame of 448 pixels."""

    min_share: float = threshold(
        FITTED["min_share"], "share", "Of the strokes that only one picture has, those of the one with fewer."
    )
    min_explained: float = threshold(FITTED["min_explained"], "share", "Of what differs, so much are such strokes.")
    same_ink: float = threshold(0.4, "ratio", "Of the contrasts of both texts, the lower by the higher, at least.")
    of_ink: float = threshold(0.5, "times the contrast", "What differs by less is noise.")
    min_contrast: float = threshold(20.0, "levels", "Of strokes with their background.")
    same_background: float = threshold(
        0.4, "times the contrast", "So near to the background of a stroke is what the other picture shows there."
    )
    min_pixels: int = threshold(6, "pixels", "Fewer strokes are chance.")


OTHER_TEXT: Final = OtherTextLimits()

# Strokes are thinner than this, in pixels.
STROKE_PX: Final = 9


def is_other_text(first: Grey, second: Grey, where: Mask) -> bool:
    """Whether each of two pictures has a text that the other has not, in one ink. Both are one part of two pictures
    with one tone, float32 (height, width); only pixels in `where` count."""
    share, explained = written_in_both(first, second, where)
    return share >= OTHER_TEXT.min_share and explained >= OTHER_TEXT.min_explained


def written_in_both(first: Grey, second: Grey, where: Mask) -> tuple[float, float]:
    """Of the strokes that only one picture has, the share of the picture with fewer; and how much of what differs are
    such strokes. Of dark or of light strokes, of which more differs; 0 where one has none."""
    return max(_written(first, second, where), _written(-first, -second, where), key=lambda found: found[1])


def _written(first: Grey, second: Grey, where: Mask) -> tuple[float, float]:
    """The same of dark strokes."""
    of_first, of_second = _only(first, second, where), _only(second, first, where)
    fewer, more = sorted((of_first, of_second), key=np.count_nonzero)
    count = np.count_nonzero(fewer)
    if count < OTHER_TEXT.min_pixels:
        return 0.0, 0.0
    either, difference = fewer | more, np.abs(first - second)
    inks = sorted(float(np.median(difference[strokes])) for strokes in (fewer, more))
    if inks[0] < OTHER_TEXT.same_ink * inks[1]:
        return 0.0, 0.0
    differs = where & (difference > OTHER_TEXT.of_ink * float(np.median(difference[either])))
    with_edges = cv2.dilate(either.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    explained = np.count_nonzero(differs & with_edges) / np.count_nonzero(differs)
    return float(count / np.count_nonzero(either)), float(explained)


def _only(having: Grey, without: Grey, where: Mask) -> Mask:
    """Where one picture has dark strokes, and the other shows their background."""
    background = _background(having)
    contrast = background - having
    beyond = np.abs(without - background) <= OTHER_TEXT.same_background * contrast
    return np.asarray(where & beyond & (contrast >= OTHER_TEXT.min_contrast))


def _background(picture: Grey) -> Grey:
    return np.asarray(cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones((STROKE_PX, STROKE_PX), np.uint8)))
