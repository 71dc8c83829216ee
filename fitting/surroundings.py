"""Fits when the surroundings of a part of a picture show that it was cropped, not framed:

    python -m fitting.surroundings FOLDER [--pictures N] [--write]

Of the photographs of a folder crops are made, and frames, letterboxes and screenshots, each compared with its original.
Surroundings as plain as those of a frame are rare around crops, but the limits do not concern how plain they are: they
are measured around all crops. Of the pairs of limits that recognise RECOGNISED of the crops of every other photograph,
the strictest of those that lose the fewest frames there is chosen, and judged on the photographs between. With --write,
surroundings_limits.py is replaced.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any, Final

import cv2
from PIL import Image, ImageOps

from fitting.bends import jpeg
from fitting.halves import chosen_and_judged, wanted_of
from fitting.letters import write_limits
from index.imaging.verification import edit_report, surroundings, surroundings_limits
from index.imaging.verification.verify import judge, prepare
from index.model import TURNS
from samples.copies import KINDS
from samples.crops import in_screenshot, part, to_ratio
from samples.other_copies import OTHER_KINDS
from samples.photographs import photographs
from samples.seen import Seen

Picture = Image.Image
Alteration = Callable[[Picture, random.Random], Picture]
LONG_SIDE: Final = 1024
# More would cost frames, which are far more often plain than what is around a crop.
RECOGNISED: Final = 0.95
STEPS: Final = tuple(n / 20 for n in range(2, 15))
LIMITS_FILE: Final = Path(surroundings_limits.__file__)
HEAD: Final = '''"""PURE: from when on a picture goes on beyond a part of it, and how many pairs that separates.

Written by python -m fitting.surroundings.
"""

from typing import Any, Final'''


def instant_print(picture: Picture, rng: random.Random) -> Picture:
    """In a border that is wider below."""
    least = min(picture.size)
    colour = rng.choice(("white", "black", "#f4efe6", "#222233"))
    return ImageOps.expand(picture, (least // 20, least // 20, least // 20, least // 6), colour)


FRAMES: Final[Mapping[str, Alteration]] = {
    "border": KINDS["framed"][1],
    "letterbox": KINDS["letterboxed"][1],
    "instant print": instant_print,
    "viewer": OTHER_KINDS["screen"][1],
    "page": in_screenshot,
}
CROPS: Final[Mapping[str, Alteration]] = {
    "part anywhere": lambda picture, rng: part(rng.uniform(0.55, 0.95), anywhere=True)(picture, rng),
    "part of the middle": lambda picture, rng: part(rng.uniform(0.55, 0.95), anywhere=False)(picture, rng),
    "ratio": lambda picture, rng: to_ratio(rng.choice((1.0, 4 / 3, 16 / 9)))(picture, rng),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What goes on around one part, by `continuation`. `is_plain`: all else says that it is a frame."""

    kind: str
    follows: float
    goes_on: float
    is_plain: bool

    def is_crop(self, follows: float, goes_on: float) -> bool:
        return self.follows >= follows and self.goes_on >= goes_on


def samples_of(pictures: Sequence[Picture], seed: str) -> Iterator[Sample]:
    """What is around the crops and in the frames of these photographs, where they are found to be copies."""
    for number, picture in enumerate(pictures):
        rng = random.Random(f"{seed} {number}")
        original = Seen(jpeg(picture, 92))
        for kind, alter in (FRAMES | CROPS).items():
            sample = measured(kind, original, Seen(jpeg(alter(picture, rng).convert("RGB"), 85)))
            if sample and (kind in CROPS or sample.is_plain):
                yield sample


def measured(kind: str, first: Seen, second: Seen) -> Sample | None:
    """None if they are not found to be copies, or show the same."""
    seen: list[Sample] = []
    usual_way = edit_report.is_frame

    def noted(*of: Any) -> bool:
        seen.append(Sample(kind, *surroundings.continuation(*of), surroundings.is_plain(*of)))
        return usual_way(*of)

    module: Any = edit_report
    module.is_frame = noted
    try:
        said = judge(
            prepare(first.view), prepare(second.view), first.facts, second.facts, TURNS[first.distance(second)[1]]
        )
    finally:
        module.is_frame = usual_way
    return seen[0] if seen and said.kind is not None else None


def fit(samples: Sequence[Sample]) -> tuple[float, float]:
    """`follows` and `goes_on`: of all that recognise RECOGNISED of the crops, those that lose the fewest frames, and of
    these the strictest."""
    frames = [one for one in samples if one.kind in FRAMES]
    crops = [one for one in samples if one.kind in CROPS]

    def is_enough(limits: tuple[float, float]) -> bool:
        return sum(one.is_crop(*limits) for one in crops) >= RECOGNISED * len(crops)

    return max(
        filter(is_enough, product(STEPS, STEPS)), key=lambda of: (-sum(one.is_crop(*of) for one in frames), sum(of), of)
    )


def figures(samples: Sequence[Sample], limits: tuple[float, float]) -> dict[str, str]:
    """Of each kind, how many show that they were cropped; of the frames, wrongly."""
    found = {}
    for kind in (*FRAMES, *CROPS):
        of_kind = [one for one in samples if one.kind == kind]
        found[kind] = f"{sum(one.is_crop(*limits) for one in of_kind)} of {len(of_kind)}"
    return found


def main() -> None:
    wanted = wanted_of(__doc__, 400)
    cv2.setNumThreads(1)
    found = [picture for _, picture in islice(photographs(wanted.folder, LONG_SIDE, 1), wanted.pictures)]
    chosen_on, judged_on = chosen_and_judged(samples_of, found)
    limits = fit(chosen_on)
    report = {"chosen_on": figures(chosen_on, limits), "judged_on": figures(judged_on, limits)}
    print(limits, json.dumps(report, indent=1))
    for name, samples in (("chosen on", chosen_on), ("judged on", judged_on)):
        plain = [one for one in samples if one.kind in CROPS and one.is_plain]
        print(f"{name}: {sum(one.is_crop(*limits) for one in plain)} of {len(plain)} crops with plain surroundings")
    if wanted.write:
        write_limits(LIMITS_FILE, HEAD, report, dict(zip(("follows", "goes_on"), limits, strict=True)))


if __name__ == "__main__":
    main()
