"""Which file of a tree of copies is proposed as the original, how certainly, and what that costs.

Trees of 2 to 50 files from the photographs of a folder: `samples.copies` makes copies of an original and copies of its
copies, with 39 kinds of edits and 9 encoders; with --other-kinds, with 16 kinds that the weights were not fitted on.
Take other photographs than those that they were fitted on.
"""

import os

# As in the workers: the threads of a matrix product would be counted, and wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import cv2

from index.imaging.originality.fitted import group_weights, second_weights, weights
from index.imaging.originality.pair_evidence import made_from
from index.imaging.originality.standing import PairFindings, Standing, standing
from index.imaging.originality.tracing import trace_of
from index.imaging.verification.edit_evidence import reversed_evidence
from samples.cases import LIMITS, Case, compared, make_case
from samples.copies import KINDS
from samples.other_copies import OTHER_KINDS
from samples.photographs import add_folder

SIZES = (2, 5, 20, 50)


@dataclass
class Spent:
    """Processor time in s for the groups of one size."""

    groups: int = 0
    tracing: float = 0.0
    comparing: float = 0.0
    ranking: float = 0.0

    def row(self, size: int) -> str:
        times = (self.tracing, self.comparing, self.ranking)
        return f"| {size} | {self.groups} | " + " | ".join(f"{spent / self.groups:.3f} s" for spent in times) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_folder(parser)
    parser.add_argument("--trees", type=int, default=21)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--of-original", type=float, default=0.75, help="share of copies that are made of the original")
    parser.add_argument("--edited", action="store_true", help="they are made of the first copy instead")
    parser.add_argument("--other-kinds", action="store_true", help="edits that the weights were not fitted on")
    options = parser.parse_args()
    if options.folder is None:
        print("Not measured: this takes photographs, as PHOTOS=DIR make bench names them.")
        return
    cv2.setNumThreads(1)
    photos = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    random.Random(options.seed).shuffle(photos)
    spent: defaultdict[int, Spent] = defaultdict(Spent)
    found: Counter[str] = Counter()
    for number, photo in zip(range(options.trees), photos, strict=False):
        size = options.sizes[number % len(options.sizes)]
        files = make_case(
            str(photo),
            options.seed * 100_000 + number,
            size - 1,
            options.of_original,
            edited=options.edited,
            kinds=OTHER_KINDS if options.other_kinds else KINDS,
        )
        case = compared(files)
        if case is None:
            continue
        of_size = spent[size]
        of_size.groups += 1
        moments = [time.process_time()]
        for file in files:
            trace_of(file.data, LIMITS)
        moments.append(time.process_time())
        findings = looked_at(case)
        moments.append(time.process_time())
        result = ranked(case, findings)
        moments.append(time.process_time())
        of_size.tracing += moments[1] - moments[0]
        of_size.comparing += moments[2] - moments[1]
        of_size.ranking += moments[3] - moments[2]
        outcome = "tie" if not result.sure else "right" if result.best == 0 else "wrong"
        found.update((outcome, "first") if result.best == 0 else (outcome,))
        print(f"{size} files: {outcome}, {result.shares[result.best]:.3f}", flush=True)
    total = max(1, sum(of_size.groups for of_size in spent.values()))
    shares = ", ".join(f"{found[name] / total:.3f} {name}" for name in ("right", "tie", "wrong", "first"))
    print(f"\n{total} trees: {shares}\n\n| files | groups | tracing | comparing | ranking |\n|---|---|---|---|---|")
    for size in sorted(spent):
        print(spent[size].row(size))


def looked_at(case: Case) -> Mapping[tuple[int, int], PairFindings]:
    """The findings on the pairs of members, all with all."""
    found = {}
    for (i, j), evidence in case.evidence.items():
        one, other = case.members[i], case.members[j]
        found[i, j] = made_from(one, other, evidence), made_from(other, one, reversed_evidence(evidence))
    return found


def ranked(case: Case, findings: Mapping[tuple[int, int], PairFindings]) -> Standing:
    members = sorted({place for pair in findings for place in pair} | {0})
    files = {member: [case.seen[member]] for member in members}
    return standing(
        {member: member for member in members}, files, findings, weights(), group_weights(), second_weights()
    )


if __name__ == "__main__":
    main()
