"""Fine detail made stronger or weaker, and detail that is other."""

import cv2
import numpy as np
import pytest

from index.imaging.verification.sharpness import Sharpness, sharpness
from support.pictures import photograph

ALL = np.ones((336, 448), np.bool_)


def scene() -> np.ndarray:
    return np.asarray(photograph(3, 448, 336).convert("L"), np.float32) * 0.6 + 50


def test_what_was_sharpened_or_blurred_has_more_or_less_of_the_same_detail() -> None:
    blurred = cv2.GaussianBlur(scene(), (0, 0), 1)
    sharpened = 2 * scene() - blurred
    for first, second in ((blurred, scene()), (scene(), sharpened)):
        there, back = sharpness(first, second, ALL), sharpness(second, first, ALL)
        assert there.gain > 1.2
        assert there.coherence > 0.9
        assert there.coherence == pytest.approx(back.coherence)
        assert there.gain == pytest.approx(1 / back.gain)
        assert there.ratio == pytest.approx(back.ratio)


def test_noise_makes_detail_stronger_and_other() -> None:
    noisy = scene() + np.random.default_rng(1).normal(0, 25, ALL.shape).astype(np.float32)
    measured = sharpness(scene(), noisy, ALL)
    assert measured.gain > 1.2
    assert measured.coherence < (1 + 1 / measured.gain) / 2


def test_only_what_both_show_is_asked() -> None:
    written_on = scene()
    written_on[:100] = np.indices((100, 448)).sum(axis=0) % 2 * 255
    where = ALL.copy()
    where[:110] = False
    assert sharpness(scene(), written_on, where).gain == pytest.approx(1)
    assert sharpness(scene(), written_on, ~ALL) == Sharpness()
    assert sharpness(np.zeros_like(scene()), np.zeros_like(scene()), ALL).gain == 1
