"""PURE: one picture laid over another, and the facts of their files -> the evidence of index.verification.evidence."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.model import Facts, Turn
from index.verification import align, evidence
from index.verification.align import Grey, Map, Mask
from index.verification.exposure import Noise
from index.verification.laying import Laid, Prepared
from index.verification.sharpness import Sharpness
from index.verification.similarity import BLOCK

# Left, top, right and bottom, as fractions of the sides.
Box = tuple[float, float, float, float]

# What is smaller than these is not worth a word.
LEAST_TILT_DEGREES: Final = 0.4
LEAST_SCALE: Final = 0.01
LEAST_SCALE_OF_PART: Final = 0.025
WHOLE: Final = 0.97
SLACK: Final = 0.02
LEAST_CHANGED: Final = 0.01
LEAST_BRIGHTNESS: Final = 10
LEAST_CONTRAST: Final = 0.85
MOST_CONTRAST: Final = 1.18
GREY: Final = 2.5
LEAST_SATURATION: Final = 0.75
LEAST_WARMTH: Final = 12
LEAST_STRETCH: Final = 0.97
# Levels: what varies less is plain, and where a frame meets a picture there is a step. Where both meet is blurred.
LEAST_VARIED: Final = 4
LEAST_STEP: Final = 8
RIM_PX: Final = 4
NEAR_PX: Final = 15
LEAST_WEIGHT: Final = 1e-3
# Of the strength of fine detail in quiet places, and of all; it is not to be compared where one picture was resized.
LEAST_GAIN: Final = 0.7
LEAST_SHARPNESS: Final = 0.8
MOVED: Final = frozenset(("tilt", "scale", "stretch", "crop", "frame"))
MOST_SCALE_OF_DETAIL: Final = 0.1

TRANSPOSED: Final = frozenset((Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE))


def tell(
    laid: Laid,
    first: Prepared,
    second: Prepared,
    facts_first: Facts,
    facts_second: Facts,
    noise: Noise,
    sharpness: Sharpness,
) -> tuple[Turn, dict[str, Any]]:
    """The turn that leads from the first picture to the second, and all that was done beside it. `noise` and
    `sharpness` are what was measured of their fine detail, of the first's to the second's."""
    turn, tilt = _turn_and_tilt(laid)
    told: dict[str, Any] = {"similarity": round(float(np.clip(laid.similarity.median, 0, 1)), 3)}
    if turn is not Turn.NONE:
        told["turn"] = str(turn)
    if abs(tilt) >= LEAST_TILT_DEGREES:
        told["tilt"] = round(tilt, 1)
    scale = _scale(laid, facts_first, facts_second)
    around = _crop_or_frame(laid)
    # Where only a part is laid over the other, its size is known less well.
    if abs(scale - 1) >= (LEAST_SCALE_OF_PART if around else LEAST_SCALE):
        told["scale"] = round(scale, 4)
    stretch = _stretch(laid, facts_first, facts_second)
    if not LEAST_STRETCH <= stretch <= 1 / LEAST_STRETCH:
        told["stretch"] = round(stretch, 3)
    told |= around
    tone = _tone(laid, first, second)
    if tone:
        told["tone"] = tone
    if abs(scale - 1) < MOST_SCALE_OF_DETAIL:
        # What was tilted, or lies elsewhere in a frame, was interpolated to be laid over the other, and so is softer.
        told |= _detail(noise, Sharpness() if told.keys() & MOVED else sharpness)
    if laid.similarity.different_share >= LEAST_CHANGED:
        # Of the whole picture, not only of the blocks that could be compared.
        told["changed"] = round(float(laid.similarity.different.sum()) * BLOCK**2 / laid.second.size, 3)
        told["where"] = _where(laid)
    return turn, told | evidence.of_files(facts_first, facts_second)


def _detail(noise: Noise, sharpness: Sharpness) -> dict[str, float]:
    """Whether fine detail was made stronger or weaker, or other detail was added."""
    for gain, coherence, least in (
        (noise.gain, noise.coherence, LEAST_GAIN),
        (sharpness.gain, sharpness.coherence, LEAST_SHARPNESS),
    ):
        if not least <= gain <= 1 / least:
            # What is sharpened or blurred is still the same detail; noise makes the correlation fall as the strength
            # grows.
            ratio = max(gain, 1 / gain)
            return {"sharpness" if coherence >= (1 + 1 / ratio) / 2 else "noise": round(gain, 2)}
    return {}


def _turn_and_tilt(laid: Laid) -> tuple[Turn, float]:
    """What the map turns by beyond the turn it began with: quarter turns are turns, the rest is tilt."""
    degrees = float(np.degrees(np.arctan2(laid.over[1, 0], laid.over[0, 0])))
    quarters = round(degrees / 90) % 4
    return _after(laid.turn, quarters), (degrees + 45) % 90 - 45


def _after(turn: Turn, quarters: int) -> Turn:
    """The turn followed by quarter turns clockwise."""
    clockwise = {
        Turn.NONE: Turn.ROTATE_90,
        Turn.ROTATE_90: Turn.ROTATE_180,
        Turn.ROTATE_180: Turn.ROTATE_270,
        Turn.ROTATE_270: Turn.NONE,
        Turn.FLIP_HORIZONTAL: Turn.TRANSVERSE,
        Turn.TRANSVERSE: Turn.FLIP_VERTICAL,
        Turn.FLIP_VERTICAL: Turn.TRANSPOSE,
        Turn.TRANSPOSE: Turn.FLIP_HORIZONTAL,
    }
    for _ in range(quarters):
        turn = clockwise[turn]
    return turn


def _scale(laid: Laid, facts_first: Facts, facts_second: Facts) -> float:
    """How large a thing is in the second file for one in the first, in the files' own pixels."""
    in_frames = float(np.sqrt(abs(np.linalg.det(laid.over[:2, :2]))))
    first = max(laid.first.shape) / max(1, max(facts_first.width, facts_first.height))
    second = max(laid.second.shape) / max(1, max(facts_second.width, facts_second.height))
    return float(in_frames * first / second)


def _stretch(laid: Laid, facts_first: Facts, facts_second: Facts) -> float:
    """How much wider, for its height, the second file shows a thing than the first, in the second's directions."""
    along_x, along_y = (float(np.hypot(laid.over[0, axis], laid.over[1, axis])) for axis in (0, 1))
    # In the files' own pixels: a view has the proportions of its file, within a pixel.
    first, second = laid.first.shape, laid.second.shape
    width, height = facts_first.width, facts_first.height
    if laid.turn in TRANSPOSED:
        width, height = height, width
    along_x *= first[1] / max(1, width) * max(1, facts_second.width) / second[1]
    along_y *= first[0] / max(1, height) * max(1, facts_second.height) / second[0]
    stretch = float(max(1e-6, along_x) / max(1e-6, along_y))
    return stretch if abs(laid.over[0, 0]) >= abs(laid.over[1, 0]) else 1 / stretch


def _crop_or_frame(laid: Laid) -> dict[str, Any]:
    """Which picture shows only a part of the other, and which part."""
    if laid.share_first < WHOLE <= laid.share_second + SLACK:
        back = np.asarray(np.linalg.inv(laid.over), np.float64)
        box = _unturned(_box(laid.second.shape, back, laid.first.shape), laid.turn)
        of, framed = "first", _is_framed(laid.first, laid.covered_first)
    elif laid.share_second < WHOLE <= laid.share_first + SLACK:
        box = _box(laid.first.shape, laid.over, laid.second.shape)
        of, framed = "second", _is_framed(laid.second, laid.covered)
    else:
        return {}
    return {"frame": of} if framed else {"crop": {"of": of, "box": _rounded(box)}}


def _is_framed(whole: Grey, covered: Mask) -> bool:
    """Whether what lies around a part of a picture is a frame: plain, and another shade than the part where they meet.
    A sky of which a crop has taken some is plain, too, and goes on."""
    around = whole[~_grown(covered, RIM_PX)]
    if not around.size:
        # A frame of a few pixels is all rim.
        around = whole[~covered]
    if not around.size or float(np.median(np.abs(around - np.median(around)))) >= LEAST_VARIED:
        return False
    outside, inside = ~covered, ~_grown(~covered, 2)
    met = covered & _grown(outside, 1)
    beyond, within = _mean_near(whole, outside), _mean_near(whole, inside)
    return float(np.nanmedian(np.abs(beyond - within)[met])) >= LEAST_STEP


def _mean_near(picture: Grey, where: Mask) -> Grey:
    """The mean of what is near each pixel of those `where`, NaN where there are none."""
    weight = cv2.blur(where.astype(np.float32), (NEAR_PX, NEAR_PX))
    total = cv2.blur(np.where(where, picture, 0).astype(np.float32), (NEAR_PX, NEAR_PX))
    return np.asarray(np.where(weight > LEAST_WEIGHT, total / np.maximum(weight, LEAST_WEIGHT), np.nan), np.float32)


def _where(laid: Laid) -> dict[str, list[float]]:
    """The box in each picture that holds all that differs, as fractions of its sides."""
    rows, columns = np.nonzero(laid.similarity.different)
    height, width = laid.second.shape
    x0, y0 = BLOCK * int(columns.min()), BLOCK * int(rows.min())
    x1, y1 = min(width, BLOCK * int(columns.max() + 1)), min(height, BLOCK * int(rows.max() + 1))
    corners = np.array([[[x0 - 0.5, y0 - 0.5], [x1 - 0.5, y0 - 0.5], [x1 - 0.5, y1 - 0.5], [x0 - 0.5, y1 - 0.5]]])
    back = cv2.perspectiveTransform(corners, np.linalg.inv(laid.over))[0]
    in_first = _unturned(_fractions(np.asarray(back, np.float64), laid.first.shape), laid.turn)
    return {"first": _rounded(in_first), "second": _rounded(_fractions(corners[0], laid.second.shape))}


def _grown(mask: Mask, by_px: int) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)) > 0


def _box(shape: tuple[int, ...], over: Map, target: tuple[int, ...]) -> Box:
    """Where a picture lies in another, as fractions of its sides."""
    return _fractions(align.laid_corners(shape, over), target)


def _fractions(corners: NDArray[np.float64], target: tuple[int, ...]) -> Box:
    x = np.clip((corners[:, 0] + 0.5) / target[1], 0, 1)
    y = np.clip((corners[:, 1] + 0.5) / target[0], 0, 1)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _rounded(box: Box) -> list[float]:
    return [round(side, 3) for side in box]


def _unturned(box: Box, turn: Turn) -> Box:
    """A box in a picture after `turn`, in the picture before it. Only whole turns reach here."""
    x0, y0, x1, y1 = box
    if turn in (Turn.FLIP_HORIZONTAL, Turn.ROTATE_180, Turn.ROTATE_90, Turn.TRANSVERSE):
        x0, x1 = 1 - x1, 1 - x0
    if turn in (Turn.FLIP_VERTICAL, Turn.ROTATE_180, Turn.ROTATE_270, Turn.TRANSVERSE):
        y0, y1 = 1 - y1, 1 - y0
    if turn in (Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE):
        x0, y0, x1, y1 = y0, x0, y1, x1
    return x0, y0, x1, y1


def _tone(laid: Laid, first: Prepared, second: Prepared) -> dict[str, Any]:
    told: dict[str, Any] = {}
    # A white caption makes no picture brighter.
    same = laid.covered & ~_differing(laid)
    one, other = laid.laid[same], laid.second[same]
    if one.size < 64:
        return told
    contrast = float(other.std() / max(1e-3, one.std()))
    brightness = float(other.mean() - one.mean())
    if not LEAST_CONTRAST <= contrast <= MOST_CONTRAST:
        told["contrast"] = max(0.01, round(contrast, 2))
    if abs(brightness) >= LEAST_BRIGHTNESS:
        told["brightness"] = round(brightness)
    grey_first, grey_second = first.colourful < GREY, second.colourful < GREY
    if grey_first != grey_second:
        told["grey"] = "first" if grey_first else "second"
    elif not grey_first:
        told |= _colours(laid, first, second)
    return told


def _differing(laid: Laid) -> Mask:
    """Where one shows something else than the other, and what is right beside that."""
    blocks = laid.similarity.different
    if not blocks.size:
        return np.zeros(laid.second.shape, np.bool_)
    # What is left beside the last whole block is as that block is.
    sides = zip(laid.second.shape, blocks.shape, strict=True)
    rows, columns = (np.minimum(np.arange(side) // BLOCK, of - 1) for side, of in sides)
    return np.asarray(_grown(blocks, 1)[np.ix_(rows, columns)], np.bool_)


def _colours(laid: Laid, first: Prepared, second: Prepared) -> dict[str, Any]:
    """What was done to the colours, told where both show all of the other: they are measured over whole pictures."""
    told: dict[str, Any] = {}
    if min(laid.share_first, laid.share_second) < WHOLE:
        return told
    saturation = second.colourful / first.colourful
    if not LEAST_SATURATION <= saturation <= 1 / LEAST_SATURATION:
        told["saturation"] = round(saturation, 2)
    # Stronger colours are also warmer where they were warm: that much is told already.
    warmth = second.warmth - first.warmth * saturation
    if abs(warmth) >= LEAST_WARMTH:
        told["warmth"] = round(warmth)
    return told
