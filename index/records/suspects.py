"""Files by whose reading the whole service may end: written down before they are read, struck out with what was read.

A decoder that dies costs one file. What takes the service with it (the machine out of memory, say) leaves nobody to
tell which file it was: but the next start finds those that were under way.
"""

from collections.abc import Iterable
from typing import Final

from peewee import SqliteDatabase

from index.records.catalogue import chunks
from index.schema import Suspect

# The reading of a file alone that the service did not survive so often is the likely cause.
CRASHES: Final = 3


def begin(database: SqliteDatabase, paths: Iterable[bytes]) -> None:
    """Write down that these files are about to be read."""
    for path in paths:
        database.execute_sql(
            "INSERT INTO suspect (path, being_read, crashes) VALUES (?, 1, 0)"
            " ON CONFLICT (path) DO UPDATE SET being_read = 1",
            (path,),
        )


def clear(database: SqliteDatabase, paths: Iterable[bytes]) -> None:
    """Forget files that were read, or are gone: nothing is wrong with them that ends the service."""
    for some in chunks(paths):
        Suspect.delete().where(Suspect.path.in_(some)).execute(database)


def leave(database: SqliteDatabase, paths: Iterable[bytes]) -> None:
    """Files are not read after all: what was held against them before still is."""
    for some in chunks(paths):
        Suspect.update(being_read=False).where(Suspect.path.in_(some)).execute(database)
    Suspect.delete().where(~Suspect.being_read, Suspect.crashes == 0).execute(database)


def note_crash(database: SqliteDatabase) -> list[bytes]:
    """At a start: the files that were being read when the service ended, each with one more crash to its name."""
    rows = Suspect.select(Suspect.path).where(Suspect.being_read).order_by(Suspect.path).tuples().execute(database)
    paths = [bytes(path) for (path,) in rows]
    Suspect.update(being_read=False, crashes=Suspect.crashes + 1).where(Suspect.being_read).execute(database)
    return paths


def crashes(database: SqliteDatabase) -> dict[bytes, int]:
    """How often the service ended while each file was read; files with which it never did are not in it."""
    rows = Suspect.select(Suspect.path, Suspect.crashes).where(Suspect.crashes > 0).tuples().execute(database)
    return {bytes(path): count for path, count in rows}
