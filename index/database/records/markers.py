"""Which watched folders a marker file protects, as the last scan found them: for showing, not for acting."""

from peewee import SqliteDatabase

from index.schema import Image


def note(database: SqliteDatabase, root_id: int, marked: bool) -> set[int]:
    """Whether a marker file protects a root. The contents whose images that changes, none where it was known."""
    changed = database.execute_sql(
        "UPDATE root SET protected = (configured OR ?) WHERE id = ? AND protected <> (configured OR ?)",
        (marked, root_id, marked),
    )
    if not changed.rowcount:
        return set()
    rows = Image.select(Image.content).where(Image.root == root_id, Image.content.is_null(False))
    return {row[0] for row in rows.tuples().execute(database)}
