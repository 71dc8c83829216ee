"""Fits how much the copies that a picture has alone say for its being the original:

    python -m fitting.trees FOLDER [--trees N] [--write]

Makes trees of 5 to 20 files from any folder of photographs: in half of them, most copies are made of the original, in
the others of any file that is there, each as likely. Where signs alone say that a picture is a copy, the copies that
show the table of one of the two and not that of the other count (`standing.ways`), with the weight that makes the
originals likeliest. With --write, it is replaced in weights.json.
"""

import argparse
import json
import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import minimize_scalar

from fitting.originality import WEIGHTS, Case, compared, make_case
from index.imaging.originality.fitted import weights
from index.imaging.originality.model import CERTAIN, PROOFS, SPECIFIC, contributions, log_odds
from index.imaging.originality.standing import ways

# For each copy of the original that is made of any file, by kind of tree.
OF_ORIGINAL = (0.75, 0.0)
# No tree is worth more than so many rivals: those of one tree have the names and times of the same original.
RIVALS = 3


def rivals(case: Case) -> list[tuple[float, float]]:
    """For copies of which signs alone say what they are: the log-odds that they were made from the original, and the
    logarithm of how many more ways that had to come first."""
    n = len(case.kinds)
    odds, specific, proven = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    for (i, j), pair in case.pairs.items():
        found = contributions(pair.forward, pair.backward, weights())
        odds[i, j] = log_odds(found)
        odds[j, i] = -odds[i, j]
        of_proofs = sum(value for name, value in found.items() if name in PROOFS)
        of_table = sum(value for name, value in found.items() if name in SPECIFIC)
        proven[i, j], proven[j, i] = of_proofs, -of_proofs
        specific[i, j], specific[j, i] = max(0.0, of_table), max(0.0, -of_table)
    lead = ways(specific, 0)
    grouped = sorted({j for pair in case.pairs for j in pair} - {0})
    open_ones = [
        (float(odds[0, j]), float(lead[j]))
        for j in grouped
        if odds[:, j].max() <= CERTAIN.most_of_signs and abs(proven[0, j]) < CERTAIN.proof_against
    ]
    return sorted(open_ones, key=sum)[:RIVALS]


def _one(task: tuple[str, int, int, float]) -> tuple[float, list[tuple[float, float]]]:
    cv2.setNumThreads(1)
    case = compared(make_case(*task))
    if case is None:
        return task[3], []
    case.look()
    return task[3], rivals(case)


def fitted(found: Sequence[tuple[float, float]]) -> float:
    """The weight of the second number that makes the original likeliest."""
    odds, lead = np.array(found).T
    best = minimize_scalar(
        lambda weight: np.logaddexp(0, -(odds + weight * lead)).sum(), (0.0, 4.0), method="bounded", bounds=(0.0, 4.0)
    )
    return float(best.x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--trees", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    rng = random.Random(wanted.seed)
    photos = sorted(str(p) for p in Path(wanted.folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    rng.shuffle(photos)
    tasks = [
        (photos[n % len(photos)], wanted.seed * 100_000 + n, rng.randint(4, 19), OF_ORIGINAL[n % len(OF_ORIGINAL)])
        for n in range(wanted.trees)
    ]
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        of_trees = list(pool.map(_one, tasks))
    for kind in OF_ORIGINAL:
        alone = [one for to_original, found in of_trees if to_original == kind for one in found]
        print(f"{kind:.2f} of the original: {len(alone)} rivals, weight {fitted(alone):.2f}")
    everything = [one for _, found in of_trees for one in found]
    weight = round(fitted(everything), 2)
    print(f"together: {len(everything)} rivals, weight {weight:.2f}")
    if wanted.write:
        fields = json.loads(WEIGHTS.read_text("utf-8"))
        fields["weight_of_copies"] = weight
        WEIGHTS.write_text(json.dumps(fields, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
