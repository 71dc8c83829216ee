"""Ends what an index holds as unfinished, in a copy of it and in an index that was put back from a copy.

What became of the files since the copy was made is not in the index, so nothing is inferred from it: a step that was
under way is ended like one that was not begun.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from index.model import JobKind

# Whatever else there is, also kinds of other versions, may change files.
CHANGING_NO_FILES: Final = (JobKind.SCAN, JobKind.DETECT)
REASON: Final = "index_restored"
JOB: Final = (
    "An earlier copy of the index was put back in which this job was unfinished, so it was ended. Start it again if it"
    " is still wanted."
)
BEGUN: Final = (
    "An earlier copy of the index was put back in which this step was under way, so whether it was done is not known."
)
PLANNED: Final = "An earlier copy of the index was put back before this step was begun."


@dataclass(frozen=True, slots=True)
class Ended:
    """How many jobs, batches and steps were ended."""

    jobs: int = 0
    batches: int = 0
    steps: int = 0

    def __bool__(self) -> bool:
        return bool(self.jobs or self.batches or self.steps)


def is_unfinished(database: sqlite3.Connection) -> bool:
    """Whether an index of this version holds anything that would go on and changes files."""
    kinds = ", ".join("?" * len(CHANGING_NO_FILES))
    found = database.execute(
        f"SELECT 1 FROM job WHERE state IN ('queued', 'running') AND kind NOT IN ({kinds})"
        " UNION SELECT 1 FROM batch WHERE state = 'running'",
        CHANGING_NO_FILES,
    )
    return found.fetchone() is not None


def end_unfinished(database: sqlite3.Connection, now_ns: int, but: Sequence[JobKind] = CHANGING_NO_FILES) -> Ended:
    """End jobs that wait or run, those of the kinds `but` apart, and all batches and steps that are not over.

    Works on the tables of every version. `database` is in a transaction, which the caller commits.
    """
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def change(table: str, statement: str, *values: object) -> int:
        return database.execute(statement, values).rowcount if table in tables else 0

    jobs = change(
        "job",
        "UPDATE job SET state = 'cancelled', finished_ns = ?, phase = '', error = ?"
        f" WHERE state IN ('queued', 'running') AND kind NOT IN ({', '.join('?' * len(but))})",
        now_ns, JOB, *but,
    )  # fmt: skip
    # The steps of a plan, which is a dry run, stay as they are: they are never carried out.
    steps = sum(
        change(
            "step",
            "UPDATE step SET state = 'cancelled', reason = ?, message = ? WHERE state = ?"
            " AND batch_id NOT IN (SELECT id FROM batch WHERE state = 'plan')",
            REASON, message, state,
        )
        for state, message in (("doing", BEGUN), ("planned", PLANNED))
    )  # fmt: skip
    batches = change(
        "batch", "UPDATE batch SET state = 'cancelled', finished_ns = ? WHERE state = 'running'", now_ns
    )
    return Ended(jobs, batches, steps)


def end_in_copy(copy: sqlite3.Connection, now_ns: int) -> None:
    """End everything that is unfinished in a copy of an index, and have it say that it is a copy.

    `copy` is in a transaction, which the caller commits.
    """
    tables = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'lineage'").fetchone()
    counter = copy.execute("SELECT counter FROM lineage").fetchone() if tables[0] else None
    end_unfinished(copy, now_ns, but=())
    if counter is not None:
        # The triggers have raised it, and nothing has happened to files.
        copy.execute("UPDATE lineage SET counter = ?, is_copy = 1", counter)


def skip_missed_runs(database: sqlite3.Connection, now_ns: int) -> None:
    """Let schedules of jobs that change files go on from now: a run that was missed since the copy was made is not
    made up for."""
    kinds = ", ".join("?" * len(CHANGING_NO_FILES))
    database.execute(
        f"UPDATE schedule SET last_run_ns = ? WHERE last_run_ns < ? AND kind NOT IN ({kinds})",
        (now_ns, now_ns, *CHANGING_NO_FILES),
    )
