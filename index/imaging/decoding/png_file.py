"""PURE: the chunks of a PNG file (W3C PNG, third edition): what its metadata is, and a new file with another's.

Like the segments of a JPEG, chunks are carried as the bytes they are.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# What colours mean, and what is told of the picture. Not those that hang on how the pixels are stored (sBIT, bKGD,
# hIST, tRNS), nor the private ones that are marked as unsafe to copy.
COLOUR: Final = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI")
TOLD: Final = (b"pHYs", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME")
EXIF: Final = b"eXIf"
# Depths and colour types in the header (IHDR).
DEPTH_AT: Final = 8


@dataclass(frozen=True, slots=True)
class Chunk:
    kind: bytes
    payload: bytes


class NoPng(ValueError):
    """The bytes are not built as a PNG file."""


def metadata_of(data: bytes) -> list[Chunk]:
    """The chunks that can be carried over to a new file of the same picture, in their order. Raises NoPng."""
    return [chunk for chunk in _chunks(data) if chunk.kind in COLOUR or _tells(chunk.kind)]


def end_of_picture(data: bytes) -> int:
    """Where its last chunk ends: what comes behind is something else. Raises NoPng."""
    return len(SIGNATURE) + sum(12 + len(chunk.payload) for chunk in _chunks(data))


def bits_per_channel(data: bytes) -> int:
    """1, 2, 4, 8 or 16. Raises NoPng."""
    header = next(_chunks(data))
    if header.kind != b"IHDR" or len(header.payload) <= DEPTH_AT:
        raise NoPng("has no header")
    return header.payload[DEPTH_AT]


def with_metadata(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """The file with these chunks in place of its metadata. Raises NoPng."""
    header, *rest = _chunks(data)
    kept = [chunk for chunk in rest if chunk.kind not in COLOUR and not _tells(chunk.kind)]
    return b"".join([SIGNATURE, _written(header), *map(_written, chunks), *map(_written, kept)])


def profile_chunk(profile: bytes) -> Chunk:
    """An ICC profile as a chunk."""
    return Chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))


def xmp_chunk(packet: bytes) -> Chunk:
    """An XMP packet as a chunk."""
    return Chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)


def _tells(kind: bytes) -> bool:
    """A private chunk (second letter small) that is safe to copy (fourth letter small) is somebody's metadata."""
    return kind in TOLD or (kind[1:2].islower() and kind[3:4].islower())


def _written(chunk: Chunk) -> bytes:
    body = chunk.kind + chunk.payload
    return len(chunk.payload).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def _chunks(data: bytes) -> Iterator[Chunk]:
    if not data.startswith(SIGNATURE):
        raise NoPng("does not begin as one")
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            break
        yield Chunk(kind, data[position + 8 : end - 4])
        position = end
        if kind == b"IEND":
            return
    raise NoPng("has no end")
