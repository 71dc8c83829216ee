"""PURE: reads the size of a JPEG XL picture without decoding it: the plugin decodes all of it when it opens a file.

Sources: ISO/IEC 18181-1, annex D (SizeHeader), and 18181-2 (the boxes around a codestream).
"""

from typing import Final

CODESTREAM: Final = b"\xff\x0a"
CONTAINER: Final = b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a"
# The ratio of width to height, by its number in the header.
RATIOS: Final = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
# The longest header: 2 bytes at the start, and 9 for two sizes.
HEADER_BYTES: Final = 16
BOXES_AT_MOST: Final = 1000


def is_jxl(head: bytes) -> bool:
    """Whether a file begins as JPEG XL, bare or in boxes."""
    return head.startswith((CODESTREAM, CONTAINER))


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height as stored, None if no header is found."""
    header = _codestream(data)
    if header is None or not header.startswith(CODESTREAM) or len(header) < HEADER_BYTES:
        return None
    bits = int.from_bytes(header[2:HEADER_BYTES], "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    is_small = take(1)

    def side() -> int:
        return 8 * (1 + take(5)) if is_small else 1 + take((9, 13, 18, 30)[take(2)])

    height = side()
    ratio = take(3)
    if not ratio:
        return side(), height
    across, down = RATIOS[ratio]
    return height * across // down, height


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
