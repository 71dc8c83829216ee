"""PURE: what people wrote into a JPEG or PNG beside EXIF and XMP, to be carried to a format that has only those.

IPTC-IIM 4.2 in Photoshop's resources, JPEG comments, and the texts of a PNG.
"""

import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from index.imaging.decoding import jpeg_file, png_file

PHOTOSHOP: Final = b"Photoshop 3.0\0"
APP13: Final = 0xED
IPTC_RESOURCE: Final = 0x0404
# Records of IPTC's application part, and the properties of Dublin Core that stand for them.
IPTC_NAMES: Final = {5: "dc:title", 80: "dc:creator", 116: "dc:rights", 120: "dc:description"}
IPTC_KEYWORD: Final = 25
# The coding of the file, and the version of the standard, which say nothing of the picture.
IPTC_PLAIN: Final = frozenset({0})
PNG_NAMES: Final = {
    "title": "dc:title", "author": "dc:creator", "copyright": "dc:rights", "description": "dc:description",
    "comment": "dc:description",
}  # fmt: skip
XMP_KEY: Final = "XML:com.adobe.xmp"
MOST_BYTES: Final = 2**20


@dataclass(slots=True)
class Texts:
    """`named` by Dublin Core property; `others` are kinds of which something has no property there: "iptc",
    "comment", "texts"."""

    named: dict[str, str] = field(default_factory=dict)
    keywords: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    def add(self, name: str, text: str, kind: str) -> None:
        """Add a text; a second one of the same name has no place."""
        if text.strip() and self.named.setdefault(name, text.strip()) != text.strip():
            self.others.add(kind)


def texts_of(picture_format: str, source: bytes) -> Texts:
    """The texts of a file; what cannot be read is among the others."""
    texts = Texts()
    if picture_format == "JPEG":
        # Captions before comments, which programs fill with their names.
        for segment in sorted(jpeg_file.metadata_of(source), key=lambda segment: segment.marker != APP13):
            if segment.marker == APP13 and segment.payload.startswith(PHOTOSHOP):
                _read_photoshop(segment.payload[len(PHOTOSHOP) :], texts)
            elif segment.marker == jpeg_file.COMMENT:
                texts.add("dc:description", _decoded(segment.payload), "comment")
    elif picture_format == "PNG":
        for chunk in png_file.metadata_of(source):
            if chunk.kind in (b"tEXt", b"zTXt", b"iTXt"):
                _read_chunk(chunk, texts)
    return texts


def _read_photoshop(data: bytes, texts: Texts) -> None:
    at = 0
    while at + 12 <= len(data) and data[at : at + 4] == b"8BIM":
        kind = int.from_bytes(data[at + 4 : at + 6], "big")
        name = data[at + 6]
        start = at + 6 + name + 1 + (name + 1) % 2
        length = int.from_bytes(data[start : start + 4], "big")
        if kind == IPTC_RESOURCE:
            _read_iptc(data[start + 4 : start + 4 + length], texts)
        at = start + 4 + length + length % 2


def _read_iptc(data: bytes, texts: Texts) -> None:
    at = 0
    while at + 5 <= len(data) and data[at] == 0x1C:
        record, tag, length = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5], "big")
        value = _decoded(data[at + 5 : at + 5 + length])
        if record == 2 and tag == IPTC_KEYWORD:
            texts.keywords.append(value)
        elif record == 2 and tag in IPTC_NAMES:
            texts.add(IPTC_NAMES[tag], value, "iptc")
        elif record == 2 and tag not in IPTC_PLAIN:
            texts.others.add("iptc")
        at += 5 + length


def _read_chunk(chunk: png_file.Chunk, texts: Texts) -> None:
    key, _, rest = chunk.payload.partition(b"\0")
    name = key.decode("latin-1")
    if name == XMP_KEY or name.startswith("Raw profile type"):
        return
    value = rest
    with suppress(zlib.error, IndexError):
        if chunk.kind == b"zTXt":
            value = zlib.decompressobj().decompress(rest[1:], MOST_BYTES)
        elif chunk.kind == b"iTXt":
            packed, (_, _, text) = rest[0], rest[2:].split(b"\0", 2)
            value = zlib.decompressobj().decompress(text, MOST_BYTES) if packed else text
    if name.lower() in PNG_NAMES:
        texts.add(PNG_NAMES[name.lower()], _decoded(value), "texts")
    else:
        texts.others.add("texts")


def _decoded(value: bytes) -> str:
    try:
        return value.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return value.rstrip(b"\0").decode("latin-1")
