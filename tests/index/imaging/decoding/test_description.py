"""What is written about a picture: in EXIF, XMP and IPTC of its file, and in the files next to it."""

import io
import struct

import pytest
from PIL import ExifTags, Image

from index.imaging.decoding.description import (
    combined_description,
    kinds_written,
    merged_descriptions,
    missing_from,
    read_sidecar,
)
from index.imaging.decoding.embedded_description import read_description
from index.model import DateSource, Description
from support.pictures import photograph
from support.xmp import packet


def jpeg(exif: Image.Exif | None = None, xmp: bytes = b"", iptc: bytes = b"") -> Image.Image:
    buffer = io.BytesIO()
    options = ({"exif": exif} if exif is not None else {}) | ({"xmp": xmp} if xmp else {})
    photograph(1, 64, 48).save(buffer, "JPEG", **options)
    data = buffer.getvalue()
    if iptc:
        block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
        data = data[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + data[2:]
    return Image.open(io.BytesIO(data))


def record(tag: int, value: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, 2, tag, len(value)) + value


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x4746] = 4
    exif[ExifTags.Base.ImageDescription] = "OLYMPUS DIGITAL CAMERA         "
    exif[0x9C9B] = "Title\0".encode("utf-16-le")
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.DateTimeOriginal] = "2019:07:14 10:31:02"
    detail[ExifTags.Base.OffsetTimeOriginal] = "+10:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "S", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 54.0)})
    return exif


def test_exif_gives_date_zone_place_rating_and_title() -> None:
    with jpeg(full_exif()) as image:
        found = read_description(image)
    assert (found.taken, found.zone, found.dated_by) == ("2019-07-14T10:31:02", "+10:00", "exif")
    assert (found.rating, found.title, found.caption) == (4, "Title", "")
    assert found.place == pytest.approx((-33.857, 151.215))


def test_a_place_alone_is_found_and_nothing_where_nothing_is_written() -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 54.0)})
    with jpeg(exif) as image:
        assert read_description(image).place == pytest.approx((33.857, 151.215))
    with jpeg() as image:
        assert read_description(image) == Description()


def test_iptc_gives_date_caption_keywords_and_city() -> None:
    records = (record(5, b"T"), record(25, b"sea"), record(25, "Zürich".encode("latin-1")),
               record(55, b"20190714"), record(60, b"103102+0200"), record(90, "Zürich".encode()),
               record(101, b"Switzerland"), record(120, b"At the\nlake"))  # fmt: skip
    with jpeg(iptc=b"".join(records)) as image:
        found = read_description(image)
    assert found == Description(
        taken="2019-07-14T10:31:02", zone="+02:00", dated_by="iptc", location=("", "Zürich", "", "Switzerland"),
        title="T", caption="At the\nlake", keywords=("sea", "Zürich"),
    )  # fmt: skip


def test_a_clock_that_was_reset_is_believed_less_than_the_receivers() -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "1980:01:01 00:00:12"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({29: "2019:07:14", 7: (8.0, 31.0, 2.0)})
    with jpeg(exif) as image:
        found = read_description(image)
    assert (found.taken, found.zone, found.dated_by) == ("2019-07-14T08:31:02", "+00:00", "gps")


def test_xmp_gives_what_editors_write() -> None:
    xmp = packet(
        'xmp:CreateDate="2019-07-14T10:31:02+02:00" xmp:Rating="5" xmp:Label="Red"',
        "<dc:subject><rdf:Bag><rdf:li>Tom</rdf:li></rdf:Bag></dc:subject>"
        "<digiKam:TagsList><rdf:Seq><rdf:li>animal/cat/Tom</rdf:li></rdf:Seq></digiKam:TagsList>"
        "<lr:hierarchicalSubject><rdf:Bag><rdf:li>place|sea</rdf:li></rdf:Bag></lr:hierarchicalSubject>",
    )
    with jpeg(xmp=xmp) as image:
        found = read_description(image)
    assert (found.taken, found.zone, found.dated_by) == ("2019-07-14T10:31:02", "+02:00", "xmp")
    assert (found.rating, found.label, found.keywords) == (5, "Red", ("Tom",))
    assert found.hierarchies == ("place|sea", "animal|cat|Tom")


def test_what_stands_beside_and_in_the_name_is_taken_where_the_file_says_nothing() -> None:
    own = Description(taken="2019-07-14T10:31:02", dated_by=DateSource.EXIF, rating=2, keywords=("a",))
    beside = Description(taken="2001-01-01T10:00:00", dated_by="sidecar", rating=5, place=(1.0, 2.0), keywords=("b",))
    seen = combined_description(own, beside, b"20200101_101010.jpg")
    assert (seen.taken, seen.dated_by, seen.rating, seen.place) == (own.taken, "exif", 5, (1.0, 2.0))
    assert seen.keywords == ("b", "a")
    assert combined_description(Description(), beside, b"20200101_101010.jpg").dated_by == "sidecar"
    named = combined_description(Description(), Description(), b"20200102_101010.jpg")
    assert (named.taken, named.dated_by) == ("2020-01-02T10:10:10", "name")


def test_what_is_missing_is_what_the_other_says_alone() -> None:
    keeper = Description(taken="2019-07-14T10:31:02", dated_by="name", keywords=("sea",), rating=1)
    other = Description(taken="2001-01-01T00:00:00", dated_by="exif", place=(-33.5, 151.25), rating=3, label="Red",
                        keywords=("sea", "Anna"), hierarchies=("a|b",), location=("", "Bern", "", ""))  # fmt: skip
    assert missing_from(keeper, other) == Description(
        taken=other.taken, dated_by="exif", place=other.place, label="Red", keywords=("Anna",), hierarchies=("a|b",),
        location=("", "Bern", "", ""),
    )  # fmt: skip
    named = Description(taken="2019-07-14T10:31:02", dated_by="name")
    assert missing_from(Description(), named) == Description(), "a date in a name is no more than a guess"
    assert missing_from(other, merged_descriptions(keeper, other)) == Description()


def test_files_beside_are_distinguished_by_their_names() -> None:
    assert read_sidecar(b"a.jpg.json", b'{"photoTakenTime": {"timestamp": 0}}').dated_by == "takeout"
    assert read_sidecar(b"a.XMP", packet('xmp:Rating="3"')).rating == 3
    assert read_sidecar(b"a.json", packet('xmp:Rating="3"')) == Description()


def extended(text: bytes, name: bytes, parts: int, lost: int = -1) -> Image.Image:
    """A JPEG whose XMP goes on in a second packet, in parts that are not in order."""
    first = packet(f'xmp:Rating="4" photoshop:Instructions="{"0" * 31}A"')
    data = io.BytesIO()
    photograph(1, 64, 48).save(data, "JPEG", xmp=first)
    whole, step = data.getvalue(), -(-len(text) // parts)
    for number in range(parts):
        if number != lost:
            at = number * step
            head = b"http://ns.adobe.com/xmp/extension/\0" + name + struct.pack(">II", len(text), at)
            block = head + text[at : at + step]
            whole = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + whole[2:]
    return Image.open(io.BytesIO(whole))


def test_xmp_that_goes_on_in_a_second_packet_is_read_whole_or_not() -> None:
    text = packet("", f"<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject><!--{'x' * 90_000}-->")
    name = b"0" * 31 + b"A"
    said = read_description(extended(text, name, 3))
    assert (said.rating, said.keywords) == (4, ("sea",))
    assert read_description(extended(text, name, 3, lost=1)).keywords == ()
    assert read_description(extended(text, b"B" * 32, 3)).keywords == ()
    assert read_description(extended(text[:1000], name, 3, lost=2)).rating == 4


def test_the_kinds_of_what_people_wrote_are_counted_once() -> None:
    dated = Description(taken="2019-07-14T11:22:33", place=(47.4, 8.5))
    own = Description(rating=5, keywords=("garden",))
    sidecar = Description(rating=3, title="Grandmother", location=("", "Zurich", "", ""), hierarchies=("place|garden",))
    assert kinds_written(dated, Description()) == 0
    assert kinds_written(own, Description()) == kinds_written(Description(), own) == 2
    assert kinds_written(own, sidecar) == 4
