"""Fits how far a map may bend a picture: python -m fitting.bends FOLDER [--write]

Of the photographs of a folder copies are made: parts, frames and screenshots, as fitting.unproposed makes them, and all
kinds of samples.copies, some of them stretched. Those of which the gate is asked are verified, with the hint of a hash
where one proposes them. The limit is the strictest that loses at most LOST of the copies of every other photograph,
and is judged on the photographs between; there also on two views of one flat thing: a photograph seen from two places,
each with noise of its own. With --write, bend_limits.py is replaced.
"""

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fitting.halves import chosen_and_judged, wanted_of
from fitting.letters import write_limits
from fitting.unproposed import copies_of, rounded_down
from index.imaging.verification import bend_limits, fine_gates
from index.imaging.verification.bends import BENDS
from index.imaging.verification.verify import judge, prepare
from index.model import TURNS, Turn, default_tolerance
from samples.copies import KINDS
from samples.photographs import photographs
from samples.seen import HSIZE, Seen

Picture = Image.Image
LONG_SIDE: Final = 1024
LOST: Final = 0.002
COPIES: Final = "copies"
VIEWS: Final = "two views"
# Clear ones, of the width.
STRETCHES: Final = (0.8, 0.93), (1.07, 1.25)
# In JPEGs of a lower quality noise is not compared.
COARSE_QUALITY: Final = 50, 79
# Pairs of views of each photograph.
VIEWS_OF_EACH: Final = 4
LIMITS_FILE: Final = Path(bend_limits.__file__)
HEAD: Final = '''"""PURE: how far a map may bend a picture, and how many pairs pass with it.

Written by python -m fitting.bends.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair of which the gate is asked, and that passes all others: how far its map bends the picture, in pixels."""

    kind: str
    bent_px: float
    by_hash: bool = False

    @property
    def group(self) -> str:
        return f"{self.kind}, by hash" if self.by_hash else self.kind


def coarse_copies_of(picture: Picture, rng: random.Random) -> Iterator[tuple[bytes, bytes]]:
    """The original and a copy of each kind, as a JPEG of low quality, some stretched."""
    original = jpeg(picture, 92)
    for _, edit in KINDS.values():
        made = edit(picture, rng).convert("RGB")
        if rng.random() < 0.3:
            made = made.resize((max(8, round(made.width * rng.uniform(*rng.choice(STRETCHES)))), made.height))
        yield original, jpeg(made, rng.randint(*COARSE_QUALITY))


def jpeg(picture: Picture, quality: int) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=quality)
    return target.getvalue()


def view(picture: Picture, rng: random.Random) -> bytes:
    """A photograph of a photograph: a part of it, from somewhere before it, by some lens, with noise, as a JPEG."""
    width, height = picture.size
    far = rng.uniform(0.003, 0.03)
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    moved = corners + np.array([[rng.gauss(0, far * width), rng.gauss(0, far * height)] for _ in corners], np.float32)
    zoom = rng.uniform(1.0, 1.6)
    left, top = (rng.uniform(0, side * (1 - 1 / zoom)) for side in (width, height))
    over = np.diag((zoom, zoom, 1.0)) @ np.array(((1, 0, -left), (0, 1, -top), (0, 0, 1)))
    over = over @ cv2.getPerspectiveTransform(corners, moved)
    values: NDArray[Any] = cv2.warpPerspective(
        np.asarray(picture, np.float32), over, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
    )
    factor = rng.uniform(0.6, 1.2)
    values = cv2.resize(values, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    values = 255 * np.clip(rng.uniform(0.7, 1.2) * values / 255, 0, 1) ** rng.uniform(0.8, 1.25)
    chance = np.random.default_rng(rng.randrange(2**31))
    values = values + chance.normal(0, rng.uniform(0.3, 2.0), values.shape)
    return jpeg(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)), rng.randint(60, 95))


def samples_of(pictures: Sequence[Picture], seed: str) -> Iterator[Sample]:
    """The pairs of these photographs of which the gate is asked, and that pass all others."""
    for number, picture in enumerate(pictures):
        yield from samples_of_one(picture, random.Random(f"{seed} {number}"))


def samples_of_one(picture: Picture, rng: random.Random) -> Iterator[Sample]:
    """The same of one photograph. Views are judged as if a hash had proposed them, and as if none had."""
    pairs = [(COPIES, first, second) for _, first, second in copies_of(picture, rng)]
    pairs += [(COPIES, first, second) for first, second in coarse_copies_of(picture, rng)]
    pairs += [(VIEWS, view(picture, rng), view(picture, rng)) for _ in range(VIEWS_OF_EACH)]
    for kind, one, other in pairs:
        first, second = Seen(one), Seen(other)
        distance, turn = first.distance(second)
        proposed = distance <= default_tolerance(HSIZE)
        for by_hash in (proposed,) if kind == COPIES else (False, True):
            if sample := measured(kind, first, second, TURNS[turn] if by_hash else None):
                yield sample


def measured(kind: str, first: Seen, second: Seen, hint: Turn | None) -> Sample | None:
    """None if the gate is not asked, or another fails."""
    asked: list[float] = []
    usual_way: Callable[..., Any] = fine_gates.bends

    def noted(*of: Any, by_hash: bool, noise_compared: bool) -> tuple[()]:
        asked.extend(gate.value for gate in usual_way(*of, by_hash=by_hash, noise_compared=noise_compared))
        return ()

    module: Any = fine_gates
    module.bends = noted
    try:
        said = judge(prepare(first.view), prepare(second.view), first.facts, second.facts, hint)
    finally:
        module.bends = usual_way
    passed = bool(asked) and all(gate.passed for gate in said.gates)
    return Sample(kind, asked[0], hint is not None) if passed else None


def fit(samples: Sequence[Sample]) -> float:
    """The strictest limit that loses at most LOST of the copies."""
    values = sorted(-one.bent_px for one in samples if one.kind == COPIES)
    if not values:
        return BENDS.max_px
    return -rounded_down(values[min(int(LOST * len(values)), len(values) - 1)])


def figures(samples: Sequence[Sample], max_px: float) -> dict[str, str]:
    """Of each kind, how many pass of those of which the gate is asked and that pass all others."""
    of = Counter(sample.group for sample in samples)
    passed = Counter(sample.group for sample in samples if sample.bent_px <= max_px)
    return {group: f"{passed[group]} of {of[group]}" for group in sorted(of)}


def main() -> None:
    wanted = wanted_of(__doc__, 100)
    cv2.setNumThreads(1)
    found = [picture for _, picture in islice(photographs(wanted.folder, LONG_SIDE, 6), wanted.pictures)]
    chosen_on, judged_on = chosen_and_judged(samples_of, found)
    max_px = fit(chosen_on)
    report = {"chosen_on": figures(chosen_on, max_px), "judged_on": figures(judged_on, max_px)}
    print(max_px, json.dumps(report, indent=1))
    for samples in (chosen_on, judged_on):
        for group in sorted({one.group for one in samples}):
            values = sorted(round(one.bent_px, 3) for one in samples if one.group == group)
            print(group, *values[:10], "...", *values[-15:])
    if wanted.write:
        write_limits(LIMITS_FILE, HEAD, report, {"max_px": max_px})


if __name__ == "__main__":
    main()
