"""The index of the parts of paths: FTS5 with trigrams, over all images.

It proposes; what it proposes is compared with the path itself. Triggers record the images whose path it does not have
(`path_change`), and those are proposed as well, until `index_changes` adds them.
"""

from typing import Any, Final

from peewee import SqliteDatabase

# As many changes wait: fewer cost each its own segment of the index, more make a search slower.
AT_ONCE: Final = 256
# The letters of an entry of the index. A shorter part is in none.
TRIGRAM: Final = 3
# A part that so many images may have is found faster by reading all paths in groups.
MOST_PROPOSED: Final = 20_000

PROPOSED: Final = "SELECT rowid FROM path_part WHERE path_part MATCH ? UNION ALL SELECT image_id FROM path_change"


def index_changes(database: SqliteDatabase, at_least: int = AT_ONCE) -> None:
    """Bring the index up to date if at least so many paths changed; in the transaction of the last of them."""
    if not database.execute_sql("SELECT 1 FROM path_change LIMIT 1 OFFSET ?", (at_least - 1,)).fetchone():
        return
    database.execute_sql(
        "INSERT INTO path_part (path_part, rowid, path)"
        " SELECT 'delete', image_id, CAST(indexed AS TEXT) FROM path_change WHERE indexed IS NOT NULL"
    )
    database.execute_sql(
        "INSERT INTO path_part (rowid, path)"
        " SELECT i.id, CAST(i.path AS TEXT) FROM path_change c JOIN image i ON i.id = c.image_id"
    )
    database.execute_sql("DELETE FROM path_change")


def images_with(database: SqliteDatabase, part: bytes) -> tuple[Any, ...] | None:
    """The SQL for "the image i may have this part in its path, ignoring case", with its values; None for a part that
    is too short or that too many have."""
    try:
        letters = part.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(letters) < TRIGRAM:
        return None
    # Side by side, and the last: all of them would propose little less, and each is a list to be read.
    last = len(letters) - TRIGRAM
    parts = {letters[place : place + TRIGRAM] for place in (*range(0, last, TRIGRAM), last)}
    wanted = " AND ".join('"' + each.replace('"', '""') + '"' for each in sorted(parts))
    beyond = f"SELECT 1 FROM ({PROPOSED}) LIMIT 1 OFFSET ?"
    if database.execute_sql(beyond, (wanted, MOST_PROPOSED)).fetchone():
        return None
    return f"i.id IN ({PROPOSED})", wanted
