"""The events since the last notice (groups, jobs, problems, folders, rules), and the notice watermark."""

import json
from dataclasses import asdict
from typing import Any, Final

from peewee import SqliteDatabase

from index.database.schema import NotificationState
from index.messages import of_json
from index.model import EndedJob, EventSummary, JobState, NoticeWatermark, RootStatus, RuleEffect

# Jobs of the watcher and of start-up are automatic and frequent; only their failures are reported.
NOTIFIED_ORIGINS: Final = ("user", "schedule")
JOBS_AT_MOST: Final = 50


def read_watermark(database: SqliteDatabase) -> NoticeWatermark | None:
    """The stored watermark. None if there is none, or if another version wrote it and it cannot be read."""
    for row in NotificationState.select().execute(database):
        try:
            return NoticeWatermark(**json.loads(row.mark))
        except (ValueError, TypeError):
            return None
    return None


def set_watermark(database: SqliteDatabase, to: NoticeWatermark) -> None:
    clear_watermark(database)
    NotificationState.insert(id=1, mark=json.dumps(asdict(to))).execute(database)


def clear_watermark(database: SqliteDatabase) -> None:
    """Clear the watermark: if notices are configured again, they start from that time."""
    NotificationState.delete().execute(database)


def events_since(database: SqliteDatabase, since_ns: int) -> EventSummary:
    """The events after a time."""
    groups, total, reclaimable = database.execute_sql(
        "SELECT coalesce(sum(g.changed_ns > ?), 0), count(*), coalesce(sum(g.reclaimable_bytes), 0)"
        " FROM duplicate_group g JOIN detection d ON d.id = g.detection_id AND d.current",
        (since_ns,),
    ).fetchone()
    wanted = (
        "FROM job WHERE finished_ns > ? AND state IN ('done', 'failed') AND (state = ? OR origin IN (?, ?))",
        (since_ns, JobState.FAILED, *NOTIFIED_ORIGINS),
    )
    rows = database.execute_sql(
        f"SELECT id, kind, state, origin, started_ns, finished_ns, outcome, error {wanted[0]}"
        f" ORDER BY state = 'failed' DESC, finished_ns LIMIT {JOBS_AT_MOST}",
        wanted[1],
    ).fetchall()
    (jobs,) = database.execute_sql(f"SELECT count(*) {wanted[0]}", wanted[1]).fetchone()
    problems = database.execute_sql(
        "SELECT p.reason, count(*) FROM problem p JOIN root r ON r.id = p.root_id AND r.watched AND NOT r.temporary"
        " WHERE p.at_ns > ? GROUP BY p.reason ORDER BY p.reason",
        (since_ns,),
    ).fetchall()
    roots = database.execute_sql(
        "SELECT path, state, reason FROM root WHERE watched AND NOT temporary ORDER BY path"
    ).fetchall()
    # Only runs whose job has ended, so that their decisions are complete.
    rules = database.execute_sql(
        "SELECT DISTINCT o.id, json_extract(o.rule, '$.name'), o.groups, o.images, o.bytes FROM job j"
        " JOIN rule_order o ON o.created_ns BETWEEN j.started_ns AND j.finished_ns"
        " WHERE j.finished_ns > ? AND j.state = 'done' AND json_extract(j.outcome, '$.decided') > 0"
        " AND json_extract(o.rule, '$.name') IS NOT NULL ORDER BY o.id",
        (since_ns,),
    ).fetchall()
    return EventSummary(
        groups=groups,
        groups_total=total,
        reclaimable_bytes=reclaimable,
        jobs=tuple(map(_ended_job, rows)),
        more_jobs=jobs - len(rows),
        problems=dict(problems),
        roots=tuple(
            RootStatus(bytes(path).decode("utf-8", "replace"), state, of_json(reason)) for path, state, reason in roots
        ),
        rules=tuple(RuleEffect(*effect) for _, *effect in rules),
    )


def _ended_job(row: tuple[Any, ...]) -> EndedJob:
    job_id, kind, state, origin, started_ns, finished_ns, outcome, error = row
    took_ns = finished_ns - (finished_ns if started_ns is None else started_ns)
    return EndedJob(job_id, kind, state, origin, max(0, took_ns) / 1e9, json.loads(outcome), of_json(error))
