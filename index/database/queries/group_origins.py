"""What the pairs of contents in groups show of their origin: stored findings, or what is known without them.

Reads only. The pairs of the first contents of a group with all others are read: as they were compared with each other
or, beyond the very first and where that says as much, through their relations to the reference.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.records.matches import MATCHES_TO_REFERENCE, SAYS_MORE
from index.imaging.grouping.groups import COMPARED, TRACED
from index.imaging.originality.pair_evidence import VERSION, Member, made_from
from index.imaging.originality.standing import PairFindings
from index.imaging.verification.edit_evidence import reversed_evidence
from index.model import Facts, Kind


@dataclass(frozen=True, slots=True)
class GroupPair:
    """Two contents of a group, a < b. `evidence` is from a to b, "" if they were not compared with each other;
    `findings` are stored ones, "" for none."""

    a_id: int
    b_id: int
    kind: Kind
    evidence: str
    findings: str


# A list or a preview needs the same evidence several times in a row.
@lru_cache(maxsize=2048)
def parsed(evidence: str) -> Mapping[str, Any]:
    """Stored evidence. It is shared, so it must not be changed."""
    found: Mapping[str, Any] = json.loads(evidence)
    return found


def pairs(database: SqliteDatabase, group_ids: Sequence[int]) -> dict[int, list[GroupPair]]:
    """The matched pairs of each group that are read; of those with equal pixels all, since they are one picture."""
    found: dict[int, list[GroupPair]] = defaultdict(list)
    for chunk in chunks(group_ids):
        rows = database.execute_sql(
            "SELECT g.id, min(one.content_id, other.content_id), max(one.content_id, other.content_id),"
            " coalesce(mt.kind, 'near'), coalesce(mt.evidence, ''), coalesce(o.findings, '')"
            " FROM duplicate_group g JOIN member one ON one.group_id = g.id AND one.position < ?"
            " JOIN member other ON other.group_id = g.id"
            " AND (other.position, other.content_id) > (one.position, one.content_id)"
            " AND (one.position < ? OR other.position < ?)"
            f"{MATCHES_TO_REFERENCE}"
            " LEFT JOIN match mt ON one.position < ? AND mt.detection_id = g.detection_id"
            " AND mt.a_id = min(one.content_id, other.content_id) AND mt.b_id = max(one.content_id, other.content_id)"
            f" AND (one.position = 0 OR mt.kind = 'pixels' OR {SAYS_MORE})"
            " LEFT JOIN origin o ON o.a_id = min(one.content_id, other.content_id)"
            " AND o.b_id = max(one.content_id, other.content_id)"
            " AND o.via_id = CASE WHEN mt.a_id IS NULL THEN g.reference_id ELSE o.a_id END AND o.version = ?"
            f" WHERE g.id IN ({','.join('?' * len(chunk))})"
            " AND (mt.a_id IS NOT NULL OR o.a_id IS NOT NULL AND other.position < ?)",
            (TRACED, COMPARED, TRACED, COMPARED, VERSION, *chunk, TRACED),
        )
        for group_id, a_id, b_id, kind, evidence, findings in rows:
            found[group_id].append(GroupPair(a_id, b_id, Kind(kind), evidence, findings))
        rows = database.execute_sql(
            "SELECT one.group_id, mt.a_id, mt.b_id, mt.evidence"
            " FROM member one JOIN duplicate_group g ON g.id = one.group_id"
            " JOIN match mt ON mt.detection_id = g.detection_id AND mt.a_id = one.content_id AND mt.kind = ?"
            " JOIN member other ON other.group_id = one.group_id AND other.content_id = mt.b_id AND other.position >= ?"
            f" WHERE one.group_id IN ({','.join('?' * len(chunk))}) AND one.position >= ?",
            (Kind.PIXELS, COMPARED, *chunk, COMPARED),
        )
        for group_id, a_id, b_id, evidence in rows:
            found[group_id].append(GroupPair(a_id, b_id, Kind.PIXELS, evidence, ""))
    return found


def pictures(content_ids: Sequence[int], of_group: Iterable[GroupPair]) -> dict[int, int]:
    """The number of the picture of each content: the place in `content_ids` of the first content with the same
    pixels."""
    picture_of = {content_id: place for place, content_id in enumerate(content_ids)}
    for pair in of_group:
        if pair.kind is Kind.PIXELS and pair.a_id in picture_of and pair.b_id in picture_of:
            low, high = sorted((picture_of[pair.a_id], picture_of[pair.b_id]))
            picture_of = {content_id: low if of == high else of for content_id, of in picture_of.items()}
    return picture_of


def evidence_from(content_id: int, of_group: Iterable[GroupPair]) -> dict[int, dict[str, Any]]:
    """The evidence from one content of a group to each of the others that it was compared with."""
    found: dict[int, dict[str, Any]] = {}
    for pair in of_group:
        if not pair.evidence:
            continue
        if content_id == pair.a_id:
            found[pair.b_id] = json.loads(pair.evidence)
        elif content_id == pair.b_id:
            found[pair.a_id] = reversed_evidence(json.loads(pair.evidence))
    return found


def findings(facts: Mapping[int, Facts], of_group: Iterable[GroupPair]) -> dict[tuple[int, int], PairFindings]:
    """The findings on each pair, in both directions; without the pictures if they were not compared."""
    found: dict[tuple[int, int], PairFindings] = {}
    for pair in of_group:
        if pair.kind is Kind.PIXELS or pair.a_id not in facts or pair.b_id not in facts:
            continue
        if pair.findings:
            stored = json.loads(pair.findings)
            found[pair.a_id, pair.b_id] = stored["forward"], stored["back"]
            continue
        evidence = parsed(pair.evidence)
        one, other = Member(facts[pair.a_id], None), Member(facts[pair.b_id], None)
        found[pair.a_id, pair.b_id] = (
            made_from(one, other, evidence),
            made_from(other, one, reversed_evidence(evidence)),
        )
    return found
