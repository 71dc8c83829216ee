"""The traces of contents, the evidence of origin for pairs of contents, and the companions of images in groups."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.schema import Beside, Origin, Trace
from index.model import Description

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class OpenPair:
    """Two contents, a < b, that may be in one group and whose origin was not examined yet. The evidence has the
    direction from a to b."""

    a_id: int
    b_id: int
    evidence: Mapping[str, Any]


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
    return [OpenPair(a_id, b_id, json.loads(text)) for a_id, b_id, text in sorted(set(rows))]


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
    database: SqliteDatabase, version: str, found: Mapping[Pair, tuple[Mapping[str, float], Mapping[str, float]]]
) -> None:
    """Store the evidence for pairs a < b: first the evidence that b was made from a, then the opposite."""
    rows = [
        {
            "a": a_id,
            "b": b_id,
            "version": version,
            "findings": json.dumps({"forward": forward, "back": back}, sort_keys=True),
        }
        for (a_id, b_id), (forward, back) in found.items()
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
