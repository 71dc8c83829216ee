"""Pairs that were proposed and not judged: out of reach for now, or being judged when something ended that.

A pair below a detection's watermark is proposed to it no more, so that what could not be looked at is kept here until
it can. Attempts are counted whatever detection they are for: what a worker or the service dies of is paid for a few
times and no more. As with files (see suspects), pairs are written down before they are judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from peewee import SqliteDatabase

from index.model import RootState, Turn

# Judging alone that failed so often, or that the service did not survive, is not tried again by this verifier.
FAILURES: Final = 3


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


# Attempts


def begin(database: SqliteDatabase, verifier: str, pairs: Iterable[tuple[int, int]]) -> None:
    """Write down that these pairs are about to be judged."""
    for a_id, b_id in pairs:
        database.execute_sql(
            "INSERT INTO attempt (a_id, b_id, verifier, being_judged, failures) VALUES (?, ?, ?, 1, 0)"
            " ON CONFLICT (a_id, b_id, verifier) DO UPDATE SET being_judged = 1",
            (a_id, b_id, verifier),
        )


def end(
    database: SqliteDatabase,
    verifier: str,
    pairs: Iterable[tuple[int, int]],
    judged: Iterable[tuple[int, int]],
    failed: Iterable[tuple[int, int]],
) -> None:
    """These pairs are judged no longer: nothing is held against those that were, one thing more against those with
    which it failed, and what was before against the others."""
    rows = [(*pair, verifier) for pair in pairs]
    one = "WHERE a_id = ? AND b_id = ? AND verifier = ?"
    for pair in failed:
        database.execute_sql(f"UPDATE attempt SET failures = failures + 1 {one}", (*pair, verifier))
    for pair in judged:
        database.execute_sql(f"DELETE FROM attempt {one}", (*pair, verifier))
    for row in rows:
        database.execute_sql(f"UPDATE attempt SET being_judged = 0 {one}", row)
    database.execute_sql("DELETE FROM attempt WHERE NOT being_judged AND failures = 0")


def note_crash(database: SqliteDatabase) -> int:
    """At a start: pairs that were being judged when the service ended have one more failure; how many they are."""
    changed = "UPDATE attempt SET being_judged = 0, failures = failures + 1 WHERE being_judged"
    return int(database.execute_sql(changed).rowcount)


def failures(database: SqliteDatabase, verifier: str) -> dict[tuple[int, int], int]:
    """How often judging failed, of the pairs with which it did."""
    rows = database.execute_sql(
        "SELECT a_id, b_id, failures FROM attempt WHERE verifier = ? AND failures > 0", (verifier,)
    )
    return {(a_id, b_id): count for a_id, b_id, count in rows}


# What is left for later


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
