"""The tasks of worker processes on the origin of pictures: trace one, compare the traces of two."""

from dataclasses import dataclass
from functools import lru_cache

from daemon.processes.decode_task import PictureTask, read_known
from index.imaging.originality.composed import composed
from index.imaging.originality.pair_evidence import Evidence, Member, made_from
from index.imaging.originality.trace import Trace, of_bytes, to_bytes
from index.imaging.originality.tracing import trace_of
from index.imaging.verification.edit_evidence import reversed_evidence
from index.model import Facts

# The pairs of one picture are compared in a row.
TRACES_KEPT = 16


@dataclass(frozen=True, slots=True)
class OriginTask:
    """The traces and facts of two contents of a group, with the evidence of their match, from the first to the second;
    or with the evidence of both relative to the group's reference."""

    first: bytes
    second: bytes
    first_facts: Facts
    second_facts: Facts
    evidence: tuple[Evidence] | tuple[Evidence, Evidence]


def trace_picture(task: PictureTask) -> bytes:
    """The trace of one picture. Raises PictureError."""
    return to_bytes(trace_of(read_known(task), task.limits))


def compare_origins(task: OriginTask) -> tuple[dict[str, float], dict[str, float]]:
    """The signs that the second was made from the first, and those of the opposite."""
    first = Member(task.first_facts, _trace(task.first))
    second = Member(task.second_facts, _trace(task.second))
    if len(task.evidence) == 1:
        (forward,) = task.evidence
        return made_from(first, second, forward), made_from(second, first, reversed_evidence(forward))
    to_first, to_second = task.evidence
    forward = composed(to_first, to_second, first.facts, second.facts)
    back = composed(to_second, to_first, second.facts, first.facts)
    return made_from(first, second, forward), made_from(second, first, back)


@lru_cache(maxsize=TRACES_KEPT)
def _trace(data: bytes) -> Trace | None:
    return of_bytes(data) if data else None
