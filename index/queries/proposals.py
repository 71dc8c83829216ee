"""What is told of a group besides its images: which of them is proposed to be kept, and why; its weakest link.

Reads only. Worked out when asked, so that it is never older than the settings, the folders and the files.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from peewee import SqliteDatabase

from index.grouping.keeper import Candidate, Proposal, propose_keeper
from index.model import Facts, Kind
from index.queries.listing import current_parameters
from index.records.catalogue import chunks
from index.records.listing_pages import Where, below_any
from index.verification.evidence import Evidence, mirrored

# A copy that shows this share of the other is the whole picture still: an edge narrower by a few pixels.
WHOLE_SHARE: Final = 0.97
# Formats of which the lossy form smooths noise away.
SMOOTHING: Final = frozenset({"WEBP", "AVIF"})


@dataclass(frozen=True, slots=True)
class WeakestLink:
    """The least sure match of a group: a member's first image, and how it is matched to the reference."""

    image_id: int
    kind: Kind
    confidence: float
    distance: int


@dataclass(frozen=True, slots=True)
class Outline:
    """What there is to tell of a group: `weakest` is None where all its images have the same bytes."""

    proposal: Proposal
    weakest: WeakestLink | None


@dataclass(frozen=True, slots=True)
class _Link:
    """How a member is matched to its group's reference; the evidence leads from the reference to it."""

    content_id: int
    kind: Kind
    confidence: float
    distance: int
    evidence: Evidence


def outlines(
    database: SqliteDatabase, group_ids: Iterable[int], criteria: Sequence[str] | None = None
) -> dict[int, Outline]:
    """The proposal and the weakest link of groups of the current detection; a group without files is left out.

    `criteria` are those of index.grouping.keeper, the first first.
    """
    found: dict[int, Outline] = {}
    for some in chunks(group_ids):
        links = _links(database, some)
        for group_id, files in _files(database, some).items():
            reference_id, of_group = links.get(group_id, (0, []))
            proposal = propose_keeper(_with_evidence(files, reference_id, of_group), criteria)
            found[group_id] = Outline(proposal, _weakest(files, of_group))
    return found


def candidates(database: SqliteDatabase, group_ids: Sequence[int]) -> dict[int, list[tuple[int, Candidate]]]:
    """The files of some groups as the criteria see them, by path, each with the id of its content."""
    links = _links(database, group_ids)
    found = {}
    for group_id, files in _files(database, group_ids).items():
        seen = _with_evidence(files, *links.get(group_id, (0, [])))
        found[group_id] = [(content_id, file) for (content_id, _), file in zip(files, seen, strict=True)]
    return found


def _files(database: SqliteDatabase, group_ids: Sequence[int]) -> dict[int, list[tuple[int, Candidate]]]:
    """The files of each group, one for each on disk, by path: the content's id, and the file for the criteria."""
    current = current_parameters(database)
    where = Where()
    where.add(f"m.group_id IN ({','.join('?' * len(group_ids))})", *group_ids)
    where.add(*below_any("i.path", () if current is None else current[1].folders))
    rows = database.execute_sql(
        "SELECT m.group_id, i.device, i.inode, m.content_id, i.id, i.path, i.size_bytes, i.mtime_ns, r.protected,"
        " r.priority, c.format, c.width, c.height, c.jpeg_quality, c.taken, c.metadata,"
        " c.mode, c.earlier_quality"
        " FROM member m JOIN content c ON c.id = m.content_id JOIN image i ON i.content_id = m.content_id"
        f" JOIN root r ON r.id = i.root_id AND r.watched WHERE {where} ORDER BY i.path",
        where.values,
    )
    found: dict[int, dict[tuple[int, int], tuple[int, Candidate]]] = defaultdict(dict)
    for group_id, device, inode, content_id, *of_file in rows:
        file = _candidate(*of_file)
        if (device, inode) in found[group_id]:
            # Reached twice: what protects one way to a file protects the file.
            _, first = found[group_id][device, inode]
            protected, priority = first.protected or file.protected, max(first.priority, file.priority)
            file = replace(first, protected=protected, priority=priority)
        found[group_id][device, inode] = (content_id, file)
    return {group_id: list(files.values()) for group_id, files in found.items()}


def _candidate(
    image_id: int, path: bytes, size_bytes: int, mtime_ns: int, protected: int, priority: int, *of_content: Any
) -> Candidate:
    picture_format, width, height, jpeg_quality, taken, metadata, mode, earlier_quality = of_content
    blocks = tuple(filter(None, metadata.split(",")))
    facts = Facts(
        picture_format,
        width,
        height,
        mode=mode,
        taken=taken,
        jpeg_quality=jpeg_quality,
        metadata=blocks,
        earlier_quality=earlier_quality,
    )
    return Candidate(image_id, bytes(path), facts, size_bytes, mtime_ns, bool(protected), priority)


def _links(database: SqliteDatabase, group_ids: Sequence[int]) -> dict[int, tuple[int, list[_Link]]]:
    """The reference of each group that has other contents too, and its links to them by position."""
    rows = database.execute_sql(
        "SELECT g.id, g.reference_id, m.content_id, mt.kind, mt.confidence, mt.distance, mt.a_id, mt.evidence"
        " FROM duplicate_group g JOIN member m ON m.group_id = g.id JOIN match mt ON mt.detection_id = g.detection_id"
        " AND mt.a_id = min(g.reference_id, m.content_id) AND mt.b_id = max(g.reference_id, m.content_id)"
        f" WHERE g.id IN ({','.join('?' * len(group_ids))}) ORDER BY g.id, m.position",
        group_ids,
    )
    found: dict[int, tuple[int, list[_Link]]] = {}
    for group_id, reference_id, content_id, kind, confidence, distance, a_id, text in rows:
        told = json.loads(text)
        evidence = told if a_id == reference_id else mirrored(told)
        _, links = found.setdefault(group_id, (reference_id, []))
        links.append(_Link(content_id, Kind(kind), confidence, distance, evidence))
    return found


def _weakest(files: Sequence[tuple[int, Candidate]], links: Sequence[_Link]) -> WeakestLink | None:
    """The link that is least sure, of equally sure ones the most distant."""
    firsts: dict[int, int] = {}
    for content_id, file in files:
        firsts.setdefault(content_id, file.image_id)
    shown = [link for link in links if link.content_id in firsts]
    if not shown:
        return None
    weakest = min(shown, key=lambda link: (link.confidence, -link.distance))
    return WeakestLink(firsts[weakest.content_id], weakest.kind, weakest.confidence, weakest.distance)


def _with_evidence(
    files: Sequence[tuple[int, Candidate]], reference_id: int, links: Sequence[_Link]
) -> list[Candidate]:
    """The files with what only a comparison tells: which are parts of another or framed, which are grey copies, and
    which are altered for the reference, or the reference for them."""
    partial = _lacking(reference_id, {link.content_id: _partial_side(link.evidence) for link in links})
    grey = _lacking(reference_id, {link.content_id: link.evidence.get("tone", {}).get("grey", "") for link in links})
    of_content = dict(files)
    reworked = {
        link.content_id
        for link in links
        if _is_reworked(link.evidence, of_content.get(reference_id), of_content.get(link.content_id))
    }
    return [
        replace(
            file,
            whole=content_id not in partial,
            coloured=content_id not in grey,
            reworked=content_id in reworked,
        )
        for content_id, file in files
    ]


def _is_reworked(evidence: Evidence, reference: Candidate | None, member: Candidate | None) -> bool:
    """Whether one of two pictures was altered by more than compressing it, apart from what tells itself which one."""
    if {"sharpness", "changed"} & evidence.keys() or evidence.get("tone", {}).keys() - {"grey"}:
        return True
    if "noise" not in evidence or reference is None or member is None:
        return "noise" in evidence
    smoother, noisier = (member, reference) if evidence["noise"] < 1 else (reference, member)
    # Its noise went with its bytes.
    return not (smoother.facts.format in SMOOTHING and smoother.size_bytes < noisier.size_bytes)


def _partial_side(evidence: Evidence) -> str:
    """Which of two pictures is a part of the other or has something around it: "first", "second", or "" for neither."""
    if "frames" in evidence:
        first, second = evidence["frames"]
        return "first" if first < second else "second"
    if "frame" in evidence:
        return str(evidence["frame"])
    if "crop" in evidence:
        left, top, right, bottom = evidence["crop"]["box"]
        if (right - left) * (bottom - top) < WHOLE_SHARE:
            return "second" if evidence["crop"]["of"] == "first" else "first"
    return ""


def _lacking(reference_id: int, sides: Mapping[int, str]) -> set[int]:
    """The contents that lack something, by which side of their link to the reference does. Where nothing is told of a
    link its two pictures have the same: a copy of a framed reference has the frame too."""
    if "first" not in sides.values():
        return {content_id for content_id, side in sides.items() if side == "second"}
    return {reference_id} | {content_id for content_id, side in sides.items() if side != "first"}
