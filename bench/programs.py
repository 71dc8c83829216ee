"""Whole programs over the same folders: `comparimg-ctl detect`, czkawka's engine, and a bare loop of scaled decoding.

Printed are processor seconds, net of what each takes on an empty folder; of czkawka where its Python package is there.

    python -m bench.programs [DIR] [--small]     (or PHOTOS=DIR make bench)

The pictures are made from the photographs of a folder, or else built. A row has as many as there are photographs, or as
its name says where these are enough; `--small` takes a tenth. What a row takes is also given for one of the bare loop,
as that depends least on the machine.
"""

import argparse
import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from index.imaging.decoding.jpeg_file import COMMENT, Segment, with_metadata
from samples.photographs import add_folder, photographs

SOURCES = Path(__file__).parents[1]
SUFFIXES = {".jpg", ".jpeg", ".png"}

BARE = """
import sys
from PIL import Image
for path in sys.argv[1:]:
    with Image.open(path) as image:
        image.draft("L", (256, 256))
        image.load()
"""
CZKAWKA = """
import sys
from pathlib import Path
from czkawka import ImageSimilarity
finder = ImageSimilarity()
finder.set_directories([Path(sys.argv[1])])
finder.set_similarity(15)
finder.find_similar()
"""

# What is done to a copy; the turned ones are found by hash, the cropped and framed ones by their parts.
ALTERED: Sequence[Callable[[Image.Image], Image.Image]] = (
    lambda picture: picture,
    lambda picture: picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS),
    lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    lambda picture: picture.filter(ImageFilter.UnsharpMask(3, 150, 2)),
    lambda picture: picture.crop((0, 0, round(picture.width * 0.93), round(picture.height * 0.93))),
    lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    lambda picture: picture.convert("L").convert("RGB"),
)
COPIES = 3


def built() -> Iterator[Image.Image]:
    """Photograph-like pictures without end: coarse shapes and fine noise, all different."""
    number = 0
    while True:
        random = np.random.default_rng(number)
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), np.uint8)).resize((1024, 768))
        grain = random.normal(0, 6, (768, 1024, 1))
        yield Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))
        number += 1


class Maker:
    """Makes the rows of the table from the photographs of a folder, or from built pictures."""

    def __init__(self, photos: Path | None, share: float) -> None:
        self._photos = photos
        self._share = share

    def _pictures(self, count: int) -> Iterator[Image.Image]:
        pictures = built() if self._photos is None else (picture for _, picture in photographs(self._photos, 1600, 1))
        return islice(pictures, max(2, round(count * self._share)))

    def distinct(self, folder: Path, count: int, size: tuple[int, int]) -> None:
        for number, picture in enumerate(self._pictures(count)):
            turned = size if picture.width >= picture.height else size[::-1]
            picture.resize(turned, Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=90)

    def equal_pixels(self, folder: Path, count: int, copies: int) -> None:
        for number, picture in enumerate(self._pictures(count)):
            first = folder / f"{number:05}.jpg"
            picture.resize((4000, 3000), Image.Resampling.BICUBIC).save(first, quality=90)
            for copy in range(1, copies):
                commented = with_metadata(first.read_bytes(), [Segment(COMMENT, f"copy {copy}".encode())])
                (folder / f"{number:05}-{copy}.jpg").write_bytes(commented)

    def altered(self, folder: Path, count: int) -> None:
        for number, picture in enumerate(self._pictures(count)):
            picture.thumbnail((500, 500), Image.Resampling.LANCZOS)
            picture.save(folder / f"{number:05}.jpg", quality=92)
            for copy in range(COPIES):
                alter = ALTERED[(number * COPIES + copy) % len(ALTERED)]
                alter(picture).save(folder / f"{number:05}-{copy}.jpg", quality=80)


def comparimg(folder: Path, *options: str) -> float:
    with tempfile.TemporaryDirectory() as data:
        program = str(Path(sys.executable).with_name("comparimg-ctl"))
        return processor_s([program, "detect", str(folder), "--data-dir", data, "-q", "--method", "hash", *options])


def czkawka(folder: Path) -> float:
    with tempfile.TemporaryDirectory() as home:
        return processor_s([sys.executable, "-c", CZKAWKA, str(folder)], {"HOME": home, "XDG_CACHE_HOME": home})


def bare(folder: Path) -> float:
    files = sorted(str(path) for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return processor_s([sys.executable, "-c", BARE, *files])


def processor_s(command: Sequence[str], more: dict[str, str] | None = None) -> float:
    """The processor seconds of a command and of all that it starts. Raises CalledProcessError."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=SOURCES, env=os.environ | (more or {}), stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder(parser)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    maker = Maker(options.folder, 0.1 if options.small else 1.0)
    rows: dict[str, Callable[[Path], None]] = {
        "60 distinct, 12 megapixels": lambda folder: maker.distinct(folder, 60, (4000, 3000)),
        "300 distinct, 2 megapixels": lambda folder: maker.distinct(folder, 300, (1632, 1224)),
        "995 distinct, 480 x 320": lambda folder: maker.distinct(folder, 995, (480, 320)),
        "6 of 12 megapixels, 14 files of equal pixels each": lambda folder: maker.equal_pixels(folder, 6, 14),
        "250 of 500 pixels, 3 altered copies each": lambda folder: maker.altered(folder, 250),
    }
    programs: dict[str, Callable[[Path], float]] = {"comparimg": comparimg}
    programs["comparimg --no-verify"] = lambda folder: comparimg(folder, "--no-verify")
    if importlib.util.find_spec("czkawka"):
        programs["czkawka"] = czkawka
    programs["bare loop"] = bare
    with tempfile.TemporaryDirectory() as empty:
        start_s = {name: program(Path(empty)) for name, program in programs.items()}
    print("Processor seconds, net of start-up (" + ", ".join(f"{n} {s:.2f}" for n, s in start_s.items()) + ")\n")
    print(f"| set | files | {' | '.join(programs)} | comparimg for one of the bare loop |")
    print("|---" * (len(programs) + 3) + "|")
    for name, make in rows.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))
            files = len(list(Path(folder).iterdir()))
            taken = {program: run(Path(folder)) - start_s[program] for program, run in programs.items()}
        ratio = taken["comparimg"] / max(0.01, taken["bare loop"])
        seconds = " | ".join(f"{of:.2f}" for of in taken.values())
        print(f"| {name} | {files} | {seconds} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
