"""What each method of detection finds of crops and pictures in others, and what it costs: with and without the model.

On generated pictures, or on the photographs of a folder, which should be all different. The model is that of the
configuration, or else the one that ships. With --wallpapers, each picture is there twice: as a wallpaper of 4:3 and as
one of 16:10, both in a usual size and compressed separately.
"""

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Final

from PIL import Image

from daemon.configuration.config import load
from daemon.ctl import oneshot
from daemon.jobs.progress import NullProgress
from index.database.records.jobs import DetectJobParameters
from index.errors import UsageError
from index.model import Kind, Method
from samples.crops import Alteration, in_screenshot, part, to_ratio
from samples.photographs import add_folder, photographs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.pictures import photograph

LONG_SIDE = 1600


def wallpaper(ratio: float, heights: Sequence[int]) -> Alteration:
    """The largest middle part of a ratio, upright pictures turned, in one of some heights."""

    def make(picture: Image.Image, chance: random.Random) -> Image.Image:
        lying = picture if picture.width >= picture.height else picture.transpose(Image.Transpose.ROTATE_90)
        height = chance.choice(heights)
        return to_ratio(ratio)(lying, chance).resize((round(height * ratio), height), Image.Resampling.LANCZOS)

    return make


# By kind, the original first.
ALTERATIONS: Final[Mapping[str, Alteration]] = {
    "": lambda picture, _: picture,
    "to 16:10": to_ratio(1.6),
    "to 16:9": to_ratio(16 / 9),
    "to 4:3": to_ratio(4 / 3),
    "to a square": to_ratio(1.0),
    "15 % of each side off": part(0.85, anywhere=False),
    "20 % of each side off, anywhere": part(0.8, anywhere=True),
    "in a screenshot": in_screenshot,
}
WALLPAPERS: Final[Mapping[str, Alteration]] = {
    "": wallpaper(4 / 3, (768, 960, 1200)),
    "a wallpaper of 16:10": wallpaper(1.6, (800, 900, 1050, 1200)),
}
METHODS: Final = Method.HASH, Method.HASH_AND_MODEL, Method.MODEL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_folder(parser)
    parser.add_argument("--config", type=Path, help="the configuration that names the model")
    parser.add_argument("--pictures", type=int, default=12, help="as many of them, or made as many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wallpapers", action="store_true", help="measure wallpapers of two ratios instead")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the files and the index stay")
    parser.add_argument("--method", type=Method, nargs="+", default=METHODS, help="these alone")
    options = parser.parse_args()
    if options.folder:
        originals = [one for _, one in islice(photographs(options.folder, LONG_SIDE, options.seed), options.pictures)]
    else:
        originals = [photograph(seed, 1200, 900) for seed in range(options.pictures)]
    alterations = WALLPAPERS if options.wallpapers else ALTERATIONS
    with contextlib.ExitStack() as stack:
        kept = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="comparimg-bench-")))
        folder = kept.resolve()
        labels = write(originals, alterations, folder / "photos", options.seed)
        print(f"{len(originals)} pictures, {len(labels)} files\n")
        measure(labels, options.method, folder, options.config)


def write(
    originals: Sequence[Image.Image], alterations: Mapping[str, Alteration], photos: Path, seed: int
) -> dict[str, tuple[int, str]]:
    """Save what each picture is altered to; of each file, the number of the picture and the kind."""
    photos.mkdir(parents=True)
    labels: dict[str, tuple[int, str]] = {}
    for number, picture in enumerate(originals):
        chance = random.Random(f"{seed} {number}")
        for kind, alter in alterations.items():
            file = photos / f"{number} {kind or 'original'}.jpg".replace(":", " to ").replace("%", "percent")
            alter(picture, chance).save(file, quality=90 if alterations is ALTERATIONS else chance.randint(70, 92))
            labels[str(file)] = number, kind
    return labels


def measure(
    labels: Mapping[str, tuple[int, str]], methods: Sequence[Method], folder: Path, config: Path | None
) -> None:
    found: dict[str, Counter[str]] = {}
    for method in methods:
        started = time.process_time() + children_s()
        try:
            result = oneshot.detect(
                [folder / "photos"],
                DetectJobParameters(method=method),
                folder / "data",
                NullProgress(),
                load(config),
            ).result
        except UsageError as error:
            print(f"{method}: {error}")
            continue
        took_s = time.process_time() + children_s() - started
        groups = [
            [image["path"] for image in group["images"] if image.get("kind") != Kind.POSSIBLE]
            for group in result["groups"]
            if group["kind"] != Kind.POSSIBLE
        ]
        found[method] = score(groups, labels)
        found[method]["processor, s"] = round(took_s)
    counts_of = Counter(kind for _, kind in labels.values() if kind)
    print(f"| | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for kind in (*counts_of, "wrong pairs", "processor, s"):
        of = f" of {counts_of[kind]}" if kind in counts_of else ""
        print(f"| {kind} | {' | '.join(f'{counts[kind]}{of}' for counts in found.values())} |")


def score(groups: Iterable[list[str]], labels: Mapping[str, tuple[int, str]]) -> Counter[str]:
    """How many copies of each kind are in a group with their original, and the number of wrong pairs."""
    beside: set[tuple[int, str]] = set()
    wrong = 0
    for group in groups:
        seen = [labels[path] for path in group]
        originals = {number for number, kind in seen if not kind}
        beside.update((number, kind) for number, kind in seen if kind and number in originals)
        wrong += sum(a[0] != b[0] for a, b in combinations(seen, 2))
    return Counter(kind for _, kind in beside) + Counter({"wrong pairs": wrong})


def children_s() -> float:
    """The processor time of the worker processes that have ended: those of a run have ended when it has."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
