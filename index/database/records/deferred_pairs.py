"""Candidate pairs that could not be verified yet: a file was offline, or the verification was interrupted.

Pairs below the watermark of a detection are not proposed again, so they are stored here until they can be verified.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.model import RootState, Turn


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """A candidate pair of contents, a < b. `turn`, applied to a, gives b; it is None if no hash proposed the pair.
    `by_part`: the pair was proposed because one picture is similar to a part of the other. `cosine` is that of their
    two vectors, or None if these are missing or were not compared. A pair without a turn but with a cosine was proposed
    by the model."""

    a_id: int
    b_id: int
    distance: int
    turn: Turn | None
    by_part: bool = False
    cosine: float | None = None

    @property
    def pair(self) -> tuple[int, int]:
        return self.a_id, self.b_id


def defer(database: SqliteDatabase, detection_id: int, candidates: Iterable[CandidatePair]) -> None:
    """Store pairs until they can be verified."""
    for candidate in candidates:
        database.execute_sql(
            "INSERT OR REPLACE INTO unjudged (detection_id, a_id, b_id, distance, turn, by_part, cosine)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                detection_id,
                candidate.a_id,
                candidate.b_id,
                candidate.distance,
                None if candidate.turn is None else str(candidate.turn),
                candidate.by_part,
                candidate.cosine,
            ),
        )


def mark_done(database: SqliteDatabase, detection_id: int, candidates: Sequence[CandidatePair]) -> None:
    """Remove pairs that were verified."""
    for candidate in candidates:
        database.execute_sql(
            "DELETE FROM unjudged WHERE detection_id = ? AND a_id = ? AND b_id = ?", (detection_id, *candidate.pair)
        )


def ready_pairs(database: SqliteDatabase, detection_id: int) -> list[CandidatePair]:
    """The deferred pairs whose contents both have a file that is online now."""
    online = (
        "EXISTS (SELECT 1 FROM image JOIN root ON root.id = image.root_id"
        " WHERE image.content_id = unjudged.{} AND root.watched AND root.state = ?)"
    )
    rows = database.execute_sql(
        "SELECT a_id, b_id, distance, turn, by_part, cosine FROM unjudged WHERE detection_id = ?"
        f" AND {online.format('a_id')} AND {online.format('b_id')} ORDER BY a_id, b_id",
        (detection_id, str(RootState.ONLINE), str(RootState.ONLINE)),
    )
    return [
        CandidatePair(a_id, b_id, distance, None if turn is None else Turn(turn), bool(by_part), cosine)
        for a_id, b_id, distance, turn, by_part, cosine in rows
    ]
