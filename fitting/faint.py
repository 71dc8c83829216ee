"""Fits how well what is faint must agree where no hash proposes a pair: python -m fitting.faint FOLDER [--write]

The photographs of a folder are cut into quarters, which are pictures of their own. Copies are made of one quarter of
each, as fitting.unproposed makes them, and verified where no hash would propose them; so is each pair of quarters of
two photographs that local features propose. The limit is the strictest that loses at most LOST of the copies of every
other photograph, and is judged on the photographs between. With --write, faint_limits.py is replaced.
"""

import argparse
import io
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
from PIL import Image

from daemon.processes.verify_task import transforms_in_previews
from fitting.letters import write_limits
from fitting.unproposed import copies_of, rounded_down
from index.imaging.candidates.features.descriptors import FeatureSet, describe
from index.imaging.candidates.features.feature_index import FeatureIndex
from index.imaging.verification import faint_limits, fine_gates
from index.imaging.verification.faint import FAINT
from index.imaging.verification.verify import Prepared, judge, prepare
from index.model import default_tolerance
from samples.photographs import photographs
from samples.seen import HSIZE, Seen

Picture = Image.Image
LONG_SIDE: Final = 1024
# The long side of a quarter, smaller ones are enlarged to it.
QUARTER: Final = 500
LOST: Final = 0.002
COPIES: Final = "copies"
OTHERS: Final = "parts of two photographs"
LIMITS_FILE: Final = Path(faint_limits.__file__)
HEAD: Final = '''"""PURE: the agreement of what is faint where no hash proposes a pair, and how many pairs pass with it.

Written by python -m fitting.faint.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair: how well what is faint agrees, None if the gate does not apply, and whether all other gates pass."""

    kind: str
    agreement: float | None
    others_pass: bool

    def passes(self, min_agreement: float) -> bool:
        return self.agreement is None or self.agreement >= min_agreement


class Part:
    """A picture as the index has it, with its local features."""

    def __init__(self, data: bytes) -> None:
        self.seen = Seen(data)
        self.prepared: Prepared = prepare(self.seen.view)
        self.features: FeatureSet = describe(self.prepared.grey)


def quarters(picture: Picture, rng: random.Random) -> list[bytes]:
    """The four quarters of a picture, as JPEGs of their own."""
    width, height = picture.width // 2, picture.height // 2
    made = []
    for left, top in ((0, 0), (width, 0), (0, height), (width, height)):
        quarter = picture.crop((left, top, left + width, top + height))
        factor = QUARTER / max(quarter.size)
        size = round(quarter.width * factor), round(quarter.height * factor)
        target = io.BytesIO()
        quarter.resize(size, Image.Resampling.BICUBIC).save(target, "JPEG", quality=rng.choice((80, 85, 90, 95)))
        made.append(target.getvalue())
    return made


def copies_among(pictures: Sequence[Picture], seed: str) -> Iterator[Sample]:
    """The copies of a quarter of each photograph that no hash proposes and that pass all other gates."""
    for number, picture in enumerate(pictures):
        rng = random.Random(f"{seed} {number}")
        quarter = Image.open(io.BytesIO(rng.choice(quarters(picture, rng)))).convert("RGB")
        for _, first, second in copies_of(quarter, rng):
            sample = measured(COPIES, Part(first), Part(second))
            if sample and sample.others_pass:
                yield sample


def others_among(pictures: Sequence[Picture], seed: str) -> Iterator[Sample]:
    """The pairs of quarters of two photographs that local features propose and that reach the gate."""
    rng = random.Random(seed)
    parts = [(number, Part(data)) for number, picture in enumerate(pictures) for data in quarters(picture, rng)]
    for first, second in FeatureIndex().add([part.features for _, part in parts]):
        (of_first, one), (of_second, other) = parts[first], parts[second]
        sample = measured(OTHERS, one, other) if of_first != of_second else None
        if sample and sample.agreement is not None:
            yield sample


def measured(kind: str, first: Part, second: Part) -> Sample | None:
    """None if a hash proposes the pair."""
    if first.seen.distance(second.seen)[0] <= default_tolerance(HSIZE):
        return None
    views, facts = (first.prepared, second.prepared), (first.seen.facts, second.seen.facts)
    placed = transforms_in_previews(*views, first.features, second.features)
    module: Any = fine_gates
    module.FAINT = replace(FAINT, min_agreement=-9.0)
    try:
        gates = judge(*views, *facts, None, placed).gates
    finally:
        module.FAINT = FAINT
    agreement = next((gate.value for gate in gates if gate.name == "faint"), None)
    return Sample(kind, agreement, all(gate.passed for gate in gates))


def fit(samples: Sequence[Sample]) -> float:
    """The strictest limit that loses at most LOST of all copies."""
    copies = [sample for sample in samples if sample.kind == COPIES]
    values = sorted(one.agreement for one in copies if one.agreement is not None)
    if not values:
        return FAINT.min_agreement
    highest = values[min(int(LOST * len(copies)), len(values) - 1)]
    return rounded_down(highest)


def figures(samples: Sequence[Sample], min_agreement: float) -> dict[str, str]:
    """Of each kind, how many pass."""
    of, passed = Counter[str](), Counter[str]()
    for sample in samples:
        of[sample.kind] += 1
        passed[sample.kind] += sample.passes(min_agreement)
    return {kind: f"{passed[kind]} of {of[kind]}" for kind in sorted(of)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=100, help="of which copies are made")
    parser.add_argument("--others", type=int, default=1000, help="of which parts are compared with one another")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    cv2.setNumThreads(1)
    most = max(wanted.pictures, wanted.others)
    found = [picture for _, picture in islice(photographs(wanted.folder, LONG_SIDE, 5), most)]
    chosen_on, judged_on = (
        [
            *copies_among(found[half : wanted.pictures : 2], seed),
            *others_among(found[half : wanted.others : 2], seed),
        ]
        for half, seed in enumerate(("chosen", "judged"))
    )
    min_agreement = fit(chosen_on)
    report = {"chosen_on": figures(chosen_on, min_agreement), "judged_on": figures(judged_on, min_agreement)}
    print(min_agreement, json.dumps(report, indent=1))
    for samples in (chosen_on, judged_on):
        for kind in (COPIES, OTHERS):
            print(kind, sorted(one.agreement for one in samples if one.kind == kind and one.agreement is not None)[:20])
    if wanted.write:
        write_limits(LIMITS_FILE, HEAD, report, {"min_agreement": min_agreement})


if __name__ == "__main__":
    main()
