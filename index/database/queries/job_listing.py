"""Lists of jobs, problems and schedules, paged, and counts of them, for REST and the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.database.records.sql_paging import Page, Where, cut_page, path_term
from index.database.schema import Job, Schedule
from index.messages import Message, of_json
from index.model import JobKind


@dataclass(frozen=True, slots=True)
class ProblemRow:
    id: int
    root_id: int
    path: bytes
    reason: str
    message: Message | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class LastJob:
    kind: str
    state: str
    started_ns: int
    finished_ns: int


@dataclass(frozen=True, slots=True)
class ProblemFilter:
    root_id: int | None = None
    reason: str = ""
    path: bytes = b""


def jobs_page(
    database: SqliteDatabase,
    states: Sequence[str] = (),
    kind: str = "",
    after: tuple[Any, ...] | None = None,
    limit: int = 50,
    plans: bool = True,
) -> Page[dict[str, Any]]:
    """Job rows, the newest first; without `plans`, those that only planned are left out."""
    where = Where()
    if states:
        where.add(f"state IN ({','.join('?' * len(states))})", *states)
    if kind:
        where.add("kind = ?", kind)
    if not plans:
        where.add("NOT (kind = ? AND coalesce(json_extract(parameters, '$.dry_run'), 0))", JobKind.SORT)
    (total,) = database.execute_sql(f"SELECT count(*) FROM job WHERE {where}", where.values).fetchone()
    if after is not None:
        where.add("id < ?", *after)
    rows = Job.raw(f"SELECT * FROM job WHERE {where} ORDER BY id DESC LIMIT ?", *where.values, limit + 1).dicts()
    return cut_page(list(rows.execute(database)), limit, total, lambda row: (row["id"],))


def problems_page(
    database: SqliteDatabase, chosen: ProblemFilter, after: tuple[Any, ...] | None = None, limit: int = 50
) -> Page[ProblemRow]:
    """Problems of the watched roots, the newest first."""
    where = Where(["r.watched", "NOT r.temporary"])
    if chosen.root_id is not None:
        where.add("p.root_id = ?", chosen.root_id)
    if chosen.reason:
        where.add("p.reason = ?", chosen.reason)
    if chosen.path:
        term, values = path_term("p.path", chosen.path)
        where.add(term, *values)
    source = "problem p JOIN root r ON r.id = p.root_id"
    (total,) = database.execute_sql(f"SELECT count(*) FROM {source} WHERE {where}", where.values).fetchone()
    if after is not None:
        where.add("(p.at_ns, p.id) < (?, ?)", *after)
    rows = database.execute_sql(
        f"SELECT p.id, p.root_id, p.path, p.reason, p.message, p.at_ns FROM {source} WHERE {where}"
        " ORDER BY p.at_ns DESC, p.id DESC LIMIT ?",
        (*where.values, limit + 1),
    )
    items = [ProblemRow(row[0], row[1], bytes(row[2]), row[3], of_json(row[4]), row[5]) for row in rows]
    return cut_page(items, limit, total, lambda row: (row.at_ns, row.id))


def reasons_of_problems(database: SqliteDatabase) -> dict[str, int]:
    """The number of problems of the watched roots, by reason."""
    rows = database.execute_sql(
        "SELECT p.reason, count(*) FROM problem p JOIN root r ON r.id = p.root_id"
        " WHERE r.watched AND NOT r.temporary GROUP BY p.reason"
    )
    return dict(rows.fetchall())


def groups_by_decided(database: SqliteDatabase) -> dict[str, int]:
    """The number of groups of the current detection that are decided not at all, partly or fully."""
    rows = database.execute_sql(
        "SELECT CASE WHEN g.decided = 0 THEN 'none' WHEN g.decided < g.images THEN 'partly' ELSE 'fully' END AS how,"
        " count(*) FROM duplicate_group g JOIN detection d ON d.id = g.detection_id AND d.current GROUP BY how"
    )
    return {"none": 0, "partly": 0, "fully": 0, **dict(rows.fetchall())}


def jobs_by_kind_and_state(database: SqliteDatabase) -> dict[tuple[str, str], int]:
    rows = database.execute_sql("SELECT kind, state, count(*) FROM job GROUP BY kind, state")
    return {(kind, state): count for kind, state, count in rows}


def last_jobs(database: SqliteDatabase) -> list[LastJob]:
    """The last job that ended, for each kind and final state."""
    rows = database.execute_sql(
        "SELECT kind, state, started_ns, max(finished_ns) FROM job"
        " WHERE finished_ns IS NOT NULL AND started_ns IS NOT NULL GROUP BY kind, state"
    )
    return [LastJob(*row) for row in rows]


def schedules(database: SqliteDatabase) -> list[dict[str, Any]]:
    """The schedule rows, ordered by name."""
    return list(Schedule.select().order_by(Schedule.name).dicts().execute(database))
