"""Contents that no file has, which a detection matches with nothing until one has them again.

A camera that overwrites one file every minute leaves half a million pictures in a year that nobody can see any more,
each like the next: they must neither cost every new picture a comparison nor stand in the way of those that are there.
"""

import json
from collections.abc import Iterable, Sequence

from peewee import SqliteDatabase


def begin(database: SqliteDatabase, detection_id: int) -> None:
    """Note all contents without a file, for a new detection."""
    database.execute_sql(
        "INSERT OR IGNORE INTO absent (detection_id, content_id, back) SELECT ?, id, 0 FROM content"
        " WHERE NOT EXISTS (SELECT 1 FROM image WHERE image.content_id = content.id)",
        (detection_id,),
    )


def note(database: SqliteDatabase, content_ids: Iterable[int]) -> None:
    """Note, in the transaction of a change, which of these contents lost their last file and which have one again."""
    some = json.dumps(list(content_ids))
    # A row that is replaced gets a new number, so that those who read up to the old one see it again.
    database.execute_sql(
        "INSERT OR REPLACE INTO absent (detection_id, content_id, back)"
        " SELECT detection.id, gone.value, 0 FROM json_each(?) gone, detection"
        " WHERE NOT EXISTS (SELECT 1 FROM image WHERE image.content_id = gone.value)",
        (some,),
    )
    database.execute_sql(
        "UPDATE absent SET back = 1 WHERE NOT back AND content_id IN (SELECT value FROM json_each(?))"
        " AND EXISTS (SELECT 1 FROM image WHERE image.content_id = absent.content_id)",
        (some,),
    )


def since(database: SqliteDatabase, detection_id: int, last: int) -> tuple[list[int], int]:
    """The contents that were noted after a number, in that order, and the number of the latest."""
    rows = database.execute_sql(
        "SELECT id, content_id FROM absent WHERE detection_id = ? AND id > ? ORDER BY id", (detection_id, last)
    ).fetchall()
    return [content_id for _, content_id in rows], rows[-1][0] if rows else last


def latest(database: SqliteDatabase) -> int:
    """The number of the latest that was noted for any detection, 0 where none is."""
    return int(database.execute_sql("SELECT coalesce(max(id), 0) FROM absent").fetchone()[0])


def back(database: SqliteDatabase, detection_id: int, watermark: int) -> list[int]:
    """The contents that have a file again and are to be matched anew, by ascending id. Those above the detection's
    watermark are matched as they come."""
    database.execute_sql(
        "DELETE FROM absent WHERE detection_id = ? AND back AND content_id > ?", (detection_id, watermark)
    )
    rows = database.execute_sql(
        "SELECT content_id FROM absent WHERE detection_id = ? AND back ORDER BY content_id", (detection_id,)
    )
    return [row[0] for row in rows]


def matched(database: SqliteDatabase, detection_id: int, content_ids: Sequence[int]) -> None:
    """These were matched after they came back; one that was lost again meanwhile stays noted."""
    database.execute_sql(
        "DELETE FROM absent WHERE detection_id = ? AND back AND content_id IN (SELECT value FROM json_each(?))",
        (detection_id, json.dumps(list(content_ids))),
    )
