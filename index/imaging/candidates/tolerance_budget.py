"""PURE: chooses the tolerance for a large library, if none is set.

All pairs of a library are compared, so the number of wrong pairs that a tolerance proposes grows with the square of the
library's size, and that of right pairs only with the size. If verifying the wrong ones would cost more than reading the
pictures, the tolerance is lowered. It depends on the largest power of two below the size, and on the distances of
random pairs among that many first pictures. So it is the same whether an index grew or is searched from zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from index.imaging.candidates.calibration import BITS_APART, false_candidates
from index.imaging.thresholds import threshold
from index.model import default_tolerance


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """The size from which on, and how far, a tolerance may be lowered."""

    least_power: int = threshold(16, "power of two", "Of fewer pictures even many wrong pairs are verified in hours.")
    wrong_a_picture: float = threshold(
        2.0, "pairs a picture", "Verifying two takes about as long as reading a picture of 12 megapixels."
    )
    least_share: float = threshold(
        72 / 256, "share of the bits", "Loses no core copy and 2 % of the edited ones, at a twelfth of the wrong pairs."
    )


BUDGET: Final = BudgetLimits()


def size_class(pictures: int) -> int:
    """The power of two that a number of pictures has reached; 0 if it is too small for a lower tolerance."""
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
