"""The keypoints of many pictures -> which of them show a part of the same picture, one against all; exact.

Two features are alike if at most 1 of the 16 bits of their keys and at most NEAR_BITS of all 128 differ, in a picture
or its mirror image. Two pictures are proposed if VOTES of their features, in as many places of each, are alike and
agree on one turn, scale and shift, roughly (the pose clustering of Lowe, IJCV 2004, section 7.3). That is a rule about
two pictures: who came first and what else there is has no say. Crowds are the exception: a feature that is like more
than CROWD of those before it is compared with the nearest only, and a picture is paired with at most MOST before it.

Features with one key lie one after the other (the inverted file of Sivic and Zisserman, Video Google, ICCV 2003, with
the words of a Hamming embedding for words), so a feature meets about one in two thousand of all.

Runs in the caller's thread; no two at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.keypoints import FULL, HALF_TURN, OCTAVE, RECORD, Keypoints, keypoints, mirrored_codes

NEAR_BITS: Final = 20
VOTES: Final = 5
CROWD: Final = 1000
MOST: Final = 30

KEY_BITS: Final = 16
# A key and all that differ from it in one bit.
PROBES: Final = np.array([0, *(1 << bit for bit in range(KEY_BITS))], np.int64)

# How far two alike features may be from agreeing: in turn, in scale, and in place by a share of their distance and of
# the long side. SIFT's own errors are near 5 degrees and a sixth of an octave.
MOST_TURN: Final = 25 / 360
MOST_OCTAVES: Final = 0.6
MOST_OFF: Final = 0.25
MOST_OFF_FIXED: Final = 1 / 64
# Features closer than this share of the long side are one place.
PLACE: Final = 1 / 128
# Of a pair of pictures, this many alike features are looked at, the most alike: patterns have tens of thousands.
PAIRED: Final = 200

# Features compared in one go, bounded for the sake of memory.
SCANNED: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two pictures by number, `first` < `second`, and how many features speak for them."""

    first: int
    second: int
    votes: int


@dataclass(frozen=True, slots=True)
class _Alike:
    """Features of the index alike to those of one picture: positions in its records, and copies of the others."""

    query: NDArray[np.int64]
    points: Keypoints
    owner: NDArray[np.int64]
    distance: NDArray[np.int64]

    def __getitem__(self, chosen: Any) -> "_Alike":
        return _Alike(self.query[chosen], self.points[chosen], self.owner[chosen], self.distance[chosen])

    @classmethod
    def together(cls, parts: Sequence["_Alike"]) -> "_Alike":
        columns = ([getattr(part, name) for part in parts] for name in ("query", "points", "owner", "distance"))
        return cls(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True, slots=True)
class _Segment:
    """Features in the order of their keys: `points` of RECORD (n,), `owner` uint32 (n,); those of key k begin at
    `starts[k]`."""

    points: Keypoints
    owner: NDArray[np.uint32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, points: Keypoints, owner: NDArray[np.uint32]) -> "_Segment":
        keys = _keys(points["code"])
        order = np.argsort(keys, kind="stable")
        return cls(points[order], owner[order], np.searchsorted(keys[order], np.arange(2**KEY_BITS + 1)))

    def alike(self, codes: NDArray[np.uint64], before: int) -> list[_Alike]:
        """The features, of pictures before one, that are alike to codes (n, 2); in pieces."""
        keys = _keys(codes)[:, None] ^ PROBES
        low, high = self.starts[keys], self.starts[keys + 1]
        pieces = np.cumsum((high - low).sum(axis=1)) // SCANNED
        found = []
        for piece in np.unique(pieces):
            part = np.flatnonzero(pieces == piece)
            row, place = _ranges(low[part], high[part])
            query = part[row]
            # One word first: hardly any are near in half their bits already.
            near = np.bitwise_count(codes[query, 0] ^ self.points["code"][place, 0]) <= NEAR_BITS
            query, place = query[near], place[near]
            distance = np.bitwise_count(codes[query] ^ self.points["code"][place]).sum(axis=1, dtype=np.int64)
            near = (distance <= NEAR_BITS) & (self.owner[place] < before)
            query, place = query[near], place[near]
            found.append(_Alike(query, self.points[place], self.owner[place].astype(np.int64), distance[near]))
        return found


class KeypointIndex:
    """The keypoints of pictures in memory: 28 bytes a feature, 4.2 KB a picture, twice that while it grows.

    Pictures are numbered from 0 in the order they were given, and keep their numbers when others are removed.
    """

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._weights = np.empty(0, np.uint64)
        self._present = np.empty(0, np.bool_)

    def __len__(self) -> int:
        return len(self._present)

    def extend(self, blobs: Sequence[bytes]) -> None:
        """Append pictures, each by what `describe` gave."""
        counts = [len(blob) // RECORD.itemsize for blob in blobs]
        points = keypoints(b"".join(blobs))
        owners = np.repeat(np.arange(len(self), len(self) + len(blobs), dtype=np.uint32), counts)
        weights = np.array([_weight(keypoints(blob)) for blob in blobs], np.uint64)
        self._weights = np.concatenate([self._weights, weights])
        self._present = np.concatenate([self._present, np.ones(len(blobs), np.bool_)])
        self._segments.append(_Segment.of(points, owners))
        # Few segments to ask, and each feature is sorted anew no more often than the whole doubles.
        while len(self._segments) > 1 and len(self._segments[-2].owner) < 2 * len(self._segments[-1].owner):
            last, before = self._segments.pop(), self._segments.pop()
            merged = np.concatenate([before.points, last.points])
            self._segments.append(_Segment.of(merged, np.concatenate([before.owner, last.owner])))

    def remove(self, numbers: Sequence[int]) -> None:
        """Let pictures be found no more. They keep their place in memory until the index is made anew."""
        self._present[list(numbers)] = False

    def add(self, blobs: Sequence[bytes], *, most: int = MOST) -> list[Proposal]:
        """Append pictures and give what each makes with those before it, at most `most` for each, the surest first."""
        start = len(self)
        self.extend(blobs)
        found: list[Proposal] = []
        for number, blob in enumerate(blobs, start):
            found += [Proposal(first, number, votes) for first, votes in self._near(blob, number, most)]
        return found

    def near(self, blob: bytes, *, most: int = MOST) -> list[tuple[int, int]]:
        """The pictures that are proposed with one that is not in the index, and the votes; the surest first."""
        return self._near(blob, len(self), most)

    def _near(self, blob: bytes, before: int, most: int) -> list[tuple[int, int]]:
        points = keypoints(blob)
        weight = _weight(points)
        votes: dict[int, int] = {}
        for mirrored in (False, True):
            alike = self._alike(mirrored_codes(points) if mirrored else points["code"], before)
            for owner, some in _by_owner(alike):
                # The pair is looked at from one and the same side, whichever came first.
                if self._weights[owner] < weight:
                    count = _votes(some.points, points[some.query], some.distance, mirrored)
                else:
                    count = _votes(points[some.query], some.points, some.distance, mirrored)
                votes[owner] = max(count, votes.get(owner, 0))
        sure = [(owner, count) for owner, count in votes.items() if count >= VOTES]
        return sorted(sure, key=lambda found: (-found[1], found[0]))[:most]

    def _alike(self, codes: NDArray[np.uint64], before: int) -> _Alike:
        parts = [_Alike(np.empty(0, np.int64), np.empty(0, RECORD), np.empty(0, np.int64), np.empty(0, np.int64))]
        for segment in self._segments:
            parts += [_uncrowded(part[self._present[part.owner]]) for part in segment.alike(codes, before)]
        return _uncrowded(_Alike.together(parts))


def _keys(codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (codes[:, 0] >> np.uint64(64 - KEY_BITS)).astype(np.int64)


def _weight(points: Keypoints) -> np.uint64:
    """Tells two pictures apart, to have them in one order; of no meaning."""
    total: np.uint64 = points["code"].sum(dtype=np.uint64)
    return total


def _ranges(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All numbers from low to high, (n, m) each, one after the other, with the row of each."""
    counts = (high - low).ravel()
    ends = np.cumsum(counts)
    rows = np.repeat(np.arange(len(low)), (high - low).sum(axis=1))
    return rows, np.arange(counts.sum()) + np.repeat(low.ravel() - ends + counts, counts)


def _uncrowded(alike: _Alike) -> _Alike:
    """Of each feature of the query the nearest CROWD, of equally near ones those that came first."""
    if len(alike.query) <= CROWD or np.bincount(alike.query).max() <= CROWD:
        return alike
    order = np.lexsort((alike.points["y"], alike.points["x"], alike.owner, alike.distance, alike.query))
    query = alike.query[order]
    return alike[order[np.arange(len(order)) - np.searchsorted(query, query) < CROWD]]


def _by_owner(alike: _Alike) -> list[tuple[int, _Alike]]:
    """What is alike in each picture that may have enough of it: VOTES different features of the query."""
    order = np.lexsort((alike.query, alike.owner))
    owner, query = alike.owner[order], alike.query[order]
    first = np.ones(len(owner), np.bool_)
    first[1:] = (owner[1:] != owner[:-1]) | (query[1:] != query[:-1])
    owners, starts, counts = np.unique(owner, return_index=True, return_counts=True)
    different = np.add.reduceat(first, starts, dtype=np.int64) if len(owners) else counts
    enough = different >= VOTES
    return [
        (int(number), alike[order[start : start + count]])
        for number, start, count in zip(owners[enough], starts[enough], counts[enough], strict=True)
    ]


def _votes(first: Keypoints, second: Keypoints, distance: NDArray[np.int64], mirrored: bool) -> int:
    """Of alike features (n,), each of the first with one of the second, the most that agree on one similarity, counted
    by their different places in the picture where there are fewer of those."""
    order = np.lexsort((*(side[name] for side in (second, first) for name in ("angle", "size", "y", "x")), distance))
    order = order[:PAIRED]
    first, second = first[order], second[order]
    turn = (second["angle"].astype(np.float64) - _angles(first, mirrored)) / FULL
    octaves = (second["size"].astype(np.float64) - first["size"]) / OCTAVE
    one, other = _places(first, mirrored), _places(second, mirrored=False)
    # By complex numbers: a turn and a scale are one factor. Hypothesis i (rows) lays point j (columns) somewhere.
    factor = np.exp2(octaves) * np.exp(2j * np.pi * turn)
    apart_one, apart_other = one[None] - one[:, None], other[None] - other[:, None]
    # In a measure between that of the one and the other, so that neither side is preferred.
    off = np.abs(factor[:, None] * apart_one - apart_other) / np.exp2(octaves / 2)[:, None]
    allowed = MOST_OFF_FIXED + MOST_OFF * np.sqrt(np.abs(apart_one) * np.abs(apart_other))
    turned = np.abs((turn[None] - turn[:, None] + 0.5) % 1 - 0.5)
    agree = (off <= allowed) & (turned <= MOST_TURN) & (np.abs(octaves[None] - octaves[:, None]) <= MOST_OCTAVES)
    best = agree[agree.sum(axis=1).argmax()]
    return min(_count_places(one[best]), _count_places(other[best]))


def _angles(points: Keypoints, mirrored: bool) -> NDArray[np.float64]:
    angles: NDArray[np.float64] = points["angle"].astype(np.float64)
    return HALF_TURN - angles if mirrored else angles


def _places(points: Keypoints, mirrored: bool) -> NDArray[np.complex128]:
    x, y = points["x"].astype(np.float64) / FULL, points["y"].astype(np.float64) / FULL
    return (-x if mirrored else x) + 1j * y


def _count_places(places: NDArray[np.complex128]) -> int:
    cells = np.floor(places.real / PLACE) + 1j * np.floor(places.imag / PLACE)
    return len(np.unique(cells))
