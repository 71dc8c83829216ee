"""PURE: recodes a baseline JPEG with optimal Huffman codes, as baseline.

Progressive files are smaller except for their headers: below some 150 pixels a side baseline is smaller, by up to a
tenth.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from index.imaging.decoding import jpeg_file
from index.imaging.decoding.jpeg_file import NoJpeg
from index.imaging.encoding.jpeg_codes import CODES, LONGEST, Code, best_code, bits_of, coded_of, codes_in

RESTARTS: Final = 0xDD
OF_AC: Final = 0x10
COEFFICIENTS: Final = 64
BLOCK: Final = 8
# Sixteen zeros, and the end of a block: symbols that are not followed by a value.
ZEROS: Final = 15

# A table, a symbol and the bits of its value.
Token = tuple[int, int, str]


def repacked(data: bytes) -> bytes:
    """The same file with other codes. Takes a baseline JPEG of one scan without restart markers; raises NoJpeg for any
    other."""
    before: list[bytes] = []
    tables: dict[int, Code] = {}
    frame = b""
    for marker, start, end in jpeg_file.markers(data):
        part = data[start:end]
        if marker == jpeg_file.BASELINE:
            frame = part
        if marker == RESTARTS:
            raise NoJpeg("has restart markers")
        if marker == CODES:
            tables.update(codes_in(part[4:]))
        elif marker == jpeg_file.SOS:
            return b"".join([jpeg_file.SOI, *before, _rescanned(data, start, end, frame, tables)])
        else:
            before.append(part)
    raise NoJpeg("has no picture")


def _rescanned(data: bytes, start: int, end: int, frame: bytes, tables: dict[int, Code]) -> bytes:
    """The scan preceded by the codes, and what follows it."""
    behind = next((where for marker, where, _ in jpeg_file.markers(data) if where >= end), len(data))
    if not frame or data[behind : behind + 2] != jpeg_file.END:
        raise NoJpeg("has not one baseline scan")
    scan = _Scan(data[start:end], frame, tables)
    tokens = scan.tokens(bits_of(data[end:behind]))
    words, segments = {}, []
    for table in sorted(scan.tables):
        code = best_code(Counter(symbol for of, symbol, _ in tokens if of == table))
        words[table] = code.words()
        segments.append(code.segment(table))
    coded = coded_of("".join(words[table][symbol] + value for table, symbol, value in tokens))
    return b"".join([*segments, data[start:end], coded, data[behind:]])


@dataclass(frozen=True, slots=True)
class _Component:
    blocks: int
    dc: int
    ac: int


class _Scan:
    """The one scan of a picture: the order of the blocks, and their tables."""

    def __init__(self, header: bytes, frame: bytes, tables: dict[int, Code]) -> None:
        count = frame[9]
        if header[4] != count or len(frame) != 10 + 3 * count or len(header) != 8 + 2 * count or frame[4] != BLOCK:
            raise NoJpeg("has a scan of another kind")
        samplings = [(value >> 4, value & 15) for value in frame[11::3]]
        height, width = int.from_bytes(frame[5:7], "big"), int.from_bytes(frame[7:9], "big")
        if count == 1:
            samplings = [(1, 1)]
        across = max(horizontal for horizontal, _ in samplings) * BLOCK
        down = max(vertical for _, vertical in samplings) * BLOCK
        if not across or not down or not height:
            raise NoJpeg("has no size")
        self.units = -(-width // across) * -(-height // down)
        self.components = [
            _Component(horizontal * vertical, selector >> 4, OF_AC | selector & 15)
            for (horizontal, vertical), selector in zip(samplings, header[6 : 6 + 2 * count : 2], strict=True)
        ]
        self.tables = {table for component in self.components for table in (component.dc, component.ac)}
        if not self.tables <= tables.keys():
            raise NoJpeg("lacks a table of codes")
        self._places = {table: tables[table].places() for table in self.tables}

    def tokens(self, bits: str) -> list[Token]:
        """Raises NoJpeg if the coded data is not that of this picture."""
        tokens: list[Token] = []
        position = 0
        last = len(bits) - 2 * LONGEST
        for _ in range(self.units):
            for component in self.components:
                for _ in range(component.blocks):
                    position = self._read_block(bits, position, component, tokens)
                    if position > last:
                        raise NoJpeg("ends too early")
        return tokens

    def _read_block(self, bits: str, position: int, component: _Component, tokens: list[Token]) -> int:
        places, index = self._places[component.dc], 0
        table = component.dc
        while index < COEFFICIENTS:
            length, symbol = places[int(bits[position : position + LONGEST] or "0", 2)]
            if length == 0:
                raise NoJpeg("has coded data of no meaning")
            size = symbol & 15
            position += length + size
            tokens.append((table, symbol, bits[position - size : position]))
            if index == 0:
                table, places = component.ac, self._places[component.ac]
                index = 1
            elif size == 0 and symbol >> 4 < ZEROS:
                break
            else:
                index += (symbol >> 4) + 1
        return position
