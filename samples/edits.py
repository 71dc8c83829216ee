"""Edits by which models are measured, written apart from those that they are trained with."""

import io
import random
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Picture = Image.Image
Edit = Callable[[Picture, random.Random], Picture]


def part(im: Picture, share: float, x: float, y: float) -> Picture:
    w, h = round(im.width * share**0.5), round(im.height * share**0.5)
    left, top = round((im.width - w) * x), round((im.height - h) * y)
    return im.crop((left, top, left + w, top + h))


def in_a_page(im: Picture, rng: random.Random) -> Picture:
    page = Image.new("RGB", (round(im.width * 1.7), round(im.height * 1.6)), (250, 250, 252))
    page.paste((60, 90, 150), (0, 0, page.width, page.height // 14))
    for row in range(page.height // 8, page.height, page.height // 20):
        page.paste((190, 190, 195), (page.width // 20, row, rng.randint(page.width // 3, page.width), row + 3))
    page.paste(im, (rng.randint(0, page.width - im.width), rng.randint(page.height // 14, page.height - im.height)))
    return page


def poor(im: Picture, quality: int) -> Picture:
    target = io.BytesIO()
    im.save(target, "JPEG", quality=quality)
    with Image.open(target) as again:
        return again.convert("RGB")


def shape(im: Picture, ratio: float) -> Picture:
    ratio = ratio if im.width >= im.height else 1 / ratio
    size = (min(im.width, round(im.height * ratio)), min(im.height, round(im.width / ratio)))
    return ImageOps.fit(im, size, Image.Resampling.LANCZOS)


T = Image.Transpose
EDITS: Final[dict[str, Edit]] = {
    "recompressed, quality 20": lambda im, _: poor(im, 20),
    "a quarter of the sides": lambda im, _: im.reduce(4),
    "brighter": lambda im, _: ImageEnhance.Brightness(im).enhance(1.4),
    "grey": lambda im, _: ImageOps.grayscale(im).convert("RGB"),
    "blurred": lambda im, _: im.filter(ImageFilter.GaussianBlur(max(im.size) / 200)),
    "a border of 8 %": lambda im, _: ImageOps.expand(im, round(min(im.size) * 0.08), (255, 255, 255)),
    "tilted by 4 degrees": lambda im, _: im.rotate(4, Image.Resampling.BICUBIC),
    "shape 16:9": lambda im, _: shape(im, 16 / 9),
    "shape 4:3 to 1:1": lambda im, _: shape(im, 1.0),
    "60 % anywhere": lambda im, r: part(im, 0.6, r.random(), r.random()),
    "20 % anywhere": lambda im, r: part(im, 0.2, r.random(), r.random()),
    "15 % from the centre": lambda im, _: part(im, 0.15, 0.5, 0.5),
    "in a page": in_a_page,
    "turned": lambda im, r: im.transpose(r.choice(tuple(T))),
    "60 %, turned": lambda im, r: part(im, 0.6, r.random(), r.random()).transpose(r.choice(tuple(T))),
}  # fmt: skip
