"""Candidate pairs that are assumed to match until a group depends on one of them; records.regrouping determines which.

The 32 copies of one picture give 496 candidate pairs. Their group results from 31 of them, those with its reference,
and at most 59 more. The others are stored here, in case one of those is removed or denied.
"""

from collections.abc import Collection, Iterable

from peewee import SqliteDatabase

from index.database.records.deferred_pairs import CandidatePair
from index.database.records.images import chunks
from index.model import Turn

COLUMNS = "a_id, b_id, distance, turn, by_part, cosine"


def add(database: SqliteDatabase, detection_id: int, candidates: Iterable[CandidatePair]) -> set[int]:
    """Store pairs, all of which have a turn. Returns their contents."""
    rows = []
    for candidate in candidates:
        assert candidate.turn is not None
        turn, by_part = str(candidate.turn), candidate.by_part
        rows.append((detection_id, *candidate.pair, candidate.distance, turn, by_part, candidate.cosine))
    database.connection().executemany(
        f"INSERT OR REPLACE INTO assumed (detection_id, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
    )
    return {content_id for row in rows for content_id in row[1:3]}


def among(database: SqliteDatabase, detection_id: int, content_ids: Collection[int]) -> list[CandidatePair]:
    """The pairs whose contents are both among these."""
    wanted = set(content_ids)
    found = []
    for chunk in chunks(wanted):
        found += [
            CandidatePair(a_id, b_id, distance, Turn(turn), bool(by_part), cosine)
            for a_id, b_id, distance, turn, by_part, cosine in database.execute_sql(
                f"SELECT {COLUMNS} FROM assumed WHERE detection_id = ? AND a_id IN ({','.join('?' * len(chunk))})",
                (detection_id, *chunk),
            )
            if b_id in wanted
        ]
    return found


def remove(database: SqliteDatabase, detection_id: int, candidates: Iterable[CandidatePair]) -> None:
    """Remove pairs that were verified or deferred."""
    database.connection().executemany(
        "DELETE FROM assumed WHERE detection_id = ? AND a_id = ? AND b_id = ?",
        [(detection_id, *candidate.pair) for candidate in candidates],
    )
