"""PURE: finds what a file contains after its first picture: a video, a gain map, another view, a maker's record.

Telephones and cameras write such parts after the end of a JPEG, where other programs neither see nor keep them:
Google's Motion Photo and Ultra HDR (Android developer documentation), Apple's and Samsung's variants, and the
Multi-Picture Format (CIPA DC-007).
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final

from blake3 import blake3

from index.imaging.decoding import heif_items, jpeg_file, png_file
from index.model import Attachment

# Padding that some programs write after a picture, and remains that some cameras leave there.
FILLING: Final = b"\0\xff\n\r "
MOST_RUBBISH: Final = 64
# The length of the digest of a part, in hexadecimal digits.
DIGEST_LETTERS: Final = 16
# The metadata of a picture is within this many bytes of its start.
HEAD_BYTES: Final = 2**17

GAIN_MAP: Final = (b"hdrgm:", b"urn:iso:std:iso:ts:21496", b"hdrgainmap", b"HDRGainMap", b'Semantic="GainMap"')
DEPTH_MAP: Final = (b"GDepth:", b'Semantic="Depth', b"aux:depth", b"aux:disparity")
# Previews that a camera appends to the picture. They show nothing that the picture does not.
PREVIEW: Final = "Large Thumbnail"
PICTURE: Final = jpeg_file.SOI + b"\xff"
# The start of a video in MP4 or QuickTime, and of the directory at the end of a Samsung trailer.
FILM: Final = b"ftyp"
DIRECTORY, DIRECTORY_END = b"SEFH", b"SEFT"
BOX_NAME: Final = re.compile(rb"[A-Za-z0-9 _-]{4}")
BOX_HEADER: Final = 8
# A video in its own box after a HEIC or AVIF picture (Google), and Samsung's record.
BOXES: Final = {b"mpvd": "film", b"sefd": "trailer"}
BOXED: Final = ("AVIF", "HEIF")
# Auxiliary pictures of these formats, by what their names contain (ISO/IEC 23008-12, 23091-2, Apple's). Opacity belongs
# to the picture, and other ones (a matte of hair or skin) count as further pictures.
AUXILIARY: Final = (
    (b"gainmap", "gain_map"),
    (b"depth", "depth_map"),
    (b"disparity", "depth_map"),
    (b"auxid:2", "depth_map"),
)
AUXILIARY_AT_MOST: Final = 64
OPACITY: Final = (b"alpha", b"auxid:1")
# A picture made of the usual one and a gain map (ISO 21496-1).
TONE_MAP: Final = b"tmap"


def attachments_of(data: bytes, picture_format: str, index: Any = None) -> tuple[Attachment, ...]:
    """The parts of a file after its first picture, in order. `index` is that of a Multi-Picture file as Pillow gives it
    (`mpinfo`). A file without the structure of its format has no parts."""
    try:
        match picture_format:
            case "JPEG" | "MPO":
                parts = _behind(data, jpeg_file.end_of_picture(data), _previews(data, index))
            case "PNG":
                parts = _behind(data, png_file.end_of_picture(data), {})
            case "WEBP":
                parts = _behind(data, 8 + int.from_bytes(data[4:8], "little"), {})
            case _ if picture_format in BOXED:
                boxes = ((BOXES[name], start, end) for name, start, end in _boxes(data, 0) if name in BOXES)
                parts = chain(islice(_auxiliary(data), AUXILIARY_AT_MOST), boxes)
            case _:
                return ()
        return tuple(
            Attachment(kind, end - start, blake3(data[start:end]).hexdigest()[:DIGEST_LETTERS])
            for kind, start, end in parts
        )
    except (jpeg_file.NoJpeg, png_file.NoPng):
        return ()


def _auxiliary(data: bytes) -> Iterator[tuple[str, int, int]]:
    """The auxiliary pictures of a HEIC or AVIF, with the kind, start and end of each part."""
    try:
        items = heif_items.read_items(data)
    except heif_items.Cut:
        return
    kinds = {item: _kind_of_auxiliary(name) for item, name in items.auxiliary.items()}
    for item, sources in items.derived.items():
        if items.types.get(item) == TONE_MAP and len(sources) > 1:
            kinds[sources[1]] = "gain_map"
    for item in sorted(kinds):
        # The data of a picture made of tiles is that of the tiles.
        for source in items.derived.get(item, [item]):
            yield from ((kinds[item], start, end) for start, end in items.places.get(source, ()) if kinds[item])


def _kind_of_auxiliary(name: bytes) -> str:
    """The kind of an auxiliary picture, "" if it belongs to the picture."""
    if any(part in name.lower() for part in OPACITY):
        return ""
    return next((kind for part, kind in AUXILIARY if part in name.lower()), "view")


def _behind(data: bytes, position: int, previews: Mapping[int, bool]) -> Iterator[tuple[str, int, int]]:
    """The kind, start and end of each part."""
    while position < len(data):
        if data.startswith(PICTURE, position):
            end = _end_of_picture(data, position)
            if position not in previews:
                yield _kind_of_picture(data, position), position, end
        elif data.startswith(FILM, position + 4):
            end = max(_end_of_boxes(data, position), position + BOX_HEADER)
            yield "film", position, end
        else:
            end = _next_part(data, position + 1)
            piece = data[position:end]
            if piece.endswith(DIRECTORY_END) and DIRECTORY in piece:
                yield "trailer", position, end
            elif end == len(data) and len(piece.strip(FILLING)) > MOST_RUBBISH:
                yield "data", position, end
        position = end


def _next_part(data: bytes, position: int) -> int:
    """The position where the next picture or video begins, or the end of the file. A regular expression takes 40 times
    as long, 20 ms for a megabyte."""
    picture, film = data.find(PICTURE, position), data.find(FILM, position + 4) - 4
    return min((start for start in (picture, film) if start >= position), default=len(data))


def _end_of_picture(data: bytes, start: int) -> int:
    try:
        return start + jpeg_file.end_of_picture(data[start:])
    except jpeg_file.NoJpeg:
        return len(data)


def _kind_of_picture(data: bytes, start: int) -> str:
    """The kind of a picture after the first one. Its own metadata gives it, or that of the first picture."""
    for head in (data[start : start + HEAD_BYTES], data[:HEAD_BYTES]):
        for kind, signs in (("gain_map", GAIN_MAP), ("depth_map", DEPTH_MAP)):
            if any(sign in head for sign in signs):
                return kind
    return "view"


def _previews(data: bytes, index: Any) -> dict[int, bool]:
    """The positions where a camera's previews begin, according to the file's index."""
    try:
        entries = index[0xB002][1:]
        base = jpeg_file.start_of_index(data)
        return {
            base + int(entry["DataOffset"]): True
            for entry in entries
            if base is not None and str(entry["Attribute"]["MPType"]).startswith(PREVIEW)
        }
    except (KeyError, TypeError, ValueError):
        return {}


def _end_of_boxes(data: bytes, position: int) -> int:
    return max((end for _, _, end in _boxes(data, position)), default=position)


def _boxes(data: bytes, position: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of an ISO base media file (ISO/IEC 14496-12) from a position on: name, start and end of each."""
    while position + BOX_HEADER <= len(data):
        size, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + BOX_HEADER]
        if size == 1:
            size = int.from_bytes(data[position + BOX_HEADER : position + 2 * BOX_HEADER], "big")
        elif size == 0:
            size = len(data) - position
        if size < BOX_HEADER or not BOX_NAME.fullmatch(name):
            return
        end = min(len(data), position + size)
        yield name, position, end
        position = end
