"""The fine gates: the limit of each case, and when a gate does not apply."""

from dataclasses import replace

import numpy as np
import pytest

from index.imaging.verification.alignment import Aligned, Prepared
from index.imaging.verification.fine_alignment import FineAlignment
from index.imaging.verification.fine_gates import capture, exposure, readable, registration, witnesses
from index.imaging.verification.gate_thresholds import EXPOSURE, NOISE, READABLE, REGISTRATION, WITNESSES
from index.imaging.verification.registration import Registration
from index.imaging.verification.sensor_noise import Noise
from index.imaging.verification.similarity import Similarity
from index.model import Facts, Turn

CAMERA = Facts("JPEG", 4000, 3000, jpeg_quality=92)
WEBP = Facts("WEBP", 4000, 3000)
# Detail that agrees moderately, of a noise that cannot be compared.
PLAIN = Noise(coherence=0.7)


def picture(height: int, width: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(60, 190, (height, width)).astype(np.float32)


def aligned(
    shift_px: float = 0.0,
    *,
    sure_px: float | None = None,
    blocks: int = 40,
    side: int = 320,
    level: float = 0.0,
    contrast: float = 1.0,
    tilt: float = 0.0,
    cropped: bool = False,
    correlation: float = 0.98,
) -> FineAlignment:
    first = picture(side * 3 // 4, side)
    second = ((first - 125) * contrast + 125 + level).astype(np.float32)
    covered = np.ones(first.shape, np.bool_)
    transform = np.array([[1.0, -tilt, 0], [tilt, 1, 0], [0, 0, 1]])
    if cropped:
        transform = np.diag([1.1, 1.1, 1.0])
    similarity = Similarity(np.full((12, 16), correlation, np.float32), 192)
    coarse = Aligned(Turn.NONE, transform, first, second, first, covered, similarity, rough=False)
    measured = Registration(shift_px, shift_px if sure_px is None else sure_px, blocks, first)
    prepared = Prepared(first.astype(np.uint8), 30.0, 0.0), Prepared(second.astype(np.uint8), 30.0, 0.0)
    return FineAlignment(prepared, coarse, measured, first, second, covered, covered, np.eye(3), 1.0, 0.0)


def of_quality(quality: int) -> tuple[Facts, Facts]:
    return CAMERA, replace(CAMERA, jpeg_quality=quality)


@pytest.mark.parametrize(
    ("fine", "facts", "noise", "limit"),
    [
        (aligned(level=4.5), (CAMERA, CAMERA), PLAIN, 0.10),
        (aligned(level=3.5), (CAMERA, CAMERA), PLAIN, 0.07),
        (aligned(contrast=1.07), (CAMERA, CAMERA), PLAIN, 0.10),
        (aligned(contrast=0.93), (CAMERA, CAMERA), PLAIN, 0.10),
        (aligned(contrast=1.04), (CAMERA, CAMERA), PLAIN, 0.07),
        (aligned(), (CAMERA, CAMERA), PLAIN, 0.07),
        # Tone and sharpness cannot be compared where files keep no noise.
        (aligned(), (CAMERA, WEBP), PLAIN, 0.10),
        (aligned(), of_quality(79), PLAIN, 0.10),
        (aligned(), of_quality(80), PLAIN, 0.07),
        (aligned(), of_quality(21), PLAIN, 0.10),
        (aligned(), of_quality(20), PLAIN, 0.30),
        (aligned(side=224), (CAMERA, CAMERA), PLAIN, 0.07),
        (aligned(side=220), (CAMERA, CAMERA), PLAIN, 0.15),
        (aligned(), (CAMERA, CAMERA), Noise(coherence=0.85), 0.20),
        (aligned(), (CAMERA, CAMERA), Noise(0.95, 0.9, 0.7, 0.8), 0.15),
        (aligned(), (CAMERA, CAMERA), Noise(0.94, 0.9, 0.7, 0.8), 0.07),
        (aligned(), (CAMERA, CAMERA), Noise(0.95, 0.9, 0.6, 0.8), 0.07),
        (aligned(), (CAMERA, CAMERA), Noise(0.95, 0.9, 0.7, 0.79), 0.07),
        (aligned(), (CAMERA, CAMERA), Noise(coherence=0.7, gain=2.1), 0.15),
        (aligned(), (CAMERA, CAMERA), Noise(coherence=0.7, gain=1.9), 0.07),
        (aligned(), (CAMERA, CAMERA), Noise(coherence=0.59, gain=1 / 1.6), 0.15),
        (aligned(), (CAMERA, CAMERA), Noise(coherence=0.61, gain=1 / 1.6), 0.07),
        (aligned(), (CAMERA, CAMERA), Noise(coherence=0.59, gain=1 / 1.4), 0.07),
    ],
)
def test_the_limit_of_a_shift(fine: FineAlignment, facts: tuple[Facts, Facts], noise: Noise, limit: float) -> None:
    assert registration(fine, facts, noise, REGISTRATION, by_hash=True).limit == limit


@pytest.mark.parametrize(
    ("noise", "limit"),
    [(Noise(coherence=0.86), 0.06), (PLAIN, 0.06), (Noise(coherence=0.21), 0.06), (Noise(coherence=0.19), 0.03)],
)
def test_what_only_features_propose_may_be_shifted_by_less(noise: Noise, limit: float) -> None:
    assert registration(aligned(), (CAMERA, CAMERA), noise, REGISTRATION, by_hash=False).limit == limit


def test_few_blocks_are_allowed_for_unless_the_limit_is_the_strictest() -> None:
    lenient, strict = aligned(0.12, sure_px=0.09, level=20), aligned(0.12, sure_px=0.06)
    assert registration(lenient, (CAMERA, CAMERA), PLAIN, REGISTRATION, by_hash=True).passed
    assert not registration(strict, (CAMERA, CAMERA), PLAIN, REGISTRATION, by_hash=True).passed


def test_a_shift_that_was_measured_in_many_blocks_is_not_allowed_for_where_no_hash_proposes_the_pair() -> None:
    many = int(REGISTRATION.many_blocks)
    for blocks, shift in ((many - 1, 0.05), (many, 0.08)):
        fine = aligned(0.08, sure_px=0.05, level=20, blocks=blocks)
        gate = registration(fine, (CAMERA, CAMERA), PLAIN, REGISTRATION, by_hash=False)
        assert (gate.value, gate.passed) == (shift, blocks < many)
        assert registration(fine, (CAMERA, CAMERA), PLAIN, REGISTRATION, by_hash=True).passed
        for comparable in (0.3, 0.9):
            noise = Noise(1.1, comparable, 2.0, 0.9)
            of_noise = registration(fine, (CAMERA, CAMERA), noise, REGISTRATION, by_hash=False)
            assert of_noise.passed is (blocks < many or comparable == 0.9)


@pytest.mark.parametrize(("blocks", "passed"), [(5, False), (6, True)])
def test_witnesses(blocks: int, passed: bool) -> None:
    (gate,) = witnesses(aligned(blocks=blocks), WITNESSES, by_hash=False)
    assert gate.passed is passed


@pytest.mark.parametrize(("blocks", "correlation", "passed"), [(1, 0.91, False), (1, 0.93, True), (0, 0.93, True)])
def test_a_thumbnail_whose_details_were_not_measured_must_agree_well(
    blocks: int, correlation: float, passed: bool
) -> None:
    (gate,) = witnesses(aligned(blocks=blocks, correlation=correlation, side=96), WITNESSES, by_hash=True)
    assert (gate.value, gate.passed) == (blocks, passed)
    assert not witnesses(aligned(blocks=2, correlation=0.86, side=96), WITNESSES, by_hash=True)
    assert not witnesses(aligned(blocks=0, correlation=0.86), WITNESSES, by_hash=True)


@pytest.mark.parametrize(
    ("shift_px", "strength", "limit"),
    [(0.015, 0.69, 0.45), (0.015, 0.7, 0.75), (0.016, 0.69, 0.75), (0.016, 0.7, 0.8)],
)
def test_the_agreement_of_noise(shift_px: float, strength: float, limit: float) -> None:
    for agreement, passed in ((limit, True), (limit - 0.01, False)):
        (gate,) = exposure(aligned(shift_px), (CAMERA, CAMERA), Noise(agreement, 0.9, strength), EXPOSURE, by_hash=True)
        assert (gate.limit, gate.passed) == (limit, passed)


def test_a_pair_that_no_hash_proposes_needs_the_same_noise() -> None:
    least = EXPOSURE.unproposed
    for agreement, strength in ((least - 0.01, 0.69), (least, 0.69), (least, 0.71)):
        (gate,) = exposure(aligned(0.01), (CAMERA, CAMERA), Noise(agreement, 0.9, strength), EXPOSURE, by_hash=False)
        assert (gate.limit, gate.passed) == (least, agreement >= least)


def test_uneven_noise_counts_where_no_hash_proposes_the_pair() -> None:
    least = EXPOSURE.unproposed_uneven
    for agreement in (least - 0.01, least):
        noise = Noise(agreement, 0.9, 1.0, unevenness=3.0)
        (gate,) = exposure(aligned(0.01), (CAMERA, CAMERA), noise, EXPOSURE, by_hash=False)
        assert (gate.limit, gate.passed) == (least, agreement >= least)
        assert not exposure(aligned(0.01), (CAMERA, CAMERA), noise, EXPOSURE, by_hash=True)


@pytest.mark.parametrize(
    ("shift_px", "unevenness", "applies"),
    [(0.01, 1.35, True), (0.01, 1.36, False), (0.05, 2.0, True), (0.05, 2.01, False), (0.051, 2.01, True)],
)
def test_uneven_noise_is_ignored_where_details_fall_on_each_other(
    shift_px: float, unevenness: float, applies: bool
) -> None:
    noise = Noise(0.1, 0.9, 1.0, unevenness=unevenness)
    assert bool(exposure(aligned(shift_px), (CAMERA, CAMERA), noise, EXPOSURE, by_hash=True)) is applies


@pytest.mark.parametrize(
    ("fine", "facts", "least"),
    [
        (aligned(), (CAMERA, CAMERA), 0.5),
        (aligned(), (CAMERA, replace(CAMERA, width=3960, height=2970)), 0.5),
        (aligned(), (CAMERA, replace(CAMERA, width=3950, height=2962)), 0.3),
        (aligned(cropped=True), (CAMERA, CAMERA), 0.3),
        (aligned(tilt=0.004), (CAMERA, CAMERA), 0.5),
        (aligned(tilt=0.006), (CAMERA, CAMERA), 0.3),
    ],
)
def test_the_share_of_blocks_whose_noise_is_compared(
    fine: FineAlignment, facts: tuple[Facts, Facts], least: float
) -> None:
    assert exposure(fine, facts, Noise(0.9, least, 1.0), EXPOSURE, by_hash=True)
    assert not exposure(fine, facts, Noise(0.9, least - 0.01, 1.0), EXPOSURE, by_hash=True)


def test_noise_is_not_compared_where_a_file_keeps_none() -> None:
    assert not exposure(aligned(), (CAMERA, WEBP), Noise(0.1, 0.9, 1.0), EXPOSURE, by_hash=True)
    assert not exposure(aligned(), (CAMERA, CAMERA), Noise(None), EXPOSURE, by_hash=True)


def test_time_and_camera() -> None:
    first = replace(CAMERA, taken="2019-07-14T10:00:00", camera="A")
    assert capture((first, CAMERA), PLAIN, NOISE) == ()
    assert capture((first, first), PLAIN, NOISE)[0].passed
    later = replace(first, taken="2019-07-14T10:00:01")
    (gate,) = capture((first, later), PLAIN, NOISE)
    assert (gate.value, gate.passed) == (0.5, False)
    assert capture((first, later), Noise(coherence=0.85), NOISE)[0].passed


def text_of(side: int) -> Prepared:
    """A page of fine stripes, reduced to this side."""
    page = np.full((448, 448), 255, np.uint8)
    page[::4] = 0
    page[1::4] = 0
    whole = Prepared(page, 0.0, 0.0)
    return Prepared(whole.frame(side).astype(np.uint8), 0.0, 0.0)


def test_a_page_that_is_too_small_to_be_read_is_no_copy() -> None:
    assert readable((text_of(448), text_of(300)), READABLE, plain=True).value == 0.0
    gate = readable((text_of(448), text_of(150)), READABLE, plain=True)
    assert (gate.limit, gate.passed) == (0.12, False)
    assert readable((text_of(448), text_of(150)), READABLE, plain=False).limit == 0.2
    assert readable((text_of(150), text_of(150)), READABLE, plain=True).passed
