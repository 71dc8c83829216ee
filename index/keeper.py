"""PURE: which image of a group to keep, and why: ordered criteria, a difference too small to matter being a tie.

The last criterion is the path, so that a proposal never depends on chance; where only the path decided, it is said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from index.model import Facts

# Two pictures nearer than this are the same size for an eye, and the next criterion decides.
PIXELS_TIE = 0.03
# The estimate from quantisation tables is good to a few points.
JPEG_QUALITY_TIE = 3
# Formats that keep every pixel come before those that lose some; RAW never gets here.
LOSSLESS = frozenset({"PNG", "BMP", "TIFF"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file of a group as the criteria see it."""

    image_id: int
    path: bytes
    facts: Facts
    size_bytes: int
    mtime_ns: int
    protected: bool
    priority: int


@dataclass(frozen=True, slots=True)
class Reason:
    """A criterion that narrowed the choice: how many it left (more than one is a near-tie), out of how many."""

    criterion: str
    left: int
    of: int
    value: str


@dataclass(frozen=True, slots=True)
class Proposal:
    image_id: int
    reasons: tuple[Reason, ...]

    @property
    def decided_by(self) -> str:
        return self.reasons[-1].criterion if self.reasons else ""


def propose_keeper(candidates: Sequence[Candidate]) -> Proposal:
    """The image to keep among one or more, with each criterion that narrowed the choice down."""
    left = list(candidates)
    reasons: list[Reason] = []
    for criterion, choose, tell in CRITERIA:
        if len(left) == 1:
            break
        chosen = choose(left)
        if len(chosen) < len(left):
            reasons.append(Reason(criterion, len(chosen), len(left), tell(chosen[0])))
        left = chosen
    return Proposal(left[0].image_id, tuple(reasons))


def quality_rank(facts: Facts, size_bytes: int) -> tuple[float, ...]:
    """A sort key that puts the better picture first, for choosing references; no ties are smoothed here."""
    quality = 100 if facts.format in LOSSLESS else facts.jpeg_quality
    return (-facts.width * facts.height, -quality, -len(facts.metadata), -size_bytes)


def _most(value: Callable[[Candidate], float]) -> Callable[[Sequence[Candidate]], list[Candidate]]:
    def choose(candidates: Sequence[Candidate]) -> list[Candidate]:
        best = max(map(value, candidates))
        return [candidate for candidate in candidates if value(candidate) == best]

    return choose


def _largest(candidates: Sequence[Candidate]) -> list[Candidate]:
    most = max(candidate.facts.width * candidate.facts.height for candidate in candidates)
    return [c for c in candidates if c.facts.width * c.facts.height >= most * (1 - PIXELS_TIE)]


def _finest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The least recompressed JPEGs; other formats tell no quality and are left to the other criteria."""
    if any(not candidate.facts.jpeg_quality for candidate in candidates):
        return list(candidates)
    best = max(candidate.facts.jpeg_quality for candidate in candidates)
    return [c for c in candidates if c.facts.jpeg_quality >= best - JPEG_QUALITY_TIE]


def _oldest_taken(candidates: Sequence[Candidate]) -> list[Candidate]:
    dates = [candidate.facts.taken for candidate in candidates if candidate.facts.taken]
    return [c for c in candidates if c.facts.taken == min(dates)] if dates else list(candidates)


def _first_path(candidates: Sequence[Candidate]) -> list[Candidate]:
    """`IMG_1.jpg` before `copies/IMG_1 (2).jpg`: the shallower, then the shorter, then the first by bytes."""
    return [min(candidates, key=lambda c: (c.path.count(b"/"), len(c.path), c.path))]


Criterion = tuple[str, Callable[[Sequence[Candidate]], list[Candidate]], Callable[[Candidate], str]]

CRITERIA: tuple[Criterion, ...] = (
    ("protected", _most(lambda c: c.protected), lambda c: ""),
    ("priority", _most(lambda c: c.priority), lambda c: str(c.priority)),
    ("resolution", _largest, lambda c: f"{c.facts.width}x{c.facts.height}"),
    # Metadata before format: a PNG made from a camera's JPEG is larger, and yet it is the copy.
    ("metadata", _most(lambda c: len(c.facts.metadata)), lambda c: ", ".join(c.facts.metadata)),
    ("lossless", _most(lambda c: c.facts.format in LOSSLESS), lambda c: c.facts.format),
    ("jpeg_quality", _finest, lambda c: str(c.facts.jpeg_quality)),
    ("taken", _oldest_taken, lambda c: c.facts.taken),
    ("size", _most(lambda c: c.size_bytes), lambda c: str(c.size_bytes)),
    ("age", _most(lambda c: -c.mtime_ns), lambda c: str(c.mtime_ns)),
    ("path", _first_path, lambda c: ""),
)
