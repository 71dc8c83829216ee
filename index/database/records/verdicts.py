""""Not duplicates", remembered by content: for two contents, by digest, whatever their paths and the parameters.

A verdict on a group is one on each pair of its contents, under one batch, so that a third picture re-opens only what
is new, and one order takes the whole back. "alternates" (the same scene, both wanted) is the same with another label.
"""

import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.errors import NotFound, UsageError
from index.records.catalogue import chunks
from index.schema import Content, DuplicateGroup, Image, Member, Verdict

LABELS = ("not_duplicates", "alternates")


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of verdicts was: the batch it belongs to, how many pairs, and the contents concerned."""

    batch: str
    pairs: int
    content_ids: frozenset[int]


def deny_pairs(
    database: SqliteDatabase, pairs: Iterable[tuple[bytes, bytes]], label: str, note: str, now_ns: int
) -> Change:
    """Remember that the two digests of each pair are not duplicates. A pair denied before takes the new label."""
    if label not in LABELS:
        raise UsageError(f"{label!r} is no label: {' or '.join(LABELS)}.", field="label")
    # Never a bare number: those are the ids of single verdicts.
    batch = f"b{uuid.uuid4().hex[:12]}"
    ordered = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    for some in chunks(ordered, 100):
        rows = [
            {"a_digest": a, "b_digest": b, "label": label, "note": note, "batch": batch, "created_ns": now_ns}
            for a, b in some
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
    """Deny every pair among the contents of a group, or among `image_contents` of it where some are named.

    Raises NotFound for a group that is no more, UsageError where fewer than two contents are left: copies of the
    same bytes are duplicates whatever anybody says.
    """
    member_ids = _members(database, detection_id, key)
    chosen = [content_id for content_id in member_ids if not image_contents or content_id in image_contents]
    if len(chosen) < 2:
        raise UsageError("Files with the same bytes cannot be declared different.", field="images")
    digests = _digests(database, chosen)
    return deny_pairs(database, itertools.combinations(digests, 2), label, note, now_ns)


def deny_images(
    database: SqliteDatabase, image_ids: Sequence[int], label: str, note: str, now_ns: int
) -> Change:
    """Deny every pair among the contents of some images, whatever groups they are in.

    Raises NotFound for an image that is not there or could not be read, UsageError where their bytes are the same.
    """
    content_ids: dict[int, int] = {}
    for some in chunks(image_ids):
        query = Image.select(Image.id, Image.content).where(Image.id.in_(some), Image.content.is_null(False))
        content_ids.update(query.tuples().execute(database))
    for image_id in image_ids:
        if image_id not in content_ids:
            raise NotFound(f"There is no readable image {image_id}.", "Its file may have been moved or removed.")
    digests = _digests(database, sorted(set(content_ids.values())))
    if len(digests) < 2:
        raise UsageError("Files with the same bytes cannot be declared different.", field="images")
    return deny_pairs(database, itertools.combinations(digests, 2), label, note, now_ns)


def follow(database: SqliteDatabase, old_digest: bytes, new_digest: bytes) -> Change:
    """Let every verdict on a content hold for another too, that took its place: a compressed copy of it, say.

    The new ones belong to the batches of the old, and are taken back with them; what was said of the new content
    before stays as it is. The old ones are kept, for a file that comes back. The batch told is "".
    """
    pairs = []
    query = Verdict.select().where((Verdict.a_digest == old_digest) | (Verdict.b_digest == old_digest))
    for row in query.execute(database):
        other = bytes(row.b_digest if bytes(row.a_digest) == old_digest else row.a_digest)
        if other != new_digest:
            a, b = sorted((other, new_digest))
            values = {"label": row.label, "note": row.note, "batch": row.batch, "created_ns": row.created_ns}
            pairs.append({"a_digest": a, "b_digest": b} | values)
    for some in chunks(pairs, 100):
        Verdict.insert_many(some).on_conflict_ignore().execute(database)
    digests = {digest for pair in pairs for digest in (pair["a_digest"], pair["b_digest"])}
    return Change("", len(pairs), _content_ids(database, digests))


def revoke(database: SqliteDatabase, verdict_id: int) -> Change:
    """Take one pair's verdict back. Raises NotFound."""
    for row in Verdict.select().where(Verdict.id == verdict_id).execute(database):
        return _revoke(database, Verdict.id == verdict_id, row.batch)
    raise NotFound(f"There is no verdict {verdict_id}.")


def revoke_batch(database: SqliteDatabase, batch: str) -> Change:
    """Take back all that one order denied. Raises NotFound."""
    change = _revoke(database, Verdict.batch == batch, batch)
    if not change.pairs:
        raise NotFound(f"There is no verdict of the batch {batch}.")
    return change


@dataclass(frozen=True, slots=True)
class Told:
    """One verdict, with the paths that each side has now: none where its bytes are gone for the moment."""

    verdict_id: int
    batch: str
    label: str
    note: str
    created_ns: int
    digests: tuple[bytes, bytes]
    paths: tuple[tuple[bytes, ...], tuple[bytes, ...]]


def page(database: SqliteDatabase, before_id: int | None, limit: int) -> tuple[list[Told], int]:
    """Verdicts below an id, the newest first, and how many there are in all."""
    query = Verdict.select().order_by(Verdict.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Verdict.id < before_id)
    rows = list(query.execute(database))
    digests = {bytes(digest) for row in rows for digest in (row.a_digest, row.b_digest)}
    paths = _paths(database, digests)
    told = [
        Told(
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
    return told, Verdict.select().count(database)


def _paths(database: SqliteDatabase, digests: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for some in chunks(digests):
        query = Image.select(Content.digest, Image.path).join(Content).where(Content.digest.in_(some))
        for digest, path in query.order_by(Image.path).tuples().execute(database):
            found.setdefault(bytes(digest), []).append(bytes(path))
    return found


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
    found = [row[0] for row in query.tuples().execute(database)]
    if not found:
        raise NotFound(f"There is no group {key}.")
    return found


def _digests(database: SqliteDatabase, content_ids: Iterable[int]) -> list[bytes]:
    return [
        bytes(row[0])
        for some in chunks(content_ids)
        for row in Content.select(Content.digest).where(Content.id.in_(some)).tuples().execute(database)
    ]


def _content_ids(database: SqliteDatabase, digests: Iterable[bytes]) -> frozenset[int]:
    return frozenset(
        row[0]
        for some in chunks(digests)
        for row in Content.select(Content.id).where(Content.digest.in_(some)).tuples().execute(database)
    )
