"""Contents that no file has any more: since when, and which are forgotten at last.

What is forgotten could be found out again by reading a file: facts, hashes, features, judgements. A content of which
people said something, that was made from or into another, or whose bytes lie in a trash or on a disk elsewhere, stays.
"""

from typing import Final

from peewee import SqliteDatabase

from index.records.catalogue import chunks
from index.records.trash_items import ItemState
from index.schema import Content

# A disk that is away keeps its images in the index; what was deleted may come back from a backup.
KEPT_NS: Final = 90 * 24 * 3600 * 10**9
# Forgotten in one transaction: the cascade takes some milliseconds for each.
AT_ONCE: Final = 500

_NEEDED: Final = (
    "SELECT a_digest FROM verdict UNION SELECT b_digest FROM verdict UNION SELECT digest FROM decision"
    f" UNION SELECT digest FROM trash_item WHERE state = '{ItemState.IN_TRASH}'"
    " UNION SELECT source_digest FROM compression UNION SELECT result_digest FROM compression"
    " UNION SELECT digest FROM disk_image"
)


def note(database: SqliteDatabase, now_ns: int) -> None:
    """Write down which contents lost their last file since this was done before, and which have one again."""
    has_file = "EXISTS (SELECT 1 FROM image WHERE image.content_id = content.id)"
    database.execute_sql(f"UPDATE content SET orphaned_ns = NULL WHERE orphaned_ns IS NOT NULL AND {has_file}")
    database.execute_sql(
        f"UPDATE content SET orphaned_ns = ? WHERE orphaned_ns IS NULL AND NOT {has_file}", (now_ns,)
    )


def forget(database: SqliteDatabase, before_ns: int) -> list[bytes]:
    """Forget some contents that lost their last file before a moment, AT_ONCE at most; their digests."""
    rows = database.execute_sql(
        "SELECT id, digest FROM content WHERE orphaned_ns < ? AND digest NOT IN"
        f" ({_NEEDED}) AND NOT EXISTS (SELECT 1 FROM image WHERE content_id = content.id)"
        " AND NOT EXISTS (SELECT 1 FROM member WHERE content_id = content.id)"
        " AND NOT EXISTS (SELECT 1 FROM duplicate_group WHERE reference_id = content.id) ORDER BY id LIMIT ?",
        (before_ns, AT_ONCE),
    ).fetchall()
    for some in chunks(row[0] for row in rows):
        Content.delete().where(Content.id.in_(some)).execute(database)
    return [bytes(digest) for _, digest in rows]
