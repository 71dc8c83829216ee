"""Pairs that were proposed and not judged: out of reach for now, or being judged when something ended that.

A pair below a detection's watermark is proposed to it no more, so that what could not be looked at is kept here until
it can.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.model import RootState, Turn


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair of contents that is proposed, a < b; the turn, applied to a, gives b, and is None where features alone
    proposed the pair. `by_part`: one is like a part of the other."""

    a_id: int
    b_id: int
    distance: int
    turn: Turn | None
    by_part: bool = False

    @property
    def pair(self) -> tuple[int, int]:
        return self.a_id, self.b_id


def leave(database: SqliteDatabase, detection_id: int, candidates: Iterable[Candidate]) -> None:
    """Keep pairs for when they can be looked at."""
    for one in candidates:
        database.execute_sql(
            "INSERT OR REPLACE INTO unjudged (detection_id, a_id, b_id, distance, turn, by_part)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (detection_id, one.a_id, one.b_id, one.distance, None if one.turn is None else str(one.turn), one.by_part),
        )


def take_back(database: SqliteDatabase, detection_id: int, candidates: Sequence[Candidate]) -> None:
    """These were looked at."""
    for one in candidates:
        database.execute_sql(
            "DELETE FROM unjudged WHERE detection_id = ? AND a_id = ? AND b_id = ?", (detection_id, *one.pair)
        )


def within_reach(database: SqliteDatabase, detection_id: int) -> list[Candidate]:
    """The pairs that were left for later and of which both pictures have a file that can be read now."""
    online = (
        "EXISTS (SELECT 1 FROM image JOIN root ON root.id = image.root_id"
        " WHERE image.content_id = unjudged.{} AND root.watched AND root.state = ?)"
    )
    rows = database.execute_sql(
        "SELECT a_id, b_id, distance, turn, by_part FROM unjudged WHERE detection_id = ?"
        f" AND {online.format('a_id')} AND {online.format('b_id')} ORDER BY a_id, b_id",
        (detection_id, str(RootState.ONLINE), str(RootState.ONLINE)),
    )
    return [
        Candidate(a_id, b_id, distance, None if turn is None else Turn(turn), bool(by_part))
        for a_id, b_id, distance, turn, by_part in rows
    ]
