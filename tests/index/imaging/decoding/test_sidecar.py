"""What a picture tells, and a sidecar that tells what another does not."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from index.images.sidecar import Telling, as_xmp, lacking, read_xmp, told_by
from support.pictures import photograph


def jpeg(exif: Image.Exif | None = None, xmp: bytes = b"") -> Image.Image:
    buffer = io.BytesIO()
    options = ({"exif": exif} if exif is not None else {}) | ({"xmp": xmp} if xmp else {})
    photograph(1, 64, 48).save(buffer, "JPEG", **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x4746] = 4
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:07:14 10:31:02"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "S", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 54.0)})
    return exif


def test_exif_tells_date_place_and_rating() -> None:
    with jpeg(full_exif()) as image:
        told = told_by(image)
    assert (told.taken, told.rating) == ("2019-07-14T10:31:02", 4)
    assert told.place == pytest.approx((-33.857, 151.215))


def test_xmp_tells_rating_and_keywords() -> None:
    packet = as_xmp(Telling(rating=5, keywords=("Anna & Ben", "sea")), Telling())
    with jpeg(xmp=packet) as image:
        assert told_by(image) == Telling(rating=5, keywords=("Anna & Ben", "sea"))


def test_a_sidecar_tells_what_is_lacking_and_of_keywords_all() -> None:
    keeper = Telling(taken="2019-07-14T10:31:02", keywords=("sea",))
    other = Telling(taken="2001-01-01T00:00:00", place=(-33.5, 151.25), rating=3, keywords=("sea", "Anna"))
    more = lacking(keeper, other)
    assert more == Telling(place=(-33.5, 151.25), rating=3, keywords=("Anna",))
    text = as_xmp(more, keeper).decode()
    assert "<exif:GPSLatitude>33,30.000000S</exif:GPSLatitude>" in text
    assert "<exif:GPSLongitude>151,15.000000E</exif:GPSLongitude>" in text
    assert "DateTimeOriginal" not in text
    assert read_xmp(text) == Telling(rating=3, keywords=("sea", "Anna"))


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"no xml", b"<a>", b"\xff\xfe\x00", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b'<x xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description/></x>', b"x" * 2_000_000,
    ],
)  # fmt: skip
def test_what_is_no_xmp_tells_nothing(packet: bytes) -> None:
    assert read_xmp(packet) == Telling()


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(1, 5))
def test_what_is_written_is_read(words: list[str], rating: int) -> None:
    told = read_xmp(as_xmp(Telling(rating=rating, keywords=tuple(words)), Telling()))
    assert told.rating == rating
    assert set(told.keywords) <= {" ".join("".join(c if c.isprintable() else " " for c in w).split()) for w in words}
