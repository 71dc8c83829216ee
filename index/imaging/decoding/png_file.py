"""PURE: the chunks of a PNG file (W3C PNG, third edition): reads its metadata, and replaces it.

Like the segments of a JPEG, chunks are copied byte for byte.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# Chunks that define colours, and chunks that describe the picture. Chunks that depend on how the pixels are stored
# (sBIT, bKGD, hIST, tRNS) are left out, and so are private ones that are marked as unsafe to copy.
COLOUR: Final = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI")
DESCRIPTIVE: Final = (b"pHYs", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME")
EXIF: Final = b"eXIf"
# The offset of the depth in the header (IHDR).
DEPTH_AT: Final = 8


@dataclass(frozen=True, slots=True)
class Chunk:
    """`checksum` is the one in the file, which may be wrong."""

    kind: bytes
    payload: bytes
    checksum: int = field(default=0, compare=False)


class NoPng(ValueError):
    """The bytes do not have the structure of a PNG file."""


def metadata_of(data: bytes) -> list[Chunk]:
    """The chunks that can be copied to a new file of the same picture, in order. Raises NoPng."""
    return [chunk for chunk in all_chunks(data) if chunk.kind in COLOUR or _is_descriptive(chunk.kind)]


def end_of_picture(data: bytes) -> int:
    """The position where the last chunk ends and other data begins. Raises NoPng."""
    return len(SIGNATURE) + sum(12 + len(chunk.payload) for chunk in all_chunks(data))


def bits_per_channel(data: bytes) -> int:
    """The bits per channel: 1, 2, 4, 8 or 16. Raises NoPng."""
    header = next(all_chunks(data))
    if header.kind != b"IHDR" or len(header.payload) <= DEPTH_AT:
        raise NoPng("has no header")
    return header.payload[DEPTH_AT]


def with_metadata(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """The file with its metadata replaced by these chunks. Raises NoPng."""
    header, *rest = all_chunks(data)
    kept = [chunk for chunk in rest if chunk.kind not in COLOUR and not _is_descriptive(chunk.kind)]
    return b"".join([SIGNATURE, _written(header), *map(_written, chunks), *map(_written, kept)])


def profile_chunk(profile: bytes) -> Chunk:
    """An ICC profile as a chunk."""
    return Chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))


def xmp_chunk(packet: bytes) -> Chunk:
    """An XMP packet as a chunk."""
    return Chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)


def resolution_chunk(dpi: tuple[float, float]) -> Chunk:
    """A resolution in pixels per inch as a chunk, which has it in pixels per metre."""
    across, down = (min(2**31 - 1, max(1, round(value / 0.0254))) for value in dpi)
    return Chunk(b"pHYs", across.to_bytes(4, "big") + down.to_bytes(4, "big") + b"\1")


def is_private(kind: bytes) -> bool:
    """Whether a chunk is private to a program. Apple's iDOT does not count, since it concerns only the coding."""
    return kind[1:2].islower() and kind != b"iDOT"


def _is_descriptive(kind: bytes) -> bool:
    """Whether a chunk describes the picture. A private chunk (second letter in lower case) does if it is safe to copy
    (fourth letter in lower case)."""
    return kind in DESCRIPTIVE or (kind[1:2].islower() and kind[3:4].islower())


def _written(chunk: Chunk) -> bytes:
    body = chunk.kind + chunk.payload
    return len(chunk.payload).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def all_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks in order, up to the last one. Raises NoPng, also if the last one is missing."""
    if not data.startswith(SIGNATURE):
        raise NoPng("does not begin as one")
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            break
        yield Chunk(kind, data[position + 8 : end - 4], int.from_bytes(data[end - 4 : end], "big"))
        position = end
        if kind == b"IEND":
            return
    raise NoPng("has no end")
