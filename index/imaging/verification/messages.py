"""PURE: what one picture has and the other has not -> whether it is a message, as a screen shows them.

A caption, a stamp and a sticker are put over a picture, and it stays the same picture. A message over a photograph is
drawn as evenly, but it is what the screen has to say: two lock screens with and without it are no copies. It is a panel
that ends before both sides of the picture, wider than high, of one tone, with lines of text that leave most of its
height free. A caption fills its panel, or its panel the width of the picture; a sticker has no text.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from index.imaging.thresholds import threshold
from index.imaging.verification.message_limits import FITTED
from index.imaging.verification.strokes import stroke_contrast
from index.imaging.verification.transforms import Grey


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """What is a message, in the frame of 448 pixels."""

    min_lines: float = threshold(FITTED["min_lines"], "share of the panel", "Of its pixels, so many are text.")
    max_height: float = threshold(FITTED["max_height"], "share of its height", "Captions have higher lines.")
    min_difference: float = threshold(12.0, "levels", "Where there is no panel in the other picture.")
    min_px: int = threshold(8, "pixels", "Lower panels have no text that can be seen.")
    min_aspect: float = threshold(1.8, "ratio", "Messages are wider than high.")
    max_width: float = threshold(0.95, "share of the width", "A wider panel is the band of a caption.")
    tone_width: float = threshold(14.0, "levels", "What is so near to the median of a panel is its background.")
    min_background: float = threshold(0.5, "share of the panel", "Other things have more tones.")
    contrast: float = threshold(24.0, "levels", "The least contrast of text with its background, on both sides.")


MESSAGE: Final = MessageLimits()

# Sizes in pixels: for averaging noise, for joining the pieces of a panel, of the smallest piece, and of its rim.
SMOOTHED: Final = 3
CLOSED: Final = 5
OPENED: Final = 9
RIM: Final = 4


def is_message(having: Grey, without: Grey, width: int) -> bool:
    """Whether what the first has is a message. Both are one part of two pictures, float32 (height, width); `width` is
    that of the whole picture."""
    found = panel(having, without)
    if found is None or not is_panel(found, width):
        return False
    text, line = text_of(found)
    return text >= MESSAGE.min_lines and line <= MESSAGE.max_height


def is_panel(found: Grey, width: int) -> bool:
    """Whether a thing in a picture of this width is as wide as a message, and has a background."""
    if not MESSAGE.min_aspect * found.shape[0] <= found.shape[1] < MESSAGE.max_width * width:
        return False
    plain = np.abs(found - np.median(found)) <= MESSAGE.tone_width
    return bool(plain.mean() >= MESSAGE.min_background)


def panel(having: Grey, without: Grey) -> Grey | None:
    """The box around the largest thing that only the first has, cut out of it; None if there is nothing."""
    apart = cv2.blur(having - without, (SMOOTHED, SMOOTHED))
    differs = (np.abs(apart) > MESSAGE.min_difference).astype(np.uint8)
    joined = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((CLOSED, CLOSED), np.uint8))
    things = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((OPENED, OPENED), np.uint8))
    count, _, boxes, _ = cv2.connectedComponentsWithStats(things, connectivity=4)
    if count < 2:
        return None
    x, y, across, down, _ = (int(side) for side in max(boxes[1:], key=lambda box: int(box[cv2.CC_STAT_AREA])))
    return having[y : y + down, x : x + across] if min(across, down) >= MESSAGE.min_px + 2 * RIM else None


def text_of(found: Grey) -> tuple[float, float]:
    """The share of a panel that is strokes, and the height of its highest line, as a share of its own."""
    levels = np.clip(np.rint(found), 0, 255).astype(np.uint8)
    text = (stroke_contrast(levels) > MESSAGE.contrast)[RIM:-RIM, RIM:-RIM]
    empty = np.flatnonzero(~np.pad(text.any(axis=1), 1))
    return float(text.sum() / found.size), float((np.diff(empty).max() - 1) / found.shape[0])
