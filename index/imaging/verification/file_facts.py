"""PURE: what the facts of two files alone say of a pair: further frames, what lies behind the pictures, the times."""

from datetime import datetime, timedelta
from typing import Final

from index.imaging.verification.gate_thresholds import Gate
from index.model import Attachment, Facts, Kind

FactsPair = tuple[Facts, Facts]

# Parts that show something of their own; the others serve the picture before them.
SHOWN: Final = ("film", "view")
# What a file without it lacks; makers' records and unknown data are reported only.
LOST_WITH_IT: Final = (*SHOWN, "gain_map", "depth_map")
# Programs that apply a time zone move the time by a multiple of this, at most from one end of the earth to the other.
ZONE_STEP: Final = timedelta(minutes=30)
FARTHEST_ZONE: Final = timedelta(hours=26)


def frames(facts: FactsPair) -> tuple[Gate, ...]:
    """Whether both are single pictures. Only the first of several frames or pages is aligned with the other's; pairs
    that are equal in all their frames are found by their pixels."""
    most = max(file.frames for file in facts)
    return (Gate("frames", most, 1, passed=False),) if most > 1 else ()


def attachments(facts: FactsPair) -> tuple[Gate, ...]:
    """Whether films and further views behind the pictures are the same, if both have some."""
    parts = [_shown(file) for file in facts]
    kinds = {part.kind for part in parts[0]} & {part.kind for part in parts[1]}
    if not kinds:
        return ()
    same = all([p for p in parts[0] if p.kind == kind] == [p for p in parts[1] if p.kind == kind] for kind in kinds)
    return (Gate("attachments", float(same), 1.0, passed=same),)


def kind_of_same_pixels(first: Facts, second: Facts) -> Kind:
    """That of two files whose pixels are equal: one of them may hold more than the picture."""
    if not all(gate.passed for gate in attachments((first, second))):
        return Kind.POSSIBLE
    held = [{part.kind for part in file.attachments if part.kind in LOST_WITH_IT} for file in (first, second)]
    return Kind.PIXELS if held[0] == held[1] else Kind.NEAR


def is_same_moment(first: str, second: str) -> bool:
    """Whether two capture times, in ISO 8601, are the same moment, perhaps by the clocks of two time zones."""
    return first == second or zone_shift_h(first, second) is not None


def zone_shift_h(first: str, second: str) -> float | None:
    """By how many hours the second time is later where only a time zone lies between them, None otherwise."""
    try:
        later = datetime.fromisoformat(second) - datetime.fromisoformat(first)
    except (ValueError, TypeError):
        return None
    return None if abs(later) > FARTHEST_ZONE or later % ZONE_STEP else later / timedelta(hours=1)


def _shown(file: Facts) -> list[Attachment]:
    return [part for part in file.attachments if part.kind in SHOWN]
