"""PURE: the chunks of a WebP file (RFC 9649): finds the bytes that are neither the picture nor its metadata."""

from typing import Final

RIFF_HEADER: Final = 12
CHUNK_HEADER: Final = 8
EXTENDED: Final = b"VP8X"
PICTURES: Final = (b"VP8 ", b"VP8L")
# Chunks of an extended file, with the header flag of each. Without the flag, readers ignore the chunk.
FLAGGED: Final = {b"ICCP": 0x20, b"ALPH": 0x10, b"EXIF": 0x08, b"XMP ": 0x04}


class NoWebp(ValueError):
    """The bytes do not have the structure of a WebP file."""


def remainder(data: bytes) -> bytes:
    """The bytes after the picture, and those in chunks that are neither picture nor metadata, in order. Raises NoWebp.

    Frames of an animation are included.
    """
    if data[:4] != b"RIFF" or data[8:RIFF_HEADER] != b"WEBP":
        raise NoWebp("does not begin as one")
    end = end_of_file(data)
    if end > len(data):
        raise NoWebp("has no end")
    rest: list[bytes] = []
    flags: int | None = None
    seen: set[bytes] = set()
    position = RIFF_HEADER
    while position + CHUNK_HEADER <= end:
        kind = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + CHUNK_HEADER], "little")
        # Chunks begin at even positions. Some writers omit the padding of the last one.
        following = min(position + CHUNK_HEADER + length + length % 2, max(end, position + CHUNK_HEADER + length))
        if following > end:
            raise NoWebp(f"has a chunk at byte {position} that does not end")
        if kind == EXTENDED and position == RIFF_HEADER and length:
            flags = data[position + CHUNK_HEADER]
        elif kind in seen or not _is_of_picture(kind, flags, seen):
            rest.append(data[position:following])
        seen.add(kind)
        position = following
    if not seen & set(PICTURES):
        raise NoWebp("has no picture")
    return b"".join([*rest, data[position:]])


def is_cut(data: bytes) -> bool:
    """Whether a file is a WebP, but shorter than its first chunk says."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) < end_of_file(data)


def end_of_file(data: bytes) -> int:
    """The end of the file according to its header. Bytes after it do not belong to it."""
    return CHUNK_HEADER + int.from_bytes(data[4:8], "little")


def _is_of_picture(kind: bytes, flags: int | None, seen: set[bytes]) -> bool:
    if kind in PICTURES:
        return not seen & set(PICTURES)
    return flags is not None and bool(flags & FLAGGED.get(kind, 0))
