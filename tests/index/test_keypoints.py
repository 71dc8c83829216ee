"""What is described of a picture: bounded, and of its turned and mirrored copies the same."""

import numpy as np
import pytest
from PIL import Image

from index.keypoints import KEPT, RECORD, describe, keypoints, mirrored_codes
from support.pictures import photograph


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The bits in which each code differs from the nearest of the others."""
    return np.bitwise_count(first[:, None] ^ second[None]).sum(axis=2).min(axis=1)


def test_a_photograph_has_as_many_as_are_kept_and_the_same_every_time() -> None:
    blob = describe(grey(photograph(1)))
    assert len(blob) == KEPT * RECORD.itemsize
    assert describe(grey(photograph(1))) == blob


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (3, 3), (300, 200)])
def test_a_flat_picture_has_none(shape: tuple[int, int]) -> None:
    assert describe(np.full(shape, 90, np.uint8)) == b""
    assert len(keypoints(b"")) == 0


def test_a_mirrored_picture_has_the_mirrored_codes() -> None:
    picture = grey(photograph(2))
    plain, mirror = keypoints(describe(picture)), keypoints(describe(np.ascontiguousarray(picture[:, ::-1])))
    assert (apart(mirrored_codes(plain), mirror["code"]) <= 16).mean() > 0.6
    assert (apart(plain["code"], mirror["code"]) <= 16).mean() < 0.1


def test_a_turned_picture_has_the_same_codes_and_angles_that_lead_to_it() -> None:
    picture = grey(photograph(3))
    plain, turned = keypoints(describe(picture)), keypoints(describe(np.ascontiguousarray(np.rot90(picture, -1))))
    distance = np.bitwise_count(plain["code"][:, None] ^ turned["code"][None]).sum(axis=2)
    one, other = np.nonzero(distance <= 12)
    assert len(one) > KEPT // 2
    led = (turned["angle"][other].astype(int) - plain["angle"][one]) % 65536
    assert abs(np.median(led) - 65536 // 4) < 65536 / 100


def test_places_and_sizes_are_shares_of_the_long_side() -> None:
    picture = photograph(4)
    large, small = (keypoints(describe(grey(one))) for one in (picture, picture.resize((384, 288))))
    distance = np.bitwise_count(large["code"][:, None] ^ small["code"][None]).sum(axis=2)
    one, other = np.nonzero(distance <= 6)
    for name in ("x", "y"):
        assert np.median(np.abs(large[name][one].astype(int) - small[name][other])) < 65536 / 200
    assert np.median(np.abs(large["size"][one].astype(int) - small["size"][other])) < 4096 / 10


def test_the_keypoints_of_a_crowded_corner_do_not_take_the_room_of_all() -> None:
    picture = np.full((256, 256), 128, np.uint8)
    busy = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 48), np.uint8)).resize((160, 160))
    picture[:160, :160] = np.asarray(busy)
    picture[180:240, 180:240] = 110 + np.asarray(busy)[:60, :60] // 8
    points = keypoints(describe(picture))
    assert len(points) == KEPT
    assert ((points["x"] > 40_000) & (points["y"] > 40_000)).sum() >= 10
