"""The descriptive metadata of a picture (date, place, rating, keywords), read from it and written as an XMP sidecar.

Read from EXIF, XMP (Adobe, XMP Specification Part 1) and IPTC-IIM as Pillow gives them; written as XMP alone, in the
properties that photo tools read: exif:DateTimeOriginal, exif:GPSLatitude and GPSLongitude, xmp:Rating, dc:subject.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from index.imaging.decoding.facts import facts_of

NAMES: Final = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
}
RATING: Final = 0x4746
XP_KEYWORDS: Final = 0x9C9E
IPTC_KEYWORDS: Final = (2, 25)
# A packet has some kilobytes; more is not written by people.
XMP_BYTES: Final = 2**20
KEYWORDS_AT_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Metadata:
    """`taken` is ISO 8601 without a zone, `place` degrees north and east, `rating` 1 to 5."""

    taken: str = ""
    place: tuple[float, float] | None = None
    rating: int | None = None
    keywords: tuple[str, ...] = ()


def read_metadata(image: Image.Image) -> Metadata:
    """The metadata of an opened picture; broken blocks are ignored."""
    exif = _or_nothing(image.getexif, {})
    xmp = _xmp(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b"")
    gps = _or_nothing(lambda: dict(exif.get_ifd(ExifTags.IFD.GPSInfo)), {})
    rating = _rating(exif.get(RATING)) or _rating(xmp.get("rating"))
    entries = [*xmp.get("keywords", ()), *_iptc(image), *_windows(exif.get(XP_KEYWORDS))]
    keywords = tuple(dict.fromkeys(word for word in map(_plain, entries) if word))[:KEYWORDS_AT_MOST]
    return Metadata(facts_of(image).taken or xmp.get("taken", ""), _place(gps), rating, keywords)


def missing_from(keeper: Metadata, other: Metadata) -> Metadata:
    """The metadata of the other that the keeper lacks, each missing keyword included."""
    return Metadata(
        taken="" if keeper.taken else other.taken,
        place=None if keeper.place else other.place,
        rating=None if keeper.rating else other.rating,
        keywords=tuple(word for word in other.keywords if word not in keeper.keywords),
    )


def as_xmp(metadata: Metadata, known: Metadata) -> bytes:
    """A sidecar with this metadata, and with the known keywords as well: readers replace the whole list."""
    lines = []
    if metadata.taken:
        lines.append(f"   <exif:DateTimeOriginal>{escape(metadata.taken)}</exif:DateTimeOriginal>")
    if metadata.place is not None:
        north, east = metadata.place
        lines.append(f"   <exif:GPSLatitude>{_degrees(north, 'NS')}</exif:GPSLatitude>")
        lines.append(f"   <exif:GPSLongitude>{_degrees(east, 'EW')}</exif:GPSLongitude>")
    if metadata.rating is not None:
        lines.append(f"   <xmp:Rating>{metadata.rating}</xmp:Rating>")
    if metadata.keywords:
        items = "".join(
            f"<rdf:li>{escape(word)}</rdf:li>" for word in map(_plain, (*known.keywords, *metadata.keywords))
        )
        lines.append(f"   <dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>")
    spaces = " ".join(f'xmlns:{name}="{NAMES[name]}"' for name in ("xmp", "exif", "dc"))
    body = "\n".join(lines)
    return (
        '<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="{NAMES["x"]}" x:xmptk="ComparImg">\n'
        f' <rdf:RDF xmlns:rdf="{NAMES["rdf"]}">\n  <rdf:Description rdf:about="" {spaces}>\n{body}\n'
        '  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
    ).encode()


def read_xmp(packet: bytes | str) -> Metadata:
    """The date, rating and keywords of a packet or sidecar; empty if it is no XMP."""
    properties = _xmp(packet)
    keywords = tuple(dict.fromkeys(filter(None, map(_plain, properties.get("keywords", ())))))
    return replace(
        Metadata(), taken=properties.get("taken", ""), rating=_rating(properties.get("rating")), keywords=keywords
    )


def _or_nothing(read: Any, nothing: Any) -> Any:
    try:
        return read()
    except Exception:  # noqa: BLE001 - struct.error, SyntaxError, KeyError...: a broken block is no block
        return nothing


def _xmp(packet: bytes | str) -> dict[str, Any]:
    raw = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    # Entities are not part of XMP, and are used for attacks that expand without limit.
    if not raw or len(raw) > XMP_BYTES or b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        return {}
    try:
        tree = ElementTree.fromstring(raw.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError):
        return {}
    properties: dict[str, Any] = {}
    for node in tree.iter(_name("rdf", "Description")):
        for key, name in (("rating", _name("xmp", "Rating")), ("taken", _name("exif", "DateTimeOriginal"))):
            value = node.get(name) or (node.findtext(name) or "").strip()
            if value:
                properties.setdefault(key, value)
        keywords = [item.text or "" for item in node.findall(f"{_name('dc', 'subject')}//{_name('rdf', 'li')}")]
        properties["keywords"] = [*properties.get("keywords", ()), *keywords]
    if taken := properties.get("taken"):
        match = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", taken)
        properties["taken"] = match[0] if match else ""
    return properties


def _name(prefix: str, name: str) -> str:
    return f"{{{NAMES[prefix]}}}{name}"


def _rating(value: object) -> int | None:
    try:
        rating = int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return rating if 1 <= rating <= 5 else None


def _place(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    try:
        north = _decimal(gps[ExifTags.GPS.GPSLatitude]) * (-1 if gps[ExifTags.GPS.GPSLatitudeRef] == "S" else 1)
        east = _decimal(gps[ExifTags.GPS.GPSLongitude]) * (-1 if gps[ExifTags.GPS.GPSLongitudeRef] == "W" else 1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 and (north, east) != (0, 0) else None


def _decimal(parts: Iterable[Any]) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    decimal = degrees + minutes / 60 + seconds / 3600
    if decimal != decimal:
        raise ValueError("not a number")
    return decimal


def _degrees(value: float, letters: str) -> str:
    """As XMP writes them: whole degrees, minutes with their fraction, the letter of the hemisphere."""
    minutes = round(abs(value) * 60, 6)
    return f"{int(minutes // 60)},{minutes % 60:.6f}{letters[value < 0]}"


def _iptc(image: Image.Image) -> list[str]:
    if not isinstance(image, ImageFile.ImageFile):
        return []
    records = _or_nothing(lambda: (IptcImagePlugin.getiptcinfo(image) or {}).get(IPTC_KEYWORDS, ()), ())
    keywords = [records] if isinstance(records, bytes) else list(records)
    return [word.decode("utf-8", "replace") for word in keywords if isinstance(word, bytes)]


def _windows(value: object) -> list[str]:
    if isinstance(value, tuple):
        value = _or_nothing(lambda: bytes(value), b"")
    return value.decode("utf-16-le", "replace").rstrip("\0").split(";") if isinstance(value, bytes) else []


def _plain(word: str) -> str:
    """A keyword on one line, without what XML cannot hold."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in word).split())[:200]
