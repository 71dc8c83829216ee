"""Verdicts: "not duplicates", stored for the digests of two contents, independent of paths and parameters.

A verdict on a group is a verdict on each pair of its contents, all in one batch. So another picture re-opens only the
new pairs, and the batch can be revoked as a whole. "alternates" (the same scene, both wanted) differs only in its
label.
"""

import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.schema import Content, DuplicateGroup, Image, Member, Verdict
from index.errors import NotFound, UsageError

LABELS = ("not_duplicates", "alternates")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of verdicts: its batch, the number of pairs, and the contents affected."""

    batch: str
    pairs: int
    content_ids: frozenset[int]


def new_batch() -> str:
    """The name of a new batch. It is never a plain number, since the ids of single verdicts are."""
    return f"b{uuid.uuid4().hex[:12]}"


def deny_pairs(
    database: SqliteDatabase,
    pairs: Iterable[tuple[bytes, bytes]],
    label: str,
    note: str,
    now_ns: int,
    batch: str = "",
) -> Change:
    """Store that the two digests of each pair are not duplicates, in this batch or a new one. A pair that already has a
    verdict gets the new label."""
    if label not in LABELS:
        raise UsageError("verdict.unknown_label", label=label, labels=" or ".join(LABELS), field="label")
    batch = batch or new_batch()
    ordered = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    for chunk in chunks(ordered, 100):
        rows = [
            {"a_digest": a, "b_digest": b, "label": label, "note": note, "batch": batch, "created_ns": now_ns}
            for a, b in chunk
        ]
        Verdict.insert_many(rows).on_conflict_replace().execute(database)
    digests = {digest for pair in ordered for digest in pair}
    return Change(batch, len(ordered), _content_ids(database, digests))


def deny_group(
    database: SqliteDatabase,
    detection_id: int,
    key: str,
    image_contents: Sequence[int],
    label: str,
    note: str,
    now_ns: int,
) -> Change:
    """Store a verdict for every pair of contents of a group, or of those in `image_contents` if any are given.

    Raises NotFound for a group that no longer exists, and UsageError if fewer than two contents are left: identical
    files are always duplicates.
    """
    member_ids = _members(database, detection_id, key)
    chosen = [content_id for content_id in member_ids if not image_contents or content_id in image_contents]
    if len(chosen) < 2:
        raise UsageError("verdict.same_bytes", field="images")
    digests = _digests(database, chosen)
    return deny_pairs(database, itertools.combinations(digests, 2), label, note, now_ns)


def deny_groups(database: SqliteDatabase, group_ids: Sequence[int], label: str, now_ns: int, batch: str) -> Change:
    """Store a verdict for every pair of contents of each of these groups, in this batch."""
    digests_of: dict[int, list[bytes]] = {}
    for chunk in chunks(group_ids):
        query = Member.select(Member.group, Content.digest).join(Content).where(Member.group.in_(chunk))
        for group_id, digest in query.tuples().execute(database):
            digests_of.setdefault(group_id, []).append(bytes(digest))
    pairs = (pair for digests in digests_of.values() for pair in itertools.combinations(digests, 2))
    return deny_pairs(database, pairs, label, "", now_ns, batch)


def deny_images(database: SqliteDatabase, image_ids: Sequence[int], label: str, note: str, now_ns: int) -> Change:
    """Store a verdict for every pair of contents of these images, whatever groups they are in.

    Raises NotFound for an image that does not exist or could not be read, and UsageError if all have the same bytes.
    """
    content_ids: dict[int, int] = {}
    for chunk in chunks(image_ids):
        query = Image.select(Image.id, Image.content).where(Image.id.in_(chunk), Image.content.is_null(False))
        content_ids.update(query.tuples().execute(database))
    for image_id in image_ids:
        if image_id not in content_ids:
            raise NotFound("image.unreadable", image=image_id)
    digests = _digests(database, sorted(set(content_ids.values())))
    if len(digests) < 2:
        raise UsageError("verdict.same_bytes", field="images")
    return deny_pairs(database, itertools.combinations(digests, 2), label, note, now_ns)


def carry_over(database: SqliteDatabase, old_digest: bytes, new_digest: bytes) -> Change:
    """Copy the verdicts on a content to the content that replaced it, such as its compressed copy.

    The copies belong to the same batches, and are revoked with them. Existing verdicts on the new content are not
    changed. Those on the old content are kept in case its file comes back. The batch of the result is "".
    """
    pairs = []
    query = Verdict.select().where((Verdict.a_digest == old_digest) | (Verdict.b_digest == old_digest))
    for row in query.execute(database):
        other = bytes(row.b_digest if bytes(row.a_digest) == old_digest else row.a_digest)
        if other != new_digest:
            a, b = sorted((other, new_digest))
            values = {"label": row.label, "note": row.note, "batch": row.batch, "created_ns": row.created_ns}
            pairs.append({"a_digest": a, "b_digest": b} | values)
    for chunk in chunks(pairs, 100):
        Verdict.insert_many(chunk).on_conflict_ignore().execute(database)
    digests = {digest for pair in pairs for digest in (pair["a_digest"], pair["b_digest"])}
    return Change("", len(pairs), _content_ids(database, digests))


def revoke(database: SqliteDatabase, verdict_id: int) -> Change:
    """Delete the verdict on one pair. Raises NotFound."""
    for row in Verdict.select().where(Verdict.id == verdict_id).execute(database):
        return _revoke(database, Verdict.id == verdict_id, row.batch)
    raise NotFound("verdict.unknown", verdict=verdict_id)


def revoke_batch(database: SqliteDatabase, batch: str) -> Change:
    """Delete all verdicts of a batch. Raises NotFound."""
    change = _revoke(database, Verdict.batch == batch, batch)
    if not change.pairs:
        raise NotFound("verdict.unknown_batch", batch=batch)
    return change


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """One verdict, with the present paths of both contents; a missing content has none."""

    verdict_id: int
    batch: str
    label: str
    note: str
    created_ns: int
    digests: tuple[bytes, bytes]
    paths: tuple[tuple[bytes, ...], tuple[bytes, ...]]


def page(database: SqliteDatabase, before_id: int | None, limit: int) -> tuple[list[VerdictRecord], int]:
    """The verdicts with ids below `before_id`, newest first, and the total number of verdicts."""
    query = Verdict.select().order_by(Verdict.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Verdict.id < before_id)
    rows = list(query.execute(database))
    digests = {bytes(digest) for row in rows for digest in (row.a_digest, row.b_digest)}
    paths = _paths(database, digests)
    records = [
        VerdictRecord(
            row.id,
            row.batch,
            row.label,
            row.note,
            row.created_ns,
            (bytes(row.a_digest), bytes(row.b_digest)),
            (tuple(paths.get(bytes(row.a_digest), ())), tuple(paths.get(bytes(row.b_digest), ()))),
        )
        for row in rows
    ]
    return records, Verdict.select().count(database)


def _paths(database: SqliteDatabase, digests: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    paths: dict[bytes, list[bytes]] = {}
    for chunk in chunks(digests):
        query = Image.select(Content.digest, Image.path).join(Content).where(Content.digest.in_(chunk))
        for digest, path in query.order_by(Image.path).tuples().execute(database):
            paths.setdefault(bytes(digest), []).append(bytes(path))
    return paths


def _revoke(database: SqliteDatabase, chosen: object, batch: str) -> Change:
    rows = list(Verdict.select(Verdict.a_digest, Verdict.b_digest).where(chosen).tuples().execute(database))
    digests = {bytes(digest) for pair in rows for digest in pair}
    Verdict.delete().where(chosen).execute(database)
    return Change(batch, len(rows), _content_ids(database, digests))


def _members(database: SqliteDatabase, detection_id: int, key: str) -> list[int]:
    query = (
        Member.select(Member.content)
        .join(DuplicateGroup)
        .where(DuplicateGroup.detection == detection_id, DuplicateGroup.key == key)
        .order_by(Member.position)
    )
    content_ids = [row[0] for row in query.tuples().execute(database)]
    if not content_ids:
        raise NotFound("group.unknown", group=key)
    return content_ids


def _digests(database: SqliteDatabase, content_ids: Iterable[int]) -> list[bytes]:
    return [
        bytes(row[0])
        for chunk in chunks(content_ids)
        for row in Content.select(Content.digest).where(Content.id.in_(chunk)).tuples().execute(database)
    ]


def _content_ids(database: SqliteDatabase, digests: Iterable[bytes]) -> frozenset[int]:
    return frozenset(
        row[0]
        for chunk in chunks(digests)
        for row in Content.select(Content.id).where(Content.digest.in_(chunk)).tuples().execute(database)
    )
