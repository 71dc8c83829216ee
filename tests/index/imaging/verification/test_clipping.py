"""Exposure brackets: each exposure keeps detail where the other is clipped, which no copy does."""

import numpy as np
import pytest

from index.imaging.verification.clipping import CLIPPING, clipped_in_one, kept_by_each
from support.pictures import photograph

WHERE = np.ones((240, 320), bool)


def light(seed: int = 1) -> np.ndarray:
    """A scene of more contrast than a file holds: half of it four stops darker."""
    grey = np.asarray(photograph(seed, 320, 240).convert("L"), np.float32)
    shade = np.where(np.arange(320) < 160, 1.0, 1 / 16)
    return (grey / 255 + 0.1) ** 2.2 * shade


def exposed(scene: np.ndarray, stops: float) -> np.ndarray:
    return np.asarray(np.round(255 * np.clip(scene * 2.0**stops, 0, 1) ** (1 / 2.2)), np.float32)


@pytest.mark.parametrize("seed", [1, 4])
def test_each_of_two_exposures_keeps_what_the_other_has_lost(seed: int) -> None:
    scene = light(seed)
    long, short = exposed(scene, 3), exposed(scene * np.where(scene > 0.08, 1, 0.05), -0.5)
    assert kept_by_each(long, short, WHERE) >= CLIPPING.min_share
    assert kept_by_each(short, long, WHERE) == kept_by_each(long, short, WHERE)


@pytest.mark.parametrize("alter", [lambda of: of * 1.8, lambda of: of * 0.2, lambda of: (of - 128) * 3 + 128])
def test_a_copy_only_loses(alter) -> None:  # type: ignore[no-untyped-def]
    original = exposed(light(), 0)
    assert kept_by_each(original, np.clip(alter(original), 0, 255).astype(np.float32), WHERE) == 0


def test_a_colour_is_clipped_in_the_brighter_of_two_copies_alone() -> None:
    floor = np.zeros((40, 60, 3), np.uint8)
    floor[..., 0], floor[..., 1], floor[..., 2] = 200, 150, 110
    brighter = np.clip(floor.astype(np.int32) * 14 // 10, 0, 255).astype(np.uint8)
    assert clipped_in_one(floor, brighter).all()
    assert clipped_in_one(brighter, floor).all()
    assert not clipped_in_one(brighter, brighter).any()
    assert not clipped_in_one(floor, floor).any()
