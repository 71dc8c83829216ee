"""PURE: what speaks for and against each of several pictures -> how likely each is the original.

The log-odds that one picture was made from another are a weighted sum of proofs and signs. Signs alone never reach
certainty: their sum is limited. Weights are fitted by `fitting.originality`, with kinds of copies and encoders held
out, and stand in weights.json with their reliability on what was held out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold


@dataclass(frozen=True, slots=True)
class CertaintyLimits:
    """When a picture is proposed as the original without a question."""

    min_posterior: float = threshold(0.95, "probability", "Below, a person decides.")
    most_of_signs: float = threshold(2.5, "log-odds", "What signs alone may reach: 0.92 of certainty.")
    most_of_a_pair: float = threshold(8.0, "log-odds", "No pair is more certain than the weights are.")
    least_shown: float = threshold(0.3, "log-odds", "What counts for less is not described.")
    proof_against: float = threshold(1.5, "log-odds", "From here on a proof speaks against a picture.")


CERTAIN: Final = CertaintyLimits()

# What has a direction by its nature. All else is a sign.
PROOFS: Final = frozenset(
    (
        "part framed overlaid grey one_frame straightened no_record less_record maker_note signed thumbnail other_size"
        " recorded_size depth from_raw converted coded limited detail quiet_detail reduced_period no_period no_detail"
        " no_quiet_detail enlarged_period"
    ).split()
)
# Names that speak against what they are found for.
AGAINST: Final = frozenset({"uncoded"})

Findings = Mapping[str, float]


def contributions(forward: Findings, backward: Findings, given: Mapping[str, float]) -> dict[str, float]:
    """What each finding adds to the log-odds that the second picture was made from the first. `forward` are those that
    say so, `backward` those that say the opposite."""
    found: dict[str, float] = {}
    for name in {*forward, *backward}:
        way = -1.0 if name in AGAINST else 1.0
        added = way * given.get(name, 0.0) * (forward.get(name, 0.0) - backward.get(name, 0.0))
        if added:
            found[name] = added
    return found


def weightiest(of_pair: Mapping[str, float]) -> tuple[str, ...]:
    """The names of the contributions in favour that are worth a sentence, the weightiest first, proofs before signs."""
    found = [(name not in PROOFS, -value, name) for name, value in of_pair.items() if value >= CERTAIN.least_shown]
    return tuple(name for _, _, name in sorted(found))


def log_odds(of_pair: Mapping[str, float]) -> float:
    """The log-odds of a pair from its contributions."""
    proofs = sum(value for name, value in of_pair.items() if name in PROOFS)
    signs = sum(value for name, value in of_pair.items() if name not in PROOFS)
    signs = min(CERTAIN.most_of_signs, max(-CERTAIN.most_of_signs, signs))
    return min(CERTAIN.most_of_a_pair, max(-CERTAIN.most_of_a_pair, proofs + signs))


def likelihood(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of how likely each of n pictures is the one that all others were made from, up to a constant, (n,).

    `odds[i, j]` are the log-odds that j was made from i, antisymmetric. The pairs with i are taken as independent.
    """
    # log of the logistic function, without overflow.
    likely = -np.logaddexp(0.0, -odds)
    np.fill_diagonal(likely, 0.0)
    return np.asarray(likely.sum(axis=1), np.float64)


def posterior(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely each of n pictures is the original by pairs alone, (n,): the products divided by their sum."""
    total = likelihood(odds)
    share = np.exp(total - total.max())
    return np.asarray(share / share.sum(), np.float64)


def share_of_two(odds: float) -> float:
    """How likely the first of two pictures is the one that the other was made from: `posterior` of one pair."""
    return 1.0 / (1.0 + math.exp(-odds))


def reliability(certainties: Sequence[float], right: Sequence[bool], edges: Sequence[float]) -> list[dict[str, float]]:
    """For each interval of certainty: how many were in it, their mean certainty, and the share that was right."""
    sure, true = np.asarray(certainties), np.asarray(right)
    table = []
    for low, high in pairwise(edges):
        inside = (sure >= low) & ((sure < high) | (high >= 1))
        if inside.any():
            table.append(
                {
                    "from": low,
                    "to": high,
                    "cases": int(inside.sum()),
                    "certainty": round(float(sure[inside].mean()), 4),
                    "right": round(float(true[inside].mean()), 4),
                }
            )
    return table
