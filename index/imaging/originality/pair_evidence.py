"""PURE: the traces of two pictures -> what shows that the second was made from the first, and what the opposite.

Proofs bear a direction: the second lacks what it cannot have lost by accident, or carries what only a later file does.
Signs are weaker: there are originals and copies with either. Each is a number of at least 0; what it is worth is in the
weights of `model`.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from index.imaging.originality.block_traces import grid_after, grids
from index.imaging.originality.earlier_coding import Shares, coding_shares, table_likelihood
from index.imaging.originality.inheritance import shared_traits
from index.imaging.originality.overlays import is_overlaid
from index.imaging.originality.pixel_traces import BANDS, PERIODS
from index.imaging.originality.trace import CAMERA, FULL, NO_RECORD, FileMarks, Trace
from index.imaging.thresholds import threshold
from index.model import RAW_FORMATS, TRANSPOSED, Facts, Turn

Evidence = Mapping[str, Any]

# Stored with the findings of every pair; those of another version are made again.
VERSION: Final = "findings/10"


@dataclass(frozen=True, slots=True)
class TraceLimits:
    """From when on a trace counts."""

    same_scale: float = threshold(0.03, "share of a side", "Pictures nearer in size have the same resolution.")
    min_information: float = threshold(300.0, "information", "Below, pictures of other origin reach a share of 0.97.")
    min_coded: float = threshold(0.3, "share", "Pictures not made from each other stay below 0.2.")
    full_coded: float = threshold(0.55, "share", "A copy saved again has 0.7 to 1.1, on another grid 0.5 to 0.85.")
    max_coded: float = threshold(1.4, "ratio", "Above, few values stand out by chance.")
    min_information_of_tones: float = threshold(1500.0, "information", "Among so many gains, more is needed.")
    max_uncoded: float = threshold(0.1, "share", "Below, it was not coded with that table.")
    max_full_range: float = threshold(0.5, "ratio", "Of the period of limited range; above, both may have had it.")
    max_chance: float = threshold(0.85, "ratio", "The same; one in fifty pictures reaches 0.85 by chance.")
    min_limited: float = threshold(1.15, "ratio", "The same; one in five hundred reaches 1.1, nine in ten from WebP.")
    min_noise_kept: float = threshold(0.5, "ratio", "Of the noise; where less is left, limited range proves nothing.")
    whole: float = threshold(0.985, "share of a picture", "As for a crop that is reported; edges differ by less.")
    min_wedges: int = threshold(2, "corners", "One empty corner may be a dark corner.")
    gain_reach: float = threshold(1.3, "ratio", "Clipping lowers the contrast that is measured by so much.")
    converted_unrecorded: float = threshold(0.35, "share of a proof", "Pictures of the web are converted both ways.")
    same_gain: float = threshold(1.06, "ratio", "Where it is measured, it is right within this; others are of chance.")


TRACE: Final = TraceLimits()

# Formats that files get from programs, not from cameras.
CONVERTED: Final = frozenset({"WEBP", "AVIF", "GIF", "BMP"})
RECORDED: Final = frozenset({"HEIF", "DNG"})
LOSSLESS: Final = frozenset({"PNG", "BMP", "TIFF"})
PROGRAM_MARKS: Final = frozenset({"adobe", "photoshop", "ducky", "facebook"})
SCALE_STEPS: Final = 200
GAINS: Final = np.geomspace(1 / TRACE.gain_reach, TRACE.gain_reach, 41)
ONCE_AND_TWICE: Final = np.array([1.0, 2.0])
# Of a table that shows at a gain, as a log-likelihood.
TABLE_AT_A_GAIN: Final = 3.0


@dataclass(frozen=True, eq=False)
class Member:
    """A content as the comparison sees it."""

    facts: Facts
    trace: Trace | None
    size_bytes: int = 0


def made_from(original: Member, copy: Member, evidence: Evidence) -> dict[str, float]:
    """What shows that `copy` was made from `original`: names of proofs and signs, each with its strength above 0.

    `evidence` is that of their match, led from the original to the copy.
    """
    found = dict(_containment(evidence, original, copy))
    scale = _steady(float(evidence.get("scale", 1.0)))
    if original.trace is not None and copy.trace is not None:
        found |= _of_marks(original.trace, copy.trace)
        found |= _of_coding(original.trace, copy.trace, evidence, scale)
        found |= _of_pixels(original.trace, copy.trace, evidence, scale)
        found["overlaid"] = float(_is_overlaid(original.trace, copy.trace, evidence, scale))
        found |= shared_traits(
            original.trace,
            copy.trace,
            (original.facts, copy.facts),
            evidence,
            same_scale=abs(scale - 1) <= TRACE.same_scale,
        )
    found |= _of_facts(original.facts, copy.facts)
    found["converted"] = _conversion(original, copy, scale)
    return {name: round(strength, 3) for name, strength in found.items() if strength > 0}


def _steady(scale: float) -> float:
    """The scale to half a hundredth: evidence is rounded, and reversed evidence is not quite what it was."""
    return math.exp(round(SCALE_STEPS * math.log(max(scale, 1e-4))) / SCALE_STEPS)


def _containment(evidence: Evidence, original: Member, copy: Member) -> dict[str, float]:
    found: dict[str, float] = {}
    crop = evidence.get("crop")
    if crop and crop["of"] == "first":
        left, top, right, bottom = crop["box"]
        found["part"] = float((right - left) * (bottom - top) < TRACE.whole)
    if evidence.get("frame") == "second":
        found["framed"] = 1.0
    if evidence.get("tone", {}).get("grey") == "second":
        found["grey"] = 1.0
    frames = evidence.get("frames")
    if frames and frames[0] > frames[1]:
        found["one_frame"] = 1.0
    if original.trace is not None and copy.trace is not None and "tilt" in evidence:
        found["straightened"] = float(copy.trace.pixels.wedges >= TRACE.min_wedges > original.trace.pixels.wedges)
    return found


def _is_overlaid(original: Trace, copy: Trace, evidence: Evidence, scale: float) -> bool:
    """Whether something was put over the copy; only where both show the same at the same resolution."""
    if abs(scale - 1) > TRACE.same_scale or evidence.keys() & {"crop", "frame", "tilt", "apart"}:
        return False
    return is_overlaid(original.edges, copy.edges, Turn(evidence.get("turn", Turn.NONE)))


def _of_marks(original: Trace, copy: Trace) -> dict[str, float]:
    one, other = original.marks, copy.marks
    return {
        "no_record": float(one.record >= CAMERA and other.record == NO_RECORD and not _is_signed(one)),
        "less_record": float(one.record == FULL and NO_RECORD < other.record < FULL),
        "maker_note": float(one.maker_note and not other.maker_note),
        "signed": float(_is_signed(other) and not _is_signed(one)),
        "thumbnail": float(other.thumbnail == "other" and one.thumbnail != "other"),
        "other_size": float(other.resized and not one.resized and one.record > NO_RECORD),
        # EXIF gives the very size of the original, which the copy has not.
        "recorded_size": float(other.resized and other.recorded == _sides(original)),
        "modified": float(other.modified and not one.modified and one.record > NO_RECORD),
        "upright": float(one.turned and not other.turned),
        "program": float(bool(PROGRAM_MARKS & set(copy.jpeg.marks)) and not PROGRAM_MARKS & set(original.jpeg.marks)),
        "progressive": float(copy.jpeg.progressive and not original.jpeg.progressive and bool(original.jpeg.luminance)),
    }


def _sides(trace: Trace) -> tuple[int, int]:
    return min(trace.width, trace.height), max(trace.width, trace.height)


def _is_signed(marks: FileMarks) -> bool:
    return bool(marks.editor) or marks.history


def _of_coding(original: Trace, copy: Trace, evidence: Evidence, scale: float) -> dict[str, float]:
    """Whether the copy's coefficients show the original's table; only where both have the same resolution."""
    table = original.jpeg.luminance
    if not table or abs(scale - 1) > TRACE.same_scale or not copy.blocks:
        return {}
    turn = Turn(evidence.get("turn", Turn.NONE))
    transposed = turn in TRANSPOSED
    own = copy.jpeg.luminance
    shares = []
    for number in _grids_of(original, copy, turn):
        # In blocks of another grid, its own coding is noise.
        coding = () if number else own
        noise = math.sqrt(sum(step**2 for step in own[1:28]) / 27 / 12) if number and own else 0.0
        blocks = copy.blocks[number]
        shares.append(coding_shares(blocks, coding, table, transposed=transposed, gains=ONCE_AND_TWICE, noise=noise))
    plain = max((_alone(one) for one in shares if one.information[0] >= TRACE.min_information), default=None)
    of_group = _of_table(shares)
    if plain is not None and plain > TRACE.min_coded:
        return {"coded": _between(plain, TRACE.min_coded, TRACE.full_coded)} | of_group
    tone = evidence.get("tone", {})
    if tone.keys() & {"brightness", "contrast"}:
        # Tables of one encoder are multiples of each other: only gains about that which was measured are looked for.
        gains = float(tone.get("contrast", 1.0)) * GAINS
        reached = coding_shares(copy.blocks[0], own, table, transposed=transposed, gains=gains)
        known = np.where(reached.information >= TRACE.min_information_of_tones, reached.share, 0.0)
        best = int(known.argmax())
        gain = float(gains[best])
        found = _alone(coding_shares(copy.blocks[0], own, table, transposed=transposed, gains=gain * ONCE_AND_TWICE))
        if known.any() and found > TRACE.min_coded and _is_measured(tone, float(GAINS[best])):
            coded = _between(found, TRACE.min_coded, TRACE.full_coded)
            return {"coded": coded, "table": coded * TABLE_AT_A_GAIN}
    # Its coefficients would show the original's table, and do not: then it is not a plain copy of it.
    return {"uncoded": float(plain is not None and plain < TRACE.max_uncoded)} | of_group


def _of_table(shares: Collection[Shares]) -> dict[str, float]:
    """How much likelier the copy shows what it does of the table if it was made from the original than if not, also
    where that is too little for a proof: together, several copies may show what one does not."""
    best = max(shares, key=lambda one: float(one.information[0]))
    likelihood = table_likelihood(_alone(best), float(best.information[0]))
    return {"table": likelihood, "no_table": -likelihood}


def _is_measured(tone: Evidence, beyond: float) -> bool:
    """Whether a gain agrees with the tones: a picture that was saved before with any table shows, at some gain, a table
    of like shape. `beyond` is the gain relative to the contrast that was measured; where that is too near to 1 to be
    reported, a brighter picture has more contrast, but for what was clipped."""
    if "contrast" in tone:
        return 1 / TRACE.same_gain <= beyond <= TRACE.same_gain
    return (beyond >= 1 / TRACE.same_gain) if tone["brightness"] > 0 else (beyond <= TRACE.same_gain)


def _grids_of(original: Trace, copy: Trace, turn: Turn) -> Collection[int]:
    """The numbers of those grids of the copy that may be the original's; all of them where a file is shown turned, as
    their pixels then are not related by `turn`."""
    if original.marks.turned or copy.marks.turned:
        return range(len(copy.blocks))
    return (grids(copy.width, copy.height).index(grid_after(turn, copy.width, copy.height)),)


def _alone(shares: Shares) -> float:
    """The share of a table, less that of one with twice its steps: multiples of those are multiples of these as well,
    so that a coarser table shows as both."""
    share = float(shares.share[0])
    return share - max(0.0, float(shares.share[1])) if share <= TRACE.max_coded else 0.0


def _between(value: float, none: float, full: float) -> float:
    """How far a value is on its way from nothing to the full strength, 0 to 1."""
    return min(1.0, max(0.0, (value - none) / (full - none)))


def _of_pixels(original: Trace, copy: Trace, evidence: Evidence, scale: float) -> dict[str, float]:
    one, other = original.pixels, copy.pixels
    if not one.busy or not other.busy:
        return {}
    if abs(scale - 1) > TRACE.same_scale:
        return _of_scale(original, copy, scale)
    finest = slice(BANDS * 3 // 4, BANDS)
    differences = {
        "busy": float(np.mean(one.busy[finest]) - np.mean(other.busy[finest])),
        "quiet": float(np.mean(one.quiet[finest]) - np.mean(other.quiet[finest])),
    }
    found = {f"less_{name}": min(1.0, max(0.0, value)) for name, value in differences.items()}
    found |= {f"more_{name}": min(1.0, max(0.0, -value)) for name, value in differences.items()}
    if one.limited < TRACE.max_full_range and not _hides_levels(evidence):
        found["limited"] = _between(other.limited, TRACE.max_chance, TRACE.min_limited)
    found["uneven"] = min(1.0, 4 * max(0.0, other.uneven - one.uneven))
    found["clipped"] = min(1.0, 20 * max(0.0, other.clipped - one.clipped))
    return found


def _hides_levels(evidence: Evidence) -> bool:
    """Whether the first picture may have had the period of limited range as well: brighter or darker levels and noise
    leave nothing of it. WebP lowers the noise, too, but not to less than half."""
    return bool(evidence.get("tone", {}).keys() & {"brightness", "contrast"}) or (
        evidence.get("noise", 1.0) < TRACE.min_noise_kept
    )


def _of_scale(original: Trace, copy: Trace, scale: float) -> dict[str, float]:
    """Whether the larger picture has detail beyond the resolution of the smaller one."""
    larger, smaller = (original, copy) if scale < 1 else (copy, original)
    ratio = min(scale, 1 / scale)
    frequency = (np.arange(BANDS) + 0.5) / (2 * BANDS)
    cut = 0.5 * ratio
    below = (frequency > 0.6 * cut) & (frequency < 0.9 * cut)
    above = (frequency > 1.08 * cut) & (frequency < min(1.5 * cut, 0.5))
    found: dict[str, float] = {"smaller": 1.0} if scale < 1 else {}
    falls = [0.0, 0.0]
    if below.any() and above.any():
        falls = [
            float(np.mean(np.asarray(power)[below]) - np.mean(np.asarray(power)[above]))
            for power in (larger.pixels.busy, larger.pixels.quiet)
        ]
    period = _period(larger, 1 / ratio), _period(smaller, ratio)
    if scale < 1:
        found["detail"] = min(1.0, max(0.0, (1.15 - falls[0]) / 0.5))
        found["quiet_detail"] = min(1.0, max(0.0, (0.9 - falls[1]) / 0.5))
        # Where an enlargement would show its period, and none is there.
        found["no_period"] = min(1.0, max(0.0, (2.6 - period[0]) / 0.8)) if period[0] else 0.0
        found["reduced_period"] = min(1.0, max(0.0, (period[1] - 2.5) / 4))
    else:
        found["no_detail"] = min(1.0, max(0.0, (falls[0] - 1.1) / 0.4))
        found["no_quiet_detail"] = min(1.0, max(0.0, (falls[1] - 1.0) / 0.4))
        found["enlarged_period"] = min(1.0, max(0.0, (period[0] - 2.5) / 4))
    return found


def _period(trace: Trace, factor: float) -> float:
    """How strongly a picture rises and falls with the period of pixels resized by `factor`, 1 for not at all; 0 for
    periods that blocks of 8 pixels have as well, or that leave no trace."""
    periods = trace.pixels.periods
    frequency = (1 / factor) % 1
    frequency = min(frequency, 1 - frequency)
    place = int(frequency * 2 * PERIODS)
    block = round(frequency * 8) / 8
    if not periods or frequency < 0.04 or frequency > 0.48 or abs(frequency - block) < 0.02:
        return 0.0
    return max(periods[max(0, place - 1) : place + 2]) / 10


def _conversion(original: Member, copy: Member, scale: float) -> float:
    """Whether the copy has a format that files get from programs, 0 to 1. It proves something where the other was
    recorded as it is; a JPEG without a record may have been made from the WebP or AVIF just as well. A conversion
    enlarges nothing."""
    if copy.facts.format not in CONVERTED or scale > 1 + TRACE.same_scale:
        return 0.0
    if original.facts.format in RECORDED:
        return 1.0
    if original.facts.format != "JPEG":
        return 0.0
    marks = None if original.trace is None else original.trace.marks
    recorded = marks is not None and marks.record >= CAMERA and not _is_signed(marks)
    return 1.0 if recorded else TRACE.converted_unrecorded


def _of_facts(original: Facts, copy: Facts) -> dict[str, float]:
    found = {
        "from_raw": float(original.format in RECORDED and copy.format not in RECORDED),
        "lossless": float(original.format == "JPEG" and copy.format in LOSSLESS),
        "palette": float(copy.mode in {"P", "PA"} and original.mode not in {"P", "PA"}),
        "depth": float(original.bit_depth > copy.bit_depth and copy.format not in RAW_FORMATS),
        "saved_again": float(bool(copy.earlier_quality) and not original.earlier_quality),
    }
    if original.jpeg_quality and copy.jpeg_quality:
        better = original.jpeg_quality - copy.jpeg_quality
        found["lower_quality"] = min(1.0, max(0.0, (better - 2) / 15))
        found["higher_quality"] = min(1.0, max(0.0, (-better - 2) / 15))
        # Cameras save at 85 to 98; what is lower was compressed for sending.
        found["poor"] = float(copy.jpeg_quality < 78 <= original.jpeg_quality)
        found["best"] = float(copy.jpeg_quality >= 99 > original.jpeg_quality)
    return found
