"""PURE: two aligned pictures -> the places in which they differ, and whether each is shown to be something added.

Tone and sharpness are matched first. A place differs where, in a small window, neither picture can be had from the
other by a change of brightness and contrast, and the difference is large: what noise, JPEG, sharpening and resampling
leave is neither. Whatever is painted over a scene (a stamp, a caption, a logo) makes an edge in one picture that the
other does not have, all around; what moved, turned or changed makes edges in both. So the steps across the outline of a
place are compared with the step of the difference there: all of it is in the picture that was painted on.

What one picture has and the other does not may still be a subject that walked in. Only what looks drawn counts as
added: areas of one tone, areas through which the scene shows evenly, or strokes of ink.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification.messages import is_message
from index.imaging.verification.order_statistics import quantile
from index.imaging.verification.other_text import is_other_text
from index.imaging.verification.place_limits import FITTED
from index.imaging.verification.registration import SMOOTHING_PX, evenly_lit, matched, smoothed
from index.imaging.verification.transforms import Grey, Mask


@dataclass(frozen=True, slots=True)
class PlaceLimits:
    """Which places differ, in the frame of 448 pixels. A "residual" is the deviation that a window has from the other
    picture's after the best change of brightness and contrast."""

    min_residual: float = threshold(
        9.0, "levels", "Of 260 copies of 13 kinds, sharpened ones left out, hardly one has 9 or more."
    )
    over_usual: float = threshold(3.2, "times the 80 % quantile", "Sharpening and poor JPEGs leave residuals all over.")
    max_correlation: float = threshold(0.6, "correlation", "A window that correlates better shows the same thing.")
    min_difference: float = threshold(14.0, "levels", "Root mean square in a window: what clipping leaves is less.")
    max_clipped: float = threshold(50.0, "levels", "What is white or black in one may differ by less: it was clipped.")
    min_pixels: int = threshold(24, "pixels", "Fewer are chance. A head that turns hardly has 80.")


@dataclass(frozen=True, slots=True)
class AddedLimits:
    """When a place is shown to be added. Quantiles are of the residual of the inside, 3 pixels from its edges; noise in
    both pictures, the usual residual, is allowed for."""

    min_step: float = threshold(
        FITTED["min_step"], "levels", "Root mean square across the outline, where it says anything."
    )
    one_sided: float = threshold(
        FITTED["one_sided"], "share of the outline", "With its step in one picture; weighted by the step."
    )
    one_sided_of_all: float = threshold(
        FITTED["one_sided_of_all"], "share of the outline", "The same for a flat thing, brighter and darker."
    )
    min_part: float = threshold(0.05, "share of the outline", "Less of it, brighter or darker, does not count.")
    flat: float = threshold(
        FITTED["flat"], "levels", "A quarter is flatter: of one tone. Of skin and cloth it is 1.5 and more."
    )
    very_flat: float = threshold(FITTED["very_flat"], "levels", "A quarter is flatter than this, for one_sided_of_all.")
    over_noise: float = threshold(0.9, "times the usual residual", "For what is flat; half of it for very flat.")
    quiet: float = threshold(3.0, "levels", "Pixels with less are quiet.")
    min_quiet: float = threshold(
        FITTED["min_quiet"], "share of the inside", "So much must be quiet to speak of its tones."
    )
    few_tones: float = threshold(FITTED["few_tones"], "share of what is quiet", "Within 2 levels of three tones.")
    shows_through: float = threshold(
        FITTED["shows_through"], "correlation", "Median of the inside: the scene shows through evenly."
    )
    max_through: float = threshold(FITTED["max_through"], "levels", "Median of what shows the scene through.")
    ink: float = threshold(
        FITTED["ink"], "levels", "Median of letters and codes, black and white in turn; 30 of wild patterns."
    )
    thin_share: float = threshold(0.58, "share of the place", "Strokes have less inside.")
    thin_ink: float = threshold(FITTED["thin_ink"], "levels", "Median of strokes, and of logos of several parts.")
    thinnest_share: float = threshold(0.2, "share of the place", "Fine strokes have less inside.")
    thinnest_ink: float = threshold(FITTED["thinnest_ink"], "levels", "Median of fine strokes.")
    part: float = threshold(0.25, "share of the other", "A place so small within another one is a part of it.")
    ink_beneath: float = threshold(
        FITTED["ink_beneath"], "levels", "A tenth of the other picture has more: there is ink in that, too."
    )


PLACES: Final = PlaceLimits()
ADDED: Final = AddedLimits()

# Windows in which pictures are compared, and in which the inside of a place is looked at, in pixels.
WINDOW: Final = 9
INSIDE: Final = 5
# What is nearer to the edge of what both show is left out: it was interpolated.
RIM: Final = 7
# How far beyond a place its parts may lie, as a share of the frame.
NEAR: Final = 0.03
# Beyond, in levels, light is clipped.
WHITE: Final = 248.0
BLACK: Final = 4.0
# Places nearer to one another are one, as the letters of a caption are. In pixels.
APART: Final = 21
SIDES: Final = ("first", "second")
# Pixels beyond and within an outline between which its step is measured; of an outline, so many make a piece.
STEP_PX: Final = 2.25
PIECE: Final = 12
SPARSE: Final = 7


@dataclass(frozen=True, slots=True)
class Place:
    """A place that differs: `box` is left, top, right, bottom as shares of the frame, `pixels` its size there. `on` is
    the picture in which something was added, "first" or "second", or "" where neither is shown; `ink` is whether there
    are letters in either."""

    box: tuple[float, float, float, float]
    pixels: int
    on: str
    ink: bool

    @property
    def share(self) -> float:
        """The share of the frame that its box covers."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


def differ_nowhere(alike: Grey, second: Grey, covered: Mask) -> bool:
    """Whether the first picture, with the tone and sharpness of the second already, is nowhere so different from it
    that there could be a place: most copies need no closer look."""
    difference = cv2.absdiff(alike, smoothed(second))
    if float(difference.max()) <= PLACES.min_difference:
        return True
    large = cv2.blur(cv2.multiply(difference, difference), (INSIDE + 2, INSIDE + 2)) > PLACES.min_difference**2
    return not large.any() or not (large & inner_of(covered)).any()


def places(first: Grey, second: Grey, covered: Mask, where: Mask, alike: Grey | None = None) -> tuple[Place, ...]:
    """The places that differ between two pictures of one shape, float32 (height, width), as far as the first covers
    the second; tone and sharpness are fitted `where` both show the same. `alike` is the first after that, if it is
    known. A vignette or a shadow makes no place: in an even light nothing differs."""
    differing = _in_this_light(first, second, covered, where, alike if where.any() else None)
    if differing is None or not differing.parts():
        return ()
    in_even_light = _in_this_light(evenly_lit(first, covered), evenly_lit(second, covered), covered, where)
    return () if in_even_light is None or not in_even_light.parts() else tuple(_places(differing))


def _in_this_light(
    first: Grey, second: Grey, covered: Mask, where: Mask, alike: Grey | None = None
) -> "_Differing | None":
    inner = inner_of(covered)
    if not inner.any():
        return None
    if alike is None:
        alike = matched(first, second, where if where.any() else covered)
    compared, core, usual = _compare(alike, first, second, inner)
    if not core.any():
        return None
    # Tone was fitted to what differs as well, so that white ink became a little like the scene beneath.
    elsewhere = where & (cv2.dilate(core.astype(np.uint8), np.ones((APART, APART), np.uint8)) == 0)
    if elsewhere.any():
        alike = matched(first, second, elsewhere)
        compared, core, usual = _compare(alike, first, second, inner)
    return _Differing(core, compared, (alike, second), max(8.0, 2 * usual), inner)


def _compare(alike: Grey, first: Grey, second: Grey, inner: Mask) -> tuple["_Compared", Mask, float]:
    """Two pictures compared, the first made like the second, where they differ, and the usual residual."""
    compared = _Compared.of(
        cv2.GaussianBlur(alike, (0, 0), SMOOTHING_PX), cv2.GaussianBlur(second, (0, 0), 1.0), WINDOW
    )
    residual = compared.residual
    usual = quantile(residual[inner][::SPARSE], 0.8)
    core = inner & (residual > max(PLACES.min_residual, PLACES.over_usual * usual))
    if core.any():
        core &= compared.correlation < PLACES.max_correlation
        difference = compared.difference
        core &= cv2.blur(difference * difference, (INSIDE + 2, INSIDE + 2)) > PLACES.min_difference**2
        core &= ~(clipped(first, second) & (np.abs(difference) < PLACES.max_clipped))
    return compared, core, usual


def are_added(found: tuple[Place, ...]) -> bool:
    """Whether all places are things added to one and the same picture."""
    shown = [place for place in found if place.on]
    unclear = [place for place in found if not place.on]
    return len({place.on for place in shown}) <= 1 and all(
        any(_is_part(place, of) for of in shown) for place in unclear
    )


def _is_part(place: Place, of: Place) -> bool:
    """Whether a small place lies within a larger one, as a letter does in a caption."""
    return lies_within(place, of) and place.pixels <= ADDED.part * of.pixels


def lies_within(place: Place, of: Place) -> bool:
    """Whether a place lies within another one, or nearly so."""
    within = all(side >= bound - NEAR for side, bound in zip(place.box[:2], of.box[:2], strict=True))
    return within and all(side <= bound + NEAR for side, bound in zip(place.box[2:], of.box[2:], strict=True))


@dataclass(frozen=True, slots=True)
class _Compared:
    """Two pictures, and for each pixel the variances, covariance and correlation in the window around it."""

    first: Grey
    second: Grey
    of_first: Grey
    of_second: Grey
    both: Grey
    correlation: Grey

    @classmethod
    def of(cls, first: Grey, second: Grey, side: int) -> "_Compared":
        window = (side, side)
        mean_first, mean_second = cv2.blur(first, window), cv2.blur(second, window)
        of_first = np.maximum(cv2.blur(first * first, window) - mean_first * mean_first, 0)
        of_second = np.maximum(cv2.blur(second * second, window) - mean_second * mean_second, 0)
        both = cv2.blur(first * second, window) - mean_first * mean_second
        return cls(first, second, of_first, of_second, both, both / np.sqrt(of_first * of_second + 1))

    @property
    def difference(self) -> Grey:
        return np.asarray(self.second - self.first)

    @property
    def residual(self) -> Grey:
        """What neither can be had of from the other."""
        unlike = 1 - np.clip(self.correlation, 0, 1) ** 2
        return np.asarray(np.sqrt(np.maximum(self.of_first, self.of_second) * unlike))

    def left_over(self, on: str) -> Grey:
        """The residual of one of the pictures as the other seen through something: with less of its contrast."""
        own, other = (self.of_first, self.of_second) if on == "first" else (self.of_second, self.of_first)
        through = np.clip(self.both / (other + 0.5), 0, 0.9)
        return np.asarray(np.sqrt(np.maximum(own - 2 * through * self.both + through * through * other, 0)))


def clipped(first: Grey, second: Grey) -> Mask:
    """Where most of a window is white or black in one of the pictures."""
    window = (WINDOW, WINDOW)
    shares = [
        cv2.blur(((picture > WHITE) | (picture < BLACK)).astype(np.float32), window) for picture in (first, second)
    ]
    return np.asarray(np.maximum(*shares) > 0.3)


def inner_of(covered: Mask) -> Mask:
    """What is covered but for a rim, which was interpolated."""
    inside = cv2.copyMakeBorder(covered[1:-1, 1:-1].astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(inside, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) > 0


@dataclass(frozen=True, eq=False)
class _Differing:
    """Where two pictures differ: the `core` of all places, both `compared` and as they are, the least difference that
    counts, and what is `inner` of what the first covers."""

    core: Mask
    compared: _Compared
    pictures: tuple[Grey, Grey]
    least: float
    inner: Mask

    def parts(self) -> list[tuple[tuple[int, int, int, int], Any, Mask]]:
        """For each place that is large enough its box (left, top, width, height), the part of the frame around it, and
        its core there."""
        grown = cv2.dilate(self.core.astype(np.uint8), np.ones((APART, APART), np.uint8))
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
        found = []
        for label in range(1, count):
            x, y, across, down, _ = (int(side) for side in boxes[label])
            part = np.s_[max(0, y - WINDOW) : y + down + WINDOW, max(0, x - WINDOW) : x + across + WINDOW]
            own = self.core[part] & (labels[part] == label)
            if np.count_nonzero(own) >= PLACES.min_pixels:
                found.append(((x, y, across, down), part, np.asarray(own)))
        return found


def _places(differing: _Differing) -> list[Place]:
    compared, pictures = differing.compared, differing.pictures
    height, width = differing.core.shape
    difference = compared.difference
    finely = _Compared.of(*pictures, INSIDE)
    left_over = {on: finely.left_over(on) for on in SIDES}
    usual = quantile(np.minimum(left_over["first"], left_over["second"])[differing.inner][::SPARSE], 0.3)
    found = []
    for (x, y, across, down), part, own in differing.parts():
        near = cv2.dilate(own.astype(np.uint8), np.ones((WINDOW + 4, WINDOW + 4), np.uint8))
        seen = _Seen(
            (compared.first[part], compared.second[part]),
            difference[part],
            near,
            differing.least,
            {"first": pictures[0][part], "second": pictures[1][part]},
            {on: left_over[on][part] for on in SIDES},
            finely.correlation[part],
            usual,
        )
        box = (x / width, y / height, (x + across) / width, (y + down) / height)
        on = _added_to(seen)
        if on and is_message(seen.pictures[on], seen.pictures[_other(on)], width):
            # Painted over the picture, and yet what it says.
            on = ""
        ink = _has_ink(seen)
        if (on or not ink) and is_other_text(pictures[0][part], pictures[1][part], near > 0):
            # The outlines of a longer text lie in its picture, but the other one has a text there, too.
            on, ink = "", True
        found.append(Place(box, int(own.sum()), on, ink))
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """One place with a margin: both pictures smoothed, their difference, what is `near` what differs, the least
    difference that counts; both as they are, and what is left over of each; their correlation; the usual residual."""

    smoothed: tuple[Grey, Grey]
    difference: Grey
    near: NDArray[Any]
    least: float
    pictures: dict[str, Grey]
    left_over: dict[str, Grey]
    correlation: Grey
    usual: float

    def mask(self, sign: int, close: int = 0) -> NDArray[np.uint8]:
        """Where the second is brighter (1), darker (-1) or either (0)."""
        difference = sign * self.difference if sign else np.abs(self.difference)
        mask = cv2.morphologyEx((difference > self.least).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        mask = mask & self.near
        if close:
            square = np.ones((close, close), np.uint8)
            mask = cv2.morphologyEx(np.pad(mask, close), cv2.MORPH_CLOSE, square)[close:-close, close:-close]
        return np.asarray(mask, np.uint8)


def _other(on: str) -> str:
    return "first" if on == "second" else "second"


def _added_to(seen: _Seen) -> str:
    """The picture in which something was added, "" where that is not shown."""
    inside = cv2.erode(seen.mask(0, 3), np.ones((7, 7), np.uint8), borderValue=1) > 0
    share = float(inside.sum()) / max(1, int(seen.mask(0).sum()))
    outlines = [_outline(*seen.smoothed, mask) for mask in (seen.mask(1), seen.mask(-1))]
    least = ADDED.min_part * sum(outline.total for outline in outlines)
    sides = {outline.side(ADDED.one_sided) for outline in outlines if outline.total > least}
    on = sides.pop() if len(sides) == 1 else ""
    if not on:
        on = _outline(*seen.smoothed, seen.mask(0, WINDOW)).side(ADDED.one_sided_of_all)
        if not on or inside.sum() < PLACES.min_pixels or not _is_very_flat(seen.left_over[on][inside], seen.usual):
            return ""
    if inside.sum() < PLACES.min_pixels:
        return on
    beneath = seen.left_over[_other(on)][inside]
    if np.quantile(beneath, 0.9) >= ADDED.ink_beneath:
        return ""
    return on if _looks_drawn(seen, on, inside, share) else ""


@dataclass(frozen=True, slots=True)
class _Outline:
    """How strong the steps of the difference are along an outline, in all, and where they are in one picture."""

    total: float
    in_second: float

    def side(self, least: float) -> str:
        if not self.total:
            return ""
        share = self.in_second / self.total
        return "second" if share >= least else "first" if share <= 1 - least else ""


def _outline(first: Grey, second: Grey, mask: NDArray[np.uint8]) -> _Outline:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5)
    inwards = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    height, width = mask.shape
    total = in_second = 0.0
    for outline in outlines:
        x, y = outline[:, 0, 0], outline[:, 0, 1]
        whole = (x > 2) & (y > 2) & (x < width - 3) & (y < height - 3)
        across, down = inwards[0][y, x], inwards[1][y, x]
        length = np.hypot(across, down) + 1e-6
        of_first, of_second = (_step(picture, x, y, across / length, down / length) for picture in (first, second))
        step = of_second - of_first
        for start in range(0, len(x), PIECE):
            piece = np.flatnonzero(whole[start : start + PIECE]) + start
            strength = float((step[piece] ** 2).sum())
            if len(piece) >= PIECE // 3 and strength >= ADDED.min_step**2 * len(piece):
                total += strength
                in_second += strength * float((of_second[piece] * step[piece]).sum() > strength / 2)
    return _Outline(total, in_second)


def _step(picture: Grey, x: NDArray[Any], y: NDArray[Any], across: Grey, down: Grey) -> Grey:
    """How much brighter a picture is within an outline than beyond it, along its points."""
    within, beyond = (
        cv2.remap(
            picture,
            (x + by * across).astype(np.float32)[None],
            (y + by * down).astype(np.float32)[None],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )[0]
        for by in (STEP_PX, -STEP_PX)
    )
    return np.asarray(within - beyond)


def _has_ink(seen: _Seen) -> bool:
    """Whether a tenth of what differs is as black and white as letters, in either picture."""
    differs = seen.mask(0) > 0
    if not differs.any():
        return False
    return max(float(np.quantile(seen.left_over[on][differs], 0.9)) for on in SIDES) >= ADDED.ink_beneath


def _is_very_flat(left_over: Grey, usual: float) -> bool:
    quarter, middle = np.quantile(left_over, (0.25, 0.5))
    noise = ADDED.over_noise * usual / 2
    return bool(quarter <= ADDED.very_flat + noise and middle <= 4 * (ADDED.very_flat + noise))


def _looks_drawn(seen: _Seen, on: str, inside: Mask, share: float) -> bool:
    """Whether the inside of a place is of few tones, shows the scene through evenly, or is ink."""
    left_over = seen.left_over[on][inside]
    quarter, middle = np.quantile(left_over, (0.25, 0.5))
    if quarter <= ADDED.flat + ADDED.over_noise * seen.usual:
        return True
    thin = ADDED.thinnest_ink if share < ADDED.thinnest_share else ADDED.thin_ink
    if middle >= (thin if share < ADDED.thin_share else ADDED.ink):
        return True
    if middle <= ADDED.max_through and np.median(seen.correlation[inside]) >= ADDED.shows_through:
        return True
    quiet = left_over <= ADDED.quiet + seen.usual
    return bool(quiet.mean() >= ADDED.min_quiet) and _in_few_tones(seen.pictures[on][inside][quiet])


def _in_few_tones(levels: Grey) -> bool:
    counts = np.bincount(np.clip(levels, 0, 255).astype(np.int64), minlength=256).astype(np.float64)
    within = 0.0
    for _ in range(3):
        near = np.convolve(counts, np.ones(5), "same")
        tone = int(near.argmax())
        within += near[tone]
        counts[max(0, tone - 2) : tone + 3] = 0
    return within >= ADDED.few_tones * len(levels)
