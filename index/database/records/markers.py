"""The roots that a marker file protects, according to the last scan. For display, not for decisions about files."""

from peewee import SqliteDatabase

from index.database.schema import Image


def record(database: SqliteDatabase, root_id: int, marked: bool) -> set[int]:
    """Record whether a marker file protects a root. If that changes anything, returns the contents of the root."""
    changed = database.execute_sql(
        "UPDATE root SET protected = (configured OR ?) WHERE id = ? AND protected <> (configured OR ?)",
        (marked, root_id, marked),
    )
    if not changed.rowcount:
        return set()
    rows = Image.select(Image.content).where(Image.root == root_id, Image.content.is_null(False))
    return {row[0] for row in rows.tuples().execute(database)}
