"""What a picture was saved as before: recognised as long as the blocks of the earlier JPEG stayed in their places."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from index.imaging.candidates.perceptual_hash import hash_grey
from index.imaging.decoding import pictures
from index.imaging.decoding.double_jpeg import earlier_quality, median, quality_of_entry
from index.imaging.decoding.pictures import Limits, decode
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)


def saved(picture: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def earlier(data: bytes) -> int:
    return decode(data, LIMITS).facts.earlier_quality


# In the order of the scales at which a JPEG is decoded: 1/2, 1/4, 1/8.
@pytest.mark.parametrize(
    ("size", "qualities"), [((400, 533), (50, 60, 75, 85)), ((640, 800), (60, 75)), ((1100, 1200), (50, 60))]
)
def test_a_better_jpeg_made_from_a_poorer_one_is_recognised_with_its_quality(
    size: tuple[int, int], qualities: tuple[int, ...]
) -> None:
    for quality in qualities:
        first = saved(photograph(3, *size), quality=quality)
        assert earlier(first) == 0
        assert earlier(saved(opened(first), quality=95)) == pytest.approx(quality, abs=3)


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_a_lossless_file_made_from_a_jpeg_is_recognised(form: str, options: dict[str, Any]) -> None:
    picture = photograph(4, 500, 700)
    assert earlier(saved(picture, form, **options)) == 0
    for quality in (30, 70, 90):
        made = saved(opened(saved(picture, quality=quality)), form, **options)
        assert earlier(made) == pytest.approx(quality, abs=3)


def test_a_copy_that_was_altered_in_its_place_is_recognised_and_one_that_was_resized_is_not() -> None:
    original = opened(saved(photograph(5, 400, 533), quality=70))
    assert earlier(saved(ImageEnhance.Brightness(original).enhance(1.2), quality=95)) > 0
    assert earlier(saved(original.transpose(Image.Transpose.FLIP_LEFT_RIGHT), quality=95)) > 0
    for size in ((600, 800), (200, 266)):
        assert earlier(saved(original.resize(size, Image.Resampling.LANCZOS), quality=95)) == 0


def test_a_file_saved_again_as_a_poorer_jpeg_shows_only_that() -> None:
    original = opened(saved(photograph(6, 400, 533), quality=85))
    assert earlier(saved(original, quality=50)) == 0
    assert earlier(saved(photograph(6, 400, 533), quality=50)) == 0


@pytest.mark.parametrize(("before", "now"), [(70, 50), (70, 55), (75, 60), (75, 65), (80, 70), (85, 75)])
def test_a_better_jpeg_saved_again_as_a_poorer_one_was_no_poorer_one(before: int, now: int) -> None:
    for seed in range(4):
        first = opened(saved(photograph(seed, 400, 533), quality=before))
        assert earlier(saved(first, quality=now)) == 0


@pytest.mark.parametrize("quality", [1, 5, 10, 15, 18, 20, 25])
def test_the_poorest_jpegs_are_read_and_show_no_poorer_one(quality: int) -> None:
    for size in ((400, 533), (640, 800), (1100, 1200)):
        assert earlier(saved(photograph(7, *size), quality=quality)) == 0


@pytest.mark.parametrize("seed", range(12))
def test_photographs_saved_once_show_no_earlier_jpeg(seed: int) -> None:
    picture = photograph(seed + 20, 320, 240)
    assert not any(earlier(saved(picture, quality=quality)) for quality in (30, 60, 75, 90, 98))
    assert earlier(saved(picture.quantize(256), "PNG")) == 0


def test_flat_small_or_clipped_pictures_show_no_earlier_jpeg() -> None:
    for levels in (np.full((400, 400), 90), np.zeros((0, 5)), np.full((8, 8), 255), np.eye(40) * 255):
        assert earlier_quality(np.asarray(levels, np.uint8), 8) == 0
    for picture in (Image.new("1", (64, 64)), Image.new("I;16", (64, 64)), Image.new("LA", (9, 9))):
        assert earlier(saved(picture, "PNG")) == 0


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=40))
def test_the_median_is_the_one_of_numpy(values: list[float]) -> None:
    assert median(np.array(values)) == float(np.median(values))


@pytest.mark.parametrize("quality", [20, 35, 50, 60, 75, 85, 90])
def test_a_quality_is_that_of_its_first_entry(quality: int) -> None:
    tables = Image.open(io.BytesIO(saved(photograph(1, 64, 64), quality=quality))).quantization  # type: ignore[attr-defined]
    assert quality_of_entry(tables[0][0]) == pytest.approx(quality, abs=2)


@settings(max_examples=60, deadline=None)
@given(
    quality=st.integers(1, 100),
    subsampling=st.integers(0, 2),
    progressive=st.booleans(),
    size=st.tuples(st.integers(1, 1300), st.integers(1, 1300)),
    mode=st.sampled_from(["RGB", "L", "CMYK"]),
    seed=st.integers(0, 9),
)
def test_whatever_jpeg_another_program_makes_is_a_picture(
    quality: int, subsampling: int, progressive: bool, size: tuple[int, int], mode: str, seed: int
) -> None:
    file = io.BytesIO()
    picture = photograph(seed, 320, 240).resize(size).convert(mode)
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    decoded = decode(file.getvalue(), LIMITS)
    assert (decoded.facts.width, decoded.facts.height) == size
    hash_grey(decoded.grey, decoded.box)


def test_our_own_mistakes_are_not_reported_as_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: Any) -> int:
        raise IndexError("out of range")

    monkeypatch.setattr(pictures.double_jpeg, "earlier_quality", mistaken)
    file = io.BytesIO()
    photograph(1).save(file, "JPEG")
    with pytest.raises(IndexError):
        decode(file.getvalue(), LIMITS)
