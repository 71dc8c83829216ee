"""Fits the weights of index/imaging/originality:

    python -m fitting.originality FOLDER [--cases N] [--only NAME...] [--write]

Makes originals and copies from any folder of photographs (samples.copies), compares them as the program does, and fits
weights with whole families of edits and each encoder held out. Prints the reliability on what was held out; with
--write, weights.json is replaced.
"""

import argparse
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cv2
import numpy as np
from scipy.optimize import minimize

from fitting.made_groups import EDGES, kept_in, photographs_of, ship, shipped_fields
from index.imaging.originality.model import AGAINST, CERTAIN, PROOFS, posterior, reliability
from index.imaging.originality.standing import complete
from samples.cases import Case, Pair, compared, make_case


def _one(task: tuple[str, int, int]) -> Case | None:
    cv2.setNumThreads(1)
    return compared(make_case(*task))


def build(folder: str, cases: int, seed: int, workers: int) -> list[Case]:
    rng = random.Random(seed)
    photos = photographs_of(folder, rng)
    tasks = [(photos[n % len(photos)], seed * 100_000 + n, rng.choice((1, 1, 1, 1, 2, 3, 4, 4))) for n in range(cases)]
    with ProcessPoolExecutor(workers) as pool:
        return [case for case in pool.map(_one, tasks, chunksize=4) if case is not None]


def features(names: Sequence[str], pair: Pair) -> tuple[list[float], list[float]]:
    way = [-1.0 if name in AGAINST else 1.0 for name in names]
    row = [w * (pair.forward.get(name, 0.0) - pair.backward.get(name, 0.0)) for w, name in zip(way, names, strict=True)]
    return row, [float(name in PROOFS) for name in names]


def odds_of(rows: Any, given: Any, proof: Any) -> Any:
    signs = np.clip(rows @ (given * (1 - proof)), -CERTAIN.most_of_signs, CERTAIN.most_of_signs)
    return np.clip(rows @ (given * proof) + signs, -CERTAIN.most_of_a_pair, CERTAIN.most_of_a_pair)


def fit(rows: Any, proof: Any, penalty: float, importance: Any, kept: Any = None) -> Any:
    """Weights of at least 0 that make the original the more likely one, with a penalty on large weights. `kept` are
    weights that stay as they are; NaN marks a weight to be fitted."""

    def loss(given: Any) -> tuple[float, Any]:
        raw = rows @ (given * (1 - proof))
        inside = np.abs(raw) < CERTAIN.most_of_signs
        total = rows @ (given * proof) + np.clip(raw, -CERTAIN.most_of_signs, CERTAIN.most_of_signs)
        share = importance / (1 + np.exp(np.clip(total, -30, 30)))
        slope = -(share[:, None] * rows * (proof + (1 - proof) * inside[:, None])).sum(axis=0)
        value = (importance * np.logaddexp(0, -total)).sum() + penalty * float(given @ given)
        return value, slope + 2 * penalty * given

    start = np.full(rows.shape[1], 0.3)
    bounds = [(0.0, 6.0)] * rows.shape[1]
    if kept is not None:
        start = np.where(np.isnan(kept), start, kept)
        bounds = [(0.0, 6.0) if np.isnan(weight) else (weight, weight) for weight in kept]
    return minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x


def table(cases: Sequence[Case], names: Sequence[str]) -> tuple[Any, list[tuple[int, int, int]], Any]:
    rows, where, importance = [], [], []
    for number, case in enumerate(cases):
        with_root = [pair for pair in case.pairs if pair[0] == 0]
        for pair in with_root:
            rows.append(features(names, case.pairs[pair])[0])
            where.append((number, *pair))
            # A border is put around a picture more often than it is cut off.
            rare = 0.05 if "unbordered" in case.kinds else 1.0
            importance.append(rare / len(with_root) ** 0.5)
    return np.array(rows), where, np.array(importance)


def root_posterior(case: Case, names: Sequence[str], given: Any, proof: Any) -> tuple[int, float]:
    """Which file is proposed, and how sure. Pairs that were not matched follow from those with the root's group."""
    n = len(case.kinds)
    odds = np.zeros((n, n))
    known = np.zeros((n, n), bool)
    for (i, j), pair in case.pairs.items():
        row = np.array(features(names, pair)[0])
        odds[i, j] = odds_of(row, given, proof)
        odds[j, i] = -odds[i, j]
        known[i, j] = known[j, i] = True
    present = [i for i in range(n) if known[i].any()]
    odds, known = odds[np.ix_(present, present)], known[np.ix_(present, present)]
    share = posterior(complete(odds, known))
    best = int(np.argmax(share))
    return present[best], float(share[best])


def held_out(cases: Sequence[Case], names: Sequence[str], penalty: float) -> list[tuple[int, float, Case]]:
    """The proposal for each case by weights that were fitted without the families and encoders of its copies."""
    proof = np.array([float(name in PROOFS) for name in names])
    rows, where, importance = table(cases, names)
    groups = [("families", family) for family in sorted({f for c in cases for f in c.families[1:]})]
    groups += [("encoders", encoder) for encoder in sorted({e for c in cases for e in c.encoders[1:]})]
    result = []
    for what, value in groups:
        out = np.array([getattr(cases[number], what)[j] == value for number, _, j in where])
        given = fit(rows[~out], proof, penalty, importance[~out])
        concerned = [case for case in cases if value in getattr(case, what)[1:]]
        result += [(*root_posterior(case, names, given, proof), case) for case in concerned]
    return result


def summary(results: Iterable[tuple[int, float, Case]]) -> dict[str, float]:
    results = list(results)
    sure = [(best, share) for best, share, _ in results if share >= CERTAIN.min_posterior]
    right = sum(best == 0 for best, _ in sure)
    return {
        "cases": len(results),
        "sure_and_right": round(right / max(1, len(results)), 4),
        "sure_and_wrong": round((len(sure) - right) / max(1, len(results)), 4),
        "first_right": round(sum(best == 0 for best, _, _ in results) / max(1, len(results)), 4),
    }


def refit(cases: Sequence[Case], only: Sequence[str], penalty: float, write: bool) -> None:
    """Fit the weights of new findings in addition to the shipped ones, and print them; the reliability stays that of
    the whole fit."""
    shipped = shipped_fields()["weights"]
    names = sorted({*shipped, *only})
    proof = np.array([float(name in PROOFS) for name in names])
    rows, _, importance = table(cases, names)
    kept = np.array([np.nan if name in only else shipped[name] for name in names])
    given = fit(rows, proof, penalty, importance, kept)
    fitted = {name: round(float(weight), 3) for name, weight in zip(names, given, strict=True)}
    print({name: fitted[name] for name in only})
    if write:
        ship({"weights": fitted})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--cases", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--penalty", type=float, default=0.05)
    parser.add_argument("--cache", default="")
    parser.add_argument("--only", nargs="+", default=[], help="fit only these, and keep the weights of all others")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    cases = kept_in(wanted.cache, lambda: build(wanted.folder, wanted.cases, wanted.seed, os.cpu_count() or 1))
    for case in cases:
        case.look()
    if wanted.only:
        refit(cases, wanted.only, wanted.penalty, wanted.write)
        return
    names = sorted({name for c in cases for p in c.pairs.values() for name in (*p.forward, *p.backward)})
    proof = np.array([float(name in PROOFS) for name in names])
    rows, _, importance = table(cases, names)
    given = fit(rows, proof, wanted.penalty, importance)
    counts = Counter(name for c in cases for (i, _), p in c.pairs.items() if i == 0 for name in p.forward)
    against = Counter(name for c in cases for (i, _), p in c.pairs.items() if i == 0 for name in p.backward)
    for name, weight in sorted(zip(names, given, strict=True), key=lambda entry: -entry[1]):
        kind = "proof" if name in PROOFS else "sign "
        print(f"{kind} {name:20s} {weight:6.2f}  forward {counts[name]:5d} backward {against[name]:5d}")
    seen = [(*root_posterior(case, names, given, proof), case) for case in cases]
    print("seen    ", summary(seen))
    unseen = held_out(cases, names, wanted.penalty)
    print("held out", summary(unseen))
    wrong: Counter[tuple[str, str, bool]] = Counter()
    total: Counter[str] = Counter()
    for best, share, case in unseen:
        label = case.kinds[1] if len(case.kinds) == 2 else "several"
        total[label] += 1
        wrong[label, "sure" if share >= CERTAIN.min_posterior else "tie", best == 0] += 1
    for label in sorted(total):
        right, mistaken = wrong[label, "sure", True], wrong[label, "sure", False]
        print(f"{label:18s} right {right:4d} wrong {mistaken:3d} of {total[label]}")
    of_reliability = reliability([share for _, share, _ in unseen], [best == 0 for best, _, _ in unseen], EDGES)
    for line in of_reliability:
        print(line)
    if wanted.write:
        ship(
            {
                "about": "Written by python -m fitting.originality. Log-odds for the full strength of each proof and"
                " sign.",
                "cases": len(cases),
                "held_out": summary(unseen),
                "reliability": of_reliability,
                "weights": {name: round(float(weight), 3) for name, weight in zip(names, given, strict=True)},
            }
        )


if __name__ == "__main__":
    main()
