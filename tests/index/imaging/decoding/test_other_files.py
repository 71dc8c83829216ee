"""JPEG 2000, Photoshop, TGA and the PPM family are read by Pillow; nothing else is treated as a TGA."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from index.errors import PictureError
from index.imaging.decoding import other_files, pictures
from index.imaging.decoding.pictures import Limits
from index.imaging.discovery.file_types import HEAD_BYTES, looks_like_image
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)
PICTURE = photograph(1, 320, 200)


def packed(form: str, picture: Image.Image = PICTURE, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def psd(depth: int = 8, version: int = 1) -> bytes:
    """A flat Photoshop file: no colours, resources or layers, and the pixels plane by plane."""
    planes = np.asarray(PICTURE).transpose(2, 0, 1).astype(">u1" if depth == 8 else ">u2").tobytes()
    head = struct.pack(">4sH6xHIIHH", b"8BPS", version, 3, PICTURE.height, PICTURE.width, depth, 3)
    return head + bytes(12) + b"\0\0" + planes


FILES = {
    "JPEG2000": packed("JPEG2000"), "PPM": packed("PPM"), "PSD": psd(),
    "TGA": packed("TGA"), "TGA in runs": packed("TGA", compression="tga_rle"),
    "TGA without its mark": packed("TGA")[:-26],
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_it_is_read_and_cut_off_it_is_not(name):
    data = FILES[name]
    decoded = pictures.decode(data, LIMITS)
    assert (decoded.facts.format, decoded.facts.width, decoded.facts.height) == (name.split()[0], *PICTURE.size)
    assert decoded.facts.frames == 1
    assert pictures.preview(data, LIMITS)
    with pytest.raises(PictureError):
        pictures.decode(data[: len(data) // 2], LIMITS)


@pytest.mark.parametrize("name", ["JPEG2000", "PSD"])
def test_the_first_bytes_suffice(name):
    assert looks_like_image(FILES[name][:HEAD_BYTES])


@pytest.mark.parametrize(("depth", "version", "words"), [(16, 1, "16 bits per channel"), (8, 2, "PSB")])
def test_photoshop_files_that_are_not_read_are_named(depth, version, words):
    with pytest.raises(PictureError, match=words) as caught:
        pictures.decode(psd(depth, version), LIMITS)
    assert caught.value.reason == "no_decoder"


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture at all, but long enough for a header", bytes(100), b"\xff" * 100, b"\0\0\2" + bytes(97)],
)
def test_other_bytes_are_no_tga(data):
    assert not other_files.is_tga(data)
    with pytest.raises(PictureError) as caught:
        pictures.decode(data, LIMITS)
    assert caught.value.reason in ("not_an_image", "empty")


@pytest.mark.parametrize(
    ("marker", "bits", "words"),
    [(0xC1, 12, "12 bits per channel"), (0xC3, 8, "SOF3"), (0xC5, 8, "SOF5"), (0xF7, 8, "JPEG-LS")],
)
def test_kinds_of_jpeg_that_are_not_read_are_named(marker, bits, words):
    data = bytearray(packed("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 1], data[frame + 4] = marker, bits
    with pytest.raises(PictureError, match=words) as caught:
        pictures.decode(bytes(data), LIMITS)
    assert caught.value.reason == "no_decoder"
