"""Groups after verdicts: rebuilt at once, and the pairs that they then depend on verified by a small job."""

from collections.abc import Iterable

from peewee import SqliteDatabase

from index.database.records import jobs, matches, regrouping
from index.model import JobKind


def regroup(database: SqliteDatabase, content_ids: Iterable[int], now_ns: int) -> None:
    """Rebuild the groups of these contents, in the transaction of the verdicts on them.

    If a group now depends on assumed pairs, its members are not shown until these are verified: a job is queued for
    that.
    """
    before = matches.stale_contents(database)
    regrouping.regroup_shown(database, content_ids, now_ns)
    if matches.stale_contents(database) - before:
        jobs.add(database, JobKind.DETECT, {"undecided": True}, "user", now_ns)
