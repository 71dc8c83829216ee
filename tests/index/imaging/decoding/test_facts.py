"""The header gives size as shown, date, camera, quality and metadata, and nothing in it can spoil the picture."""

import io
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from index.imaging.decoding.facts import facts_of, frames_of, jpeg_quality, orientation_of
from index.model import Facts
from support.pictures import STORED_AS, photograph

BASE, EXIF, GPS = ExifTags.Base, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo


def facts(picture: Image.Image, form: str = "JPEG", **options: Any) -> Facts:
    file = io.BytesIO()
    picture.save(file, form, **options)
    with Image.open(file) as image:
        return facts_of(image)


def exif_of(main: dict[int, Any], sub: dict[int, Any] | None = None, gps: dict[int, Any] | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif.update(main)
    if sub:
        exif.get_ifd(EXIF).update(sub)
    if gps:
        exif.get_ifd(GPS).update(gps)
    return exif


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return photograph(1, 96, 64)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
def test_format_and_size(picture: Image.Image, form: str) -> None:
    result = facts(picture, form)
    assert (result.format, result.width, result.height, result.orientation, result.frames) == (form, 96, 64, 1, 1)
    assert result.taken == result.camera == ""
    assert result.metadata == ()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_the_size_is_as_shown(picture: Image.Image, form: str, orientation: int) -> None:
    result = facts(picture, form, exif=exif_of({BASE.Orientation: orientation}))
    assert result.orientation == orientation
    assert (result.width, result.height) == ((96, 64) if orientation < 5 else (64, 96))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_makes_no_sense_is_none(picture: Image.Image, value: int) -> None:
    assert facts(picture, exif=exif_of({BASE.Orientation: value})).orientation == 1


@pytest.mark.parametrize(
    ("main", "sub", "taken"),
    [
        ("2020:01:02 03:04:05", "2019:12:31 23:59:58", "2019-12-31T23:59:58"),
        ("2020:01:02 03:04:05", None, "2020-01-02T03:04:05"),
        ("2020:01:02 03:04:05", "0000:00:00 00:00:00", "2020-01-02T03:04:05"),
        ("    :  :     :  :  ", None, ""),
        ("2020:13:02 03:04:05", None, ""),
        ("2021:02:29 03:04:05", None, ""),
        ("2020:01:02 25:04:05", None, ""),
        ("2020-01-02T03:04:05+02:00", None, "2020-01-02T03:04:05"),
        ("yesterday", None, ""),
    ],
)
def test_when_it_was_taken(picture: Image.Image, main: str, sub: str | None, taken: str) -> None:
    exif = exif_of({BASE.DateTime: main}, {BASE.DateTimeOriginal: sub} if sub else None)
    assert facts(picture, exif=exif).taken == taken


def test_the_camera_is_a_few_plain_words(picture: Image.Image) -> None:
    assert facts(picture, exif=exif_of({BASE.Model: " Lumix\x07 DMC-FZ300 \n"})).camera == "Lumix DMC-FZ300"
    assert facts(picture, exif=exif_of({BASE.Model: "x" * 5000})).camera == "x" * 80


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_that_a_jpeg_was_saved_at(quality: int) -> None:
    assert facts(Image.new("RGB", (16, 16), 90), quality=quality).jpeg_quality == quality


@pytest.mark.parametrize("tables", [None, {}, [], {0: []}, {1: [1] * 64}, {0: None}, {0: [0] * 64}, {0: [65535] * 64}])
def test_tables_of_any_kind_have_some_quality(tables: Any) -> None:
    assert 0 <= jpeg_quality(tables) <= 100


def test_other_formats_have_no_quality(picture: Image.Image) -> None:
    assert facts(picture, "PNG").jpeg_quality == 0


def test_metadata_is_named(picture: Image.Image) -> None:
    exif = exif_of({BASE.Model: "X"}, gps={1: "N", 2: (52.0, 30.0, 0.0)})
    assert facts(picture, exif=exif, xmp=b"<x/>", icc_profile=b"icc").metadata == ("exif", "gps", "xmp", "icc")
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<x/>")
    assert facts(picture, "PNG", pnginfo=text).metadata == ("xmp",)


def test_an_orientation_alone_is_no_metadata(picture: Image.Image) -> None:
    assert facts(picture, exif=exif_of({BASE.Orientation: 6})).metadata == ()


def test_iptc_is_found_where_photo_tools_write_it(picture: Image.Image) -> None:
    record = b"\x1c\x02\x78\x00\x05words"
    resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(record)) + record
    file = io.BytesIO()
    picture.save(file, "JPEG")
    block = b"Photoshop 3.0\x00" + resource
    data = file.getvalue()
    marked = data[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + data[2:]
    with Image.open(io.BytesIO(marked)) as image:
        assert facts_of(image).metadata == ("iptc",)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[33723] = record
    tags.tagtype[33723] = 7
    assert facts(picture, "TIFF", tiffinfo=tags).metadata == ("iptc",)


def test_a_tiff_that_says_more_than_how_to_decode_it_has_exif(picture: Image.Image) -> None:
    assert facts(picture, "TIFF", exif=exif_of({BASE.Model: "Scanner"})).metadata == ("exif",)


@pytest.mark.filterwarnings("ignore")
@given(st.binary(max_size=300))
@example(b"II*\0\x08\0\0\0\xff\xff")
@example(b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\0")  # an Exif block that is itself
def test_no_exif_block_can_spoil_the_picture(block: bytes) -> None:
    result = facts(Image.new("RGB", (32, 16)), exif=b"Exif\0\0" + block)
    assert result.format == "JPEG"
    assert {result.width, result.height} == {32, 16}


def test_frames_are_counted(picture: Image.Image) -> None:
    others = [photograph(seed, 96, 64) for seed in (2, 3)]
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        assert facts(picture, form, save_all=True, append_images=others).frames == 3


def test_the_preview_in_a_camera_file_is_no_frame(picture: Image.Image) -> None:
    result = facts(picture, "MPO", save_all=True, append_images=[photograph(2, 96, 64)])
    assert (result.format, result.frames) == ("JPEG", 1)


def test_a_broken_chain_of_frames_leaves_the_first() -> None:
    class Broken(Image.Image):
        @property
        def n_frames(self) -> int:
            raise struct.error("unpack requires 2 bytes")

        def getexif(self) -> Image.Exif:
            raise SyntaxError("not a TIFF file")

    assert frames_of(Broken()) == 1
    assert orientation_of(Broken()) == 1
