"""PURE: two pictures aligned at the finer scale -> the gates that only this scale decides.

They ask whether details fall on details, whether the noise is that of one exposure, and whether a graphic says the
same in both.
"""

import cv2
import numpy as np

from index.imaging.verification.alignment import Prepared
from index.imaging.verification.bends import BENDS, Bends
from index.imaging.verification.capture_records import records
from index.imaging.verification.clipping import CLIPPING, kept_by_each
from index.imaging.verification.edges import EDGES, Edges
from index.imaging.verification.faint import FAINT, Faint, faint_agreement
from index.imaging.verification.file_facts import attachments, frames, is_same_moment
from index.imaging.verification.fine_alignment import FineAlignment
from index.imaging.verification.gate_thresholds import (
    DETAIL,
    EXPOSURE,
    GRAPHIC,
    NOISE,
    READABLE,
    REGISTRATION,
    WITNESSES,
    Detail,
    Exposure,
    Gate,
    NoiseEvidence,
    Readable,
    Registration,
    Witnesses,
)
from index.imaging.verification.graphics import FINE_FRAME
from index.imaging.verification.letters import differing_letters
from index.imaging.verification.places import are_added
from index.imaging.verification.registration import matched, smoothed
from index.imaging.verification.sensor_noise import Noise
from index.imaging.verification.similarity import BLOCK, BLOCKS, compare, in_blocks
from index.imaging.verification.small_pictures import SMALL, are_small, difference
from index.model import Facts

FactsPair = tuple[Facts, Facts]


def fine_gates(
    fine: FineAlignment, facts: FactsPair, noise: Noise, *, graphic: bool, by_hash: bool
) -> tuple[Gate, ...]:
    """All gates of the fine frame that apply, in the order in which they are shown. `by_hash` is whether a hash
    proposes the pair: where none does, enough details must have been measured."""
    of_noise = exposure(fine, facts, noise, EXPOSURE, by_hash=by_hash)
    gates = (
        *witnesses(fine, WITNESSES, by_hash=by_hash),
        registration(fine, facts, noise, REGISTRATION, by_hash=by_hash),
        edges(fine, noise, EDGES),
        added(fine, graphic=graphic),
        *colour(fine, facts, graphic=graphic),
        *clipped(fine),
        *of_noise,
        *bends(fine, noise, BENDS, by_hash=by_hash, noise_compared=bool(of_noise)),
        *faint(fine, noise, FAINT, graphic=graphic, by_hash=by_hash),
        *capture(facts, noise, NOISE),
        *records(*facts, turned=fine.coarse.is_turned),
        *frames(facts),
        *attachments(facts),
    )
    if not graphic:
        return gates
    gates = (*gates, _same_graphic(fine))
    return (*gates, letters(fine)) if all(gate.passed for gate in gates) else gates


def witnesses(fine: FineAlignment, limits: Witnesses, *, by_hash: bool) -> tuple[Gate, ...]:
    """Whether the shift was measured in enough blocks: one that was measured nowhere proves nothing. Of what a hash
    proposes, thumbnails and what was stretched are asked, and few are enough; of a thumbnail none, where all blocks
    agree well."""
    blocks = fine.registration.blocks
    if not by_hash:
        return (Gate("witnesses", blocks, limits.min_blocks, blocks >= limits.min_blocks),)
    if blocks >= limits.min_blocks_by_hash:
        return ()
    if fine.coarse.stretch > limits.stretched:
        return (Gate("witnesses", blocks, limits.min_blocks_by_hash, passed=False),)
    if fine.side >= REGISTRATION.thumbnail_px:
        return ()
    agree = fine.coarse.similarity.median >= limits.min_correlation
    return (Gate("witnesses", blocks, limits.min_blocks_by_hash, agree),)


def registration(fine: FineAlignment, facts: FactsPair, noise: Noise, limits: Registration, *, by_hash: bool) -> Gate:
    """Whether details fall on details."""
    most = _max_shift_px(fine, facts, noise, limits, by_hash=by_hash)
    if not by_hash and noise.coherence < limits.min_coherence:
        most = min(most, limits.max_shift_unproven_px)
    # The strictest limits allow for nothing: with an allowance for few blocks averages of bursts passed there.
    strict = most <= limits.max_shift_px * limits.untouched_factor
    if not by_hash:
        most = min(most, limits.max_shift_by_features_px)
        strict = strict or (fine.registration.blocks >= limits.many_blocks and not is_noise_of_one(facts, noise))
    limit = round(most, 3)
    shift = round(fine.shift_px if strict else fine.sure_shift_px, 3)
    return Gate("registration", shift, limit, shift <= limit)


def _max_shift_px(fine: FineAlignment, facts: FactsPair, noise: Noise, limits: Registration, *, by_hash: bool) -> float:
    """The limit for what was done to the pictures, before what features propose is held to less."""
    if min((file.jpeg_quality for file in facts if file.jpeg_quality), default=100) <= limits.coarse_quality:
        return limits.max_shift_px * limits.coarse_factor
    if noise.coherence >= NOISE.same_coherence:
        return limits.max_shift_px * limits.same_noise_factor
    if _noise_agrees(facts, noise, NOISE):
        return limits.max_shift_px * limits.agreeing_noise_factor
    if fine.side < limits.thumbnail_px:
        return limits.max_shift_px * limits.thumbnail_factor
    ratio = max(noise.gain, 1 / noise.gain)
    if ratio > limits.same_gain or (ratio > limits.other_gain and noise.coherence < limits.lost_detail_coherence):
        return limits.max_shift_px * limits.lost_detail_factor
    if by_hash and fine.sharpness.ratio > limits.other_sharpness:
        return limits.max_shift_px * limits.lost_detail_factor
    untouched = _keep_noise(facts, NOISE) and fine.same_tone
    return limits.max_shift_px * (limits.untouched_factor if untouched else 1.0)


def is_noise_of_one(facts: FactsPair, noise: Noise) -> bool:
    """Whether the noise is nearly the same in both, and about as strong in most blocks."""
    return _noise_agrees(facts, noise, NOISE) and noise.comparable >= EXPOSURE.min_comparable


def _noise_agrees(facts: FactsPair, noise: Noise, limits: NoiseEvidence) -> bool:
    """Whether noise that is strong enough is that of one exposure, with some added or removed in one of them."""
    if noise.agreement is None or not _keep_noise(facts, limits) or noise.strength < limits.strong:
        return False
    return noise.agreement >= limits.agreeing and noise.coherence >= limits.agreeing_coherence


def _keep_noise(facts: FactsPair, limits: NoiseEvidence) -> bool:
    """Whether both files are of a format and quality that keep noise."""
    return all(file.format in limits.formats and not 0 < file.jpeg_quality < limits.min_quality for file in facts)


def edges(fine: FineAlignment, noise: Noise, limits: Edges) -> Gate:
    """Whether at most one of the two shows the scene beyond the other. The same noise overrules, and two ratios of the
    sides around one middle: of one exposure two parts may have been cut out."""
    passed = fine.beyond_px <= limits.max_px or noise.coherence >= NOISE.same_coherence or fine.coarse.crossed
    return Gate("edges", round(max(0.0, fine.beyond_px), 2), limits.max_px, passed)


def added(fine: FineAlignment, *, graphic: bool) -> Gate:
    """Whether all that differs was added to one of the two; in a graphic nothing may differ."""
    found = fine.places
    unexplained = len(found) if graphic or not are_added(found) else 0
    return Gate("added", unexplained, 0, passed=not unexplained)


def colour(fine: FineAlignment, facts: FactsPair, *, graphic: bool) -> tuple[Gate, ...]:
    """Whether one mapping holds for all colours; in a graphic it turns no hues, and in a small picture none differs."""
    if are_small(*facts):
        apart, _ = difference(fine.coarse, *fine.pictures)
        return (Gate("colour", round(apart, 1), SMALL.max_difference, apart <= SMALL.max_difference),)
    if not fine.coloured:
        return ()
    found = fine.colours
    passed = found.same and not (graphic and found.degrees)
    return (Gate("colour", found.places or float(not passed), 0, passed=passed),)


def clipped(fine: FineAlignment) -> tuple[Gate, ...]:
    """Whether at most one of the two keeps detail where the other is clipped; no gate where their tone is the same."""
    if fine.same_tone:
        return ()
    kept = kept_by_each(fine.first, fine.second, fine.where)
    return (Gate("clipped", round(kept, 5), CLIPPING.min_share, kept < CLIPPING.min_share),)


def exposure(
    fine: FineAlignment, facts: FactsPair, noise: Noise, limits: Exposure, *, by_hash: bool
) -> tuple[Gate, ...]:
    """Whether both have the noise of one exposure; no gate where it cannot be compared. Uneven noise is ignored only
    where a hash proposes the pair."""
    if noise.agreement is None or not _keep_noise(facts, NOISE):
        return ()
    still = fine.shift_px <= limits.still_px
    max_unevenness = limits.still_max_unevenness if still else limits.shifted_max_unevenness
    uneven = noise.unevenness > max_unevenness and fine.shift_px <= limits.max_shift_uneven_px
    if uneven and by_hash:
        return ()
    same_frame = min(fine.coarse.share_first, fine.coarse.share_second) >= limits.same_frame and not fine.tilted
    remade = not same_frame or not _of_one_size(*facts, limits)
    if noise.comparable < (limits.min_comparable_remade if remade else limits.min_comparable):
        return ()
    weak, strong = (limits.still_weak, limits.still_strong) if still else (limits.shifted_weak, limits.shifted_strong)
    limit = strong if noise.strength >= NOISE.strong else weak
    if not by_hash:
        limit = limits.unproposed_uneven if uneven else max(limit, limits.unproposed)
    return (Gate("exposure", round(noise.agreement, 3), limit, noise.agreement >= limit),)


def faint(fine: FineAlignment, noise: Noise, limits: Faint, *, graphic: bool, by_hash: bool) -> tuple[Gate, ...]:
    """Whether what is faint agrees as well as what the map was fitted to. No gate where a hash proposes the pair, in a
    graphic without noise, where the finest detail agrees, or where too little is faint."""
    if by_hash or noise.coherence >= limits.sure_coherence or (graphic and _is_plain(fine.pictures)):
        return ()
    alike = fine.registration.alike
    if alike is None:
        alike = matched(fine.first, fine.second, fine.where)
    agreement, blocks = faint_agreement(alike, smoothed(fine.second), fine.where, limits)
    if blocks < limits.min_blocks:
        return ()
    return (Gate("faint", round(agreement, 3), limits.min_agreement, agreement >= limits.min_agreement),)


def bends(fine: FineAlignment, noise: Noise, limits: Bends, *, by_hash: bool, noise_compared: bool) -> tuple[Gate, ...]:
    """Whether the map keeps the form of what it moves. No gate where the noise was compared, nor in a pair that a hash
    proposes where fine detail supports it: its lens or its perspective may have been corrected."""
    if noise_compared or (by_hash and noise.coherence >= REGISTRATION.min_coherence):
        return ()
    bent = round(fine.bent_px(stretched=by_hash), 3)
    return (Gate("bends", bent, limits.max_px, bent <= limits.max_px),)


def _of_one_size(first: Facts, second: Facts, limits: Exposure) -> bool:
    sides = zip(sorted((first.width, first.height)), sorted((second.width, second.height)), strict=True)
    return all(abs(side - other) <= limits.same_size * max(side, other) for side, other in sides)


def capture(facts: FactsPair, noise: Noise, limits: NoiseEvidence) -> tuple[Gate, ...]:
    """Whether time and camera are the same, as far as both files have them. Clocks are often set right afterwards, so
    the same noise overrules a difference."""
    known = [pair for pair in zip(*((file.taken, file.camera) for file in facts), strict=True) if all(pair)]
    if not known:
        return ()
    # No camera's name is a time.
    share = sum(is_same_moment(of_first, of_second) for of_first, of_second in known) / len(known)
    return (Gate("capture", share, 1.0, share == 1.0 or noise.coherence >= limits.same_coherence),)


def _same_graphic(fine: FineAlignment) -> Gate:
    plain = _is_plain(fine.pictures)
    unreadable = readable(fine.pictures, READABLE, plain=plain)
    return detail(fine, DETAIL, plain=plain) if unreadable.passed else unreadable


def _is_plain(pictures: tuple[Prepared, Prepared]) -> bool:
    """Whether both are without noise."""
    return min(picture.plain for picture in pictures) >= GRAPHIC.min_plain


def letters(fine: FineAlignment) -> Gate:
    """Whether the same letters stand everywhere in two graphics."""
    first, second = (picture.letters for picture in fine.pictures)
    found = differing_letters(fine.coarse, (first, second), fine.where)
    return Gate("letters", found, 0, passed=not found)


def readable(pictures: tuple[Prepared, Prepared], limits: Readable, *, plain: bool) -> Gate:
    """Whether the smaller graphic can show the detail of the larger. `plain` is whether both are without noise."""
    lost, limit = _lost_detail(pictures, limits), limits.max_lost if plain else limits.max_lost_noisy
    return Gate("readable", round(lost, 3), limit, passed=lost <= limit)


def _lost_detail(pictures: tuple[Prepared, Prepared], limits: Readable) -> float:
    """The share of the detail of the larger picture that the smaller, if it is small, cannot show: in the median block
    that has any."""
    larger, smaller = sorted((picture.frame(FINE_FRAME) for picture in pictures), key=lambda frame: -max(frame.shape))
    side = max(smaller.shape)
    if side >= min(limits.below_px, max(larger.shape)):
        return 0.0
    height, width = larger.shape
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    shown = cv2.resize(cv2.resize(larger, size, interpolation=cv2.INTER_AREA), (width, height))
    lost = in_blocks(larger - shown, BLOCK)
    deviation = in_blocks(larger, BLOCK).std(axis=-1)
    detailed = deviation > limits.min_deviation
    if not detailed.any():
        return 0.0
    return float(np.median((lost * lost).mean(axis=-1)[detailed] / deviation[detailed] ** 2))


def detail(fine: FineAlignment, limits: Detail, *, plain: bool) -> Gate:
    """Whether next to no block of a graphic shows another detail."""
    if plain:
        min_correlation, max_share = limits.min_correlation, limits.max_share
    else:
        min_correlation, max_share = BLOCKS.different, limits.max_share_noisy
    share = compare(fine.first, fine.second, fine.covered).share_below(min_correlation)
    if share > max_share and fine.sharpness.ratio > REGISTRATION.other_sharpness:
        # What was sharpened or blurred says the same.
        alike = matched(fine.first, fine.second, fine.where)
        share = min(share, compare(alike, fine.second, fine.covered).share_below(min_correlation))
    return Gate("detail", round(share, 4), max_share, share <= max_share)
