"""PURE: reads size and depth of a JPEG XL picture without decoding it.

The plugin decodes the whole picture when it opens a file, and gives 8 bits. Sources: ISO/IEC 18181-1, annex D
(SizeHeader, ImageMetadata), and 18181-2 (the boxes around a codestream).
"""

from typing import Final

CODESTREAM: Final = b"\xff\x0a"
CONTAINER: Final = b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a"
# The ratio of width to height, by its number in the header.
RATIOS: Final = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
# Size and depth lie within this many bytes of the codestream; the size alone takes 11 at most.
HEADER_BYTES: Final = 64
SIZE_BYTES: Final = 11
BOXES_AT_MOST: Final = 1000
USUAL_BITS: Final = 8
# Numbers of variable length: by a selector of two bits, each is an offset and a count of further bits.
Choices = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
WHOLE_BITS: Final[Choices] = ((8, 0), (10, 0), (12, 0), (1, 6))
REAL_BITS: Final[Choices] = ((32, 0), (16, 0), (24, 0), (1, 6))
PREVIEW_EIGHTHS: Final[Choices] = ((16, 0), (32, 0), (1, 5), (33, 9))
PREVIEW_SIDES: Final[Choices] = ((1, 6), (65, 8), (321, 10), (1345, 12))
TICKS: Final[Choices] = ((100, 0), (1000, 0), (1, 10), (1, 30))
TICKS_DIVIDED_BY: Final[Choices] = ((1, 0), (1001, 0), (1, 8), (1, 10))
LOOPS: Final[Choices] = ((0, 0), (0, 3), (0, 16), (0, 32))


class _Bits:
    """Takes numbers from a codestream, the lowest bit of each byte first. After its end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        return value

    def choose(self, choices: Choices) -> int:
        offset, count = choices[self.take(2)]
        return offset + self.take(count)


def is_jxl(head: bytes) -> bool:
    """Whether a file begins as JPEG XL, bare or in boxes."""
    return head.startswith((CODESTREAM, CONTAINER))


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height as stored, None if no header is found."""
    header = _header(data)
    return None if header is None else _size(header)


def bits_per_channel(data: bytes) -> int | None:
    """The bits of each channel as stored, None if no header is found."""
    header = _header(data)
    if header is None:
        return None
    _size(header)
    if header.take(1):
        return USUAL_BITS
    if header.take(1):
        _skip_extra_fields(header)
    return header.choose(REAL_BITS if header.take(1) else WHOLE_BITS)


def _header(data: bytes) -> _Bits | None:
    """The codestream behind its mark."""
    codestream = _codestream(data)
    if codestream is None or not codestream.startswith(CODESTREAM) or len(codestream) < SIZE_BYTES:
        return None
    return _Bits(codestream[len(CODESTREAM) :])


def _size(header: _Bits) -> tuple[int, int]:
    is_small = header.take(1)

    def side() -> int:
        return 8 * (1 + header.take(5)) if is_small else 1 + header.take((9, 13, 18, 30)[header.take(2)])

    height = side()
    ratio = header.take(3)
    if not ratio:
        return side(), height
    across, down = RATIOS[ratio]
    return height * across // down, height


def _skip_extra_fields(header: _Bits) -> None:
    """Orientation, intended size, preview and animation."""
    header.take(3)
    if header.take(1):
        _size(header)
    if header.take(1):
        sides = PREVIEW_EIGHTHS if header.take(1) else PREVIEW_SIDES
        header.choose(sides)
        if not header.take(3):
            header.choose(sides)
    if header.take(1):
        for choices in (TICKS, TICKS_DIVIDED_BY, LOOPS):
            header.choose(choices)
        header.take(1)


def _codestream(data: bytes) -> bytes | None:
    """The start of the codestream."""
    if data.startswith(CODESTREAM):
        return data[:HEADER_BYTES]
    at = 0
    for _ in range(BOXES_AT_MOST):
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if kind in (b"jxlc", b"jxlp"):
            start = at + head + (4 if kind == b"jxlp" else 0)
            return data[start : start + HEADER_BYTES]
        if size < head:
            return None
        at += size
    return None
