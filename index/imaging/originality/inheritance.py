"""PURE: what pictures of a group have in common -> how many more ways one picture had to come first than another.

No pair of pictures says this; it takes several. A copy has the turn, the tones, the colours and the fine detail of what
it was made from, and shows the same in each place, unless these were changed. Where many pictures agree and one
differs, that one was changed: had the others been made from it, they would all have been changed back alike. And what
many pictures show the table of, many were made from.

If copies are made of any picture that is there, each as likely, the number of pictures below a change of which exactly
k come is proportional to 1 / k(k + 1), and a picture with n copies of its own had n + 1 ways to come first (as in a
random recursive tree; Na and Rapoport, Distribution of nodes of a tree by degree, 1970). People copy originals more
often than copies; how much more is fitted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.originality.pixel_traces import PixelTraces
from index.imaging.originality.trace import Trace
from index.imaging.thresholds import threshold
from index.model import Facts, Turn

Findings = Mapping[str, float]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

TRAITS: Final = ("turn", "place", "tones", "colours", "detail", "noise")
OF_TRAITS: Final = frozenset(way + name for way in ("same_", "other_") for name in TRAITS)
# Up to the frequencies that compression leaves alone, and from those that are not the picture's shapes.
OF_DETAIL: Final = slice(8, 20)
OF_NOISE: Final = slice(12, 24)
# Shares of the pictures that may have been made from one, and how likely each is before anything is known: by the
# density of a beta distribution of 0.3 and 0.7, since most pictures have no copies of their own, and a few have most.
SHARES: Final = (np.arange(48) + 0.5) / 48
BEFORE: Final = -0.7 * np.log(SHARES) - 0.3 * np.log1p(-SHARES)


@dataclass(frozen=True, slots=True)
class GroupWeights:
    """What is fitted of a group as a whole: `copies` is the weight of the logarithm of the ways to come first, `traits`
    that of the trait that is outnumbered most. The traits count once, as one edit may change all of them."""

    copies: float = 1.0
    traits: float = 1.0


@dataclass(frozen=True, slots=True)
class InheritanceLimits:
    """Up to where two pictures have the same trait, and from where on another one; in between nothing is said."""

    same_tones: float = threshold(1.5, "levels", "Of luminance, at seven shares of the pixels: saved again, 1.3.")
    other_tones: float = threshold(3.0, "levels", "The same; curves and colours that were changed have 3 and more.")
    same_colours: float = threshold(0.7, "levels", "Of the means and deviations of colour differences: 0.6.")
    other_colours: float = threshold(1.5, "levels", "The same; more or less saturated has 1.6 and more.")
    same_detail: float = threshold(0.1, "common logarithm", "Of the power of detail: saved again, 0.09.")
    other_detail: float = threshold(0.2, "common logarithm", "The same; blurred and sharpened have 0.26 and more.")
    same_noise: float = threshold(0.15, "common logarithm", "Of the power of noise: saved again, 0.1.")
    other_noise: float = threshold(0.25, "common logarithm", "The same; grain and smoothing have 0.25 and more.")
    quality_of_noise: int = threshold(85, "JPEG quality", "Below, compression smoothes as well.")


INHERITED: Final = InheritanceLimits()


def shared_traits(
    first: Trace, second: Trace, facts: tuple[Facts, Facts], evidence: Mapping[str, Any], *, same_scale: bool
) -> dict[str, float]:
    """Which of TRAITS two pictures share ("same_tones") and which not ("other_tones"), each with a strength of 1. All
    but the turn and what is put in some place only where both show the same extent. `evidence` leads from either to
    the other."""
    apart = {"turn": float(Turn(evidence.get("turn", Turn.NONE)) is not Turn.NONE)}
    limits = {"turn": (0.0, 1.0), "place": (0.0, 1.0)}
    if "perhaps_changed" not in evidence:
        apart["place"] = float("changed" in evidence)
    if not evidence.keys() & {"crop", "frame", "apart", "tilt"} and first.pixels.tones and second.pixels.tones:
        apart["tones"] = _furthest(first.pixels.tones, second.pixels.tones)
        limits["tones"] = INHERITED.same_tones, INHERITED.other_tones
        if "grey" not in evidence.get("tone", {}):
            apart["colours"] = _furthest(first.pixels.colours, second.pixels.colours)
            limits["colours"] = INHERITED.same_colours, INHERITED.other_colours
        if same_scale and first.pixels.busy and second.pixels.busy:
            apart["detail"], noise = _of_spectra(first.pixels, second.pixels)
            limits["detail"] = INHERITED.same_detail, INHERITED.other_detail
            if all(not one.jpeg_quality or one.jpeg_quality >= INHERITED.quality_of_noise for one in facts):
                apart["noise"] = noise
                limits["noise"] = INHERITED.same_noise, INHERITED.other_noise
    found = {f"same_{name}": float(value <= limits[name][0]) for name, value in apart.items()}
    found |= {f"other_{name}": float(value >= limits[name][1]) for name, value in apart.items()}
    return found


def _furthest(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _of_spectra(first: PixelTraces, second: PixelTraces) -> tuple[float, float]:
    """By how much detail and noise differ, beyond what the contrast of the tones makes of them."""
    spreads = [max(1.0, pixels.tones[-1] - pixels.tones[0]) for pixels in (first, second)]
    by_contrast = 2 * float(np.log10(spreads[1] / spreads[0]))
    detail = float(np.mean(second.busy[OF_DETAIL]) - np.mean(first.busy[OF_DETAIL]))
    noise = float(np.mean(second.quiet[OF_NOISE]) - np.mean(first.quiet[OF_NOISE]))
    return abs(detail - by_contrast), abs(noise - by_contrast)


def precedence(
    count: int, pairs: Iterable[tuple[tuple[int, int], tuple[Findings, Findings]]], given: GroupWeights
) -> Numbers:
    """How likely each of `count` pictures came first, by what the group has in common, as log-odds up to a constant,
    (count,). Each pair of places has what shows that the second was made from the first, and the opposite."""
    pairs = list(pairs)
    table = np.zeros((count, count))
    for (one, two), (forward, back) in pairs:
        for place, found in (((one, two), forward), ((two, one), back)):
            table[place] = found.get("table", 0.0) - found.get("no_table", 0.0)
    behind = np.max([outnumbered(other, same) for same, other in traits_of(count, pairs).values()], axis=0)
    return np.asarray(given.copies * np.log1p(copies(table)) - given.traits * behind, np.float64)


def traits_of(
    count: int, pairs: Iterable[tuple[tuple[int, int], tuple[Findings, Findings]]]
) -> dict[str, tuple[Flags, Flags]]:
    """For each of TRAITS, which of `count` pictures have the same as which, and which have another, (count, count)
    each. Each pair of places has what shows that the second was made from the first, and the opposite."""
    same, other = (np.zeros((len(TRAITS), count, count), np.bool_) for _ in range(2))
    for (one, two), (forward, back) in pairs:
        for number, name in enumerate(TRAITS):
            for flags, key in ((same, "same_" + name), (other, "other_" + name)):
                if key in forward or key in back:
                    flags[number, one, two] = flags[number, two, one] = True
    return {name: (same[number], other[number]) for number, name in enumerate(TRAITS)}


def outnumbered(other: Flags, same: Flags) -> Numbers:
    """For each of n pictures, by how much the largest set of pictures that share a trait that it has not outnumbers
    those that have its own: the log-odds that the trait of the others came first; 0 where it does not, (n,).

    `other` and `same`, (n, n), are symmetric: which pairs have another trait, and which the same.
    """
    own = 1.0 + same.sum(axis=1)
    # For a picture k that differs from r: how many of those that differ from r are like k.
    like = 1.0 + same.astype(np.float64) @ other
    most = np.where(other, like, 0.0).max(axis=0)
    return np.asarray(np.maximum(0.0, np.log(np.maximum(most * (most + 1), 2.0)) - np.log(own * (own + 1))))


def copies(table: Numbers) -> Numbers:
    """About how many of the others were made from each of n pictures, (n,): the mean over all SHARES.

    `table[i, k]` is the log-likelihood of what k shows of the table of i if it was made from i, relative to what it
    shows if not; 0 where that is not known. What shows the table of another picture was made from that.
    """
    n = len(table)
    shown = np.maximum(table, 0.0)
    first_two = np.sort(shown, axis=0)[-2:]
    # The most that any other picture than i has.
    of_others = np.where(shown >= first_two[-1], first_two[0], first_two[-1])
    likely = np.exp(table - of_others)
    mixed = 1.0 - SHARES + SHARES * likely[..., None]
    mixed[np.arange(n), np.arange(n)] = 1.0
    logarithms = np.log(mixed).sum(axis=1) + BEFORE
    chance = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.asarray((n - 1) * (chance @ SHARES) / chance.sum(axis=1))
