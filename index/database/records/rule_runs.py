"""Runs of decisions: those that one rule, or one request about many groups, has made, to be revoked together.

They are made in portions, each a change of its own, so that no other change waits for all of them. Every portion leaves
whole groups decided, and none without an image that stays; a run that ends early can be revoked as any other.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.database.records import decisions, named_rules
from index.database.records.decisions import AWAY
from index.database.records.images import chunks
from index.database.schema import Decision, RuleRun
from index.errors import NotFound
from index.model import Choice

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


def begin(database: SqliteDatabase, described: Mapping[str, Any], now_ns: int) -> int:
    """Start a run of what is described; its id."""
    text = json.dumps(described, sort_keys=True)
    row = RuleRun.insert(rule=text, created_ns=now_ns, groups=0, images=0, bytes=0)
    return int(row.execute(database))


def store(database: SqliteDatabase, run_id: int, rows: Sequence[DecisionRow], touched: Iterable[int]) -> set[int]:
    """Store decisions of a run on these images, of whole groups with the images `touched`.

    Where groups share images, the keeper of one may go in another: what the run decided in a group without a keeper is
    taken back. Returns these groups.
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
    decisions.recount(database, groups)
    return bare


def end(database: SqliteDatabase, run_id: int, groups: int) -> tuple[int, int]:
    """Store how much a run decided. Returns the number of images that do not stay, and of their bytes."""
    images, size = database.execute_sql(
        "SELECT count(*), coalesce(sum(i.size_bytes), 0) FROM decision d JOIN image i ON i.id = d.image_id"
        f" WHERE d.order_id = ? AND d.choice IN ({','.join('?' * len(AWAY))})",
        (run_id, *AWAY),
    ).fetchone()
    RuleRun.update(groups=groups, images=images, bytes=size).where(RuleRun.id == run_id).execute(database)
    return images, size


def page(database: SqliteDatabase, before_id: int | None, limit: int) -> tuple[list[RuleRunSummary], int]:
    """The rule runs with ids below `before_id`, the newest first, and the number of all."""
    rows = database.execute_sql(
        "SELECT o.id, o.rule, o.created_ns, o.groups, o.images, o.bytes,"
        f" (SELECT count(*) FROM decision d WHERE d.order_id = o.id AND d.choice != '{Choice.KEEP}')"
        " FROM rule_order o WHERE o.id < ? ORDER BY o.id DESC LIMIT ?",
        (2**62 if before_id is None else before_id, limit),
    )
    return [RuleRunSummary(*row) for row in rows], RuleRun.select().count(database)


def revoke(database: SqliteDatabase, order_id: int) -> int:
    """Delete a rule run and those of its decisions that were not carried out. A rule that made them after a detection
    is not run so any more. Returns the number of these decisions. Raises NotFound."""
    run = RuleRun.select().where(RuleRun.id == order_id).execute(database)
    described = [json.loads(row.rule) for row in run]
    if not described:
        raise NotFound("rule_run.unknown", order=order_id)
    if name := described[0].get("name"):
        named_rules.stop_running(database, name)
    rows = Decision.select(Decision.image).where(Decision.order == order_id).tuples().execute(database)
    image_ids = [row[0] for row in rows]
    groups = decisions.groups_of_images(database, image_ids)
    decisions.clear(database, image_ids)
    RuleRun.delete().where(RuleRun.id == order_id).execute(database)
    decisions.recount(database, groups)
    return len(image_ids)


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
