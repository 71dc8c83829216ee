"""The tasks of worker processes on the origin of pictures: trace one, compare the traces of two."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from daemon.processes.decode_task import PictureTask, read_known
from index.imaging.originality.pair_evidence import Member, made_from
from index.imaging.originality.trace import Trace, of_bytes, to_bytes
from index.imaging.originality.tracing import trace_of
from index.imaging.verification.edit_evidence import reversed_evidence
from index.model import Facts

# The pairs of one picture are compared in a row.
TRACES_KEPT = 16


@dataclass(frozen=True, slots=True)
class OriginTask:
    """The traces and facts of two contents that match, with the evidence of the match, led from the first to the
    second."""

    first: bytes
    second: bytes
    first_facts: Facts
    second_facts: Facts
    evidence: Mapping[str, Any]


def trace_picture(task: PictureTask) -> bytes:
    """The trace of one picture. Raises PictureError."""
    return to_bytes(trace_of(read_known(task), task.limits))


def compare_origins(task: OriginTask) -> tuple[dict[str, float], dict[str, float]]:
    """What shows that the second was made from the first, and what shows the opposite."""
    first = Member(task.first_facts, _trace(task.first))
    second = Member(task.second_facts, _trace(task.second))
    return made_from(first, second, task.evidence), made_from(second, first, reversed_evidence(task.evidence))


@lru_cache(maxsize=TRACES_KEPT)
def _trace(data: bytes) -> Trace | None:
    return of_bytes(data) if data else None
