"""PURE: a few numbers in an EXIF block (CIPA DC-008) changed where they stand, and a block of an orientation alone.

Everything else stays at the byte it is at, as maker notes hold offsets that only their maker knows.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final

ORIENTATION: Final = 0x0112
EXIF_IFD: Final = 0x8769
# The size of the picture: in the main directory, and in the one of EXIF.
WIDTHS: Final = (0x0100, 0xA002)
HEIGHTS: Final = (0x0101, 0xA003)
PREFIX: Final = b"Exif\0\0"

_SHORT, _LONG = 3, 4
_ENTRY_BYTES: Final = 12


def with_numbers(block: bytes, numbers: Mapping[int, int]) -> bytes:
    """The block (with or without its prefix) with these numbers at these tags, of those that it has. A broken block
    comes back as far as it could be read."""
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
    """The numbers that tell a size as stored."""
    return dict.fromkeys(WIDTHS, width) | dict.fromkeys(HEIGHTS, height)


def of_orientation(orientation: int) -> bytes:
    """A block that tells an orientation and nothing else, with its prefix."""
    directory = struct.pack("<HHHIHHI", 1, ORIENTATION, _SHORT, 1, orientation, 0, 0)
    return PREFIX + struct.pack("<2sHI", b"II", 42, 8) + directory


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
