"""JPEG are repacked with every coefficient kept: grey ones without the chroma that jpegli gives them, small ones as
baseline where that is smaller."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from index.imaging.decoding import jpeg_file
from index.imaging.decoding.jpeg_file import NoJpeg
from index.imaging.encoding import baseline_jpeg, encoders, grey_jpeg, jpeg_codes
from support.pictures import photograph
from support.recompressing import saved

SIDES = st.integers(1, 70)


def picture(width: int, height: int, seed: int, kind: str) -> Image.Image:
    random = np.random.default_rng(seed)
    match kind:
        case "flat":
            pixels = np.full((height, width), seed)
        case "noise":
            pixels = random.integers(0, 256, (height, width))
        case _:
            pixels = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 256
    return Image.fromarray(pixels.astype(np.uint8))


PICTURES = st.builds(picture, SIDES, SIDES, st.integers(0, 255), st.sampled_from(["flat", "noise", "slope"]))


def decoded(data: bytes, mode: str = "L") -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode))


@given(PICTURES, st.integers(1, 100))
def test_a_grey_picture_that_jpegli_coded_in_colours_is_grey_with_the_same_luma(grey: Image.Image, quality: int):
    data = encoders.encode_by_jpegli(grey, quality, (72, 72))
    packed = encoders.repacked_grey_jpeg(data, (300, 200))
    with Image.open(io.BytesIO(packed)) as image:
        assert image.mode == "L"
        assert image.info["dpi"] == (300, 200)
        assert np.array_equal(np.asarray(image), decoded(data))


@pytest.mark.parametrize("options", [{}, {"progressive": True, "subsampling": "4:4:4"}])
def test_chroma_is_removed_only_where_the_file_is_built_as_expected(options: dict):
    with pytest.raises(NoJpeg):
        grey_jpeg.without_chroma(saved(photograph(1, 64, 48), "JPEG", **options))


@given(PICTURES, st.sampled_from(["L", "RGB"]), st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]), st.integers(1, 100))
def test_the_best_codes_keep_every_pixel_and_are_as_small_as_those_of_libjpeg(
    pixels: Image.Image, mode: str, subsampling: str, quality: int
):
    options = {"quality": quality, "subsampling": subsampling}
    data = saved(pixels.convert(mode), "JPEG", **options)
    packed = baseline_jpeg.repacked(data)
    assert np.array_equal(decoded(packed, "RGB"), decoded(data, "RGB"))
    assert len(packed) <= len(saved(pixels.convert(mode), "JPEG", optimize=True, **options)) * 1.01 + 4


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 2}])
def test_what_is_no_plain_baseline_file_is_not_recoded(options: dict):
    with pytest.raises(NoJpeg):
        baseline_jpeg.repacked(saved(photograph(1, 64, 48), "JPEG", **options))


def test_coded_data_that_is_cut_off_or_changed_is_refused_or_stays_a_file():
    data = saved(photograph(1, 64, 48), "JPEG")
    start = data.index(b"\xff\xda")
    with pytest.raises(NoJpeg):
        baseline_jpeg.repacked(data[: start + 40] + jpeg_file.END)
    for place in range(start, len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x55
        try:
            assert baseline_jpeg.repacked(bytes(changed)).startswith(jpeg_file.SOI)
        except NoJpeg:
            continue


@pytest.mark.parametrize(("side", "is_baseline"), [(48, True), (320, False)])
def test_small_files_become_baseline_and_larger_ones_progressive(side: int, is_baseline: bool):
    data = saved(photograph(3, side, side), "JPEG", quality=85)
    packed = encoders.repacked_jpeg(data)
    assert jpeg_file.is_baseline(packed) is is_baseline
    assert len(packed) < len(data)
    assert np.array_equal(decoded(packed, "RGB"), decoded(data, "RGB"))


@given(st.dictionaries(st.integers(0, 255), st.integers(1, 2**40), min_size=1))
def test_a_code_is_at_most_16_bits_long_and_without_a_word_that_begins_another(frequencies: dict[int, int]):
    code = jpeg_codes.best_code(frequencies)
    words = code.words()
    assert words.keys() == frequencies.keys()
    ordered = sorted(words.values())
    assert all(not later.startswith(earlier) for earlier, later in pairwise(ordered))
    # A word of only ones is reserved (T.81, annex K.2).
    assert all(len(word) <= jpeg_codes.LONGEST and "0" in word for word in ordered)
    assert dict(jpeg_codes.codes_in(code.segment(17)[4:])) == {17: code}


@pytest.mark.parametrize("payload", [b"\0" * 5, b"\0" + b"\3" + b"\0" * 15 + b"abc", b"\0" + b"\1" + b"\0" * 15])
def test_a_table_that_does_not_hold_is_refused(payload: bytes):
    with pytest.raises(NoJpeg):
        list(jpeg_codes.codes_in(payload))
