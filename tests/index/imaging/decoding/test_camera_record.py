"""What a camera wrote in addition to its picture."""

import io
import struct
from typing import Any

import pytest
from PIL import ExifTags, Image

from index.imaging.decoding.facts import facts_of
from index.model import CameraRecord


def record(detail: dict[int, Any], main: dict[int, Any] | None = None, **save: Any) -> CameraRecord:
    exif = Image.Exif()
    for tag, value in (main or {}).items():
        exif[tag] = value
    exif._ifds[ExifTags.IFD.Exif] = detail
    data = io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(data, "JPEG", exif=exif, **save)
    with Image.open(data) as image:
        return facts_of(image).record


def entry(order: str, tag: int, kind: int, count: int, field: bytes) -> bytes:
    return struct.pack(order + "HHI", tag, kind, count) + field.ljust(4, b"\0")


def long_entry(order: str, tag: int, value: int) -> bytes:
    return entry(order, tag, 4, 1, struct.pack(order + "I", value))


def note(head: bytes, order: str, *entries: bytes) -> bytes:
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)


def test_how_a_picture_was_exposed() -> None:
    found = record(
        {
            ExifTags.Base.ExposureTime: 1 / 60,
            ExifTags.Base.FNumber: 5.6,
            ExifTags.Base.ISOSpeedRatings: 200,
            ExifTags.Base.ExposureBiasValue: -0.667,
            ExifTags.Base.DateTimeOriginal: "2024:05:17 12:34:56",
            ExifTags.Base.SubsecTimeOriginal: "70",
            ExifTags.Base.ImageUniqueID: "0123456789abcdef",
            ExifTags.Base.ExifImageWidth: 64,
            ExifTags.Base.ExifImageHeight: 48,
        },
        {ExifTags.Base.Make: "Example", ExifTags.Base.Software: "v1", ExifTags.Base.DateTime: "2024:05:18 00:00:00"},
    )
    assert found.exposure_s == pytest.approx(1 / 60, abs=1e-6)
    assert (found.aperture, found.iso, found.bias_ev) == (5.6, 200, pytest.approx(-0.667, abs=1e-3))
    assert (found.original, found.modified) == ("2024:05:17 12:34:56", "2024:05:18 00:00:00")
    assert (found.subseconds, found.unique_id) == ("7", "0123456789abcdef")
    assert (found.make, found.software, found.declared) == ("Example", "v1", (64, 48))


@pytest.mark.parametrize(
    ("make", "maker_note", "numbers"),
    [
        ("Canon", note(b"", ">", long_entry(">", 8, 1020470)), ("0x0008:1020470",)),
        (
            "NIKON CORPORATION",
            note(b"Nikon\0\x02\x11\0\0MM\0*\0\0\0\x08", ">", long_entry(">", 0xA7, 2534)),
            ("0x00a7:2534",),
        ),
        ("SONY", note(b"SONY DSC \0\0\0", ">", entry(">", 0xB04A, 3, 1, b"\0\2")), ("0xb04a:2",)),
        ("Other", note(b"", ">", long_entry(">", 8, 5)), ()),
        ("Canon", note(b"", ">", long_entry(">", 8, 5))[:9], ()),
        ("Canon", b"\xff", ()),
    ],
)
def test_the_numbers_of_exposures(make: str, maker_note: bytes, numbers: tuple[str, ...]) -> None:
    found = record({ExifTags.Base.MakerNote: maker_note}, {ExifTags.Base.Make: make})
    assert found.numbers == numbers
    assert len(found.maker_note) == 16


@pytest.mark.parametrize(("offset", "burst"), [(32, "A1B2-C3"), (4_000_000_000, "")])
def test_the_burst_of_a_telephone(offset: int, burst: str) -> None:
    directory = note(b"Apple iOS\0\0\1MM", ">", entry(">", 0x0B, 2, 8, struct.pack(">I", offset)))
    found = record({ExifTags.Base.MakerNote: directory + b"A1B2-C3\0"}, {ExifTags.Base.Make: "Apple"})
    assert found.burst_id == burst


def test_tables_of_libjpeg_are_not_those_of_a_camera() -> None:
    own = [min(255, 3 + 2 * index) for index in range(64)]
    assert record({}, quality=91).standard_tables
    camera = record({}, qtables=[own, own])
    assert not camera.standard_tables
    assert camera.tables not in ("", record({}, quality=91).tables)


@pytest.mark.parametrize(
    "detail",
    [
        {ExifTags.Base.ExposureTime: "soon"},
        {ExifTags.Base.FNumber: float("inf")},
        {ExifTags.Base.ISOSpeedRatings: ()},
        {ExifTags.Base.SubsecTimeOriginal: b"\xff\xfe"},
        {ExifTags.Base.MakerNote: b"Apple iOS\0"},
        {ExifTags.Base.MakerNote: b"Nikon\0\x02"},
    ],
)
def test_what_makes_no_sense_is_missing(detail: dict[int, Any]) -> None:
    found = record(detail)
    assert (found.exposure_s, found.aperture, found.iso, found.subseconds) == (None, None, None, "")
    assert (found.numbers, found.burst_id) == ((), "")
