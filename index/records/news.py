"""PURE: what happened since people were last told, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where was told: all times in ns. `roots` are the states of the watched folders then, by display path;
    `sent_ns` is when the last notice went out."""

    until_ns: int
    sent_ns: int = 0
    roots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndedJob:
    id: int
    kind: str
    state: str
    origin: str
    seconds: float
    outcome: dict[str, Any]
    error: str


@dataclass(frozen=True, slots=True)
class RootNow:
    path: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Happened:
    """What is new: groups that came or changed (of how many, and what can be gained in all), jobs that ended (and how
    many more than are listed), problems by their reason, and every watched folder as it is now."""

    groups: int = 0
    groups_total: int = 0
    reclaimable_bytes: int = 0
    jobs: tuple[EndedJob, ...] = ()
    more_jobs: int = 0
    problems: Mapping[str, int] = field(default_factory=dict)
    roots: tuple[RootNow, ...] = ()
