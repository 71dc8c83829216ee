"""Local features: crops, frames and mirrored crops are proposed, unrelated pictures hardly, whatever comes first."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from index.feature_index import FeatureIndex
from index.features import Described, describe
from support.pictures import photograph


def described(picture: Image.Image) -> Described:
    small = picture.convert("L")
    small.thumbnail((512, 512))
    return describe(np.asarray(small))


def crop(picture: Image.Image) -> Image.Image:
    return picture.crop((160, 100, 620, 460))


def framed(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (1280, 800), (240, 240, 243))
    screen.paste(picture.resize((800, 600)), (400, 100))
    return screen


PICTURES = [photograph(seed, 800, 600) for seed in range(8)]
COPIES = {
    "crop": crop,
    "framed": framed,
    "mirrored crop": lambda p: ImageOps.mirror(crop(p)),
    "turned": lambda p: p.rotate(90, expand=True),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("copy_first", [False, True])
def test_a_copy_is_proposed_with_its_original(name: str, copy_first: bool):
    index = FeatureIndex()
    copy = described(COPIES[name](PICTURES[3]))
    originals = [described(picture) for picture in PICTURES]
    if copy_first:
        index.add([copy])
        assert (0, 4) in index.add(originals)
    else:
        index.add(originals)
        assert (3, 8) in index.add([copy])


def texture(seed: int) -> Image.Image:
    """Grain at several sizes: unlike the drawn shapes of the other pictures, no corner of it is like another's."""
    random = np.random.default_rng(seed)
    layers = [
        Image.fromarray(random.integers(0, 256, (size, size), np.uint8)).resize((512, 512), Image.Resampling.BICUBIC)
        for size in (8, 24, 72, 216)
    ]
    return Image.fromarray(np.mean([np.asarray(layer, np.float32) for layer in layers], axis=0).astype(np.uint8))


def test_unrelated_pictures_are_hardly_ever_proposed():
    assert len(FeatureIndex().add([described(texture(seed)) for seed in range(12)])) <= 2


def test_all_at_once_or_one_by_one_gives_the_same_pairs():
    pictures = [described(picture) for picture in [*PICTURES, *map(crop, PICTURES)]]
    at_once = FeatureIndex().add(pictures)
    index = FeatureIndex()
    one_by_one = [pair for picture in pictures for pair in index.add([picture])]
    assert sorted(at_once) == sorted(one_by_one)
    assert len(index) == len(pictures)


def test_a_picture_without_features_takes_part_and_matches_nothing():
    index = FeatureIndex()
    flat = describe(np.full((300, 400), 128, np.uint8))
    assert index.add([flat, flat]) == []
    assert index.add([described(PICTURES[0])]) == []


def test_the_blob_survives_the_round_trip():
    one = described(PICTURES[0])
    again = Described.from_bytes(one.to_bytes())
    assert np.array_equal(again.plain, one.plain)
    assert np.array_equal(again.mirrored, one.mirrored)
    assert len(one.to_bytes()) <= 2 + 2 * 200 * 32
