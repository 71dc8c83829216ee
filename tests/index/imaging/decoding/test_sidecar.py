"""What the metadata of a picture gives, and a sidecar that adds what another lacks."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from index.imaging.decoding.sidecar import Metadata, as_xmp, missing_from, read_metadata, read_xmp
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


def test_exif_gives_date_place_and_rating() -> None:
    with jpeg(full_exif()) as image:
        metadata = read_metadata(image)
    assert (metadata.taken, metadata.rating) == ("2019-07-14T10:31:02", 4)
    assert metadata.place == pytest.approx((-33.857, 151.215))


def test_xmp_gives_rating_and_keywords() -> None:
    packet = as_xmp(Metadata(rating=5, keywords=("Anna & Ben", "sea")), Metadata())
    with jpeg(xmp=packet) as image:
        assert read_metadata(image) == Metadata(rating=5, keywords=("Anna & Ben", "sea"))


def test_a_sidecar_adds_what_is_lacking_and_lists_all_keywords() -> None:
    keeper = Metadata(taken="2019-07-14T10:31:02", keywords=("sea",))
    other = Metadata(taken="2001-01-01T00:00:00", place=(-33.5, 151.25), rating=3, keywords=("sea", "Anna"))
    more = missing_from(keeper, other)
    assert more == Metadata(place=(-33.5, 151.25), rating=3, keywords=("Anna",))
    text = as_xmp(more, keeper).decode()
    assert "<exif:GPSLatitude>33,30.000000S</exif:GPSLatitude>" in text
    assert "<exif:GPSLongitude>151,15.000000E</exif:GPSLongitude>" in text
    assert "DateTimeOriginal" not in text
    assert read_xmp(text) == Metadata(rating=3, keywords=("sea", "Anna"))


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"no xml", b"<a>", b"\xff\xfe\x00", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b'<x xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description/></x>', b"x" * 2_000_000,
    ],
)  # fmt: skip
def test_what_is_no_xmp_gives_no_metadata(packet: bytes) -> None:
    assert read_xmp(packet) == Metadata()


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(1, 5))
def test_what_is_written_is_read(words: list[str], rating: int) -> None:
    metadata = read_xmp(as_xmp(Metadata(rating=rating, keywords=tuple(words)), Metadata()))
    assert metadata.rating == rating
    assert set(metadata.keywords) <= {
        " ".join("".join(c if c.isprintable() else " " for c in w).split()) for w in words
    }
