"""Folders that a request names: whether they are watched, and what the index has in them."""

from collections.abc import Iterable, Sequence
from typing import Any

from peewee import SqliteDatabase

from index.database.records.images import indexed_roots, watched_roots
from index.database.records.sql_paging import at_or_below, below_any


def is_watched(database: SqliteDatabase, path: bytes) -> bool:
    """Whether a path is a watched root, or below one."""
    return _is_in(watched_roots(database), path)


def is_indexed(database: SqliteDatabase, path: bytes) -> bool:
    """Whether a path is a watched root, a temporary root of a search, or below one of them."""
    return _is_in(indexed_roots(database), path)


def _is_in(rows: Iterable[Any], path: bytes) -> bool:
    roots = [bytes(row.path).rstrip(b"/") for row in rows]
    return any(path.rstrip(b"/") == root or path.startswith(root + b"/") for root in roots)


def holds_images(database: SqliteDatabase, path: bytes) -> bool:
    """Whether the index has an image at or below a path, in a watched root."""
    term, values = at_or_below("i.path", path)
    question = f"SELECT 1 FROM image i JOIN root r ON r.id = i.root_id AND r.watched WHERE {term} LIMIT 1"
    return database.execute_sql(question, values).fetchone() is not None


def contents_below(database: SqliteDatabase, folders: Sequence[str], recursive: bool = True) -> set[int]:
    """The ids of the contents with a file below one of these folders (or, unless `recursive`, directly in one), in a
    watched root. Folders are surrogate-escaped."""
    term, *values = below_any("i.path", folders, recursive)
    rows = database.execute_sql(
        "SELECT DISTINCT i.content_id FROM image i JOIN root r ON r.id = i.root_id AND r.watched"
        f" WHERE i.content_id IS NOT NULL AND {term}",
        values,
    )
    return {row[0] for row in rows}
