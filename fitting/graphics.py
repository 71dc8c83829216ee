"""Fits the limit of index/imaging/verification/strokes: python -m fitting.graphics FOLDER [--pictures N] [--write]

Draws screens, pages, receipts, charts, tables and chats (samples/drawings), some as a scanner sees them, and scenery
that is as plain: of the photographs of a folder those that are, and all of them dark, in fog, in snow, on a plain
background, or drawn. The limit is chosen on every other photograph, so that each graphic counts as one, with some room,
and judged on those between and on other drawings. With --write, stroke_limits.py is replaced.
"""

import io
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from fitting.halves import chosen_and_judged, wanted_of
from index.imaging.verification import strokes
from index.imaging.verification.alignment import Prepared, prepare
from index.imaging.verification.coarse_gates import is_plain
from index.imaging.verification.strokes import STROKES
from samples.drawings import GRAPHICS, SCENERY, scanned
from samples.photographs import photographs

LONG_SIDE: Final = 1024
# Other graphics may have fewer strokes than those drawn here: a share of the fewest.
ROOM: Final = 0.9
LIMITS_FILE: Final = Path(strokes.__file__).with_name("stroke_limits.py")
HEAD: Final = '''"""PURE: the limit that says that a picture is drawn in strokes, and how it divides pictures.

Written by python -m fitting.graphics.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture that is plain: its kind, whether it is a graphic, and the share that is drawn in strokes."""

    kind: str
    is_graphic: bool
    strokes: float


def samples_of(pictures: Sequence[Image.Image], seed: str) -> Iterator[Sample]:
    """Samples of all kinds, as many as there are photographs: each as it is and reduced. Those that are not plain are
    no graphics already."""
    for number, photograph in enumerate(pictures):
        rng = random.Random(f"{seed} {number}")
        for kind, draw in GRAPHICS.items():
            made = draw(rng)
            yield from _measured(kind, True, scanned(made, rng) if number % 3 == 0 else made, rng)
        for kind, alter in SCENERY.items():
            yield from _measured(kind, False, alter(photograph, rng), rng)


def _measured(kind: str, is_graphic: bool, picture: Image.Image, rng: random.Random) -> Iterator[Sample]:
    least = STROKES.min_side / max(picture.size)
    for factor in (1.0, rng.uniform(min(1.0, max(0.4, least)), 1.0)):
        target = io.BytesIO()
        size = round(picture.width * factor), round(picture.height * factor)
        picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target, "JPEG", quality=rng.randint(50, 95))
        seen = _prepared(target.getvalue())
        if is_plain(seen, seen) and max(seen.grey.shape) >= STROKES.min_side:
            yield Sample(kind, is_graphic, seen.strokes)


def _prepared(data: bytes) -> Prepared:
    view = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return prepare(np.asarray(view, np.uint8))


def fit(samples: Sequence[Sample]) -> float:
    """The limit: below the graphic with the fewest strokes, with a margin for others."""
    return round(ROOM * min(sample.strokes for sample in samples if sample.is_graphic), 2)


def mistakes(samples: Sequence[Sample], limit: float) -> tuple[int, int]:
    """How many graphics do not count as such, and how much scenery does."""
    below = [sample.is_graphic for sample in samples if sample.strokes < limit]
    return sum(below), sum(not sample.is_graphic for sample in samples) - below.count(False)


def figures(samples: Sequence[Sample], limit: float) -> dict[str, str]:
    """For each kind, how many of how many count as graphics."""
    of, counted = Counter(sample.kind for sample in samples), Counter[str]()
    for sample in samples:
        counted[sample.kind] += sample.strokes >= limit
    return {kind: f"{counted[kind]} of {of[kind]}" for kind in (*GRAPHICS, *SCENERY)}


def main() -> None:
    wanted = wanted_of(__doc__, 60)
    found = [picture for _, picture in islice(photographs(wanted.folder, LONG_SIDE, 3), wanted.pictures)]
    chosen_on, judged_on = chosen_and_judged(samples_of, found)
    limit = fit(chosen_on)
    report: dict[str, Any] = {"chosen_on": figures(chosen_on, limit), "judged_on": figures(judged_on, limit)}
    print(json.dumps(report, indent=1))
    for part in (chosen_on, judged_on):
        least = min(sample.strokes for sample in part if sample.is_graphic)
        print(limit, mistakes(part, limit), f"the graphic with the fewest strokes: {least:.3f}")
    if wanted.write:
        parts = (
            f"FIGURES: Final[dict[str, Any]] = {json.dumps(report, indent=4)}",
            f"FITTED: Final[dict[str, float]] = {json.dumps({'min_share': limit}, indent=4)}",
        )
        LIMITS_FILE.write_text("\n\n".join((HEAD, *parts)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
