"""Fits the limits of index/imaging/verification/places: python -m fitting.places FOLDER [--scenes N] [--keep] [--write]

Makes scenes of any folder of photographs: in some a thing is added (caption, date, logo, sticker), in others a subject
moves, comes or is another, or both pictures have something added, each with noise of its own. Every second photograph
is kept apart: limits are chosen on the others, one after the other, so that nothing that moved passes and most of what
was added does, and judged on those. With --write, place_limits.py is replaced.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from index.imaging.verification import places
from index.imaging.verification.places import AddedLimits, Place, are_added
from index.imaging.verification.registration import evenly_lit
from index.imaging.verification.similarity import compare

Picture = Image.Image
SIDE: Final = 448
NOISE: Final = (0.0, 1.5, 3.0, 6.0)
# Tried for each limit, as factors of its value. A round of all limits is repeated while it helps.
FACTORS: Final = (0.8, 1.25)
ROUNDS: Final = 2
FITTED: Final = (
    "min_step",
    "one_sided",
    "one_sided_of_all",
    "flat",
    "very_flat",
    "min_quiet",
    "few_tones",
    "shows_through",
    "max_through",
    "ink",
    "thin_ink",
    "thinnest_ink",
    "ink_beneath",
)
SHARES: Final = frozenset({"one_sided", "one_sided_of_all", "min_quiet", "few_tones", "shows_through"})
LIMITS_FILE: Final = Path(places.__file__).with_name("place_limits.py")
HEAD: Final = '''"""PURE: the limits that say that a place was added, and how many pairs pass with them.

Written by python -m fitting.places.
"""

from typing import Any, Final'''
SEED_OF_JUDGED: Final = 500_009
# Measured outlines: by picture, mask and the least step that counts.
OUTLINES: Final[dict[tuple[int, bytes, float], Any]] = {}


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair: what kind, whether all that differs was added to one of the two, and the places as they were seen."""

    kind: str
    is_added: bool
    seen: tuple[tuple[Place, Any], ...]


def subject(other: Picture, rng: random.Random) -> tuple[Picture, Picture]:
    """A part of another photograph and its soft outline."""
    across, down = rng.randint(24, 110), rng.randint(24, 130)
    left, top = rng.randrange(max(1, other.width - across)), rng.randrange(max(1, other.height - down))
    mask = Image.new("L", (across, down), 0)
    ImageDraw.Draw(mask).ellipse((1, 1, across - 2, down - 2), fill=255)
    soft = cv2.GaussianBlur(np.asarray(mask), (0, 0), rng.uniform(0.6, 1.6))
    return other.crop((left, top, left + across, top + down)), Image.fromarray(soft)


def placed(scene: Picture, thing: tuple[Picture, Picture], at: tuple[int, int]) -> Picture:
    made = scene.copy()
    made.paste(thing[0], at, thing[1])
    return made


def written(scene: Picture, rng: random.Random) -> Picture:
    made = scene.copy()
    size = rng.randint(14, 38)
    text = rng.choice(("HAPPY NEW YEAR", "2019/08/17", "when it works", "© M. Dupont", "Sommer am See", "No. 42"))
    colour = rng.choice(("white", "black", "#ffa028", "#ffe000"))
    edge = rng.choice((0, 0, 2))
    at = rng.randrange(10, made.width // 2), rng.randrange(10, made.height - size - 10)
    pen = ImageDraw.Draw(made)
    pen.text(at, text, fill=colour, font=ImageFont.load_default(size), stroke_width=edge, stroke_fill="black")
    return made


def banded(scene: Picture, rng: random.Random) -> Picture:
    made = scene.copy()
    size = rng.randint(16, 30)
    paper, ink = rng.choice((("white", "black"), ("black", "white"), ("#202060", "#f0f0c0")))
    pen = ImageDraw.Draw(made)
    top = rng.choice((0, made.height - 2 * size))
    pen.rectangle((0, top, made.width, top + 2 * size), fill=paper)
    pen.text((size, top + size // 3), "WHEN THE BUILD IS GREEN", fill=ink, font=ImageFont.load_default(size))
    return made


def with_logo(scene: Picture, rng: random.Random) -> Picture:
    layer = Image.new("RGBA", scene.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    side = rng.randint(26, 70)
    left, top = rng.randrange(10, scene.width - side - 10), rng.randrange(10, scene.height - side - 10)
    alpha = rng.choice((120, 150, 200, 255))
    pen.ellipse((left, top, left + side, top + side), fill=rng.choice(((255, 255, 255, alpha), (20, 20, 20, alpha))))
    third = side // 3
    pen.rectangle((left + third, top + third, left + 2 * third, top + 2 * third), fill=(200, 20, 20, alpha))
    return Image.alpha_composite(scene.convert("RGBA"), layer).convert("RGB")


ADDITIONS: Final[dict[str, Callable[[Picture, random.Random], Picture]]] = {
    "text": written,
    "band": banded,
    "logo": with_logo,
}


def pairs_of(scene: Picture, other: Picture, rng: random.Random) -> Iterator[tuple[str, bool, Picture, Picture]]:
    """Pairs made of one scene: kind, whether one of the two was only added to, both pictures."""
    for name, add in ADDITIONS.items():
        yield name, True, scene, add(scene, rng)
    thing, second = subject(other, rng), subject(other, rng)
    at = rng.randrange(10, scene.width - 130), rng.randrange(10, scene.height - 140)
    by = rng.choice((6, 10, 16, 30, 60)), rng.choice((0, 4, 10, 30))
    there = (min(scene.width - 120, at[0] + by[0]), min(scene.height - 135, at[1] + by[1]))
    before = placed(scene, thing, at)
    yield "moved", False, before, placed(scene, thing, there)
    yield "came", False, scene, before
    yield "other", False, before, placed(scene, second, at)
    yield "mirrored", False, before, placed(scene, (ImageOps.mirror(thing[0]), thing[1]), at)
    yield "two captions", False, written(scene, rng), banded(scene, rng)
    yield "moved under a caption", False, before, banded(placed(scene, thing, there), rng)


def grey(picture: Picture, sigma: float, seed: int) -> Any:
    values = np.asarray(picture.convert("L"), np.float32)
    noise = np.random.default_rng(seed).normal(0, sigma, values.shape)
    return np.asarray(np.clip(values + noise, 0, 255), np.float32)


def seen_in(first: Any, second: Any) -> tuple[tuple[Place, Any], ...]:
    """The places of a pair with what was measured in each, whatever the limits say of them."""
    covered = np.ones(first.shape, bool)
    blocks = compare(first, second, covered).different.astype(np.uint8)
    near = cv2.dilate(blocks, np.ones((3, 3), np.uint8))
    where = cv2.resize(1 - near, first.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    kept: list[Any] = []
    judged = places._added_to
    places._added_to = lambda seen: kept.append(seen) or ""
    try:
        differing = places._in_this_light(first, second, covered, where)
        found = places._places(differing) if differing else []
        lit = found and places._in_this_light(evenly_lit(first, covered), evenly_lit(second, covered), covered, where)
    finally:
        places._added_to = judged
    return tuple(zip(found, kept, strict=False)) if lit and lit.parts() else ()


def samples_of(photographs: Sequence[Path], seed: int) -> list[Sample]:
    rng = random.Random(seed)
    made = []
    for path, next_path in zip(photographs, [*photographs[1:], photographs[0]], strict=True):
        scene, other = opened(path), opened(next_path)
        for kind, is_added, first, second in pairs_of(scene, other, rng):
            sigma = rng.choice(NOISE)
            seen = seen_in(grey(first, sigma, rng.randrange(2**31)), grey(second, sigma, rng.randrange(2**31)))
            if seen:
                made.append(Sample(kind, is_added, seen))
    return made


def opened(path: Path) -> Picture:
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return upright


def passes(sample: Sample) -> bool:
    return are_added(tuple(replace(place, on=places._added_to(seen)) for place, seen in sample.seen))


def score(samples: Sequence[Sample], limits: AddedLimits) -> tuple[int, int]:
    """How many pairs pass wrongly, and, as a negative number, how many rightly."""
    kept, measured = places.ADDED, places._outline

    def outline(first: Any, second: Any, mask: Any) -> Any:
        # Most of the time goes there, and only one limit matters. The samples keep the pictures alive.
        key = (id(first), mask.tobytes(), limits.min_step)
        if key not in OUTLINES:
            OUTLINES[key] = measured(first, second, mask)
        return OUTLINES[key]

    places.ADDED, places._outline = limits, outline  # type: ignore[misc]
    try:
        passed = [sample for sample in samples if passes(sample)]
    finally:
        places.ADDED, places._outline = kept, measured  # type: ignore[misc]
    return sum(not sample.is_added for sample in passed), -sum(sample.is_added for sample in passed)


def fit(samples: Sequence[Sample], start: AddedLimits) -> AddedLimits:
    """The limits with the fewest wrong passes, and then the most right ones, changed one by one if that helps."""
    best, reached = start, score(samples, start)
    for _ in range(ROUNDS):
        before = reached
        for name in FITTED:
            for factor in FACTORS:
                value = round(getattr(best, name) * factor, 3)
                if name in SHARES and value > 1:
                    continue
                tried = replace(best, **{name: value})
                if (of_tried := score(samples, tried)) < reached:
                    best, reached = tried, of_tried
        if reached == before:
            break
    return best


def figures(samples: Sequence[Sample], limits: AddedLimits) -> dict[str, str]:
    """For each kind, how many pass of how many."""
    of, passed = Counter(sample.kind for sample in samples), Counter[str]()
    for kind in of:
        wrongly, rightly = score([sample for sample in samples if sample.kind == kind], limits)
        passed[kind] = wrongly - rightly
    return {kind: f"{passed[kind]} of {of[kind]}" for kind in sorted(of)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--scenes", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="judge the limits in use, and choose none")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    names = sorted(p for p in Path(wanted.folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    random.Random(wanted.seed).shuffle(names)
    names = names[: wanted.scenes]
    print(f"{len(names)} photographs", flush=True)
    chosen_on = samples_of(names[::2], wanted.seed)
    judged_on = samples_of(names[1::2], wanted.seed + SEED_OF_JUDGED)
    print(f"{len(chosen_on)} and {len(judged_on)} pairs with places", flush=True)
    limits = places.ADDED if wanted.keep else fit(chosen_on, places.ADDED)
    report = {
        "photographs": [len(names[::2]), len(names[1::2])],
        "chosen_on": figures(chosen_on, limits),
        "judged_on": figures(judged_on, limits),
        "judged_on_before": figures(judged_on, places.ADDED),
    }
    print(json.dumps(report, indent=1))
    for name in FITTED:
        print(f"{name:20s} {getattr(places.ADDED, name):7.3f} -> {getattr(limits, name):7.3f}")
    if wanted.write:
        figured = {name: value for name, value in report.items() if name != "judged_on_before"}
        chosen = {name: getattr(limits, name) for name in FITTED}
        parts = (
            f"FIGURES: Final[dict[str, Any]] = {json.dumps(figured, indent=4)}",
            f"FITTED: Final[dict[str, float]] = {json.dumps(chosen, indent=4)}",
        )
        LIMITS_FILE.write_text("\n\n".join((HEAD, *parts)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
