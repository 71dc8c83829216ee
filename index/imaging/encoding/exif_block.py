"""PURE: changes a few numbers of an EXIF block (CIPA DC-008) in place, or makes a block with an orientation only.

Everything else stays at its offset, since maker notes contain offsets that only their maker knows.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

ORIENTATION: Final = 0x0112
EXIF_IFD: Final = 0x8769
# The size of the picture: in the main directory, and in the one of EXIF.
WIDTHS: Final = (0x0100, 0xA002)
HEIGHTS: Final = (0x0101, 0xA003)
PREFIX: Final = b"Exif\0\0"

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, INCH = 0x011A, 0x011B, 0x0128, 2
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_ENTRY_BYTES: Final = 12


def with_numbers(block: bytes, numbers: Mapping[int, int]) -> bytes:
    """The block (with or without its prefix) with these numbers at those of the tags that it has. A broken block is
    returned changed as far as it could be read."""
    start = len(PREFIX) if block.startswith(PREFIX) else 0
    changed = bytearray(block)
    order = {b"II": "<", b"MM": ">"}.get(block[start : start + 2])
    if order is None:
        return block
    for tag, kind, place in _entries(block, start, order):
        if tag in numbers:
            layout = order + ("H" if kind == _SHORT else "I")
            if numbers[tag] < 2 ** (8 * struct.calcsize(layout)):
                struct.pack_into(layout, changed, place, numbers[tag])
    return bytes(changed)


def of_size(width: int, height: int) -> dict[int, int]:
    """The numbers, by tag, that record a size as stored."""
    return dict.fromkeys(WIDTHS, width) | dict.fromkeys(HEIGHTS, height)


def of_orientation(orientation: int) -> bytes:
    """A block with an orientation and nothing else, with its prefix."""
    directory = struct.pack("<HHHIHHI", 1, ORIENTATION, _SHORT, 1, orientation, 0, 0)
    return PREFIX + struct.pack("<2sHI", b"II", 42, 8) + directory


def of_resolution(dpi: tuple[float, float]) -> bytes:
    """A block with a resolution in pixels per inch and nothing else, with its prefix."""
    place = 8 + 2 + 3 * _ENTRY_BYTES + 4
    entries = struct.pack("<HHII", X_RESOLUTION, _RATIONAL, 1, place)
    entries += struct.pack("<HHII", Y_RESOLUTION, _RATIONAL, 1, place + 8)
    entries += struct.pack("<HHIHH", RESOLUTION_UNIT, _SHORT, 1, INCH, 0)
    values = b"".join(struct.pack("<II", min(2**31, max(1, round(value * 1000))), 1000) for value in map(float, dpi))
    return PREFIX + struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 3) + entries + bytes(4) + values


def has_resolution(block: bytes) -> bool:
    """Whether a block states the number of pixels per inch."""
    start = len(PREFIX) if block.startswith(PREFIX) else 0
    order = {b"II": "<", b"MM": ">"}.get(block[start : start + 2], "<")
    with suppress(struct.error):
        (directory,) = struct.unpack_from(order + "I", block, start + 4)
        (count,) = struct.unpack_from(order + "H", block, start + directory)
        places = (start + directory + 2 + number * _ENTRY_BYTES for number in range(count))
        return any(struct.unpack_from(order + "H", block, place)[0] == X_RESOLUTION for place in places)
    return False


def _entries(block: bytes, start: int, order: str) -> Iterator[tuple[int, int, int]]:
    """Tag, type and place of each single number in the main directory and the one of EXIF."""
    try:
        (first,) = struct.unpack_from(order + "I", block, start + 4)
        pending = [first]
        for _ in range(2):
            if not pending:
                return
            directory = start + pending.pop()
            (count,) = struct.unpack_from(order + "H", block, directory)
            for number in range(count):
                entry = directory + 2 + number * _ENTRY_BYTES
                tag, kind, many = struct.unpack_from(order + "HHI", block, entry)
                if tag == EXIF_IFD:
                    pending += struct.unpack_from(order + "I", block, entry + 8)
                if many == 1 and kind in (_SHORT, _LONG):
                    struct.unpack_from(order + "I", block, entry + 8)
                    yield tag, kind, entry + 8
    except struct.error:
        return
