"""What happened since people were last told: groups, jobs, problems, folders; and the mark up to where they were."""

import json
from dataclasses import asdict
from typing import Any, Final

from peewee import SqliteDatabase

from index.model import JobState
from index.records.news import EndedJob, Happened, Mark, RootNow
from index.schema import Notified

# Jobs of the watcher and of the start come by themselves, often; of those only a failure is news.
TOLD_ORIGINS: Final = ("user", "schedule")
JOBS_AT_MOST: Final = 50


def mark(database: SqliteDatabase) -> Mark | None:
    """The mark that was kept, None before the first, or where another version kept one of its own."""
    for row in Notified.select().execute(database):
        try:
            return Mark(**json.loads(row.mark))
        except (ValueError, TypeError):
            return None
    return None


def set_mark(database: SqliteDatabase, to: Mark) -> None:
    drop_mark(database)
    Notified.insert(id=1, mark=json.dumps(asdict(to))).execute(database)


def drop_mark(database: SqliteDatabase) -> None:
    """Nobody is told any more; whoever is later is told from then on."""
    Notified.delete().execute(database)


def since(database: SqliteDatabase, since_ns: int) -> Happened:
    """What happened after a moment."""
    groups, total, reclaimable = database.execute_sql(
        "SELECT coalesce(sum(g.changed_ns > ?), 0), count(*), coalesce(sum(g.reclaimable_bytes), 0)"
        " FROM duplicate_group g JOIN detection d ON d.id = g.detection_id AND d.current",
        (since_ns,),
    ).fetchone()
    wanted = (
        "FROM job WHERE finished_ns > ? AND state IN ('done', 'failed') AND (state = ? OR origin IN (?, ?))",
        (since_ns, JobState.FAILED, *TOLD_ORIGINS),
    )
    rows = database.execute_sql(
        f"SELECT id, kind, state, origin, started_ns, finished_ns, outcome, error {wanted[0]}"
        f" ORDER BY state = 'failed' DESC, finished_ns LIMIT {JOBS_AT_MOST}",
        wanted[1],
    ).fetchall()
    (jobs,) = database.execute_sql(f"SELECT count(*) {wanted[0]}", wanted[1]).fetchone()
    problems = database.execute_sql(
        "SELECT p.reason, count(*) FROM problem p JOIN root r ON r.id = p.root_id AND r.watched"
        " WHERE p.at_ns > ? GROUP BY p.reason ORDER BY p.reason",
        (since_ns,),
    ).fetchall()
    roots = database.execute_sql("SELECT path, state, reason FROM root WHERE watched ORDER BY path").fetchall()
    return Happened(
        groups=groups,
        groups_total=total,
        reclaimable_bytes=reclaimable,
        jobs=tuple(map(_ended_job, rows)),
        more_jobs=jobs - len(rows),
        problems=dict(problems),
        roots=tuple(RootNow(bytes(path).decode("utf-8", "replace"), state, reason) for path, state, reason in roots),
    )


def _ended_job(row: tuple[Any, ...]) -> EndedJob:
    job_id, kind, state, origin, started_ns, finished_ns, outcome, error = row
    took_ns = finished_ns - (finished_ns if started_ns is None else started_ns)
    return EndedJob(job_id, kind, state, origin, max(0, took_ns) / 1e9, json.loads(outcome), error)
