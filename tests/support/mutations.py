"""Broken files made of whole ones: bits turned, bytes cut, lengths lied about, pieces of one file put into another."""

import random
from collections.abc import Callable, Sequence

# Values at which parsers go wrong: nothing, the largest, the sign, one beyond.
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HEAD_BYTES = 512


def mutate(chance: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """One to four changes of a file; most of them near its head, where formats keep what they believe."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        chance.choice(WAYS)(chance, changed, others)
    return bytes(changed)


def _place(chance: random.Random, data: bytearray) -> int:
    reach = min(len(data), HEAD_BYTES) if chance.random() < 0.7 else len(data)
    return chance.randrange(reach) if reach else 0


def _turn_bits(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    for _ in range(chance.randint(1, 16)):
        if data:
            data[_place(chance, data)] ^= 1 << chance.randrange(8)


def _set_number(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    width = chance.choice((1, 2, 4))
    at = _place(chance, data)
    value = chance.choice(NUMBERS) % (1 << 8 * width)
    data[at : at + width] = value.to_bytes(width, chance.choice(("big", "little")))


def _cut(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[_place(chance, data) :]


def _remove(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _place(chance, data)
    del data[at : at + chance.randint(1, 64)]


def _repeat(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _place(chance, data)
    data[at:at] = data[at : at + chance.randint(1, 256)] * chance.randint(1, 40)


def _insert(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _place(chance, data)
    data[at:at] = chance.randbytes(chance.randint(1, 64))


def _graft(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = chance.choice(others)
    start = chance.randrange(len(other)) if other else 0
    at = _place(chance, data)
    data[at : at + chance.randint(0, 64)] = other[start : start + chance.randint(1, 1024)]


def _wipe(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _place(chance, data)
    length = min(chance.randint(1, 512), len(data) - at)
    data[at : at + length] = bytes([chance.choice((0, 0xFF))]) * length


WAYS: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _turn_bits, _turn_bits, _set_number, _set_number, _cut, _remove, _repeat, _insert, _graft, _wipe,
)  # fmt: skip
