"""Paged lists in SQL. Queries read one row more than a page shows, to know whether the list continues."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from peewee import fn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, the sort key after which the next page starts (None on the last page), and the total number
    of rows."""

    items: list[T]
    after: tuple[Any, ...] | None
    total: int


@dataclass(slots=True)
class Where:
    """A WHERE condition: SQL terms, joined by AND, and their bound values."""

    terms: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, term: str, *values: Any) -> None:
        self.terms.append(term)
        self.values.extend(values)

    def __str__(self) -> str:
        return " AND ".join(self.terms) or "1"


def at_or_below(column: str, path: bytes) -> tuple[str, tuple[bytes, bytes, bytes]]:
    """The SQL for "this file, or anything in this folder", which can use an index on the column."""
    folder = path.rstrip(b"/")
    # ">=" is for the root folder: its own path is the slash that is appended to every other folder.
    return f"({column} = ? OR ({column} >= ? AND {column} < ?))", (folder, folder + b"/", folder + b"0")


def below_any(column: str, folders: Sequence[str], recursive: bool = True) -> tuple[Any, ...]:
    """The SQL for "in one of these folders", or directly in one; true for any path if there are no folders."""
    places = [folder.encode("utf-8", "surrogateescape") for folder in folders]
    if not places:
        return ("1",)
    terms: list[tuple[str, tuple[Any, ...]]] = [at_or_below(column, place) for place in places]
    if not recursive:
        # No slash may follow the one after the folder. instr() counts bytes for blobs.
        skipped = [len(place.rstrip(b"/")) + 2 for place in places]
        terms = [
            (f"({term} AND instr(substr({column}, ?), X'2F') = 0)", (*values, skip))
            for (term, values), skip in zip(terms, skipped, strict=True)
        ]
    return f"({' OR '.join(term for term, _ in terms)})", *(value for _, values in terms for value in values)


def path_term(column: str, path: bytes) -> tuple[str, tuple[bytes, ...]]:
    """The SQL for an absolute path, or for a part of a path, ignoring case."""
    if path.startswith(b"/"):
        return at_or_below(column, path)
    return f"instr(lower(CAST({column} AS TEXT)), lower(CAST(? AS TEXT))) > 0", (path,)


def is_at(column: Any, path: bytes) -> Any:
    """The same as `path_term`, as an expression on a BlobField."""
    if path.startswith(b"/"):
        folder = path.rstrip(b"/")
        return (column == folder) | ((column >= folder + b"/") & (column < folder + b"0"))
    return fn.instr(fn.lower(column.cast("TEXT")), path.decode("utf-8", "replace").lower()) > 0


def cut_page(items: list[T], limit: int, total: int, place: Any) -> Page[T]:
    """A page of at most `limit` items. `items` has one more if the list continues. `place` returns the sort key of an
    item."""
    more = len(items) > limit
    items = items[:limit]
    return Page(items, place(items[-1]) if more else None, total)
