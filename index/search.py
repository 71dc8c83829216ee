"""Fingerprints -> candidate pairs within a tolerance, each new one against all before it; exact.

The distance of two pictures is the least over the turns t of
    min(hamming(hash of t(A), hash of B), hamming(hash of A, hash of inverse t (B))),
which does not depend on which came first. Hashes are thresholded at their median, which moves when a picture is
flipped, so a flipped hash is nearly but not quite the hash with its odd bits inverted. How many bits it is off is
counted once per row, its *slack*; by the triangle inequality a comparison of inverted bits that allows for the larger
slack of the two misses nothing, and only what passes is compared by the definition.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.fingerprint import hamming, turned
from index.model import TURNS

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

# Queries that pass over one block of rows together, and rows a thread takes on at a time.
QUERIES: Final = 64
# Below this many comparisons numpy is done before numba is loaded (0.7 s).
WORTH_COMPILING: Final = 3_000_000
INVERSES: Final = np.array([TURNS.index(turn.inverse) for turn in TURNS], np.uint8)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidate pairs: rows `first` < `second` (int64), distance in bits (int64), and the position in TURNS of the
    turn that, applied to the first picture, gives the second (uint8). Sorted by second, then first."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.int64]
    turn: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.first)


class HashIndex:
    """Hashes of one size in memory, appended to in amortised constant time: 161 bytes a row at hsize 16.

    Not for several threads at once.
    """

    def __init__(self, hsize: int, turns: bool = True, threads: int = 2) -> None:
        self.hsize = hsize
        self._turns = turns
        self._threads = threads
        self._count = 0
        self._rows = np.empty((0, 4, hsize * hsize // 8), np.uint8)
        self._planes = np.empty((_words(hsize), 4, 0), np.uint64)
        self._slack = np.empty(0, np.uint64)

    def __len__(self) -> int:
        return self._count

    def extend(self, rows: Bytes) -> None:
        """Append hashes: uint8 (n, 4, hsize*hsize/8), the stored rows of `Hashes`."""
        needed = self._count + len(rows)
        if needed > len(self._rows):
            self._grow(max(needed, 2 * len(self._rows)))
        where = slice(self._count, needed)
        self._rows[where] = rows
        self._planes[:, :, where] = np.moveaxis(_planes(rows[:, 0], self.hsize), 0, 2)
        self._slack[where] = _slack(rows, self.hsize) if self._turns else 0
        self._count = needed

    def pairs(
        self, start: int, tolerance: int, checkpoint: Callable[[int], None] | None = None
    ) -> Iterator[Pairs]:
        """The pairs within `tolerance` bits of every row from `start` on with all rows before it.

        Yields in chunks; `checkpoint` is called with the number of rows done so far and may raise to leave off.
        """
        with ThreadPoolExecutor(self._threads) as threads:
            step = QUERIES * self._threads
            for low in range(start, self._count, step):
                parts = [
                    range(first, min(first + QUERIES, self._count))
                    for first in range(low, min(low + step, self._count), QUERIES)
                ]
                for found in threads.map(lambda part: self._near(part, tolerance), parts):
                    if len(found):
                        yield found
                if checkpoint is not None:
                    checkpoint(min(low + step, self._count) - start)

    def _grow(self, capacity: int) -> None:
        def grown(array: NDArray[np.generic], axis: int) -> NDArray[np.generic]:
            shape = list(array.shape)
            shape[axis] = capacity
            larger = np.empty(shape, array.dtype)
            larger[(slice(None),) * axis + (slice(0, self._count),)] = array[
                (slice(None),) * axis + (slice(0, self._count),)
            ]
            return larger

        self._rows = grown(self._rows, 0)
        self._planes = grown(self._planes, 2)
        self._slack = grown(self._slack, 0)

    def _near(self, part: range, tolerance: int) -> Pairs:
        """The pairs of some rows with those before them."""
        queries = self._rows[part.start : part.stop]
        eight = turned(queries, self.hsize) if self._turns else queries[:, :1]
        second, first = self._may_be_near(part, eight, tolerance)
        return self._confirm(part, eight, first, second, tolerance)

    def _may_be_near(
        self, part: range, eight: Bytes, tolerance: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(position in part, earlier row) of every pair that the comparison of inverted bits lets pass."""
        if not self._turns or part.stop * len(part) <= WORTH_COMPILING:
            return self._may_be_near_numpy(part, eight, tolerance)
        from index.hamming import near_rows  # noqa: PLC0415 - numba is loaded when there is work for it

        straight = _planes(eight[:, 0], self.hsize)
        crossed = _planes(eight[:, TURNS.index("transpose")], self.hsize)  # type: ignore[arg-type]
        capacity = 1 << 14
        while True:
            found_query, found_row = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
            count = near_rows(
                np.stack([straight, crossed], axis=1),
                self._slack[part.start : part.stop],
                np.arange(part.start, part.stop, dtype=np.int64),
                self._planes,
                self._slack,
                tolerance,
                self.hsize * self.hsize // 4,
                found_query,
                found_row,
            )
            if count >= 0:
                return found_query[:count].astype(np.int64), found_row[:count].astype(np.int64)
            capacity *= 4

    def _may_be_near_numpy(
        self, part: range, eight: Bytes, tolerance: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same for few rows: by the definition at once."""
        positions, rows = [], []
        for position, row in enumerate(part):
            found = np.flatnonzero(_least(eight[position], self._rows[:row], self._turns).min(axis=1) <= tolerance)
            rows.append(found)
            positions.append(np.full(len(found), position))
        return np.concatenate(positions), np.concatenate(rows)

    def _confirm(
        self,
        part: range,
        eight: Bytes,
        first: NDArray[np.int64],
        position: NDArray[np.int64],
        tolerance: int,
    ) -> Pairs:
        by_turn = _least(eight[position], self._rows[first], self._turns)
        # The query is the later picture; the turn that is told leads the other way.
        backwards = by_turn[:, INVERSES[: by_turn.shape[1]]] if self._turns else by_turn
        turn = backwards.argmin(axis=1)
        distance = backwards[np.arange(len(turn)), turn]
        near = distance <= tolerance
        second = position[near] + part.start
        order = np.lexsort((first[near], second))
        return Pairs(
            first[near][order], second[order], distance[near][order], turn[near][order].astype(np.uint8)
        )


def _least(eight: Bytes, four: Bytes, turns: bool) -> NDArray[np.int64]:
    """The distance under each turn, by the definition: hashes (..., 8, bytes) of A, (n, 4, bytes) of B -> (n, 8).

    A's hash against the inverse turn of B transposed is A's transposed hash against B's, so 4 rows of B suffice.
    """
    base = four[:, 0]
    if not turns:
        return hamming(eight[..., 0, :], base)[:, None]
    forwards = np.stack([hamming(eight[..., t, :], base) for t in range(8)], axis=1)
    # inverse(t) of B for t in the order of TURNS: which of A's two bases meets which row of B
    meets = ((0, 0), (0, 1), (0, 2), (0, 3), (4, 0), (4, 1), (4, 2), (4, 3))
    backwards = np.stack([hamming(eight[..., a, :], four[:, b]) for a, b in meets], axis=1)
    return np.minimum(forwards, backwards)


def _words(hsize: int) -> int:
    """64-bit words in a plane: a quarter of the bits."""
    return max(1, hsize * hsize // 4 // 64)


def _planes(base: Bytes, hsize: int) -> Words:
    """Packed hashes (n, bytes) as planes (n, words, 4) by parity: even row and column, odd column, odd row, both."""
    bits = np.unpackbits(base, axis=1).reshape(-1, hsize, hsize)
    planes = [bits[:, row::2, column::2].reshape(len(bits), -1) for row in (0, 1) for column in (0, 1)]
    packed = np.zeros((len(bits), 4, _words(hsize) * 8), np.uint8)
    for number, plane in enumerate(planes):
        packed[:, number, : hsize * hsize // 32] = np.packbits(plane, axis=1)
    return np.ascontiguousarray(packed.view(np.uint64).swapaxes(1, 2))


def _slack(rows: Bytes, hsize: int) -> Words:
    """The most bits by which a stored flip differs from the base row with its odd bits inverted: (n, 4, b) -> (n,)."""
    odd = np.arange(hsize) % 2
    across, down = np.broadcast_to(odd, (hsize, hsize)), np.broadcast_to(odd[:, None], (hsize, hsize))
    masks = np.packbits(np.stack([0 * across, across, down, across ^ down]).reshape(4, -1), axis=1)
    return hamming(rows, rows[:, :1] ^ masks).max(axis=1).astype(np.uint64)
