"""A tilted picture is deskewed by its corners; no other picture has such corners."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from index.imaging.candidates.crop_hashes import crop_tolerance
from index.imaging.candidates.deskew import deskew
from index.imaging.candidates.perceptual_hash import hamming, hash_grey
from support.pictures import photograph


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


def distance(one: np.ndarray, other: np.ndarray) -> int:
    first, second = (np.frombuffer(hash_grey(picture).bits[16][:32], np.uint8) for picture in (one, other))
    return int(hamming(first, second))


@pytest.mark.parametrize("degrees", [4, -4, 11, -25, 40])
@pytest.mark.parametrize(("enlarged", "shade"), [(False, "black"), (True, "white"), (True, "black")])
def test_a_tilted_picture_is_deskewed(degrees: int, enlarged: bool, shade: str):
    original = photograph(1, 320, 240)
    tilted = original.rotate(degrees, Image.Resampling.BICUBIC, expand=enlarged, fillcolor=shade)
    level = deskew(grey(tilted))
    assert level is not None
    assert level.shape == pytest.approx((240, 320), abs=4)
    assert distance(level, grey(original)) <= min(crop_tolerance(80), distance(grey(tilted), grey(original)))


def test_no_other_picture_has_such_corners():
    plain = [photograph(seed, 320, 240) for seed in range(30)]
    framed = [ImageOps.expand(picture, 30, "black") for picture in plain[:5]]
    flat = [Image.new("L", size, 255) for size in ((1, 1), (40, 40), (300, 200))]
    assert [deskew(grey(picture)) for picture in (*plain, *framed, *flat)] == [None] * 38
