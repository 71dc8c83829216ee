"""PURE: checks whether a HEIC file is complete. libheif silently decodes missing data to grey.

The boxes of a file (ISO/IEC 14496-12) must end within it, and so must the parts of its items (23008-12). Three zero
bytes in a row cannot occur in the coded data (ISO/IEC 23008-2, 7.4.2). If they do, a part of the file was never
written, or was lost by the disk.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# More items, or parts of items, than any camera writes: a grid of 100 megapixels has some 400 tiles.
ITEMS_AT_MOST: Final = 20_000
# HEVC, the only coding that is checked.
HEVC_ITEMS: Final = frozenset({b"hvc1"})
ZEROS: Final = b"\0\0\0"
# The boxes that a picture needs. Other boxes at the end of a file may have been appended by a program.
TOP_BOXES: Final = frozenset({b"ftyp", b"meta", b"mdat", b"moov"})


class Cut(Exception):
    """The file ends before its structure does."""


class Damaged(Exception):
    """The file has its full length, but not its contents."""


@dataclass(slots=True)
class _Items:
    """`types` and `places` by item id. A place is a list of (start, end) in the file."""

    types: dict[int, bytes] = field(default_factory=dict)
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)


def check(data: bytes) -> None:
    """Raises Cut or Damaged for an incomplete file. Unknown structures are not judged."""
    items = _Items()
    for kind, start, end in boxes_at_top(data):
        if kind == b"meta":
            _read_meta(data, start + 4, end, items)
    for item, places in items.places.items():
        if any(end > len(data) for _, end in places):
            raise Cut
        if items.types.get(item) in HEVC_ITEMS:
            _check_hevc(b"".join(data[start:end] for start, end in places))


def boxes_at_top(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The kind, start and end of the contents of each box in a file. Raises Cut if a box continues after the end of the
    file."""
    return _boxes(data, 0, len(data), is_top=True)


def _boxes(data: bytes, start: int, stop: int, is_top: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """The kind, start and end of the contents of each box in a part of the file. Raises Cut if a box at the top level
    continues after the end of the file. Stops at bytes that are no box."""
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            if start + 16 > stop:
                raise Cut
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif size == 0:
            size = stop - start
        if size < head:
            return
        if start + size > stop:
            if is_top and kind in TOP_BOXES:
                raise Cut
            return
        yield kind, start + head, start + size
        start += size


def _read_meta(data: bytes, start: int, end: int, items: _Items) -> None:
    for kind, first, last in _boxes(data, start, end):
        try:
            if kind == b"iinf":
                _read_types(data, first, last, items)
            elif kind == b"iloc":
                _read_places(data[first:last], items)
        except (struct.error, IndexError):
            continue


def _read_types(data: bytes, start: int, end: int, items: _Items) -> None:
    first = start + (6 if data[start] == 0 else 8)
    for kind, entry, _ in _boxes(data, first, end):
        if kind != b"infe" or len(items.types) >= ITEMS_AT_MOST:
            continue
        version = data[entry]
        if version == 2:
            (item,) = struct.unpack_from(">H", data, entry + 4)
            items.types[item] = data[entry + 8 : entry + 12]
        elif version == 3:
            (item,) = struct.unpack_from(">I", data, entry + 4)
            items.types[item] = data[entry + 10 : entry + 14]


def _read_places(box: bytes, items: _Items) -> None:
    version = box[0]
    offset_size, length_size = box[4] >> 4, box[4] & 15
    base_size, index_size = box[5] >> 4, (box[5] & 15 if version else 0)
    wide = 4 if version == 2 else 2
    at = 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > len(box):
            raise IndexError
        value = int.from_bytes(box[at : at + size], "big")
        at += size
        return value

    parts = 0
    for _ in range(min(number(wide), ITEMS_AT_MOST)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        places = []
        for _ in range(number(2)):
            parts += 1
            if parts > ITEMS_AT_MOST:
                return
            number(index_size)
            start, length = base + number(offset_size), number(length_size)
            places.append((start, start + length))
        # Other methods count from another box. A length of 0 means the whole file.
        if method == 0 and all(start < end for start, end in places):
            items.places[item] = places


def _check_hevc(coded: bytes) -> None:
    """Check the coded data of one item: units, each with its length in 4 bytes before it, as every known writer has
    it."""
    at = 0
    while at + 4 <= len(coded):
        (length,) = struct.unpack_from(">I", coded, at)
        at += 4
        # If the lengths have another size, which is allowed, this already fails at the first unit.
        if at + length > len(coded) or length < 2:
            if at == 4 and length:
                return
            raise Damaged
        if coded.find(ZEROS, at, at + length) >= 0:
            raise Damaged
        at += length
