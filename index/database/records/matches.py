"""Detections, the verifier's judgements, matches, and groups.

A detection is a set of parameters. Content ids ascend. All contents up to the detection's watermark have been matched
against one another; later ones are matched against everything before them. A full detection is the same work from zero.
Groups are a pure function of the matches, so both ways end with the same groups.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from peewee import SqliteDatabase

from index.database.records import missing_contents
from index.database.records.images import chunks, distinct_files, files_of
from index.database.records.sql_paging import Where, below_any
from index.database.schema import Detection, Judgement, Match
from index.errors import NotFound
from index.imaging.candidates.perceptual_hash import SCHEME
from index.imaging.grouping.groups import HELD_BACK
from index.imaging.originality.composed import EXTENT, SEEN_ONLY
from index.imaging.verification.edit_evidence import VERIFIER, reversed_evidence
from index.model import FACTS_VERSION, Depth, DetectParameters, Kind, Method, Turn

# The parameters of a detection whose rows are only waiting to be deleted.
RETIRED = "retired"
MADE_BY = [SCHEME, VERIFIER, f"facts/{FACTS_VERSION}"]


def _with_any(keys: Iterable[str]) -> str:
    return " OR ".join(f"json_type({{0}}.evidence, '$.{key}') IS NOT NULL" for key in sorted(keys))


# `held_back` of the edge that a row of matches is (see imaging.grouping.groups.Edge); {0} is the name of the table.
# What was not verified has no similarity, and nothing of it leads on.
HELD_BACK_OF = (
    f"CASE {{0}}.kind WHEN 'pixels' THEN {-HELD_BACK} WHEN 'possible' THEN {HELD_BACK} WHEN 'near' THEN"
    f" CASE WHEN json_type({{0}}.evidence, '$.similarity') IS NULL OR {_with_any(SEEN_ONLY)} THEN {HELD_BACK}"
    f" WHEN {_with_any(EXTENT)} THEN 1 ELSE 0 END ELSE 0 END"
)
# Of two members `one` and `other` of the group `g`, with the matches of both to its reference.
MATCHES_TO_REFERENCE = "".join(
    f" LEFT JOIN match to_{end} ON to_{end}.detection_id = g.detection_id"
    f" AND to_{end}.a_id = min(g.reference_id, {end}.content_id)"
    f" AND to_{end}.b_id = max(g.reference_id, {end}.content_id)"
    for end in ("one", "other")
)
# Whether their own match says more than what leads from the reference to both.
SAYS_MORE = f"({HELD_BACK_OF.format('to_one')} + {HELD_BACK_OF.format('to_other')} >= {HELD_BACK})"


@dataclass(frozen=True, slots=True)
class MatchResult:
    """A match of two contents, a < b. The turn, applied to a, gives b."""

    a_id: int
    b_id: int
    kind: Kind
    distance: int
    turn: Turn
    confidence: float
    evidence: Mapping[str, Any]


# Detections


def dump_parameters(parameters: DetectParameters) -> str:
    """The parameters as JSON, with the versions of hashes, facts and verifier, since other versions may give other
    groups."""
    values = asdict(parameters)
    if parameters.used is Method.HASH and parameters.method is Method.AUTO:
        # Written as before these options existed, so that earlier detections remain valid.
        del values["method"], values["used"], values["model"], values["cosines"]
    if parameters.recursive:
        # Written as before this option existed.
        del values["recursive"]
    if parameters.sized_for < 0:
        del values["sized_for"]
    return json.dumps(values | {"made_by": MADE_BY}, sort_keys=True)


def load_parameters(text: str) -> DetectParameters:
    values = json.loads(text)
    del values["made_by"]
    values |= {"depth": Depth(values["depth"]), "folders": tuple(values["folders"])}
    values["used"] = Method(values.get("used", Method.HASH))
    values["method"] = Method(values.get("method", Method.AUTO))
    return DetectParameters(**values)


def set_parameters(database: SqliteDatabase, detection_id: int, parameters: DetectParameters) -> None:
    """Store other parameters that give the same groups."""
    changes = {"parameters": dump_parameters(parameters)}
    Detection.update(**changes).where(Detection.id == detection_id).execute(database)


def is_outdated(detection: Any) -> bool:
    """Whether a detection was made with other versions of the hashes, facts or verifier, and must be repeated."""
    return bool(json.loads(detection.parameters)["made_by"] != MADE_BY)


def parameters_of(database: SqliteDatabase, detection_id: int) -> DetectParameters:
    (text,) = database.execute_sql("SELECT parameters FROM detection WHERE id = ?", (detection_id,)).fetchone()
    return load_parameters(text)


def start_detection(database: SqliteDatabase, parameters: DetectParameters, now_ns: int) -> int:
    """Insert a detection, and return its id. If a crash left an unfinished one with the same parameters, that one is
    continued."""
    text = dump_parameters(parameters)
    unfinished = Detection.select(Detection.id).where(
        Detection.parameters == text, Detection.finished_ns.is_null(), ~Detection.current
    )
    for (detection_id,) in unfinished.order_by(Detection.id.desc()).limit(1).tuples().execute(database):
        return int(detection_id)
    detection_id = int(Detection.insert(parameters=text, created_ns=now_ns).execute(database))
    missing_contents.start(database, detection_id)
    return detection_id


def current_detection(database: SqliteDatabase) -> Any | None:
    """The row of the detection whose groups are shown, None before the first."""
    for row in Detection.select().where(Detection.current).execute(database):
        return row
    return None


def make_current(database: SqliteDatabase, detection_id: int, now_ns: int) -> None:
    """Make this the library's detection, and retire the previous one and unfinished ones. Limited searches stay."""
    _retire(database, Detection.id != detection_id, Detection.current | Detection.finished_ns.is_null())
    Detection.update(current=True, finished_ns=now_ns).where(Detection.id == detection_id).execute(database)


def keep_search(database: SqliteDatabase, detection_id: int, now_ns: int) -> None:
    """Make this the limited search that is shown next to the library, and retire the previous one."""
    _retire(database, Detection.id != detection_id, ~Detection.current)
    Detection.update(finished_ns=now_ns).where(Detection.id == detection_id).execute(database)


def _retire(database: SqliteDatabase, *which: Any) -> None:
    """Retire detections: they are neither shown nor continued. They have many matches and groups: see
    `delete_retired`."""
    Detection.update(current=False, finished_ns=None, parameters=RETIRED).where(*which).execute(database)


def delete_retired(database: SqliteDatabase, rows: int = 5_000) -> bool:
    """Delete up to this many rows of retired detections. Call it again while it returns True."""
    for (detection_id,) in database.execute_sql("SELECT id FROM detection WHERE parameters = ?", (RETIRED,)).fetchall():
        for statement in (
            (
                "DELETE FROM assumed WHERE (detection_id, a_id, b_id) IN"
                " (SELECT detection_id, a_id, b_id FROM assumed WHERE detection_id = :d LIMIT :n)"
            ),
            "DELETE FROM duplicate_group WHERE id IN (SELECT id FROM duplicate_group WHERE detection_id = :d LIMIT :n)",
            (
                "DELETE FROM match WHERE (detection_id, a_id, b_id) IN"
                " (SELECT detection_id, a_id, b_id FROM match WHERE detection_id = :d LIMIT :n)"
            ),
        ):
            if database.execute_sql(statement, {"d": detection_id, "n": rows}).rowcount:
                return True
        drop_detection(database, detection_id)
        return True
    return False


def unfinished(database: SqliteDatabase) -> list[Any]:
    """The rows of detections that are in progress or were interrupted."""
    under_way = Detection.finished_ns.is_null(), ~Detection.current, Detection.parameters != RETIRED
    rows = Detection.select().where(*under_way)
    return list(rows.order_by(Detection.id).execute(database))


def searches(database: SqliteDatabase) -> list[Any]:
    """The rows of the limited searches: detections in some folders, shown next to that of the library."""
    rows = Detection.select().where(~Detection.current, Detection.finished_ns.is_null(False)).order_by(Detection.id)
    return list(rows.execute(database))


def drop_search(database: SqliteDatabase, detection_id: int) -> None:
    """Delete a limited search with its groups. Raises NotFound."""
    if detection_id not in {row.id for row in searches(database)}:
        raise NotFound("search.unknown", search=detection_id)
    drop_detection(database, detection_id)


def within_folders(database: SqliteDatabase) -> tuple[Any, ...]:
    """The SQL for "image i of root r is in the folders of the detection of group g", with its values."""
    where = Where()
    where.add("(NOT r.temporary OR g.detection_id IN (SELECT id FROM detection WHERE NOT current))")
    for row in Detection.select().where(Detection.finished_ns.is_null(False)).execute(database):
        parameters = load_parameters(row.parameters)
        if parameters.folders:
            term, *values = below_any("i.path", parameters.folders, parameters.recursive)
            where.add(f"(g.detection_id != ? OR {term})", row.id, *values)
    return str(where), *where.values


def drop_detection(database: SqliteDatabase, detection_id: int) -> None:
    Detection.delete().where(Detection.id == detection_id).execute(database)


def watermark_of(database: SqliteDatabase, detection_id: int) -> int:
    """The content id up to which all contents have been matched."""
    (watermark,) = database.execute_sql("SELECT watermark FROM detection WHERE id = ?", (detection_id,)).fetchone()
    return int(watermark)


def add_tallies(
    database: SqliteDatabase, detection_id: int, counts: Mapping[tuple[int, str], int], proposed_before: bool = False
) -> None:
    """Add to the counts of proposed pairs: (distance, kind of the match or "") -> number. With `proposed_before`, the
    pairs are already counted as proposed, and only their results are added."""
    for (distance, kind), number in counts.items():
        database.execute_sql(
            "INSERT INTO tally (detection_id, distance, proposed, near, possible) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (detection_id, distance) DO UPDATE SET proposed = proposed + excluded.proposed,"
            " near = near + excluded.near, possible = possible + excluded.possible",
            (
                detection_id,
                distance,
                0 if proposed_before else number,
                number if kind in (Kind.NEAR, Kind.PIXELS) else 0,
                number if kind == Kind.POSSIBLE else 0,
            ),
        )


def set_watermark(database: SqliteDatabase, detection_id: int, content_id: int) -> None:
    Detection.update(watermark=content_id).where(Detection.id == detection_id).execute(database)


# Judgements and matches


def judgements(database: SqliteDatabase, pairs: Sequence[tuple[int, int]], verifier: str) -> dict[tuple[int, int], Any]:
    """The judgements on these pairs (a < b) by this version of the verifier, by pair."""
    rows_of: dict[tuple[int, int], Any] = {}
    for chunk in chunks(pairs, 400):
        marks = ",".join(["(?, ?)"] * len(chunk))
        rows = Judgement.raw(
            f"SELECT * FROM judgement WHERE verifier = ? AND (a_id, b_id) IN (VALUES {marks})",
            verifier,
            *(content_id for pair in chunk for content_id in pair),
        )
        rows_of.update(((row.a_id, row.b_id), row) for row in rows.execute(database))
    return rows_of


def known_pairs(
    database: SqliteDatabase, detection_id: int, pairs: Sequence[tuple[int, int]], verifier: str
) -> set[tuple[int, int]]:
    """The pairs (a < b) that are matched in this detection, or judged by this version of the verifier."""
    known = set(judgements(database, pairs, verifier))
    for chunk in chunks(pairs, 400):
        marks = ",".join(["(?, ?)"] * len(chunk))
        known.update(
            database.execute_sql(
                f"SELECT a_id, b_id FROM match WHERE detection_id = ? AND (a_id, b_id) IN (VALUES {marks})",
                (detection_id, *(content_id for pair in chunk for content_id in pair)),
            )
        )
    return known


def record_judgements(database: SqliteDatabase, verifier: str, judged: Iterable[Mapping[str, Any]]) -> None:
    """Store judgements: rows with a, b, kind, turn, confidence and evidence (JSON text)."""
    for chunk in chunks(({"verifier": verifier, **row} for row in judged), 100):
        Judgement.insert_many(chunk).on_conflict_replace().execute(database)


def record_matches(database: SqliteDatabase, detection_id: int, matches: Iterable[MatchResult]) -> set[int]:
    """Store matches; a match of the same pair is replaced. Returns the contents matched."""
    touched: set[int] = set()
    for chunk in chunks(matches, 100):
        rows = [
            {
                "detection": detection_id,
                "a": match.a_id,
                "b": match.b_id,
                "kind": match.kind,
                "distance": match.distance,
                "turn": match.turn,
                "confidence": match.confidence,
                "evidence": json.dumps(match.evidence, sort_keys=True),
            }
            for match in chunk
        ]
        Match.insert_many(rows).on_conflict_replace().execute(database)
        touched.update(content_id for match in chunk for content_id in (match.a_id, match.b_id))
    return touched


# Groups


def mark_stale(database: SqliteDatabase, content_ids: Iterable[int]) -> None:
    """Record the contents whose groups a change affects, in the transaction of that change. If the job ends before it
    updates the groups, the next update rebuilds them."""
    for chunk in chunks(content_ids):
        marks = ",".join(["(?)"] * len(chunk))
        database.execute_sql(f"INSERT OR IGNORE INTO concerned (content_id) VALUES {marks}", chunk)


def stale_contents(database: SqliteDatabase) -> set[int]:
    """The contents recorded by `mark_stale` since the last update of the groups."""
    rows = database.execute_sql("SELECT content_id FROM concerned UNION SELECT content_id FROM concerned_before")
    return {row[0] for row in rows}


def clear_stale(database: SqliteDatabase) -> None:
    """Clear the record of stale contents. Call it in the transaction that rebuilds their groups; if there are several,
    in the last one."""
    database.execute_sql("DELETE FROM concerned")
    database.execute_sql("DELETE FROM concerned_before")


def set_stale_aside(database: SqliteDatabase) -> None:
    """Remember which contents are stale now, before every group is rebuilt in several transactions. They still count as
    stale until `clear_stale`. `stale_since` returns those that became stale meanwhile."""
    database.execute_sql("INSERT OR IGNORE INTO concerned_before SELECT content_id FROM concerned")
    database.execute_sql("DELETE FROM concerned")


def stale_since(database: SqliteDatabase) -> set[int]:
    """The contents that became stale after `set_stale_aside`."""
    return {row[0] for row in database.execute_sql("SELECT content_id FROM concerned")}


def file_filter(parameters: DetectParameters) -> Callable[[bytes, int], bool]:
    """A function that says whether a detection groups a file, by its path and the `temporary` column of its root. A
    limited search groups the files in its folders; the library groups all except those of temporary roots."""
    folders = tuple(os.fsencode(folder).rstrip(b"/") for folder in parameters.folders)
    if not folders:
        return lambda path, temporary: not temporary
    below = tuple(folder + b"/" for folder in folders)
    if parameters.recursive:
        return lambda path, temporary: path.startswith(below)
    return lambda path, temporary: os.path.dirname(path) in folders


def present_files(
    database: SqliteDatabase, content_ids: Iterable[int], parameters: DetectParameters
) -> dict[int, list[Any]]:
    """The image rows of these contents that a detection groups: in a watched root and, if the detection has folders, in
    one of them. One row for each file on disk. Contents without any are left out."""
    is_of = file_filter(parameters)
    present = {
        content_id: distinct_files(row for row in rows if is_of(bytes(row.path), row.temporary))
        for content_id, rows in files_of(database, content_ids).items()
    }
    return {content_id: rows for content_id, rows in present.items() if rows}


def evidence_from(reference_id: int, match: Any) -> dict[str, Any]:
    """The evidence of a match row, in the direction from the reference to the other content."""
    stored: dict[str, Any] = json.loads(match.evidence)
    return stored if match.a_id == reference_id else reversed_evidence(stored)
