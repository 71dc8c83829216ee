"""The photographs of a folder, for the benchmarks that can use the user's own."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps


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
