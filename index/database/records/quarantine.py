"""Work that may crash its worker process or the whole service. It is recorded before it starts, and removed afterwards.

The service cannot report work that crashes it, but the next start finds which work was in progress and counts a crash.
`work` is the kind of work: reading files, making previews, describing features, comparing pairs, compressing. It
includes a version if a new version deserves new tries.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from peewee import SqliteDatabase

from index.model import FileVersion

# Work that crashed this often is not tried again. After its first crash it is tried last and alone, so that no other
# work is blamed.
TRIES: Final = 3
# The failures that count: the worker crashed or was killed. This may have been by chance.
LOSSES: Final = frozenset({"crashed", "timed_out", "out_of_memory"})

Pair = tuple[int, int]


# The object of the work: a file, the id of a content, or a pair of ids.
Key = FileVersion | int | Pair


def start(database: SqliteDatabase, work: str, keys: Iterable[Key]) -> None:
    """Record that work on these is about to start."""
    rows = map(_row_of, keys)
    database.connection().executemany(
        "INSERT INTO quarantine (work, item, version, a_id, b_id, started, crashes) VALUES (?, ?, ?, ?, ?, 1, 0)"
        " ON CONFLICT (work, item) DO UPDATE SET started = 1, version = excluded.version,"
        " crashes = CASE WHEN version IN ('', excluded.version) THEN crashes ELSE 0 END",
        ((work, row.item, row.version, *row.content_ids) for row in rows),
    )


def finish(database: SqliteDatabase, work: str, keys: Iterable[Key]) -> None:
    """Remove these: they are done, or their failure is recorded elsewhere."""
    _execute_for(database, "DELETE FROM quarantine", work, keys)


def cancel(database: SqliteDatabase, work: str, keys: Collection[Key], crashed: Iterable[Key] = ()) -> None:
    """Record that work on these has ended without being done. Those in `crashed` have crashed once more."""
    _execute_for(database, "UPDATE quarantine SET crashes = crashes + 1", work, crashed)
    _execute_for(database, "UPDATE quarantine SET started = 0", work, keys)
    _execute_for(database, "DELETE FROM quarantine", work, keys, " AND crashes = 0")


def _execute_for(database: SqliteDatabase, change: str, work: str, keys: Iterable[Key], condition: str = "") -> None:
    rows = ((work, _row_of(key).item) for key in keys)
    database.connection().executemany(f"{change} WHERE work = ? AND item = ?{condition}", rows)


def record_crash(database: SqliteDatabase) -> list[Key]:
    """At start-up, count a crash for all work that was in progress when the service ended. Returns the keys, in
    order."""
    rows = database.execute_sql(
        "SELECT item, version, a_id, b_id FROM quarantine WHERE started ORDER BY a_id, b_id, item"
    ).fetchall()
    database.execute_sql("UPDATE quarantine SET started = 0, crashes = crashes + 1 WHERE started")
    return [_key_of(bytes(item), version, a_id, b_id) for item, version, a_id, b_id in rows]


def crashes(database: SqliteDatabase, work: str) -> "Crashes":
    """How often each item of this kind of work has crashed."""
    rows = database.execute_sql("SELECT item, version, crashes FROM quarantine WHERE work = ? AND crashes > 0", (work,))
    return Crashes({bytes(item): (version, count) for item, version, count in rows})


class Crashes:
    """The number of crashes, by key."""

    def __init__(self, counted: Mapping[bytes, tuple[str, int]]) -> None:
        self._counted = counted

    def of(self, key: Key) -> int:
        if not self._counted:
            return 0
        row = _row_of(key)
        version, count = self._counted.get(row.item, ("", 0))
        return count if version in ("", row.version) else 0


class _Row(NamedTuple):
    """The columns in which a key is stored. The version is "" for contents, which never change, and if an index of an
    earlier version did not store it."""

    item: bytes
    version: str
    content_ids: tuple[int | None, int | None]


def _row_of(key: Key) -> _Row:
    if isinstance(key, FileVersion):
        return _Row(key.path, f"{key.size_bytes} {key.mtime_ns}", (None, None))
    if isinstance(key, int):
        return _Row(b"%d" % key, "", (key, None))
    return _Row(b"%d-%d" % key, "", key)


def _key_of(item: bytes, version: str, a_id: int | None, b_id: int | None) -> Key:
    if a_id is not None:
        return a_id if b_id is None else (a_id, b_id)
    size_bytes, _, mtime_ns = version.partition(" ")
    return FileVersion(item, int(size_bytes or 0), int(mtime_ns or 0))
