"""Whether what is around a part of a picture is a frame."""

import numpy as np
import pytest

from index.imaging.verification.surroundings import continuation, is_frame
from support.pictures import photograph

TOP, SIDE = 40, 30


def part() -> np.ndarray:
    covered = np.zeros((240, 320), np.bool_)
    covered[TOP:-TOP, SIDE:-SIDE] = True
    return covered


def grey(seed: int) -> np.ndarray:
    return np.asarray(photograph(seed, 320, 240).convert("L"), np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shade", [0, 255])
def test_a_plain_border_is_a_frame_and_what_goes_on_is_none(seed: int, shade: int) -> None:
    picture = grey(seed)
    assert is_frame(np.where(part(), picture, np.float32(shade)), part())
    assert not is_frame(picture, part())


def test_a_white_wall_around_a_dark_coat_that_was_cut_through_is_no_frame() -> None:
    """Most of the surroundings are of one shade, and most of the edge is steep; but what is cut goes on."""
    wall = np.full((240, 320), 250, np.float32)
    wall[:, 60:260] = 20
    wall[:, 20:60] = np.linspace(250, 20, 40)
    wall[:, 260:300] = np.linspace(20, 250, 40)
    wall[-20:] = 250
    covered = np.zeros((240, 320), np.bool_)
    covered[8:-28, 36:-36] = True
    framed = np.where(covered, wall, np.float32(250))
    assert is_frame(framed, covered)
    follows, goes_on = continuation(wall, covered)
    assert follows > 0.9
    assert goes_on > 0.4
    assert not is_frame(wall, covered)


def test_a_part_without_surroundings_has_no_frame() -> None:
    assert not is_frame(grey(1), np.ones((240, 320), np.bool_))
