"""Fits how much everything that the pairs of a group show says of which picture came first:

    python -m fitting.groups FOLDER [--trees N] [--cache FILE] [--write]

Makes groups of 3 to 6 files and trees of 5 to 30 from any folder of photographs. In most trees copies are made of the
original; in some of any file that is there, each as likely; in some of a copy that was edited before it was sent to
others. Fitted are the weights of `index/imaging/originality/group_evidence.py`: those that make the originals
likeliest, also where names and times say nothing, and where the records of cameras say nothing either.

What is held out judges them: the photographs in two halves, and each of some sets of families of edits and of encoders,
whose copies are removed from the groups of the one half before the other is judged. Prints the reliability on that;
with --write, the weights are replaced in weights.json, with these figures.
"""

import argparse
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from fitting.made_groups import (
    EDGES,
    Growth,
    Task,
    grown,
    is_usable,
    kept_in,
    one_round,
    outcomes,
    photographs_of,
    ranked,
    ship,
)
from index.imaging.originality.file_signs import NAMES_AND_TIMES
from index.imaging.originality.fitted import group_weights
from index.imaging.originality.group_evidence import GROUP, group_evidence, is_of_names
from index.imaging.originality.model import AGAINST, reliability
from index.imaging.originality.standing import Standing
from samples.cases import Case, Pair

Numbers = NDArray[np.float64]

KINDS: Final = {
    "small": Growth(0.75, edited=False, often=5),
    "original": Growth(0.75, edited=False, often=4),
    "any": Growth(0.0, edited=False, often=2),
    "edited": Growth(0.75, edited=True, often=1),
}
ROUND: Final = one_round(KINDS)
RECORDS: Final = frozenset(
    "no_record less_record maker_note signed thumbnail other_size recorded_size modified upright program".split()
)
# What is taken away from each group in addition, and for how much that counts.
NEUTRAL: Final[tuple[tuple[frozenset[str], float], ...]] = (
    (frozenset(), 1.0),
    (NAMES_AND_TIMES, 0.5),
    (NAMES_AND_TIMES | RECORDS, 0.5),
)
FOLDS: Final = 2
# How much more a weight costs that is against the nature of its number.
AGAINST_ITS_WAY: Final = 10.0
# Numbers that hardly vary are not scaled up.
LEAST_DEVIATION: Final = 0.02


@dataclass(frozen=True, eq=False)
class Sample:
    """A group as the fit sees it: the numbers of each picture, the original first, less those of the original."""

    numbers: Numbers
    importance: float


def without(case: Case, what: str, values: Collection[str]) -> Case:
    """The case without the copies of these families, or by these encoders."""
    gone = {place for place, value in enumerate(getattr(case, what)) if place and value in values}
    return replace(case, pairs={pair: found for pair, found in case.pairs.items() if not gone & set(pair)})


def numbers_of(case: Case, names: Sequence[str], neutral: Collection[str]) -> Numbers:
    place = {picture: number for number, picture in enumerate(sorted({0, *(p for pair in case.pairs for p in pair)}))}
    pairs = [
        ((place[a], place[b]), tuple({n: v for n, v in way.items() if n not in neutral} for way in _ways(found)))
        for (a, b), found in case.pairs.items()
    ]
    found = group_evidence(len(place), pairs)  # type: ignore[arg-type]
    return np.stack([found.get(name, np.zeros(len(place))) for name in names], axis=1)


def _ways(found: Pair) -> tuple[dict[str, float], dict[str, float]]:
    return found.forward, found.backward


def samples(cases: Iterable[Case], names: Sequence[str]) -> Iterator[Sample]:
    for case in cases:
        for neutral, importance in NEUTRAL:
            numbers = numbers_of(case, names, neutral)
            yield Sample(numbers - numbers[0], importance)


def fit(found: Sequence[Sample], names: Sequence[str], penalty: float) -> dict[str, float]:
    """The weights that make the originals likeliest, with a penalty on large ones relative to how much their numbers
    vary. Names and times count up to their limit, as in `group_evidence`."""
    rows = np.concatenate([one.numbers for one in found])
    deviation = rows.std(axis=0)
    scale = np.where(deviation < LEAST_DEVIATION, 1.0, deviation)
    rows = rows / scale
    sizes = [len(one.numbers) for one in found]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    group = np.repeat(np.arange(len(found)), sizes)
    importance = np.array([one.importance for one in found])
    of_names = np.array([is_of_names(name) for name in names])
    ways = np.array([way_of(name) for name in names])

    def loss(given: Any) -> tuple[float, Any]:
        by_names = rows @ (given * of_names)
        total = rows @ (given * ~of_names) + np.clip(by_names, -GROUP.most_of_names, GROUP.most_of_names)
        highest = np.maximum.reduceat(total, starts)
        odds = np.exp(total - highest[group])
        whole = np.add.reduceat(odds, starts)
        share = odds / whole[group] * importance[group]
        inside = np.abs(by_names) < GROUP.most_of_names
        slope = (share @ rows) * ~of_names + ((share * inside) @ rows) * of_names
        strict = penalty * np.where(given * ways < 0, AGAINST_ITS_WAY, 1.0)
        value = float((importance * (np.log(whole) + highest)).sum()) + float(strict @ given**2)
        return value, slope + 2 * strict * given

    best = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x / scale
    return {name: round(float(weight), 3) for name, weight in zip(names, best, strict=True) if abs(weight) >= 0.001}


def way_of(name: str) -> float:
    """Whether a number by its nature speaks for a picture, 1, or against it, -1."""
    finding = name.removeprefix("most_").removeprefix("makes_").removeprefix("made_")
    speaks_for = name.startswith(("makes_", "same_", "copies", "traits")) != (finding in AGAINST | {"no_table"})
    return 1.0 if speaks_for else -1.0


def held_out(
    cases: Sequence[tuple[str, Case]], names: Sequence[str], penalty: float
) -> list[tuple[str, Case, Standing]]:
    """Each case as it is judged by weights that were fitted on the other half of the photographs, without the copies of
    some families of edits, or by some encoders, that it has."""
    found = []
    for what in ("families", "encoders"):
        values = sorted({value for _, case in cases for value in getattr(case, what)[1:]})
        for fold, half in ((fold, half) for fold in range(FOLDS) for half in (0, 1)):
            out = set(values[fold::FOLDS])
            known = [without(case, what, out) for _, case in cases[half::2]]
            given = fit(list(samples(filter(is_usable, known), names)), names, penalty)
            judged = [(kind, case) for kind, case in cases[1 - half :: 2] if out & set(getattr(case, what)[1:])]
            found += [(kind, case, ranked(case, group_weights(), given)) for kind, case in judged]
    return found


def build(folder: str, count: int, seed: int) -> list[tuple[str, Case]]:
    rng = random.Random(seed)
    photos = photographs_of(folder, rng)
    kinds = [ROUND[n % len(ROUND)] for n in range(count)]
    copies = [rng.randint(2, 5) if kind == "small" else rng.randint(4, 29) for kind in kinds]
    return grown(
        [
            Task(photos[n % len(photos)], seed * 100_000 + n, copies[n], kind, KINDS[kind])
            for n, kind in enumerate(kinds)
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--trees", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--penalty", type=float, default=0.3)
    parser.add_argument("--cache", default="")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    made = kept_in(wanted.cache, lambda: build(wanted.folder, wanted.trees, wanted.seed))
    cases = [(kind, case) for kind, case in made if is_usable(case)]
    names = sorted({name for _, case in cases for name in _numbers_found(case)})
    given = fit(list(samples((case for _, case in cases), names)), names, wanted.penalty)
    for name, weight in sorted(given.items(), key=lambda entry: -abs(entry[1])):
        print(f"{name:32s} {weight:7.3f}")
    judged = held_out(cases, names, wanted.penalty)
    of_kind = {kind: [one for own, _, one in judged if own == kind] for kind in KINDS}
    figures = {kind: {"groups": len(found), **outcomes(found)} for kind, found in of_kind.items()}
    table = reliability([one.shares[one.best] for *_, one in judged], [one.best == 0 for *_, one in judged], EDGES)
    for line in (*figures.items(), *table):
        print(line)
    if wanted.write:
        ship({"second": given, "groups": len(cases), "second_held_out": figures, "reliability_of_groups": table})


def _numbers_found(case: Case) -> Collection[str]:
    pairs = (((a, b), _ways(found)) for (a, b), found in case.pairs.items())
    return group_evidence(len(case.kinds), pairs).keys()


if __name__ == "__main__":
    main()
