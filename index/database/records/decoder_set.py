"""The set of decoders under which files were read: what failed under another one is read again.

A failure says as much of the decoder as of the file: an iPhone's photograph cannot be read before its decoder is
installed, and a new version of a decoder may read what an earlier one did not.
"""

from peewee import SqliteDatabase

# What a worker died of counts against a file in `quarantine`, under this kind of work.
READING = "read"


def reread_failures(database: SqliteDatabase, decoders: str) -> int:
    """Where the decoders are not those of before, have every file read again that could not be read. Returns the number
    of these files."""
    row = database.execute_sql("SELECT decoders FROM decoder_set").fetchone()
    if row is not None and row[0] == decoders:
        return 0
    database.execute_sql(
        "INSERT INTO decoder_set (id, decoders) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET decoders = excluded.decoders",
        (decoders,),
    )
    # What crashed an earlier decoder has its tries again; it is still tried last and alone.
    database.execute_sql("UPDATE quarantine SET crashes = 1 WHERE work = ? AND crashes > 1", (READING,))
    # Of no version, so that a copy of the same bytes is decoded as well.
    database.execute_sql("UPDATE content SET facts_version = 0 WHERE failure <> ''")
    # No file has this time, so that the next walk finds each of them changed.
    failed = database.execute_sql(
        "UPDATE image SET mtime_ns = -1 WHERE content_id IS NULL"
        " OR content_id IN (SELECT id FROM content WHERE failure <> '')"
    )
    return int(failed.rowcount)
