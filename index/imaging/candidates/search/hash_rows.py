"""PURE: the memory layout of hashes that are compared many at a time, shared by the compiled and the numpy search.

A flip negates the odd frequencies of a picture, so it inverts fixed bits of its hash. The bits are sorted into 4
*planes* by the parity of their row and column. The distances of the planes then give the distances under all 4 flips,
and a second comparison, with the transposed hash, those under the other 4 turns: two comparisons for eight turns. But
the bits of a hash are relative to the median, which changes when the picture is flipped, so a flipped hash is not
exactly the hash with inverted bits. The largest number of bits by which it differs, the *slack*, is computed once for
each hash. By the triangle inequality, a comparison of inverted bits that allows for the larger slack of the two misses
nothing. Pairs that pass are compared by the definition in search.hash_index.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.perceptual_hash import TRANSPOSED_ROWS, hamming, turned
from index.model import TURNS, Turn

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Scalar = TypeVar("Scalar", bound=np.generic)

# Rows compared at a time, a multiple of 64 whose planes fit into the first-level cache. Not a power of two: planes at a
# distance of 4096 bytes would evict one another.
BLOCK: Final = 448

# Arrays grow by this fraction of their length, so at most an eighth of them is spare.
GROWTH: Final = 8

# Where exact_distance has the two comparisons for each turn from B to A.
# The hash of B turned with that of A; where the turn transposes, B's flip with A's transpose.
AHEAD: Final = np.array([0, 1, 2, 3, *(4 + flip for flip in TRANSPOSED_ROWS)])
# The hash of B with that of A turned back.
BACK: Final = np.array([TURNS.index(turn.inverse) for turn in TURNS])


@dataclass(frozen=True, slots=True)
class Queries:
    """A few hashes to compare with rows.

    `eight` uint64 (q, words, 8): the hash in each turn. `planes` uint64 (q, 2, 4, words a plane): of the hash and of
    its transpose. `slack` int64 (q,). `ends` int64 (q,): query k is compared with the rows before `ends[k]`.
    """

    eight: Words
    planes: Words
    slack: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, hashes: Bytes, hsize: int, ends: NDArray[np.int64]) -> "Queries":
        """From stored hashes, uint8 (q, 4, hsize*hsize/8)."""
        eight = turned(hashes, hsize)
        bases = [planes_of(eight[:, turn], hsize) for turn in (0, TURNS.index(Turn.TRANSPOSE))]
        return cls(_by_word(eight), np.stack(bases, axis=1), slack_of(hashes, hsize).astype(np.int64), ends)

    def __len__(self) -> int:
        return len(self.ends)


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows found near to queries, sorted by query, then distance, then row.

    int64 each, but for `turn`, uint8: the position in TURNS of the turn that, applied to the row's picture, gives the
    query's.
    """

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    distance: NDArray[np.int64]
    turn: NDArray[np.uint8]

    @classmethod
    def empty(cls) -> "Hits":
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))


class Rows:
    """Hashes in memory, appended to in amortised constant time.

    `hashes` uint64 (capacity, words, 4): as stored, word by word. `planes` uint64 (blocks, 4, words a plane, BLOCK).
    `slack` int16 (blocks, BLOCK). `present` bool (capacity,): False once removed. Beyond `count` all is spare.
    """

    def __init__(self, hsize: int) -> None:
        self.hsize = hsize
        self.count = 0
        self.hashes: Words = np.empty((0, hsize * hsize // 64, 4), np.uint64)
        self.planes: Words = np.empty((0, 4, words_in_plane(hsize), BLOCK), np.uint64)
        self.slack: NDArray[np.int16] = np.empty((0, BLOCK), np.int16)
        self.present: NDArray[np.bool_] = np.empty(0, np.bool_)

    def extend(self, hashes: Bytes) -> None:
        """Append hashes: uint8 (n, 4, hsize*hsize/8)."""
        end = self.count + len(hashes)
        if end > len(self.hashes):
            blocks = -(-max(end, len(self.hashes) + len(self.hashes) // GROWTH) // BLOCK)
            grow(self.hashes, blocks * BLOCK)
            grow(self.planes, blocks)
            grow(self.slack, blocks)
            grow(self.present, blocks * BLOCK)
        block, place = np.divmod(np.arange(self.count, end), BLOCK)
        self.hashes[self.count : end] = _by_word(hashes)
        self.planes[block, :, :, place] = planes_of(hashes[:, 0], self.hsize)
        self.slack[block, place] = slack_of(hashes, self.hsize)
        self.present[self.count : end] = True
        self.count = end

    def stored(self, part: range) -> Bytes:
        """Hashes as they were given."""
        return np.ascontiguousarray(self.hashes[part.start : part.stop].swapaxes(1, 2)).view(np.uint8)


def exact_distance(eight: Words, four: Words, turns: bool) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The distance of A, given in its 8 turns (words, 8), to each B, (n, words, 4), and the turn from B to A."""
    straight_and_crossed = np.stack([eight[:, 0], eight[:, TURNS.index(Turn.TRANSPOSE)]], axis=1)[:, :, None]
    ahead = _weight(straight_and_crossed ^ four[:, :, None]).reshape(-1, 8)
    back = _weight(eight ^ four[:, :, :1])
    distances = np.minimum(ahead[:, AHEAD], back[:, BACK])[:, : 8 if turns else 1]
    turn = distances.argmin(axis=1).astype(np.uint8)
    least = distances.min(axis=1)
    # If both quarter turns are equally near, rotate_90 starts from the smaller hash, so that the result does not depend
    # on the order of the pictures.
    other = BACK[turn]
    either = (other != turn) & (distances[np.arange(len(turn)), other] == least)
    either[either] = _exceeds(four[either, :, 0], eight[:, 0])
    turn[either] = other[either]
    return least, turn


def words_in_plane(hsize: int) -> int:
    """64-bit words in a plane, a quarter of the bits."""
    return max(1, hsize * hsize // 4 // 64)


def planes_of(base: Bytes, hsize: int) -> Words:
    """Packed hashes (n, bytes) by parity, even row and column, odd column, odd row, both: (n, 4, words a plane)."""
    bits = np.unpackbits(base, axis=1).reshape(-1, hsize, hsize)
    packed = np.zeros((len(bits), 4, words_in_plane(hsize) * 8), np.uint8)
    for row in (0, 1):
        for column in (0, 1):
            plane = bits[:, row::2, column::2].reshape(len(bits), hsize * hsize // 4)
            packed[:, 2 * row + column, : hsize * hsize // 32] = np.packbits(plane, axis=1)
    return packed.view(np.uint64)


def slack_of(hashes: Bytes, hsize: int) -> NDArray[np.int16]:
    """The most bits by which a stored flip differs from the base row with bits inverted: (n, 4, bytes) -> (n,)."""
    odd = np.arange(hsize) % 2 == 1
    across, down = np.broadcast_to(odd, (hsize, hsize)), np.broadcast_to(odd[:, None], (hsize, hsize))
    masks = np.packbits(np.stack([across, down, across ^ down]).reshape(3, -1), axis=1)
    slack: NDArray[np.int16] = hamming(hashes[:, 1:], hashes[:, :1] ^ masks).max(axis=1).astype(np.int16)
    return slack


def _by_word(hashes: Bytes) -> Words:
    """Packed hashes (n, k, bytes) -> (n, words, k)."""
    return np.ascontiguousarray(np.ascontiguousarray(hashes).view(np.uint64).swapaxes(1, 2))


def _weight(differing: Words) -> NDArray[np.int64]:
    """The number of bits set in words, (n, words, ...) -> (n, ...)."""
    weight: NDArray[np.int64] = np.bitwise_count(differing).sum(axis=1, dtype=np.int64)
    return weight


def _exceeds(bases: Words, other: Words) -> NDArray[np.bool_]:
    """Which of the hashes (n, words) are greater than another, by the first word in which they differ."""
    first = (bases != other).argmax(axis=1)
    greater: NDArray[np.bool_] = bases[np.arange(len(bases)), first] > other[first]
    return greater


def grow(array: NDArray[Scalar], length: int) -> None:
    """Lengthen an array in place, filled with zeros. The system moves its pages without copying, so the array is never
    in memory twice. No view of it may be in use."""
    array.resize((length, *array.shape[1:]), refcheck=False)
