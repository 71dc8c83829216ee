"""The traces of contents, the evidence of origin for pairs of contents, and the companions of images in groups."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.records.matches import MATCHES_TO_REFERENCE, SAYS_MORE
from index.database.schema import Beside, Origin, Trace
from index.imaging.grouping.groups import COMPARED, TRACED
from index.imaging.verification.edit_evidence import reversed_evidence
from index.model import Description

# Two contents, and the one that both were compared with: the first of the two where that was each other.
Compared = tuple[int, int, int]
Evidence = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenPair:
    """Two contents, a < b, that may be in one group and whose origin was not examined yet. The evidence has the
    direction from a to b or, if there is a `via`, from this reference of their group to each of them."""

    a_id: int
    b_id: int
    via_id: int
    evidence: tuple[Evidence] | tuple[Evidence, Evidence]


# A possible match within a group: both contents match a third one, as the members of a group match its reference.
_BESIDE = (
    "EXISTS (SELECT 1 FROM match x JOIN match y ON y.detection_id = x.detection_id AND y.kind <> 'possible'"
    " AND y.a_id = min(x.{other}, m.b_id) AND y.b_id = max(x.{other}, m.b_id)"
    " WHERE x.detection_id = m.detection_id AND x.{own} = m.a_id AND x.kind <> 'possible')"
)
_WITHIN_GROUPS = " OR ".join(
    _BESIDE.format(own=own, other=other) for own, other in (("a_id", "b_id"), ("b_id", "a_id"))
)


def open_pairs(
    database: SqliteDatabase, detection_id: int, version: str, content_ids: Collection[int] | None = None
) -> list[OpenPair]:
    """The near matches, and the possible ones within groups, that have no findings of this version. If contents are
    given, only pairs of these."""
    query = (
        "SELECT m.a_id, m.b_id, m.evidence FROM match m LEFT JOIN origin o ON o.a_id = m.a_id AND o.b_id = m.b_id"
        " AND o.via_id = m.a_id"
        " WHERE m.detection_id = ? AND (o.version IS NULL OR o.version <> ?)"
        f" AND (m.kind = 'near' OR m.kind = 'possible' AND ({_WITHIN_GROUPS}))"
    )
    if content_ids is None:
        rows = database.execute_sql(query, (detection_id, version)).fetchall()
    else:
        rows = []
        for chunk in chunks(sorted(content_ids)):
            marks = ",".join("?" * len(chunk))
            for column in ("a_id", "b_id"):
                rows += database.execute_sql(
                    f"{query} AND m.{column} IN ({marks})", (detection_id, version, *chunk)
                ).fetchall()
    return [OpenPair(a_id, b_id, a_id, (json.loads(text),)) for a_id, b_id, text in sorted(set(rows))]


# First members of one near group that are not read as a match (see queries.group_origins), with the reference. Where
# both show its pixels, they are one picture.
# The match of two first members is read only where it says more: so it has no say whether it happens to be known.
_UNMATCHED = (
    "SELECT DISTINCT min(one.content_id, other.content_id), max(one.content_id, other.content_id), g.reference_id"
    " FROM duplicate_group g JOIN member one ON one.group_id = g.id AND one.position > 0 AND one.position < ?"
    " JOIN member other ON other.group_id = g.id AND other.position > one.position AND other.position < ?"
    f"{MATCHES_TO_REFERENCE}"
    " LEFT JOIN match mt ON one.position < ? AND mt.detection_id = g.detection_id"
    " AND mt.a_id = min(one.content_id, other.content_id) AND mt.b_id = max(one.content_id, other.content_id)"
    f" AND (mt.kind = 'pixels' OR {SAYS_MORE})"
    " LEFT JOIN origin o ON o.a_id = min(one.content_id, other.content_id)"
    " AND o.b_id = max(one.content_id, other.content_id) AND o.via_id = g.reference_id AND o.version = ?"
    " WHERE g.detection_id = ? AND g.kind = 'near' AND (one.kind = 'near' OR other.kind = 'near')"
    " AND mt.a_id IS NULL AND o.a_id IS NULL"
)


def open_members(
    database: SqliteDatabase, detection_id: int, version: str, content_ids: Collection[int] | None = None
) -> list[tuple[int, int, int]]:
    """The members of one group, a < b, that are compared by what leads to both from its reference, and were not with
    this version, each with that reference; only those of the groups of these contents, if any are given."""
    values = (TRACED, TRACED, COMPARED, version, detection_id)
    if content_ids is None:
        return sorted(database.execute_sql(_UNMATCHED, values).fetchall())
    rows: set[tuple[int, int, int]] = set()
    for chunk in chunks(sorted(content_ids)):
        of_these = f"g.id IN (SELECT group_id FROM member WHERE content_id IN ({','.join('?' * len(chunk))}))"
        rows.update(database.execute_sql(f"{_UNMATCHED} AND {of_these}", (*values, *chunk)).fetchall())
    return sorted(rows)


def led_by(database: SqliteDatabase, detection_id: int, members: Sequence[tuple[int, int, int]]) -> list[OpenPair]:
    """The same with what leads from the reference to both; without those of which that is no longer known."""
    wanted = {(min(via, one), max(via, one)) for a_id, b_id, via in members for one in (a_id, b_id)}
    stored: dict[tuple[int, int], Evidence] = {}
    for chunk in chunks(sorted(wanted), 400):
        rows = database.execute_sql(
            f"SELECT a_id, b_id, evidence FROM match WHERE detection_id = ?"
            f" AND (a_id, b_id) IN (VALUES {','.join(['(?, ?)'] * len(chunk))})",
            (detection_id, *(content_id for pair in chunk for content_id in pair)),
        )
        stored.update(((a_id, b_id), json.loads(text)) for a_id, b_id, text in rows)
    led = {
        (via, one): found if via < one else reversed_evidence(found)
        for (low, high), found in stored.items()
        for via, one in ((low, high), (high, low))
    }
    return [
        OpenPair(a_id, b_id, via, (led[via, a_id], led[via, b_id]))
        for a_id, b_id, via in members
        if (via, a_id) in led and (via, b_id) in led
    ]


def traces(database: SqliteDatabase, content_ids: Iterable[int], version: str) -> dict[int, bytes]:
    """The traces of these contents, of this version; b"" if none could be made."""
    found: dict[int, bytes] = {}
    for chunk in chunks(content_ids):
        rows = Trace.select().where(Trace.content.in_(chunk), Trace.version == version)
        found.update((row.content_id, bytes(row.data)) for row in rows.execute(database))
    return found


def store_traces(database: SqliteDatabase, version: str, made: Mapping[int, bytes]) -> None:
    rows = [{"content": content_id, "version": version, "data": data} for content_id, data in made.items()]
    for chunk in chunks(rows, 200):
        Trace.insert_many(chunk).on_conflict_replace().execute(database)


def store_findings(
    database: SqliteDatabase, version: str, found: Mapping[Compared, tuple[Mapping[str, float], Mapping[str, float]]]
) -> None:
    """Store the evidence for pairs a < b: first the evidence that b was made from a, then the opposite."""
    rows = [
        {
            "a": a_id,
            "b": b_id,
            "via": via_id,
            "version": version,
            "findings": json.dumps({"forward": forward, "back": back}, sort_keys=True),
        }
        for (a_id, b_id, via_id), (forward, back) in found.items()
    ]
    for chunk in chunks(rows, 200):
        Origin.insert_many(chunk).on_conflict_replace().execute(database)


def images_in_groups(
    database: SqliteDatabase, content_ids: Collection[int] | None = None
) -> list[tuple[int, bytes, bytes]]:
    """The images in groups, ordered by path: id, path, path of the root. If contents are given, only images of
    these."""
    query = (
        "SELECT DISTINCT i.id, i.path, r.path FROM member m JOIN image i ON i.content_id = m.content_id"
        " JOIN root r ON r.id = i.root_id AND r.watched"
    )
    if content_ids is None:
        rows = database.execute_sql(query).fetchall()
    else:
        rows = []
        for chunk in chunks(sorted(content_ids)):
            marks = ",".join("?" * len(chunk))
            rows += database.execute_sql(f"{query} WHERE m.content_id IN ({marks})", chunk).fetchall()
    return sorted(((image_id, bytes(path), bytes(root)) for image_id, path, root in rows), key=lambda row: row[1])


def store_companions(
    database: SqliteDatabase, bonds_of: Mapping[int, Sequence[str]], said: Mapping[int, Description]
) -> None:
    """Store the kinds of companions of images, and the descriptions in their sidecars. Images without companions get no
    row."""
    for image_ids in chunks(bonds_of):
        Beside.delete().where(Beside.image.in_(image_ids)).execute(database)
    rows = [
        {"image": image_id, "bonds": ",".join(bonds), "description": said.get(image_id, Description())}
        for image_id, bonds in bonds_of.items()
        if bonds
    ]
    for chunk in chunks(rows, 200):
        Beside.insert_many(chunk).execute(database)


def sidecar_descriptions(database: SqliteDatabase, image_ids: Iterable[int]) -> dict[int, Description]:
    """The descriptions in the sidecars of images, by image id; only where there is one."""
    said: dict[int, Description] = {}
    for chunk in chunks(image_ids):
        rows = Beside.select(Beside.image, Beside.description).where(Beside.image.in_(chunk))
        said.update(rows.tuples().execute(database))
    return said
