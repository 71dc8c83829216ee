"""Recognises an index that was replaced by an earlier copy, by whatever means, and ends its unfinished work.

An index has a random id and a counter. Triggers raise the counter with every change of files (migration 0013). It is
also raised at each start and stop while such work is unfinished. After each commit that raised it, both values are
written to a file next to the index (upkeep.lineage_files). If the counter of an index is behind that file, or its id
differs, it is not the index that was last in use. The manifests of the trashes have the counter too
(daemon.jobs.restored_index): if a whole file system was rolled back, they are the only evidence.

A crash does not look like this. The counter is committed first and written to the file afterwards, so only a copy can
be behind the file.
"""

import contextlib
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final

from index.database.upkeep.lineage_files import FILE, LineageFiles, LineageMark, is_original_place, read_record
from index.database.upkeep.unfinished import Ended, end_unfinished, is_unfinished, skip_missed_runs

MARK_QUERY: Final = "SELECT index_id, counter FROM lineage"


class Doubt(StrEnum):
    """Why an index may not be the one that was last in use. The value completes a sentence for people."""

    COPY = "it is a copy that ComparImg made"
    BEHIND = "it is older than the last one in use"
    OTHER = "another index was in use here"
    ABSENT = f"there is no whole {FILE} next to it, as after an upgrade from an earlier version"
    MOVED = "it, or its folder, was copied or put back since it was in use"
    MANIFESTS = "the manifests of the trashes are ahead of it"


# These are certain. The others may have harmless causes, and are reported only if something was ended.
CERTAIN: Final = frozenset({Doubt.COPY, Doubt.BEHIND, Doubt.OTHER, Doubt.MANIFESTS})


def check_on_open(
    index: Path, database: sqlite3.Connection, *, is_new: bool, was_restored: bool, now_ns: int
) -> tuple[str, LineageFiles | None]:
    """End all unfinished work of an index that was put back. Call it before an index is used.

    `is_new`: the index was just created. `was_restored`: upkeep.recovery restored it, and has reported that. Returns a
    message for people ("" if there is nothing to report), and the files to which the counter is written from now on
    (None for an index without a counter). `database` must not be in a transaction. Raises sqlite3.Error and OSError.
    """
    mark = read_mark(database)
    if mark is None:
        return "", None
    database.execute("BEGIN IMMEDIATE")
    try:
        record = read_record(index)
        doubt = None if is_new else _doubt(database, mark, index)
        if doubt is None:
            raise_if_unfinished(database)
            message = ""
        else:
            message = start_new_lineage(
                database, index, doubt, 0 if record is None else record.counter, now_ns, not was_restored
            )
        mark = read_mark(database)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    assert mark is not None
    files = LineageFiles(index, None if is_new or doubt is not None else record)
    files.write(mark)
    return message, files


def start_new_lineage(
    database: sqlite3.Connection, index: Path, doubt: Doubt, counter: int, now_ns: int, is_news: bool = True
) -> str:
    """End all unfinished work that changes files in an index that was put back. Give the index a new id, and a counter
    above `counter`, the highest one seen.

    Returns a message for people, "" if there is nothing to report. `database` is in a transaction, which the caller
    commits.
    """
    ended = end_unfinished(database, now_ns)
    skip_missed_runs(database, now_ns)
    database.execute(
        "UPDATE lineage SET index_id = lower(hex(randomblob(16))), counter = max(counter, ?) + 1, is_copy = 0",
        (counter,),
    )
    if not is_news or (doubt not in CERTAIN and not ended):
        return ""
    message = f"The index {index} is not the one that was last in use: {doubt}. {_message(doubt, ended)}"
    database.execute("UPDATE lineage SET put_back_ns = ?, put_back = ?", (now_ns, message))
    return message


def read_mark(database: sqlite3.Connection) -> LineageMark | None:
    """The id and counter of an index, None for an index of a version without them."""
    try:
        row = database.execute(MARK_QUERY).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return None if row is None else LineageMark(*row)


def raise_if_unfinished(database: sqlite3.Connection) -> None:
    """Raise the counter if there is unfinished work, so that a copy made earlier does not resume it as well."""
    if is_unfinished(database):
        database.execute("UPDATE lineage SET counter = counter + 1")


def last_put_back(database: sqlite3.Connection) -> tuple[int, str] | None:
    """When this index was last recognised as put back, and what was reported; None if it never was."""
    with contextlib.suppress(sqlite3.OperationalError):
        row = database.execute("SELECT put_back_ns, put_back FROM lineage").fetchone()
        if row is not None and row[0] is not None:
            return row[0], row[1]
    return None


def _doubt(database: sqlite3.Connection, mark: LineageMark, index: Path) -> Doubt | None:
    (is_copy,) = database.execute("SELECT is_copy FROM lineage").fetchone()
    if is_copy:
        return Doubt.COPY
    record = read_record(index)
    if record is None:
        return Doubt.ABSENT
    if record.index_id != mark.index_id:
        return Doubt.OTHER
    if mark.counter < record.counter:
        return Doubt.BEHIND
    return None if is_original_place(index, record) else Doubt.MOVED


def _message(doubt: Doubt, ended: Ended) -> str:
    if not ended and doubt is Doubt.COPY:
        return "What was unfinished when it was made was ended in it. Start those jobs again if they are still wanted."
    if not ended:
        return "Nothing that changes files was unfinished in it."
    parts = [
        f"{number} {singular if number == 1 else several}"
        for number, singular, several in (
            (ended.jobs, "job", "jobs"), (ended.batches, "batch", "batches"), (ended.steps, "step", "steps"),
        )
        if number
    ]  # fmt: skip
    return (
        f"What was unfinished in it has been ended ({', '.join(parts)}): nothing that changes files is resumed from a"
        " copy. Start the jobs again if they are still wanted."
    )
