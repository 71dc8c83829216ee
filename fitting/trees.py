"""Fits how much it says which of the pictures of a group came first that they have something in common:

    python -m fitting.trees FOLDER [--trees N] [--cache FILE] [--write]

Makes trees of 5 to 30 files from any folder of photographs. In most of them copies are made of the original; in some of
any file that is there, each as likely; in some of a copy that was edited before it was sent to others. Two weights are
fitted (`inheritance.GroupWeights`): those that make the originals likeliest, with all pairs weighted as they are
shipped. With --write, they are replaced in weights.json, with what they decide in these trees.
"""

import argparse
import json
import os
import pickle
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from fitting.originality import WEIGHTS
from index.imaging.originality.fitted import weights
from index.imaging.originality.inheritance import GroupWeights, precedence
from index.imaging.originality.standing import Standing, standing
from samples.cases import Case, compared, make_case

# Kind of tree -> share of the copies made of one picture, whether that was edited, and of seven trees how many.
KINDS: Final = {"original": (0.75, False, 4), "any": (0.0, False, 2), "edited": (0.75, True, 1)}
OF_SEVEN: Final = tuple(kind for kind, (_, _, count) in KINDS.items() for _ in range(count))
MOST: Final = (4.0, 3.0)


class Parts(NamedTuple):
    """Of the pictures of a tree, the original first: the logarithms of how likely each is by pairs alone, and what a
    weight of 1 adds by copies, and by traits."""

    by_pairs: NDArray[np.float64]
    by_copies: NDArray[np.float64]
    by_traits: NDArray[np.float64]


def ranked(case: Case, given: GroupWeights) -> Standing:
    findings = {pair: (found.forward, found.backward) for pair, found in case.pairs.items()}
    members = sorted({0, *(place for pair in findings for place in pair)})
    files = {member: [case.seen[member]] for member in members}
    return standing({member: member for member in members}, files, findings, weights(), given)


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


def outcomes(cases: Iterable[Case], given: GroupWeights) -> dict[str, float]:
    found = [ranked(case, given) for case in cases]
    return {
        "trees": len(found),
        "first_right": round(float(np.mean([one.best == 0 for one in found])), 3),
        "sure_and_right": round(float(np.mean([one.sure and one.best == 0 for one in found])), 3),
        "sure_and_wrong": round(float(np.mean([one.sure and one.best != 0 for one in found])), 3),
    }


def _one(task: tuple[str, int, int, str]) -> tuple[str, Case] | None:
    cv2.setNumThreads(1)
    photo, seed, count, kind = task
    share, edited, _ = KINDS[kind]
    case = compared(make_case(photo, seed, count, share, edited=edited))
    if case is None:
        return None
    case.look()
    return kind, case


def build(folder: str, count: int, seed: int) -> list[tuple[str, Case]]:
    rng = random.Random(seed)
    photos = sorted(str(p) for p in Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    rng.shuffle(photos)
    tasks = [
        (photos[n % len(photos)], seed * 100_000 + n, rng.randint(4, 29), OF_SEVEN[n % len(OF_SEVEN)])
        for n in range(count)
    ]
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        return [found for found in pool.map(_one, tasks) if found is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--trees", type=int, default=84)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", default="")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    cache = Path(wanted.cache) if wanted.cache else None
    if cache and cache.exists():
        cases = pickle.loads(cache.read_bytes())
    else:
        cases = build(wanted.folder, wanted.trees, wanted.seed)
        if cache:
            cache.write_bytes(pickle.dumps(cases))
    # Of two pictures, no third one says anything; and the original has to be one of the group.
    cases = [(kind, case) for kind, case in cases if len(case.pairs) > 1 and any(first == 0 for first, _ in case.pairs)]
    of_kind = {kind: [case for one, case in cases if one == kind] for kind in KINDS}
    of_tree = {kind: [parts(case) for case in of_one] for kind, of_one in of_kind.items()}
    for kind, alone in of_tree.items():
        print(f"{kind}: {len(alone)} trees, {fit(alone)}")
    given = fit([tree for alone in of_tree.values() for tree in alone])
    figures = {kind: outcomes(of_one, given) for kind, of_one in of_kind.items() if of_one}
    print(f"together: {given}")
    for kind, found in figures.items():
        print(kind, found)
    if wanted.write:
        fields = json.loads(WEIGHTS.read_text("utf-8"))
        fields["of_group"], fields["trees"] = asdict(given), figures
        WEIGHTS.write_text(json.dumps(fields, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
