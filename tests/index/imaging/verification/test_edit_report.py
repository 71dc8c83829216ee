"""The account of a match: what was done to a copy is reported, and nothing that was not."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from index.imaging.decoding.pictures import Limits, preview
from index.imaging.verification.verify import judge, prepare
from index.model import Facts, Turn
from support.pictures import photograph, stamped

LIMITS = Limits(max_pixels=50_000_000)
SEEDS = (1, 2, 3)


def evidence(first: Image.Image, second: Image.Image) -> dict[str, Any]:
    prepared = []
    for picture in (first, second):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90)
        seen: Any = cv2.imdecode(np.frombuffer(preview(file.getvalue(), LIMITS), np.uint8), cv2.IMREAD_COLOR_RGB)
        prepared.append(prepare(seen))
    facts = [Facts("JPEG", *picture.size, jpeg_quality=90) for picture in (first, second)]
    return dict(judge(*prepared, *facts, Turn.NONE).evidence)


def saved(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize(("left", "top"), [(0, 0), (8, 6), (16, 12), (3, 10)])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_crop_by_a_fiftieth_of_both_sides_is_reported_wherever_it_is(seed: int, left: int, top: int) -> None:
    whole = photograph(seed, 800, 600)
    crop = evidence(whole, whole.crop((left, top, left + 784, top + 588)))["crop"]
    assert crop["of"] == "first"
    expected = (left / 800, top / 600, (left + 784) / 800, (top + 588) / 600)
    assert crop["box"] == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(("left", "top"), [(0, 0), (8, 6)])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_crop_by_a_hundredth_of_both_sides_is_reported(seed: int, left: int, top: int) -> None:
    whole = photograph(seed, 800, 600)
    crop = evidence(whole, whole.crop((left, top, left + 792, top + 594)))["crop"]
    assert crop["of"] == "first"
    assert crop["box"] == pytest.approx((left / 800, top / 600, (left + 792) / 800, (top + 594) / 600), abs=0.004)


@pytest.mark.parametrize("degrees", [1.0, 1.8, 2.5])
def test_a_tilt_within_the_frame_is_no_crop(degrees: float) -> None:
    """As much of either is beyond the other."""
    whole = photograph(2, 800, 600)
    tilted = evidence(whole, whole.rotate(degrees, Image.Resampling.BICUBIC))
    assert "tilt" in tilted
    assert not tilted.keys() & {"crop", "frame"}


@pytest.mark.parametrize("size", [(401, 299), (160, 119), (1000, 752)])
def test_a_picture_of_rounded_sides_is_no_crop(size: tuple[int, int]) -> None:
    whole = photograph(2, 800, 600)
    assert "crop" not in evidence(whole, whole.resize(size))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crop_that_takes_some_of_a_plain_sky_is_no_picture_without_its_frame(seed: int) -> None:
    whole = photograph(seed, 800, 600)
    whole.paste((150, 170, 200), (0, 0, 800, 90))
    crop = evidence(whole, whole.crop((0, 50, 800, 600)))
    assert "frame" not in crop
    assert crop["crop"]["of"] == "first"
    for border, colour in ((40, "white"), (14, "black")):
        framed = evidence(whole, ImageOps.expand(whole, border=border, fill=colour))
        assert framed["frame"] == "second"
        assert "scale" not in framed


@pytest.mark.parametrize("seed", SEEDS)
def test_a_caption_is_reported_with_the_share_it_takes_and_makes_no_picture_brighter(seed: int) -> None:
    picture = photograph(seed, 800, 600)
    report = evidence(picture, stamped(picture))
    assert 0.08 < report["changed"] < 0.14
    assert "tone" not in report
    brighter = stamped(ImageEnhance.Brightness(picture).enhance(1.3))
    assert evidence(picture, brighter)["tone"]["brightness"] > 15


@pytest.mark.parametrize("seed", SEEDS)
def test_sharpened_edges_are_reported_where_smooth_areas_were_left_alone(seed: int) -> None:
    first = saved(photograph(seed, 800, 600), 85)
    sharpened = first.filter(ImageFilter.UnsharpMask(3, 120, 4))
    assert evidence(first, sharpened)["sharpness"] > 1.25
    assert evidence(sharpened, first)["sharpness"] < 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_compressing_or_moving_a_picture_is_no_sharpening(seed: int) -> None:
    levels = np.asarray(photograph(seed, 320, 426), np.float32)
    grain = np.random.default_rng(seed).normal(0, 2, levels.shape)
    first = saved(Image.fromarray(np.clip(levels + grain, 0, 255).astype(np.uint8)), 85)
    framed = ImageOps.expand(first, border=13, fill="white")
    for other in (saved(first, 60), saved(first, 75), framed, first.rotate(1, Image.Resampling.BICUBIC)):
        assert {"sharpness", "noise"}.isdisjoint(evidence(first, other))
