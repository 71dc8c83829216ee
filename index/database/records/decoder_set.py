"""The set of decoders that read the files. Files that failed under another set are read again.

A failure depends on the decoder as well as on the file: an iPhone's photograph cannot be read before its decoder is
installed, and a new version of a decoder may read what the old one could not.
"""

from peewee import SqliteDatabase

# The kind of work in `quarantine` that counts the crashes of workers while reading a file.
READING = "read"


def reread_failures(database: SqliteDatabase, decoders: str) -> int:
    """If the decoders have changed, mark every file that could not be read to be read again. Returns the number of
    these files."""
    row = database.execute_sql("SELECT decoders FROM decoder_set").fetchone()
    if row is not None and row[0] == decoders:
        return 0
    database.execute_sql(
        "INSERT INTO decoder_set (id, decoders) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET decoders = excluded.decoders",
        (decoders,),
    )
    # Files that crashed an earlier decoder are tried again, but still last and alone.
    database.execute_sql("UPDATE quarantine SET crashes = 1 WHERE work = ? AND crashes > 1", (READING,))
    # No version, so that a copy with the same bytes is decoded as well.
    database.execute_sql("UPDATE content SET facts_version = 0 WHERE failure <> ''")
    # No file has this modification time, so the next walk finds each of these files changed.
    failed = database.execute_sql(
        "UPDATE image SET mtime_ns = -1 WHERE content_id IS NULL"
        " OR content_id IN (SELECT id FROM content WHERE failure <> '')"
    )
    return int(failed.rowcount)
