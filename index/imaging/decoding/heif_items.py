"""PURE: the items of a HEIF file (ISO/IEC 23008-12): how each is coded, where it is, and what it belongs to.

Unknown structures are passed over, and no count or length in the file is trusted.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# More items, or parts of items, than any camera writes: a grid of 100 megapixels has some 400 tiles.
ITEMS_AT_MOST: Final = 20_000
# The boxes that a picture needs. Other boxes at the end of a file may have been appended by a program.
TOP_BOXES: Final = frozenset({b"ftyp", b"meta", b"mdat", b"moov"})
# What a property says about an auxiliary picture begins after version and flags.
FULL_BOX_BYTES: Final = 4


class Cut(Exception):
    """The file ends before its structure does."""


@dataclass(slots=True)
class Items:
    """By item id: `types`; `places`, a list of (start, end) in the file; `auxiliary`, the name of the kind of an
    auxiliary picture; `derived`, the items from which another one is made, in order."""

    types: dict[int, bytes] = field(default_factory=dict)
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    auxiliary: dict[int, bytes] = field(default_factory=dict)
    derived: dict[int, list[int]] = field(default_factory=dict)


def read_items(data: bytes) -> Items:
    """The items of a file. Raises Cut if a box continues after the end of the file."""
    items = Items()
    for kind, start, end in boxes_at_top(data):
        if kind == b"meta":
            _read_meta(data, start + FULL_BOX_BYTES, end, items)
    return items


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


def _read_meta(data: bytes, start: int, end: int, items: Items) -> None:
    for kind, first, last in _boxes(data, start, end):
        try:
            if kind == b"iinf":
                _read_types(data, first, last, items)
            elif kind == b"iloc":
                _read_places(data[first:last], items)
            elif kind == b"iprp":
                _read_auxiliary(data, first, last, items)
            elif kind == b"iref":
                _read_references(data, first, last, items)
        except (struct.error, IndexError):
            continue


def _read_types(data: bytes, start: int, end: int, items: Items) -> None:
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


def _read_places(box: bytes, items: Items) -> None:
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


def _read_auxiliary(data: bytes, start: int, end: int, items: Items) -> None:
    """The kinds of auxiliary pictures (23008-12, 6.5.8), by the associations of properties (14496-12, 8.11.14)."""
    kinds: dict[int, bytes] = {}
    for box, first, last in _boxes(data, start, end):
        if box == b"ipco":
            for number, (kind, at, behind) in enumerate(_boxes(data, first, last), 1):
                if kind == b"auxC" and number <= ITEMS_AT_MOST:
                    kinds[number] = data[at + FULL_BOX_BYTES : behind].partition(b"\0")[0]
        elif box == b"ipma" and kinds:
            _associate(data[first:last], kinds, items)


def _associate(box: bytes, kinds: dict[int, bytes], items: Items) -> None:
    wide, is_long = (4 if box[0] else 2), box[3] & 1
    (entries,) = struct.unpack_from(">I", box, 4)
    at = 8
    for _ in range(min(entries, ITEMS_AT_MOST)):
        item = int.from_bytes(box[at : at + wide], "big")
        number = box[at + wide]
        at += wide + 1
        for _ in range(number):
            property_number = struct.unpack_from(">H", box, at)[0] & 0x7FFF if is_long else box[at] & 0x7F
            at += 2 if is_long else 1
            if property_number in kinds:
                items.auxiliary[item] = kinds[property_number]


def _read_references(data: bytes, start: int, end: int, items: Items) -> None:
    wide = 4 if data[start] else 2
    room = ITEMS_AT_MOST
    for kind, first, last in _boxes(data, start + FULL_BOX_BYTES, end):
        if kind != b"dimg":
            continue
        item = int.from_bytes(data[first : first + wide], "big")
        (number,) = struct.unpack_from(">H", data, first + wide)
        sources = data[first + wide + 2 : min(last, first + wide + 2 + min(number, room) * wide)]
        items.derived[item] = [int.from_bytes(sources[at : at + wide], "big") for at in range(0, len(sources), wide)]
        room -= len(items.derived[item])
