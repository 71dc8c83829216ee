"""Runs of decisions: those that one rule, or one request about many groups, has made. They are revoked together.

The decisions are made in portions, each in its own transaction, so that no other change waits for all of them. Every
portion decides whole groups, and leaves each with an image that stays. A run is finished with its last portion. An
unfinished run is in no list and is rolled back as a whole: then the decisions of earlier rules that it replaced are
restored.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from peewee import SqliteDatabase

from index.database.records import decisions, named_rules
from index.database.records.decisions import AWAY
from index.database.records.images import chunks
from index.database.schema import Decision, RuleRun
from index.errors import NotFound
from index.model import Choice

# The number of decisions of a run that one transaction revokes.
ROLLED_BACK_AT_ONCE: Final = 2000
_COLUMNS = "choice, destination, origin, criterion, order_id, digest, decided_ns"
# image_id, choice, destination, origin, criterion, order_id, digest, decided_ns
DecisionRow = tuple[int, Choice, str, str, str, int, bytes, int]


@dataclass(frozen=True, slots=True)
class RuleRunSummary:
    """One application of a rule: what it decided, and how many of its decisions are still pending."""

    id: int
    rule: str
    created_ns: int
    groups: int
    images: int
    bytes: int
    pending: int


def start(database: SqliteDatabase, described: Mapping[str, Any], now_ns: int, job_id: int | None = None) -> int:
    """Start a run, of a job or within one request, with the description of its rule. Returns its id."""
    text = json.dumps(described, sort_keys=True)
    row = RuleRun.insert(rule=text, created_ns=now_ns, groups=0, images=0, bytes=0, job_id=job_id, finished=False)
    return int(row.execute(database))


def replace_earlier(database: SqliteDatabase, run_id: int, image_ids: Iterable[int]) -> None:
    """Clear the decisions of earlier rules on these images, and keep them until the run is finished. An earlier portion
    of this run may have decided a group that shares images with these."""
    for chunk in chunks(image_ids):
        where = f"order_id IS NOT ? AND origin = 'rule' AND image_id IN ({','.join('?' * len(chunk))})"
        kept = database.execute_sql(
            f"INSERT OR IGNORE INTO replaced_decision (run_id, image_id, {_COLUMNS})"
            f" SELECT ?, image_id, {_COLUMNS} FROM decision WHERE {where}",
            (run_id, run_id, *chunk),
        ).rowcount
        if kept:
            database.execute_sql(f"DELETE FROM decision WHERE {where}", (run_id, *chunk))


def store(database: SqliteDatabase, run_id: int, rows: Sequence[DecisionRow], touched: Iterable[int]) -> set[int]:
    """Store decisions of a run. They decide whole groups, whose images are `touched`.

    If groups share images, the keeper of one may be decided to go in another. If that leaves a group without a keeper,
    the decisions of the run in that group are cleared. Returns these groups.
    """
    database.connection().executemany(
        "INSERT OR REPLACE INTO decision"
        " (image_id, choice, destination, origin, criterion, order_id, digest, decided_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    groups = decisions.groups_of_images(database, touched)
    bare = decisions.without_keeper(database, groups)
    if bare:
        decisions.clear(database, _images_of_run_in(database, run_id, bare))
        groups |= bare
    decisions.record_keepers(database, groups, [row[0] for row in rows])
    decisions.recount(database, groups)
    return bare


def finish(database: SqliteDatabase, run_id: int, groups: int) -> tuple[int, int]:
    """Finish a run, and store how much it decided. Returns the number of images that do not stay, and their bytes."""
    database.execute_sql("DELETE FROM replaced_decision WHERE run_id = ?", (run_id,))
    images, size = database.execute_sql(
        "SELECT count(*), coalesce(sum(i.size_bytes), 0) FROM decision d JOIN image i ON i.id = d.image_id"
        f" WHERE d.order_id = ? AND d.choice IN ({','.join('?' * len(AWAY))})",
        (run_id, *AWAY),
    ).fetchone()
    changes = {"groups": groups, "images": images, "bytes": size, "finished": True}
    RuleRun.update(**changes).where(RuleRun.id == run_id).execute(database)
    return images, size


def unfinished(database: SqliteDatabase, job_id: int | None = None) -> list[int]:
    """The runs of a job that a crash interrupted. Without a job, all interrupted runs except those that a waiting job
    will repeat. Call it at start-up, while nothing is deciding."""
    mine = (
        "o.job_id = ?"
        if job_id is not None
        else (
            "NOT EXISTS (SELECT 1 FROM job j WHERE j.id = o.job_id AND j.state IN ('queued', 'running')"
            " AND NOT j.cancel_requested)"
        )
    )
    values = () if job_id is None else (job_id,)
    rows = database.execute_sql(f"SELECT o.id FROM rule_order o WHERE NOT o.finished AND {mine} ORDER BY o.id", values)
    return [row[0] for row in rows.fetchall()]


def roll_back(write: Callable[[Callable[[SqliteDatabase], Any]], Any], run_id: int) -> None:
    """Undo an unfinished run as a whole, in portions. After a crash in between, the run is still unfinished. `write`
    runs one transaction (Store.write)."""
    while write(lambda db: _roll_back_some(db, run_id)):
        pass


def _roll_back_some(database: SqliteDatabase, run_id: int) -> bool:
    """Revoke a portion of a run, or delete the run if nothing is left. Returns whether there may be more."""
    question = "SELECT image_id FROM {} WHERE {} = ? LIMIT ?"
    made = database.execute_sql(question.format("decision", "order_id"), (run_id, ROLLED_BACK_AT_ONCE)).fetchall()
    if made:
        image_ids = [row[0] for row in made]
        decisions.clear(database, image_ids)
        decisions.recount(database, decisions.groups_of_images(database, image_ids))
        return True
    replaced = database.execute_sql(question.format("replaced_decision", "run_id"), (run_id, ROLLED_BACK_AT_ONCE))
    image_ids = [row[0] for row in replaced.fetchall()]
    if not image_ids:
        RuleRun.delete().where(RuleRun.id == run_id).execute(database)
        return False
    for chunk in chunks(image_ids):
        marks = ",".join("?" * len(chunk))
        # A person's later decision stays.
        database.execute_sql(
            f"INSERT OR IGNORE INTO decision (image_id, {_COLUMNS}) SELECT image_id, {_COLUMNS}"
            f" FROM replaced_decision WHERE run_id = ? AND image_id IN ({marks})",
            (run_id, *chunk),
        )
        database.execute_sql(
            f"DELETE FROM replaced_decision WHERE run_id = ? AND image_id IN ({marks})", (run_id, *chunk)
        )
    decisions.clear_without_keeper(database, image_ids)
    return True


def page(database: SqliteDatabase, before_id: int | None, limit: int) -> tuple[list[RuleRunSummary], int]:
    """The finished rule runs with ids below `before_id`, newest first, and the total number of runs."""
    rows = database.execute_sql(
        "SELECT o.id, o.rule, o.created_ns, o.groups, o.images, o.bytes,"
        f" (SELECT count(*) FROM decision d WHERE d.order_id = o.id AND d.choice != '{Choice.KEEP}')"
        " FROM rule_order o WHERE o.finished AND o.id < ? ORDER BY o.id DESC LIMIT ?",
        (2**62 if before_id is None else before_id, limit),
    )
    return [RuleRunSummary(*row) for row in rows], RuleRun.select().where(RuleRun.finished).count(database)


def revoke(write: Callable[[Callable[[SqliteDatabase], Any]], Any], order_id: int) -> int:
    """Delete a finished rule run and those of its decisions that were not carried out, in portions. If a named rule
    made them after a detection, it no longer runs automatically. Returns the number of these decisions. Raises
    NotFound."""
    decided: int = write(lambda db: _begin_revoking(db, order_id))
    roll_back(write, order_id)
    return decided


def _begin_revoking(database: SqliteDatabase, order_id: int) -> int:
    """Mark a finished run as one to be rolled back. Returns the number of its decisions. Raises NotFound."""
    run = RuleRun.select().where(RuleRun.id == order_id, RuleRun.finished).execute(database)
    described = [json.loads(row.rule) for row in run]
    if not described:
        raise NotFound("rule_run.unknown", order=order_id)
    if name := described[0].get("name"):
        named_rules.stop_running(database, name)
    RuleRun.update(finished=False, job_id=None).where(RuleRun.id == order_id).execute(database)
    return Decision.select().where(Decision.order == order_id).count(database)


def drop_empty(database: SqliteDatabase, run_id: int) -> None:
    """Delete a run that decided nothing."""
    RuleRun.delete().where(RuleRun.id == run_id).execute(database)


def _images_of_run_in(database: SqliteDatabase, run_id: int, group_ids: Iterable[int]) -> list[int]:
    image_ids: list[int] = []
    for chunk in chunks(group_ids):
        rows = database.execute_sql(
            "SELECT d.image_id FROM decision d JOIN image i ON i.id = d.image_id"
            f" JOIN member m ON m.content_id = i.content_id WHERE d.order_id = ?"
            f" AND m.group_id IN ({','.join('?' * len(chunk))})",
            (run_id, *chunk),
        )
        image_ids += [row[0] for row in rows]
    return image_ids
