"""Fits the limits of index/imaging/verification/letters: python -m fitting.letters [--pairs N] [--write]

Renders screens and pages (samples/text_pages): pairs that differ in a word or a number, and copies. Limits are chosen
on one half, so that none of the first passes and most copies do, with as much room on both sides as there is, and
judged on the other, drawn with other seeds. With --write, letter_limits.py is replaced.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from index.imaging.verification import letters
from index.imaging.verification.letters import places_beyond
from index.imaging.verification.verify import judge, prepare
from index.model import TURNS, default_tolerance
from samples.seen import HSIZE, Seen
from samples.text_pages import COPIES, PAIRS

Residual = tuple[Any, float]

KINDS: Final = {name: (name in COPIES, make) for name, make in {**PAIRS, **COPIES}.items()}
# Pairs that differ in a word, and copies: the others differ all over, and no limit here is needed for them.
OF_LETTERS: Final = tuple(name for name in KINDS if name in COPIES or "one" in name)
RESIDUALS: Final = (6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0)
USUAL: Final = (2.5, 3.0, 3.5, 4.0, 5.0)
LIMITS_FILE: Final = Path(letters.__file__).with_name("letter_limits.py")
HEAD: Final = '''"""PURE: the limits that say that letters differ, and how many pairs pass with them.

Written by python -m fitting.letters.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair that passes all other gates: its kind, whether it is a copy, and its residual with the usual one, by the
    map and after its correction."""

    kind: str
    is_copy: bool
    residuals: tuple[Residual, ...]


def samples_of(seed: str, pairs: int) -> Iterator[Sample]:
    """Samples of all kinds, as many of each as pass the gates before."""
    for kind in OF_LETTERS:
        is_copy, make = KINDS[kind]
        for number in range(pairs):
            first, second = (Seen(data) for data in make(random.Random(f"{seed} {kind} {number}")))
            distance, turn = first.distance(second)
            if distance > default_tolerance(HSIZE):
                continue
            if residuals := residuals_of(first, second, turn):
                yield Sample(kind, is_copy, residuals)


def residuals_of(first: Seen, second: Seen, turn: int) -> tuple[Residual, ...]:
    """The residuals of a pair that are examined; empty if another gate fails."""
    kept: list[Residual] = []
    measured, limits = letters.strongest, letters.LETTERS

    def strongest(*of: Any) -> Residual:
        residual = measured(*of)
        kept.append(residual)
        return residual

    # So low that each residual is measured, and none decides.
    letters.LETTERS = replace(limits, min_residual=min(RESIDUALS), over_usual=0.0)  # type: ignore[misc]
    letters.strongest = strongest
    try:
        said = judge(prepare(first.view), prepare(second.view), first.facts, second.facts, TURNS[turn])
    finally:
        letters.LETTERS, letters.strongest = limits, measured  # type: ignore[misc]
    reached = any(gate.name == "letters" for gate in said.gates)
    return tuple(kept) or ((None, 0.0),) if reached else ()


def passes(sample: Sample, min_residual: float, over_usual: float) -> bool:
    return any(
        residual is None or not places_beyond(residual, max(min_residual, over_usual * usual))
        for residual, usual in sample.residuals
    )


def fit(samples: Sequence[Sample]) -> tuple[float, float]:
    """The limits of letters."""
    return fit_of(samples, passes, RESIDUALS, USUAL)


def fit_of(
    samples: Sequence[Any],
    passing: Callable[[Any, float, float], bool],
    residuals: Sequence[float],
    usual: Sequence[float],
) -> tuple[float, float]:
    """The limits with the fewest mistakes, wrong passes first; among equal ones, the middle ones."""
    scores = {
        (least, over): mistakes(samples, lambda sample, limits=(least, over): passing(sample, *limits))  # type: ignore[misc]
        for least in residuals
        for over in usual
    }
    best = [limits for limits, made in scores.items() if made == min(scores.values())]
    return sorted(best)[len(best) // 2]


def mistakes(samples: Sequence[Any], passing: Callable[[Any], bool]) -> tuple[int, int]:
    """How many pairs pass wrongly, and how many copies do not."""
    passed = [(sample.is_copy, passing(sample)) for sample in samples]
    return sum(not copy and ok for copy, ok in passed), sum(copy and not ok for copy, ok in passed)


def score(samples: Sequence[Sample], min_residual: float, over_usual: float) -> tuple[int, int]:
    """The mistakes of two limits of letters."""
    return mistakes(samples, lambda sample: passes(sample, min_residual, over_usual))


def figures(samples: Sequence[Sample], limits: tuple[float, float]) -> dict[str, str]:
    """For each kind, how many pass of how many."""
    of, passed = Counter(sample.kind for sample in samples), Counter[str]()
    for sample in samples:
        passed[sample.kind] += passes(sample, *limits)
    return {kind: f"{passed[kind]} of {of[kind]}" for kind in sorted(of)}


def write_limits(path: Path, head: str, report: dict[str, Any], limits: dict[str, float]) -> None:
    """Replace a module of fitted limits with these and their figures."""
    parts = (
        f"FIGURES: Final[dict[str, Any]] = {json.dumps(report, indent=4)}",
        f"FITTED: Final[dict[str, float]] = {json.dumps(limits, indent=4)}",
    )
    path.write_text("\n\n".join((head, *parts)) + "\n", "utf-8")


def named(limits: tuple[float, float]) -> dict[str, float]:
    """The limits of a residual by their names."""
    return dict(zip(("min_residual", "over_usual"), limits, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    chosen_on, judged_on = (list(samples_of(seed, wanted.pairs)) for seed in ("chosen", "judged"))
    limits = fit(chosen_on)
    report = {"chosen_on": figures(chosen_on, limits), "judged_on": figures(judged_on, limits)}
    print(json.dumps(report, indent=1))
    print(limits, score(chosen_on, *limits), score(judged_on, *limits))
    if wanted.write:
        write_limits(LIMITS_FILE, HEAD, report, named(limits))


if __name__ == "__main__":
    main()
