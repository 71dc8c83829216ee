"""Fits what the verifier asks where no hash proposes a pair: python -m fitting.unproposed FOLDER [--write]

Only local features or a model propose such a pair. Of the photographs of a folder, parts, frames and screenshots are
made, many of them in other tones, sharper or softer, and those that no hash would propose are verified. Each limit is
the strictest that loses at most LOST of the copies of every other photograph, and is judged on the photographs between;
there also on pairs that are no copies: one scene, its noise removed, exposed twice with noise, blur, tones and a frame
of its own. With --write, unproposed_limits.py is replaced.
"""

import io
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fitting.halves import wanted_of
from fitting.letters import write_limits
from index.imaging.verification import fine_gates, unproposed_limits
from index.imaging.verification.gate_thresholds import EXPOSURE, REGISTRATION
from index.imaging.verification.verify import judge, prepare
from index.model import default_tolerance
from samples.copies import ENCODER_WEIGHTS, ENCODERS, KINDS, Edit, encode
from samples.crops import in_screenshot, part, to_ratio
from samples.photographs import photographs
from samples.seen import HSIZE, Seen

Picture = Image.Image
LONG_SIDE: Final = 1024
LOST: Final = 0.002
# Limits of agreement are rounded down to a multiple of it.
STEP: Final = 0.05
MANY_BLOCKS: Final = (8, 12, 16, 24, 32, 48)
OTHER: Final = "another exposure"
# Pairs of exposures of each photograph.
EXPOSURES: Final = 4
SCREEN: Final = (540, 960)
PARTS: Final[dict[str, Edit]] = {
    "square": to_ratio(1.0),
    "16:10": to_ratio(1.6),
    "4:3": to_ratio(4 / 3),
    "15 % off": part(0.85, anywhere=False),
    "20 % off, anywhere": part(0.8, anywhere=True),
    "60 %": part(0.77, anywhere=True),
    "40 %": part(0.63, anywhere=True),
    "in a screenshot": lambda picture, rng: in_screenshot(picture, rng).resize(SCREEN, Image.Resampling.LANCZOS),
} | {kind: edit for kind, (family, edit) in KINDS.items() if family in ("part", "framed", "tilted")}
TONED: Final = frozenset(("tone", "curve", "colour", "grey", "sharp", "soft", "grain"))
TONES: Final = tuple(kind for kind, (family, _) in KINDS.items() if family in TONED)
LIMITS_FILE: Final = Path(unproposed_limits.__file__)
HEAD: Final = '''"""PURE: the limits where no hash proposes a pair, and how many pairs pass with them.

Written by python -m fitting.unproposed.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair that passes all other gates: the agreement of its noise, None if it is not compared, whether the
    noise is uneven, and in how many blocks details were measured if their shift is beyond the limit with no allowance
    for chance, and the noise does not prove one exposure."""

    kind: str
    agreement: float | None
    uneven: bool
    shifted_blocks: int = 0

    @property
    def limit(self) -> str:
        """The name of the limit that decides on it."""
        return "unproposed_uneven" if self.uneven else "unproposed"

    def passes(self, limits: dict[str, float]) -> bool:
        agrees = self.agreement is None or self.agreement >= limits[self.limit]
        return agrees and self.shifted_blocks < limits["many_blocks"]


def copies_of(picture: Picture, rng: random.Random) -> Iterator[tuple[str, bytes, bytes]]:
    """A copy of each kind: the kind, the original and the copy."""
    original = _jpeg(picture, 92)
    for kind, alter in PARTS.items():
        made = alter(picture, rng)
        if rng.random() < 0.5:
            made = KINDS[rng.choice(TONES)][1](made, rng)
        data, _ = encode(made.convert("RGB"), rng.choices(ENCODERS, ENCODER_WEIGHTS)[0], rng)
        yield kind, original, data


def exposures_of(picture: Picture, rng: random.Random) -> Iterator[tuple[str, bytes, bytes]]:
    """Two exposures of one scene at a time, the second of a part of it."""
    scene = Image.fromarray(cv2.fastNlMeansDenoisingColored(np.asarray(picture), None, 3, 3, 5, 13))
    for _ in range(EXPOSURES):
        yield OTHER, _exposure(scene, rng), _exposure(part(rng.uniform(0.55, 1.0), anywhere=True)(scene, rng), rng)


def _exposure(scene: Picture, rng: random.Random) -> bytes:
    factor = rng.uniform(0.7, 1.5)
    size = round(scene.width * factor), round(scene.height * factor)
    values: NDArray[Any] = np.asarray(scene.resize(size), np.float32)
    values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.2, 0.7))
    values = 255 * np.clip(rng.uniform(0.85, 1.15) * values / 255, 0, 1) ** rng.uniform(0.85, 1.15)
    chance, sigma = np.random.default_rng(rng.randrange(2**31)), rng.uniform(0.6, 3.0)
    grain = chance.normal(0, sigma, (*values.shape[:2], 1)) + chance.normal(0, sigma / 2, values.shape)
    return _jpeg(Image.fromarray(np.clip(values + grain, 0, 255).astype(np.uint8)), rng.randint(85, 96))


def _jpeg(picture: Picture, quality: int) -> bytes:
    target = io.BytesIO()
    picture.convert("RGB").save(target, "JPEG", quality=quality)
    return target.getvalue()


def samples_of(pictures: Sequence[Picture], seed: str) -> Iterator[Sample]:
    """The pairs of these photographs that no hash proposes and that pass the other gates."""
    for number, picture in enumerate(pictures):
        rng = random.Random(f"{seed} {number}")
        for make in (copies_of, exposures_of):
            for kind, first, second in make(picture, rng):
                if sample := measured(kind, Seen(first), Seen(second)):
                    yield sample


def measured(kind: str, first: Seen, second: Seen) -> Sample | None:
    """None if a hash proposes the pair, or another gate fails."""
    if first.distance(second)[0] <= default_tolerance(HSIZE):
        return None
    kept: list[Any] = []
    usual_way: Callable[..., Any] = fine_gates.exposure

    def noted(fine: Any, facts: Any, noise: Any, limits: Any, *, by_hash: bool) -> tuple[()]:
        even, uneven = (replace(limits, unproposed=-9.0, unproposed_uneven=least) for least in (-9.0, 9.0))
        if gates := usual_way(fine, facts, noise, even, by_hash=by_hash):
            (other,) = usual_way(fine, facts, noise, uneven, by_hash=by_hash)
            kept.extend((gates[0].value, other.limit != gates[0].limit))
        kept.append(fine.registration.blocks if not fine_gates.is_noise_of_one(facts, noise) else 0)
        kept.append(fine.shift_px)
        return ()

    module: Any = fine_gates
    module.exposure, module.REGISTRATION = noted, replace(REGISTRATION, many_blocks=1000)
    try:
        said = judge(prepare(first.view), prepare(second.view), first.facts, second.facts, None)
    finally:
        module.exposure, module.REGISTRATION = usual_way, REGISTRATION
    if not all(gate.passed for gate in said.gates):
        return None
    *noise, blocks, shift_px = kept
    agreement, uneven = noise or (None, False)
    most = next(gate.limit for gate in said.gates if gate.name == "registration")
    return Sample(kind, agreement, uneven, blocks if shift_px > most else 0)


def limits_of(samples: Sequence[Sample]) -> dict[str, float]:
    """The strictest limits that each lose at most LOST of all copies."""
    copies = [sample for sample in samples if sample.kind != OTHER]
    lost = {many: sum(one.shifted_blocks >= many for one in copies) for many in MANY_BLOCKS}
    limits: dict[str, float] = {
        "many_blocks": next((many for many in MANY_BLOCKS if lost[many] <= LOST * len(copies)), MANY_BLOCKS[-1])
    }
    for name in ("unproposed", "unproposed_uneven"):
        values = sorted(one.agreement for one in copies if one.limit == name and one.agreement is not None)
        highest = values[min(int(LOST * len(copies)), len(values) - 1)] if values else getattr(EXPOSURE, name)
        limits[name] = rounded_down(highest)
    return limits


def rounded_down(value: float) -> float:
    """The largest multiple of STEP that is not above the value. In floating point 0.3 / 0.05 is below 6."""
    return round(math.floor(round(value / STEP, 6)) * STEP, 4)


def figures(samples: Sequence[Sample], limits: dict[str, float]) -> dict[str, str]:
    """Of the copies and of other exposures, how many pass of those that pass the other gates."""
    of, passed = Counter[str](), Counter[str]()
    for sample in samples:
        kind = OTHER if sample.kind == OTHER else "copies"
        of[kind] += 1
        passed[kind] += sample.passes(limits)
    return {kind: f"{passed[kind]} of {of[kind]}" for kind in sorted(of)}


def main() -> None:
    wanted = wanted_of(__doc__, 100)
    cv2.setNumThreads(1)
    found = [picture for _, picture in islice(photographs(wanted.folder, LONG_SIDE, 3), wanted.pictures)]
    chosen_on, judged_on = (list(samples_of(found[half::2], seed)) for half, seed in enumerate(("chosen", "judged")))
    limits = limits_of(chosen_on)
    report = {"chosen_on": figures(chosen_on, limits), "judged_on": figures(judged_on, limits)}
    print(json.dumps(report, indent=1))
    for samples in (chosen_on, judged_on):
        print(limits, Counter(one.kind for one in samples if one.kind != OTHER and not one.passes(limits)))
        print(sorted((one.shifted_blocks, one.kind) for one in samples if one.shifted_blocks))
    if wanted.write:
        write_limits(LIMITS_FILE, HEAD, report, limits)


if __name__ == "__main__":
    main()
