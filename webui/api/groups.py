"""REST: the groups of duplicates, as a paged list, one by one, or all together in the format of the result file."""

import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from peewee import SqliteDatabase

from index.database.queries import listing, proposals, result_file
from index.database.queries.group_filter import GroupFilter
from index.database.queries.listing import FileRow, GroupRow, MemberRow
from index.database.queries.proposals import Outline, WeakestLink
from index.database.records import compressions, decisions, matches
from index.database.records.decisions import StoredDecision
from index.database.records.sql_paging import Page
from index.imaging.originality.account import sentence as origin_sentence
from index.imaging.verification.edit_evidence import PROPOSED, sentence
from index.messages import LANGUAGES, Message, render
from index.model import Kind, Turn
from webui.api import decision_schemas, group_schemas, result_schemas
from webui.api.decisions import decision_fields
from webui.api.images import image_fields
from webui.paging import Place, decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, path_bytes

# The size up to which a result is kept in memory. A larger one goes to a file.
SPOOLED_BYTES = 8 * 2**20
# The media type and the file name ending of each form.
RESULT_FORMS = {
    "json": ("application/json", "json"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "text": ("text/plain; charset=utf-8", "txt"),
}
# Precedes the cursor of a previous page.
BACKWARDS = "-"
SCENES = {"without": False, "only": True, "with": None}


def get_groups(call: Call) -> group_schemas.GroupList:
    query: group_schemas.GroupListQuery = call.query
    criteria = call.services.keeper_criteria()
    with call.store.read() as database:
        listing.check_search(database, query.search or 0)
        page, previous, following = _list_page(database, query)
        outlines = proposals.outlines(database, [row.id for row in page.items], criteria)
        proposed = [outline.proposal.image_id for outline in outlines.values()]
        # One more than is shown, to know whether there are more.
        members = listing.members(database, [row.id for row in page.items], query.images + 1, always=proposed)
        decided = decisions.of_images(
            database, [member.file.id for of_group in members.values() for member in of_group]
        )
        sources = _sources(database, [member for of_group in members.values() for member in of_group])
        kinds, scenes = listing.kinds_and_scenes(database, group_filter(query))
    return group_schemas.GroupList(
        items=[
            group_schemas.Group(**_fields(row, outlines.get(row.id), members[row.id], decided, sources, query.images))
            for row in page.items
        ],
        next=following,
        previous=previous,
        total=page.total,
        kinds=kinds,
        scenes=scenes,
    )


def _list_page(
    database: SqliteDatabase, query: group_schemas.GroupListQuery
) -> tuple[Page[GroupRow], str | None, str | None]:
    """The requested page, and the cursors of the pages before and after it."""
    order = f"groups {query.sort} {query.order}"
    kinds = (float if query.sort == "confidence" else int, str)
    backwards = query.cursor.startswith(BACKWARDS)
    cursor = decode_cursor(query.cursor.removeprefix(BACKWARDS), order, kinds)
    chosen, ascending = group_filter(query), query.order == "asc"

    def previous(page: Page[GroupRow]) -> str | None:
        cursor = encode_cursor(order, page.after)
        return None if cursor is None else BACKWARDS + cursor

    def read(place: Place | None, limit: int, backwards: bool = False, including: bool = False) -> Page[GroupRow]:
        return listing.groups_page(
            database, chosen, query.sort, ascending, place, limit, backwards=backwards, including=including
        )

    here = listing.find_group(database, query.around, chosen.search) if query.around else None
    if here is not None:
        place = listing.place_of(here, query.sort)
        earlier = read(place, query.limit // 2, backwards=True)
        later = read(place, query.limit, including=True)
        page = replace(later, items=[*earlier.items, *later.items])
        return page, previous(earlier), encode_cursor(order, later.after)
    page = read(cursor, query.limit, backwards=backwards)
    if backwards:
        return page, previous(page), query.cursor.removeprefix(BACKWARDS)
    first = listing.place_of(page.items[0], query.sort) if cursor is not None and page.items else None
    return page, previous(replace(page, after=first)), encode_cursor(order, page.after)


def get_group(call: Call) -> group_schemas.GroupDetail:
    query: group_schemas.GroupQuery = call.query
    criteria = call.services.keeper_criteria()
    after = decode_cursor(query.cursor, f"images {call.key}", (int, bytes))
    with call.store.read() as database:
        row = listing.group(database, call.key, query.search or 0)
        members = listing.members(database, [row.id], query.limit + 1, after)
        outline = proposals.outlines(database, [row.id], criteria).get(row.id)
        decided = decisions.of_images(database, [member.file.id for member in members[row.id]])
        sources = _sources(database, members[row.id])
        previous, following = listing.neighbours(database, group_filter(query), query.sort, query.order == "asc", row)
    return group_schemas.GroupDetail(
        **_fields(row, outline, members[row.id], decided, sources, query.limit, after is not None, paged=True),
        previous=previous,
        following=following,
    )


def delete_groups(call: Call) -> Reply:
    """Delete the groups. The verifier's judgements are kept, so the next detection is fast."""

    def clear(database: SqliteDatabase) -> None:
        detection = matches.current_detection(database)
        if detection is not None:
            matches.drop_detection(database, detection.id)

    call.store.write(clear)
    return Reply(b"", "", 204)


def get_duplicates(call: Call) -> Reply:
    """The result, written to a temporary file next to the index, since it may be larger than the memory."""
    query: result_schemas.DuplicatesQuery = call.query
    kinds = frozenset(filter(None, query.kind.split(","))) or (result_file.CERTAIN if query.format == "text" else None)
    buffer = tempfile.SpooledTemporaryFile(SPOOLED_BYTES, dir=os.path.dirname(call.store.path))  # noqa: SIM115 - closed by the server
    try:
        target = io.TextIOWrapper(buffer, "utf-8", errors="surrogateescape", newline="")
        with call.store.read() as database:
            result = result_file.unread(database, call.services.keeper_criteria())
            result_file.write(result if kinds is None else result_file.of_kinds(result, kinds), query.format, target)
        target.flush()
        target.detach()
        size_bytes = buffer.seek(0, os.SEEK_END)
        buffer.seek(0)
    except BaseException:
        buffer.close()
        raise
    media_type, suffix = RESULT_FORMS[query.format]
    headers = {"Content-Length": str(size_bytes)}
    if query.format != "json":
        headers["Content-Disposition"] = f'attachment; filename="duplicates.{suffix}"'
    return Reply(buffer, media_type, headers=headers)


def group_filter(query: group_schemas.GroupChoice) -> GroupFilter:
    """The groups that a list shows with this query."""
    kinds = tuple(filter(None, query.kind.split(",")))
    decided = tuple(filter(None, query.decided.split(",")))
    root_id, path, search = query.root or None, path_bytes(query.path), query.search or 0
    scenes = SCENES[query.scenes]
    return GroupFilter(
        kinds, root_id, path, query.min_images, decided, search, scenes, query.taken_from, query.taken_until
    )


def _fields(
    row: GroupRow,
    outline: Outline | None,
    members: list[MemberRow],
    decided: Mapping[int, StoredDecision],
    sources: Mapping[int, FileRow],
    limit: int,
    continued: bool = False,
    paged: bool = False,
) -> dict[str, Any]:
    # Nothing is proposed for a scene.
    proposing = None if row.scene else outline
    shown = members[:limit]
    last = (shown[-1].place, shown[-1].file.path) if len(members) > limit else None
    if not paged and proposing is not None:
        shown += [member for member in members[limit:] if member.file.id == proposing.proposal.image_id]
    return {
        "id": row.key,
        "kind": Kind(row.kind),
        "confidence": row.confidence,
        "size_bytes": row.size_bytes,
        "reclaimable_bytes": row.reclaimable_bytes,
        "newest": iso_time(row.newest_ns),
        "changed": iso_time(row.changed_ns),
        "decided": row.decided,
        "scene": bool(row.scene),
        "proposal": None if proposing is None else _proposal_schema(proposing),
        "weakest": None if outline is None or outline.weakest is None else _weakest_schema(outline.weakest),
        "images": group_schemas.MemberList(
            items=[
                _member_schema(
                    member,
                    decided.get(member.file.id),
                    sources.get(member.file.id),
                    not continued and number == 0,
                    proposing if proposing is not None and _is_led(proposing, members) else None,
                )
                for number, member in enumerate(shown)
            ],
            next=encode_cursor(f"images {row.key}", last),
            total=row.images,
        ),
    }


def _proposal_schema(outline: Outline) -> group_schemas.Proposal:
    proposal = outline.proposal
    return group_schemas.Proposal(
        image=proposal.image_id,
        decided_by=proposal.decided_by,
        tie=proposal.tie,
        certainty=proposal.certainty,
        original_absent=proposal.absent,
        reasons=[group_schemas.Reason(**asdict(reason)) for reason in proposal.reasons],
        speaking=[
            group_schemas.Speaking(
                image=entry.image_id,
                other=entry.other_id,
                findings=list(entry.findings),
                sentence={language: origin_sentence(entry.findings, language) for language in LANGUAGES},
            )
            for entry in outline.speaking
        ],
    )


def _weakest_schema(link: WeakestLink) -> group_schemas.Weakest:
    return group_schemas.Weakest(
        image=link.image_id, kind=link.kind, confidence=link.confidence, distance=link.distance
    )


def _sources(database: SqliteDatabase, members: Sequence[MemberRow]) -> dict[int, FileRow]:
    """For each of these images that was compressed from another one of them, its source, by image id."""
    by_digest = {member.file.digest: member.file for member in reversed(members)}
    made_of = compressions.sources_of(database, by_digest)
    sources = {}
    for member in members:
        source_digests = sorted(made_of.get(member.file.digest, set()) & by_digest.keys())
        if source_digests:
            sources[member.file.id] = by_digest[source_digests[0]]
    return sources


def _is_led(outline: Outline, members: Sequence[MemberRow]) -> bool:
    """Whether the descriptions start from the proposed image, and not from the reference."""
    return not any(member.file.id == outline.proposal.image_id and member.place == 0 for member in members)


def _sentences(member: MemberRow, source: FileRow | None, outline: Outline | None) -> dict[str, str] | None:
    """What was done to the proposed image to get this one, by language. For the result of a compression, the name of
    its source comes first. Without an outline, or if the two were not compared, the description starts from the
    reference."""
    if outline is not None and member.file.id == outline.proposal.image_id:
        return {language: render(PROPOSED, language) for language in LANGUAGES}
    led = None if outline is None else outline.led.get(member.file.content_id or 0)
    if led is None and member.kind == Kind.EXACT:
        return None
    sentences = {language: sentence(led or member.evidence, language) for language in LANGUAGES}
    if source is None:
        return sentences
    source_name = os.path.basename(source.path).decode("utf-8", "replace")
    made = Message("evidence.made_from", name=source_name)
    return {language: f"{render(made, language)}, {text}" for language, text in sentences.items()}


def _member_schema(
    member: MemberRow,
    decided: StoredDecision | None,
    source: FileRow | None,
    reference: bool,
    outline: Outline | None,
) -> group_schemas.Member:
    return group_schemas.Member(
        **image_fields(member.file),
        reference=reference,
        kind=Kind(member.kind),
        distance=member.distance,
        turn=Turn(member.turn),
        confidence=member.confidence,
        evidence=member.evidence,
        sentence=_sentences(member, source, outline),
        copy_of=member.copy_of,
        compressed_from=None if source is None else source.id,
        decision=None if decided is None else decision_schemas.Decision(**decision_fields(decided)),
    )


ROUTES = (
    Route(
        "GET", f"{API}/groups", get_groups, "Groups of duplicates, sorted and paged", "groups",
        group_schemas.GroupList, query=group_schemas.GroupListQuery, errors=(404,),
    ),
    Route(
        "DELETE", f"{API}/groups", delete_groups,
        "Delete all groups until the next detection; decisions and verdicts stay", "groups", status=204,
    ),
    Route(
        "GET", f"{API}/groups/{{id}}", get_group, "One group with its images, and its neighbours in the list",
        "groups", group_schemas.GroupDetail, key_type=str, query=group_schemas.GroupQuery,
    ),
    Route(
        "GET", f"{API}/duplicates", get_duplicates, "All duplicates, in the format of the result file", "groups",
        result_schemas.ResultFile, media_types=("text/csv", "text/plain"), query=result_schemas.DuplicatesQuery,
    ),
)  # fmt: skip
