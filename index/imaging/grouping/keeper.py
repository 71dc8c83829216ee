"""PURE: which image of a group to keep, and why: ordered criteria, with a tie if a difference is too small to matter.

The first criterion is which picture is the original (imaging.originality); the others choose among files that show the
same pixels, of which any may stay. If it is not certain which picture is the original, or the path had to choose
between different pictures, the proposal is a tie.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from index.imaging.decoding.capture_date import is_plausible, is_plausible_file_time
from index.imaging.thresholds import threshold
from index.model import RAW_FORMATS, Facts

if TYPE_CHECKING:
    # The settings name the criteria, and every command reads the settings: without NumPy and OpenCV it starts sooner.
    from index.imaging.originality.standing import Standing


@dataclass(frozen=True, slots=True)
class TieLimits:
    """Differences that are too small to decide; the next criterion decides."""

    pixels: float = threshold(0.03, "share of the area", "Nearer sizes are the same for an eye.")
    side: float = threshold(0.01, "share of a side", "The same for each side.")
    jpeg_quality: int = threshold(3, "JPEG quality", "The estimate from quantisation tables is good to a few points.")
    earlier_quality: int = threshold(
        6, "JPEG quality", "A JPEG of about the quality that an earlier one had may have been that."
    )
    seen_quality: int = threshold(
        60, "JPEG quality", "Below, compression is seen; above, altering a picture does more to it than saving it."
    )
    age_s: float = threshold(2.0, "seconds", "FAT keeps no finer times, and files copied together differ by less.")
    about_as_likely: float = threshold(0.8, "ratio", "Of two chances to be the original; nearer ones are the same.")
    min_bits_of_photograph: float = threshold(
        1.5, "bits a pixel", "A drawing in a palette takes less; a photograph had more colours before."
    )


TIE: Final = TieLimits()

# Lossless formats come before lossy ones.
LOSSLESS = frozenset({"PNG", "BMP", "TIFF"}) | RAW_FORMATS
# Data after a picture that is lost with its file.
COUNTED_PARTS: Final = frozenset({"film", "gain_map", "depth_map", "view"})
DESCRIBING: Final = frozenset({"exif", "xmp", "iptc"})
# Formats that are nearly always lossy.
LOSSY: Final = frozenset({"JPEG", "HEIF", "AVIF"})
# Formats that may keep all pixels. Where another file has the very same ones, nothing was lost between the two.
EXACT: Final = LOSSLESS | {"WEBP", "GIF"}
# Pictures and sounds in their own right; what a sidecar says can be written again.
OWN_RIGHT: Final = frozenset({"raw", "film"})
# A drawing has few colours, and with a palette takes few bits per pixel; a photograph had more colours before.
PALETTE_MODES = frozenset({"P", "PA"})


class KeeperCandidate(NamedTuple):
    """One file of a group, with what the criteria use. A tuple: a list of 20,000 groups makes 40,000, and a frozen
    dataclass takes four times as long.

    `whole` is False for a part of another picture of the group, a frame of an animation, or a picture with something
    around it; `coloured` is False for the grey copy of a coloured one. `reworked` is True if it differs from the
    group's reference by more than compression: one of the two was sharpened, blurred, brightened, written on...
    Candidates with the same `picture` have equal pixels. `companions` are the kinds of its companion files. `taken` is
    the capture date, from the file, a file next to it or its name. `written` is how many kinds of descriptions people
    wrote in the file or next to it: keywords, a rating, a title... `outside` is True for a file in an unwatched folder,
    known to one search only.
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
    picture: int | None = None
    companions: tuple[str, ...] = ()
    taken: str = ""
    written: int = 0
    outside: bool = False

    def seen_as(
        self, picture: int, *, whole: bool = True, coloured: bool = True, reworked: bool = False
    ) -> "KeeperCandidate":
        """The same file with the results of a comparison."""
        if (picture, whole, coloured, reworked) == (self.picture, self.whole, self.coloured, self.reworked):
            return self
        return self._replace(picture=picture, whole=whole, coloured=coloured, reworked=reworked)

    @property
    def shows(self) -> tuple[str, int]:
        """What it shows: the same for candidates with equal pixels."""
        return ("image", self.image_id) if self.picture is None else ("picture", self.picture)


@dataclass(frozen=True, slots=True)
class Reason:
    """A criterion that narrowed the choice: how many it left (more than one is a near-tie), out of how many.

    `value` is that of the kept image, if it can be shown: "4000x3000", a number of bytes, a time.
    """

    criterion: str
    left: int
    of: int
    value: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """`tie` is whether a person should decide. `certainty` is how likely the kept picture is the original, None if that
    was not estimated; `absent` is whether a proof contradicts every picture of the group. It is a tie as well if the
    kept image is smaller than a damaged one or has fewer frames or pages than another, since neither is complete, or if
    it is a RAW file, of which only the preview was compared."""

    image_id: int
    reasons: tuple[Reason, ...]
    tie: bool = False
    certainty: float | None = None
    absent: bool = False

    @property
    def decided_by(self) -> str:
        return self.reasons[-1].criterion if self.reasons else ""


def propose_keeper(
    candidates: Sequence[KeeperCandidate], criteria: Sequence[str] | None = None, standing: "Standing | None" = None
) -> Proposal:
    """The image to keep among one or more, with each criterion that narrowed the choice.

    `criteria` are names of CRITERIA, highest priority first; by default all of them in their order. Before them come
    those of ALWAYS: regardless of preferences, no image is given up that has something the kept image lacks. Without a
    standing, the criterion `original` decides nothing. A file outside is proposed only among others of its kind, since
    it may not be available later.
    """
    left = [candidate for candidate in candidates if not candidate.outside] or list(candidates)
    reasons: list[Reason] = []
    tie = False
    usual = None if criteria is None else tuple(criteria)
    for name, criterion in _in_order(usual, _differ_in_what_they_hold(left)):
        if len(left) == 1:
            break
        if name == ORIGINAL:
            if standing is None or _show_the_same(left):
                continue
            chosen = _of_original(left, standing)
            best = max((standing.shares.get(c.picture, 0.0) for c in chosen if c.picture is not None), default=0.0)
            tie = not standing.sure or chosen[0].picture != standing.best
            # Rounded down: a near certainty is not shown as 1.
            shown = f"{int(100 * best + 1e-9) / 100:.2f}"
        else:
            chosen, shown = criterion.choose(left), ""
            tie |= name == LAST and not _show_the_same(left)
        if len(chosen) < len(left):
            reasons.append(Reason(name, len(chosen), len(left), shown or criterion.shown(chosen[0])))
        left = chosen
    kept = left[0]
    tie |= not kept.facts.damage and any(c.facts.damage and _is_larger(_sides(c), _sides(kept)) for c in candidates)
    tie |= any(c.facts.frames > kept.facts.frames for c in candidates)
    tie |= _is_raw(kept) and not all(map(_is_raw, candidates))
    certainty = None if standing is None or kept.picture is None else standing.shares.get(kept.picture)
    return Proposal(kept.image_id, tuple(reasons), tie, certainty, standing is not None and standing.absent)


@lru_cache(maxsize=64)
def _in_order(criteria: tuple[str, ...] | None, with_always: bool) -> tuple[tuple[str, "Criterion"], ...]:
    """The criteria that choose, highest priority first."""
    names = (*(ALWAYS if with_always else ()), *(CRITERIA if criteria is None else criteria), LAST)
    return tuple((name, ALWAYS.get(name) or CRITERIA[name]) for name in names)


def untouched(candidates: Sequence[KeeperCandidate]) -> frozenset[int]:
    """The images that no proposal moves: the protected ones and, in a group with files of the library, those outside of
    it."""
    is_mixed = any(not candidate.outside for candidate in candidates)
    return frozenset(c.image_id for c in candidates if c.protected or (is_mixed and c.outside))


def _differ_in_what_they_hold(candidates: Sequence[KeeperCandidate]) -> bool:
    """Whether any of ALWAYS can choose between them: this is rare, and comparing each with each takes time."""
    depth = candidates[0].facts.bit_depth
    for candidate in candidates:
        facts = candidate.facts
        if facts.damage or facts.attachments or facts.bit_depth != depth or _is_raw(candidate):
            return True
    return False


def _show_the_same(candidates: Sequence[KeeperCandidate]) -> bool:
    shows = candidates[0].shows
    return all(candidate.shows == shows for candidate in candidates)


def _of_original(candidates: Sequence[KeeperCandidate], standing: "Standing") -> list[KeeperCandidate]:
    """The files of the most likely original. If that is not certain, those of all that are about as likely; the
    criteria after it choose the one shown first."""

    def share(candidate: KeeperCandidate) -> float:
        return 0.0 if candidate.picture is None else round(standing.shares.get(candidate.picture, 0.0), 6)

    first = max(candidates, key=lambda c: (share(c), -(c.picture or 0)))
    if standing.sure:
        return [candidate for candidate in candidates if candidate.shows == first.shows]
    return [candidate for candidate in candidates if share(candidate) >= TIE.about_as_likely * share(first)]


def _quality(candidate: KeeperCandidate) -> int:
    return _quality_left(candidate.facts, candidate.size_bytes)


def _quality_left(facts: Facts, size_bytes: int) -> int:
    """The quality that compression has left, as libjpeg's quality: no later JPEG restores what an earlier one has lost.
    0 if it is unknown, 100 if nothing was lost."""
    own = 100 if facts.format in LOSSLESS and _all_colours(facts, size_bytes) else facts.jpeg_quality
    return min(own, facts.earlier_quality) if facts.earlier_quality else own


def _is_lossless(candidate: KeeperCandidate) -> bool:
    return _quality(candidate) == 100 and candidate.facts.format in LOSSLESS


def _companions(candidate: KeeperCandidate) -> tuple[int, int]:
    return len(OWN_RIGHT.intersection(candidate.companions)), len(candidate.companions)


def _has_all_colours(candidate: KeeperCandidate) -> bool:
    return _all_colours(candidate.facts, candidate.size_bytes)


def _all_colours(facts: Facts, size_bytes: int) -> bool:
    bits = 8 * size_bytes / max(1, facts.width * facts.height)
    return facts.mode not in PALETTE_MODES or bits < TIE.min_bits_of_photograph


def quality_rank(facts: Facts, size_bytes: int) -> tuple[float, ...]:
    """A sort key that puts the better picture first, for choosing references; small differences count."""
    quality = _quality_left(facts, size_bytes)
    # After the JPEG that it may have been made from, whose quality is known better.
    quality -= TIE.earlier_quality if facts.earlier_quality else 0
    # The shorter side first: a stretched picture is larger than before, but not on both sides.
    shorter = min(facts.width, facts.height)
    return (bool(facts.damage), -shorter, -facts.width * facts.height, -quality, -len(facts.metadata), -size_bytes)


def _most(value: Callable[[KeeperCandidate], Any]) -> Callable[[Sequence[KeeperCandidate]], list[KeeperCandidate]]:
    def choose(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
        values = list(map(value, candidates))
        best = max(values)
        if values.count(best) == len(values):
            return list(candidates)
        return [candidate for candidate, own in zip(candidates, values, strict=True) if own == best]

    return choose


def _largest(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """Those than which none is larger. If one is wider and another as high or higher, one of them was stretched; the
    sizes do not show which."""
    of_all = {_sides(candidate) for candidate in candidates}
    if len(of_all) == 1:
        return list(candidates)
    largest = {sides for sides in of_all if not any(_is_larger(other, sides) for other in of_all)}
    return [candidate for candidate in candidates if _sides(candidate) in largest]


def _sides(candidate: KeeperCandidate) -> tuple[int, int]:
    """The shorter and the longer side: a rotated copy has the same."""
    width, height = candidate.facts.width, candidate.facts.height
    return min(width, height), max(width, height)


def _is_larger(sides: tuple[int, int], than: tuple[int, int]) -> bool:
    ratios = [side / other for side, other in zip(sides, than, strict=True)]
    # If the shape differs, one was stretched: it must be larger on both sides.
    stretched = max(ratios) > (1 + TIE.side) * min(ratios)
    least = 1 + TIE.side if stretched else 1 - TIE.side
    return min(ratios) >= least and sides[0] * sides[1] * (1 - TIE.pixels) > than[0] * than[1]


def _unless_surpassed(
    surpasses: Callable[[KeeperCandidate, KeeperCandidate], bool],
) -> Callable[[Sequence[KeeperCandidate]], list[KeeperCandidate]]:
    """Those that are not surpassed by another one that is at least as large."""

    def choose(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
        left = [
            c
            for c in candidates
            if not any(surpasses(other, c) and not _is_larger(_sides(c), _sides(other)) for other in candidates)
        ]
        return left or list(candidates)

    return choose


def holds_what_is_lost(candidate: KeeperCandidate, kept: KeeperCandidate) -> bool:
    """Whether a candidate has something that would be lost if only `kept` stayed: an undamaged picture, sensor data,
    bits, data after the picture."""
    if (kept.facts.damage and not candidate.facts.damage) or (_is_raw(candidate) and not _is_raw(kept)):
        return True
    return _is_deeper(candidate, kept) or bool(_parts_of(candidate) - _parts_of(kept))


def _is_deeper(other: KeeperCandidate, than: KeeperCandidate) -> bool:
    """Whether it has more bits per channel, and no trace of a JPEG that it was made from, which had 8. Of a RAW file
    only the bits of its preview are known."""
    if _is_raw(than):
        return False
    return other.facts.bit_depth > than.facts.bit_depth and not other.facts.earlier_quality


def _is_raw(candidate: KeeperCandidate) -> bool:
    return candidate.facts.format in RAW_FORMATS


def _holds_more(other: KeeperCandidate, than: KeeperCandidate) -> bool:
    """Whether one file has all the data that follows the picture in the other, and more."""
    return _parts_of(other) > _parts_of(than)


def _parts_of(candidate: KeeperCandidate) -> set[str]:
    return {part.kind for part in candidate.facts.attachments if part.kind in COUNTED_PARTS}


def _first_saved(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """Those that were not made from a JPEG as good as another one of the group: saving it again adds bytes and a higher
    quality, but no detail."""
    firsts = [_quality(c) for c in candidates if not c.facts.earlier_quality]
    if len(firsts) == len(candidates):
        return list(candidates)
    best = max(firsts, default=0) + TIE.earlier_quality
    return [c for c in candidates if not 0 < c.facts.earlier_quality <= best]


def _of_each_kind(
    choose: Callable[[Sequence[KeeperCandidate]], list[KeeperCandidate]], candidates: Sequence[KeeperCandidate]
) -> list[KeeperCandidate]:
    """The best of the altered ones, and the best of the others. Neither the pictures nor their bytes and quality show
    which of the two was altered; age decides later, since the original is older."""
    kinds = [c for c in candidates if not c.reworked], [c for c in candidates if c.reworked]
    return [c for kind in kinds if kind for c in choose(kind)]


def _finest(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """The least recompressed JPEGs; other formats record no quality and are left to the other criteria."""
    if any(not candidate.facts.jpeg_quality for candidate in candidates):
        return list(candidates)

    def best(among: Sequence[KeeperCandidate], most: int = 100) -> list[KeeperCandidate]:
        finest = max(min(most, _quality(c)) for c in among)
        return [c for c in among if min(most, _quality(c)) >= finest - TIE.jpeg_quality]

    finest = _of_each_kind(best, candidates)
    return best(finest, TIE.seen_quality) if len({c.reworked for c in finest}) > 1 else finest


def _first_coded(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """Of files with equal pixels, those that lost something by compression: a lossless file with the very same pixels
    was made from one of them."""
    if not _show_the_same(candidates):
        return list(candidates)
    lossy = [candidate for candidate in candidates if candidate.facts.format in LOSSY]
    return lossy or list(candidates)


def _richest(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """Those with the most metadata, by its meaning: with what and where it was taken before what a person wrote. The
    blocks count last, as a program leaves them empty, and a colour profile does not describe the picture."""
    return _SAYING_MOST(candidates)


def _said(candidate: KeeperCandidate) -> tuple[bool, bool, int, int]:
    facts = candidate.facts
    is_recorded, is_placed, blocks = _said_by(facts.metadata, is_plausible(facts.taken) or bool(facts.camera))
    return is_recorded, is_placed, candidate.written, blocks


@lru_cache(maxsize=256)
def _said_by(metadata: tuple[str, ...], is_recorded: bool) -> tuple[bool, bool, int]:
    blocks = sum(block in DESCRIBING for block in metadata)
    return "exif" in metadata and is_recorded, "gps" in metadata, blocks


_SAYING_MOST: Final = _most(_said)
_HEAVIEST: Final = _most(attrgetter("size_bytes"))


def _are_exact(candidates: Sequence[KeeperCandidate]) -> bool:
    """Whether they show the same pixels in formats that may keep all of them: any may stay, the smaller the better."""
    return all(candidate.facts.format in EXACT for candidate in candidates) and _show_the_same(candidates)


def _unless_exact(
    choose: Callable[[Sequence[KeeperCandidate]], list[KeeperCandidate]],
) -> Callable[[Sequence[KeeperCandidate]], list[KeeperCandidate]]:
    """A criterion that decides nothing among such files."""
    return lambda candidates: list(candidates) if _are_exact(candidates) else choose(candidates)


def _heaviest(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """Those with the most bytes, which lost less by compression; among lossless files with equal pixels, those with the
    fewest."""
    if _are_exact(candidates):
        return _most(lambda candidate: -candidate.size_bytes)(candidates)
    return _of_each_kind(_HEAVIEST, candidates)


def _oldest_taken(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    dates = [candidate.taken for candidate in candidates if is_plausible(candidate.taken)]
    return [c for c in candidates if c.taken == min(dates)] if dates else list(candidates)


def _oldest(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """Those with the oldest time. One that a copy without times or a clock that was reset left is none."""
    times = [c.mtime_ns for c in candidates if is_plausible_file_time(c.mtime_ns)]
    if not times:
        return list(candidates)
    oldest_ns = min(times)
    candidates = [c for c in candidates if c.mtime_ns >= oldest_ns]
    return [c for c in candidates if c.mtime_ns - oldest_ns <= TIE.age_s * 10**9]


def _first_path(candidates: Sequence[KeeperCandidate]) -> list[KeeperCandidate]:
    """`IMG_1.jpg` before `copies/IMG_1 (2).jpg`: the shallower, then the shorter, then the first by bytes."""
    return [min(candidates, key=lambda c: (c.path.count(b"/"), len(c.path), c.path))]


def _when(mtime_ns: int) -> str:
    """As ISO 8601 in UTC; only times that are plausible decide and are shown."""
    return datetime.fromtimestamp(mtime_ns // 10**9, UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Criterion:
    """`choose` returns the best candidates, or all if it cannot decide; `shown` is the value of a chosen one."""

    choose: Callable[[Sequence[KeeperCandidate]], list[KeeperCandidate]]
    shown: Callable[[KeeperCandidate], str] = lambda _: ""


LAST: Final = "path"
ORIGINAL: Final = "original"

# Before all others, in any configuration.
ALWAYS: Final[Mapping[str, Criterion]] = {
    "sound": Criterion(_most(lambda c: not c.facts.damage)),
    # A picture developed from a RAW file has less data than it, regardless of size and bits.
    "raw": Criterion(_most(_is_raw), lambda c: c.facts.format),
    "bit_depth": Criterion(_unless_surpassed(_is_deeper), lambda c: str(c.facts.bit_depth)),
    "attachments": Criterion(_unless_surpassed(_holds_more), lambda c: ", ".join(sorted(_parts_of(c)))),
}

# The default order.
CRITERIA: Final[Mapping[str, Criterion]] = {
    # Chosen by propose_keeper, since it needs to know the group. After it, all remaining files show equal pixels.
    ORIGINAL: Criterion(list),
    "protected": Criterion(_most(attrgetter("protected"))),
    "companions": Criterion(_most(_companions), lambda c: ", ".join(c.companions)),
    "metadata": Criterion(_richest, lambda c: ", ".join(c.facts.metadata)),
    "first_coded": Criterion(_first_coded, lambda c: c.facts.format),
    # If the order does not begin with `original`: before resolution, since a copy with a frame around it, or an
    # enlarged part, can be larger than the original.
    "whole": Criterion(_most(attrgetter("whole"))),
    "coloured": Criterion(_most(attrgetter("coloured"))),
    "resolution": Criterion(_largest, lambda c: f"{c.facts.width}x{c.facts.height}"),
    "colours": Criterion(_unless_exact(_most(_has_all_colours))),
    "first_saved": Criterion(_first_saved),
    "lossless": Criterion(_unless_exact(_most(_is_lossless)), lambda c: c.facts.format),
    "jpeg_quality": Criterion(_finest, lambda c: str(_quality(c))),
    "priority": Criterion(_most(attrgetter("priority")), lambda c: str(c.priority)),
    "taken": Criterion(_oldest_taken, lambda c: c.taken),
    "size": Criterion(_heaviest, lambda c: str(c.size_bytes)),
    "age": Criterion(_oldest, lambda c: _when(c.mtime_ns)),
    LAST: Criterion(_first_path),
}
