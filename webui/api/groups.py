"""REST: the groups of duplicates, as a list that is paged and as one group; the whole as the result file."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from peewee import SqliteDatabase

from index.grouping.keeper import Proposal
from index.model import Kind, Turn
from index.queries import listing, proposals, report
from index.queries.listing import FileRow, GroupFilter, GroupRow, MemberRow
from index.queries.proposals import Outline, WeakestLink
from index.records import compressions, decisions, findings
from index.records.decisions import Decided
from index.verification.evidence import sentence
from webui import shapes, shapes_found
from webui.api.decisions import decision_fields
from webui.api.images import image_fields
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.shapes import iso_time, path_bytes

# Those that the sentences of evidence are written in.
LANGUAGES = ("en", "fr")
MADE_OF = {"en": "compressed here from {name}", "fr": "compressée ici à partir de {name}"}


def get_groups(call: Call) -> shapes.GroupList:
    query: shapes.GroupListQuery = call.query
    order = f"groups {query.sort} {query.order}"
    criteria = call.services.keeper_criteria()
    after = decode_cursor(query.cursor, order, (float if query.sort == "confidence" else int, str))
    with call.store.read() as database:
        page = listing.groups_page(database, _filter(query), query.sort, query.order == "asc", after, query.limit)
        # One more than is shown tells whether there are more.
        members = listing.members(database, [row.id for row in page.items], query.images + 1)
        outlines = proposals.outlines(database, [row.id for row in page.items], criteria)
        decided = decisions.of_images(database, [one.file.id for found in members.values() for one in found])
        sources = _sources(database, [one for found in members.values() for one in found])
        kinds = listing.kinds_of_groups(database)
    return shapes.GroupList(
        items=[
            shapes.Group(**_fields(row, outlines.get(row.id), members[row.id], decided, sources, query.images))
            for row in page.items
        ],
        next=encode_cursor(order, page.after),
        total=page.total,
        kinds=kinds,
    )


def get_group(call: Call) -> shapes.GroupDetail:
    query: shapes.GroupQuery = call.query
    criteria = call.services.keeper_criteria()
    after = decode_cursor(query.cursor, f"images {call.key}", (int, bytes))
    with call.store.read() as database:
        row = listing.group(database, call.key)
        members = listing.members(database, [row.id], query.limit + 1, after)
        outline = proposals.outlines(database, [row.id], criteria).get(row.id)
        decided = decisions.of_images(database, [one.file.id for one in members[row.id]])
        sources = _sources(database, members[row.id])
        previous, following = listing.neighbours(database, _filter(query), query.sort, query.order == "asc", row)
    return shapes.GroupDetail(
        **_fields(row, outline, members[row.id], decided, sources, query.limit, continued=after is not None),
        previous=previous,
        following=following,
    )


def delete_groups(call: Call) -> Reply:
    """What the verifier said of pairs is kept, so that the next detection is quick."""

    def clear(database: SqliteDatabase) -> None:
        detection = findings.current_detection(database)
        if detection is not None:
            findings.drop_detection(database, detection.id)

    call.store.write(clear)
    return Reply(b"", "", 204)


def get_duplicates(call: Call) -> Reply:
    with call.store.read() as database:
        found = report.result(database, call.services.keeper_criteria())
    return Reply(json.dumps(found, indent=1).encode(), "application/json")


def _filter(query: shapes.GroupChoice) -> GroupFilter:
    kinds = tuple(filter(None, query.kind.split(",")))
    decided = tuple(filter(None, query.decided.split(",")))
    return GroupFilter(kinds, query.root or None, path_bytes(query.path), query.min_images, decided)


def _fields(
    row: GroupRow,
    outline: Outline | None,
    members: list[MemberRow],
    decided: Mapping[int, Decided],
    sources: Mapping[int, FileRow],
    limit: int,
    continued: bool = False,
) -> dict[str, Any]:
    shown = members[:limit]
    last = (shown[-1].place, shown[-1].file.path) if len(members) > limit else None
    return {
        "id": row.key,
        "kind": Kind(row.kind),
        "confidence": row.confidence,
        "size_bytes": row.size_bytes,
        "reclaimable_bytes": row.reclaimable_bytes,
        "newest": iso_time(row.newest_ns),
        "changed": iso_time(row.changed_ns),
        "decided": row.decided,
        "proposal": None if outline is None else _proposal_shape(outline.proposal),
        "weakest": None if outline is None or outline.weakest is None else _weakest_shape(outline.weakest),
        "images": shapes.MemberList(
            items=[
                _member_shape(
                    member, decided.get(member.file.id), sources.get(member.file.id), not continued and number == 0
                )
                for number, member in enumerate(shown)
            ],
            next=encode_cursor(f"images {row.key}", last),
            total=row.images,
        ),
    }


def _proposal_shape(proposal: Proposal) -> shapes.Proposal:
    return shapes.Proposal(
        image=proposal.image_id,
        decided_by=proposal.decided_by,
        tie=proposal.tie,
        reasons=[shapes.Reason(**asdict(reason)) for reason in proposal.reasons],
    )


def _weakest_shape(link: WeakestLink) -> shapes.Weakest:
    return shapes.Weakest(image=link.image_id, kind=link.kind, confidence=link.confidence, distance=link.distance)


def _sources(database: SqliteDatabase, members: Sequence[MemberRow]) -> dict[int, FileRow]:
    """For each image that compression made from another of these: that one."""
    by_digest = {member.file.digest: member.file for member in reversed(members)}
    made_of = compressions.sources_of(database, by_digest)
    found = {}
    for member in members:
        there = sorted(made_of.get(member.file.digest, set()) & by_digest.keys())
        if there:
            found[member.file.id] = by_digest[there[0]]
    return found


def _sentences(member: MemberRow, source: FileRow | None) -> dict[str, str] | None:
    """How an image comes from the reference, in words; first of all that it was made smaller here, where it was."""
    if member.kind == Kind.EXACT:
        return None
    told = {name: sentence(member.evidence, name) for name in LANGUAGES}
    if source is None:
        return told
    named = os.path.basename(source.path).decode("utf-8", "replace")
    return {name: f"{MADE_OF[name].format(name=named)}, {words}" for name, words in told.items()}


def _member_shape(member: MemberRow, decided: Decided | None, source: FileRow | None, reference: bool) -> shapes.Member:
    return shapes.Member(
        **image_fields(member.file),
        reference=reference,
        kind=Kind(member.kind),
        distance=member.distance,
        turn=Turn(member.turn),
        confidence=member.confidence,
        evidence=member.evidence,
        sentence=_sentences(member, source),
        copy_of=member.copy_of,
        compressed_from=None if source is None else source.id,
        decision=None if decided is None else shapes.Decision(**decision_fields(decided)),
    )


ROUTES = (
    Route(
        "GET", f"{API}/groups", get_groups, "Groups of duplicates, sorted and paged", "groups",
        shapes.GroupList, query=shapes.GroupListQuery,
    ),
    Route(
        "DELETE", f"{API}/groups", delete_groups,
        "Drop all groups until the next detection; decisions and verdicts stay", "groups", status=204,
    ),
    Route(
        "GET", f"{API}/groups/{{id}}", get_group, "One group with its images, and its neighbours in the list",
        "groups", shapes.GroupDetail, key_type=str, query=shapes.GroupQuery,
    ),
    Route(
        "GET", f"{API}/duplicates", get_duplicates, "Everything found, in the format of the result file", "groups",
        shapes_found.ResultFile,
    ),
)  # fmt: skip
