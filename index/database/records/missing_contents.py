"""Missing contents: a detection ignores contents without a file until they have one again.

A camera that overwrites one file every minute makes half a million similar pictures in a year, none of which still
exists. They must neither cost a comparison with every new picture nor displace the pictures that exist.
"""

import json
from collections.abc import Iterable, Sequence

from peewee import SqliteDatabase


def start(database: SqliteDatabase, detection_id: int) -> None:
    """Record all contents without a file, for a new detection."""
    database.execute_sql(
        "INSERT OR IGNORE INTO absent (detection_id, content_id, back) SELECT ?, id, 0 FROM content"
        " WHERE NOT EXISTS (SELECT 1 FROM image WHERE image.content_id = content.id)",
        (detection_id,),
    )


def record_missing(database: SqliteDatabase, content_ids: Iterable[int]) -> None:
    """Record which of these contents lost their last file, and which have one again. Call it in the transaction that
    changed their files."""
    id_list = json.dumps(list(content_ids))
    # A replaced row gets a new number, so readers that have already passed the old one see it again.
    database.execute_sql(
        "INSERT OR REPLACE INTO absent (detection_id, content_id, back)"
        " SELECT detection.id, gone.value, 0 FROM json_each(?) gone, detection"
        " WHERE NOT EXISTS (SELECT 1 FROM image WHERE image.content_id = gone.value)",
        (id_list,),
    )
    database.execute_sql(
        "UPDATE absent SET back = 1 WHERE NOT back AND content_id IN (SELECT value FROM json_each(?))"
        " AND EXISTS (SELECT 1 FROM image WHERE image.content_id = absent.content_id)",
        (id_list,),
    )


def record_back(database: SqliteDatabase, content_id: int) -> None:
    """Have every detection that has passed this content match it again. For a content that could not be decoded
    before."""
    database.execute_sql(
        "INSERT OR REPLACE INTO absent (detection_id, content_id, back) SELECT id, ?, 1 FROM detection", (content_id,)
    )


def missing_since(database: SqliteDatabase, detection_id: int, last: int) -> tuple[list[int], int]:
    """The contents recorded after row number `last`, in order, and the number of the latest row."""
    rows = database.execute_sql(
        "SELECT id, content_id FROM absent WHERE detection_id = ? AND id > ? ORDER BY id", (detection_id, last)
    ).fetchall()
    return [content_id for _, content_id in rows], rows[-1][0] if rows else last


def latest_missing(database: SqliteDatabase) -> int:
    """The row number of the latest record for any detection, 0 if there is none."""
    return int(database.execute_sql("SELECT coalesce(max(id), 0) FROM absent").fetchone()[0])


def returned(database: SqliteDatabase, detection_id: int, watermark: int) -> list[int]:
    """The contents that have a file again and must be matched again, ordered by id. Those above the detection's
    watermark are left out, since they are matched later anyway."""
    database.execute_sql(
        "DELETE FROM absent WHERE detection_id = ? AND back AND content_id > ?", (detection_id, watermark)
    )
    rows = database.execute_sql(
        "SELECT content_id FROM absent WHERE detection_id = ? AND back ORDER BY content_id", (detection_id,)
    )
    return [row[0] for row in rows]


def mark_matched(database: SqliteDatabase, detection_id: int, content_ids: Sequence[int]) -> None:
    """Delete the records of contents that were matched after they came back, except those that are missing again."""
    database.execute_sql(
        "DELETE FROM absent WHERE detection_id = ? AND back AND content_id IN (SELECT value FROM json_each(?))",
        (detection_id, json.dumps(list(content_ids))),
    )
