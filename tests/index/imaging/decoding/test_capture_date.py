"""Dates of captures from every place where programs write them."""

import pytest

from index.imaging.decoding import capture_date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2019:07:14 10:31:02", ("2019-07-14T10:31:02", "")),
        ("2019-07-14T10:31:02.123+02:00", ("2019-07-14T10:31:02", "+02:00")),
        ("2019-07-14T10:31Z", ("2019-07-14T10:31:00", "+00:00")),
        ("2019-07-14", ("2019-07-14T00:00:00", "")),
        ("1965-12-24T18:00:00", ("1965-12-24T18:00:00", "")),
        ("2019:13:14 10:31:02", ("", "")),
        ("0000:00:00 00:00:00", ("", "")),
        ("9999-12-31", ("", "")),
        ("2019", ("", "")),
        ("2019-07-14T10:31:02+99:00", ("2019-07-14T10:31:02", "")),
        ("", ("", "")),
    ],
)
def test_dates_of_exif_and_xmp(text: str, date: tuple[str, str]) -> None:
    assert capture_date.date_and_zone(text) == date


@pytest.mark.parametrize(
    ("name", "date"),
    [
        (b"IMG_20190714_103102.jpg", ("2019-07-14T10:31:02", "")),
        (b"PXL_20240407_152207242.RAW-01.COVER.jpg", ("2024-04-07T15:22:07", "+00:00")),
        (b"2019-07-14 10.31.02.png", ("2019-07-14T10:31:02", "")),
        (b"Screenshot_2019-07-14-10-31-02.png", ("2019-07-14T10:31:02", "")),
        (b"WhatsApp Image 2019-07-14 at 10.31.02.jpeg", ("2019-07-14T10:31:02", "")),
        (b"IMG-20190714-WA0001.jpg", ("2019-07-14T00:00:00", "")),
        (b"signal-2019-07-14-103102.jpg", ("2019-07-14T10:31:02", "")),
        (b"IMG_1234.jpg", ("", "")),
        (b"20191399_000000.jpg", ("", "")),
        (b"120190714.jpg", ("", "")),
        (b"19500101_120000.jpg", ("", "")),
        (b"\xff20190714\xff.jpg", ("2019-07-14T00:00:00", "")),
    ],
)
def test_dates_in_names(name: bytes, date: tuple[str, str]) -> None:
    assert capture_date.of_name(name) == date


def test_iptc_and_gps() -> None:
    assert capture_date.of_iptc("20190714", "103102+0200") == ("2019-07-14T10:31:02", "+02:00")
    assert capture_date.of_iptc("20190714", "") == ("2019-07-14T00:00:00", "")
    assert capture_date.of_iptc("20190000", "103102") == ("", "")
    assert capture_date.of_gps({29: "2019:07:14", 7: (8.0, 31.0, 2.0)}) == ("2019-07-14T08:31:02", "+00:00")
    assert capture_date.of_gps({29: "2019:07:14", 7: (float("nan"), 31.0, 2.0)}) == ("", "")
    assert capture_date.of_gps({7: (8.0, 31.0, 2.0)}) == ("", "")
    assert capture_date.of_timestamp(10**17) == ("", "")
