"""PURE: how many wrong pairs a tolerance proposes in this library, and how many the verifier then lets through.

Measured on the library itself: distances of pairs drawn at random, which in any library but a tiny one are almost
never duplicates, and the verifier's word on the nearest of those that are not proposed. Counts are Poisson; their
interval is Garwood's (1936) in the Wilson-Hilferty approximation, a share's is Jeffreys' in Wilson's form (1927).
Where the sample holds too few near pairs to count, its lower tail is continued as an exponential one, the limit of
light tails (Pickands, Statistical Inference Using Extreme Order Statistics, 1975): chance alone would fall faster, the
same thing before the same wall keeps it up. The interval says how far that can be trusted.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

# Both sides of a 95 % interval.
Z = 1.959964
# Fewer pairs than this are not counted but extrapolated.
COUNTED = 10
# The tail is continued from where this many pairs of the sample lie below; beyond, its slope is only a model.
ANCHOR = 30
# Hashes of which half the bits are set differ in an even number of bits.
BITS_APART = 2
# How far reality may be from the continued tail for each factor of 10 that it was continued by: above, where a library
# has more look-alikes than its sample tells, and below, where nothing but chance brings pictures near.
MORE_PER_DECADE = 5.0
FEWER_PER_DECADE = 25.0


@dataclass(frozen=True, slots=True)
class Expectation:
    """A number of pairs: the best guess and a 95 % interval."""

    low: float
    guess: float
    high: float

    def times(self, factor: float) -> "Expectation":
        return Expectation(self.low * factor, self.guess * factor, self.high * factor)


def wrong_pairs(distances: Sequence[int], images: int, tolerance: int) -> Expectation:
    """How many of the library's pairs lie within the tolerance by accident.

    `distances` are those of pairs drawn at random (each the least over the turns searched), in bits; `images` is how
    many contents the library has, all pairs of which are candidates.
    """
    pairs = images * (images - 1) / 2
    if not distances or pairs == 0:
        return Expectation(0.0, 0.0, pairs)
    scale = pairs / len(distances)
    ordered = sorted(distances)
    below = bisect_right(ordered, tolerance)
    if below >= COUNTED:
        return poisson_interval(below).times(scale)
    return _continued_tail(ordered, tolerance).times(scale)


def let_through(wrong: Expectation, judged: int, accepted: int) -> Expectation:
    """How many of the wrong pairs the verifier takes for duplicates, where it took `accepted` of `judged`."""
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
    """The expected number of the sample's pairs within a tolerance that hardly any of them reaches."""
    seen = poisson_interval(bisect_right(ordered, tolerance))
    anchor = min(ANCHOR, len(ordered) // 2)
    if anchor < 2 or ordered[anchor - 1] >= ordered[len(ordered) // 2]:
        return seen
    nearest = ordered[:anchor]
    furthest = nearest[-1]
    mean_excess = sum(furthest - distance for distance in nearest) / anchor + BITS_APART / 2
    decades = max(0.0, (furthest - tolerance) / mean_excess) / math.log(10)
    guess = min(max(anchor / 10**decades, seen.low), seen.high)
    low, high = guess / FEWER_PER_DECADE**decades, guess * MORE_PER_DECADE**decades
    return Expectation(max(low, seen.low), guess, min(high, seen.high))
