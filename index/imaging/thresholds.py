"""PURE: thresholds as data: fields of frozen structures, each with its value, its unit and the reason for the value.

    @dataclass(frozen=True, slots=True)
    class Contained:
        min_share: float = threshold(0.80, "share of a picture", "Crops below this are not verified reliably.")

`docs/thresholds.md` is generated from these structures, and a test compares them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

Value = TypeVar("Value")


def threshold(value: Value, unit: str, reason: str) -> Value:
    """A field of a structure of thresholds: its default value, the unit of the value, and why it has this value."""
    # A dataclass reads the field, its users and the type checker see the value.
    described: Any = field(default=value, metadata={"unit": unit, "reason": reason})
    return described  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One field of a structure of thresholds, described."""

    name: str
    value: object
    unit: str
    reason: str


def described(thresholds: Any) -> Iterator[Threshold]:
    """The fields of a structure of thresholds, in the order of their definition."""
    for entry in fields(thresholds):
        yield Threshold(
            entry.name,
            getattr(thresholds, entry.name),
            entry.metadata["unit"],
            entry.metadata["reason"],
        )
