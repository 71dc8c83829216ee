"""PURE: damage in files whose decoder does not look for it: the checksums of a PNG, the last frame of a GIF."""

import zlib
from typing import Final

from index.imaging.decoding import png_file

# Blocks of a GIF (GIF89a specification, appendix A).
GIF_HEADER: Final = 13
COLOUR_TABLE: Final = 0x80
EXTENSION, FRAME, TRAILER = 0x21, 0x2C, 0x3B
FRAME_HEADER: Final = 10


def damage_in(data: bytes, picture_format: str) -> str:
    """What is wrong with a file that was decoded, "" for nothing."""
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
    """Whether a GIF ends within a block. One that lacks only its trailer is whole."""
    position = GIF_HEADER + _table_bytes(data[10:11])
    while position < len(data):
        block = data[position]
        if block == FRAME:
            # The frame, its colours, the size of its codes.
            position += FRAME_HEADER + _table_bytes(data[position + 9 : position + 10]) + 1
        elif block == EXTENSION:
            position += 2
        else:
            # The trailer, or what is no longer a block: decoders stop here.
            return False
        while position < len(data) and data[position]:
            position += 1 + data[position]
        if position >= len(data):
            return True
        position += 1
    return False


def _table_bytes(flags: bytes) -> int:
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & COLOUR_TABLE else 0
