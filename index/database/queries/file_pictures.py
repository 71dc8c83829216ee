"""Which files of plans, batches and the trash have a picture to show, by digest or by path. Reads only."""

from collections.abc import Iterable

from peewee import SqliteDatabase

from index.database.records.images import chunks


def readable(database: SqliteDatabase, digests: Iterable[bytes]) -> set[bytes]:
    """Those of these digests whose content is known and could be decoded."""
    known: set[bytes] = set()
    for chunk in chunks({digest for digest in digests if digest}):
        marks = ",".join("?" * len(chunk))
        rows = database.execute_sql(f"SELECT digest FROM content WHERE failure = '' AND digest IN ({marks})", chunk)
        known.update(bytes(row[0]) for row in rows)
    return known


def digests_at(database: SqliteDatabase, paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """The digests of the readable images at these paths, by path."""
    digests: dict[bytes, bytes] = {}
    for chunk in chunks({path for path in paths if path}):
        rows = database.execute_sql(
            "SELECT i.path, c.digest FROM image i JOIN content c ON c.id = i.content_id AND c.failure = ''"
            f" JOIN root r ON r.id = i.root_id AND r.watched WHERE i.path IN ({','.join('?' * len(chunk))})",
            chunk,
        )
        digests.update((bytes(path), bytes(digest)) for path, digest in rows)
    return digests


def content_with(database: SqliteDatabase, digest: bytes) -> int | None:
    """The id of the content with this digest, if it can be shown."""
    row = database.execute_sql("SELECT id FROM content WHERE failure = '' AND digest = ?", (digest,)).fetchone()
    return None if row is None else int(row[0])
