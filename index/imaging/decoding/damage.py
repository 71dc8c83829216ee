"""PURE: finds damage that decoders do not report: wrong checksums of a PNG, a GIF that is cut off."""

import zlib
from typing import Final

from index.imaging.decoding import png_file

# Blocks of a GIF (GIF89a specification, appendix A).
GIF_HEADER: Final = 13
COLOUR_TABLE: Final = 0x80
EXTENSION, FRAME, TRAILER = 0x21, 0x2C, 0x3B
FRAME_HEADER: Final = 10


def damage_in(data: bytes, picture_format: str) -> str:
    """What is wrong with a file that was decoded; "" if nothing is."""
    if picture_format == "PNG":
        return _of_png(data)
    if picture_format == "GIF" and _is_cut_off(data):
        return "cut off within a frame"
    return ""


def _of_png(data: bytes) -> str:
    try:
        for chunk in png_file.all_chunks(data):
            if zlib.crc32(chunk.payload, zlib.crc32(chunk.kind)) != chunk.checksum:
                return f"{chunk.kind.decode('ascii', 'replace')}: CRC error"
    except png_file.NoPng:
        return "no end chunk (IEND)"
    return ""


def _is_cut_off(data: bytes) -> bool:
    """Whether a GIF ends within a block. One that lacks only its trailer is complete."""
    position = GIF_HEADER + _table_bytes(data[10:11])
    while position < len(data):
        block = data[position]
        if block == FRAME:
            # Skip the frame header, the colour table, and the byte with the code size.
            position += FRAME_HEADER + _table_bytes(data[position + 9 : position + 10]) + 1
        elif block == EXTENSION:
            position += 2
        else:
            # The trailer, or something that is no block: decoders stop here.
            return False
        while position < len(data) and data[position]:
            position += 1 + data[position]
        if position >= len(data):
            return True
        position += 1
    return False


def _table_bytes(flags: bytes) -> int:
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & COLOUR_TABLE else 0
