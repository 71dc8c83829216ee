"""Which file of a tree of copies is proposed as the original, how certainly, and what that costs.

Trees of 5 to 30 files from the photographs of a folder: `fitting.copies` makes copies of an original and copies of its
copies, with 39 kinds of edits and 9 encoders. Take other photographs than those that the weights were fitted on.
"""

import os

# As in the workers: the threads of a matrix product would be counted, and wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2

from fitting.originality import LIMITS, Case, compared, make_case
from index.imaging.grouping.groups import COMPARED
from index.imaging.originality.fitted import weights
from index.imaging.originality.pair_evidence import made_from
from index.imaging.originality.standing import PairFindings, Standing, standing
from index.imaging.originality.tracing import trace_of
from index.imaging.verification.edit_evidence import reversed_evidence

SIZES = (5, 8, 12, 16, 20, 25, 30)


@dataclass
class Spent:
    """Processor time in s, and how often it was spent."""

    seconds: float = 0.0
    times: int = 0

    def since(self, begin: float, times: int) -> None:
        self.seconds += time.process_time() - begin
        self.times += times

    def __str__(self) -> str:
        return f"{1000 * self.seconds / max(1, self.times):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", nargs="?", default=os.environ.get("PHOTOS") or None, type=Path, help="photographs, all different"
    )
    parser.add_argument("--trees", type=int, default=21)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.folder is None:
        print("Not measured: this takes photographs, as PHOTOS=DIR make bench names them.")
        return
    cv2.setNumThreads(1)
    photos = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    random.Random(options.seed).shuffle(photos)
    tracing, comparing, ranking = Spent(), Spent(), Spent()
    found: Counter[str] = Counter()
    print("| files | compared | proposal | certainty |\n|---|---|---|---|")
    for number, photo in zip(range(options.trees), photos, strict=False):
        files = make_case(str(photo), options.seed * 100_000 + number, SIZES[number % len(SIZES)] - 1)
        case = compared(files)
        if case is None:
            continue
        begin = time.process_time()
        for file in files:
            trace_of(file.data, LIMITS)
        tracing.since(begin, len(files))
        begin = time.process_time()
        findings = looked_at(case)
        comparing.since(begin, len(findings))
        begin = time.process_time()
        result = ranked(case, findings)
        ranking.since(begin, 1)
        outcome = "tie" if not result.sure else "right" if result.best == 0 else "wrong"
        found[outcome] += 1
        print(f"| {len(files)} | {len(findings)} pairs | {outcome} | {result.shares[result.best]:.3f} |", flush=True)
    total = max(1, found.total())
    print(f"\n{total} trees: " + ", ".join(f"{found[name] / total:.0%} {name}" for name in ("right", "tie", "wrong")))
    print(f"processor time: {tracing} a trace, {comparing} a pair, {ranking} to rank a group")


def looked_at(case: Case) -> Mapping[tuple[int, int], PairFindings]:
    """What the pairs show that the program looks at: those with the first members, in an order by chance."""
    members = sorted({place for pair in case.evidence for place in pair})
    firsts = set(random.Random(len(members)).sample(members, min(COMPARED, len(members))))
    found = {}
    for (i, j), evidence in case.evidence.items():
        if firsts & {i, j}:
            one, other = case.members[i], case.members[j]
            found[i, j] = made_from(one, other, evidence), made_from(other, one, reversed_evidence(evidence))
    return found


def ranked(case: Case, findings: Mapping[tuple[int, int], PairFindings]) -> Standing:
    members = sorted({place for pair in findings for place in pair} | {0})
    return standing({m: m for m in members}, {m: [case.seen[m]] for m in members}, findings, weights())


if __name__ == "__main__":
    main()
