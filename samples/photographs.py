"""The photographs of a folder, for the benchmarks that can use the user's own."""

import argparse
import os
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps


def add_folder(parser: argparse.ArgumentParser, use: str = "photographs that are all different") -> None:
    """Let a program take a folder of photographs: the one it is given, or else that of PHOTOS, or else None."""
    parser.add_argument("folder", nargs="?", type=_folder, default=os.environ.get("PHOTOS") or None, help=use)


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return path


def files_of(folder: Path, suffixes: set[str], most: int) -> list[Path]:
    """The files with these suffixes, in lower case; of more than `most`, as many of them, evenly spread."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    return files if len(files) <= most else [files[number * len(files) // most] for number in range(most)]


def photographs(
    folder: Path, long_side: int, seed: int, part: slice = slice(None)
) -> Iterator[tuple[str, Image.Image]]:
    """The name and the picture of each file that can be opened, upright, in RGB and reduced to `long_side` pixels; in
    an order given by the seed, of which `part` is used."""
    paths = sorted(Path(parent) / name for parent, _, names in os.walk(folder) for name in names)
    random.Random(seed).shuffle(paths)
    for path in paths[part]:
        try:
            with Image.open(path) as image:
                picture = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, ValueError):
            continue
        picture.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
        yield path.name, picture
