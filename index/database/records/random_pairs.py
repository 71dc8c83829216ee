"""Pairs of contents drawn at random, and how far apart they are: from them it is told what a tolerance would propose.

The draw is the same as long as the contents are, so that what the verifier said of its pairs is asked for once.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from peewee import SqliteDatabase

from index.candidates.fingerprint import hamming, turned
from index.candidates.search_rows import BACK, Bytes
from index.model import HSIZES
from index.records.catalogue import chunks
from index.schema import Detection

# So many tell of one wrong pair in some five thousand; a library of 300 has fewer.
PAIRS: Final = 50_000
ROWS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """Pairs of contents, ids int64 (n, 2), a < b; `distances` int64 (n,) and `turns` uint8 (n,), the position in TURNS
    of the turn from a to b, by hsize and whether turns are looked for."""

    images: int
    pairs: NDArray[np.int64]
    distances: Mapping[tuple[int, bool], NDArray[np.int64]]
    turns: Mapping[tuple[int, bool], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What is kept of a draw: how many of its unrelated pairs are at each distance, by hsize and "turns" or "plain";
    and of how many of the nearest the verifier was asked, and how many it took for the same picture.

    `wrong` is no draw: how many pairs the detection itself proposed at each distance up to its tolerance that turned
    out to be none, under its own way of hashing, `way`.
    """

    at_ns: int
    images: int
    counts: dict[str, dict[int, int]]
    judged: int
    accepted: int
    way: str = ""
    tolerance: int = -1
    wrong: dict[int, int] = field(default_factory=dict)

    def counted(self, hsize: int, turns: bool, tolerance: int) -> int | None:
        """How many wrong pairs the detection proposed within a tolerance; None where it did not look so far."""
        if self.way != _name(hsize, turns) or tolerance > self.tolerance:
            return None
        return sum(number for distance, number in self.wrong.items() if distance <= tolerance)

    def distances(self, hsize: int, turns: bool) -> list[int]:
        """Those of the pairs, ascending."""
        counts = self.counts.get(_name(hsize, turns), {})
        return [distance for distance in sorted(counts) for _ in range(counts[distance])]


def draw(database: SqliteDatabase, scheme: str, least_detail: int, seed: int = 0) -> Drawn:
    """Draw among the contents with hashes of this scheme and so much detail; all pairs where they are few."""
    rows = database.execute_sql(
        "SELECT id FROM content WHERE scheme = ? AND detail >= ? ORDER BY id", (scheme, least_detail)
    )
    ids = np.array([row[0] for row in rows], np.int64)
    pairs = ids[_positions(len(ids), seed)]
    hashes = _hashes(database, np.unique(pairs))
    distances: dict[tuple[int, bool], NDArray[np.int64]] = {}
    turns: dict[tuple[int, bool], NDArray[np.uint8]] = {}
    for hsize in HSIZES:
        for with_turns in (True, False):
            found = []
            for low in range(0, len(pairs), ROWS_AT_ONCE):
                sides = [
                    np.stack([hashes[content_id][hsize] for content_id in ids])
                    for ids in pairs[low : low + ROWS_AT_ONCE].T.tolist()
                ]
                found.append(_distances(sides[0], sides[1], hsize, with_turns))
            distances[hsize, with_turns] = np.concatenate([np.empty(0, np.int64), *(one for one, _ in found)])
            turns[hsize, with_turns] = np.concatenate([np.empty(0, np.uint8), *(one for _, one in found)])
    return Drawn(len(ids), pairs, distances, turns)


def matched(database: SqliteDatabase, detection_id: int, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs are matches of a detection, and so not unrelated: (n, 2) -> (n,)."""
    found: set[tuple[int, int]] = set()
    for some in chunks(pairs.tolist(), 400):
        marks = ",".join(["(?, ?)"] * len(some))
        rows = database.execute_sql(
            f"SELECT a_id, b_id FROM match WHERE detection_id = ? AND (a_id, b_id) IN (VALUES {marks})",
            (detection_id, *(content_id for pair in some for content_id in pair)),
        )
        found.update(rows.fetchall())
    return np.array([tuple(pair) in found for pair in pairs.tolist()], np.bool_)


def wrongly_proposed(database: SqliteDatabase, detection_id: int, tolerance: int) -> dict[int, int]:
    """How many pairs a detection proposed at each distance that were neither matches nor possible."""
    rows = database.execute_sql(
        "SELECT distance, proposed - near - possible FROM tally WHERE detection_id = ? AND distance <= ?",
        (detection_id, tolerance),
    )
    return dict(rows.fetchall())


def measured(drawn: Drawn, unrelated: NDArray[np.bool_], judged: int, accepted: int, now_ns: int) -> Measured:
    """What is to be kept of a draw."""
    counts = {
        _name(*key): {int(distance): number for distance, number in Counter(distances[unrelated].tolist()).items()}
        for key, distances in drawn.distances.items()
    }
    return Measured(now_ns, drawn.images, counts, judged, accepted)


def with_wrong(found: Measured, hsize: int, turns: bool, tolerance: int, wrong: dict[int, int]) -> Measured:
    """With what the detection proposed wrongly within its tolerance."""
    return replace(found, way=_name(hsize, turns), tolerance=tolerance, wrong=wrong)


def keep(database: SqliteDatabase, detection_id: int, found: Measured) -> None:
    Detection.update(calibration=json.dumps(asdict(found))).where(Detection.id == detection_id).execute(database)


def kept(database: SqliteDatabase) -> Measured | None:
    """What was measured with the current detection, None where nothing was yet."""
    row = database.execute_sql("SELECT calibration FROM detection WHERE current").fetchone()
    told: dict[str, Any] = {} if row is None else json.loads(row[0])
    if not told:
        return None
    counts = {name: {int(distance): number for distance, number in of.items()} for name, of in told["counts"].items()}
    wrong = {int(distance): number for distance, number in told["wrong"].items()}
    return Measured(**{**told, "counts": counts, "wrong": wrong})


def _name(hsize: int, turns: bool) -> str:
    return f"{hsize} {'turns' if turns else 'plain'}"


def _positions(count: int, seed: int) -> NDArray[np.int64]:
    """Different pairs of positions below `count`, first < second: (n, 2)."""
    if count * (count - 1) // 2 <= PAIRS:
        return np.stack(np.triu_indices(count, 1), axis=1)
    random = np.random.default_rng(seed)
    drawn = random.integers(0, count, (2 * PAIRS, 2))
    drawn = np.sort(drawn[drawn[:, 0] != drawn[:, 1]], axis=1)
    _, first = np.unique(drawn, axis=0, return_index=True)
    return drawn[np.sort(first)[:PAIRS]]


def _hashes(database: SqliteDatabase, content_ids: NDArray[np.int64]) -> dict[int, dict[int, Bytes]]:
    found: dict[int, dict[int, Bytes]] = {}
    for some in chunks(content_ids.tolist()):
        rows = database.execute_sql(
            f"SELECT id, hash8, hash16, hash32 FROM content WHERE id IN ({','.join('?' * len(some))})", some
        )
        for content_id, *blobs in rows:
            found[content_id] = {
                hsize: np.frombuffer(blob, np.uint8).reshape(4, -1) for hsize, blob in zip(HSIZES, blobs, strict=True)
            }
    return found


def _distances(
    first: Bytes, second: Bytes, hsize: int, turns: bool
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Of each pair of stored rows, (n, 4, bytes) each, the distance of index.candidates.search, and a turn with it."""
    if not turns:
        return hamming(first[:, 0], second[:, 0]), np.zeros(len(first), np.uint8)
    first_eight, second_eight = turned(first, hsize), turned(second, hsize)
    ahead = hamming(first_eight, second_eight[:, :1])
    back = hamming(first_eight[:, :1], second_eight[:, BACK])
    both = np.minimum(ahead, back)
    return both.min(axis=1), both.argmin(axis=1).astype(np.uint8)
