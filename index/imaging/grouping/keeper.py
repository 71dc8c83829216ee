"""PURE: which image of a group to keep, and why: ordered criteria, a difference too small to matter being a tie.

The path decides where no criterion does, so that a proposal never depends on chance; and it is said to be a tie.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from index.model import Facts

# Two pictures nearer than this are the same size for an eye, and the next criterion decides.
PIXELS_TIE = 0.03
SIDE_TIE = 0.01
# The estimate from quantisation tables is good to a few points.
JPEG_QUALITY_TIE = 3
# What an earlier JPEG was is known to a few points: one of about its quality may have been it.
EARLIER_QUALITY_TIE = 6
# Below this compression is seen; above, altering a picture does more to it than saving it.
SEEN_QUALITY = 60
# Formats that keep every pixel come before those that lose some; RAW never gets here.
LOSSLESS = frozenset({"PNG", "BMP", "TIFF"})
# A drawing has few colours, and in a palette takes few bits for a pixel; a photograph had more colours before.
PALETTE_MODES = frozenset({"P", "PA"})
LEAST_BITS_OF_PHOTOGRAPH = 1.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file of a group as the criteria see it.

    `whole` is False for a part of another picture of the group, a frame of an animation, or one with something around
    it; `coloured` for the grey copy of a coloured one. `reworked` is True where not only its compression tells it from
    the group's reference: one of the two was sharpened, blurred, brightened, written on...
    """

    image_id: int
    path: bytes
    facts: Facts
    size_bytes: int
    mtime_ns: int
    protected: bool
    priority: int
    whole: bool = True
    coloured: bool = True
    reworked: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """A criterion that narrowed the choice: how many it left (more than one is a near-tie), out of how many.

    `value` is what the image kept has of it, where that can be told: "4000x3000", a number of bytes, a time.
    """

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

    @property
    def tie(self) -> bool:
        """Whether no criterion told the last images apart, so that the path had to."""
        return self.decided_by == LAST


def propose_keeper(candidates: Sequence[Candidate], criteria: Sequence[str] | None = None) -> Proposal:
    """The image to keep among one or more, with each criterion that narrowed the choice down.

    `criteria` are names of CRITERIA, the first first; all of them in their order where they are left out.
    """
    left = list(candidates)
    reasons: list[Reason] = []
    for name in (*(CRITERIA if criteria is None else criteria), LAST):
        if len(left) == 1:
            break
        chosen = CRITERIA[name].choose(left)
        if len(chosen) < len(left):
            reasons.append(Reason(name, len(chosen), len(left), CRITERIA[name].tell(chosen[0])))
        left = chosen
    return Proposal(left[0].image_id, tuple(reasons))


def _quality(candidate: Candidate) -> int:
    return _quality_left(candidate.facts, candidate.size_bytes)


def _quality_left(facts: Facts, size_bytes: int) -> int:
    """What compression has left of the picture, as libjpeg's quality: what an earlier JPEG has lost no later one brings
    back. 0 where nothing tells, 100 where nothing was lost."""
    own = 100 if facts.format in LOSSLESS and _all_colours(facts, size_bytes) else facts.jpeg_quality
    return min(own, facts.earlier_quality) if facts.earlier_quality else own


def _has_all_colours(candidate: Candidate) -> bool:
    return _all_colours(candidate.facts, candidate.size_bytes)


def _all_colours(facts: Facts, size_bytes: int) -> bool:
    bits = 8 * size_bytes / max(1, facts.width * facts.height)
    return facts.mode not in PALETTE_MODES or bits < LEAST_BITS_OF_PHOTOGRAPH


def quality_rank(facts: Facts, size_bytes: int) -> tuple[float, ...]:
    """A sort key that puts the better picture first, for choosing references; no ties are smoothed here."""
    quality = _quality_left(facts, size_bytes)
    # After the JPEG that it may have been made from, whose quality is known better.
    quality -= EARLIER_QUALITY_TIE if facts.earlier_quality else 0
    # The shorter side first: what was stretched is larger than before, but not on both sides.
    shorter = min(facts.width, facts.height)
    return (-shorter, -facts.width * facts.height, -quality, -len(facts.metadata), -size_bytes)


def _most(value: Callable[[Candidate], float]) -> Callable[[Sequence[Candidate]], list[Candidate]]:
    def choose(candidates: Sequence[Candidate]) -> list[Candidate]:
        best = max(map(value, candidates))
        return [candidate for candidate in candidates if value(candidate) == best]

    return choose


def _largest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those than which none is larger. Of two of which one is wider and the other as high or higher, one was stretched,
    and the sizes do not tell which."""
    of_all = {_sides(candidate) for candidate in candidates}
    largest = {sides for sides in of_all if not any(_is_larger(other, sides) for other in of_all)}
    return [candidate for candidate in candidates if _sides(candidate) in largest]


def _sides(candidate: Candidate) -> tuple[int, int]:
    """The shorter and the longer: a copy that was turned has the same."""
    width, height = candidate.facts.width, candidate.facts.height
    return min(width, height), max(width, height)


def _is_larger(one: tuple[int, int], other: tuple[int, int]) -> bool:
    ratios = [mine / its for mine, its in zip(one, other, strict=True)]
    # One of another shape was stretched: it must be larger on both sides.
    stretched = max(ratios) > (1 + SIDE_TIE) * min(ratios)
    least = 1 + SIDE_TIE if stretched else 1 - SIDE_TIE
    return min(ratios) >= least and one[0] * one[1] * (1 - PIXELS_TIE) > other[0] * other[1]


def _first_saved(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that were not made from a JPEG as good as another one that is here: saving it again adds bytes and a higher
    quality, and no detail."""
    firsts = [_quality(c) for c in candidates if not c.facts.earlier_quality]
    best = max(firsts, default=0) + EARLIER_QUALITY_TIE
    return [c for c in candidates if not 0 < c.facts.earlier_quality <= best]


def _of_each_kind(
    choose: Callable[[Sequence[Candidate]], list[Candidate]], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """The best of those that are altered, and the best of those that are not: which of the two was altered no picture
    tells, and bytes and quality do not either. There age decides, for what was altered was there before."""
    kinds = [c for c in candidates if not c.reworked], [c for c in candidates if c.reworked]
    return [c for kind in kinds if kind for c in choose(kind)]


def _finest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The least recompressed JPEGs; other formats tell no quality and are left to the other criteria."""
    if any(not candidate.facts.jpeg_quality for candidate in candidates):
        return list(candidates)

    def best(some: Sequence[Candidate], most: int = 100) -> list[Candidate]:
        finest = max(min(most, _quality(c)) for c in some)
        return [c for c in some if min(most, _quality(c)) >= finest - JPEG_QUALITY_TIE]

    finest = _of_each_kind(best, candidates)
    return best(finest, SEEN_QUALITY) if len({c.reworked for c in finest}) > 1 else finest


def _heaviest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those of the most bytes, of which compression has left more."""
    return _of_each_kind(_most(lambda candidate: candidate.size_bytes), candidates)


def _oldest_taken(candidates: Sequence[Candidate]) -> list[Candidate]:
    dates = [candidate.facts.taken for candidate in candidates if candidate.facts.taken]
    return [c for c in candidates if c.facts.taken == min(dates)] if dates else list(candidates)


def _first_path(candidates: Sequence[Candidate]) -> list[Candidate]:
    """`IMG_1.jpg` before `copies/IMG_1 (2).jpg`: the shallower, then the shorter, then the first by bytes."""
    return [min(candidates, key=lambda c: (c.path.count(b"/"), len(c.path), c.path))]


def _when(mtime_ns: int) -> str:
    """In UTC; what is beyond the calendar is its edge."""
    seconds = max(-62_135_596_800, min(mtime_ns // 10**9, 253_402_300_799))
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Criterion:
    """`choose` gives the best of some candidates, all where it cannot tell; `tell` what the chosen have of it."""

    choose: Callable[[Sequence[Candidate]], list[Candidate]]
    tell: Callable[[Candidate], str] = lambda _: ""


LAST: Final = "path"

# In the order that holds where no other is set.
CRITERIA: Final[Mapping[str, Criterion]] = {
    # Before resolution: with a frame around it, or grown from a part of it, a copy can be the larger one.
    "whole": Criterion(_most(lambda c: c.whole)),
    "coloured": Criterion(_most(lambda c: c.coloured)),
    "resolution": Criterion(_largest, lambda c: f"{c.facts.width}x{c.facts.height}"),
    # Metadata before format: a PNG made from a camera's JPEG is larger, and yet it is the copy.
    "metadata": Criterion(_most(lambda c: len(c.facts.metadata)), lambda c: ", ".join(c.facts.metadata)),
    "colours": Criterion(_most(_has_all_colours)),
    "first_saved": Criterion(_first_saved),
    "lossless": Criterion(_most(lambda c: _quality(c) == 100 and c.facts.format in LOSSLESS), lambda c: c.facts.format),
    "jpeg_quality": Criterion(_finest, lambda c: str(_quality(c))),
    # After all that tells how much a picture shows: what is protected stays in any case, and a small copy in a folder
    # that is preferred is no reason to let go of the original.
    "protected": Criterion(_most(lambda c: c.protected)),
    "priority": Criterion(_most(lambda c: c.priority), lambda c: str(c.priority)),
    "taken": Criterion(_oldest_taken, lambda c: c.facts.taken),
    "size": Criterion(_heaviest, lambda c: str(c.size_bytes)),
    "age": Criterion(_most(lambda c: -c.mtime_ns), lambda c: _when(c.mtime_ns)),
    LAST: Criterion(_first_path),
}
