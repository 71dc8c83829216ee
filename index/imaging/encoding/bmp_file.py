"""PURE: the parts of a BMP file: which of its bytes are neither header, colours nor pixels."""

from typing import Final

FILE_HEADER: Final = 14
CORE_HEADER: Final = 12
INFO_HEADER: Final = 40
RLE8, RLE4, BITFIELDS = 1, 2, 3
MASKS_BYTES: Final = 12
# In a run-length coded picture, after a zero: the end of a line, the end of the picture, and a step to another place.
END_OF_LINE, END_OF_PICTURE, STEP = 0, 1, 2


class NoBmp(ValueError):
    """The bytes are not a valid BMP file."""


def remainder(data: bytes) -> bytes:
    """The bytes that are neither header, colours nor pixels: between these, or after the picture. Raises NoBmp.

    A colour profile is among them, since no reader used here supports it.
    """
    if data[:2] != b"BM" or len(data) < FILE_HEADER + CORE_HEADER:
        raise NoBmp("does not begin as one")
    header = _number(data, FILE_HEADER, 4)
    if header == CORE_HEADER:
        width, height, bits = (_number(data, place, 2) for place in (18, 20, 24))
        compression = colours = 0
    elif header >= INFO_HEADER and len(data) >= FILE_HEADER + INFO_HEADER:
        width, height = (_number(data, place, 4) for place in (18, 22))
        # Stored from the top if it is negative.
        height = min(height, 2**32 - height)
        bits, compression, colours = _number(data, 28, 2), _number(data, 30, 4), _number(data, 46, 4)
    else:
        raise NoBmp(f"has a header of {header} bytes")
    before = FILE_HEADER + header
    if compression == BITFIELDS and header == INFO_HEADER:
        before += MASKS_BYTES
    if bits <= 8:
        before += (colours or 1 << bits) * (3 if header == CORE_HEADER else 4)
    start = _number(data, 10, 4) or before
    if compression in (RLE8, RLE4):
        end = _end_of_runs(data, start, compression)
    else:
        end = start + (width * bits + 31) // 32 * 4 * height
    if start < FILE_HEADER + header:
        raise NoBmp("has its pixels within its header")
    # If there are fewer colours than the header states, the pixels follow at once.
    return data[before:start] + data[end:]


def _end_of_runs(data: bytes, position: int, compression: int) -> int:
    """The position after the end mark. Raises NoBmp if there is none."""
    while position + 1 < len(data):
        count, value = data[position], data[position + 1]
        position += 2
        if count or value == END_OF_LINE:
            continue
        if value == END_OF_PICTURE:
            return position
        size = 2 if value == STEP else value if compression == RLE8 else (value + 1) // 2
        position += size + size % 2
    raise NoBmp("has no end")


def _number(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "little")
