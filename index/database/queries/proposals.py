"""The proposed keeper of a group, with the reasons and what is uncertain, and its weakest match.

Reads only. Calculated on request, so that a proposal is never older than the settings, the folders and the files.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from peewee import SqliteDatabase

from index.database.fields import attachments_from, description_from
from index.database.queries import group_origins
from index.database.records.images import chunks
from index.database.records.matches import within_folders
from index.database.records.sql_paging import Where
from index.imaging.decoding.capture_date import of_name
from index.imaging.decoding.description import dated, kinds_written
from index.imaging.grouping.keeper import KeeperCandidate, Proposal, propose_keeper
from index.imaging.originality.composed import composed, follows
from index.imaging.originality.file_signs import FileSeen
from index.imaging.originality.fitted import group_weights, second_weights, weights
from index.imaging.originality.model import weightiest
from index.imaging.originality.standing import Standing, standing
from index.imaging.verification.edit_evidence import Evidence, reversed_evidence
from index.model import Description, Facts, Kind

# A copy that shows at least this share of the other picture counts as whole: its edges differ by a few pixels.
WHOLE_SHARE: Final = 0.97
# Formats whose lossy compression removes noise.
SMOOTHING: Final = frozenset({"WEBP", "AVIF"})
# The evidence of what only a comparison shows of a picture: whether it is whole, coloured, reworked.
SHOWN_BY_COMPARING: Final = frozenset({"frames", "frame", "crop", "tone", "sharpness", "changed", "noise"})
# For a tie, the evidence against this many others is described.
MOST_RIVALS: Final = 3
# Clocks and time zones differ; what is later than tomorrow is in the future.
DAY_NS: Final = 86_400 * 10**9
NOTHING: Final = Description()


@dataclass(frozen=True, slots=True)
class WeakestLink:
    """The least certain match of a group: the first image of a member, and how it is matched to the reference."""

    image_id: int
    kind: Kind
    confidence: float
    distance: int


@dataclass(frozen=True, slots=True)
class Speaking:
    """The evidence for one image being the original of another: names of findings, the weightiest first."""

    image_id: int
    other_id: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """The proposal for a group and its weakest match; `weakest` is None if all images have the same bytes. `speaking`
    is the evidence for one image of the group against another, the proposed one first. `led` has, by content, the
    evidence from the proposed image to the others, and none for the proposed image itself."""

    proposal: Proposal
    weakest: WeakestLink | None
    speaking: tuple[Speaking, ...] = ()
    led: Mapping[int, Evidence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Link:
    """How a member is matched to its group's reference; the evidence is in the direction from the reference to it."""

    content_id: int
    kind: Kind
    confidence: float
    distance: int
    evidence: Evidence


def outlines(
    database: SqliteDatabase, group_ids: Iterable[int], criteria: Sequence[str] | None = None
) -> dict[int, Outline]:
    """The proposal and the weakest match of groups of the current detection; groups without files are left out.

    `criteria` are names from imaging.grouping.keeper, highest priority first.
    """
    outline_of: dict[int, Outline] = {}
    for chunk in chunks(group_ids):
        links = _links(database, chunk)
        files_of = _files(database, chunk)
        pairs_of = group_origins.pairs(database, list(files_of))
        completed = _completed(files_of, links, pairs_of)
        for group_id, files in files_of.items():
            _, of_group = links.get(group_id, (0, []))
            candidates, group_standing = completed[group_id]
            proposal = propose_keeper([file for _, file in candidates], criteria, group_standing)
            speaking = _speaking(proposal, [file for _, file in candidates], group_standing)
            kept = next(content_id for content_id, file in candidates if file.image_id == proposal.image_id)
            facts = {content_id: file.facts for content_id, file in candidates}
            led = _led(kept, of_group, facts) | group_origins.evidence_from(kept, pairs_of.get(group_id, ()))
            outline_of[group_id] = Outline(proposal, _weakest(files, of_group), speaking, led)
    return outline_of


def _led(kept: int, links: Sequence[_Link], facts: Mapping[int, Facts]) -> dict[int, Evidence]:
    """The evidence from a content to others, if it follows from the evidence from the reference to both."""
    to_kept = next((link.evidence for link in links if link.content_id == kept), None)
    if to_kept is None:
        return {}
    return {
        link.content_id: composed(to_kept, link.evidence, facts[kept], facts[link.content_id])
        for link in links
        if link.content_id != kept and link.content_id in facts and follows(to_kept, link.evidence)
    }


def candidates(
    database: SqliteDatabase, group_ids: Sequence[int]
) -> dict[int, tuple[list[tuple[int, KeeperCandidate]], Standing]]:
    """The files of groups as the criteria compare them, ordered by path, each with the id of its content; and the
    standing of the group's pictures."""
    pairs_of = group_origins.pairs(database, group_ids)
    return _completed(_files(database, group_ids), _links(database, group_ids), pairs_of)


def equal_candidates(
    database: SqliteDatabase, group_ids: Sequence[int], by_bytes: bool
) -> dict[int, list[tuple[int, KeeperCandidate]]]:
    """The files of groups as from `candidates`, to be compared only with files of equal bytes, or otherwise only those
    that show the pixels of the reference: in a third of the time, since the original is not determined."""
    links = _links(database, group_ids, (Kind.PIXELS,))
    kinds = () if by_bytes else (Kind.EXACT, Kind.PIXELS)
    return {
        group_id: _with_evidence(
            files,
            *links.get(group_id, (0, [])),
            {content_id: content_id if by_bytes else 0 for content_id, _ in files},
        )
        for group_id, files in _files(database, group_ids, kinds, None if by_bytes else 0).items()
    }


def _completed(
    files_of: Mapping[int, list[tuple[int, KeeperCandidate]]],
    links: Mapping[int, tuple[int, list[_Link]]],
    pairs_of: Mapping[int, Sequence[group_origins.GroupPair]],
) -> dict[int, tuple[list[tuple[int, KeeperCandidate]], Standing]]:
    """The files with the results of comparisons, and the standing of each group."""
    completed = {}
    for group_id, files in files_of.items():
        pairs = pairs_of.get(group_id, ())
        # In the order of the paths, so that nothing depends on the order of arrival.
        in_order = list(dict.fromkeys(content_id for content_id, _ in files))
        picture_of = group_origins.pictures(in_order, pairs)
        seen: dict[int, list[FileSeen]] = defaultdict(list)
        for content_id, file in files:
            seen[content_id].append(FileSeen(file.path, file.mtime_ns, file.facts.taken))
        facts = {content_id: file.facts for content_id, file in files}
        found = group_origins.findings(facts, pairs)
        group_standing = standing(picture_of, seen, found, weights(), group_weights(), second_weights())
        with_evidence = _with_evidence(files, *links.get(group_id, (0, [])), picture_of)
        completed[group_id] = with_evidence, group_standing
    return completed


def _speaking(
    proposal: Proposal, candidates: Sequence[KeeperCandidate], standing: Standing | None
) -> tuple[Speaking, ...]:
    """The evidence for the proposed image against each other picture; for a tie, also the evidence against it, for the
    likeliest of the others."""
    if standing is None:
        return ()
    image_of: dict[int, int] = {}
    for candidate in candidates:
        if candidate.picture is not None:
            image_of.setdefault(candidate.picture, candidate.image_id)
    kept = next(candidate.picture for candidate in candidates if candidate.image_id == proposal.image_id)
    if kept is None:
        return ()
    image_of[kept] = proposal.image_id
    others = sorted((p for p in image_of if p != kept), key=lambda p: (-standing.shares.get(p, 0.0), p))
    found = [(kept, other) for other in others]
    if proposal.tie:
        found += [(other, kept) for other in others[:MOST_RIVALS]]
    speaking = (
        Speaking(image_of[one], image_of[other], weightiest(standing.speaks.get((one, other), {})))
        for one, other in found
    )
    return tuple(entry for entry in speaking if entry.findings)


def _files(
    database: SqliteDatabase, group_ids: Sequence[int], kinds: Sequence[Kind] = (), picture: int | None = None
) -> dict[int, list[tuple[int, KeeperCandidate]]]:
    """The files of each group, one for each file on disk, ordered by path: the content id and the keeper candidate,
    with this picture. Only those whose match to the reference is of one of these kinds, if any are given."""
    where = Where()
    where.add(f"g.id IN ({','.join('?' * len(group_ids))})", *group_ids)
    where.add(*_of_kinds(kinds))
    where.add(*within_folders(database))
    rows = database.execute_sql(
        "SELECT m.group_id, i.device, i.inode, m.content_id, i.mtime_ns, c.taken, i.id, i.path, i.size_bytes,"
        " r.protected AND NOT r.temporary, r.temporary > 0, r.priority,"
        " c.format, c.width, c.height, c.jpeg_quality, c.metadata,"
        " c.mode, c.earlier_quality, c.bit_depth, c.damage, c.attachments,"
        " c.camera, c.frames, c.description, coalesce(b.bonds, ''), coalesce(b.description, '{}')"
        " FROM duplicate_group g CROSS JOIN member m ON m.group_id = g.id JOIN content c ON c.id = m.content_id"
        " JOIN image i ON i.content_id = m.content_id LEFT JOIN beside b ON b.image_id = i.id"
        f" JOIN root r ON r.id = i.root_id AND r.watched WHERE {where} ORDER BY i.path",
        where.values,
    )
    latest_ns = time.time_ns() + DAY_NS
    latest_day = datetime.fromtimestamp(latest_ns // 10**9, UTC).date().isoformat()
    files_of: dict[int, dict[tuple[int, int], tuple[int, KeeperCandidate]]] = defaultdict(dict)
    for group_id, device, inode, content_id, mtime_ns, taken, *of_file in rows:
        # A time in the future says nothing.
        times = mtime_ns if mtime_ns <= latest_ns else 0, taken if taken[:10] <= latest_day else "", latest_day
        file = _candidate(picture, *times, *of_file)
        if (device, inode) in files_of[group_id]:
            # The same file by another path: a file is protected if any of its paths is, and outside if all are.
            _, first = files_of[group_id][device, inode]
            protected, priority = first.protected or file.protected, max(first.priority, file.priority)
            is_outside = first.outside and file.outside
            shown = first if is_outside or not first.outside else file
            file = shown._replace(protected=protected, priority=priority, outside=is_outside)
        files_of[group_id][device, inode] = (content_id, file)
    return {group_id: list(files.values()) for group_id, files in files_of.items()}


def _candidate(
    picture: int | None,
    mtime_ns: int,
    taken: str,
    latest_day: str,
    image_id: int,
    path: bytes,
    size_bytes: int,
    protected: int,
    outside: int,
    priority: int,
    *of_content: Any,
) -> KeeperCandidate:
    """The candidate of a row; `latest_day` is the last day that is not in the future, in ISO 8601."""
    picture_format, width, height, jpeg_quality, metadata, mode, earlier_quality, *more = of_content
    bit_depth, damage, attachments, camera, frames, description, bonds, in_sidecars = more
    facts = Facts(
        picture_format,
        width,
        height,
        mode=mode,
        taken=taken,
        jpeg_quality=jpeg_quality,
        metadata=_names(metadata),
        earlier_quality=earlier_quality,
        bit_depth=bit_depth,
        damage=damage,
        attachments=() if attachments == "[]" else attachments_from(attachments),
        camera=camera,
        frames=frames,
    )
    name = bytes(path).rpartition(b"/")[2]
    if description == in_sidecars == "{}":
        # Most have no metadata, and only the name may contain a date.
        dated_at, written = of_name(name)[0], 0
    else:
        own, sidecars = (NOTHING if text == "{}" else description_from(text) for text in (description, in_sidecars))
        dated_at, written = dated(own, sidecars, name).taken, kinds_written(own, sidecars)
    dated_at = dated_at or taken
    return KeeperCandidate(
        image_id, bytes(path), facts, size_bytes, mtime_ns, bool(protected), priority, picture=picture,
        companions=_names(bonds), taken=dated_at if dated_at[:10] <= latest_day else "", written=written,
        outside=bool(outside),
    )  # fmt: skip


@lru_cache(maxsize=256)
def _names(text: str) -> tuple[str, ...]:
    """Names joined by commas."""
    return tuple(filter(None, text.split(",")))


def _of_kinds(kinds: Sequence[Kind]) -> tuple[str, ...]:
    """The SQL for "the member m is of one of these kinds", true for any if there are none."""
    return (f"m.kind IN ({','.join('?' * len(kinds))})", *kinds) if kinds else ("1",)


def _links(
    database: SqliteDatabase, group_ids: Sequence[int], kinds: Sequence[Kind] = ()
) -> dict[int, tuple[int, list[_Link]]]:
    """For each group with more than one content: its reference, and the links to the other contents by position; only
    those of these kinds, if any are given."""
    of_kinds, *values = _of_kinds(kinds)
    rows = database.execute_sql(
        "SELECT g.id, g.reference_id, m.content_id, mt.kind, mt.confidence, mt.distance, mt.a_id, mt.evidence"
        " FROM duplicate_group g JOIN member m ON m.group_id = g.id JOIN match mt ON mt.detection_id = g.detection_id"
        " AND mt.a_id = min(g.reference_id, m.content_id) AND mt.b_id = max(g.reference_id, m.content_id)"
        f" WHERE g.id IN ({','.join('?' * len(group_ids))}) AND {of_kinds} ORDER BY g.id, m.position",
        (*group_ids, *values),
    )
    links_of: dict[int, tuple[int, list[_Link]]] = {}
    for group_id, reference_id, content_id, kind, confidence, distance, a_id, text in rows:
        stored = group_origins.parsed(text)
        evidence = stored if a_id == reference_id else reversed_evidence(stored)
        _, links = links_of.setdefault(group_id, (reference_id, []))
        links.append(_Link(content_id, Kind(kind), confidence, distance, evidence))
    return links_of


def _weakest(files: Sequence[tuple[int, KeeperCandidate]], links: Sequence[_Link]) -> WeakestLink | None:
    """The link with the lowest confidence; among equal ones, the one with the largest distance."""
    firsts: dict[int, int] = {}
    for content_id, file in files:
        firsts.setdefault(content_id, file.image_id)
    shown = [link for link in links if link.content_id in firsts]
    if not shown:
        return None
    weakest = min(shown, key=lambda link: (link.confidence, -link.distance))
    return WeakestLink(firsts[weakest.content_id], weakest.kind, weakest.confidence, weakest.distance)


def _with_evidence(
    files: Sequence[tuple[int, KeeperCandidate]],
    reference_id: int,
    links: Sequence[_Link],
    picture_of: Mapping[int, int],
) -> list[tuple[int, KeeperCandidate]]:
    """The files with their pictures, and the properties that only a comparison shows: which are parts of another
    picture or framed, which are grey copies, and which were reworked relative to the reference."""
    if not any(SHOWN_BY_COMPARING & link.evidence.keys() for link in links):
        return [(content_id, file.seen_as(picture_of[content_id])) for content_id, file in files]
    partial = _contents_lacking(reference_id, {link.content_id: _partial_side(link.evidence) for link in links})
    grey = _contents_lacking(
        reference_id, {link.content_id: link.evidence.get("tone", {}).get("grey", "") for link in links}
    )
    of_content = dict(files)
    reworked = {
        link.content_id
        for link in links
        if _is_reworked(link.evidence, of_content.get(reference_id), of_content.get(link.content_id))
    }
    return [
        (
            content_id,
            file.seen_as(
                picture_of[content_id],
                whole=content_id not in partial,
                coloured=content_id not in grey,
                reworked=content_id in reworked,
            ),
        )
        for content_id, file in files
    ]


def _is_reworked(evidence: Evidence, reference: KeeperCandidate | None, member: KeeperCandidate | None) -> bool:
    """Whether one of two pictures was altered by more than compression, if the evidence does not show which one."""
    if {"sharpness", "changed"} & evidence.keys() or evidence.get("tone", {}).keys() - {"grey"}:
        return True
    if "noise" not in evidence or reference is None or member is None:
        return "noise" in evidence
    smoother, noisier = (member, reference) if evidence["noise"] < 1 else (reference, member)
    # A smaller file in such a format lost its noise by compression.
    return not (smoother.facts.format in SMOOTHING and smoother.size_bytes < noisier.size_bytes)


def _partial_side(evidence: Evidence) -> str:
    """Which of two pictures is a part of the other or has a frame: "first", "second", or "" for neither."""
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


def _contents_lacking(reference_id: int, sides: Mapping[int, str]) -> set[int]:
    """The contents that lack something, from the side of each link to the reference that lacks it. A link without a
    side joins two equal pictures: a copy of a framed reference has the frame too."""
    if "first" not in sides.values():
        return {content_id for content_id, side in sides.items() if side == "second"}
    return {reference_id} | {content_id for content_id, side in sides.items() if side != "first"}
