"""Fits how much it says which of the pictures of a group came first that they have something in common:

    python -m fitting.trees FOLDER [--trees N] [--cache FILE] [--write]

Makes trees of 5 to 30 files from any folder of photographs. In most of them copies are made of the original; in some of
any file that is there, each as likely; in some of a copy that was edited before it was sent to others. Two weights are
fitted (`inheritance.GroupWeights`): those that make the originals likeliest, with all pairs weighted as they are
shipped. With --write, they are replaced in weights.json, with what they decide in these trees.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from fitting.made_groups import (
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
from index.imaging.originality.inheritance import GroupWeights, precedence
from samples.cases import Case

KINDS: Final = {
    "original": Growth(0.75, edited=False, often=4),
    "any": Growth(0.0, edited=False, often=2),
    "edited": Growth(0.75, edited=True, often=1),
}
ROUND: Final = one_round(KINDS)
MOST: Final = (4.0, 3.0)


class Parts(NamedTuple):
    """Of the pictures of a tree, the original first: the logarithms of how likely each is by pairs alone, and what a
    weight of 1 adds by copies, and by traits."""

    by_pairs: NDArray[np.float64]
    by_copies: NDArray[np.float64]
    by_traits: NDArray[np.float64]


def parts(case: Case) -> Parts:
    shares = ranked(case, GroupWeights(0.0, 0.0)).shares
    place = {picture: number for number, picture in enumerate(sorted(shares))}
    pairs = [((place[a], place[b]), (found.forward, found.backward)) for (a, b), found in case.pairs.items()]
    of_one = [precedence(len(place), pairs, given) for given in (GroupWeights(1.0, 0.0), GroupWeights(0.0, 1.0))]
    return Parts(np.log(np.maximum([shares[picture] for picture in sorted(shares)], 1e-300)), *of_one)


def fit(trees: Sequence[Parts]) -> GroupWeights:
    def loss(given: Any) -> float:
        total = 0.0
        for tree in trees:
            score = tree.by_pairs + given[0] * tree.by_copies + given[1] * tree.by_traits
            total += float(np.logaddexp.reduce(score) - score[0])
        return total

    best = minimize(loss, (1.0, 1.0), bounds=[(0.0, most) for most in MOST], method="Powell")
    return GroupWeights(*(round(float(weight), 2) for weight in best.x))


def build(folder: str, count: int, seed: int) -> list[tuple[str, Case]]:
    rng = random.Random(seed)
    photos = photographs_of(folder, rng)
    kinds = [ROUND[n % len(ROUND)] for n in range(count)]
    return grown(
        [
            Task(photos[n % len(photos)], seed * 100_000 + n, rng.randint(4, 29), kind, KINDS[kind])
            for n, kind in enumerate(kinds)
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--trees", type=int, default=84)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", default="")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    made = kept_in(wanted.cache, lambda: build(wanted.folder, wanted.trees, wanted.seed))
    cases = [(kind, case) for kind, case in made if is_usable(case)]
    of_kind = {kind: [case for one, case in cases if one == kind] for kind in KINDS}
    of_tree = {kind: [parts(case) for case in of_one] for kind, of_one in of_kind.items()}
    for kind, alone in of_tree.items():
        print(f"{kind}: {len(alone)} trees, {fit(alone)}")
    given = fit([tree for alone in of_tree.values() for tree in alone])
    figures = {
        kind: {"trees": len(of_one), **outcomes([ranked(case, given) for case in of_one])}
        for kind, of_one in of_kind.items()
        if of_one
    }
    print(f"together: {given}")
    for kind, found in figures.items():
        print(kind, found)
    if wanted.write:
        ship({"of_group": asdict(given), "trees": figures})


if __name__ == "__main__":
    main()
