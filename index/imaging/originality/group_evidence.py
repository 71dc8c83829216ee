"""PURE: what the pairs of a group show -> for each picture, numbers of which a weighted sum says that it came first.

One pair errs by chance, and the name or the record of one file is the same in all of its pairs: their odds cannot be
multiplied. So here the findings of a group are counted. A picture counts for what its copies show on
average, against what it shows of being a copy itself, on average and at its clearest, and for what the others have in
common with it (`inheritance`). Of two pictures this says no more than their pair.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.imaging.originality.file_signs import NAMES_AND_TIMES
from index.imaging.originality.inheritance import OF_TRAITS, Findings, copies, outnumbered, traits_of
from index.imaging.thresholds import threshold

Numbers = NDArray[np.float64]
NumberedPairs = Iterable[tuple[tuple[int, int], tuple[Findings, Findings]]]


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """When all that a group shows makes a picture certain."""

    most_of_names: float = threshold(4.0, "log-odds", "Of names and times of a whole group, which confirm each other.")
    min_counted: float = threshold(0.97, "probability", "By all that is counted; the pairs alone left it open.")
    min_by_pairs: float = threshold(
        0.5, "probability", "By the pairs; below, the two opinions differ, and it is a tie."
    )
    min_without_names: float = threshold(0.5, "probability", "Without them it has to be likelier than all others.")


GROUP = GroupLimits()


def group_evidence(count: int, pairs: NumberedPairs) -> dict[str, Numbers]:
    """The numbers of each of `count` pictures, by name, (count,) each.

    Each pair of places has what shows that the second was made from the first, and the opposite, with what speaks in
    their files. For a finding f, `makes_f` is its mean over the pairs in which the picture would be the original,
    `made_f` and `most_made_f` are its mean and its maximum where it would be the copy. For a trait t, `same_t` and
    `other_t` are the shares of pictures that have the same and another one; with `_of_many`, multiplied by the
    logarithm of a third of `count`. `copies` and `traits` are those of `inheritance`.
    """
    pairs = list(pairs)
    compared = [0] * count
    found: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * count)
    table = np.zeros((count, count))
    for (one, two), (forward, back) in pairs:
        compared[one] += 1
        compared[two] += 1
        for original, copy, shown in ((one, two, forward), (two, one, back)):
            table[original, copy] = shown.get("table", 0.0) - shown.get("no_table", 0.0)
            for name, strength in shown.items():
                if name in OF_TRAITS:
                    continue
                found["makes_" + name][original] += strength
                found["made_" + name][copy] += strength
                most = found["most_made_" + name]
                most[copy] = max(most[copy], strength)
    number = np.maximum(1, compared)
    numbers = {
        name: np.asarray(values, np.float64) / (1 if name.startswith("most_") else number)
        for name, values in found.items()
    }
    of_many = math.log(count / 3)
    behind = []
    for trait, (same, other) in traits_of(count, pairs).items():
        behind.append(outnumbered(other, same))
        for name, flags in (("same_" + trait, same), ("other_" + trait, other)):
            numbers[name] = flags.sum(axis=1) / number
            numbers[name + "_of_many"] = numbers[name] * of_many
    numbers["copies"] = np.log1p(copies(table))
    numbers["traits"] = -np.max(behind, axis=0)
    return numbers


def is_of_names(name: str) -> bool:
    """Whether a number only says what files are called, where they are, and of what time."""
    return name.removeprefix("most_").removeprefix("makes_").removeprefix("made_") in NAMES_AND_TIMES


def scores(numbers: Mapping[str, Numbers], given: Mapping[str, float]) -> tuple[Numbers, Numbers]:
    """The weighted sums of each picture: of all but names and times, and of those, (n,) each."""
    count = len(numbers["copies"])
    by_rest, by_names = np.zeros(count), np.zeros(count)
    for name, values in numbers.items():
        total = by_names if is_of_names(name) else by_rest
        total += given.get(name, 0.0) * values
    return by_rest, by_names


def chances(by_rest: Numbers, by_names: Numbers) -> tuple[Numbers, bool]:
    """How likely each picture came first, (n,), and whether the likeliest one would without names and times be likelier
    than all others together. Those count up to a limit, relative to the likeliest."""
    best = int(np.argmax(by_rest + by_names))
    total = by_rest + np.clip(by_names - by_names[best], -GROUP.most_of_names, GROUP.most_of_names)
    share = _share(total)
    return share, bool(_share(by_rest)[int(np.argmax(share))] >= GROUP.min_without_names)


def _share(log_odds: Numbers) -> Numbers:
    odds = np.exp(log_odds - log_odds.max())
    return np.asarray(odds / odds.sum(), np.float64)
