"""Fits index/imaging/candidates/features/corner_limits: python -m fitting.corners FOLDER [--pictures N] [--write]

Puts one caption below the photographs of a folder, one interface around them and one logo on them, and proposes pairs
among these pictures by local features: how much must a corner count that many pictures have? The limit is chosen on
every other photograph, so that hardly a pair that shows one photograph is lost, and judged on those between, with
another caption, interface and logo. With --write, corner_limits.py is replaced.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from index.imaging.candidates.features import feature_index
from index.imaging.candidates.features.descriptors import FeatureSet, describe
from index.imaging.candidates.features.feature_index import FeatureIndex
from samples.photographs import photographs
from samples.text_pages import design, screen, words_of_screen

LONG_SIDE: Final = 500
SCREEN: Final = (1280, 800)
# The candidates for the limit, and one at which every corner counts in full.
LIMITS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
NONE: Final = 1 << 20
# Of the pairs that show one photograph and are proposed without the limit, so many must be with it.
KEPT: Final = 0.995
# Crops of one photograph that many pictures show, and how many of these are not the same but for their size.
CROPS: Final = 120
BOXES: Final = 8
RIGHT, RIGHT_OF_MANY, WRONG = "one photograph", "one photograph in many pictures", "a caption, an interface or a logo"
LIMITS_FILE: Final = Path(feature_index.__file__).with_name("corner_limits.py")
HEAD: Final = '''"""PURE: from how many pictures on a corner counts less, and how many pairs are proposed then.

Written by python -m fitting.corners.
"""

from typing import Any, Final'''


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures in the order in which they are added, and the number of the photograph that each shows."""

    pictures: Sequence[FeatureSet]
    shows: Sequence[int]
    # The photograph of which there are many crops.
    of_many: int


def scene(found: Sequence[Image.Image], seed: str) -> Scene:
    """Each photograph as it is, cropped, with the caption, in the interface, and with the logo; in random order."""
    rng = random.Random(seed)
    ways = (_cropped, _captioned(rng), _in_interface(rng), _with_logo(rng))
    drawn = [(number, picture) for number, picture in enumerate(found)]
    drawn += [(number, way(picture, rng)) for number, picture in enumerate(found) for way in ways]
    boxes = [_cropped(found[0], rng) for _ in range(BOXES)]
    drawn += [(0, _reduced(boxes[number % BOXES], rng)) for number in range(CROPS)]
    rng.shuffle(drawn)
    return Scene([_described(picture) for _, picture in drawn], [number for number, _ in drawn], 0)


def _described(picture: Image.Image) -> FeatureSet:
    grey = picture.convert("L")
    grey.thumbnail((512, 512))
    return describe(np.asarray(grey))


def _cropped(picture: Image.Image, rng: random.Random) -> Image.Image:
    share = rng.uniform(0.65, 0.9)
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = rng.randint(0, picture.width - width), rng.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def _reduced(picture: Image.Image, rng: random.Random) -> Image.Image:
    factor = rng.uniform(0.7, 1)
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.LANCZOS)


def _captioned(rng: random.Random) -> Callable[[Image.Image, random.Random], Image.Image]:
    text = "\n".join(words_of_screen(rng, 0)[-2:])
    font = ImageFont.load_default(rng.randint(16, 22))

    def way(picture: Image.Image, _: random.Random) -> Image.Image:
        below = Image.new("RGB", (picture.width, picture.height + 110), "white")
        below.paste(picture)
        ImageDraw.Draw(below).text((12, picture.height + 12), text, "black", font)
        return below

    return way


def _in_interface(rng: random.Random) -> Callable[[Image.Image, random.Random], Image.Image]:
    around = screen(design(rng, SCREEN), words_of_screen(rng, 0))
    place = round(around.width * rng.uniform(0.2, 0.4)), round(around.height * rng.uniform(0.1, 0.3))

    def way(picture: Image.Image, _: random.Random) -> Image.Image:
        whole, inner = around.copy(), picture.copy()
        inner.thumbnail((around.width // 2, around.height // 2))
        whole.paste(inner, place)
        return whole

    return way


def _with_logo(rng: random.Random) -> Callable[[Image.Image, random.Random], Image.Image]:
    logo = Image.new("RGB", (110, 70), tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(logo)
    for _ in range(9):
        x, y, size = rng.randrange(90), rng.randrange(50), rng.randint(8, 30)
        draw.ellipse((x, y, x + size, y + size), fill=tuple(rng.randrange(256) for _ in range(3)))

    def way(picture: Image.Image, _: random.Random) -> Image.Image:
        stamped = picture.copy()
        stamped.paste(logo, (picture.width - 130, 20))
        return stamped

    return way


def proposed(of: Scene, shared_by: int) -> Counter[str]:
    """How many pairs of each kind are proposed with this limit."""
    usual = feature_index.PROPOSAL
    feature_index.PROPOSAL = replace(usual, shared_by=shared_by)  # type: ignore[misc]
    try:
        pairs = FeatureIndex().add(of.pictures)
    finally:
        feature_index.PROPOSAL = usual  # type: ignore[misc]
    return Counter(_kind(of, *pair) for pair in pairs)


def _kind(of: Scene, earlier: int, later: int) -> str:
    if of.shows[earlier] != of.shows[later]:
        return WRONG
    return RIGHT_OF_MANY if of.shows[earlier] == of.of_many else RIGHT


def fit(with_limit: Mapping[int, Counter[str]], without: Counter[str]) -> int:
    """The limit with the fewest wrong pairs that keeps enough of the right ones; among equal ones, the largest."""
    kept = [
        limit
        for limit, counts in with_limit.items()
        if all(counts[kind] >= KEPT * without[kind] for kind in (RIGHT, RIGHT_OF_MANY))
    ]
    return min(kept, key=lambda limit: (with_limit[limit][WRONG], -limit), default=NONE)


def figures(with_limit: Counter[str], without: Counter[str]) -> dict[str, list[int]]:
    """How many pairs of each kind are proposed with the limit, and without. Of right ones these may be more, since a
    picture is proposed with few, which wrong ones fill."""
    return {kind: [with_limit[kind], without[kind]] for kind in (RIGHT, RIGHT_OF_MANY, WRONG)}


def write(report: Mapping[str, Any], shared_by: int) -> None:
    parts = (
        f"FIGURES: Final[dict[str, Any]] = {json.dumps(report, indent=4)}",
        f"FITTED: Final[dict[str, int]] = {json.dumps({'shared_by': shared_by})}",
    )
    LIMITS_FILE.write_text("\n\n".join((HEAD, *parts)) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--judged-in", type=Path, help="judge in this folder instead of on every other photograph")
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    found, others = (
        [picture for _, picture in islice(photographs(folder, LONG_SIDE, 2), wanted.pictures)]
        for folder in (wanted.folder, wanted.judged_in or wanted.folder)
    )
    apart = (found[: len(found) // 2], others[len(others) // 2 :])
    chosen_on, judged_on = (scene(part, seed) for part, seed in zip(apart, ("chosen", "judged"), strict=True))
    with_limit = {limit: proposed(chosen_on, limit) for limit in LIMITS}
    without = proposed(chosen_on, NONE)
    for limit, counts in with_limit.items():
        print(limit, figures(counts, without))
    shared_by = fit(with_limit, without)
    report = {
        "chosen_on": figures(with_limit[shared_by], without),
        "judged_on": figures(proposed(judged_on, shared_by), proposed(judged_on, NONE)),
    }
    print(shared_by, json.dumps(report, indent=1))
    if wanted.write:
        write(report, shared_by)


if __name__ == "__main__":
    main()
