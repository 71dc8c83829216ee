"""Ends the unfinished work of an index: in each backup, and in an index that was put back from a copy.

The index does not record what happened to the files after the copy was made, so nothing is inferred from it. A step
that was in progress is ended like one that was not started.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from index.errors import ComparImgError
from index.messages import Message, to_json
from index.model import JobKind

# All other kinds may change files, including kinds of other versions.
CHANGING_NO_FILES: Final = (JobKind.SCAN, JobKind.DETECT)
REASON: Final = "index_restored"
JOB: Final = ComparImgError("job.unfinished_at_copy").advice
STARTED: Final = Message("step.under_way_at_copy")
PLANNED: Final = Message("step.planned_at_copy")


@dataclass(frozen=True, slots=True)
class Ended:
    """The number of jobs, batches and steps that were ended."""

    jobs: int = 0
    batches: int = 0
    steps: int = 0

    def __bool__(self) -> bool:
        return bool(self.jobs or self.batches or self.steps)


def is_unfinished(database: sqlite3.Connection) -> bool:
    """Whether an index of this version has unfinished work that changes files."""
    kinds = ", ".join("?" * len(CHANGING_NO_FILES))
    rows = database.execute(
        f"SELECT 1 FROM job WHERE state IN ('queued', 'running') AND kind NOT IN ({kinds})"
        " UNION SELECT 1 FROM batch WHERE state = 'running'",
        CHANGING_NO_FILES,
    )
    return rows.fetchone() is not None


def end_unfinished(database: sqlite3.Connection, now_ns: int, but: Sequence[JobKind] = CHANGING_NO_FILES) -> Ended:
    """End all queued and running jobs, except those of the kinds `but`, and all unfinished batches and steps.

    Works on the tables of every version. `database` is in a transaction, which the caller commits.
    """
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def change(table: str, statement: str, *values: object) -> int:
        return database.execute(statement, values).rowcount if table in tables else 0

    jobs = change(
        "job",
        "UPDATE job SET state = 'cancelled', finished_ns = ?, phase = '', error = ?"
        f" WHERE state IN ('queued', 'running') AND kind NOT IN ({', '.join('?' * len(but))})",
        now_ns, to_json(JOB), *but,
    )  # fmt: skip
    # The steps of a plan (a dry run) stay as they are: they are never performed.
    steps = sum(
        change(
            "step",
            "UPDATE step SET state = 'cancelled', reason = ?, message = ? WHERE state = ?"
            " AND batch_id NOT IN (SELECT id FROM batch WHERE state = 'plan')",
            REASON, to_json(message), state,
        )
        for state, message in (("doing", STARTED), ("planned", PLANNED))
    )  # fmt: skip
    batches = change("batch", "UPDATE batch SET state = 'cancelled', finished_ns = ? WHERE state = 'running'", now_ns)
    return Ended(jobs, batches, steps)


def end_in_copy(copy: sqlite3.Connection, now_ns: int) -> None:
    """End all unfinished work in a copy of an index, and mark it as a copy.

    `copy` is in a transaction, which the caller commits.
    """
    tables = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'lineage'").fetchone()
    counter = copy.execute("SELECT counter FROM lineage").fetchone() if tables[0] else None
    end_unfinished(copy, now_ns, but=())
    if counter is not None:
        # The triggers have raised the counter, although no file was changed.
        copy.execute("UPDATE lineage SET counter = ?, is_copy = 1", counter)


def skip_missed_runs(database: sqlite3.Connection, now_ns: int) -> None:
    """Let schedules of jobs that change files continue from now. Runs missed since the copy was made are skipped."""
    kinds = ", ".join("?" * len(CHANGING_NO_FILES))
    database.execute(
        f"UPDATE schedule SET last_run_ns = ? WHERE last_run_ns < ? AND kind NOT IN ({kinds})",
        (now_ns, now_ns, *CHANGING_NO_FILES),
    )
