"""PURE: the Huffman codes of JPEG (ITU-T T.81): those in a file's tables, and the optimal ones for a picture."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from index.imaging.decoding.jpeg_file import NoJpeg

LONGEST: Final = 16
CODES: Final = 0xC4
# A symbol that no picture has, for the code of only ones, which must not be used (annex K.2).
_RESERVED: Final = 256


@dataclass(frozen=True, slots=True)
class Code:
    """The number of codes of each length, from 1 to 16, and the symbols in the order of their codes."""

    counts: bytes
    symbols: bytes

    def words(self) -> dict[int, str]:
        """The code of each symbol, as a text of 0 and 1."""
        words: dict[int, str] = {}
        number, symbols = 0, iter(self.symbols)
        for length, count in enumerate(self.counts, 1):
            for _ in range(count):
                words[next(symbols)] = format(number, f"0{length}b")
                number += 1
            number *= 2
        return words

    def places(self) -> list[tuple[int, int]]:
        """For each value of the next 16 bits of coded data, the length of the code and its symbol; a length of 0 is no
        code."""
        places = [(0, 0)] * 2**LONGEST
        for symbol, word in self.words().items():
            spread = 2 ** (LONGEST - len(word))
            start = int(word, 2) * spread
            places[start : start + spread] = [(len(word), symbol)] * spread
        return places

    def segment(self, table: int) -> bytes:
        """The marker segment that defines it; `table` is its class (0 or 16: DC, AC) and number."""
        payload = bytes([table]) + self.counts + self.symbols
        return bytes([0xFF, CODES]) + (len(payload) + 2).to_bytes(2, "big") + payload


def codes_in(payload: bytes) -> Iterator[tuple[int, Code]]:
    """The codes that a segment defines, each with its class and number. Raises NoJpeg if it is invalid."""
    position = 0
    while position < len(payload):
        counts = payload[position + 1 : position + 1 + LONGEST]
        end = position + 1 + LONGEST + sum(counts)
        # More codes than there are words of these lengths.
        room = sum(count << (LONGEST - length) for length, count in enumerate(counts, 1))
        if len(counts) < LONGEST or end > len(payload) or room > 2**LONGEST:
            raise NoJpeg("has a table of codes that does not hold")
        yield payload[position], Code(counts, payload[position + 1 + LONGEST : end])
        position = end


def best_code(frequencies: Mapping[int, int]) -> Code:
    """The code in which symbols of these frequencies take the fewest bits, none longer than 16 (annex K.2)."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (count, -symbol, (symbol,)) for symbol, count in {**frequencies, _RESERVED: 0}.items()
    ]
    heapq.heapify(heap)
    lengths = dict.fromkeys([*frequencies, _RESERVED], 0)
    while len(heap) > 1:
        (first, _, some), (second, order, others) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in some + others:
            lengths[symbol] += 1
        heapq.heappush(heap, (first + second, order, some + others))
    counts = [0] * (max(lengths.values()) + 1)
    for length in lengths.values():
        counts[length] += 1
    _shorten(counts)
    # The reserved one is the last of the longest.
    counts[max(length for length, count in enumerate(counts) if count)] -= 1
    ordered = sorted(frequencies, key=lambda symbol: (lengths[symbol], symbol))
    return Code(bytes(counts[1 : LONGEST + 1]).ljust(LONGEST, b"\0"), bytes(ordered))


def _shorten(counts: list[int]) -> None:
    """Move codes of more than 16 bits up in the tree, two at a time (figure K.3)."""
    for length in range(len(counts) - 1, LONGEST, -1):
        while counts[length] > 0:
            above = max(other for other in range(1, length - 1) if counts[other])
            counts[length] -= 2
            counts[length - 1] += 1
            counts[above + 1] += 2
            counts[above] -= 1


def bits_of(coded: bytes) -> str:
    """Coded data without its stuffed zeros, as a text of 0 and 1, followed by ones."""
    plain = coded.replace(b"\xff\0", b"\xff")
    return format(int.from_bytes(b"\1" + plain, "big"), "b")[1:] + "1" * 2 * LONGEST


def coded_of(bits: str) -> bytes:
    """The reverse: padded to whole bytes with ones, zeros stuffed after each byte of ones."""
    filled = bits + "1" * (-len(bits) % 8)
    return int("1" + filled, 2).to_bytes(len(filled) // 8 + 1, "big")[1:].replace(b"\xff", b"\xff\0")
