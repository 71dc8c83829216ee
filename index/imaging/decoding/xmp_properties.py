"""PURE: reads the description in an XMP packet or sidecar (Adobe, XMP Specification Part 1 and 2).

Nothing in it is trusted. Its size, depth, number of elements, texts and lists are limited. A packet that declares a
document type is not read: entities are no part of XMP, and can expand without limit.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final
from xml.etree import ElementTree

from index.imaging.decoding.capture_date import date_and_zone
from index.model import DateSource, Description

NAMES: Final = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "darktable": "http://darktable.sf.net/",
}
# An editor's record of every stroke has some megabytes. What people write has some kilobytes.
MOST_BYTES: Final = 4 * 2**20
MOST_DEPTH: Final = 64
MOST_ELEMENTS: Final = 100_000
WORDS_AT_MOST: Final = 500
WORD_LETTERS: Final = 200
CAPTION_LETTERS: Final = 2000
# The properties with dates. The date of the capture itself comes first.
DATES: Final = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate", "exif:DateTimeDigitized")
LOCATION: Final = ("Iptc4xmpCore:Location", "photoshop:City", "photoshop:State", "photoshop:Country")
# darktable numbers the colour labels; other programs write these words.
COLOURS: Final = ("Red", "Yellow", "Green", "Blue", "Purple")
_DEGREES: Final = re.compile(r"(\d{1,3}),(\d{1,2})(?:,(\d{1,2}(?:\.\d+)?)|(\.\d+))?([NSEW])")


# What may stand before and behind a packet.
PADDING: Final = "\ufeff\0 \r\n\t"


class _Hostile(Exception):
    pass


class _Bounded(ElementTree.TreeBuilder):
    """Builds a tree of limited depth and size."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def doctype(self, *_: object) -> None:
        raise _Hostile

    def start(self, tag: str, attrs: dict[str, str]) -> ElementTree.Element:
        self._depth += 1
        self._elements += 1
        if self._depth > MOST_DEPTH or self._elements > MOST_ELEMENTS:
            raise _Hostile
        return super().start(tag, attrs)

    def end(self, tag: str) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def text_of(packet: bytes | str) -> str:
    """A packet as text, "" if it is too long or declares a document type."""
    if len(packet) > MOST_BYTES:
        return ""
    text = packet if isinstance(packet, str) else packet.decode(encoding_of(packet), "replace")
    text = text.strip(PADDING)
    return "" if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE) else text


def encoding_of(packet: bytes) -> str:
    """The encoding, from the byte order mark or from the zero bytes of the first letter."""
    if packet.startswith((b"\xff\xfe", b"<\0")):
        return "utf-16-le"
    return "utf-16-be" if packet.startswith((b"\xfe\xff", b"\0<")) else "utf-8"


def tree_of(packet: bytes | str) -> ElementTree.Element | None:
    """The elements of a packet or sidecar, None if it is no XMP or exceeds the limits."""
    text = text_of(packet)
    if not text:
        return None
    parser = ElementTree.XMLParser(target=_Bounded(), encoding="utf-8")
    try:
        parser.feed(text.encode("utf-8", "replace"))
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, _Hostile, ValueError):
        return None
    return root if next(_descriptions(root), None) is not None else None


def read_xmp(packet: bytes | str, source: DateSource = DateSource.XMP) -> Description:
    """The description in a packet or sidecar; empty if it is no XMP. `source` is recorded as the source of its date."""
    root = tree_of(packet)
    if root is None:
        return Description()
    taken, zone = next(filter(any, (date_and_zone(value_of(root, name)) for name in DATES)), ("", ""))
    hierarchies = [
        *list_of(root, "lr:hierarchicalSubject"),
        *(path.replace("/", "|") for path in list_of(root, "digiKam:TagsList")),
    ]
    city = tuple(one_line(value_of(root, name)) for name in LOCATION)
    return Description(
        taken=taken,
        zone=zone,
        dated_by=source if taken else "",
        place=_place(value_of(root, "exif:GPSLatitude"), value_of(root, "exif:GPSLongitude")),
        location=(city[0], city[1], city[2], city[3]),
        rating=rating_of(value_of(root, "xmp:Rating")),
        label=one_line(value_of(root, "xmp:Label")) or _colour(root),
        title=one_line(value_of(root, "dc:title")),
        caption=lines(value_of(root, "dc:description")),
        keywords=words(list_of(root, "dc:subject")),
        hierarchies=words(path for path in hierarchies if "|" in path.strip("|")),
    )


def value_of(root: ElementTree.Element, name: str) -> str:
    """The first value of a property, as an attribute, an element, or the first entry of a list."""
    full = full_name(name)
    for node in _descriptions(root):
        if node.get(full):
            return node.get(full, "").strip()
        for element in node.findall(full):
            entry = element.find(f".//{full_name('rdf:li')}")
            text = ((element if entry is None else entry).text or "").strip()
            if text:
                return text
    return ""


def list_of(root: ElementTree.Element, name: str) -> list[str]:
    """The entries of a property that is a list."""
    entry = full_name("rdf:li")
    return [
        item.text or ""
        for node in _descriptions(root)
        for element in node.findall(full_name(name))
        for item in element.iter(entry)
    ][:WORDS_AT_MOST]


def full_name(name: str) -> str:
    """A name in the form of ElementTree: exif:GPSLatitude -> {http://ns.adobe.com/exif/1.0/}GPSLatitude."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMES[prefix]}}}{local}"


def words(entries: Iterable[str]) -> tuple[str, ...]:
    """Keywords, each on one line and without duplicates."""
    return tuple(dict.fromkeys(word for word in map(one_line, entries) if word))[:WORDS_AT_MOST]


def one_line(text: str) -> str:
    """A text on one line, without characters that XML cannot contain."""
    return " ".join(_printable(text).split())[:WORD_LETTERS]


def lines(text: str) -> str:
    """A text of several lines, without characters that XML cannot contain."""
    return "\n".join(" ".join(line.split()) for line in map(_printable, text.splitlines())).strip()[:CAPTION_LETTERS]


def rating_of(value: object) -> int | None:
    """A rating from 1 to 5. None for 0, and for rejected pictures (-1)."""
    try:
        rating = int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return rating if 1 <= rating <= 5 else None


def place_of(north: float, east: float) -> tuple[float, float] | None:
    """A valid place on earth, or None. 0 and 0 is none: many programs write it if the receiver found no place."""
    if not (math.isfinite(north) and math.isfinite(east)) or (north, east) == (0, 0):
        return None
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 else None


def _descriptions(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Those of the picture itself: descriptions within a property are of other things, such as parts of a collage."""
    top = next(root.iter(full_name("rdf:RDF")), None)
    return iter(()) if top is None else iter(top.findall(full_name("rdf:Description")))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _place(north: str, east: str) -> tuple[float, float] | None:
    degrees = [_decimal(value) for value in (north, east)]
    return None if degrees[0] is None or degrees[1] is None else place_of(degrees[0], degrees[1])


def _decimal(value: str) -> float | None:
    """Decimal degrees from "52,31.5N" or "52,31,30N"."""
    match = _DEGREES.fullmatch(value.strip())
    if match is None:
        return None
    whole, minutes, seconds, fraction, letter = match.groups()
    degrees = int(whole) + (int(minutes) + float(fraction or 0)) / 60 + float(seconds or 0) / 3600
    return -degrees if letter in "SW" else degrees


def _colour(root: ElementTree.Element) -> str:
    numbers = list_of(root, "darktable:colorlabels")
    return next((COLOURS[int(number)] for number in numbers if number in ("0", "1", "2", "3", "4")), "")
