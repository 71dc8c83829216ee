"""Fits the limits of index/imaging/verification/other_text: python -m fitting.other_texts FOLDER [--write]

Draws over the photographs of a folder what cameras and packages write: the frames of a fixed camera with another time
stamp, and products with another word on their label, each an exposure of its own. Copies have something added: a
caption, a band, a logo or a label, some of them to pictures that have a stamp or a label already. Limits are chosen on
every other photograph, so that next to no copy counts as another text, and judged on those between. With --write,
other_text_limits.py is replaced.
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

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fitting.halves import chosen_and_judged, wanted_of
from fitting.letters import write_limits
from fitting.messages import labelled
from fitting.places import banded, with_logo, written
from index.imaging.verification import other_text, places
from index.imaging.verification.verify import judge, prepare
from index.model import TURNS, default_tolerance
from samples.photographs import photographs
from samples.seen import HSIZE, Seen
from samples.text_pages import faces

Picture = Image.Image
LONG_SIDE: Final = 1200
PAIRS_OF_EACH: Final = 2
SHARES: Final = (0.1, 0.15, 0.2, 0.25)
EXPLAINED: Final = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9)
# These a person should look at.
OTHERS: Final = ("another stamp", "another word")
NAMES: Final = ("Honey", "Mint", "Aloe", "Vanilla", "Lemon", "Cherry", "Cocoa", "Ginger", "Olive", "Peach", "Salt")
GOODS: Final = ("Shower gel", "Green tea", "Biscuits", "Candle", "Jam", "Hand soap", "Yoghurt")
LIMITS_FILE: Final = Path(other_text.__file__).with_name("other_text_limits.py")
HEAD: Final = '''"""PURE: the limits that say that there is another text in a place, and how many pairs pass with them.

Written by python -m fitting.other_texts.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair: its kind, and what was measured in each of its places that count as added."""

    kind: str
    written: tuple[tuple[float, float], ...]


def stamped(photograph: Picture, rng: random.Random) -> Callable[[random.Random], Picture]:
    """A fixed camera over this photograph, by night or by day: each call is the frame of another moment."""
    dark = rng.choice((0.25, 0.4, 0.7, 1.0))
    scene = photograph.point(lambda level: int(level * dark))
    size = round(scene.height * rng.uniform(0.025, 0.06))
    font = _font(rng, size)
    ink, edge = rng.choice((("white", 0), ("white", 0), ("#ffb030", 0), ("white", 1), ("#f0f040", 0)))
    style, at = rng.choice(("CAM {c} {d} {t}", "{d} {t}", "{t}")), rng.choice(((0.02, 0.02), (0.3, 0.92), (0.5, 0.02)))
    camera, strip, month = rng.randint(1, 9), rng.random() < 0.3, rng.randint(1, 9)

    def frame(of: random.Random) -> Picture:
        made = scene.copy()
        pen, place = ImageDraw.Draw(made), (at[0] * made.width, at[1] * made.height)
        day = f"2024-0{month}-{of.randint(10, 28)}"
        time = f"{of.randint(0, 23):02}:{of.randint(0, 59):02}:{of.randint(0, 59):02}"
        text = style.format(c=camera, d=day, t=time)
        if strip:
            pen.rectangle((0, place[1] - size * 0.2, made.width, place[1] + size * 1.3), fill="black")
        pen.text(place, text, ink, font=font, stroke_width=edge, stroke_fill="black")
        return made

    return frame


def packed(photograph: Picture, rng: random.Random) -> Callable[[str], Picture]:
    """A product before this photograph, or before white: each call is one with another word on its label."""
    width, height = photograph.size
    made = Image.new("RGB", photograph.size, "white") if rng.random() < 0.4 else photograph.copy()
    pen, tall = ImageDraw.Draw(made), rng.uniform(0.4, 0.75) * height
    wide = rng.uniform(0.45, 0.8) * tall
    left, top = rng.uniform(0.05, 0.95) * (width - wide), rng.uniform(0.1, 0.9) * (height - tall)
    colour = tuple(rng.randrange(30, 220) for _ in range(3))
    pen.rounded_rectangle((left, top, left + wide, top + tall), 0.1 * wide, fill=colour)
    paper, ink = rng.choice((("#f5f0e1", "#222222"), ("white", "#404040"), ("#203060", "#f0e8d0"), (colour, "white")))
    pen.rectangle((left, top + 0.3 * tall, left + wide, top + 0.75 * tall), fill=paper)
    size = rng.uniform(0.035, 0.06) * height
    pen.text((left + 0.1 * wide, top + 0.36 * tall), rng.choice(GOODS), ink, font=_font(rng, round(size)))
    font = _font(rng, round(size * rng.uniform(0.7, 1.0)))
    amount = f"{rng.choice((100, 250, 330, 500, 750))} g"
    pen.text((left + 0.1 * wide, top + 0.64 * tall), amount, ink, font=_font(rng, round(0.6 * size)))

    def with_word(word: str) -> Picture:
        product = made.copy()
        ImageDraw.Draw(product).text((left + 0.1 * wide, top + 0.51 * tall), word, ink, font=font)
        return product

    return with_word


def _font(rng: random.Random, size: int) -> Any:
    face = rng.choice(faces())
    return ImageFont.truetype(face, size) if face else ImageFont.load_default(size)


def exposed(picture: Picture, rng: random.Random, sigma: float, blur: float, quality: int) -> bytes:
    """A picture as an exposure with noise of its own."""
    levels = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)), np.float32)
    noise = np.random.default_rng(rng.randrange(2**31)).normal(0, sigma, levels.shape)
    target = io.BytesIO()
    Image.fromarray(np.clip(np.rint(levels + noise), 0, 255).astype(np.uint8)).save(target, "JPEG", quality=quality)
    return target.getvalue()


ADDITIONS: Final[dict[str, Callable[[Picture, random.Random], Picture]]] = {
    "caption": written, "band": banded, "logo": with_logo, "label": labelled,
}  # fmt: skip


def pairs_of(photograph: Picture, rng: random.Random) -> Iterator[tuple[str, Picture, Picture]]:
    """The kinds of pairs of one photograph: the kind, and both pictures before they are exposed."""
    for _ in range(PAIRS_OF_EACH):
        camera = stamped(photograph, rng)
        yield "another stamp", camera(rng), camera(rng)
        product = packed(photograph, rng)
        yield "another word", *(product(word) for word in rng.sample(NAMES, 2))  # type: ignore[misc]
        for kind, add in ADDITIONS.items():
            yield kind, photograph, add(photograph, rng)
        kind = rng.choice(sorted(ADDITIONS))
        before = camera(rng) if rng.random() < 0.5 else product(rng.choice(NAMES))
        yield f"{kind} over a text", before, ADDITIONS[kind](before, rng)


def samples_of(pictures: Sequence[Picture], seed: str) -> Iterator[Sample]:
    """Samples of all kinds, one of each photograph, as far as they pass all gates."""
    for number, photograph in enumerate(pictures):
        rng = random.Random(f"{seed} {number}")
        for kind, *pair in pairs_of(photograph, rng):
            sigma, blur = rng.choice((0.0, 1.5, 4.0, 7.0)), rng.choice((0.0, 0.7, 1.3))
            first, second = (Seen(exposed(of, rng, sigma, blur, rng.choice((70, 80, 90, 95)))) for of in pair)
            distance, turn = first.distance(second)
            if distance <= default_tolerance(HSIZE) and (sample := measured(kind, first, second, turn)):
                yield sample


def measured(kind: str, first: Seen, second: Seen, turn: int) -> Sample | None:
    """What is measured of a pair; None if another gate fails."""
    kept: list[tuple[float, float]] = []
    usual_way, added_to = other_text.written_in_both, places._added_to

    def noted(*of: Any) -> tuple[float, float]:
        kept.append(usual_way(*of))
        return 0.0, 0.0

    other_text.written_in_both = noted
    if kind in OTHERS:
        # Which outlines pass is chance: each of these places might.
        places._added_to = lambda seen: added_to(seen) or "second"
    try:
        said = judge(prepare(first.view), prepare(second.view), first.facts, second.facts, TURNS[turn])
    finally:
        other_text.written_in_both, places._added_to = usual_way, added_to
    return Sample(kind, tuple(kept)) if all(gate.passed for gate in said.gates) else None


def passes(sample: Sample, min_share: float, min_explained: float) -> bool:
    return not any(share >= min_share and explained >= min_explained for share, explained in sample.written)


def mistakes(samples: Sequence[Sample], limits: tuple[float, float]) -> tuple[int, int]:
    """How many copies count as another text, and how many other texts do not."""
    wrong = [sample.kind in OTHERS for sample in samples if passes(sample, *limits) == (sample.kind in OTHERS)]
    return wrong.count(False), wrong.count(True)


def fit(samples: Sequence[Sample]) -> tuple[float, float]:
    """The limits with the fewest mistakes, copies first; among equal ones, the middle ones."""
    scores = {limits: mistakes(samples, limits) for limits in ((s, r) for s in SHARES for r in EXPLAINED)}
    best = sorted(limits for limits, made in scores.items() if made == min(scores.values()))
    return best[len(best) // 2]


def figures(samples: Sequence[Sample], limits: tuple[float, float]) -> dict[str, str]:
    """For each kind, how many of those that pass all other gates still pass."""
    of, passed = Counter(sample.kind for sample in samples), Counter[str]()
    for sample in samples:
        passed[sample.kind] += passes(sample, *limits)
    return {kind: f"{passed[kind]} of {of[kind]}" for kind in sorted(of)}


def main() -> None:
    wanted = wanted_of(__doc__, 60)
    found = [picture for _, picture in islice(photographs(wanted.folder, LONG_SIDE, 6), wanted.pictures)]
    chosen_on, judged_on = chosen_and_judged(samples_of, found)
    limits = fit(chosen_on)
    report = {"chosen_on": figures(chosen_on, limits), "judged_on": figures(judged_on, limits)}
    print(json.dumps(report, indent=1))
    print(limits, mistakes(chosen_on, limits), mistakes(judged_on, limits))
    if wanted.write:
        write_limits(LIMITS_FILE, HEAD, report, dict(zip(("min_share", "min_explained"), limits, strict=True)))


if __name__ == "__main__":
    main()
