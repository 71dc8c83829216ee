"""Garbage collection of contents: records when a content lost its last file, and deletes it after some time.

Only data that can be computed again from a file is deleted: facts, hashes, features, judgements. A content is kept if
it has a verdict or a decision, if it is the source or the result of a compression, or if its bytes are in a trash or on
an absent disk.
"""

from typing import Final

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.records.trash_items import ItemState
from index.database.schema import Content

# A deleted file may be restored from a backup. (Images of an absent disk stay in the index anyway.)
RETENTION_NS: Final = 90 * 24 * 3600 * 10**9
# The most contents deleted in one transaction: the cascade takes some milliseconds for each.
AT_ONCE: Final = 500

_NEEDED: Final = (
    "SELECT a_digest FROM verdict UNION SELECT b_digest FROM verdict UNION SELECT digest FROM decision"
    f" UNION SELECT digest FROM trash_item WHERE state = '{ItemState.IN_TRASH}'"
    " UNION SELECT source_digest FROM compression UNION SELECT result_digest FROM compression"
    " UNION SELECT digest FROM disk_image"
)


def record_missing(database: SqliteDatabase, now_ns: int) -> None:
    """Record which contents have lost their last file since the last call, and which have a file again."""
    has_file = "EXISTS (SELECT 1 FROM image WHERE image.content_id = content.id)"
    database.execute_sql(f"UPDATE content SET orphaned_ns = NULL WHERE orphaned_ns IS NOT NULL AND {has_file}")
    database.execute_sql(f"UPDATE content SET orphaned_ns = ? WHERE orphaned_ns IS NULL AND NOT {has_file}", (now_ns,))


def collect(database: SqliteDatabase, before_ns: int) -> list[bytes]:
    """Delete at most AT_ONCE contents that lost their last file before `before_ns`. Returns their digests."""
    rows = database.execute_sql(
        "SELECT id, digest FROM content WHERE orphaned_ns < ? AND digest NOT IN"
        f" ({_NEEDED}) AND NOT EXISTS (SELECT 1 FROM image WHERE content_id = content.id)"
        " AND NOT EXISTS (SELECT 1 FROM member WHERE content_id = content.id)"
        " AND NOT EXISTS (SELECT 1 FROM duplicate_group WHERE reference_id = content.id) ORDER BY id LIMIT ?",
        (before_ns, AT_ONCE),
    ).fetchall()
    for chunk in chunks(row[0] for row in rows):
        Content.delete().where(Content.id.in_(chunk)).execute(database)
    return [bytes(digest) for _, digest in rows]
