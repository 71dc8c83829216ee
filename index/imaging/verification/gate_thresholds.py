"""PURE: what a gate reports, and the thresholds of the gates of the verifier, one structure for each gate.

Real copies and look-alikes were measured on both sides of each: see docs/measurements/verification.md. A "graphic" is a
drawing, a form or a screen; a "level" is a grey level of 256. Pixels are those of the frame in which a gate compares:
256 on the longer side, 448 for the fine gates.
"""

from dataclasses import dataclass
from typing import Final

from index.imaging.thresholds import threshold
from index.imaging.verification.unproposed_limits import FITTED


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition that a pair of pictures met or did not, with what was measured and its limit."""

    name: str
    value: float
    limit: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Texture:
    """Blocks of 16 pixels with any texture."""

    min_blocks: int = threshold(8, "blocks", "Without texture there is nothing to compare.")
    min_share: float = threshold(0.1, "share of blocks", "Enough in a thumbnail, which has few blocks in all.")
    min_blocks_of_few: int = threshold(
        4,
        "blocks",
        "Never fewer. Enough where they agree perfectly: the moon in the night sky covers no more.",
    )
    min_median_of_few: float = threshold(
        0.97, "correlation", "At this median, with none that differs, so few are enough."
    )


@dataclass(frozen=True, slots=True)
class Contained:
    """The share of one picture that the other shows too, the larger of both."""

    min_share: float = threshold(0.80, "share of a picture", "One of the two must lie nearly within the other.")


@dataclass(frozen=True, slots=True)
class Exclusive:
    """The share that only one picture shows, of the picture with less of it; a fill in one colour shows nothing."""

    max_share: float = threshold(0.008, "share of a picture", "A crop shows nothing that its original does not show.")


@dataclass(frozen=True, slots=True)
class Correlation:
    """The median correlation of the blocks, each less its mean and slope."""

    min_median: float = threshold(0.85, "correlation", "The same picture agrees nearly everywhere.")


@dataclass(frozen=True, slots=True)
class Different:
    """The share of the blocks that show something else."""

    max_share: float = threshold(0.02, "share of blocks", "A burst or a re-filled form differs in many places.")
    max_share_of_graphic: float = threshold(
        0.004, "share of blocks", "A small difference in a graphic is another text."
    )


@dataclass(frozen=True, slots=True)
class Stamp:
    """One or two places that may show something else, except in a graphic: a stamp, a caption, a sticker."""

    max_area: float = threshold(0.20, "share of the picture", "Each place alone, and both together.")
    max_blocks: float = threshold(0.45, "share of blocks", "Most of what has texture must agree.")
    max_of_middle: float = threshold(
        0.5, "share of the middle ninth", "A window around other content has all else in common."
    )
    min_solid: float = threshold(0.6, "share of blocks in the place", "Changed words all over a form are no stamp.")
    max_elsewhere: float = threshold(0.025, "share of blocks", "What differs beside the stamp.")
    min_median: float = threshold(0.95, "correlation", "All else must agree the better.")
    min_agreeing: int = threshold(24, "blocks", "Enough must be left that agrees.")


@dataclass(frozen=True, slots=True)
class Graphic:
    """What is plain: both pictures reach one of these shares. It is a graphic if it is drawn in strokes, too."""

    min_plain: float = threshold(0.62, "share of pixels", "Equal to their neighbours: not even noise is there.")
    min_background: float = threshold(0.45, "share of pixels", "Of one tone, from which something stands out.")


@dataclass(frozen=True, slots=True)
class NoiseEvidence:
    """When noise can be compared, and when it proves that two pictures come from one exposure."""

    formats: frozenset[str] = threshold(frozenset(("BMP", "JPEG", "PNG", "TIFF")), "formats", "Others smooth it away.")
    min_quality: int = threshold(80, "JPEG quality", "Coarser quantisation replaces the noise of the sensor.")
    strong: float = threshold(0.7, "levels", "Weaker noise is little more than what JPEG and the previews leave.")
    same_coherence: float = threshold(0.85, "correlation", "From here on the noise is the same: so is the exposure.")
    agreeing: float = threshold(
        0.95, "covariance / lower variance", "Nearly the same: one was sharpened, or noise was added or removed."
    )
    agreeing_coherence: float = threshold(
        0.8, "correlation", "An average of many exposures shares a part of the noise of each, but less than this."
    )


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Blocks whose details could be measured."""

    min_blocks: int = threshold(6, "blocks of 32 pixels", "The median of fewer shifts says nothing.")
    min_blocks_by_hash: int = threshold(
        2, "blocks of 32 pixels", "Of a thumbnail that a hash proposes, or a stretched copy."
    )
    stretched: float = threshold(
        1.03,
        "ratio of the sides",
        "A map that stretches by more also asks for so many, as any smooth picture can be stretched over another: of "
        "140 stretched copies none has fewer than 4.",
    )
    min_correlation: float = threshold(
        0.92,
        "median correlation",
        "What proves a thumbnail with fewer: of 72 such copies of 90 pixels none has less than 0.946, a part of "
        "another photograph had 0.873.",
    )


@dataclass(frozen=True, slots=True)
class Registration:
    """The median shift of details against each other, in pixels of the coarser picture."""

    max_shift_px: float = threshold(
        0.10, "pixels", "Details of a copy fall on those of the original; those of another exposure do not."
    )
    coarse_quality: int = threshold(20, "JPEG quality", "Up to here quantisation itself shifts details.")
    coarse_factor: float = threshold(3.0, "times max_shift_px", "The limit at that quality.")
    thumbnail_px: int = threshold(224, "pixels", "In smaller pictures the shifts of another exposure cannot be seen.")
    thumbnail_factor: float = threshold(1.5, "times max_shift_px", "The limit for such thumbnails.")
    same_noise_factor: float = threshold(
        2.0, "times max_shift_px", "The limit for the same noise: the shifts come from what was done to the tones."
    )
    agreeing_noise_factor: float = threshold(1.5, "times max_shift_px", "The limit where the noise is nearly the same.")
    untouched_factor: float = threshold(
        0.7, "times max_shift_px", "The limit for the same tone and sharpness, where nothing else shifts details."
    )
    same_level: float = threshold(4.0, "levels", "Means that differ by less have the same brightness.")
    same_contrast: float = threshold(1.05, "ratio", "Deviations whose ratio is less have the same contrast.")
    same_gain: float = threshold(2.0, "ratio", "Fine detail in quiet places that is stronger than this was sharpened.")
    other_gain: float = threshold(1.5, "ratio", "The same for detail that was lost (lost_detail_coherence).")
    lost_detail_coherence: float = threshold(0.6, "correlation", "Below, fine detail is lost: less is left to measure.")
    lost_detail_factor: float = threshold(
        1.5, "times max_shift_px", "The limit for blurred and sharpened pictures: sharpening rings."
    )
    other_sharpness: float = threshold(
        1.3,
        "ratio",
        "Of the strength of all fine detail: beyond, one is sharper. An average of a burst has 1 / 1.27.",
    )
    min_coherence: float = threshold(
        0.2, "correlation", "Below, fine detail in quiet places does not support a pair that no hash proposes."
    )
    max_shift_unproven_px: float = threshold(
        0.03, "pixels", "The limit for such a pair: photographs of one chart agree in all but the finest detail."
    )
    max_shift_by_features_px: float = threshold(
        0.06,
        "pixels",
        "The limit for every pair that no hash proposes. Of 4,853 pairs of copies 17 have more, each of two cut out or "
        "bent; two photographs of one chart by two cameras have 0.08.",
    )
    many_blocks: float = threshold(
        FITTED["many_blocks"],
        "blocks",
        "Measured in so many, the shift of such a pair counts as it is, unless its noise is nearly the same: an "
        "allowance for chance is largest where shifts differ from block to block, as those of two cameras do.",
    )


@dataclass(frozen=True, slots=True)
class Exposure:
    """The covariance of the noise, for one of the lower variance. A copy has more, a second exposure less."""

    still_px: float = threshold(
        0.015, "pixels", "Neither noise nor shift decides alone: details shifted by more ask for more agreement."
    )
    still_weak: float = threshold(0.45, "agreement", "Least agreement of weak noise, for a shift up to still_px.")
    still_strong: float = threshold(0.75, "agreement", "The same for strong noise.")
    unproposed: float = threshold(
        FITTED["unproposed"],
        "agreement",
        "Least agreement for a pair that no hash proposes. Fitted on parts and frames.",
    )
    unproposed_uneven: float = threshold(
        FITTED["unproposed_uneven"],
        "agreement",
        "The same where the noise is uneven. Two cameras before a chart: 0.09.",
    )
    still_max_unevenness: float = threshold(
        1.35, "times chance", "More uneven noise is ignored. Nine exposures by one camera so near have 1.14 or less."
    )
    shifted_weak: float = threshold(0.75, "agreement", "Least agreement of weak noise, for a larger shift.")
    shifted_strong: float = threshold(0.8, "agreement", "The same for strong noise.")
    shifted_max_unevenness: float = threshold(
        2.0, "times chance", "More uneven noise is ignored. Nine more exposures, within 0.05 pixels, have 1.7 or less."
    )
    max_shift_uneven_px: float = threshold(
        0.05, "pixels", "Up to here uneven noise is ignored: a sensor's is even, that of quantisation is not."
    )
    min_comparable: float = threshold(0.5, "share of blocks", "With about as strong noise in both; else it is ignored.")
    min_comparable_remade: float = threshold(
        0.3, "share of blocks", "The same for what was resized, cropped or tilted, which has fewer of them."
    )
    same_frame: float = threshold(0.97, "share of a picture", "Both show this share of the other: neither was cropped.")
    same_size: float = threshold(0.01, "share of a side", "Sides that differ by no more were not resized.")
    max_tilt: float = threshold(0.005, "pixels a pixel", "Beyond, interpolation has smoothed the noise.")


@dataclass(frozen=True, slots=True)
class Records:
    """How far the settings that two cameras recorded may differ for one exposure."""

    same_setting: float = threshold(
        1.04,
        "ratio",
        "Of exposure times, apertures, ISO: some write 0.0167 for 1/60. A third of a stop is 1.12.",
    )
    same_bias_ev: float = threshold(0.1, "stops", "Of the exposure bias: a third of a stop is 0.33, or 0.3.")


@dataclass(frozen=True, slots=True)
class Readable:
    """The share of the larger picture's detail that is lost in a small graphic, median of the blocks with detail."""

    below_px: int = threshold(300, "pixels", "Of graphics that are smaller than this and than the other.")
    max_lost: float = threshold(
        0.12, "share of variance", "Of the detail of text a quarter and more is lost at 160 pixels, of shapes a tenth."
    )
    max_lost_noisy: float = threshold(0.2, "share of variance", "With noise: things may have a fine pattern.")
    min_deviation: float = threshold(5.0, "levels", "Blocks that vary less have no detail.")


@dataclass(frozen=True, slots=True)
class Detail:
    """The share of a graphic's blocks that show another detail, at the finer scale and the same sharpness."""

    min_correlation: float = threshold(0.8, "correlation", "Without noise, blocks with the same text agree better.")
    max_share: float = threshold(0.01, "share of blocks", "In a graphic without noise.")
    max_share_noisy: float = threshold(
        0.003, "share of blocks", "In a graphic with noise: of the blocks that are different as in the coarse gate."
    )


@dataclass(frozen=True, slots=True)
class Possible:
    """A pair that fails a gate is reported as `possible` within these limits."""

    min_median: float = threshold(0.75, "correlation", "Worth a person's attention, though not certain.")
    max_different: float = threshold(0.20, "share of blocks", "The same; what is only stamped may differ in more.")


@dataclass(frozen=True, slots=True)
class FineScale:
    """Only pairs within these limits are compared at the finer scale, which takes most of the time."""

    min_median: float = threshold(0.6, "correlation", "Correcting the map makes no match of what is below.")
    max_different: float = threshold(0.5, "share of blocks", "The same.")


TEXTURE: Final = Texture()
CONTAINED: Final = Contained()
EXCLUSIVE: Final = Exclusive()
CORRELATION: Final = Correlation()
DIFFERENT: Final = Different()
STAMP: Final = Stamp()
GRAPHIC: Final = Graphic()
NOISE: Final = NoiseEvidence()
WITNESSES: Final = Witnesses()
REGISTRATION: Final = Registration()
EXPOSURE: Final = Exposure()
RECORDS: Final = Records()
READABLE: Final = Readable()
DETAIL: Final = Detail()
POSSIBLE: Final = Possible()
FINE_SCALE: Final = FineScale()
