"""What comparing a pair of pictures costs, by the edit of the copy, and how many pairs are proposed per picture.

On generated pictures, or on the photographs of a folder: the figures of real ones are those that count.
"""

import os

# As in the workers: the threads of a matrix product would be counted, and wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import io
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from index.imaging.candidates.crop_hashes import crop_hashes, crop_tolerance, separate
from index.imaging.candidates.perceptual_hash import hash_grey, rows_of
from index.imaging.candidates.search.crop_index import CropIndex
from index.imaging.candidates.search.hash_index import HashIndex
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import Limits
from index.imaging.verification.verify import Prepared, judge, prepare
from index.model import TURNS, Facts, Kind, default_tolerance
from samples.photographs import add_folder, photographs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.pictures import photograph

HSIZE = 16
LONG_SIDE = 1024

Alteration = Callable[[Image.Image], Image.Image]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_folder(parser)
    parser.add_argument("--pictures", type=int, default=24, help="as many of them, or made as many")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.folder:
        originals = [picture for _, picture in islice(photographs(options.folder, LONG_SIDE, 1), options.pictures)]
    else:
        originals = list(made(options.pictures))
    seen = [Seen(jpeg(picture, 92)) for picture in originals]
    print(f"{len(seen)} pictures, {options.folder or 'made'}; processor time of one thread\n")
    print("| pair | pairs | near | possible | ms a pair | pairs a second |")
    print("|---|---|---|---|---|---|")
    for name, alter in ALTERATIONS.items():
        report(name, [(one, Seen(jpeg(alter(picture), 85))) for one, picture in zip(seen, originals, strict=True)])
    others = seen[1:] + seen[:1]
    report("another picture", list(zip(seen, others, strict=True)))
    candidates(seen)
    parts(seen)


class Seen:
    """A picture as the index and the verifier have it."""

    def __init__(self, data: bytes) -> None:
        decoded = pictures.decode(data, Limits())
        self.facts: Facts = decoded.facts
        self.grey, self.box = decoded.grey, decoded.box
        self.rows = rows_of(hash_grey(decoded.grey, decoded.box), HSIZE)
        view = np.frombuffer(pictures.preview(data, Limits()), np.uint8)
        self._pixels = np.asarray(cv2.imdecode(view, cv2.IMREAD_COLOR_RGB), np.uint8)

    def prepared(self) -> Prepared:
        """Start again, so that nothing is cached from another pair."""
        return prepare(self._pixels)


def report(name: str, pairs: list[tuple[Seen, Seen]]) -> None:
    kinds: dict[Kind | None, int] = defaultdict(int)
    spent_s = 0.0
    for first, second in pairs:
        index = HashIndex(HSIZE)
        index.extend(np.stack([first.rows, second.rows]))
        proposed = next(iter(index.pairs(1, HSIZE * HSIZE)))
        hint = TURNS[proposed.turn[0]] if proposed.distance[0] <= default_tolerance(HSIZE) else None
        prepared = first.prepared(), second.prepared()
        start_s = time.process_time()
        said = judge(*prepared, first.facts, second.facts, hint)
        spent_s += time.process_time() - start_s
        kinds[said.kind] += 1
    each_ms = 1000 * spent_s / len(pairs)
    figures = f"{len(pairs)} | {kinds[Kind.NEAR]} | {kinds[Kind.POSSIBLE]} | {each_ms:.1f} | {1000 / each_ms:.0f}"
    print(f"| {name} | {figures} |", flush=True)


def candidates(seen: list[Seen]) -> None:
    """How many pairs are proposed among pictures that are all different: each costs a verification."""
    whole, part = HashIndex(HSIZE), CropIndex(HSIZE)
    rows = np.stack([picture.rows for picture in seen])
    whole.extend(rows)
    crops = [crop_hashes(picture.grey, picture.box).values() for picture in seen]
    part.extend(rows[:, 0], [[bits for part in own for bits in separate(part.bits[HSIZE], HSIZE)] for own in crops])
    by_hash = {
        (int(a), int(b))
        for pairs in whole.pairs(0, default_tolerance(HSIZE))
        for a, b in zip(pairs.first, pairs.second, strict=True)
    }
    by_part = set(part.pairs(0, crop_tolerance(default_tolerance(HSIZE)))) - by_hash
    each_by_hash, each_by_part = len(by_hash) / len(seen), len(by_part) / len(seen)
    print(f"\nwrong candidates an image: {each_by_hash:.3f} by hash, {each_by_part:.3f} more by part")


def parts(seen: list[Seen]) -> None:
    for name, step in (("whole", hash_grey), ("parts", crop_hashes)):
        step(seen[0].grey, seen[0].box)
        start_s = time.process_time()
        for one in seen:
            step(one.grey, one.box)
        print(f"hashes of {name}: {1000 * (time.process_time() - start_s) / len(seen):.2f} ms an image")


def made(count: int) -> Iterator[Image.Image]:
    return (photograph(seed, LONG_SIDE, LONG_SIDE * 3 // 4) for seed in range(count))


def jpeg(picture: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=quality)
    return target.getvalue()


def crop(picture: Image.Image, share: float) -> Image.Image:
    width, height = picture.size
    left, top = round(width * (1 - share) * 0.3), round(height * (1 - share) * 0.6)
    return picture.crop((left, top, left + round(width * share), top + round(height * share)))


def screenshot(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (1280, 800), (32, 33, 36))
    screen.paste((240, 240, 240), (0, 0, 1280, 56))
    inside = ImageOps.contain(picture, (1100, 680))
    screen.paste(inside, ((1280 - inside.width) // 2, 80))
    return screen


ALTERATIONS: dict[str, Alteration] = {
    "recompressed": lambda picture: picture,
    "half the size": lambda picture: ImageOps.scale(picture, 0.5),
    "160 pixels": lambda picture: ImageOps.contain(picture, (160, 160)),
    "mirrored": ImageOps.mirror,
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(2.5)),
    "crop to 90 % of the sides": lambda picture: crop(picture, 0.9),
    "crop to 70 % of the sides": lambda picture: crop(picture, 0.7),
    "tilted by 5 degrees": lambda picture: picture.rotate(5, Image.Resampling.BICUBIC),
    "in a border": lambda picture: ImageOps.expand(picture, 60, "white"),
    "in a screenshot": screenshot,
}


if __name__ == "__main__":
    main()
