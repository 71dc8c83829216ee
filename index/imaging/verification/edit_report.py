"""PURE: one picture aligned with another, and the facts of their files -> the evidence of a match."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification import edit_evidence, transforms
from index.imaging.verification.alignment import Aligned, Prepared
from index.imaging.verification.colours import Box, Colours
from index.imaging.verification.sensor_noise import Noise
from index.imaging.verification.sharpness import Sharpness
from index.imaging.verification.similarity import BLOCK
from index.imaging.verification.surroundings import grown, is_frame
from index.imaging.verification.transforms import Map, Mask
from index.model import TRANSPOSED, Facts, Turn


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """Smaller edits are not reported."""

    min_tilt_degrees: float = threshold(0.4, "degrees", "A smaller tilt is not noticed.")
    min_scale: float = threshold(0.01, "share of a side", "The size of whole pictures is known as well as this.")
    min_scale_of_part: float = threshold(
        0.025, "share of a side", "The size of a part in the other picture is known less well."
    )
    min_stretch: float = threshold(0.97, "ratio", "And its inverse.")
    whole: float = threshold(
        0.985,
        "share of a picture",
        "A picture that shows less of the other was cropped, or the other has a frame. Of 868 copies that were "
        "neither, of 28 kinds, each shows all of the other; a crop by 1 % of both sides leaves 0.98.",
    )
    tilted: float = threshold(0.95, "share of a picture", "A tilt within the frame leaves at least so much of both.")
    max_of_other: float = threshold(
        0.25,
        "ratio",
        "Of what both lack of each other, where so little is lacking; a tilt has 0.5 and more.",
    )
    min_coloured: float = threshold(0.97, "share of a picture", "In common, so that the colours of both are compared.")
    slack: float = threshold(0.02, "share of a picture", "The map is right within this.")
    min_changed: float = threshold(0.01, "share of blocks", "Fewer that differ are not worth reporting.")
    min_brightness: int = threshold(10, "levels", "Between the means.")
    min_contrast: float = threshold(0.85, "ratio", "Of the standard deviations.")
    max_contrast: float = threshold(1.18, "ratio", "The same.")
    grey: float = threshold(2.5, "levels", "A picture whose colours are nearer to grey has none.")
    min_saturation: float = threshold(0.75, "ratio", "Of the distances from grey; and its inverse.")
    min_warmth: int = threshold(12, "levels", "By which red gains on blue.")
    min_noise_gain: float = threshold(0.7, "ratio", "Of the strength of fine detail in quiet places; and its inverse.")
    min_sharpness_gain: float = threshold(0.8, "ratio", "Of the strength of all fine detail; and its inverse.")
    max_scale_of_detail: float = threshold(
        0.1, "share of a side", "Fine detail is not compared where one picture was resized by more."
    )


REPORTED: Final = ReportLimits()

# What was interpolated to be aligned, and so is softer.
MOVED: Final = frozenset(("tilt", "scale", "stretch", "crop", "frame"))


def describe_edits(
    aligned: Aligned,
    first: Prepared,
    second: Prepared,
    facts_first: Facts,
    facts_second: Facts,
    noise: Noise,
    sharpness: Sharpness,
    colours: Colours,
) -> tuple[Turn, dict[str, Any]]:
    """The turn that leads from the first picture to the second, and the evidence: all other edits, with the keys that
    `edit_evidence` lists. `noise`, `sharpness` and `colours` were measured from the first to the second."""
    turn, tilt = _turn_and_tilt(aligned)
    evidence: dict[str, Any] = {"similarity": round(float(np.clip(aligned.similarity.median, 0, 1)), 3)}
    if turn is not Turn.NONE:
        evidence["turn"] = str(turn)
    if abs(tilt) >= REPORTED.min_tilt_degrees:
        evidence["tilt"] = round(tilt, 1)
    scale = _scale(aligned, facts_first, facts_second)
    around = _crop_or_frame(aligned)
    # If only a part is aligned with the other, the scale is known less well.
    if abs(scale - 1) >= (REPORTED.min_scale_of_part if around else REPORTED.min_scale):
        evidence["scale"] = round(scale, 4)
    stretch = _stretch(aligned, facts_first, facts_second)
    if not REPORTED.min_stretch <= stretch <= 1 / REPORTED.min_stretch:
        evidence["stretch"] = round(stretch, 3)
    evidence |= around
    tone = _tone(aligned, first, second, colours)
    if tone:
        evidence["tone"] = tone
    if abs(scale - 1) < REPORTED.max_scale_of_detail:
        # A picture that was tilted, or moved within a frame, was interpolated by the alignment, and is softer.
        evidence |= _detail(noise, Sharpness() if evidence.keys() & MOVED else sharpness)
    if aligned.similarity.different_share >= REPORTED.min_changed:
        # Of the whole picture, not only of the blocks that could be compared.
        evidence["changed"] = round(float(aligned.similarity.different.sum()) * BLOCK**2 / aligned.second.size, 3)
        evidence["where"] = _where(aligned)
    return turn, evidence | edit_evidence.of_files(facts_first, facts_second)


def _detail(noise: Noise, sharpness: Sharpness) -> dict[str, float]:
    """Whether fine detail was made stronger or weaker, or other detail was added."""
    for gain, coherence, least in (
        (noise.gain, noise.coherence, REPORTED.min_noise_gain),
        (sharpness.gain, sharpness.coherence, REPORTED.min_sharpness_gain),
    ):
        if not least <= gain <= 1 / least:
            # Sharpening and blurring keep the same detail; noise lowers the correlation as it grows.
            ratio = max(gain, 1 / gain)
            return {"sharpness" if coherence >= (1 + 1 / ratio) / 2 else "noise": round(gain, 2)}
    return {}


def _turn_and_tilt(aligned: Aligned) -> tuple[Turn, float]:
    """The rotation of the map beyond the turn that it began with: quarter turns are turns, the rest is a tilt."""
    degrees = float(np.degrees(np.arctan2(aligned.transform[1, 0], aligned.transform[0, 0])))
    quarters = round(degrees / 90) % 4
    return _after(aligned.turn, quarters), (degrees + 45) % 90 - 45


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


def _scale(aligned: Aligned, facts_first: Facts, facts_second: Facts) -> float:
    """The size of a thing in the second file relative to the first, in the files' own pixels."""
    in_frames = float(np.sqrt(abs(np.linalg.det(aligned.transform[:2, :2]))))
    first = max(aligned.first.shape) / max(1, max(facts_first.width, facts_first.height))
    second = max(aligned.second.shape) / max(1, max(facts_second.width, facts_second.height))
    return float(in_frames * first / second)


def _stretch(aligned: Aligned, facts_first: Facts, facts_second: Facts) -> float:
    """The change of width relative to height from the first file to the second, in the second's directions."""
    along_x, along_y = (float(np.hypot(aligned.transform[0, axis], aligned.transform[1, axis])) for axis in (0, 1))
    # In the files' own pixels: a preview has the proportions of its file, within a pixel.
    first, second = aligned.first.shape, aligned.second.shape
    width, height = facts_first.width, facts_first.height
    if aligned.turn in TRANSPOSED:
        width, height = height, width
    along_x *= first[1] / max(1, width) * max(1, facts_second.width) / second[1]
    along_y *= first[0] / max(1, height) * max(1, facts_second.height) / second[0]
    stretch = float(max(1e-6, along_x) / max(1e-6, along_y))
    return stretch if abs(aligned.transform[0, 0]) >= abs(aligned.transform[1, 0]) else 1 / stretch


def _crop_or_frame(aligned: Aligned) -> dict[str, Any]:
    """Which picture shows only a part of the other, and which part."""
    share_first, share_second = _shares(aligned)
    less, more = sorted((share_first, share_second))
    if less >= REPORTED.tilted and 1 - more > REPORTED.max_of_other * (1 - less):
        return {}
    if share_first < REPORTED.whole <= share_second + REPORTED.slack:
        back = np.asarray(np.linalg.inv(aligned.transform), np.float64)
        box = _unturned(_box(aligned.second.shape, back, aligned.first.shape), aligned.turn)
        of, framed = "first", is_frame(aligned.first, aligned.covered_first)
    elif share_second < REPORTED.whole <= share_first + REPORTED.slack:
        box = _box(aligned.first.shape, aligned.transform, aligned.second.shape)
        of, framed = "second", is_frame(aligned.second, aligned.covered)
    else:
        return {}
    return {"frame": of} if framed else {"crop": {"of": of, "box": _rounded(box)}}


def _shares(aligned: Aligned) -> tuple[float, float]:
    """The share of each picture that the other shows, by the outlines of both. Whole pixels of the frame of alignment
    would be too coarse: a crop by 2 % of both sides takes 4 % of it, and a pixel at each edge is 2 %."""
    first = transforms.warped_corners(aligned.first.shape, aligned.transform).astype(np.float32)
    second = transforms.warped_corners(aligned.second.shape, np.eye(3)).astype(np.float32)
    common = float(cv2.intersectConvexConvex(first, second)[0])
    return min(1.0, common / max(1.0, cv2.contourArea(first))), min(1.0, common / cv2.contourArea(second))


def _where(aligned: Aligned) -> dict[str, list[float]]:
    """The bounding box of all that differs, in each picture, as fractions of its sides."""
    rows, columns = np.nonzero(aligned.similarity.different)
    height, width = aligned.second.shape
    x0, y0 = BLOCK * int(columns.min()), BLOCK * int(rows.min())
    x1, y1 = min(width, BLOCK * int(columns.max() + 1)), min(height, BLOCK * int(rows.max() + 1))
    corners = np.array([[[x0 - 0.5, y0 - 0.5], [x1 - 0.5, y0 - 0.5], [x1 - 0.5, y1 - 0.5], [x0 - 0.5, y1 - 0.5]]])
    back = cv2.perspectiveTransform(corners, np.linalg.inv(aligned.transform))[0]
    in_first = _unturned(_fractions(np.asarray(back, np.float64), aligned.first.shape), aligned.turn)
    return {"first": _rounded(in_first), "second": _rounded(_fractions(corners[0], aligned.second.shape))}


def _box(shape: tuple[int, ...], over: Map, target: tuple[int, ...]) -> Box:
    """The bounding box of a picture in another one, as fractions of that one's sides."""
    return _fractions(transforms.warped_corners(shape, over), target)


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


def _tone(aligned: Aligned, first: Prepared, second: Prepared, mapping: Colours) -> dict[str, Any]:
    tone: dict[str, Any] = {}
    # A white caption makes no picture brighter.
    same = aligned.covered & ~_differing(aligned)
    levels_first, levels_second = aligned.warped[same], aligned.second[same]
    if levels_first.size < 64:
        return tone
    contrast = float(levels_second.std() / max(1e-3, levels_first.std()))
    brightness = float(levels_second.mean() - levels_first.mean())
    if not REPORTED.min_contrast <= contrast <= REPORTED.max_contrast:
        tone["contrast"] = max(0.01, round(contrast, 2))
    if abs(brightness) >= REPORTED.min_brightness:
        tone["brightness"] = round(brightness)
    grey_first, grey_second = first.colourful < REPORTED.grey, second.colourful < REPORTED.grey
    if grey_first != grey_second:
        tone["grey"] = "first" if grey_first else "second"
    elif not grey_first:
        tone |= _colours(aligned, first, second, mapping)
    return tone


def _differing(aligned: Aligned) -> Mask:
    """Where the pictures show different things, with a margin of one block."""
    blocks = aligned.similarity.different
    if not blocks.size:
        return np.zeros(aligned.second.shape, np.bool_)
    # Pixels beyond the last whole block count as that block.
    sides = zip(aligned.second.shape, blocks.shape, strict=True)
    rows, columns = (np.minimum(np.arange(side) // BLOCK, of - 1) for side, of in sides)
    return np.asarray(grown(blocks, 1)[np.ix_(rows, columns)], np.bool_)


def _colours(aligned: Aligned, first: Prepared, second: Prepared, mapping: Colours) -> dict[str, Any]:
    """Changes of colour; none if one is only a part of the other, since colours are measured over whole pictures, nor
    where a thing has another colour."""
    if mapping.degrees and mapping.same:
        return {"hue": round(mapping.degrees)}
    colours: dict[str, Any] = {}
    if min(_shares(aligned)) < REPORTED.min_coloured or not mapping.same:
        return colours
    saturation = second.colourful / first.colourful
    if not REPORTED.min_saturation <= saturation <= 1 / REPORTED.min_saturation:
        colours["saturation"] = round(saturation, 2)
    # Stronger colours are also warmer where they were warm: saturation accounts for that.
    warmth = second.warmth - first.warmth * saturation
    if abs(warmth) >= REPORTED.min_warmth:
        colours["warmth"] = round(warmth)
    return colours
