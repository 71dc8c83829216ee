"""Sidecars that say more than before, and what is not believed in one."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.imaging.decoding.sidecar import Unreadable, new_sidecar, with_more
from index.imaging.decoding.xmp_properties import MOST_DEPTH, one_line, read_xmp
from index.model import Description
from support.xmp import packet

MORE = Description(taken="2019-07-14T10:31:02", zone="+02:00", place=(-33.5, 151.25), rating=3, label="Red",
                   title="A & B", caption="One\nTwo", keywords=("Anna",), hierarchies=("people|Anna",),
                   location=("", "Bern", "", "Switzerland"))  # fmt: skip


def test_a_new_sidecar_says_all_and_lists_known_keywords() -> None:
    text = new_sidecar(MORE, Description(keywords=("sea",), rating=5))
    said = read_xmp(text)
    assert "<exif:GPSLatitude>33,30.000000S</exif:GPSLatitude>" in text.decode()
    assert "<rdf:li>people/Anna</rdf:li>" in text.decode()
    assert (said.taken, said.zone, said.place, said.rating, said.label) == (
        MORE.taken, MORE.zone, MORE.place, 3, "Red",
    )  # fmt: skip
    assert (said.title, said.caption, said.location) == (MORE.title, MORE.caption, MORE.location)
    assert (set(said.keywords), said.hierarchies) == ({"sea", "Anna"}, MORE.hierarchies)


DARKTABLE = packet(
    'xmp:Rating="1" darktable:history="gz04eJx"',
    "<dc:subject>\n <rdf:Bag>\n  <rdf:li>sea</rdf:li>\n </rdf:Bag>\n</dc:subject><!-- of mine -->",
)


def test_what_a_program_wrote_stays_byte_for_byte() -> None:
    made = with_more(DARKTABLE, MORE, Description(keywords=("known",)))
    left = made
    for line in DARKTABLE.splitlines():
        assert line in left
        left = left[left.index(line) + len(line) :]
    said = read_xmp(made)
    assert (said.rating, said.keywords) == (1, ("sea", "known", "Anna"))
    assert (said.label, said.hierarchies, said.place) == ("Red", MORE.hierarchies, MORE.place)
    assert b'darktable:history="gz04eJx"' in made


def test_utf_16_stays_utf_16() -> None:
    before = b"\xff\xfe" + DARKTABLE.decode().encode("utf-16-le")
    made = with_more(before, Description(keywords=("Zoë",)), Description())
    assert made.startswith(b"\xff\xfe<\0")
    assert read_xmp(made).keywords == ("sea", "Zoë")


@pytest.mark.parametrize(
    "sidecar",
    [
        b"", b"other file", b"<a/>", packet() + packet(), packet("", "<dc:subject>sea</dc:subject>"),
        packet('dc:subject="sea"'), packet().replace(b"xmlns:lr", b"xmlns:dc2", 1).replace(b"</rdf:RDF>", b"", 1),
        packet("", "<dc:subject><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag></dc:subject>" * 2),
        packet('dc:title="caf_"').replace(b"caf_", b"caf\xe9"),
    ],
)  # fmt: skip
def test_nothing_is_added_where_it_cannot_be(sidecar: bytes) -> None:
    with pytest.raises(Unreadable):
        with_more(sidecar, MORE, Description())


def entries(name: str, *words: str) -> str:
    return f"<{name}><rdf:Bag>{''.join(f'<rdf:li>{word}</rdf:li>' for word in words)}</rdf:Bag></{name}>"


@pytest.mark.parametrize(
    "sidecar",
    [
        packet('xmp:Rating="0" xmp:Label="" exif:GPSLatitude=""', "<dc:subject><rdf:Bag/></dc:subject><dc:title/>"),
        packet("", "<xmp:Rating>0</xmp:Rating><dc:subject/><dc:title><rdf:Alt><rdf:li/></rdf:Alt></dc:title>"),
        packet("xmp:Rating='0'", "<dc:subject rdf:parseType='Collection'/><exif:DateTimeOriginal/>"),
    ],
)
def test_what_is_there_without_saying_anything_makes_room(sidecar: bytes) -> None:
    made = with_more(sidecar, MORE, Description())
    said = read_xmp(made)
    assert (said.rating, said.label, said.title, said.keywords) == (3, "Red", "A & B", ("Anna",))
    # Other programs refuse a packet that has a property twice.
    for name in (
        b"xmp:Rating",
        b"xmp:Label",
        b"dc:subject",
        b"dc:title",
        b"exif:GPSLatitude",
        b"exif:DateTimeOriginal",
    ):
        assert made.count(name + b"=") + made.count(b"<" + name + b">") + made.count(b"<" + name + b"/>") == 1, name


@pytest.mark.parametrize("own", ['xmp:Rating="-1"', 'exif:GPSLatitude="near the lake"', 'exif:DateTimeOriginal="May"'])
def test_what_is_there_and_not_understood_stays_alone(own: str) -> None:
    made = with_more(packet(own), MORE, Description())
    assert own.encode() in made
    assert made.count(own.partition("=")[0].encode()) == 1
    assert read_xmp(made).keywords == ("Anna",)


def test_comments_and_other_prefixes_are_no_trap() -> None:
    bag = "<!-- <rdf:Bag></rdf:Bag> --><rdf:Bag><rdf:li><![CDATA[</rdf:RDF>]]></rdf:li></rdf:Bag>"
    text = f"<dc:subject>{bag}</dc:subject>"
    for sidecar in (packet("", text), packet("", text).replace(b"rdf:", b"r:").replace(b"xmlns:rdf", b"xmlns:r"),
                    packet("", text).replace(b"dc:", b"dublin:").replace(b"xmlns:dc", b"xmlns:dublin")):  # fmt: skip
        made = with_more(sidecar, MORE, Description())
        assert {"</rdf:RDF>", "Anna"} <= {word.replace("r:R", "rdf:R") for word in read_xmp(made).keywords}


def test_a_description_within_a_property_is_of_something_else() -> None:
    part = f'<rdf:Description xmp:Rating="1" xmp:Label="Blue">{entries("dc:subject", "stranger")}</rdf:Description>'
    sidecar = packet("", f"<dc:relation><rdf:Bag><rdf:li>{part}</rdf:li></rdf:Bag></dc:relation>")
    assert read_xmp(sidecar) == Description()
    said = read_xmp(with_more(sidecar, MORE, Description()))
    assert (said.rating, said.label, said.keywords) == (3, "Red", ("Anna",))


def test_lists_of_paths_have_all_keywords_as_their_readers_look_nowhere_else() -> None:
    digikam = packet("", entries("digiKam:TagsList", "People/Bert") + entries("dc:subject", "Bert"))
    made = with_more(digikam, Description(keywords=("boat",)), Description()).decode()
    assert "<rdf:li>People/Bert</rdf:li><rdf:li>boat</rdf:li>" in made
    lightroom = packet("", entries("lr:hierarchicalSubject", "People|Bert") + entries("dc:subject", "Bert", "sea"))
    made = with_more(lightroom, MORE, Description()).decode()
    assert "<rdf:li>People/Bert</rdf:li><rdf:li>people/Anna</rdf:li><rdf:li>sea</rdf:li>" in made
    plain = with_more(packet("", entries("dc:subject", "sea")), Description(keywords=("boat",)), Description())
    assert b"TagsList>" not in plain


LAUGHS = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY b SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declaration", [LAUGHS, EXTERNAL, '<!doctype x SYSTEM "http://127.0.0.1/">'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_entities_are_never_read(declaration: str, encoding: str) -> None:
    body = packet("", "<dc:title>&b;</dc:title>").decode().partition("?>")[2]
    assert read_xmp((declaration + body).encode(encoding)) == Description()


@pytest.mark.parametrize(
    "sidecar",
    [
        packet('xmp:Rating="3"', "<dc:title>" * (MOST_DEPTH + 1) + "</dc:title>" * (MOST_DEPTH + 1)),
        packet('xmp:Rating="3"', "<a/>" * 100_001), packet('xmp:Rating="3"', " " * 2**22),
        packet('xmp:Rating="1e999" exif:GPSLatitude="999,9N" exif:GPSLongitude="0,0E"'),
        packet('xmp:Rating="nan" xmp:CreateDate="99999"'), b"\xff\xfe", b"<\0", b"<" * 100,
    ],
)  # fmt: skip
def test_what_goes_beyond_the_limits_says_nothing(sidecar: bytes) -> None:
    assert read_xmp(sidecar) == Description()


def test_texts_and_lists_are_cut_to_their_limits() -> None:
    words = "".join(f"<rdf:li>{'w' * 300}{number}</rdf:li>" for number in range(2000))
    said = read_xmp(packet(f'xmp:Label="{"l" * 999}"', f"<dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>"))
    assert len(said.label) == 200
    assert len(said.keywords) <= 500


@given(st.lists(st.tuples(st.integers(0, len(DARKTABLE) - 1), st.binary(max_size=4)), max_size=6))
def test_no_broken_sidecar_raises_or_loses_what_it_said(changes: list[tuple[int, bytes]]) -> None:
    broken = DARKTABLE
    for place, piece in changes:
        broken = broken[:place] + piece + broken[place + len(piece) :]
    said = read_xmp(broken)
    with suppress(Unreadable):
        now = read_xmp(with_more(broken, MORE, Description()))
        assert set(said.keywords) <= set(now.keywords)


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(1, 5), st.text(max_size=40))
def test_what_is_written_is_read(words: list[str], rating: int, title: str) -> None:
    description = Description(rating=rating, keywords=tuple(words), title=one_line(title))
    for made in (new_sidecar(description, Description()), with_more(DARKTABLE, description, Description())):
        said = read_xmp(made)
        assert {one_line(word) for word in words} - {""} <= set(said.keywords)
        assert said.title == one_line(title)
