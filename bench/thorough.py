"""What a thorough detection costs in addition to a fast one: describing a picture, searching its features among many,
and how many wrong pairs are then proposed.

Pictures are drawn by the tests' generator, or are the photographs of a folder, and are then cropped, framed, tilted.
The many are made of their features, redrawn at random and disturbed. With a thousand photographs about as many are near
by chance as among photographs; the few that are drawn are disturbed so much that hardly any are.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from index.imaging.candidates.features.descriptors import KEPT, FeatureSet, describe
from index.imaging.candidates.features.feature_index import FeatureIndex
from samples.photographs import add_folder, photographs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.pictures import photograph

DISTURBED, DISTURBED_MUCH = 0.05, 0.2
ASKED = 100
LONG_SIDE = 1024
# Photographs whose features are taken, and pictures whose copies are searched for.
MOST, FEW = 1_000, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000, help="how many there are in the end")
    add_folder(parser, "photographs to take the features from")
    options = parser.parse_args()
    if options.folder:
        pictures = (picture for _, picture in islice(photographs(options.folder, LONG_SIDE, 1), MOST))
    else:
        pictures = (photograph(seed) for seed in range(FEW))
    few: list[Image.Image] = []
    described, spent_s = [], 0.0
    for picture in pictures:
        few += [picture] * (len(few) < FEW)
        start_s = time.process_time()
        described.append(described_of(picture))
        spent_s += time.process_time() - start_s
    describing_ms = spent_s / len(described) * 1e3
    features = sum(map(len, described)) / len(described)
    print(f"describing: {describing_ms:.0f} ms a picture, {features:.0f} features, {features / 25:.1f} KB in the index")
    recall(few, described)
    print("\n| pictures | search, ms of a processor a picture | wrong pairs proposed a picture | memory, MB |")
    print("|---|---|---|---|")
    growth(described, options.pictures, DISTURBED if options.folder else DISTURBED_MUCH)


def growth(described: Sequence[FeatureSet], most: int, disturbed: float) -> None:
    pool = np.concatenate([features.descriptors for features in described])
    places = np.concatenate([features.places for features in described])
    bits = np.unpackbits(pool, axis=1).astype(np.bool_)
    rng = np.random.default_rng(0)

    def another() -> FeatureSet:
        rows = rng.integers(0, len(pool), KEPT)
        noise = rng.random((KEPT, 256)) < disturbed
        return FeatureSet(np.packbits(bits[rows] ^ noise, axis=1), places[rng.integers(0, len(pool), KEPT)])

    index = FeatureIndex()
    index.add([another() for _ in range(2)])
    for size in (1_000, 3_000, 10_000, 30_000, 100_000):
        if size > most:
            break
        while len(index) < size - ASKED:
            index.load([another() for _ in range(min(500, size - ASKED - len(index)))])
        asked = [another() for _ in range(ASKED)]
        start = time.process_time()
        pairs = index.add(asked)
        busy_ms = (time.process_time() - start) / ASKED * 1e3
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {len(index):,} | {busy_ms:.1f} | {len(pairs) / ASKED:.2f} | {memory_mb:.0f} |")


def recall(pictures: Sequence[Image.Image], described: Sequence[FeatureSet]) -> None:
    """Of copies that no hash of the whole can see, how many are proposed with their originals."""
    shares = []
    for name, change in CHANGES.items():
        index = FeatureIndex()
        index.load(described)
        pairs = index.add([described_of(change(picture)) for picture in pictures])
        hits = sum((number, len(described) + number) in set(pairs) for number in range(len(pictures)))
        shares.append(f"{name} {hits / len(pictures):.2f}")
    print("proposed with their originals: " + ", ".join(shares))


def framed(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (1280, 800), (240, 240, 243))
    screen.paste(picture.resize((640, 480)), (400, 200))
    return screen


def crop(picture: Image.Image, share: float) -> Image.Image:
    width, height = picture.size
    return picture.crop((round(width * share / 2), 0, round(width * (1 - share / 2)), round(height * (1 - share))))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "crop 20 % each way": lambda picture: crop(picture, 0.2),
    "crop 40 % each way": lambda picture: crop(picture, 0.4),
    "mirrored crop": lambda picture: ImageOps.mirror(crop(picture, 0.3)),
    "small crop": lambda picture: crop(picture, 0.2).resize((200, 160)),
    "in a screenshot": framed,
    "tilted by 8 degrees": lambda picture: picture.rotate(8, Image.Resampling.BICUBIC),
}


def described_of(picture: Image.Image) -> FeatureSet:
    view = picture.convert("L")
    view.thumbnail((512, 512))
    return describe(np.asarray(view))


if __name__ == "__main__":
    main()
