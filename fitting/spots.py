"""Fits the limits of index/imaging/verification/spots: python -m fitting.spots FOLDER [--pictures N] [--write]

Draws lock screens over the photographs of a folder: pairs at another time or with another word, and copies of the lock
screens and of the photographs by most kinds of samples.copies. Limits are chosen on every other photograph, so that no
other text passes and most copies do, and judged on those between. With --write, spot_limits.py is replaced.
"""

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from PIL import Image

from fitting.halves import chosen_and_judged, wanted_of
from fitting.letters import fit_of, named, write_limits
from index.imaging.verification import spots
from index.imaging.verification.verify import judge, prepare
from index.model import TURNS, default_tolerance
from samples.copies import KINDS
from samples.photographs import photographs
from samples.seen import HSIZE, Seen
from samples.text_pages import PHONE, Pair, design, lock_screen, lock_screens, that_differ, words_of_lock_screen

LONG_SIDE: Final = 1600
DIFFERENT: Final = "lock screen, another text"
# Pairs of lock screens with another text over each photograph, and copies of lock screens.
OTHER_TEXTS: Final = 8
# In these something is put over the picture or hidden, and should be found.
LEFT_OUT: Final = ("stamped", "hidden")
RESIDUALS: Final = (6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0)
USUAL: Final = (4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0)
LIMITS_FILE: Final = Path(spots.__file__).with_name("spot_limits.py")
HEAD: Final = '''"""PURE: the limits that say that a small place differs, and how many pairs pass with them.

Written by python -m fitting.spots.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair that passes all other gates: its kind, and its residual with the usual one; no residual if nothing is as
    large as the smallest limit."""

    kind: str
    residual: Any
    usual: float

    @property
    def is_copy(self) -> bool:
        return self.kind != DIFFERENT


def pairs_of(wallpaper: Image.Image, rng: random.Random) -> Iterator[tuple[str, Callable[[], Pair]]]:
    """The kinds of pairs over one photograph, each with what makes it."""
    for _ in range(OTHER_TEXTS):
        yield DIFFERENT, lambda: that_differ(lock_screens(wallpaper))(rng)
    kinds = {kind: alter for kind, (family, alter) in KINDS.items() if family not in LEFT_OUT}
    for kind, alter in kinds.items():
        yield kind, lambda alter=alter: _copy(wallpaper, alter, rng)  # type: ignore[misc]
    for kind in rng.sample(sorted(kinds), OTHER_TEXTS):
        locked = lock_screen(design(rng, PHONE, wallpaper), words_of_lock_screen(rng))
        yield f"lock screen, {kind}", lambda alter=kinds[kind], of=locked: _copy(of, alter, rng)  # type: ignore[misc]


def _copy(picture: Image.Image, alter: Callable[..., Image.Image], rng: random.Random) -> Pair:
    return _jpeg(picture, 92), _jpeg(alter(picture, rng), rng.choice((50, 70, 90)))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    picture.convert("RGB").save(target, "JPEG", quality=quality)
    return target.getvalue()


def samples_of(wallpapers: Sequence[Image.Image], seed: str) -> Iterator[Sample]:
    """Samples of all kinds, one of each photograph if it passes the other gates."""
    for number, wallpaper in enumerate(wallpapers):
        rng = random.Random(f"{seed} {number}")
        for kind, make in pairs_of(wallpaper, rng):
            first, second = (Seen(data) for data in make())
            distance, turn = first.distance(second)
            if distance <= default_tolerance(HSIZE) and (sample := measured(kind, first, second, turn)):
                yield sample


def measured(kind: str, first: Seen, second: Seen, turn: int) -> Sample | None:
    """The residual of a pair; None if another gate fails."""
    kept: list[tuple[Any, float]] = []
    usual_way, limits = spots.measured, spots.SPOTS

    def noted(*of: Any) -> tuple[Any, float]:
        kept.append(usual_way(*of))
        # Nothing is found, so that only other gates decide.
        return 0 * kept[-1][0], 0.0

    # So low that each residual is measured.
    spots.SPOTS = replace(limits, min_residual=min(RESIDUALS), over_usual=0.0)  # type: ignore[misc]
    spots.measured = noted
    try:
        said = judge(prepare(first.view), prepare(second.view), first.facts, second.facts, TURNS[turn])
    finally:
        spots.SPOTS, spots.measured = limits, usual_way  # type: ignore[misc]
    if not all(gate.passed for gate in said.gates):
        return None
    return Sample(kind, *(kept[0] if kept else (None, 0.0)))


def passes(sample: Sample, min_residual: float, over_usual: float) -> bool:
    limit = max(min_residual, over_usual * sample.usual)
    return sample.residual is None or not spots.labelled(sample.residual, limit)


def figures(samples: Sequence[Sample], limits: tuple[float, float]) -> dict[str, str]:
    """For each kind, how many pass of how many; copies together, since all but a few do."""
    of, passed = Counter[str](), Counter[str]()
    for sample in samples:
        copy = "lock screen, copies" if sample.kind.startswith("lock screen") else "copies"
        kind = copy if sample.is_copy else sample.kind
        of[kind] += 1
        passed[kind] += passes(sample, *limits)
    return {kind: f"{passed[kind]} of {of[kind]}" for kind in sorted(of)}


def main() -> None:
    wanted = wanted_of(__doc__, 24)
    found = [picture for _, picture in islice(photographs(wanted.folder, LONG_SIDE, 2), wanted.pictures)]
    chosen_on, judged_on = chosen_and_judged(samples_of, found)
    limits = fit_of(chosen_on, passes, RESIDUALS, USUAL)
    report = {"chosen_on": figures(chosen_on, limits), "judged_on": figures(judged_on, limits)}
    print(json.dumps(report, indent=1))
    for part in (chosen_on, judged_on):
        print(limits, Counter(sample.kind for sample in part if sample.is_copy != passes(sample, *limits)))
    if wanted.write:
        write_limits(LIMITS_FILE, HEAD, report, named(limits))


if __name__ == "__main__":
    main()
