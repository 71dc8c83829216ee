"""The pages of lists in SQL: conditions in the making, one row more than is shown to tell whether a list goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, where it goes on (None at its end), and how many there are in all."""

    items: list[T]
    after: tuple[Any, ...] | None
    total: int


@dataclass(slots=True)
class Where:
    """A condition in the making: SQL terms, all of which must hold, and what they are bound to."""

    terms: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, term: str, *values: Any) -> None:
        self.terms.append(term)
        self.values.extend(values)

    def __str__(self) -> str:
        return " AND ".join(self.terms) or "1"


def at_or_below(column: str, path: bytes) -> tuple[str, tuple[bytes, bytes, bytes]]:
    """The SQL for "this file, or anything in this folder", which an index on the column answers."""
    folder = path.rstrip(b"/")
    return f"({column} = ? OR ({column} > ? AND {column} < ?))", (folder, folder + b"/", folder + b"0")


def below_any(column: str, folders: Sequence[str]) -> tuple[Any, ...]:
    """The SQL for "in one of these folders", anywhere where there are none."""
    terms = [at_or_below(column, folder.encode("utf-8", "surrogateescape")) for folder in folders]
    if not terms:
        return ("1",)
    return f"({' OR '.join(term for term, _ in terms)})", *(value for _, values in terms for value in values)


def path_term(column: str, path: bytes) -> tuple[str, tuple[bytes, ...]]:
    """The SQL for a path where it is a whole one, else for a part of one in any case."""
    if path.startswith(b"/"):
        return at_or_below(column, path)
    return f"instr(lower(CAST({column} AS TEXT)), lower(CAST(? AS TEXT))) > 0", (path,)


def cut_page(items: list[T], limit: int, total: int, place: Any) -> Page[T]:
    """A page of at most `limit` out of one row more than that, which tells whether the list goes on."""
    more = len(items) > limit
    items = items[:limit]
    return Page(items, place(items[-1]) if more else None, total)
