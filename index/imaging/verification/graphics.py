"""PURE: a grey picture -> whether it is a drawing, a form or a screen, in which a small difference matters.

Previews of these are kept at a size at which letters can be read: index/imaging/decoding/pictures asks here, too.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification.gate_thresholds import GRAPHIC
from index.imaging.verification.transforms import Grey

# The long side of the frame in which pictures are compared, in pixels.
FINE_FRAME: Final = 448


@dataclass(frozen=True, slots=True)
class PlainLimits:
    """What is plain in a picture, to recognise graphics."""

    max_step: float = threshold(1.0, "levels", "Neighbouring pixels that differ by no more have not even noise.")
    tone_reach: int = threshold(6, "levels", "To either side of a tone: with its noise this is one tone.")
    stands_out: int = threshold(60, "levels", "What is farther from the commonest tone stands out from it.")
    min_standing_out: float = threshold(0.01, "share of pixels", "Where less stands out, the tone is no background.")
    slack: float = threshold(0.02, "share of pixels", "Decoders differ: so much less asks for a larger preview.")


PLAIN: Final = PlainLimits()


def reduced(grey: NDArray[Any], side: int) -> Grey:
    """A grey picture, (height, width), with a long side of at most `side`, float32."""
    height, width = grey.shape
    factor = min(1.0, side / max(height, width))
    size = (max(16, round(width * factor)), max(16, round(height * factor)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)


def plain_share(frame: Grey) -> float:
    """The share of a picture without even noise: paper of a scan, background of a screen."""
    across, down = cv2.absdiff(frame[:-1, 1:], frame[:-1, :-1]), cv2.absdiff(frame[1:, :-1], frame[:-1, :-1])
    return float((across + down <= PLAIN.max_step).mean())


def background_share(frame: Grey) -> float:
    """The share of a picture in its commonest tone, noise included, if something stands out from it: paper of a
    photographed form, background of a dense screen; else 0."""
    levels = cv2.calcHist([frame.astype(np.uint8)], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    share = np.convolve(levels / levels.sum(), np.ones(2 * PLAIN.tone_reach + 1), "same")
    commonest = int(share.argmax())
    level = np.arange(256)
    standing_out = float(levels[np.abs(level - commonest) >= PLAIN.stands_out].sum() / levels.sum())
    return float(share[commonest]) if standing_out >= PLAIN.min_standing_out else 0.0


def may_be_graphic(grey: NDArray[np.uint8]) -> bool:
    """Whether a preview, grey uint8 (height, width), may be counted as a graphic, however its JPEG is decoded."""
    frame = reduced(grey, FINE_FRAME)
    return (
        plain_share(frame) >= GRAPHIC.min_plain - PLAIN.slack
        or background_share(frame) >= GRAPHIC.min_background - PLAIN.slack
    )
