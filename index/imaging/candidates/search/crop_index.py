"""Hashes of wholes and of their parts -> which whole looks like a part of which other, unturned.

Every whole is compared with every part: without the turns a pair costs an eighth of what it costs where all
turns are looked at (index.candidates.search).
"""

import contextlib
import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.candidates import search_plain
from index.candidates.search_rows import BLOCK

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Near = tuple[NDArray[np.int64], NDArray[np.int64]]
Engine = Callable[[Words, Words, int, int, int], Near]

# Pictures of one look would be pairs without end: each hash is paired with no more than these, the nearest.
MOST: Final = 20
# Queries between two checkpoints.
STEP: Final = 64
# Below this many comparisons numpy is done before numba is loaded.
WORTH_COMPILING: Final = 20_000_000


class _Hashes:
    """Hashes of one size in memory, appended to in amortised constant time. Block by block and in it word by word, as
    they are compared: uint64 (blocks, words, BLOCK)."""

    def __init__(self, hsize: int) -> None:
        self._blocks: Words = np.zeros((1, hsize * hsize // 64, BLOCK), np.uint64)
        self.count = 0

    def extend(self, hashes: Bytes) -> None:
        """Append hashes, uint8 (n, hsize*hsize/8)."""
        block, place = np.divmod(np.arange(self.count, self.count + len(hashes)), BLOCK)
        if len(hashes) and block[-1] >= len(self._blocks):
            more = max(int(block[-1]) + 1 - len(self._blocks), len(self._blocks))
            self._blocks = np.concatenate([self._blocks, np.zeros((more, *self._blocks.shape[1:]), np.uint64)])
        self._blocks[block, :, place] = np.ascontiguousarray(hashes).view(np.uint64)
        self.count += len(hashes)

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Have no bit of these set from now on: every hash of a picture has half of its bits set, so none is near."""
        block, place = np.divmod(rows, BLOCK)
        self._blocks[block, :, place] = 0

    def rows(self, start: int) -> Words:
        """The hashes from one row on, uint64 (n, words)."""
        block, place = np.divmod(np.arange(start, self.count), BLOCK)
        return self._blocks[block, :, place]

    def near(self, engine: Engine, queries: Words, end: int, tolerance: int) -> Near:
        """The positions in `queries`, uint64 (q, words), and the rows before `end` within `tolerance` bits of each
        other, for each query the nearest MOST, of equally near ones the first."""
        return engine(self._blocks[: -(-end // BLOCK)], queries, end, tolerance, MOST)


class PartIndex:
    """Pictures by number, 0 upwards in the order they are added; 32 bytes a whole and 40 a part at hsize 16.

    Not for several threads at once.
    """

    def __init__(self, hsize: int) -> None:
        self._wholes = _Hashes(hsize)
        self._parts = _Hashes(hsize)
        self._owners = array("q")
        # For each picture, how many parts came before its own.
        self._first_part = array("q", [0])
        self._removed: set[int] = set()

    def __len__(self) -> int:
        return self._wholes.count

    def extend(self, wholes: Bytes, parts: Sequence[Sequence[bytes]]) -> None:
        """Add pictures: their hashes, uint8 (n, hsize*hsize/8), and those of the parts of each."""
        owners = [number for number, own in enumerate(parts, start=len(self)) for _ in own]
        rows = b"".join(bits for own in parts for bits in own)
        self._wholes.extend(wholes)
        self._parts.extend(np.frombuffer(rows, np.uint8).reshape(len(owners), -1 if owners else wholes.shape[1]))
        self._owners.extend(owners)
        for own in parts:
            self._first_part.append(self._first_part[-1] + len(own))

    def remove(self, pictures: NDArray[np.int64]) -> None:
        """Let pictures be found no more. They keep their place in memory until the index is made anew."""
        self._wholes.remove(pictures)
        self._parts.remove(np.flatnonzero(np.isin(np.frombuffer(self._owners, np.int64), pictures)))
        self._removed.update(pictures.tolist())

    def pairs(
        self, start: int, tolerance: int, checkpoint: Callable[[], None] = lambda: None
    ) -> list[tuple[int, int]]:
        """The pairs (earlier, later) of which one looks like a part of the other, the later from `start` on."""
        found: set[tuple[int, int]] = set()
        owners = np.frombuffer(self._owners, np.int64)
        first_part = self._first_part[start]
        # New wholes with all parts, new parts with the wholes before them.
        wholes, parts = self._wholes.rows(start), self._parts.rows(first_part)
        engine = _engine(len(wholes) * self._parts.count + len(parts) * start)
        for low in range(0, len(wholes), STEP):
            query, row = self._parts.near(engine, wholes[low : low + STEP], self._parts.count, tolerance)
            found.update(zip((query + start + low).tolist(), owners[row].tolist(), strict=True))
            checkpoint()
        for low in range(0, len(parts), STEP):
            query, row = self._wholes.near(engine, parts[low : low + STEP], start, tolerance)
            found.update(zip(owners[query + first_part + low].tolist(), row.tolist(), strict=True))
            checkpoint()
        there = {(min(pair), max(pair)) for pair in found if self._removed.isdisjoint(pair)}
        return sorted(pair for pair in there if pair[0] != pair[1])


def _engine(comparisons: int) -> Engine:
    if comparisons >= WORTH_COMPILING or "index.candidates.search_compiled" in sys.modules:
        with contextlib.suppress(ImportError, OSError):
            from index.candidates import search_compiled  # noqa: PLC0415 - numba is loaded when there is work for it

            return search_compiled.unturned
    return search_plain.unturned
