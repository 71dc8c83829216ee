"""PURE: the metadata of a JPEG or PNG other than EXIF and XMP, to be carried to a format that has only those.

IPTC-IIM 4.2 in Photoshop's resources, JPEG comments, the texts of a PNG, and blocks that programs wrote into those.
"""

import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from index.imaging.decoding import jpeg_file, png_file

PHOTOSHOP: Final = b"Photoshop 3.0\0"
APP13: Final = 0xED
IPTC_RESOURCE: Final = 0x0404
# Records of IPTC's application part, and the corresponding properties of Dublin Core.
IPTC_NAMES: Final = {5: "dc:title", 80: "dc:creator", 116: "dc:rights", 120: "dc:description"}
IPTC_KEYWORD: Final = 25
# The character encoding of the file, and the version of the standard: no metadata of the picture.
IPTC_PLAIN: Final = frozenset({0})
PNG_NAMES: Final = {
    "title": "dc:title", "author": "dc:creator", "copyright": "dc:rights", "description": "dc:description",
    "comment": "dc:description",
}  # fmt: skip
XMP_KEY: Final = "XML:com.adobe.xmp"
MOST_BYTES: Final = 2**20
# How ImageMagick and ExifTool name a text that contains a block in hexadecimal digits, after a line each with its name
# and its length.
RAW_KEY: Final = "Raw profile type "
RAW_IPTC: Final = ("iptc", "8bim", "app13")
XMP_NAME: Final = b"http://ns.adobe.com/xap/1.0/\0"
# What Photoshop's "Save for Web" writes, which concerns the old encoding alone.
DUCKY: Final = b"Ducky"
# The bit of an IPTC length which means that the length of the length follows.
IPTC_EXTENDED: Final = 0x8000
# Colours of a PNG that are the default of a picture without such data: gamma, primaries, and codes of H.273.
USUAL_GAMMA: Final = 45_455
USUAL_PRIMARIES: Final = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
USUAL_CODES: Final = bytes([1, 13, 0, 1])
GAMMA_MARGIN: Final = 500
PRIMARIES_MARGIN: Final = 200


@dataclass(slots=True)
class Texts:
    """`named` by Dublin Core property; `exif` and `xmp` as they were found in texts; `others` are the kinds of metadata
    that cannot be stored: "iptc", "comment", "texts", "xmp" (too long for a segment), "colours", "blocks" (of programs
    and cameras)."""

    named: dict[str, str] = field(default_factory=dict)
    keywords: list[str] = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    others: set[str] = field(default_factory=set)

    def add(self, name: str, text: str, kind: str) -> None:
        """Add a text; a second one of the same name cannot be stored."""
        if text.strip() and self.named.setdefault(name, text.strip()) != text.strip():
            self.others.add(kind)


def texts_of(picture_format: str, source: bytes) -> Texts:
    """The texts of a file; unreadable ones are among the others."""
    texts = Texts()
    if picture_format == "JPEG":
        # Captions before comments, in which programs write their names.
        for segment in sorted(jpeg_file.metadata_of(source), key=lambda segment: segment.marker != APP13):
            if segment.marker == APP13 and segment.payload.startswith(PHOTOSHOP):
                _read_photoshop(segment.payload[len(PHOTOSHOP) :], texts)
            elif segment.marker == jpeg_file.COMMENT:
                texts.add("dc:description", _decoded(segment.payload), "comment")
            elif segment.payload.startswith(jpeg_file.EXTENDED_XMP):
                texts.others.add("xmp")
            elif not (segment.is_exif or segment.is_profile or segment.payload.startswith((XMP_NAME, DUCKY))):
                texts.others.add("blocks")
    elif picture_format == "PNG":
        chunks = png_file.metadata_of(source)
        for chunk in chunks:
            if chunk.kind in (b"tEXt", b"zTXt", b"iTXt"):
                _read_chunk(chunk, texts)
        if any(png_file.is_private(chunk.kind) for chunk in png_file.all_chunks(source)):
            texts.others.add("blocks")
        if _has_own_colours({chunk.kind: chunk.payload for chunk in chunks}):
            texts.others.add("colours")
    return texts


def _has_own_colours(chunks: Mapping[bytes, bytes]) -> bool:
    """Whether a PNG defines its colours otherwise than by a profile, and not as sRGB."""
    if b"cICP" in chunks:
        return chunks[b"cICP"] != USUAL_CODES
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return False
    gamma = int.from_bytes(chunks.get(b"gAMA", USUAL_GAMMA.to_bytes(4, "big")), "big")
    with suppress(struct.error):
        primaries = struct.unpack(">8I", chunks.get(b"cHRM", struct.pack(">8I", *USUAL_PRIMARIES)))
        are_usual = all(
            abs(one - other) <= PRIMARIES_MARGIN for one, other in zip(primaries, USUAL_PRIMARIES, strict=True)
        )
        return abs(gamma - USUAL_GAMMA) > GAMMA_MARGIN or not are_usual
    return True


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
        if length & IPTC_EXTENDED:
            break
        value = _decoded(data[at + 5 : at + 5 + length])
        if record == 2 and tag == IPTC_KEYWORD:
            texts.keywords.append(value)
        elif record == 2 and tag in IPTC_NAMES:
            texts.add(IPTC_NAMES[tag], value, "iptc")
        elif record == 2 and tag not in IPTC_PLAIN:
            texts.others.add("iptc")
        at += 5 + length
    if data[at:].strip(b"\0"):
        texts.others.add("iptc")


def _read_chunk(chunk: png_file.Chunk, texts: Texts) -> None:
    key, _, rest = chunk.payload.partition(b"\0")
    name = key.decode("latin-1")
    if name == XMP_KEY:
        return
    value = rest
    with suppress(zlib.error, IndexError):
        if chunk.kind == b"zTXt":
            value = zlib.decompressobj().decompress(rest[1:], MOST_BYTES)
        elif chunk.kind == b"iTXt":
            packed, (_, _, text) = rest[0], rest[2:].split(b"\0", 2)
            value = zlib.decompressobj().decompress(text, MOST_BYTES) if packed else text
    if name.startswith(RAW_KEY):
        _read_raw(name[len(RAW_KEY) :].lower(), value, texts)
    elif name.lower() in PNG_NAMES:
        texts.add(PNG_NAMES[name.lower()], _decoded(value), "texts")
    else:
        texts.others.add("texts")


def _read_raw(kind: str, text: bytes, texts: Texts) -> None:
    try:
        block = bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        block = b""
    if kind == "xmp" or block.startswith(XMP_NAME):
        texts.xmp = block.removeprefix(XMP_NAME)
    elif kind in ("exif", "app1") and block:
        texts.exif = block
    elif kind in RAW_IPTC and block.removeprefix(PHOTOSHOP).startswith(b"8BIM"):
        _read_photoshop(block.removeprefix(PHOTOSHOP), texts)
    elif kind in RAW_IPTC and block:
        _read_iptc(block, texts)
    else:
        texts.others.add("texts")


def _decoded(value: bytes) -> str:
    try:
        return value.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return value.rstrip(b"\0").decode("latin-1")
