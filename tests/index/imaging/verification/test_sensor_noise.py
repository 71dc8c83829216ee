"""The noise of two pictures: that of one exposure, however it was degraded, or that of two."""

import cv2
import numpy as np
import pytest

from index.imaging.verification.sensor_noise import noise
from support.pictures import photograph

ALL = np.ones((336, 448), np.bool_)


def scene() -> np.ndarray:
    """What a lens draws, without noise."""
    grey = np.asarray(photograph(3, 448, 336).convert("L"), np.float32)
    return cv2.GaussianBlur(grey, (0, 0), 3) * 0.7 + 40


def exposure(seed: int, sigma: float = 4.0) -> np.ndarray:
    grain = np.random.default_rng(seed).normal(0, sigma, (336, 448)).astype(np.float32)
    return np.round(scene() + cv2.GaussianBlur(grain, (0, 0), 0.7))


ALTERATIONS = {
    "nothing": lambda p: p,
    "more noise": lambda p: p + np.random.default_rng(9).normal(0, 6, p.shape).astype(np.float32),
    "less noise": lambda p: cv2.GaussianBlur(p, (0, 0), 0.6),
    "other tone": lambda p: 0.8 * p + 10,
    "quality 85": lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], 0) * 1.0,
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_copy_has_the_noise_of_its_original(name: str):
    altered = np.asarray(ALTERATIONS[name](exposure(1)), np.float32)
    there, back = noise(exposure(1), altered, ALL), noise(altered, exposure(1), ALL)
    for measured in (there, back):
        assert measured.agreement is None or measured.agreement > 0.8
    assert there.agreement == pytest.approx(back.agreement)
    assert there.coherence == pytest.approx(back.coherence)
    assert there.coherence > 0.1


def test_another_exposure_has_another_noise():
    measured = noise(exposure(1), exposure(2), ALL)
    assert measured.agreement is not None
    assert measured.agreement < 0.5
    assert measured.comparable > 0.9
    assert measured.strength > 0.7


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    encoded = cv2.imencode(".jpg", picture.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.float32)


@pytest.mark.parametrize("sigma", [2, 4, 8])
def test_quantisation_leaves_noise_uneven_but_two_exposures_have_it_everywhere(sigma: float):
    there, back = noise(exposure(1, sigma), exposure(2, sigma), ALL), noise(exposure(2, sigma), exposure(1, sigma), ALL)
    assert 0.5 < there.unevenness < 1.2
    assert there.unevenness == pytest.approx(back.unevenness, rel=1e-4)
    assert noise(exposure(1, sigma), jpeg(exposure(1, sigma), 20), ALL).unevenness > 2


def test_there_is_no_result_where_there_is_no_noise_or_little_to_compare():
    assert noise(scene(), scene(), ALL).agreement is None
    assert noise(exposure(1), exposure(2), np.zeros_like(ALL)).agreement is None
    assert noise(np.full_like(scene(), 255), exposure(2), ALL).agreement is None
    tiny = np.ones((9, 9))
    assert noise(tiny, tiny, tiny > 0).agreement is None
