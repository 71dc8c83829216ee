"""TIFF of kinds that are not decoded is named for what it is, never as damaged."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from index.errors import PictureError
from index.imaging.decoding import pictures, tiff_kinds
from index.imaging.decoding.pictures import Limits
from support.file_kinds import tiff
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)
SIZE = (40, 30)
# The entry of a directory: the tag SampleFormat, one short number, of signed integers.
SIGNED_NUMBERS = b"\x53\x01\x03\0\x01\0\0\0\x02\0"
LEVELS = np.asarray(photograph(1, *SIZE)).astype(np.uint16) * 257


def save_grey(levels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "TIFF")
    return file.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        pictures.decode(data, LIMITS)
    assert caught.value.reason == "no_decoder"
    return str(caught.value)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_in_separate_planes_are_refused_since_pillow_reads_other_pixels(order):
    planes = [LEVELS[..., channel].astype(order + "u2").tobytes() for channel in range(3)]
    assert "separate planes" in refusal(tiff(planes, SIZE, 16, separate=True, order=order))
    packed = [zlib.compress(plane) for plane in planes]
    facts = pictures.decode(tiff(packed, SIZE, 16, separate=True, coding=8, order=order), LIMITS).facts
    assert (facts.width, facts.height) == SIZE


@pytest.mark.parametrize(
    ("kind", "bits", "sample_format", "words"),
    [("f2", 16, 3, "floating point (16"), ("f4", 32, 3, "floating point (32"), ("u4", 32, 1, "32 bits per channel")],
)
def test_deep_and_real_colours_are_named(kind, bits, sample_format, words):
    data = tiff([(LEVELS >> 1).astype("<" + kind).tobytes()], SIZE, bits, sample_format=sample_format)
    assert words in refusal(data)


def test_what_is_coded_as_another_format_is_named():
    assert "WebP" in refusal(tiff([b"RIFF" + bytes(60)], SIZE, 8, coding=50001))


@pytest.mark.parametrize(("coding", "name"), [(22610, "JPEG XR"), (34933, "PNG"), (60001, "60001")])
def test_other_codings_are_named(coding, name):
    assert f"{name} compression" in refusal(tiff([bytes(60)], SIZE, 8, coding=coding))


def test_grey_in_unsigned_numbers_of_32_bits_is_refused_since_pillow_reads_the_upper_half_as_negative():
    data = bytearray(save_grey(LEVELS[..., 0].astype(np.int32) * 65_537))
    assert pictures.decode(bytes(data), LIMITS).facts.bit_depth == 32
    at = data.index(SIGNED_NUMBERS)
    data[at + 8] = 1
    assert "32 bits per channel" in refusal(bytes(data))


def changed(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with another value in one entry of a short number; the entry must exist."""
    head = tag.to_bytes(2, "little") + b"\x03\0\x01\0\0\0"
    at = data.index(head) + len(head)
    return data[:at] + value.to_bytes(2, "little") + data[at + 2 :]


def test_grey_of_16_bits_with_0_as_white_is_refused_since_pillow_leaves_it_inverted():
    data = save_grey(LEVELS[..., 0])
    assert pictures.decode(data, LIMITS).facts.bit_depth == 16
    assert "0 as white" in refusal(changed(data, 262, 0))


def as_signed(data: bytes) -> bytes:
    """A grey TIFF that calls its numbers signed, in the place of the entry PlanarConfiguration."""
    planes = b"\x1c\x01\x03\0\x01\0\0\0\x01\0"
    assert planes in data
    return data.replace(planes, SIGNED_NUMBERS)


@pytest.mark.parametrize("colours", [1, 3])
def test_signed_numbers_of_8_bits_are_refused_since_pillow_reads_the_negative_ones_as_the_brightest(colours):
    levels = (LEVELS >> 8).astype(np.uint8)
    grey = as_signed(save_grey(levels[..., 0]))
    data = grey if colours == 1 else tiff([levels.tobytes()], SIZE, 8, sample_format=2)
    assert "signed numbers (8" in refusal(data)


def test_signed_numbers_of_16_bits_are_as_bright_as_unsigned_ones():
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16)[None].repeat(48, 0)
    signed = as_signed(save_grey(ramp ^ 0x8000))
    with pictures.opened(signed, LIMITS) as image:
        assert image.getextrema() == (-32_768, 32_767)
    assert np.array_equal(pictures.decode(signed, LIMITS).grey, pictures.decode(save_grey(ramp), LIMITS).grey)


def test_plain_ones_are_read():
    data = tiff([(LEVELS >> 8).astype(np.uint8).tobytes()], SIZE, 8)
    assert tiff_kinds.not_decoded(data) is tiff_kinds.decoded_wrongly(data) is None
    assert pictures.decode(data, LIMITS).facts.format == "TIFF"


@pytest.mark.parametrize("data", [b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0+" + bytes(8), b"II+\0" + b"\xff" * 60])
def test_a_broken_directory_shows_nothing(data):
    assert tiff_kinds.not_decoded(data) is tiff_kinds.decoded_wrongly(data) is None
