"""PURE: two pictures -> is it the same picture, how sure, and the evidence.

Both are brought into one turn and frame, first as the hashes suggest, then as features do, and compared block by
block. The same picture agrees nearly everywhere, however it was encoded, brightened, cropped or framed; a burst, a form
filled in anew or a screen in another language agrees in many places and differs in many others. What differs in one
place only, as a stamp or a caption does, is told and let pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index import align, evidence
from index.align import Features, Grey, Map
from index.model import Facts, Kind, Turn
from index.registration import residual_shift
from index.similarity import Similarity, compare

# Long side of the frame in which pictures are compared, in pixels: finer detail does not survive a small copy.
FRAME: Final = 256
# Where one picture is only a part of the other, the part should still have enough blocks.
WIDE_FRAME: Final = 320

# The gates. Real copies and look-alikes were measured on both sides of each: docs/verification.md.
LEAST_TEXTURED: Final = 8
LEAST_MEDIAN: Final = 0.85
MOST_DIFFERENT: Final = 0.02
MOST_ELSEWHERE: Final = 0.025
MOST_IN_ONE_PLACE: Final = 0.35
# A drawing, a form or a screen: this share of it is perfectly plain. There a small difference is another text.
GRAPHIC_PLAIN: Final = 0.62
PLAIN_STEP: Final = 1.0
MOST_DIFFERENT_GRAPHIC: Final = 0.004
# Details of a copy fall on those of the original; those of another exposure do not. Either limit is enough.
MOST_SHIFT_PX: Final = 0.135
MOST_SHIFT_ERRORS: Final = 1.9
# Quantisation this coarse shifts details by itself.
COARSE_QUALITY: Final = 20
COARSE_FACTOR: Final = 3
# Long side of the frame for what only a finer scale shows; a drawing smaller than READABLE_PX cannot be read.
FINE_FRAME: Final = 448
READABLE_PX: Final = 300
LEAST_CONTAINED: Final = 0.80
# Alignment that cannot be bettered: no need to look for another.
PERFECT_MEDIAN: Final = 0.95
PERFECT_DIFFERENT: Final = 0.005
# Worth telling a person about, though it is not enough to be sure.
DOUBTFUL_MEDIAN: Final = 0.75
DOUBTFUL_DIFFERENT: Final = 0.20


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition that a pair of pictures met or did not."""

    name: str
    value: float
    limit: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """`kind` is NEAR, POSSIBLE or None; the turn and the evidence lead from the first picture to the second."""

    kind: Kind | None
    confidence: float
    turn: Turn
    evidence: dict[str, Any]
    gates: tuple[Gate, ...]


@dataclass(eq=False)
class Prepared:
    """A view, uint8 (height, width, 3) RGB, with what is computed from it once, for all its pairs."""

    rgb: NDArray[np.uint8]
    _frames: dict[int, Grey] = field(default_factory=dict)

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def features(self) -> Features:
        return align.features(self.grey)

    @cached_property
    def mirrored_features(self) -> Features:
        return align.features(np.ascontiguousarray(self.grey[:, ::-1]))

    @cached_property
    def colourful(self) -> float:
        """Mean distance of the colours from grey, in levels."""
        low, high = self.rgb.min(axis=2).astype(np.int16), self.rgb.max(axis=2).astype(np.int16)
        return float((high - low).mean())

    @cached_property
    def plain(self) -> float:
        """The share of the picture without even noise: paper of a scan, background of a screen."""
        grey = self.frame(FINE_FRAME)
        across, down = np.abs(np.diff(grey[:-1], axis=1)), np.abs(np.diff(grey[:, :-1], axis=0))
        return float((across + down <= PLAIN_STEP).mean())

    def frame(self, side: int) -> Grey:
        """The grey picture with a long side of at most `side`."""
        if side not in self._frames:
            height, width = self.grey.shape
            factor = min(1.0, side / max(height, width))
            size = (max(16, round(width * factor)), max(16, round(height * factor)))
            self._frames[side] = cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return self._frames[side]


@dataclass(frozen=True, slots=True)
class _Laid:
    """One way of laying the first picture over the second, and how they agree there."""

    turn: Turn
    over: Map
    first: Grey
    second: Grey
    laid: Grey
    covered: NDArray[np.bool_]
    similarity: Similarity
    share_first: float
    share_second: float

    @property
    def score(self) -> float:
        """Which of two ways is better."""
        return self.similarity.median - self.similarity.different_share + 0.1 * min(1.0, self.contained)

    @property
    def contained(self) -> float:
        """The larger share that one picture has in what both show."""
        return max(self.share_first, self.share_second)


def prepare(view: NDArray[np.uint8]) -> Prepared:
    """A view, RGB uint8 (height, width, 3), ready to be compared."""
    return Prepared(view)


def judge(first: Prepared, second: Prepared, facts_first: Facts, facts_second: Facts, hint: Turn | None) -> Judgement:
    """Whether two pictures are the same. `hint` is the turn that the hashes suggest, None where they say nothing."""
    best: _Laid | None = None
    for laid in _ways(first, second, hint):
        if best is None or laid.score > best.score:
            best = laid
        if _perfect(best):
            break
    if best is None:
        gate = Gate("aligned", 0.0, 1.0, passed=False)
        return Judgement(None, 0.0, hint or Turn.NONE, {}, (gate,))
    graphic = min(first.plain, second.plain) >= GRAPHIC_PLAIN
    gates = _gates(best, graphic)
    if all(gate.passed for gate in gates):
        worst = min((facts.jpeg_quality for facts in (facts_first, facts_second) if facts.jpeg_quality), default=100)
        gates += _fine_gates(best, first, second, hint, worst, graphic)
    kind = _kind(best, gates)
    told = _tell(best, first, second, facts_first, facts_second) if kind is not None else {}
    return Judgement(kind, _confidence(best, kind), best.turn, told, gates)


def _ways(first: Prepared, second: Prepared, hint: Turn | None) -> Iterator[_Laid]:
    """The ways to lay one over the other, the cheap ones first."""
    side = max(64, min(FRAME, max(first.grey.shape), max(second.grey.shape)))
    if hint is not None:
        one, other = _turned(first.frame(side), hint), second.frame(side)
        start = align.stretch(one.shape, other.shape)
        yield _lay(hint, one, other, start)
        better = align.refine(one, other, start)
        if better is not None and align.sane(better, one.shape):
            yield _lay(hint, one, other, better)
    for turn in (Turn.NONE, Turn.FLIP_HORIZONTAL):
        own = first.features if turn is Turn.NONE else first.mirrored_features
        found = align.fit(own, second.features)
        if found is None:
            continue
        one, other = _turned(first.frame(WIDE_FRAME), turn), second.frame(WIDE_FRAME)
        shape = _turned(first.grey, turn).shape
        start = align.stretch(second.grey.shape, other.shape) @ found[0] @ align.stretch(one.shape, shape)
        if not align.sane(start, one.shape):
            continue
        yield _lay(turn, one, other, start)
        better = align.refine(one, other, start, perspective=True)
        if better is not None and align.sane(better, one.shape):
            yield _lay(turn, one, other, better)


def _lay(turn: Turn, first: Grey, second: Grey, over: Map) -> _Laid:
    shape = (second.shape[0], second.shape[1])
    laid, covered = align.lay(first, shape, over)
    common = float(covered.sum())
    grown = abs(float(np.linalg.det(over[:2, :2])))
    return _Laid(
        turn, over, first, second, laid, covered, compare(laid, second, covered),
        common / max(grown, 1e-6) / first.size, common / second.size,
    )  # fmt: skip


def _turned(picture: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """A matrix in another turn."""
    if turn in (Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE):
        picture = picture.T
    if turn in (Turn.FLIP_HORIZONTAL, Turn.ROTATE_180, Turn.ROTATE_90, Turn.TRANSVERSE):
        picture = picture[:, ::-1]
    if turn in (Turn.FLIP_VERTICAL, Turn.ROTATE_180, Turn.ROTATE_270, Turn.TRANSVERSE):
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _perfect(laid: _Laid) -> bool:
    similarity = laid.similarity
    return (
        similarity.textured >= LEAST_TEXTURED
        and similarity.median >= PERFECT_MEDIAN
        and similarity.different_share <= PERFECT_DIFFERENT
        and laid.contained >= 0.97
    )


# The decision


def _gates(laid: _Laid, graphic: bool) -> tuple[Gate, ...]:
    similarity = laid.similarity
    in_one_place, elsewhere = _spread(similarity)
    stamped = not graphic and in_one_place <= MOST_IN_ONE_PLACE and elsewhere <= MOST_ELSEWHERE
    different = similarity.different_share
    most = MOST_DIFFERENT_GRAPHIC if graphic else MOST_DIFFERENT
    return (
        Gate("texture", similarity.textured, LEAST_TEXTURED, similarity.textured >= LEAST_TEXTURED),
        Gate("contained", round(laid.contained, 3), LEAST_CONTAINED, laid.contained >= LEAST_CONTAINED),
        Gate("correlation", round(similarity.median, 3), LEAST_MEDIAN, similarity.median >= LEAST_MEDIAN),
        Gate("different", round(different, 3), most, different <= most or stamped),
    )


def _fine_gates(
    laid: _Laid, first: Prepared, second: Prepared, hint: Turn | None, worst_quality: int, graphic: bool
) -> tuple[Gate, ...]:
    """What only a finer scale shows: whether details fall on details, and whether a drawing says the same."""
    one, other = _turned(first.frame(FINE_FRAME), laid.turn), second.frame(FINE_FRAME)
    as_found = align.stretch(laid.second.shape, other.shape) @ laid.over @ align.stretch(one.shape, laid.first.shape)
    agreeing = _agreeing(laid.similarity, (other.shape[0], other.shape[1]))
    limit = MOST_SHIFT_PX * (COARSE_FACTOR if worst_quality <= COARSE_QUALITY else 1)
    best, over = _first_that_falls_on(_fine_ways(one, other, as_found, laid.turn == hint), one, other, agreeing, limit)
    gates = (Gate("registration", round(best[0], 3), limit, _falls_on(best, limit)),)
    if not graphic:
        return gates
    if min(max(one.shape), max(other.shape)) < READABLE_PX:
        return (*gates, Gate("readable", min(max(one.shape), max(other.shape)), READABLE_PX, passed=False))
    covered = align.lay(one, (other.shape[0], other.shape[1]), over)
    share = compare(covered[0], other, covered[1]).different_share
    return (*gates, Gate("detail", round(share, 4), MOST_DIFFERENT_GRAPHIC, share <= MOST_DIFFERENT_GRAPHIC))


def _fine_ways(first: Grey, second: Grey, as_found: Map, hinted: bool) -> Iterator[Map]:
    """The maps worth trying at the finer scale, the cheap ones first."""
    if hinted:
        # Simply corner on corner: right for whatever was not cropped, however much of it was painted over.
        yield align.stretch(first.shape, second.shape)
    yield as_found
    finer = align.refine(first, second, as_found, perspective=True)
    if finer is not None and align.sane(finer, first.shape):
        yield finer


def _first_that_falls_on(
    ways: Iterator[Map], first: Grey, second: Grey, where: NDArray[np.bool_], limit_px: float
) -> tuple[tuple[float, float], Map]:
    """The first map under which details fall on details, else the best; with its shift and significance."""
    tried = []
    for over in ways:
        tried.append((_registered(first, second, over, where, limit_px), over))
        if _falls_on(tried[-1][0], limit_px):
            return tried[-1]
    return min(tried, key=lambda way: way[0])


def _agreeing(similarity: Similarity, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the pictures do not differ, a block around each place that does left out: stamps have no place there."""
    near_different = cv2.dilate(similarity.different.astype(np.uint8), np.ones((3, 3), np.uint8))
    return cv2.resize(1 - near_different, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _registered(
    first: Grey, second: Grey, over: Map, where: NDArray[np.bool_], limit_px: float
) -> tuple[float, float]:
    """Shift and significance under a map, the pictures taken as they are or, if that is not enough, evenly lit."""
    laid, covered = align.lay(first, (second.shape[0], second.shape[1]), over)
    found = residual_shift(laid, second, covered & where)
    if _falls_on(as_is := (found.shift_px, found.significance), limit_px):
        return as_is
    found = residual_shift(laid, second, covered & where, relit=True)
    return min(as_is, (found.shift_px, found.significance))


def _falls_on(found: tuple[float, float], limit_px: float) -> bool:
    return found[0] <= limit_px or found[1] <= MOST_SHIFT_ERRORS


def _spread(similarity: Similarity) -> tuple[float, float]:
    """Of the blocks that count, the share that differs in the largest connected place, and in all others."""
    different = similarity.different.astype(np.uint8)
    if not different.any():
        return 0.0, 0.0
    # A caption has plain blocks between its words: places one block apart are one place.
    _, labels = cv2.connectedComponents(cv2.dilate(different, np.ones((3, 3), np.uint8)), connectivity=8)
    sizes = np.bincount(labels[different > 0])[1:]
    largest = float(sizes.max()) / max(1, similarity.textured)
    return largest, similarity.different_share - largest


def _kind(laid: _Laid, gates: tuple[Gate, ...]) -> Kind | None:
    passed = {gate.name: gate.passed for gate in gates}
    if all(passed.values()):
        return Kind.NEAR
    similarity = laid.similarity
    if "registration" in passed:
        # Everything but the fine detail agrees.
        return Kind.POSSIBLE
    if not passed["contained"]:
        return None
    if not passed["texture"]:
        return Kind.POSSIBLE if similarity.textured == 0 or similarity.median >= DOUBTFUL_MEDIAN else None
    doubtful = similarity.median >= DOUBTFUL_MEDIAN and similarity.different_share <= DOUBTFUL_DIFFERENT
    return Kind.POSSIBLE if doubtful else None


def _confidence(laid: _Laid, kind: Kind | None) -> float:
    """From 0 to 1, falling with what differs; at most 0.5 for what is only possible."""
    if kind is None:
        return 0.0
    similarity = laid.similarity
    sure = float(np.clip(similarity.median, 0, 1)) * (1 - similarity.different_share)
    return round(sure if kind is Kind.NEAR else min(0.5, sure / 2), 4)


# The evidence


def _tell(laid: _Laid, first: Prepared, second: Prepared, facts_first: Facts, facts_second: Facts) -> dict[str, Any]:
    told: dict[str, Any] = {"similarity": round(float(np.clip(laid.similarity.median, 0, 1)), 3)}
    turn, tilt = _turn_and_tilt(laid)
    if turn is not Turn.NONE:
        told["turn"] = str(turn)
    if abs(tilt) >= 0.4:
        told["tilt"] = round(tilt, 1)
    scale = _scale(laid, facts_first, facts_second)
    if abs(scale - 1) >= 0.01:
        told["scale"] = round(scale, 4)
    told |= _crop_or_frame(laid)
    tone = _tone(laid, first, second)
    if tone:
        told["tone"] = tone
    changed = laid.similarity.different_share
    if changed >= 0.01:
        told["changed"] = round(changed, 3)
    return told | evidence.of_files(facts_first, facts_second)


def _turn_and_tilt(laid: _Laid) -> tuple[Turn, float]:
    """What the map turns by beyond the turn it began with: quarter turns are turns, the rest is tilt."""
    degrees = float(np.degrees(np.arctan2(laid.over[1, 0], laid.over[0, 0])))
    quarters = round(degrees / 90) % 4
    tilt = (degrees + 45) % 90 - 45
    return _after(laid.turn, quarters), tilt


def _after(turn: Turn, quarters: int) -> Turn:
    """The turn followed by quarter turns clockwise."""
    clockwise = {
        Turn.NONE: Turn.ROTATE_90,
        Turn.ROTATE_90: Turn.ROTATE_180,
        Turn.ROTATE_180: Turn.ROTATE_270,
        Turn.ROTATE_270: Turn.NONE,
        Turn.FLIP_HORIZONTAL: Turn.TRANSVERSE,
        Turn.TRANSVERSE: Turn.FLIP_VERTICAL,
        Turn.FLIP_VERTICAL: Turn.TRANSPOSE,
        Turn.TRANSPOSE: Turn.FLIP_HORIZONTAL,
    }
    for _ in range(quarters):
        turn = clockwise[turn]
    return turn


def _scale(laid: _Laid, facts_first: Facts, facts_second: Facts) -> float:
    """How large a thing is in the second file for one in the first, in the files' own pixels."""
    in_frames = float(np.sqrt(abs(np.linalg.det(laid.over[:2, :2]))))
    first = max(laid.first.shape) / max(1, max(facts_first.width, facts_first.height))
    second = max(laid.second.shape) / max(1, max(facts_second.width, facts_second.height))
    return float(in_frames * first / second)


def _crop_or_frame(laid: _Laid) -> dict[str, Any]:
    """Which picture shows only a part of the other, and which part."""
    told: dict[str, Any] = {}
    if laid.share_first < 0.97 <= laid.share_second + 0.02:
        back = np.asarray(np.linalg.inv(laid.over), np.float64)
        told["crop"] = {"of": "first", "box": _box(laid.second.shape, back, laid.first.shape)}
    elif laid.share_second < 0.97 <= laid.share_first + 0.02:
        told["crop"] = {"of": "second", "box": _box(laid.first.shape, laid.over, laid.second.shape)}
        if _uniform_around(laid):
            told = {"frame": "second"}
    return told


def _box(shape: tuple[int, ...], over: Map, target: tuple[int, ...]) -> list[float]:
    """Where a picture lies in another, as fractions of its sides."""
    height, width = shape[0], shape[1]
    corners = np.array([[[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]]])
    laid = cv2.perspectiveTransform(corners, over / over[2, 2])[0]
    x = np.clip((laid[:, 0] + 0.5) / target[1], 0, 1)
    y = np.clip((laid[:, 1] + 0.5) / target[0], 0, 1)
    return [round(float(v), 3) for v in (x.min(), y.min(), x.max(), y.max())]


def _uniform_around(laid: _Laid) -> bool:
    """Whether what the second has beyond the first is a plain border."""
    around = laid.second[~cv2.dilate(laid.covered.astype(np.uint8), np.ones((9, 9))).astype(bool)]
    return bool(around.size) and float(np.median(np.abs(around - np.median(around)))) < 4


def _tone(laid: _Laid, first: Prepared, second: Prepared) -> dict[str, Any]:
    told: dict[str, Any] = {}
    one, other = laid.laid[laid.covered], laid.second[laid.covered]
    if one.size < 64:
        return told
    contrast = float(other.std() / max(1e-3, one.std()))
    brightness = float(other.mean() - one.mean())
    if not 0.85 <= contrast <= 1.18:
        told["contrast"] = max(0.01, round(contrast, 2))
    if abs(brightness) >= 10:
        told["brightness"] = round(brightness)
    grey_first, grey_second = first.colourful < 2.5, second.colourful < 2.5
    if grey_first != grey_second:
        told["grey"] = "first" if grey_first else "second"
    return told
