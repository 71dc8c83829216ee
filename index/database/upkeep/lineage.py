"""Recognises an index that was put back from a copy, however and by whomever, and ends what it holds as unfinished.

An index has a random id and a counter, which triggers raise with everything that changes files (migration 0013), and
each start and stop where that is unfinished. After each commit that raised it both are written to a file beside the
index (index.upkeep.witness). An index that is behind that file, or that the file is not of, is not the one that was
last in use. Manifests of trashes hold the counter too (daemon.jobs.put_back): where a file system was rolled back, they
are the only witnesses.

A crash is none of this: the counter is committed first and written to the file afterwards. Behind is only a copy.
"""

import contextlib
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final

from index.upkeep.unfinished import Ended, end_unfinished, is_unfinished, skip_missed_runs
from index.upkeep.witness import FILE, Mark, Witness, is_in_its_place, record_beside

QUESTION: Final = "SELECT index_id, counter FROM lineage"


class Doubt(StrEnum):
    """Why an index may not be the one that was last in use."""

    COPY = "it is a copy that ComparImg made"
    BEHIND = "it is older than the last one in use"
    OTHER = "another index was in use here"
    ABSENT = f"there is no whole {FILE} beside it, as after an upgrade from an earlier version"
    MOVED = "it, or its folder, was copied or put back since it was in use"
    MANIFESTS = "the manifests of the trashes are ahead of it"


# These are certain. The others occur otherwise too, and are reported only where something was ended.
CERTAIN: Final = frozenset({Doubt.COPY, Doubt.BEHIND, Doubt.OTHER, Doubt.MANIFESTS})


def admit(
    index: Path, database: sqlite3.Connection, *, is_new: bool, was_restored: bool, now_ns: int
) -> tuple[str, Witness | None]:
    """Before an index is used: end what is unfinished in one that was put back.

    `is_new`: it was made a moment ago; `was_restored`: by index.upkeep.recovery, which said so. Gives what was noticed
    and done in words, "" where nothing is to be said, and what is to be told of the counter from now on; None where an
    index has none. `database` is in no transaction. Raises sqlite3.Error and OSError.
    """
    mark = read(database)
    if mark is None:
        return "", None
    database.execute("BEGIN IMMEDIATE")
    try:
        record = record_beside(index)
        doubt = None if is_new else _doubt(database, mark, index)
        if doubt is None:
            count_if_unfinished(database)
            words = ""
        else:
            words = renew(database, index, doubt, 0 if record is None else record.counter, now_ns, not was_restored)
        mark = read(database)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    assert mark is not None
    witness = Witness(index, None if is_new or doubt is not None else record)
    witness.keep(mark)
    return words, witness


def renew(
    database: sqlite3.Connection, index: Path, doubt: Doubt, counter: int, now_ns: int, is_news: bool = True
) -> str:
    """End in an index that was put back everything unfinished that changes files, and make it another index: with a new
    id, and a counter beyond `counter`, the highest that was seen. What was done in words, "" where that is no news.

    In a transaction, which the caller commits.
    """
    ended = end_unfinished(database, now_ns)
    skip_missed_runs(database, now_ns)
    database.execute(
        "UPDATE lineage SET index_id = lower(hex(randomblob(16))), counter = max(counter, ?) + 1, is_copy = 0",
        (counter,),
    )
    if not is_news or (doubt not in CERTAIN and not ended):
        return ""
    words = f"The index {index} is not the one that was last in use: {doubt}. {_told(doubt, ended)}"
    database.execute("UPDATE lineage SET put_back_ns = ?, put_back = ?", (now_ns, words))
    return words


def read(database: sqlite3.Connection) -> Mark | None:
    """The mark of an index, None in one that has no such table yet."""
    try:
        row = database.execute(QUESTION).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return None if row is None else Mark(*row)


def count_if_unfinished(database: sqlite3.Connection) -> None:
    """Raise the counter where something would go on: a copy that was made before is not to go on as well."""
    if is_unfinished(database):
        database.execute("UPDATE lineage SET counter = counter + 1")


def put_back(database: sqlite3.Connection) -> tuple[int, str] | None:
    """When it was last noticed that this index had been put back, and what was said; None where it never was."""
    with contextlib.suppress(sqlite3.OperationalError):
        row = database.execute("SELECT put_back_ns, put_back FROM lineage").fetchone()
        if row is not None and row[0] is not None:
            return row[0], row[1]
    return None


def _doubt(database: sqlite3.Connection, mark: Mark, index: Path) -> Doubt | None:
    (is_copy,) = database.execute("SELECT is_copy FROM lineage").fetchone()
    if is_copy:
        return Doubt.COPY
    record = record_beside(index)
    if record is None:
        return Doubt.ABSENT
    if record.index_id != mark.index_id:
        return Doubt.OTHER
    if mark.counter < record.counter:
        return Doubt.BEHIND
    return None if is_in_its_place(index, record) else Doubt.MOVED


def _told(doubt: Doubt, ended: Ended) -> str:
    if not ended and doubt is Doubt.COPY:
        return "What was unfinished when it was made was ended in it. Start those jobs again if they are still wanted."
    if not ended:
        return "Nothing that changes files was unfinished in it."
    parts = [
        f"{number} {one if number == 1 else several}"
        for number, one, several in (
            (ended.jobs, "job", "jobs"), (ended.batches, "batch", "batches"), (ended.steps, "step", "steps"),
        )
        if number
    ]  # fmt: skip
    return (
        f"What was unfinished in it has been ended ({', '.join(parts)}): nothing that changes files is resumed from a"
        " copy. Start the jobs again if they are still wanted."
    )
