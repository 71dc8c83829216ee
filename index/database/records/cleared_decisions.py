"""Decisions that one request cleared in many groups, stored so that the request can be undone as a whole.

They are cleared in portions, each in its own transaction. A clearing is finished with its last portion. An unfinished
one, as after a crash, is undone at the next start.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from peewee import SqliteDatabase

from index.database.records import decisions
from index.database.records.images import chunks
from index.errors import NotFound

Write = Callable[[Callable[[SqliteDatabase], Any]], Any]

# The number of clearings that can be undone.
KEPT: Final = 20
# The number of decisions that are restored in one transaction.
PUT_BACK_AT_ONCE: Final = 2000
_COLUMNS: Final = "image_id, choice, destination, origin, criterion, order_id, digest, decided_ns"


def start(database: SqliteDatabase, now_ns: int) -> int:
    """Start a clearing, and return its id. The oldest one can then no longer be undone."""
    row = database.execute_sql("INSERT INTO clearing (created_ns) VALUES (?)", (now_ns,))
    database.execute_sql(
        "DELETE FROM clearing WHERE finished AND id NOT IN (SELECT id FROM clearing ORDER BY id DESC LIMIT ?)", (KEPT,)
    )
    return int(row.lastrowid)


def set_aside(database: SqliteDatabase, clearing_id: int, group_ids: Sequence[int]) -> None:
    """Clear the decisions on the images of these groups, and store them with the clearing."""
    image_ids = [
        image_id
        for chunk in chunks(group_ids)
        for (image_id,) in database.execute_sql(
            "SELECT DISTINCT d.image_id FROM member m JOIN image i ON i.content_id = m.content_id"
            f" JOIN decision d ON d.image_id = i.id WHERE m.group_id IN ({','.join('?' * len(chunk))})",
            chunk,
        )
    ]
    for images in chunks(image_ids):
        database.execute_sql(
            f"INSERT INTO cleared_decision (clearing_id, {_COLUMNS}) SELECT ?, {_COLUMNS} FROM decision"
            f" WHERE image_id IN ({','.join('?' * len(images))})",
            (clearing_id, *images),
        )
    decisions.clear(database, image_ids)
    decisions.recount(database, decisions.groups_of_images(database, image_ids))


def finish(database: SqliteDatabase, clearing_id: int) -> None:
    database.execute_sql("UPDATE clearing SET finished = 1 WHERE id = ?", (clearing_id,))


def put_back(write: Write, clearing_id: int) -> int:
    """Restore the cleared decisions, in portions, and return their number. Newer decisions are kept. A decision is not
    restored if its file has changed, or if it would leave a group without an image that stays. Raises NotFound. `write`
    runs one transaction (Store.write)."""
    made = 0
    write(lambda database: _reopen(database, clearing_id))
    while (portion := write(lambda database: _put_some_back(database, clearing_id))) is not None:
        made += portion
    return made


def put_back_unfinished(write: Write) -> None:
    """Undo the clearings that were interrupted."""
    question = "SELECT id FROM clearing WHERE NOT finished ORDER BY id DESC"
    for (clearing_id,) in write(lambda database: database.execute_sql(question).fetchall()):
        put_back(write, clearing_id)


def _reopen(database: SqliteDatabase, clearing_id: int) -> None:
    """Mark a clearing as being undone, so that this continues after a crash. Raises NotFound."""
    changed = database.execute_sql("UPDATE clearing SET finished = 0 WHERE id = ?", (clearing_id,))
    if not changed.rowcount:
        raise NotFound("clearing.unknown", clearing=clearing_id)


def _put_some_back(database: SqliteDatabase, clearing_id: int) -> int | None:
    """Restore a portion of the decisions, and return their number. None if none was left: then the clearing is
    removed."""
    rows = database.execute_sql(
        "SELECT k.image_id, c.digest IS k.digest FROM cleared_decision k JOIN image i ON i.id = k.image_id"
        " LEFT JOIN content c ON c.id = i.content_id WHERE k.clearing_id = ? ORDER BY k.image_id LIMIT ?",
        (clearing_id, PUT_BACK_AT_ONCE),
    ).fetchall()
    if not rows:
        database.execute_sql("DELETE FROM clearing WHERE id = ?", (clearing_id,))
        return None
    valid = [image_id for image_id, is_same in rows if is_same]
    decided_since = set(decisions.of_images(database, valid))
    back = [image_id for image_id in valid if image_id not in decided_since]
    for chunk in chunks(back):
        database.execute_sql(
            f"INSERT INTO decision ({_COLUMNS}) SELECT {_COLUMNS} FROM cleared_decision"
            f" WHERE clearing_id = ? AND image_id IN ({','.join('?' * len(chunk))})",
            (clearing_id, *chunk),
        )
    for chunk in chunks([image_id for image_id, _ in rows]):
        database.execute_sql(
            f"DELETE FROM cleared_decision WHERE clearing_id = ? AND image_id IN ({','.join('?' * len(chunk))})",
            (clearing_id, *chunk),
        )
    return len(back) - len(decisions.clear_without_keeper(database, back))
