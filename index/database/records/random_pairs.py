"""Random pairs of contents and their distances, for estimating how many false candidates a tolerance would propose.

The sample stays the same as long as the contents do, so its pairs are verified only once.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.records.vectors import model_state, vectors_of
from index.database.schema import Detection
from index.imaging.candidates.perceptual_hash import hamming, turned
from index.imaging.candidates.search.hash_rows import BACK, Bytes
from index.imaging.embedding.vectors import paired_cosines
from index.model import HSIZES

# Enough to detect a rate of one false pair in about 5,000. A library of 300 images has fewer pairs in total.
PAIRS: Final = 50_000
ROWS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class PairSample:
    """A sample of pairs of contents among `images`.

    `pairs` are ids, int64 (n, 2), a < b. For each hsize, with and without turns: `distances`, int64 (n,), in bits, and
    `turns`, uint8 (n,), the position in TURNS of the turn from a to b.
    """

    images: int
    pairs: NDArray[np.int64]
    distances: Mapping[tuple[int, bool], NDArray[np.int64]]
    turns: Mapping[tuple[int, bool], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class SampleMeasurement:
    """The stored measurements of a sample.

    `counts` is the number of unrelated pairs at each distance, by "HSIZE turns" or "HSIZE plain". The nearest `judged`
    of them were verified, and the verifier `accepted` some of these as the same picture.

    `wrong` is not measured on the sample. It is the number of false pairs that the detection itself proposed at each
    distance, up to its `tolerance`. `way` is the key of `counts` that corresponds to the detection.

    `angles` is the number of unrelated pairs at each distance of their vectors, 1000 x (1 - cosine), if a model made
    vectors.
    """

    at_ns: int
    images: int
    counts: dict[str, dict[int, int]]
    judged: int
    accepted: int
    way: str = ""
    tolerance: int = -1
    wrong: dict[int, int] = field(default_factory=dict)
    angles: dict[int, int] = field(default_factory=dict)

    def false_candidates_within(self, hsize: int, turns: bool, tolerance: int) -> int | None:
        """The number of false pairs that the detection proposed within a tolerance. None if the tolerance is larger
        than that of the detection, or the detection used other hashes."""
        if self.way != _counts_key(hsize, turns) or tolerance > self.tolerance:
            return None
        return sum(number for distance, number in self.wrong.items() if distance <= tolerance)

    def distances(self, hsize: int, turns: bool) -> list[int]:
        """The distances of the unrelated pairs in bits, ascending."""
        return _each(self.counts.get(_counts_key(hsize, turns), {}))

    def vector_distances(self) -> list[int]:
        """1000 x (1 - cosine) of the unrelated pairs, ascending."""
        return _each(self.angles)


def count(database: SqliteDatabase, scheme: str, least_detail: int) -> int:
    """The number of contents with a file, hashes of this scheme and enough detail."""
    (number,) = database.execute_sql(
        "SELECT count(*) FROM content c WHERE c.scheme = ? AND c.detail >= ?"
        " AND EXISTS (SELECT 1 FROM image i WHERE i.content_id = c.id)",
        (scheme, least_detail),
    ).fetchone()
    return int(number)


def distances_among(
    database: SqliteDatabase, scheme: str, least_detail: int, first: int, way: tuple[int, bool]
) -> list[int]:
    """The distances of random pairs among the first `first` contents, for one hsize, with or without turns."""
    ids = _ids(database, scheme, least_detail, first)
    pairs = ids[_positions(len(ids), 0)]
    hashes = _hashes(database, np.unique(pairs))
    return [int(distance) for distance in _sampled(hashes, pairs, *way)[0]]


def draw(database: SqliteDatabase, scheme: str, least_detail: int, seed: int = 0) -> PairSample:
    """A random sample of pairs of contents with hashes of this scheme and enough detail; all pairs if there are few."""
    ids = _ids(database, scheme, least_detail)
    pairs = ids[_positions(len(ids), seed)]
    hashes = _hashes(database, np.unique(pairs))
    distances: dict[tuple[int, bool], NDArray[np.int64]] = {}
    turns: dict[tuple[int, bool], NDArray[np.uint8]] = {}
    for hsize in HSIZES:
        for with_turns in (True, False):
            distances[hsize, with_turns], turns[hsize, with_turns] = _sampled(hashes, pairs, hsize, with_turns)
    return PairSample(len(ids), pairs, distances, turns)


def vector_distances(database: SqliteDatabase, pairs: NDArray[np.int64], model: str) -> dict[int, int]:
    """The number of pairs, (n, 2), at each distance of their vectors by a model, 1000 x (1 - cosine). Pairs without
    vectors are left out."""
    state = model_state(database)
    if state is None or state.key != model:
        return {}
    kept = vectors_of(database, np.unique(pairs).tolist(), model, 1)
    ids = np.array(sorted(key for key, data in kept.items() if len(data) >= state.dimensions), np.int64)
    both = pairs[np.isin(pairs, ids).all(axis=1)]
    if not len(both):
        return {}
    rows = np.stack([np.frombuffer(kept[key], np.int8, state.dimensions) for key in ids.tolist()])
    found: Counter[int] = Counter()
    for low in range(0, len(both), ROWS_AT_ONCE):
        first, second = (rows[np.searchsorted(ids, column)] for column in both[low : low + ROWS_AT_ONCE].T)
        found.update(np.rint(1000 * (1 - paired_cosines(first, second))).astype(int).tolist())
    return dict(found)


def matched(database: SqliteDatabase, detection_id: int, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs are matches of a detection, or assumed matches, and therefore related: (n, 2) -> (n,)."""
    matches: set[tuple[int, int]] = set()
    for chunk in chunks(pairs.tolist(), 400):
        marks = ",".join(["(?, ?)"] * len(chunk))
        for table in ("match", "assumed"):
            rows = database.execute_sql(
                f"SELECT a_id, b_id FROM {table} WHERE detection_id = ? AND (a_id, b_id) IN (VALUES {marks})",
                (detection_id, *(content_id for pair in chunk for content_id in pair)),
            )
            matches.update(rows.fetchall())
    return np.array([tuple(pair) in matches for pair in pairs.tolist()], np.bool_)


def false_candidates(database: SqliteDatabase, detection_id: int, tolerance: int) -> dict[int, int]:
    """The number of pairs at each distance that a detection proposed and that were neither matches nor possible
    ones."""
    rows = database.execute_sql(
        "SELECT distance, proposed - near - possible FROM tally WHERE detection_id = ? AND distance <= ?",
        (detection_id, tolerance),
    )
    return dict(rows.fetchall())


def measure(
    drawn: PairSample, unrelated: NDArray[np.bool_], judged: int, accepted: int, now_ns: int
) -> SampleMeasurement:
    """The measurements of a sample."""
    counts = {
        _counts_key(*key): {
            int(distance): number for distance, number in Counter(distances[unrelated].tolist()).items()
        }
        for key, distances in drawn.distances.items()
    }
    return SampleMeasurement(now_ns, drawn.images, counts, judged, accepted)


def with_false_candidates(
    measurement: SampleMeasurement, hsize: int, turns: bool, tolerance: int, wrong: dict[int, int]
) -> SampleMeasurement:
    """The measurement, with the false candidates of the detection itself within its tolerance added."""
    return replace(measurement, way=_counts_key(hsize, turns), tolerance=tolerance, wrong=wrong)


def store(database: SqliteDatabase, detection_id: int, measurement: SampleMeasurement) -> None:
    Detection.update(calibration=json.dumps(asdict(measurement))).where(Detection.id == detection_id).execute(database)


def read(database: SqliteDatabase) -> SampleMeasurement | None:
    """The measurement stored with the current detection, None if there is none."""
    row = database.execute_sql("SELECT calibration FROM detection WHERE current").fetchone()
    stored: dict[str, Any] = {} if row is None else json.loads(row[0])
    if not stored:
        return None
    counts = {name: {int(distance): number for distance, number in of.items()} for name, of in stored["counts"].items()}
    wrong = {int(distance): number for distance, number in stored["wrong"].items()}
    angles = {int(distance): number for distance, number in stored.get("angles", {}).items()}
    return SampleMeasurement(**{**stored, "counts": counts, "wrong": wrong, "angles": angles})


def _each(counts: Mapping[int, int]) -> list[int]:
    """Every distance, repeated as often as it was counted, ascending."""
    return [distance for distance in sorted(counts) for _ in range(counts[distance])]


def _counts_key(hsize: int, turns: bool) -> str:
    return f"{hsize} {'turns' if turns else 'plain'}"


def _ids(database: SqliteDatabase, scheme: str, least_detail: int, first: int = -1) -> NDArray[np.int64]:
    """The ids of the contents with hashes of this scheme and enough detail; with `first`, only that many."""
    rows = database.execute_sql(
        "SELECT id FROM content WHERE scheme = ? AND detail >= ? ORDER BY id LIMIT ?", (scheme, least_detail, first)
    )
    return np.array([row[0] for row in rows], np.int64)


def _sampled(
    hashes: Mapping[int, Mapping[int, Bytes]], pairs: NDArray[np.int64], hsize: int, with_turns: bool
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The distances of pairs (n, 2), and for each a turn with that distance."""
    blocks = []
    for low in range(0, len(pairs), ROWS_AT_ONCE):
        sides = [
            np.stack([hashes[content_id][hsize] for content_id in ids])
            for ids in pairs[low : low + ROWS_AT_ONCE].T.tolist()
        ]
        blocks.append(_distances(sides[0], sides[1], hsize, with_turns))
    return (
        np.concatenate([np.empty(0, np.int64), *(block for block, _ in blocks)]),
        np.concatenate([np.empty(0, np.uint8), *(block for _, block in blocks)]),
    )


def _positions(count: int, seed: int) -> NDArray[np.int64]:
    """Distinct pairs of positions below `count`, first < second: (n, 2)."""
    if count * (count - 1) // 2 <= PAIRS:
        return np.stack(np.triu_indices(count, 1), axis=1)
    random = np.random.default_rng(seed)
    drawn = random.integers(0, count, (2 * PAIRS, 2))
    drawn = np.sort(drawn[drawn[:, 0] != drawn[:, 1]], axis=1)
    _, first = np.unique(drawn, axis=0, return_index=True)
    return drawn[np.sort(first)[:PAIRS]]


def _hashes(database: SqliteDatabase, content_ids: NDArray[np.int64]) -> dict[int, dict[int, Bytes]]:
    hashes: dict[int, dict[int, Bytes]] = {}
    for chunk in chunks(content_ids.tolist()):
        rows = database.execute_sql(
            f"SELECT id, hash8, hash16, hash32 FROM content WHERE id IN ({','.join('?' * len(chunk))})", chunk
        )
        for content_id, *blobs in rows:
            hashes[content_id] = {
                hsize: np.frombuffer(blob, np.uint8).reshape(4, -1) for hsize, blob in zip(HSIZES, blobs, strict=True)
            }
    return hashes


def _distances(first: Bytes, second: Bytes, hsize: int, turns: bool) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The distance of each pair of stored hashes, (n, 4, bytes) each, as imaging.candidates.search.hash_index defines
    it, and a turn with that distance."""
    if not turns:
        return hamming(first[:, 0], second[:, 0]), np.zeros(len(first), np.uint8)
    first_eight, second_eight = turned(first, hsize), turned(second, hsize)
    ahead = hamming(first_eight, second_eight[:, :1])
    back = hamming(first_eight[:, :1], second_eight[:, BACK])
    both = np.minimum(ahead, back)
    return both.min(axis=1), both.argmin(axis=1).astype(np.uint8)
