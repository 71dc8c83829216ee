"""PURE: two pictures -> is it the same picture, how sure, and the evidence.

Both are laid over each other and compared block by block. The same picture agrees nearly everywhere, and its details
fall on each other, however it was encoded, brightened, cropped or framed; a burst, a form filled in anew or a screen in
another language agrees in many places and differs in many others. What differs in one place or two only, as stamps and
captions do, is told and let pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.model import Facts, Kind, Turn
from index.verification import align
from index.verification.account import tell
from index.verification.align import Grey, Map, Mask
from index.verification.blocks import in_blocks
from index.verification.evidence import mirrored
from index.verification.exposure import Noise, noise
from index.verification.laying import FINE_FRAME, Laid, Prepared, prepare, rescaled, turned, ways
from index.verification.registration import LEAST_BLOCKS, Registration, matched, register
from index.verification.sharpness import Sharpness, sharpness
from index.verification.similarity import BLOCK, DIFFERENT, Similarity, compare

__all__ = ["Gate", "Judgement", "Prepared", "judge", "prepare"]


@dataclass(frozen=True, slots=True)
class NoiseLimits:
    """The least agreement of noise: where it is weak, little more than what JPEG and the views leave, and where it is
    strong. What is more uneven than `uneven` tells nothing."""

    weak: float
    strong: float
    uneven: float


# The gates. Real copies and look-alikes were measured on both sides of each: docs/verification.md.
LEAST_TEXTURED: Final = 8
# A thumbnail has few blocks in all, and the moon in the night sky covers few: these must agree all the better.
LEAST_MEDIAN_OF_FEW: Final = 0.97
LEAST_TEXTURED_SHARE: Final = 0.1
FEWEST_TEXTURED: Final = 4
LEAST_CONTAINED: Final = 0.80
MOST_EXCLUSIVE: Final = 0.008
LEAST_MEDIAN: Final = 0.85
MOST_DIFFERENT: Final = 0.02
MOST_ELSEWHERE: Final = 0.025
# A place or two may show something else: this share of the whole, most of its blocks, and enough agrees beside it.
MOST_IN_ONE_PLACE: Final = 0.20
MOST_STAMPED: Final = 0.45
# Not the middle, though: a window around other content has all else in common.
MOST_OF_MIDDLE: Final = 0.5
LEAST_MEDIAN_STAMPED: Final = 0.95
LEAST_SOLID: Final = 0.6
LEAST_AGREEING: Final = 24
# A drawing, a form or a screen: this share of it is perfectly plain, or this share of one tone. There a small
# difference is another text.
GRAPHIC_PLAIN: Final = 0.62
GRAPHIC_GROUND: Final = 0.45
MOST_DIFFERENT_GRAPHIC: Final = 0.004
# The same at the finer scale, where blocks with the same text agree better than this if there is no noise.
SAME_DETAIL: Final = 0.8
MOST_OTHER_DETAIL: Final = 0.01
MOST_OTHER_DETAIL_NOISY: Final = 0.003
# Of a drawing smaller than this, in pixels on its longer side, no more than this share of the larger one's detail may
# be lost: of text a quarter is, of shapes next to nothing. Something on white may have a fine pattern.
READABLE_PX: Final = 300
MOST_LOST: Final = 0.12
MOST_LOST_NOISY: Final = 0.2
LEAST_DETAILED: Final = 5.0
# Details of a copy fall on those of the original; those of another exposure do not.
MOST_SHIFT_PX: Final = 0.10
# Coarse quantisation shifts details by itself, and in a thumbnail the shifts of another exposure are not to be seen.
COARSE_QUALITY: Final = 20
COARSE_FACTOR: Final = 3.0
THUMBNAIL_PX: Final = 224
THUMBNAIL_FACTOR: Final = 1.5
# Where even the noise is the same, the exposure is, and the shifts come from what was done to its tones.
SAME_NOISE: Final = 0.85
SAME_NOISE_FACTOR: Final = 2.0
# Nearly so where it was sharpened, or some was added or taken away. An average of many exposures has a share of that
# of each, but less of it.
AGREEING_NOISE: Final = 0.95
AGREEING_COHERENCE: Final = 0.8
AGREEING_NOISE_FACTOR: Final = 1.5
# Where neither tone nor sharpness was touched nothing else shifts details: levels of the mean, and ratios.
UNTOUCHED_FACTOR: Final = 0.7
SAME_LEVEL: Final = 4.0
SAME_CONTRAST: Final = 1.05
SAME_GAIN: Final = 2.0
# Where fine detail was blurred away there is less to tell a shift by, and sharpening rings.
LOST_DETAIL: Final = 0.6
OTHER_GAIN: Final = 1.5
LOST_DETAIL_FACTOR: Final = 1.5
# The strength of all fine detail, noise or not, in one for that in the other. An average of a burst has 1 / 1.27.
OTHER_SHARPNESS: Final = 1.3
# Features alone also propose two photographs that show parts of one chart, where all but the finest agrees. There the
# finest must speak for the pair: by what both have in common in quiet places, or by details that fall on each other.
LEAST_COHERENCE: Final = 0.2
MOST_SHIFT_UNPROVEN_PX: Final = 0.03
# And whatever was done to tones, no more than this: of 4,853 pairs of copies 17 had more, each of two that were both
# cut out or bent; two photographs of one chart by two cameras had 0.08.
MOST_SHIFT_BY_FEATURES_PX: Final = 0.06
# The noise of two exposures agrees less than these, and that of a copy more. Neither the noise nor a shift tells all
# alone: where details are shifted by more than STILL_PX, the noise has more to prove.
STRONG_NOISE: Final = 0.7
STILL_PX: Final = 0.015
# A sensor's noise is as strong in two exposures wherever one looks; quantisation leaves all of it here and none there.
STILL: Final = NoiseLimits(weak=0.45, strong=0.75, uneven=1.35)
SHIFTED: Final = NoiseLimits(weak=0.75, strong=0.8, uneven=2.0)
MOST_SHIFT_UNEVEN_PX: Final = 0.05
# The least share of blocks that can tell. What was resized or got another frame has fewer of them.
LEAST_COMPARABLE: Final = 0.5
LEAST_COMPARABLE_REMADE: Final = 0.3
SAME_FRAME: Final = 0.97
SAME_SIZE: Final = 0.01
TILTED: Final = 0.005
# What keeps the noise: formats, and the least JPEG quality.
KEEP_NOISE: Final = frozenset(("JPEG", "PNG", "BMP", "TIFF"))
LEAST_NOISE_QUALITY: Final = 80
# Worth telling a person about, though it is not enough to be sure.
DOUBTFUL_MEDIAN: Final = 0.75
DOUBTFUL_DIFFERENT: Final = 0.20
# Worth a closer look.
CLOSER_MEDIAN: Final = 0.6
CLOSER_DIFFERENT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition that a pair of pictures met or did not."""

    name: str
    value: float
    limit: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """`kind` is NEAR, POSSIBLE or None; the turn and the evidence lead from the first picture to the second."""

    kind: Kind | None
    confidence: float
    turn: Turn
    evidence: dict[str, Any]
    gates: tuple[Gate, ...]


def judge(
    first: Prepared,
    second: Prepared,
    facts_first: Facts,
    facts_second: Facts,
    hint: Turn | None,
    placed: Sequence[Map] | None = None,
) -> Judgement:
    """Whether two pictures are the same. `hint` is the turn that the hashes suggest, None where they say nothing;
    `placed` is about how the first may lie over the second, from pixels to pixels, as a frame or local features tell:
    empty where these were asked and say nothing, None where they were not.

    Whichever of the two is given first, the answer is the same and its evidence led the other way.
    """
    if first.order < second.order:
        back = None if placed is None else [over for one in placed if (over := align.inverted(one)) is not None]
        said = _judge(second, first, facts_second, facts_first, hint.inverse if hint else None, back)
        return replace(said, turn=said.turn.inverse, evidence=mirrored(said.evidence))
    return _judge(first, second, facts_first, facts_second, hint, placed)


def _judge(
    first: Prepared,
    second: Prepared,
    facts_first: Facts,
    facts_second: Facts,
    hint: Turn | None,
    placed: Sequence[Map] | None,
) -> Judgement:
    graphic = min(first.plain, second.plain) >= GRAPHIC_PLAIN or min(first.ground, second.ground) >= GRAPHIC_GROUND
    best = _best_way(first, second, hint, placed)
    if best is None:
        gate = Gate("aligned", 0.0, 1.0, passed=False)
        return Judgement(None, 0.0, hint or Turn.NONE, {}, (gate,))
    similarity, detail, sharper = best.similarity, Noise(), Sharpness()
    if similarity.median < CLOSER_MEDIAN or similarity.different_share > CLOSER_DIFFERENT:
        gates = _gates(best, graphic)
    else:
        fine = _looked_at_closer(best, first, second)
        best = fine.way
        gates = _gates(best, graphic)
        if all(gate.passed for gate in gates):
            detail, sharper = noise(fine.first, fine.second, fine.where), fine.sharpness
            gates += _fine_gates(fine, (facts_first, facts_second), graphic, detail, by_hash=hint is not None)
    kind = _kind(best, gates)
    if kind is None:
        return Judgement(None, 0.0, best.turn, {}, gates)
    turn, told = tell(best, first, second, facts_first, facts_second, detail, sharper)
    return Judgement(kind, _confidence(best, kind), turn, told, gates)


def _best_way(first: Prepared, second: Prepared, hint: Turn | None, placed: Sequence[Map] | None) -> Laid | None:
    best: Laid | None = None
    for laid in ways(first, second, hint, placed):
        if best is None or laid.score > best.score:
            best = laid
        if best.settled:
            break
    return best


@dataclass(frozen=True, eq=False)
class _Fine:
    """A way at the finer scale: `first` as it fell on `second` at last, in pixels of the frame of the second, `where`
    both show the same and not another thing; `enlarged` is by how much laying enlarged the first."""

    of: tuple[Prepared, Prepared]
    way: Laid
    registration: Registration
    first: Grey
    second: Grey
    covered: Mask
    where: Mask
    enlarged: float

    @property
    def side(self) -> float:
        """The longer side of what both show, in pixels of the coarser of the two."""
        rows, columns = np.nonzero(self.covered.any(axis=1))[0], np.nonzero(self.covered.any(axis=0))[0]
        longer = max(np.ptp(rows), np.ptp(columns)) + 1 if len(rows) else 0
        return float(longer / max(1.0, self.enlarged))

    @cached_property
    def same_tone(self) -> bool:
        """Whether nothing was done to brightness and contrast."""
        one, other = self.first[self.where], self.second[self.where]
        if not one.size:
            return False
        contrast = float((other.std() + 1) / (one.std() + 1))
        level = abs(float(other.mean() - one.mean()))
        return level < SAME_LEVEL and 1 / SAME_CONTRAST < contrast < SAME_CONTRAST

    @cached_property
    def sharpness(self) -> Sharpness:
        return sharpness(self.first, self.second, self.where)

    @property
    def tilted(self) -> bool:
        """Whether laying turned the first by more than a pixel or so at the edges, and so smoothed its noise."""
        across = float(np.abs(self.way.over[[0, 1], [1, 0]]).max())
        return across > TILTED * self.enlarged

    @property
    def shift_px(self) -> float:
        """In pixels of the coarser of the two."""
        return self.registration.shift_px / max(1.0, self.enlarged)

    @property
    def sure_shift_px(self) -> float:
        """So much at least, in the same pixels."""
        return self.registration.sure_px / max(1.0, self.enlarged)


def _looked_at_closer(laid: Laid, first: Prepared, second: Prepared) -> _Fine:
    """The same way, its map corrected at a finer scale, where that makes the two agree better."""
    one, other = turned(first.frame(FINE_FRAME), laid.turn), second.frame(FINE_FRAME)
    over = rescaled(laid.over, laid.first.shape, laid.second.shape, one.shape, other.shape)
    covered = align.inside(align.covered(one.shape, other.shape, over))
    where = covered & _agreeing(laid.similarity, other.shape)
    found = register(one, other, over, where)
    if laid.similarity.different.any():
        finer = cv2.resize(found.laid, laid.second.shape[::-1], interpolation=cv2.INTER_AREA)
        closer = replace(laid, laid=finer, similarity=compare(finer, laid.second, align.inside(laid.covered)))
        laid = closer if closer.score > laid.score else laid
    enlarged = float(np.sqrt(abs(np.linalg.det(over[:2, :2]))))
    return _Fine((first, second), laid, found, found.laid, other, covered, where, enlarged)


def _agreeing(similarity: Similarity, shape: tuple[int, ...]) -> Mask:
    """Where the pictures do not differ, a block around each place that does left out: stamps have no place there."""
    near_different = cv2.dilate(similarity.different.astype(np.uint8), np.ones((3, 3), np.uint8))
    return cv2.resize(1 - near_different, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


# The decision


def _gates(laid: Laid, graphic: bool) -> tuple[Gate, ...]:
    similarity = laid.similarity
    blocks = similarity.correlation.size
    least = int(np.clip(LEAST_TEXTURED_SHARE * blocks, FEWEST_TEXTURED, LEAST_TEXTURED))
    if similarity.median >= LEAST_MEDIAN_OF_FEW and not similarity.different.any():
        least = FEWEST_TEXTURED
    different = similarity.different_share
    most = MOST_DIFFERENT_GRAPHIC if graphic else MOST_DIFFERENT
    same = different <= most or (not graphic and _only_stamped(similarity))
    return (
        Gate("texture", similarity.textured, least, similarity.textured >= least),
        Gate("contained", round(laid.contained, 3), LEAST_CONTAINED, laid.contained >= LEAST_CONTAINED),
        Gate("exclusive", round(laid.exclusive, 3), MOST_EXCLUSIVE, laid.exclusive <= MOST_EXCLUSIVE),
        Gate("correlation", round(similarity.median, 3), LEAST_MEDIAN, similarity.median >= LEAST_MEDIAN),
        Gate("different", round(different, 3), most, same),
    )


def _fine_gates(
    fine: _Fine, facts: tuple[Facts, Facts], graphic: bool, measured: Noise, *, by_hash: bool
) -> tuple[Gate, ...]:
    """What only a finer scale shows: whether details fall on details, whether the noise is that of one exposure, and
    whether a drawing says the same. Where no hash speaks for the pair, enough details must have been measured."""
    most = _most_shift_px(fine, facts, measured, by_hash=by_hash)
    if not by_hash and measured.coherence < LEAST_COHERENCE:
        most = min(most, MOST_SHIFT_UNPROVEN_PX)
    # The strictest limits allow for nothing: with an allowance for few blocks averages of bursts passed there.
    strict = most <= MOST_SHIFT_PX * UNTOUCHED_FACTOR
    if not by_hash:
        most = min(most, MOST_SHIFT_BY_FEATURES_PX)
    blocks, limit = fine.registration.blocks, round(most, 3)
    shift = round(fine.shift_px if strict else fine.sure_shift_px, 3)
    witnesses = () if by_hash else (Gate("witnesses", blocks, LEAST_BLOCKS, blocks >= LEAST_BLOCKS),)
    gates = (
        *witnesses,
        Gate("registration", shift, limit, shift <= limit),
        *_exposure_gate(fine, facts, measured),
        *_capture_gate(facts, measured),
        *_frames_gate(facts),
    )
    if not graphic:
        return gates
    plain = min(one.plain for one in fine.of) >= GRAPHIC_PLAIN
    lost, most_lost = _lost_detail(fine.of), MOST_LOST if plain else MOST_LOST_NOISY
    if lost > most_lost:
        return (*gates, Gate("readable", round(lost, 3), most_lost, passed=False))
    same, most = (SAME_DETAIL, MOST_OTHER_DETAIL) if plain else (DIFFERENT, MOST_OTHER_DETAIL_NOISY)
    share = compare(fine.first, fine.second, fine.covered).share_below(same)
    if share > most and fine.sharpness.ratio > OTHER_SHARPNESS:
        # What was sharpened or blurred says the same.
        alike = matched(fine.first, fine.second, fine.where)
        share = min(share, compare(alike, fine.second, fine.covered).share_below(same))
    return (*gates, Gate("detail", round(share, 4), most, share <= most))


def _lost_detail(pictures: tuple[Prepared, Prepared]) -> float:
    """The share of the detail of the larger picture that the smaller, if it is small, cannot show: in the median block
    that has any."""
    larger, smaller = sorted((one.frame(FINE_FRAME) for one in pictures), key=lambda frame: -max(frame.shape))
    side = max(smaller.shape)
    if side >= min(READABLE_PX, max(larger.shape)):
        return 0.0
    height, width = larger.shape
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    shown = cv2.resize(cv2.resize(larger, size, interpolation=cv2.INTER_AREA), (width, height))
    lost = in_blocks(larger - shown, BLOCK)
    spread = in_blocks(larger, BLOCK).std(axis=-1)
    detailed = spread > LEAST_DETAILED
    if not detailed.any():
        return 0.0
    return float(np.median((lost * lost).mean(axis=-1)[detailed] / spread[detailed] ** 2))


def _most_shift_px(fine: _Fine, facts: tuple[Facts, Facts], measured: Noise, *, by_hash: bool) -> float:
    if min((one.jpeg_quality for one in facts if one.jpeg_quality), default=100) <= COARSE_QUALITY:
        return MOST_SHIFT_PX * COARSE_FACTOR
    if measured.coherence >= SAME_NOISE:
        return MOST_SHIFT_PX * SAME_NOISE_FACTOR
    if _noise_agrees(facts, measured):
        return MOST_SHIFT_PX * AGREEING_NOISE_FACTOR
    if fine.side < THUMBNAIL_PX:
        return MOST_SHIFT_PX * THUMBNAIL_FACTOR
    ratio = max(measured.gain, 1 / measured.gain)
    if ratio > SAME_GAIN or (ratio > OTHER_GAIN and measured.coherence < LOST_DETAIL):
        return MOST_SHIFT_PX * LOST_DETAIL_FACTOR
    if by_hash and fine.sharpness.ratio > OTHER_SHARPNESS:
        return MOST_SHIFT_PX * LOST_DETAIL_FACTOR
    untouched = all(map(_keeps_noise, facts)) and fine.same_tone
    return MOST_SHIFT_PX * (UNTOUCHED_FACTOR if untouched else 1.0)


def _noise_agrees(facts: tuple[Facts, Facts], measured: Noise) -> bool:
    """Whether noise that is strong enough to tell is that of one exposure, added to or taken from in one of them."""
    if measured.agreement is None or not all(map(_keeps_noise, facts)) or measured.strength < STRONG_NOISE:
        return False
    return measured.agreement >= AGREEING_NOISE and measured.coherence >= AGREEING_COHERENCE


def _exposure_gate(fine: _Fine, facts: tuple[Facts, Facts], measured: Noise) -> tuple[Gate, ...]:
    """Whether both have the noise of one exposure, where that can be told."""
    if measured.agreement is None or not all(map(_keeps_noise, facts)):
        return ()
    limits = STILL if fine.shift_px <= STILL_PX else SHIFTED
    if measured.unevenness > limits.uneven and fine.shift_px <= MOST_SHIFT_UNEVEN_PX:
        return ()
    same_frame = min(fine.way.share_first, fine.way.share_second) >= SAME_FRAME and not fine.tilted
    remade = not same_frame or not _of_one_size(*facts)
    if measured.comparable < (LEAST_COMPARABLE_REMADE if remade else LEAST_COMPARABLE):
        return ()
    limit = limits.strong if measured.strength >= STRONG_NOISE else limits.weak
    return (Gate("exposure", round(measured.agreement, 3), limit, measured.agreement >= limit),)


def _capture_gate(facts: tuple[Facts, Facts], measured: Noise) -> tuple[Gate, ...]:
    """Whether what both files tell of the taking is the same. Clocks are set right afterwards: what the noise proves
    stands against it."""
    told = [pair for pair in zip(*((one.taken, one.camera) for one in facts), strict=True) if all(pair)]
    if not told:
        return ()
    share = sum(one == other for one, other in told) / len(told)
    return (Gate("capture", share, 1.0, share == 1.0 or measured.coherence >= SAME_NOISE),)


def _frames_gate(facts: tuple[Facts, Facts]) -> tuple[Gate, ...]:
    """Whether both have as many frames or pages. Only the first was looked at: a still is no copy of an animation."""
    few, many = sorted(one.frames for one in facts)
    return (Gate("frames", many, few, many == few),) if many > 1 else ()


def _keeps_noise(facts: Facts) -> bool:
    return facts.format in KEEP_NOISE and not 0 < facts.jpeg_quality < LEAST_NOISE_QUALITY


def _of_one_size(first: Facts, second: Facts) -> bool:
    sides = zip(sorted((first.width, first.height)), sorted((second.width, second.height)), strict=True)
    return all(abs(one - other) <= SAME_SIZE * max(one, other) for one, other in sides)


def _only_stamped(similarity: Similarity) -> bool:
    """Whether all that differs is one solid place or two, enough agreeing around them."""
    different = similarity.different.astype(np.uint8)
    agreeing = similarity.textured - int(different.sum())
    if agreeing < LEAST_AGREEING or similarity.median < LEAST_MEDIAN_STAMPED:
        return False
    # A caption has plain blocks between its words: places one block apart are one place.
    square = np.ones((3, 3), np.uint8)
    _, labels = cv2.connectedComponents(cv2.dilate(different, square), connectivity=8)
    sizes = np.bincount(labels[different > 0])
    places = [_filled(different * (labels == label)) for label in np.argsort(-sizes, kind="stable")[:2] if sizes[label]]
    if _is_stamp(similarity, places[0]):
        return True
    # A logo and a date: the second where nobody looks for what the picture is of.
    return len(places) == 2 and not _middle(places[1]).any() and _is_stamp(similarity, places[0] | places[1])


def _filled(place: NDArray[np.uint8]) -> Mask:
    # With a rim, since OpenCV closes what is at a border towards it.
    return cv2.morphologyEx(np.pad(place, 1), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0


def _middle(place: Mask) -> Mask:
    rows, columns = place.shape
    return place[rows // 3 : rows - rows // 3, columns // 3 : columns - columns // 3]


def _is_stamp(similarity: Similarity, place: Mask) -> bool:
    """Whether it is small, solid, beside the middle, and next to nothing differs elsewhere."""
    stamped = int(similarity.different[place].sum())
    solid = float(similarity.different[place & ~np.isnan(similarity.correlation)].mean())
    elsewhere = similarity.different_share - stamped / similarity.textured
    small = float(place.mean()) <= MOST_IN_ONE_PLACE and stamped <= MOST_STAMPED * similarity.textured
    small = small and float(_middle(place).mean()) <= MOST_OF_MIDDLE
    return small and solid >= LEAST_SOLID and elsewhere <= MOST_ELSEWHERE


def _kind(laid: Laid, gates: tuple[Gate, ...]) -> Kind | None:
    passed = {gate.name: gate.passed for gate in gates}
    if all(passed.values()):
        return Kind.NEAR
    similarity = laid.similarity
    if "registration" in passed:
        # Everything but the fine detail agrees.
        return Kind.POSSIBLE
    if not passed["contained"]:
        return None
    if not passed["texture"]:
        return Kind.POSSIBLE if similarity.textured == 0 or similarity.median >= DOUBTFUL_MEDIAN else None
    few = similarity.different_share <= DOUBTFUL_DIFFERENT or _only_stamped(similarity)
    return Kind.POSSIBLE if similarity.median >= DOUBTFUL_MEDIAN and few else None


def _confidence(laid: Laid, kind: Kind) -> float:
    """From 0 to 1, falling with what differs; at most 0.5 for what is only possible."""
    similarity = laid.similarity
    sure = float(np.clip(similarity.median, 0, 1)) * (1 - similarity.different_share)
    return round(sure if kind is Kind.NEAR else min(0.5, sure / 2), 4)
