"""PURE: two prepared pictures -> the best way of laying the first over the second, and how they agree there.

The cheap ways come first: as the hashes suggest, then corrected by ECC from coarse to fine, then as features suggest.
What clearly is another picture has cost a few milliseconds by then, and so has what clearly is the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.model import Turn
from index.verification import align
from index.verification.align import Features, Grey, Map, Mask
from index.verification.similarity import Similarity, compare

# Long sides of the frames in which pictures are compared, in pixels. Finer detail does not survive a small copy; where
# one shows only a part of the other, that part should still have enough blocks.
COARSE_FRAME: Final = 128
FRAME: Final = 256
WIDE_FRAME: Final = 320
# What only a finer scale shows: whether details fall on details.
FINE_FRAME: Final = 448
LEAST_FRAME: Final = 64

# Median correlation over which a way is right but for small corrections, and that of features before any.
PLAUSIBLE_MEDIAN: Final = 0.6
ROUGH_MEDIAN: Final = 0.3
# Laid so well that no other way would be better, whatever still differs; a rough way only where nothing does.
SETTLED_BLOCKS: Final = 8
SETTLED_MEDIAN: Final = 0.95
SETTLED_SHARE: Final = 0.97
FEW_STEPS: Final = 12

# Two neighbouring pixels that differ by no more than this are plain: not even noise is there.
PLAIN_STEP: Final = 1.0
# Levels to either side that are one tone, and how far and how much of the picture is to stand out from it.
TONE_REACH: Final = 6
STANDS_OUT: Final = 60
LEAST_STANDING_OUT: Final = 0.01
# What surrounds a picture is a fill, of one colour, where so many of its pixels are this close to each other.
FILL_STEP: Final = 4.0
FILL_SHARE: Final = 0.8
LEAST_SURROUND: Final = 0.01

Shape = tuple[int, ...]

MIRRORED: Final = frozenset((Turn.FLIP_HORIZONTAL, Turn.FLIP_VERTICAL, Turn.TRANSPOSE, Turn.TRANSVERSE))


@dataclass(eq=False)
class Prepared:
    """A view in greys, uint8 (height, width), with what is computed from it once, for all its pairs. `colourful` is
    the mean distance of its colours from grey, `warmth` by how much it is more red than blue, in levels."""

    grey: NDArray[np.uint8]
    colourful: float
    warmth: float
    _frames: dict[int, Grey] = field(default_factory=dict)

    @cached_property
    def features(self) -> Features:
        return align.features(self.grey)

    @cached_property
    def mirrored_features(self) -> Features:
        return align.features(np.ascontiguousarray(self.grey[:, ::-1]))

    @cached_property
    def plain(self) -> float:
        """The share of the picture without even noise: paper of a scan, background of a screen."""
        grey = self.frame(FINE_FRAME)
        across, down = cv2.absdiff(grey[:-1, 1:], grey[:-1, :-1]), cv2.absdiff(grey[1:, :-1], grey[:-1, :-1])
        return float((across + down <= PLAIN_STEP).mean())

    @cached_property
    def ground(self) -> float:
        """The share of the picture in its commonest tone, noise and all, where something stands out from it: paper of
        a photographed form, background of a dense screen; else 0."""
        levels = np.bincount(self.frame(FINE_FRAME).astype(np.uint8).ravel(), minlength=256)
        share = np.convolve(levels / levels.sum(), np.ones(2 * TONE_REACH + 1), "same")
        commonest = int(share.argmax())
        level = np.arange(256)
        standing_out = float(levels[np.abs(level - commonest) >= STANDS_OUT].sum() / levels.sum())
        return float(share[commonest]) if standing_out >= LEAST_STANDING_OUT else 0.0

    @cached_property
    def order(self) -> tuple[int, bytes]:
        """By what of two pictures one is always the first."""
        return self.grey.size, self.frame(16).tobytes()

    def frame(self, side: int) -> Grey:
        """The grey picture with a long side of at most `side`, float32."""
        if side not in self._frames:
            height, width = self.grey.shape
            factor = min(1.0, side / max(height, width))
            size = (max(16, round(width * factor)), max(16, round(height * factor)))
            self._frames[side] = cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return self._frames[side]


def prepare(view: NDArray[np.uint8]) -> Prepared:
    """A view, RGB uint8 (height, width, 3), ready to be compared."""
    red, green, blue = cv2.split(view)
    low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    grey = np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), np.uint8)
    return Prepared(grey, cv2.mean(cv2.subtract(high, low))[0], cv2.mean(red)[0] - cv2.mean(blue)[0])


@dataclass(frozen=True, eq=False)
class Laid:
    """One way of laying the first picture over the second. `first` is in `turn` already, `laid` is the first as seen
    in the frame of `second`, where it covers it is `covered`; `rough` where nothing but features speaks for the map."""

    turn: Turn
    over: Map
    first: Grey
    second: Grey
    laid: Grey
    covered: Mask
    similarity: Similarity
    rough: bool

    @property
    def score(self) -> float:
        """Which of two ways is better."""
        return self.similarity.fit + 0.1 * self.contained

    @property
    def contained(self) -> float:
        """The larger share that one picture has in what both show."""
        return max(self.share_first, self.share_second)

    @cached_property
    def covered_first(self) -> Mask:
        """Where the second covers the first."""
        back = align.inverted(self.over)
        if back is None:
            return np.zeros(self.first.shape, np.bool_)
        return align.covered(self.second.shape, self.first.shape, back)

    @cached_property
    def share_first(self) -> float:
        return float(self.covered_first.mean())

    @cached_property
    def share_second(self) -> float:
        return float(self.covered.mean())

    @cached_property
    def exclusive(self) -> float:
        """The share of the picture that only one of them shows, of the one that has less of it. None where either lies
        within the other, whatever surrounds that one; a fill in one colour shows nothing."""
        return min(_surround(self.first, self.covered_first), _surround(self.second, self.covered))

    @property
    def settled(self) -> bool:
        return (
            self.similarity.textured >= SETTLED_BLOCKS
            and self.similarity.median >= SETTLED_MEDIAN
            and self.contained >= SETTLED_SHARE
            and not (self.rough and self.similarity.different.any())
        )


def ways(
    first: Prepared, second: Prepared, hint: Turn | None, placed: Sequence[Map] | None = None
) -> Iterator[Laid]:
    """The ways to lay one over the other, to be asked for until one is good enough. `hint` is the turn that the hashes
    suggest, None where they say nothing; `placed` is about how the first may lie over the second, where that was asked.
    """
    by_placing = by_hash = None
    for over in placed or ():
        for by_placing in _ways_by_placing(first, second, over):
            yield by_placing
    if hint is None and placed is not None and by_placing is None:
        # Most pairs that nothing but features propose met by accident. All ways of laying them cost ten times as much.
        return
    if hint is not None:
        for by_hash in _ways_by_hash(first, second, hint):
            yield by_hash
    trusted = by_hash is not None and by_hash.similarity.median >= PLAUSIBLE_MEDIAN
    mirrored = hint in MIRRORED
    for parity in (mirrored,) if trusted else (mirrored, not mirrored):
        yield from _ways_by_features(first, second, mirrored=parity)


def _ways_by_hash(first: Prepared, second: Prepared, hint: Turn) -> Iterator[Laid]:
    """Corner on corner, as is right for a copy that was not cropped, then corrected from coarse to fine."""
    side = max(LEAST_FRAME, min(FRAME, max(first.grey.shape), max(second.grey.shape)))
    one, other = turned(first.frame(side), hint), second.frame(side)
    start = align.stretch(one.shape, other.shape)
    yield (found := lay(hint, one, other, start))
    if found.similarity.median < PLAUSIBLE_MEDIAN:
        coarse_one, coarse_other = turned(first.frame(COARSE_FRAME), hint), second.frame(COARSE_FRAME)
        coarse = align.refine(coarse_one, coarse_other, align.stretch(coarse_one.shape, coarse_other.shape))
        if coarse is None or lay(hint, coarse_one, coarse_other, coarse).similarity.median < PLAUSIBLE_MEDIAN:
            return
        start = rescaled(coarse, coarse_one.shape, coarse_other.shape, one.shape, other.shape)
    yield from _corrected(hint, one, other, start)


def _ways_by_placing(first: Prepared, second: Prepared, placed: Map) -> Iterator[Laid]:
    """As it is about known, in pixels of the greys, and corrected from coarse to fine; none where the two have nothing
    in common there."""
    turn, over = Turn.NONE, placed
    if np.linalg.det(placed[:2, :2]) < 0:
        turn = Turn.FLIP_HORIZONTAL
        over = placed @ np.array([[-1.0, 0, first.grey.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
    for side in (COARSE_FRAME, WIDE_FRAME):
        one, other = turned(first.frame(side), turn), second.frame(side)
        start = rescaled(over, first.grey.shape, second.grey.shape, one.shape, other.shape)
        if not align.sane(start, one.shape):
            return
        laid = lay(turn, one, other, start, rough=True)
        better = align.refine(one, other, start)
        # A broad caption draws what is corrected by brightness away from where corners have put it.
        if better is not None and (corrected := lay(turn, one, other, better, rough=True)).score > laid.score:
            laid, start = corrected, better
        if side == COARSE_FRAME and laid.similarity.textured and laid.similarity.median < ROUGH_MEDIAN:
            return
        over = rescaled(start, one.shape, other.shape, first.grey.shape, second.grey.shape)
    yield laid
    if laid.similarity.median >= ROUGH_MEDIAN:
        yield from _corrected(turn, one, other, start)


def _ways_by_features(first: Prepared, second: Prepared, *, mirrored: bool) -> Iterator[Laid]:
    own, turn = (first.mirrored_features, Turn.FLIP_HORIZONTAL) if mirrored else (first.features, Turn.NONE)
    found = align.fit(own, second.features)
    if found is None:
        return
    one, other = turned(first.frame(WIDE_FRAME), turn), second.frame(WIDE_FRAME)
    start = rescaled(found, first.grey.shape, second.grey.shape, one.shape, other.shape)
    if align.sane(start, one.shape):
        yield (laid := lay(turn, one, other, start, rough=True))
        if laid.similarity.median >= ROUGH_MEDIAN:
            yield from _corrected(turn, one, other, start)


def _corrected(turn: Turn, one: Grey, other: Grey, start: Map) -> Iterator[Laid]:
    for perspective in (False, True):
        better = align.refine(one, other, start, perspective, FEW_STEPS)
        if better is None:
            return
        yield (laid := lay(turn, one, other, better))
        if laid.similarity.median < PLAUSIBLE_MEDIAN:
            return
        start = better


def lay(turn: Turn, first: Grey, second: Grey, over: Map, *, rough: bool = False) -> Laid:
    """Lay a picture, in `turn` already, over another."""
    covered = align.covered(first.shape, second.shape, over)
    laid = align.lay(first, second.shape, over)
    return Laid(turn, over, first, second, laid, covered, compare(laid, second, align.inside(covered)), rough)


def rescaled(over: Map, first: Shape, second: Shape, one: Shape, other: Shape) -> Map:
    """A map between pictures of two shapes, for the same pictures in two other shapes."""
    return align.stretch(second, other) @ over @ align.stretch(one, first)


def turned(picture: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """A matrix in another turn."""
    if turn in (Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE):
        picture = picture.T
    if turn in (Turn.FLIP_HORIZONTAL, Turn.ROTATE_180, Turn.ROTATE_90, Turn.TRANSVERSE):
        picture = picture[:, ::-1]
    if turn in (Turn.FLIP_VERTICAL, Turn.ROTATE_180, Turn.ROTATE_270, Turn.TRANSVERSE):
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _surround(picture: Grey, covered: Mask) -> float:
    """The share of a picture that is not covered, nor a fill in one colour."""
    if covered.mean() > 1 - LEAST_SURROUND:
        return 0.0
    # JPEG makes the edge of a fill ring, and maps are right within a pixel or so.
    beyond = cv2.dilate(covered.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    values = picture[beyond]
    if not values.size:
        return 0.0
    filled = float((np.abs(values - np.median(values[::7])) <= FILL_STEP).mean())
    return 0.0 if filled >= FILL_SHARE else values.size / picture.size
