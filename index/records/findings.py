"""What was found: detections, the verifier's judgements, matches, and the groups made of them.

A detection is a set of parameters. Contents have ascending ids, and all up to its watermark are matched against one
another; what comes later is matched against everything before it. A full detection is the same work from zero, and
groups are made by a pure function of the matches, so that both ways end with the same groups.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from peewee import SQL, SqliteDatabase

from index.candidates.fingerprint import SCHEME
from index.grouping.groups import Edge, Node, Star, components, find_stars
from index.grouping.keeper import quality_rank
from index.model import Depth, DetectParameters, Kind, Turn
from index.records import absent
from index.records.catalogue import chunks, contents, distinct_files, facts_of, files_of
from index.records.decisions import recount
from index.schema import Detection, DuplicateGroup, Judgement, Match, Member, Verdict
from index.verification.evidence import VERIFIER, mirrored

MADE_BY = [SCHEME, VERIFIER]


@dataclass(frozen=True, slots=True)
class Found:
    """A match of two contents, a < b; the turn applied to a gives b."""

    a_id: int
    b_id: int
    kind: Kind
    distance: int
    turn: Turn
    confidence: float
    evidence: Mapping[str, Any]


# Detections


def dump_parameters(parameters: DetectParameters) -> str:
    """As kept with a detection, with the versions of what hashes and judges: groups made by others are not these."""
    return json.dumps(asdict(parameters) | {"made_by": MADE_BY}, sort_keys=True)


def load_parameters(text: str) -> DetectParameters:
    values = json.loads(text)
    del values["made_by"]
    return DetectParameters(**{**values, "depth": Depth(values["depth"]), "folders": tuple(values["folders"])})


def is_outdated(detection: Any) -> bool:
    """Whether a detection was made by another version of the hashes or of the verifier, and must be made anew."""
    return bool(json.loads(detection.parameters)["made_by"] != MADE_BY)


def parameters_of(database: SqliteDatabase, detection_id: int) -> DetectParameters:
    (text,) = database.execute_sql("SELECT parameters FROM detection WHERE id = ?", (detection_id,)).fetchone()
    return load_parameters(text)


def begin_detection(database: SqliteDatabase, parameters: DetectParameters, now_ns: int) -> int:
    """A new detection, nothing matched yet. One with these parameters that a crash left unfinished is taken up."""
    text = dump_parameters(parameters)
    unfinished = Detection.select(Detection.id).where(
        Detection.parameters == text, Detection.finished_ns.is_null(), ~Detection.current
    )
    for (detection_id,) in unfinished.order_by(Detection.id.desc()).limit(1).tuples().execute(database):
        return int(detection_id)
    detection_id = int(Detection.insert(parameters=text, created_ns=now_ns).execute(database))
    absent.begin(database, detection_id)
    return detection_id


def current_detection(database: SqliteDatabase) -> Any | None:
    """The row of the detection whose groups are shown, or None before the first."""
    for row in Detection.select().where(Detection.current).execute(database):
        return row
    return None


def make_current(database: SqliteDatabase, detection_id: int, now_ns: int) -> None:
    """Show this detection's groups from now on, and drop every other with all it found."""
    for row in Detection.select(Detection.id).where(Detection.id != detection_id).execute(database):
        drop_detection(database, row.id)
    Detection.update(current=True, finished_ns=now_ns).where(Detection.id == detection_id).execute(database)


def drop_detection(database: SqliteDatabase, detection_id: int) -> None:
    Detection.delete().where(Detection.id == detection_id).execute(database)


def watermark_of(database: SqliteDatabase, detection_id: int) -> int:
    """The id up to which contents are matched."""
    (watermark,) = database.execute_sql(
        "SELECT watermark FROM detection WHERE id = ?", (detection_id,)
    ).fetchone()
    return int(watermark)


def add_tallies(
    database: SqliteDatabase, detection_id: int, counts: Mapping[tuple[int, str], int], proposed_before: bool = False
) -> None:
    """Count proposed pairs: (distance, kind of the match or "") -> number. Those that were `proposed_before` are
    counted already, all but what became of them."""
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


def judgements(
    database: SqliteDatabase, pairs: Sequence[tuple[int, int]], verifier: str
) -> dict[tuple[int, int], Any]:
    """What this version of the verifier has said of these pairs (a < b) already."""
    found: dict[tuple[int, int], Any] = {}
    for some in chunks(pairs, 400):
        marks = ",".join(["(?, ?)"] * len(some))
        rows = Judgement.raw(
            f"SELECT * FROM judgement WHERE verifier = ? AND (a_id, b_id) IN (VALUES {marks})",
            verifier,
            *(content_id for pair in some for content_id in pair),
        )
        found.update(((row.a_id, row.b_id), row) for row in rows.execute(database))
    return found


def known_pairs(
    database: SqliteDatabase, detection_id: int, pairs: Sequence[tuple[int, int]], verifier: str
) -> set[tuple[int, int]]:
    """Those of these pairs (a < b) that are matched in this detection, or that this verifier has said something of."""
    found = set(judgements(database, pairs, verifier))
    for some in chunks(pairs, 400):
        marks = ",".join(["(?, ?)"] * len(some))
        found.update(
            database.execute_sql(
                f"SELECT a_id, b_id FROM match WHERE detection_id = ? AND (a_id, b_id) IN (VALUES {marks})",
                (detection_id, *(content_id for pair in some for content_id in pair)),
            )
        )
    return found


def record_judgements(database: SqliteDatabase, verifier: str, judged: Iterable[Mapping[str, Any]]) -> None:
    """Remember what the verifier said: rows with a, b, kind, turn, confidence and evidence (JSON text)."""
    for some in chunks(({"verifier": verifier, **row} for row in judged), 100):
        Judgement.insert_many(some).on_conflict_replace().execute(database)


def record_matches(database: SqliteDatabase, detection_id: int, found: Iterable[Found]) -> set[int]:
    """Keep matches; a pair that was kept before is replaced. The contents concerned."""
    touched: set[int] = set()
    for some in chunks(found, 100):
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
            for match in some
        ]
        Match.insert_many(rows).on_conflict_replace().execute(database)
        touched.update(content_id for match in some for content_id in (match.a_id, match.b_id))
    return touched


def _pairs_touching(database: SqliteDatabase, detection_id: int, content_ids: set[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for some in chunks(content_ids):
        marks = ",".join("?" * len(some))
        for column in ("a_id", "b_id"):
            found += database.execute_sql(
                f"SELECT a_id, b_id FROM match WHERE detection_id = ? AND {column} IN ({marks})",
                (detection_id, *some),
            )
    return found


def _edges_among(database: SqliteDatabase, detection_id: int, content_ids: set[int]) -> list[Edge]:
    """The matches among these contents."""
    edges: dict[tuple[int, int], Edge] = {}
    for some in chunks(content_ids):
        marks = ",".join("?" * len(some))
        rows = database.execute_sql(
            "SELECT a_id, b_id, kind, distance, confidence FROM match"
            f" WHERE detection_id = ? AND a_id IN ({marks})",
            (detection_id, *some),
        )
        edges.update(((a, b), Edge(a, b, Kind(kind), distance, sure)) for a, b, kind, distance, sure in rows)
    return [edge for edge in edges.values() if edge.b_id in content_ids]


def _denied(database: SqliteDatabase, digests: Mapping[int, bytes]) -> set[tuple[int, int]]:
    """The pairs of these contents (a < b) with a verdict."""
    ids = {digest: content_id for content_id, digest in digests.items()}
    denied: set[tuple[int, int]] = set()
    for some in chunks(ids):
        rows = Verdict.select(Verdict.a_digest, Verdict.b_digest).where(Verdict.a_digest.in_(some))
        pairs = [(ids.get(bytes(a)), ids.get(bytes(b))) for a, b in rows.tuples().execute(database)]
        denied.update((min(a, b), max(a, b)) for a, b in pairs if a is not None and b is not None)
    return denied


# Groups


def concern(database: SqliteDatabase, content_ids: Iterable[int]) -> None:
    """Note, in the transaction of a change, the contents whose groups it concerns: whatever ends the job before it
    comes to the groups, the next update makes them anew."""
    for some in chunks(content_ids):
        marks = ",".join(["(?)"] * len(some))
        database.execute_sql(f"INSERT OR IGNORE INTO concerned (content_id) VALUES {marks}", some)


def concerned(database: SqliteDatabase) -> set[int]:
    """The contents noted since the groups were last brought up to date."""
    return {row[0] for row in database.execute_sql("SELECT content_id FROM concerned")}


def forget_concerned(database: SqliteDatabase) -> None:
    """The groups of all that was noted are made anew, in this same transaction."""
    database.execute_sql("DELETE FROM concerned")


def regroup(database: SqliteDatabase, detection_id: int, touched: Iterable[int], now_ns: int) -> int:
    """Make anew the groups that these contents are in or could be in; no other group is looked at.

    Gives how many groups were added, changed or removed.
    """
    start = set(touched)
    if not start:
        return 0
    start |= _in_groups_with(database, detection_id, start)
    concerned = components(start, lambda some: _pairs_touching(database, detection_id, some))
    files = present_files(database, concerned, parameters_of(database, detection_id).folders)
    nodes = _nodes(database, files)
    digests = {content_id: node.digest for content_id, node in nodes.items()}
    edges = _edges_among(database, detection_id, set(nodes))
    stars = {star.key: star for star in find_stars(nodes, edges, _denied(database, digests))}
    return _replace_groups(database, detection_id, concerned, stars, files, now_ns)


def regroup_all(database: SqliteDatabase, detection_id: int, now_ns: int) -> int:
    """Make every group anew."""
    everything = {
        row[0]
        for row in database.execute_sql(
            "SELECT a_id FROM match WHERE detection_id = :d UNION SELECT b_id FROM match WHERE detection_id = :d"
            " UNION SELECT content_id FROM image WHERE content_id IS NOT NULL GROUP BY content_id HAVING count(*) > 1"
            " UNION SELECT content_id FROM member JOIN duplicate_group g ON g.id = group_id WHERE detection_id = :d",
            {"d": detection_id},
        )
    }
    return regroup(database, detection_id, everything, now_ns)


def _in_groups_with(database: SqliteDatabase, detection_id: int, content_ids: set[int]) -> set[int]:
    found: set[int] = set()
    for some in chunks(content_ids):
        marks = ",".join("?" * len(some))
        rows = database.execute_sql(
            "SELECT other.content_id FROM member JOIN duplicate_group g ON g.id = member.group_id"
            " JOIN member other ON other.group_id = g.id"
            # The plus keeps SQLite from going through all groups of the detection.
            f" WHERE +g.detection_id = ? AND member.content_id IN ({marks})",
            (detection_id, *some),
        )
        found.update(row[0] for row in rows)
    return found


def present_files(
    database: SqliteDatabase, content_ids: Iterable[int], folders: Sequence[str]
) -> dict[int, list[Any]]:
    """The image rows of these contents that take part, one for each file on disk: in a watched root and, where
    folders are named, below one of them. Contents without any are left out."""
    below = tuple(os.fsencode(folder).rstrip(b"/") + b"/" for folder in folders)
    found = {
        content_id: distinct_files(row for row in rows if not below or bytes(row.path).startswith(below))
        for content_id, rows in files_of(database, content_ids).items()
    }
    return {content_id: rows for content_id, rows in found.items() if rows}


def _nodes(database: SqliteDatabase, files: Mapping[int, Sequence[Any]]) -> dict[int, Node]:
    """The contents that take part: those that could be decoded."""
    nodes: dict[int, Node] = {}
    for content_id, row in contents(database, files).items():
        if not row.failure:
            digest = bytes(row.digest)
            rank = (*quality_rank(facts_of(row), row.size_bytes), digest)
            nodes[content_id] = Node(content_id, digest, rank, len(files[content_id]), min(row.width, row.height))
    return nodes


def _replace_groups(
    database: SqliteDatabase,
    detection_id: int,
    concerned: set[int],
    stars: Mapping[str, Star],
    files: Mapping[int, Sequence[Any]],
    now_ns: int,
) -> int:
    old: dict[str, Any] = {}
    for some in chunks(concerned):
        rows = DuplicateGroup.select().where(
            SQL("+detection_id = ?", [detection_id]), DuplicateGroup.reference.in_(some)
        )
        old.update((row.key, row) for row in rows.execute(database))
    changed = 0
    for key, row in old.items():
        if key not in stars:
            DuplicateGroup.delete().where(DuplicateGroup.id == row.id).execute(database)
            changed += 1
    for key, star in stars.items():
        changed += _put_group(database, detection_id, old.get(key), star, files, now_ns)
    _recount_decided(database, concerned)
    return changed


def _recount_decided(database: SqliteDatabase, content_ids: set[int]) -> None:
    """A decision counts where its image has the bytes that it was made for: either may have changed."""
    for some in chunks(content_ids):
        rows = database.execute_sql(
            f"SELECT DISTINCT group_id FROM member WHERE content_id IN ({','.join('?' * len(some))})", some
        )
        recount(database, [row[0] for row in rows.fetchall()])


def _content_ids(star: Star) -> list[int]:
    return [star.reference_id, *(star.member_id(edge) for edge in star.edges)]


def _put_group(
    database: SqliteDatabase,
    detection_id: int,
    old: Any | None,
    star: Star,
    files: Mapping[int, Sequence[Any]],
    now_ns: int,
) -> bool:
    """Write one group where it differs from what is there; whether it did."""
    present = [file for content_id in _content_ids(star) for file in files[content_id]]
    size_bytes = sum(file.size_bytes for file in present)
    values = {
        "kind": star.kind,
        "reference": star.reference_id,
        "images": len(present),
        "size_bytes": size_bytes,
        "reclaimable_bytes": size_bytes - files[star.reference_id][0].size_bytes,
        "confidence": star.confidence,
        "newest_ns": max(file.mtime_ns for file in present),
    }
    turns = _turns(database, detection_id, star)
    members = [(star.reference_id, 0, str(Kind.EXACT), 0, str(Turn.NONE))] + [
        (star.member_id(edge), position, str(edge.kind), edge.distance, turns[star.member_id(edge)])
        for position, edge in enumerate(star.edges, start=1)
    ]
    if old is None:
        group_id = DuplicateGroup.insert(
            detection=detection_id, key=star.key, changed_ns=now_ns, **values
        ).execute(database)
    else:
        group_id = old.id
        old_values = {name: getattr(old, "reference_id" if name == "reference" else name) for name in values}
        same = old_values == values
        if same and _members(database, group_id) == members:
            return False
        DuplicateGroup.update(changed_ns=now_ns, **values).where(DuplicateGroup.id == group_id).execute(database)
        Member.delete().where(Member.group == group_id).execute(database)
    fields = [Member.group, Member.content, Member.position, Member.kind, Member.distance, Member.turn]
    for some in chunks(members, 100):
        Member.insert_many([(group_id, *member) for member in some], fields=fields).execute(database)
    return True


def told_from(reference_id: int, match: Any) -> dict[str, Any]:
    """The evidence of a match row, led from the reference to the other."""
    told: dict[str, Any] = json.loads(match.evidence)
    return told if match.a_id == reference_id else mirrored(told)


def _members(database: SqliteDatabase, group_id: int) -> list[tuple[Any, ...]]:
    rows = Member.select(Member.content, Member.position, Member.kind, Member.distance, Member.turn)
    return list(rows.where(Member.group == group_id).order_by(Member.position).tuples().execute(database))


def _turns(database: SqliteDatabase, detection_id: int, star: Star) -> dict[int, str]:
    """The turn that, applied to the reference, gives each member."""
    found: dict[int, str] = {}
    for edge in star.edges:
        (turn,) = database.execute_sql(
            "SELECT turn FROM match WHERE detection_id = ? AND a_id = ? AND b_id = ?",
            (detection_id, edge.a_id, edge.b_id),
        ).fetchone()
        forward = edge.a_id == star.reference_id
        found[star.member_id(edge)] = turn if forward else str(Turn(turn).inverse)
    return found
