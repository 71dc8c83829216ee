"""JPEG XL is measured before it is decoded, and is decoded by an extra of the user."""

import pytest

from index.errors import PictureError
from index.imaging.decoding import decoders, jxl_file, pictures
from index.imaging.decoding.pictures import Limits
from index.imaging.decoding.pixel_digest import pixel_digest
from support.file_kinds import jxl
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)


def codestream_of(*numbers: tuple[int, int]) -> bytes:
    """A codestream of numbers, each with its count of bits."""
    value = at = 0
    for number, count in numbers:
        value |= number << at
        at += count
    return jxl_file.CODESTREAM + value.to_bytes(40, "little")


@pytest.mark.parametrize("size", [(320, 200), (256, 256), (300, 225), (513, 77), (8, 8), (1000, 9), (640, 360)])
@pytest.mark.parametrize("use_container", [False, True])
def test_the_size_is_that_of_the_header(size, use_container):
    data = jxl(photograph(1, 320, 200).resize(size), use_container=use_container)
    assert jxl_file.size_of(data) == size
    facts = pictures.decode(data, LIMITS).facts
    assert (facts.format, facts.width, facts.height) == ("JXL", *size)


def test_the_depth_is_that_of_the_header():
    assert jxl_file.bits_per_channel(jxl(photograph(1, 320, 200))) == 8
    deep = codestream_of((0, 1), (0, 2), (99, 9), (1, 3), (0, 1), (0, 1), (0, 1), (3, 2), (15, 6))
    assert jxl_file.size_of(deep) == (100, 100)
    assert jxl_file.bits_per_channel(deep) == 16


@pytest.mark.parametrize(
    "extra",
    [
        [(5, 3), (0, 1), (0, 1), (0, 1)],
        # An intended size, a preview of 16 x 16 pixels, an animation.
        [(0, 3), (1, 1), (1, 1), (3, 5), (1, 3), (0, 1), (0, 1)],
        [(0, 3), (0, 1), (1, 1), (1, 1), (0, 2), (0, 3), (0, 2), (0, 1)],
        [(0, 3), (0, 1), (0, 1), (1, 1), (2, 2), (7, 10), (0, 2), (1, 2), (5, 3), (1, 1)],
    ],
)
@pytest.mark.parametrize(("depth", "bits"), [([(0, 1), (1, 2)], 10), ([(0, 1), (2, 2)], 12), ([(1, 1), (1, 2)], 16)])
def test_what_is_before_the_depth_is_passed_over(extra, depth, bits):
    data = codestream_of((1, 1), (3, 5), (1, 3), (0, 1), (1, 1), *extra, *depth)
    assert jxl_file.bits_per_channel(data) == bits


def test_a_deep_one_has_no_pixel_digest(monkeypatch):
    data = jxl(photograph(1, 64, 64))
    assert pixel_digest(data, LIMITS)
    monkeypatch.setattr(jxl_file, "bits_per_channel", lambda _: 16)
    assert pictures.decode(data, LIMITS).facts.bit_depth == 16
    assert pixel_digest(data, LIMITS) == b""


def test_too_many_pixels_are_refused_before_anything_is_decoded():
    with pytest.raises(PictureError) as caught:
        pictures.decode(jxl(photograph(1, 320, 200)), Limits(max_pixels=1000))
    assert caught.value.reason == "too_large"


def test_cut_off_it_is_damaged():
    data = jxl(photograph(1, 320, 200))
    for share in range(1, 8):
        with pytest.raises(PictureError) as caught:
            pictures.decode(data[: len(data) * share // 8], LIMITS)
        assert caught.value.reason in ("corrupt", "truncated")


@pytest.mark.parametrize("data", [b"", jxl_file.CODESTREAM, jxl_file.CONTAINER, jxl_file.CONTAINER + b"\0\0\0\1jxlc"])
def test_without_a_header_there_is_no_size(data):
    assert jxl_file.size_of(data) is jxl_file.bits_per_channel(data) is None


def test_without_its_decoder_it_says_which_one_is_missing(monkeypatch):
    monkeypatch.setattr(decoders, "formats", lambda: decoders.FORMATS)
    with pytest.raises(PictureError, match="JPEG XL needs pillow-jxl-plugin") as caught:
        pictures.decode(jxl(photograph(1, 64, 64)), LIMITS)
    assert caught.value.reason == "no_decoder"
