"""PURE: the tolerance for a large library, where none is set.

All pairs of a library are compared, so the wrong pairs that a tolerance proposes grow with the square of its size,
and the right ones only with the size. Where verifying the wrong ones would cost more than reading the pictures, the
tolerance is lowered to what is affordable. It depends on the power of two that the size has passed, and on the
distances of random pairs among so many first pictures: an index gives the same whether it grew or is detected from
zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from index.imaging.candidates.calibration import BITS_APART, false_candidates
from index.imaging.thresholds import threshold
from index.model import default_tolerance


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """From which size on, how much, and how far a tolerance may be lowered."""

    least_power: int = threshold(16, "power of two", "Of fewer pictures even many wrong pairs are verified in hours.")
    wrong_a_picture: float = threshold(
        2.0, "pairs a picture", "Verifying two takes about as long as reading a picture of 12 megapixels."
    )
    least_share: float = threshold(
        72 / 256, "share of the bits", "Loses no core copy and 2 % of the edited ones, at a twelfth of the wrong pairs."
    )


BUDGET: Final = BudgetLimits()


def size_class(pictures: int) -> int:
    """The power of two that a number of pictures has passed; 0 where it is too small to lower anything."""
    power = max(pictures, 1).bit_length() - 1
    return power if power >= BUDGET.least_power else 0


def affordable_tolerance(distances: Sequence[int], power: int, hsize: int) -> int:
    """The tolerance for 2**power pictures: that of the hash size, or the highest below that proposes no more wrong
    pairs than the budget, but never less than `least_share` of the bits.

    `distances` are those of random pairs, in bits.
    """
    tolerance = default_tolerance(hsize)
    if not power:
        return tolerance
    pictures = 1 << power
    least = int(BUDGET.least_share * hsize * hsize)
    while tolerance > least:
        wrong = false_candidates(distances, pictures, tolerance).guess
        if wrong <= BUDGET.wrong_a_picture * pictures:
            break
        tolerance -= BITS_APART
    return max(tolerance, least)
