"""Work on contents by which the whole service may end: written down before it is begun, counted where it fails.

What the service dies of leaves nobody to tell which picture it was, but the next start finds what was under way (as
with files that are read, see suspects). An attempt is at one `work`, whose name changes with what does it: the judging
of a pair by a version of the verifier, or something done with a single content, which is kept as a pair with itself.
"""

from collections.abc import Iterable
from typing import Final

from peewee import SqliteDatabase

# Work done alone that failed so often, or that the service did not survive, is not tried again.
FAILURES: Final = 3
# What a worker died of, or was killed for: perhaps by chance.
LOSSES: Final = frozenset({"crashed", "timed_out", "out_of_memory"})

Pair = tuple[int, int]


def begin(database: SqliteDatabase, work: str, pairs: Iterable[Pair]) -> None:
    """Write down that these are about to be worked on."""
    for a_id, b_id in pairs:
        database.execute_sql(
            "INSERT INTO attempt (a_id, b_id, verifier, being_judged, failures) VALUES (?, ?, ?, 1, 0)"
            " ON CONFLICT (a_id, b_id, verifier) DO UPDATE SET being_judged = 1",
            (a_id, b_id, work),
        )


def end(
    database: SqliteDatabase, work: str, pairs: Iterable[Pair], done: Iterable[Pair], failed: Iterable[Pair]
) -> None:
    """These are worked on no longer: nothing is held against those that were done, one thing more against those with
    which it failed, and what was before against the others."""
    rows = [(*pair, work) for pair in pairs]
    one = "WHERE a_id = ? AND b_id = ? AND verifier = ?"
    for pair in failed:
        database.execute_sql(f"UPDATE attempt SET failures = failures + 1 {one}", (*pair, work))
    for pair in done:
        database.execute_sql(f"DELETE FROM attempt {one}", (*pair, work))
    for row in rows:
        database.execute_sql(f"UPDATE attempt SET being_judged = 0 {one}", row)
    database.execute_sql("DELETE FROM attempt WHERE NOT being_judged AND failures = 0")


def note_crash(database: SqliteDatabase) -> int:
    """At a start: what was being worked on when the service ended has one more failure; how many that is."""
    changed = "UPDATE attempt SET being_judged = 0, failures = failures + 1 WHERE being_judged"
    return int(database.execute_sql(changed).rowcount)


def failures(database: SqliteDatabase, work: str) -> dict[Pair, int]:
    """How often the work failed, of those with which it did."""
    rows = database.execute_sql(
        "SELECT a_id, b_id, failures FROM attempt WHERE verifier = ? AND failures > 0", (work,)
    )
    return {(a_id, b_id): count for a_id, b_id, count in rows}
