"""Graphics of more kinds than `text_pages` has, and scenery that is as plain.

rng = random.Random(3)
picture = GRAPHICS["chart"](rng)
picture = SCENERY["night"](photograph, rng)
"""

import math
import random
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from samples.text_pages import LABELS, PHONE, SENTENCES, design, rendered

Picture = Image.Image
Colour = tuple[int, int, int]


def _font(size: float) -> Any:
    return ImageFont.load_default(max(7, round(size)))


def _word(rng: random.Random) -> str:
    return rng.choice(LABELS)[rng.randrange(2)]


def _colour(rng: random.Random, low: int = 30, high: int = 230) -> Colour:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def receipt(rng: random.Random) -> Picture:
    """Lines with prices on a strip of paper."""
    width, paper = rng.choice((380, 480, 560)), rng.choice((255, 248, 236))
    made = Image.new("RGB", (width, round(width * rng.uniform(1.5, 2.5))), (paper, paper, paper - 6))
    pen, size = ImageDraw.Draw(made), width / rng.choice((22, 27))
    y = 2 * size
    while y < made.height - 3 * size:
        pen.text((0.06 * width, y), _word(rng), fill=(30, 30, 30), font=_font(size))
        pen.text((0.94 * width, y), f"{rng.uniform(0, 99):.2f}", fill=(30, 30, 30), font=_font(size), anchor="ra")
        y += size * rng.choice((1.6, 1.6, 3))
    return made


def chart(rng: random.Random) -> Picture:
    """Lines or bars between axes with numbers."""
    width, height = rng.choice(((800, 600), (1000, 560), (640, 480)))
    paper, ink = rng.choice((((255, 255, 255), (40, 40, 40)), ((24, 26, 30), (210, 210, 210))))
    made = Image.new("RGB", (width, height), paper)
    pen, font = ImageDraw.Draw(made), _font(height / 34)
    left, right, top, bottom = 0.1 * width, 0.95 * width, 0.12 * height, 0.86 * height
    pen.text((width / 2, 0.05 * height), _word(rng), fill=ink, font=_font(height / 22), anchor="mm")
    for tick in range(rng.randint(4, 8)):
        y = bottom - (bottom - top) * tick / 8
        pen.line((left, y, right, y), fill=(128, 128, 128))
        pen.text((left - 8, y), str(5 * tick), fill=ink, font=font, anchor="rm")
        pen.text((left + (right - left) * tick / 8, bottom + 10), str(2010 + tick), fill=ink, font=font)
    for _ in range(rng.randint(1, 4)):
        level, line, colour = rng.uniform(0.2, 0.8), [], _colour(rng)
        for step in range(60):
            level = min(0.98, max(0.02, level + rng.gauss(0, 0.04)))
            line.append((left + (right - left) * step / 59, bottom - (bottom - top) * level))
        pen.line(line, fill=colour, width=rng.randint(1, 3))
    return made


def table(rng: random.Random) -> Picture:
    """Cells with words and numbers."""
    width, height = rng.choice(((900, 640), (700, 900)))
    made = Image.new("RGB", (width, height), "white")
    pen, rows, columns = ImageDraw.Draw(made), rng.randint(8, 20), rng.randint(3, 6)
    across, down = 0.92 * width / columns, 0.92 * height / rows
    for row in range(rows):
        for column in range(columns):
            x, y = 0.04 * width + across * column, 0.04 * height + down * row
            pen.rectangle((x, y, x + across, y + down), "#e1e6f0" if not row else None, "#969696")
            text = f"{rng.uniform(0, 999):.1f}" if row and column else _word(rng)[:9]
            pen.text((x + 6, y + 3), text, fill="black", font=_font(min(0.5 * down, 0.15 * across)))
    return made


def chat(rng: random.Random) -> Picture:
    """Messages of two people."""
    of = design(rng, PHONE)
    dark = rng.random() < 0.4
    made = Image.new("RGB", (of.width, of.height), (17, 20, 24) if dark else (236, 229, 221))
    pen, size = ImageDraw.Draw(made), of.width / 24
    y = 3 * size
    while y < of.height - 3 * size:
        text, mine = rng.choice(SENTENCES)[0][: rng.randint(8, 30)], rng.random() < 0.5
        wide = pen.textlength(text, _font(size)) + 2 * size
        x = of.width - wide - size if mine else size
        fill = ((0, 92, 75) if mine else (32, 44, 51)) if dark else ((220, 248, 198) if mine else (255, 255, 255))
        pen.rounded_rectangle((x, y, x + wide, y + 2.2 * size), size / 2, fill=fill)
        pen.text((x + size, y + 0.5 * size), text, fill="white" if dark else "black", font=_font(size))
        y += 3 * size
    return made


def scanned(picture: Picture, rng: random.Random) -> Picture:
    """A picture on paper, as a scanner sees it: with less contrast, an uneven light and noise."""
    values = rng.uniform(10, 45) + np.asarray(picture.convert("RGB"), np.float32) * rng.uniform(0.7, 0.8)
    values *= np.linspace(1 - rng.uniform(0, 0.05), 1, values.shape[1], dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(rng.randrange(2**31)).normal(0, rng.choice((0.8, 1.5, 3)), values.shape)
    return _image(cv2.GaussianBlur(values, (0, 0), rng.uniform(0.4, 0.9)) + noise)


def night(picture: Picture, rng: random.Random) -> Picture:
    values = np.asarray(picture, np.float32) / 255
    return _image(255 * (values ** rng.uniform(2.2, 4.5) - rng.uniform(0, 0.06)))


def black_cloth(picture: Picture, rng: random.Random) -> Picture:
    """The darker half loses its detail."""
    values = np.asarray(picture, np.float32)
    grey = values.mean(axis=2, keepdims=True)
    middle = float(np.quantile(grey, rng.uniform(0.5, 0.8)))
    return _image(values * np.clip((grey - 0.6 * middle) / (0.6 * middle + 1), 0.02, 1))


def snow(picture: Picture, rng: random.Random) -> Picture:
    return _image(255 - (255 - np.asarray(picture, np.float32)) * rng.uniform(0.2, 0.5) + rng.uniform(0, 25))


def fog(picture: Picture, rng: random.Random) -> Picture:
    """The upper part fades."""
    values = np.asarray(picture, np.float32)
    down = np.linspace(0, 1, values.shape[0], dtype=np.float32)[:, None, None]
    seen = np.clip(rng.uniform(0.05, 0.2) + rng.uniform(0.2, 0.7) * down**2, 0, 1)
    return _image(rng.uniform(190, 245) * (1 - seen) + seen * values)


def on_plain(picture: Picture, rng: random.Random) -> Picture:
    """A thing on white, as shops show it."""
    width, height = picture.size
    mask = Image.new("L", picture.size, 0)
    sides = rng.randint(6, 16)
    turns = [2 * math.pi * side / sides for side in range(sides)]
    outline = [
        (
            width * (0.5 + rng.uniform(0.14, 0.34) * math.cos(turn)),
            height * (0.5 + rng.uniform(0.14, 0.34) * math.sin(turn)),
        )
        for turn in turns
    ]
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    made = Image.new("RGB", picture.size, rng.choice(("white", "#f5f5f5", "black", "#c8cdd2")))
    made.paste(picture, (0, 0), mask.filter(ImageFilter.GaussianBlur(1.2)))
    return made


def landscape(picture: Picture, rng: random.Random) -> Picture:
    """Hills before a sky, drawn smoothly in the size of a photograph."""
    width, height = picture.size
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    upper, lower = (np.array(_colour(rng, low, 250), np.float32) for low in (80, 120))
    made = _image(np.broadcast_to(upper * (1 - down) + lower * down, (height, width, 3)))
    x, y, radius = rng.uniform(0.2, 0.8) * width, rng.uniform(0.15, 0.4) * height, rng.uniform(0.03, 0.12) * height
    ImageDraw.Draw(made).ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(rng, 200, 250))
    layers = rng.randint(3, 6)
    for layer in range(layers):
        waves = [(rng.uniform(0, 2 * math.pi), rng.uniform(1, 9), 0.08 * height / wave) for wave in (1, 2, 3, 4)]
        base = height * (0.4 + 0.5 * layer / layers)
        ridge = [
            (x, base + sum(most * math.sin(start + 2 * math.pi * often * x / width) for start, often, most in waves))
            for x in range(0, width + 4, 4)
        ]
        pen, colour = ImageDraw.Draw(made), _colour(rng, 10, 200 - 25 * layer)
        pen.polygon([(0, height), *ridge, (width, height)], fill=colour)
        darker = tuple(level * 2 // 3 for level in colour)
        for x, y in rng.sample(ridge, rng.randint(0, len(ridge) // 4)):
            size = rng.uniform(0.01, 0.05) * height
            pen.polygon([(x, y - size), (x - size / 3, y + 8), (x + size / 3, y + 8)], fill=darker)
    return made


def _image(values: Any) -> Picture:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


GRAPHICS: Final[dict[str, Callable[[random.Random], Picture]]] = {
    "screen or page": rendered,
    "receipt": receipt,
    "chart": chart,
    "table": table,
    "chat": chat,
}
SCENERY: Final[dict[str, Callable[[Picture, random.Random], Picture]]] = {
    "photograph": lambda picture, _: picture,
    "night": night,
    "black cloth": black_cloth,
    "snow": snow,
    "fog": fog,
    "on a plain background": on_plain,
    "drawn landscape": landscape,
}
