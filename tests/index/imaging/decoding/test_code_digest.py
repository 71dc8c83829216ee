"""Equal code digests prove equal pixels, whatever the files say else; what they cannot prove is left to decoding."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from index.errors import PictureError
from index.imaging.decoding.jpeg_file import COMMENT, Segment, is_coded_as_rgb, with_metadata
from index.imaging.decoding.pictures import Limits
from index.imaging.decoding.pixel_digest import code_digest, pixel_digest
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)
PICTURE = photograph(1, 96, 64)


def packed(picture: Image.Image = PICTURE, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **{"quality": 85, **options})
    return file.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def adobe(transform: int) -> bytes:
    payload = b"Adobe\0\x64\0\0\0\0" + bytes([transform])
    return b"\xff\xee" + (len(payload) + 2).to_bytes(2, "big") + payload


def without_jfif(data: bytes, instead: bytes = b"") -> bytes:
    length = int.from_bytes(data[4:6], "big")
    assert data[6:10] == b"JFIF"
    return data[:2] + instead + data[4 + length :]


def digests(data: bytes) -> tuple[bytes, bytes | str]:
    """By the code and by the pixels; the reason where these cannot be had."""
    try:
        pixels: bytes | str = pixel_digest(data, LIMITS)
    except PictureError as error:
        pixels = error.reason
    try:
        return code_digest(data, LIMITS), pixels
    except PictureError:
        return b"", pixels


PLAIN = packed()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

SAME = {
    "a comment": with_metadata(PLAIN, [Segment(COMMENT, b"hello")]),
    "EXIF that turns nothing": packed(exif=turned(1)),
    "XMP": with_metadata(PLAIN, [Segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")]),
    "a profile of sRGB": packed(icc_profile=SRGB),
    "another resolution": packed(dpi=(300, 300)),
    "no JFIF": without_jfif(PLAIN),
    "Adobe's marker for luma": without_jfif(PLAIN, adobe(1)),
    "something behind": PLAIN + b"a film",
}
OTHERS = {
    "another quality": packed(quality=84),
    "progressive": packed(progressive=True),
    "turned": packed(exif=turned(6)),
    "Adobe's marker for RGB": without_jfif(PLAIN, adobe(0)),
    "grey": packed(PICTURE.convert("L")),
    "another subsampling": packed(subsampling=0),
    "other tables of codes": packed(optimize=True),
}
UNPROVEN = {
    "PNG": lambda: _as(PICTURE, "PNG"),
    "CMYK": lambda: packed(PICTURE.convert("CMYK")),
    "cut off": lambda: PLAIN[: len(PLAIN) * 2 // 3],
}


def _as(picture: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("data", SAME.values(), ids=SAME.keys())
def test_metadata_does_not_count(data: bytes) -> None:
    assert data != PLAIN
    assert digests(data) == digests(PLAIN)
    assert digests(PLAIN)[0] != b""


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_what_decides_the_pixels_counts(data: bytes) -> None:
    assert digests(data)[0] not in (b"", digests(PLAIN)[0])


@pytest.mark.parametrize("name", UNPROVEN)
def test_what_is_not_understood_proves_nothing(name: str) -> None:
    assert digests(UNPROVEN[name]())[0] == b""


def test_a_profile_of_other_colours_counts() -> None:
    wide = bytearray(SRGB)
    place = SRGB.index(b"rXYZ", 128)
    offset = int.from_bytes(SRGB[place + 4 : place + 8], "big")
    wide[offset + 8 : offset + 12] = (0x9C18).to_bytes(4, "big")
    data = packed(icc_profile=bytes(wide))
    assert digests(data)[0] not in (b"", digests(PLAIN)[0])
    assert digests(data)[1] != digests(PLAIN)[1]


@pytest.mark.parametrize("cut", [1, 2, 3, 40])
def test_a_file_without_its_end_is_the_same_only_where_no_pixel_is_missing(cut: int) -> None:
    code, pixels = digests(PLAIN[:-cut])
    assert code != digests(PLAIN)[0] or pixels == digests(PLAIN)[1]


@pytest.mark.parametrize("start", [b"", adobe(0), adobe(1), adobe(2)])
@pytest.mark.parametrize("jfif", [True, False])
@pytest.mark.parametrize("names", [b"\1\2\3", b"RGB", b"\0\1\2", b"\1\42\3"])
def test_the_colours_of_components_are_those_of_the_decoder(start: bytes, jfif: bool, names: bytes) -> None:
    data = bytearray(packed(PICTURE, subsampling=0))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for number, name in enumerate(names):
        data[frame + 10 + 3 * number] = name
        data[scan + 5 + 2 * number] = name
    changed = bytes(data[:2]) + start + bytes(data[2:]) if jfif else without_jfif(bytes(data), start)
    with Image.open(io.BytesIO(changed)) as decoded, Image.open(io.BytesIO(packed(subsampling=0))) as as_luma:
        assert is_coded_as_rgb(changed) == (not np.array_equal(np.asarray(decoded), np.asarray(as_luma)))


@given(st.integers(2, len(PLAIN) - 1), st.integers(0, 255), st.sampled_from(["change", "insert", "remove"]))
def test_whatever_is_done_to_a_file_equal_code_means_equal_pixels(at: int, value: int, what: str) -> None:
    code, pixels = digests(PLAIN)
    byte = b"" if what == "remove" else bytes([value])
    changed = PLAIN[:at] + byte + PLAIN[at + (what != "insert") :]
    if digests(changed)[0] == code:
        assert digests(changed)[1] == pixels


@given(st.data())
def test_every_change_of_coded_data_counts_or_proves_nothing(data: st.DataObject) -> None:
    frame, scan = PLAIN.index(b"\xff\xc0"), PLAIN.index(b"\xff\xda")
    at = data.draw(st.integers(frame, len(PLAIN) - 3))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != PLAIN[at]))
    changed = PLAIN[:at] + bytes([value]) + PLAIN[at + 1 :]
    assert frame < scan
    assert digests(changed)[0] != digests(PLAIN)[0]
