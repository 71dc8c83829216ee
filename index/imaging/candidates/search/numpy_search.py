"""PURE: finds the rows nearest to some hashes, over the 8 turns, with numpy alone: about ten nanoseconds per pair."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.candidates.search.hash_rows import BLOCK, Hits, Queries, Rows, Words, exact_distance

# Blocks compared at a time: their planes and sums stay in the second-level cache.
STRIDE: Final = 32


def nearest(rows: Rows, queries: Queries, tolerance: int, most: int, turns: bool) -> Hits:
    """The nearest rows within `tolerance` bits of each query, at most `most`, of equally near ones the first."""
    of_each = [_nearest_to_one(rows, queries, k, tolerance, most, turns) for k in range(len(queries))]
    query = np.repeat(np.arange(len(queries)), [len(row) for row, _, _ in of_each])
    row, distance, turn = (np.concatenate(parts) for parts in zip(*of_each, strict=True))
    return Hits(query, row, distance, turn)


def unturned(
    blocks: Words, queries: Words, end: int, tolerance: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Without turns: the queries, uint64 (q, words), and the rows before `end`, uint64 (blocks, words, rows), within
    `tolerance` bits of each other; for each query the nearest `most`, of equally near ones the first."""
    of_each = [np.empty(0, np.int64)]
    for query in queries:
        distance = np.bitwise_count(blocks ^ query[:, None]).sum(axis=1, dtype=np.int16).ravel()[:end]
        near = np.flatnonzero(distance <= tolerance)
        of_each.append(np.sort(near[np.argsort(distance[near], kind="stable")[:most]]))
    return np.repeat(np.arange(len(queries)), [len(near) for near in of_each[1:]]), np.concatenate(of_each)


def _nearest_to_one(
    rows: Rows, queries: Queries, k: int, tolerance: int, most: int, turns: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    row, distance, turn = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)
    end, own, limit = int(queries.ends[k]), int(queries.slack[k]), tolerance
    scratch = np.empty((STRIDE, rows.planes.shape[2], BLOCK), np.uint64)
    for low in range(0, -(-end // BLOCK), STRIDE):
        if limit < 0:
            break
        blocks = slice(low, min(low + STRIDE, -(-end // BLOCK)))
        allowed = np.maximum(rows.slack[blocks], own) + limit
        least = _least_inverted(rows.planes[blocks], queries.planes[k], rows.hsize, scratch)
        near = np.flatnonzero(least <= allowed) + low * BLOCK
        near = near[near < end]
        near = near[rows.present[near]]
        if not len(near):
            continue
        exact, how = exact_distance(queries.eight[k], rows.hashes[near], turns)
        row = np.concatenate([row, near[exact <= limit]])
        distance = np.concatenate([distance, exact[exact <= limit]])
        turn = np.concatenate([turn, how[exact <= limit]])
        order = np.lexsort((row, distance))[:most]
        row, distance, turn = row[order], distance[order], turn[order]
        if len(row) == most:
            # A later row must be nearer than the farthest of these; equally near is not enough.
            limit = int(distance[-1]) - 1
    return row, distance, turn


def _least_inverted(planes: Words, query: Words, hsize: int, scratch: Words) -> NDArray[np.int16]:
    """The least distance over the 8 turns by inverted bits: (b, 4, words, BLOCK), (2, 4, words) -> (b, BLOCK)."""
    size = hsize * hsize // 4
    sides = []
    for side in query:
        d0, d1, d2, d3 = (_plane_distance(planes[:, plane], side[plane], scratch) for plane in range(4))
        # No flip and the horizontal one; the vertical one and both.
        sides.append(np.minimum(d0 + d2 + size - _abs(d1 + d3 - size), d0 - d2 + 2 * size - _abs(d1 - d3)))
    least: NDArray[np.int16] = np.minimum(*sides).astype(np.int16)
    return least


def _plane_distance(plane: Words, query: Words, scratch: Words) -> NDArray[Any]:
    """uint8, in which sums of distances of planes with at most 64 bits wrap around to the right value, or else
    int16."""
    differing = np.bitwise_xor(plane, query[:, None], out=scratch[: len(plane)])
    counts = np.bitwise_count(differing)
    if counts.shape[1] == 1:
        return counts[:, 0]
    halves = (counts[:, ::2] + counts[:, 1::2]).astype(np.int16)
    return halves[:, 0] + halves[:, 1]


def _abs(difference: NDArray[Any]) -> Any:
    signed = np.int8 if difference.dtype == np.uint8 else np.int16
    return np.abs(difference.view(signed)).view(difference.dtype)
