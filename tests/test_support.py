"""The pictures that tests are made of are as unlike one another as those tests take for granted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from index.imaging.candidates.perceptual_hash import hamming, hash_grey, rows_of, turned
from support.pictures import build_tree, photograph, save, unutf8


def test_the_same_seed_gives_the_same_picture() -> None:
    assert photograph(7) == photograph(7)
    assert photograph(7, 300, 200).size == (300, 200)


def test_two_seeds_are_far_apart_in_every_turn() -> None:
    hashes = [hash_grey(np.asarray(photograph(seed).convert("L"))) for seed in range(60)]
    turns = turned(np.stack([rows_of(made, 16) for made in hashes]), 16)
    for number, plain in enumerate(turns[:, 0]):
        others = np.delete(turns, number, axis=0)
        assert hamming(others, plain).min() > 90


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_file_shows_the_picture_whatever_its_orientation(tmp_path: Path, orientation: int) -> None:
    shown = photograph(3, 64, 48)
    path = save(shown, tmp_path / "deep" / "a.png", orientation=orientation)
    with Image.open(path) as stored:
        assert stored.getexif().get(0x0112, 1) == orientation
        assert ImageOps.exif_transpose(stored).tobytes() == shown.tobytes()


def test_a_tree_holds_pictures_and_bytes_under_any_name(tmp_path: Path) -> None:
    odd = unutf8("b.png")
    paths = build_tree(tmp_path, {"sub/a.jpg": photograph(1, 32, 32), odd: b"no picture"})
    assert paths[odd].read_bytes() == b"no picture"
    assert b"\xff" in bytes(paths[odd])
    with Image.open(paths["sub/a.jpg"]) as picture:
        assert picture.size == (32, 32)
