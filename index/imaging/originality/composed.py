"""PURE: derives the differences between two pictures from those of each to a third, as far as their origin needs it.

All members of a group are verified against its reference. The differences between two members follow from that, and no
pixels are read again.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from index.imaging.turning import turned
from index.imaging.verification.alignment import MIRRORED
from index.imaging.verification.edit_evidence import Evidence, of_files
from index.imaging.verification.edit_report import MOVED, REPORTED
from index.model import TURNS, Facts, Turn

Box = tuple[float, float, float, float]
# What only a comparison of the pictures themselves shows.
SEEN_ONLY: Final = frozenset(("stretch", "noise", "changed"))
# What shows that one picture has more of the scene, or around it, than the other.
EXTENT: Final = frozenset(("crop", "frame"))
WHOLE: Final[Box] = (0.0, 0.0, 1.0, 1.0)
# Boxes are of blocks, and vary by one of them between copies of a picture; two stamps are seldom in one place.
SAME_PLACE: Final = 0.6


def composed(to_first: Evidence, to_second: Evidence, facts_first: Facts, facts_second: Facts) -> dict[str, Any]:
    """What leads from a first picture to a second, from what leads to each of them from a third one: `turn`, `scale`,
    `crop`, `frame`, `tilt`, `tone`, `sharpness`, `changed` and what the files say, with the keys of `edit_evidence`;
    `apart`, where neither shows all that the other one does; and `perhaps_changed`, where that does not follow."""
    one, other = Turn(to_first.get("turn", Turn.NONE)), Turn(to_second.get("turn", Turn.NONE))
    evidence = of_files(facts_first, facts_second)
    turn = _after(one.inverse, other)
    if turn is not Turn.NONE:
        evidence["turn"] = str(turn)
    scale = round(float(to_second.get("scale", 1.0)) / max(1e-4, float(to_first.get("scale", 1.0))), 4)
    if abs(scale - 1) >= REPORTED.min_scale:
        evidence["scale"] = scale
    # Mirrored, a turn clockwise is one counter-clockwise.
    back = 1 if turn in MIRRORED else -1
    tilt = round(float(to_second.get("tilt", 0.0)) + back * float(to_first.get("tilt", 0.0)), 1)
    if abs(tilt) >= REPORTED.min_tilt_degrees:
        evidence["tilt"] = tilt
    if tone := _tone(to_first.get("tone", {}), to_second.get("tone", {})):
        evidence["tone"] = tone
    evidence |= _extent(to_first, to_second, one) | _changes(to_first, to_second)
    if not evidence.keys() & (MOVED | {"apart"}):
        sharpness = float(to_second.get("sharpness", 1.0)) / max(0.01, float(to_first.get("sharpness", 1.0)))
        if not REPORTED.min_sharpness_gain <= sharpness <= 1 / REPORTED.min_sharpness_gain:
            evidence["sharpness"] = round(sharpness, 2)
    return evidence


def follows(to_first: Evidence, to_second: Evidence) -> bool:
    """Whether all that leads from the first picture to the second follows, so that it can be shown to people."""
    if (to_first.keys() | to_second.keys()) & SEEN_ONLY:
        return False
    return "apart" not in _extent(to_first, to_second, Turn(to_first.get("turn", Turn.NONE)))


def _tone(first: Evidence, second: Evidence) -> dict[str, Any]:
    tone: dict[str, Any] = {}
    contrast = float(second.get("contrast", 1.0)) / max(0.01, float(first.get("contrast", 1.0)))
    if not REPORTED.min_contrast <= contrast <= REPORTED.max_contrast:
        tone["contrast"] = max(0.01, round(contrast, 2))
    brightness = int(second.get("brightness", 0)) - int(first.get("brightness", 0))
    if abs(brightness) >= REPORTED.min_brightness:
        tone["brightness"] = brightness
    # How much more colour than the third one has: 1, 0 or -1.
    colours = [{"first": 1, "second": -1}.get(str(one.get("grey")), 0) for one in (first, second)]
    if colours[0] != colours[1]:
        tone["grey"] = "first" if colours[0] < colours[1] else "second"
    return tone


def _extent(to_first: Evidence, to_second: Evidence, turn_of_first: Turn) -> dict[str, Any]:
    """Which of the two shows more, and what is around."""
    # 1 for a frame that the picture has and the third one has not, -1 for the opposite.
    frames = [{"second": 1, "first": -1}.get(str(one.get("frame")), 0) for one in (to_first, to_second)]
    cropped = "crop" in to_first or "crop" in to_second
    if frames[0] != frames[1]:
        return {"apart": True} if cropped else {"frame": "first" if frames[0] > frames[1] else "second"}
    if frames[0] == 1:
        # Two frames, perhaps of other widths.
        return {"apart": True}
    if not cropped:
        return {}
    one, other = _shown(to_first), _shown(to_second)
    for of, larger, smaller in (("first", one, other), ("second", other, one)):
        box = _within(smaller, larger)
        if all(low >= -REPORTED.slack and high <= 1 + REPORTED.slack for low, high in (box[::2], box[1::2])):
            left, top, right, bottom = np.clip(box, 0.0, 1.0).tolist()
            if (right - left) * (bottom - top) >= REPORTED.whole:
                return {}
            turn = turn_of_first if of == "first" else Turn(to_second.get("turn", Turn.NONE))
            in_larger = turned_box((left, top, right, bottom), turn)
            return {"crop": {"of": of, "box": [round(side, 3) for side in in_larger]}}
    return {"apart": True}


def _changes(to_first: Evidence, to_second: Evidence) -> dict[str, Any]:
    """Whether something was put over one of the two. If both differ from the third one in the same place, it is the
    third one that was changed, or both were alike."""
    shares = [float(one.get("changed", 0.0)) for one in (to_first, to_second)]
    if not all(shares):
        return {"changed": sum(shares)} if any(shares) else {}
    places = [one.get("where", {}).get("first") for one in (to_first, to_second)]
    common = _common(*places) if all(places) else 0.5
    if common >= SAME_PLACE:
        return {}
    return {"changed": sum(shares)} if common == 0 else {"perhaps_changed": True}


def _common(box: Sequence[float], other: Sequence[float]) -> float:
    """The share of what two boxes cover together that both cover."""
    sides = [min(box[n + 2], other[n + 2]) - max(box[n], other[n]) for n in range(2)]
    both = math.prod(max(0.0, side) for side in sides)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (box, other)]
    return both / max(1e-9, sum(areas) - both)


def _shown(evidence: Evidence) -> Box:
    """The part that the second picture shows, before it was turned, in fractions of the sides of the first. Values
    below 0 and above 1 are outside the first."""
    crop = evidence.get("crop")
    if not crop:
        return WHOLE
    if crop["of"] == "first":
        return tuple(crop["box"])
    left, top, right, bottom = turned_box(tuple(crop["box"]), Turn(evidence.get("turn", Turn.NONE)).inverse)
    width, height = max(1e-3, right - left), max(1e-3, bottom - top)
    return -left / width, -top / height, (1 - left) / width, (1 - top) / height


def _within(box: Box, other: Box) -> Box:
    """A box in fractions of the sides of another one."""
    width, height = max(1e-6, other[2] - other[0]), max(1e-6, other[3] - other[1])
    return (
        (box[0] - other[0]) / width,
        (box[1] - other[1]) / height,
        (box[2] - other[0]) / width,
        (box[3] - other[1]) / height,
    )


def turned_box(box: Box, turn: Turn) -> Box:
    """A box in a picture, in the picture after the turn."""
    x0, y0, x1, y1 = box
    if turn in (Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE):
        x0, y0, x1, y1 = y0, x0, y1, x1
    if turn in (Turn.FLIP_HORIZONTAL, Turn.ROTATE_180, Turn.ROTATE_90, Turn.TRANSVERSE):
        x0, x1 = 1 - x1, 1 - x0
    if turn in (Turn.FLIP_VERTICAL, Turn.ROTATE_180, Turn.ROTATE_270, Turn.TRANSVERSE):
        y0, y1 = 1 - y1, 1 - y0
    return x0, y0, x1, y1


@lru_cache(maxsize=64)
def _after(first: Turn, second: Turn) -> Turn:
    """The turn that does the work of a first one and then a second one."""
    picture = np.arange(6).reshape(2, 3)
    both = turned(turned(picture, first), second)
    return next(turn for turn in TURNS if np.array_equal(turned(picture, turn), both))
