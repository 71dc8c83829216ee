"""PURE: two prepared pictures -> hypotheses of how the first is aligned with the second, and how well they agree.

Cheap hypotheses come first: as the hashes suggest, then corrected by ECC from coarse to fine, then as features suggest.
Clearly different and clearly equal pictures take a few milliseconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.turning import turned
from index.imaging.verification import transforms
from index.imaging.verification.graphics import FINE_FRAME, background_share, plain_share, reduced
from index.imaging.verification.order_statistics import median
from index.imaging.verification.similarity import Similarity, compare
from index.imaging.verification.strokes import stroke_share
from index.imaging.verification.transforms import Features, Grey, Map, Mask
from index.model import Turn

# Long sides of the frames in which pictures are compared, in pixels. Finer detail does not survive a small copy; where
# one shows only a part of the other, that part should still have enough blocks.
COARSE_FRAME: Final = 128
FRAME: Final = 256
WIDE_FRAME: Final = 320
# The long side of what pictures are prepared from; only letters are compared at more.
VIEW_SIDE: Final = 512
LEAST_FRAME: Final = 64


@dataclass(frozen=True, slots=True)
class HypothesisLimits:
    """Which alignments are corrected further, by the median correlation of their blocks."""

    plausible_median: float = threshold(0.6, "correlation", "Above, an alignment is right but for small corrections.")
    rough_median: float = threshold(0.3, "correlation", "The same for local features, before any correction.")


@dataclass(frozen=True, slots=True)
class SettledLimits:
    """An alignment so good that no other is tried; one from features alone only if no block differs."""

    min_blocks: int = threshold(8, "blocks", "With texture.")
    min_median: float = threshold(0.95, "correlation", "Whatever differs still, no other alignment would be better.")
    min_share: float = threshold(0.97, "share of a picture", "One shows all of the other.")
    max_stretch: float = threshold(
        1.03,
        "ratio of the sides",
        "Corner on corner, a smooth sky agrees with a part of it in another ratio of the sides, stretched.",
    )


@dataclass(frozen=True, slots=True)
class FillLimits:
    """What is a fill in one colour around a picture."""

    fill_step: float = threshold(4.0, "levels", "Around a picture, pixels so near to the median are filled in.")
    fill_share: float = threshold(
        0.8, "share of pixels", "Where so many are, the surroundings are a fill of one colour."
    )
    min_surroundings: float = threshold(0.01, "share of the picture", "Less is no surroundings.")


@dataclass(frozen=True, slots=True)
class CrossedLimits:
    """When two pictures were cut out of the middle of one."""

    max_offset: float = threshold(
        0.02, "share of a side", "Between the two strips of a side: whole pixels of the views, and a slight tilt."
    )


HYPOTHESIS: Final = HypothesisLimits()
CROSSED: Final = CrossedLimits()
SETTLED: Final = SettledLimits()
FILL: Final = FillLimits()

# Steps of ECC for small corrections.
FEW_STEPS: Final = 12

Shape = tuple[int, ...]

MIRRORED: Final = frozenset((Turn.FLIP_HORIZONTAL, Turn.FLIP_VERTICAL, Turn.TRANSPOSE, Turn.TRANSVERSE))


@dataclass(eq=False)
class Prepared:
    """A preview in greys, uint8 (height, width), with what is computed from it once for all its pairs. `colourful` is
    the mean distance of its colours from grey, `warmth` the excess of red over blue, in levels. `view` is the preview
    itself, RGB uint8 (height, width, 3); None where it has no colours. `larger` is a larger preview in greys,
    uint8, as graphics have one."""

    grey: NDArray[np.uint8]
    colourful: float
    warmth: float
    view: NDArray[np.uint8] | None = None
    larger: NDArray[np.uint8] | None = None
    _frames: dict[tuple[int, Turn], Grey] = field(default_factory=dict)

    @cached_property
    def features(self) -> Features:
        return transforms.features(self.grey)

    @cached_property
    def mirrored_features(self) -> Features:
        return transforms.features(np.ascontiguousarray(self.grey[:, ::-1]))

    @property
    def letters(self) -> NDArray[np.uint8]:
        """The picture in greys, uint8 (height, width), at a size at which letters can be read, where it has that."""
        return self.grey if self.larger is None else self.larger

    @cached_property
    def plain(self) -> float:
        """The share of the picture without even noise."""
        return plain_share(self.frame(FINE_FRAME))

    @cached_property
    def background(self) -> float:
        """The share of the picture in its commonest tone, if something stands out from it; else 0."""
        return background_share(self.frame(FINE_FRAME))

    @cached_property
    def strokes(self) -> float:
        """The share of the picture that is drawn in strokes."""
        return stroke_share(self.frame(FINE_FRAME))

    def comes_before(self, other: "Prepared") -> bool:
        """Whether this is the second of the two: the same for a pair in either order."""
        if self.grey.size != other.grey.size:
            return self.grey.size < other.grey.size
        return self.frame(16).tobytes() < other.frame(16).tobytes()

    def frame(self, side: int, turn: Turn = Turn.NONE) -> Grey:
        """The grey picture with a long side of at most `side`, turned, float32."""
        if (side, turn) not in self._frames:
            upright = turn is Turn.NONE
            self._frames[side, turn] = reduced(self.grey, side) if upright else turned(self.frame(side), turn)
        return self._frames[side, turn]


def prepare(view: NDArray[np.uint8]) -> Prepared:
    """Prepare a preview, RGB uint8 (height, width, 3), for comparison."""
    larger = None
    if max(view.shape) > VIEW_SIDE:
        larger = np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), np.uint8)
        factor = VIEW_SIDE / max(view.shape)
        size = (max(1, round(view.shape[1] * factor)), max(1, round(view.shape[0] * factor)))
        view = np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)
    red, green, blue = cv2.split(view)
    low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    grey = np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), np.uint8)
    return Prepared(grey, cv2.mean(cv2.subtract(high, low))[0], cv2.mean(red)[0] - cv2.mean(blue)[0], view, larger)


@dataclass(frozen=True, eq=False)
class Aligned:
    """The first picture aligned with the second by `transform`. `first` is turned by `turn` already; `warped` is the
    first in the frame of `second`, `covered` where it covers the second. `rough` if only features support the map."""

    turn: Turn
    transform: Map
    first: Grey
    second: Grey
    warped: Grey
    covered: Mask
    similarity: Similarity
    rough: bool

    @property
    def is_turned(self) -> bool:
        """Whether the second is turned by a quarter or more against the first, or mirrored."""
        return self.turn is not Turn.NONE or self.transform[0, 0] <= abs(self.transform[1, 0])

    @property
    def score(self) -> float:
        """The higher, the better the alignment."""
        return self.similarity.fit + 0.1 * self.contained

    @property
    def contained(self) -> float:
        """The larger share that one picture has in what both show."""
        return max(self.share_first, self.share_second)

    @cached_property
    def covered_first(self) -> Mask:
        """Where the second covers the first."""
        back = transforms.inverted(self.transform)
        if back is None:
            return np.zeros(self.first.shape, np.bool_)
        return transforms.covered(self.second.shape, self.first.shape, back)

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

    @cached_property
    def crossed(self) -> bool:
        """Whether both were cut out of the middle of one picture, to two ratios of their sides: one reaches as far
        beyond the other to the left as to the right, and the other beyond it above as far as below."""
        height, width = self.first.shape
        corners = np.array([[[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]]])
        x, y = cv2.perspectiveTransform(corners, self.transform)[0].T
        beyond = [
            (-0.5 - float(along.min()), float(along.max()) - (side - 0.5), side)
            for along, side in ((x, self.second.shape[1]), (y, self.second.shape[0]))
        ]
        across, down = (sum(ends[:2]) for ends in beyond)
        return across * down < 0 and all(
            abs(low - high) <= CROSSED.max_offset * side and low * high > 0 for low, high, side in beyond
        )

    @property
    def settled(self) -> bool:
        return (
            self.similarity.textured >= SETTLED.min_blocks
            and self.similarity.median >= SETTLED.min_median
            and self.contained >= SETTLED.min_share
            and not (self.rough and self.similarity.different.any())
            and self.stretch <= SETTLED.max_stretch
        )

    @property
    def stretch(self) -> float:
        """The factor by which the map stretches one direction more than the other."""
        longer, shorter = np.linalg.svd(self.transform[:2, :2], compute_uv=False)
        return float(longer / shorter)


def alignment_hypotheses(
    first: Prepared, second: Prepared, hint: Turn | None, initial: Sequence[Map] | None = None
) -> Iterator[Aligned]:
    """Hypotheses of the alignment, the cheapest first, to be taken until one is good enough.

    `hint` is the turn that the hashes suggest, None if no hash proposes the pair; `initial` are approximate maps, None
    if none were looked for.
    """
    by_hash = None
    placed: set[bool] = set()
    for transform in initial or ():
        for by_transform in _hypotheses_by_transform(first, second, transform):
            yield by_transform
            placed.add(by_transform.turn in MIRRORED)
    if hint is None and initial is not None:
        # Most pairs that only features propose are accidental. Trying all hypotheses costs ten times as much, and the
        # map shows whether one of the two is mirrored.
        for parity in sorted(placed):
            yield from _hypotheses_by_features(first, second, mirrored=parity)
        return
    if hint is not None:
        for by_hash in _hypotheses_by_hash(first, second, hint):
            yield by_hash
    trusted = by_hash is not None and by_hash.similarity.median >= HYPOTHESIS.plausible_median
    mirrored = hint in MIRRORED
    for parity in (mirrored,) if trusted else (mirrored, not mirrored):
        yield from _hypotheses_by_features(first, second, mirrored=parity)


def _hypotheses_by_hash(first: Prepared, second: Prepared, hint: Turn) -> Iterator[Aligned]:
    """Corner on corner, which is right for a copy that was not cropped; then corrected from coarse to fine."""
    side = max(LEAST_FRAME, min(FRAME, max(first.grey.shape), max(second.grey.shape)))
    frame_first, frame_second = first.frame(side, hint), second.frame(side)
    start = transforms.stretch(frame_first.shape, frame_second.shape)
    yield (aligned := align(hint, frame_first, frame_second, start))
    if aligned.similarity.median < HYPOTHESIS.plausible_median:
        coarse_first, coarse_second = first.frame(COARSE_FRAME, hint), second.frame(COARSE_FRAME)
        coarse = transforms.refine(
            coarse_first, coarse_second, transforms.stretch(coarse_first.shape, coarse_second.shape)
        )
        if (
            coarse is None
            or align(hint, coarse_first, coarse_second, coarse).similarity.median < HYPOTHESIS.plausible_median
        ):
            return
        start = rescaled(coarse, coarse_first.shape, coarse_second.shape, frame_first.shape, frame_second.shape)
    yield from _corrected(hint, frame_first, frame_second, start)


def _hypotheses_by_transform(first: Prepared, second: Prepared, initial: Map) -> Iterator[Aligned]:
    """An approximate map in pixels of the greys, corrected from coarse to fine; none if the pictures have nothing in
    common there."""
    turn, transform = Turn.NONE, initial
    if np.linalg.det(initial[:2, :2]) < 0:
        turn = Turn.FLIP_HORIZONTAL
        transform = initial @ np.array([[-1.0, 0, first.grey.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
    for side in (COARSE_FRAME, WIDE_FRAME):
        frame_first, frame_second = first.frame(side, turn), second.frame(side)
        start = rescaled(transform, first.grey.shape, second.grey.shape, frame_first.shape, frame_second.shape)
        if not transforms.is_plausible(start, frame_first.shape):
            return
        aligned = align(turn, frame_first, frame_second, start, rough=True)
        if side == WIDE_FRAME and _is_off(aligned):
            # It holds for large shapes alone. To correct it takes ten times as long as in the coarse frame.
            return
        better = transforms.refine(frame_first, frame_second, start)
        # A broad caption can draw a map that is corrected by brightness away from the right one.
        if (
            better is not None
            and (corrected := align(turn, frame_first, frame_second, better, rough=True)).score > aligned.score
        ):
            aligned, start = corrected, better
        if side == COARSE_FRAME and _is_off(aligned):
            return
        transform = rescaled(start, frame_first.shape, frame_second.shape, first.grey.shape, second.grey.shape)
    yield aligned
    if aligned.similarity.median >= HYPOTHESIS.rough_median:
        yield from _corrected(turn, frame_first, frame_second, start)


def _is_off(aligned: Aligned) -> bool:
    """Whether a suggested map does not hold, as far as there is texture."""
    return aligned.similarity.textured > 0 and aligned.similarity.median < HYPOTHESIS.rough_median


def _hypotheses_by_features(first: Prepared, second: Prepared, *, mirrored: bool) -> Iterator[Aligned]:
    own, turn = (first.mirrored_features, Turn.FLIP_HORIZONTAL) if mirrored else (first.features, Turn.NONE)
    transform = transforms.fit(own, second.features)
    if transform is None:
        return
    frame_first, frame_second = first.frame(WIDE_FRAME, turn), second.frame(WIDE_FRAME)
    start = rescaled(transform, first.grey.shape, second.grey.shape, frame_first.shape, frame_second.shape)
    if transforms.is_plausible(start, frame_first.shape):
        yield (aligned := align(turn, frame_first, frame_second, start, rough=True))
        if aligned.similarity.median >= HYPOTHESIS.rough_median:
            yield from _corrected(turn, frame_first, frame_second, start)


def _corrected(turn: Turn, first: Grey, second: Grey, start: Map) -> Iterator[Aligned]:
    for perspective in (False, True):
        better = transforms.refine(first, second, start, perspective, FEW_STEPS)
        if better is None:
            return
        yield (aligned := align(turn, first, second, better))
        if aligned.similarity.median < HYPOTHESIS.plausible_median:
            return
        start = better


def align(turn: Turn, first: Grey, second: Grey, transform: Map, *, rough: bool = False) -> Aligned:
    """Warp a picture, turned by `turn` already, to the frame of another, and compare them there."""
    covered = transforms.covered(first.shape, second.shape, transform)
    aligned = transforms.warp(first, second.shape, transform)
    return Aligned(
        turn, transform, first, second, aligned, covered, compare(aligned, second, transforms.inside(covered)), rough
    )


def rescaled(transform: Map, first: Shape, second: Shape, new_first: Shape, new_second: Shape) -> Map:
    """A map between pictures of two shapes, changed to one between the same pictures in two other shapes."""
    return transforms.stretch(second, new_second) @ transform @ transforms.stretch(new_first, first)


def _surround(picture: Grey, covered: Mask) -> float:
    """The share of a picture that is not covered, nor a fill in one colour."""
    if covered.mean() > 1 - FILL.min_surroundings:
        return 0.0
    # JPEG rings at the edge of a fill, and maps are right within about a pixel.
    beyond = cv2.dilate(covered.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    values = picture[beyond]
    if not values.size:
        return 0.0
    return 0.0 if is_fill(values) else values.size / picture.size


def is_fill(values: Grey) -> bool:
    """Whether greys are of one colour, but for the noise of a JPEG; (n,), at least one."""
    return float((np.abs(values - median(values[::7])) <= FILL.fill_step).mean()) >= FILL.fill_share
