"""Pictures that tests are made of, unlike one another as photographs are and the same for the same seed; files of them.

from support.pictures import photograph, save, build_tree
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

ORIENTATION = 0x0112
# The EXIF orientations 1 to 8: what a viewer does to the stored pixels, undone.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def photograph(seed: int, width: int = 640, height: int = 480) -> Image.Image:
    """An RGB picture with the 1/f spectrum of photographs, tints, shapes and fine grain.

    Two seeds are as far apart as two photographs of different things, however either is turned: more than 90 of the
    256 bits of a perceptual hash. It takes some 10 ms at the default size, and none the second time.
    """
    return _photograph(seed, width, height).copy()


@lru_cache(maxsize=64)
def _photograph(seed: int, width: int, height: int) -> Image.Image:
    random = np.random.default_rng(seed)
    light = 42 * _cloud(random, width, height, octaves=8)
    channels = [light + 14 * _cloud(random, width, height, octaves=2) for _ in range(3)]
    levels = np.stack(channels, axis=-1) + (128 + random.uniform(-18, 18, 3)).astype(np.float32)
    picture = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    _draw_shapes(random, picture)
    return picture


def _cloud(random: np.random.Generator, width: int, height: int, octaves: int) -> np.ndarray:
    """Noise whose amplitude nearly halves as its frequency doubles, mean 0, spread 1; (height, width) float32."""
    cells = 3
    total = _noise(random, cells)
    for octave in range(1, octaves):
        cells *= 2
        total = _enlarged(total, cells, cells) + _noise(random, cells) / np.float32(1.7**octave)
    total = _enlarged(total, width, height)
    return (total - total.mean()) / total.std()


def _noise(random: np.random.Generator, cells: int) -> np.ndarray:
    return random.standard_normal((cells, cells), np.float32)


def _enlarged(field: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(field).resize((width, height), Image.Resampling.BILINEAR))


def _draw_shapes(random: np.random.Generator, picture: Image.Image) -> None:
    draw = ImageDraw.Draw(picture)
    side = min(picture.size)
    for number in range(9):
        x, y = random.integers(0, picture.width), random.integers(0, picture.height)
        across, down = random.integers(side // 20, side // 5, 2)
        colour = tuple(int(value) for value in random.integers(20, 236, 3))
        box = (int(x - across), int(y - down), int(x + across), int(y + down))
        match number % 3:
            case 0:
                draw.ellipse(box, fill=colour)
            case 1:
                draw.rectangle(box, fill=colour)
            case _:
                draw.line(box, fill=colour, width=max(2, side // 80))


def stamped(picture: Image.Image) -> Image.Image:
    """A picture of 800 x 600 with a white caption along its lower edge."""
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    draw.rectangle((0, 540, 800, 600), fill="white")
    draw.text((20, 550), "HAPPY BIRTHDAY", fill="black", font_size=36)
    return marked


def save(picture: Image.Image, path: Path, orientation: int = 1, **options: Any) -> Path:
    """Write a file that shows `picture`, folders made as needed. The suffix says the format; `options` are Pillow's.

    With an orientation other than 1 the pixels are stored turned and the EXIF block says how to turn them back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    turn = STORED_AS[orientation]
    if turn is not None:
        picture = picture.transpose(turn)
        exif = options.setdefault("exif", Image.Exif())
        exif[ORIENTATION] = orientation
    picture.save(path, **options)
    return path


def build_tree(folder: Path, files: Mapping[str, Image.Image | bytes]) -> dict[str, Path]:
    """Write a tree of pictures and of plain bytes; answers with the path of each name.

        build_tree(tmp_path, {"a.jpg": photograph(1), "sub/broken.png": b"no picture"})

    A name may hold what is no UTF-8, as os.fsdecode gives it.
    """
    paths = {}
    for name, content in files.items():
        path = folder / name
        if isinstance(content, bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        else:
            save(content, path)
        paths[name] = path
    return paths


def unutf8(name: str) -> str:
    """A file name with a byte in it that is no UTF-8."""
    stem, suffix = os.path.splitext(name)
    return os.fsdecode(os.fsencode(stem) + b"\xff" + os.fsencode(suffix))
