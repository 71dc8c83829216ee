"""PURE: estimates of false matches: how many wrong pairs a tolerance proposes, and how many the verifier accepts.

Measured on the library itself: the distances of random pairs, which in any but a tiny library are almost never
duplicates, and the verifier's verdict on the nearest of those that are not proposed. Counts follow a Poisson
distribution. Their interval is Garwood's (1936) in the Wilson-Hilferty approximation, and that of a proportion is
Wilson's (1927). If the sample has too few near pairs to count, its lower tail is extrapolated as an exponential, the
limit of light tails (Pickands, Statistical Inference Using Extreme Order Statistics, 1975). The tail of unrelated
pictures would fall faster; similar scenes, such as several things before one wall, make it heavier. The interval shows
how far the extrapolation can be trusted.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from index.imaging.thresholds import threshold

# Two-sided, for a 95 % interval.
Z = 1.959964


@dataclass(frozen=True, slots=True)
class TailLimits:
    """When near pairs of the sample are counted, and how far its tail can be trusted."""

    min_counted: int = threshold(10, "pairs", "Fewer are not counted but extrapolated.")
    anchor: int = threshold(30, "pairs", "The tail is continued from here on; beyond, its slope is only a model.")
    more_per_decade: float = threshold(
        5.0, "factor for each factor of 10", "A library may have more look-alikes than its sample shows."
    )
    fewer_per_decade: float = threshold(
        25.0, "factor for each factor of 10", "Or nothing but chance brings its pictures near."
    )


TAIL: Final = TailLimits()

# Hashes of which half the bits are set differ in an even number of bits.
BITS_APART = 2


@dataclass(frozen=True, slots=True)
class Expectation:
    """An estimated number of pairs, with a 95 % interval."""

    low: float
    guess: float
    high: float

    def times(self, factor: float) -> "Expectation":
        return Expectation(self.low * factor, self.guess * factor, self.high * factor)


def false_candidates(distances: Sequence[int], images: int, tolerance: int) -> Expectation:
    """How many pairs of the library are within the tolerance by accident.

    `distances` are those of random pairs, in bits, each the smallest over the turns searched. `images` is the number of
    contents of the library, all pairs of which are candidates.
    """
    pairs = images * (images - 1) / 2
    if not distances or pairs == 0:
        return Expectation(0.0, 0.0, pairs)
    scale = pairs / len(distances)
    ordered = sorted(distances)
    below = bisect_right(ordered, tolerance)
    if below >= TAIL.min_counted:
        return poisson_interval(below).times(scale)
    return _continued_tail(ordered, tolerance).times(scale)


def false_matches(wrong: Expectation, judged: int, accepted: int) -> Expectation:
    """How many of the wrong pairs the verifier accepts as duplicates, given that it accepted `accepted` of `judged`."""
    low, high = share_interval(accepted, judged)
    guess = (accepted + 0.5) / (judged + 1)
    return Expectation(wrong.low * low, wrong.guess * guess, wrong.high * high)


def poisson_interval(count: int) -> Expectation:
    """A 95 % interval for the mean of a Poisson distribution that gave `count`."""

    def bound(degrees: int, z: float) -> float:
        spread = 2 / (9 * degrees)
        return 0.5 * degrees * (1 - spread + z * math.sqrt(spread)) ** 3

    low = bound(2 * count, -Z) if count else 0.0
    return Expectation(max(low, 0.0), float(count), bound(2 * count + 2, Z))


def share_interval(hits: int, trials: int) -> tuple[float, float]:
    """A 95 % interval for a probability seen `hits` times in `trials`."""
    if not trials:
        return 0.0, 1.0
    share = hits / trials
    centre = share + Z * Z / (2 * trials)
    spread = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    scale = 1 + Z * Z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _continued_tail(ordered: Sequence[int], tolerance: int) -> Expectation:
    """The expected number of the sample's pairs within a tolerance, extrapolated from its nearest pairs."""
    seen = poisson_interval(bisect_right(ordered, tolerance))
    anchor = min(TAIL.anchor, len(ordered) // 2)
    if anchor < 2 or ordered[anchor - 1] >= ordered[len(ordered) // 2]:
        return seen
    nearest = ordered[:anchor]
    furthest = nearest[-1]
    mean_excess = sum(furthest - distance for distance in nearest) / anchor + BITS_APART / 2
    decades = max(0.0, (furthest - tolerance) / mean_excess) / math.log(10)
    guess = min(max(anchor / 10**decades, seen.low), seen.high)
    low, high = guess / TAIL.fewer_per_decade**decades, guess * TAIL.more_per_decade**decades
    return Expectation(max(low, seen.low), guess, min(high, seen.high))
