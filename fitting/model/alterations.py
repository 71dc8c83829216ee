"""Altered copies of a picture as people and programs make them, from a random generator that is given.

The same generator state gives the same copy. Kinds, ranges and order are chosen here and nowhere fitted; what a model
is measured on must not come from this module alone.
"""

import io
import math
import random
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
Colour = tuple[int, int, int]
Edit = Callable[[Picture, random.Random], Picture]
R = Image.Resampling
FILTERS: Final = (R.BOX, R.BILINEAR, R.BICUBIC, R.LANCZOS)
# The shapes of screens, prints and posts.
SHAPES: Final = (1.0, 5 / 4, 4 / 3, 1.414, 3 / 2, 16 / 10, 16 / 9, 2.0, 21 / 9)
# The longest side of a drawn screen, in pixels: drawing takes time, and the model sees 224.
ON_A_SCREEN: Final = 400
LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPRSTUVWäéößñ0123456789.,:!?/-@€"


def colour(rng: random.Random) -> Colour:
    """Any colour, or, as often, a grey from black to white."""
    if rng.random() < 0.5:
        grey = rng.choice((0, 255, 255, rng.randint(0, 255)))
        return grey, grey, grey
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)


def words(rng: random.Random, most: int = 5) -> str:
    return " ".join("".join(rng.choice(LETTERS) for _ in range(rng.randint(2, 9))) for _ in range(rng.randint(1, most)))


def font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The face that comes with Pillow: the same on every system."""
    return ImageFont.load_default(max(6, size))


# Parts of a picture


def window(im: Picture, wide: float, high: float, x: float, y: float) -> Picture:
    """The part of that width and height, as shares of the picture's; x and y are places from 0 to 1."""
    w, h = max(24, round(im.width * wide)), max(24, round(im.height * high))
    left, top = round((im.width - w) * x), round((im.height - h) * y)
    return im.crop((left, top, left + w, top + h))


def cropped(im: Picture, rng: random.Random, least: float, most: float = 1.0) -> Picture:
    """A part with that share of the area, of the shape of the picture or about it; half of them from the centre."""
    share = rng.uniform(least, most)
    stretch = math.exp(rng.uniform(-0.3, 0.3)) if rng.random() < 0.6 else 1.0
    wide, high = min(1.0, math.sqrt(share) * stretch), min(1.0, math.sqrt(share) / stretch)
    x, y = (0.5, 0.5) if rng.random() < 0.5 else (rng.random(), rng.random())
    return window(im, wide, high, x, y)


def trimmed(im: Picture, rng: random.Random) -> Picture:
    return cropped(im, rng, 0.7)


def halved(im: Picture, rng: random.Random) -> Picture:
    return cropped(im, rng, 0.35, 0.75)


def detail(im: Picture, rng: random.Random) -> Picture:
    return cropped(im, rng, 0.13, 0.4)


def shaped(im: Picture, rng: random.Random) -> Picture:
    """The largest part of another shape, from the centre or from anywhere."""
    shape = rng.choice(SHAPES)
    if (im.width < im.height) != (rng.random() < 0.25):
        shape = 1 / shape
    now = im.width / im.height
    place = rng.choice((0.5, 0.5, 0.0, 1.0, rng.random()))
    return window(im, min(1.0, shape / now), min(1.0, now / shape), place, place)


# What is put around a picture


def framed(im: Picture, rng: random.Random) -> Picture:
    size = round(max(im.size) * rng.uniform(0.02, 0.22))
    left, top, right, bottom = rng.choice(((1, 1, 1, 1), (1, 1, 1, 1), (0, 1, 0, 1), (1, 0, 1, 0), (1, 1, 1, 3)))
    whole = Image.new("RGB", (im.width + (left + right) * size, im.height + (top + bottom) * size), colour(rng))
    whole.paste(im, (left * size, top * size))
    return whole


def letterboxed(im: Picture, rng: random.Random) -> Picture:
    """Bars, of one colour or of the picture itself, enlarged and blurred, up to another shape."""
    shape = rng.choice(SHAPES) ** rng.choice((1, -1))
    size = (max(im.width, round(im.height * shape)), max(im.height, round(im.width / shape)))
    if rng.random() < 0.4:
        whole = im.resize(size, R.BILINEAR).filter(ImageFilter.GaussianBlur(max(size) / 30))
    else:
        whole = Image.new("RGB", size, colour(rng))
    whole.paste(im, ((size[0] - im.width) // 2, (size[1] - im.height) // 2))
    return whole


def on_a_screen(im: Picture, rng: random.Random) -> Picture:
    """A screenshot or a page with the picture in it: bars, boxes and lines of text around."""
    share = rng.uniform(0.12, 0.75)
    shape = rng.choice(SHAPES) ** rng.choice((1, 1, -1))
    high = max(im.height * 1.02, math.sqrt(im.width * im.height / share / shape))
    wide = max(im.width * 1.02, high * shape)
    scale = min(1.0, ON_A_SCREEN / max(wide, high))
    im = im.resize((max(24, round(im.width * scale)), max(24, round(im.height * scale))), R.BILINEAR)
    size = (max(im.width, round(wide * scale)), max(im.height, round(high * scale)))
    whole = Image.new("RGB", size, rng.choice(((255, 255, 255), (244, 244, 246), (24, 24, 28), colour(rng))))
    draw = ImageDraw.Draw(whole)
    paper: Any = whole.getpixel((0, 0))
    ink = tuple(255 - part for part in paper)
    bar = size[1] // rng.randint(9, 24)
    draw.rectangle((0, 0, size[0], bar), fill=colour(rng))
    if rng.random() < 0.5:
        draw.rectangle((0, 0, size[0] // rng.randint(4, 9), size[1]), fill=colour(rng))
    line = max(8, size[1] // rng.randint(24, 60))
    column = rng.randint(0, size[0] // 2)
    for row in range(bar + line, size[1], round(line * 1.6)):
        if rng.random() < 0.5:
            draw.text((column, row), words(rng, 9), fill=ink, font=font(line))
    for _ in range(rng.randint(0, 9)):
        x, y = rng.randint(0, size[0]), rng.randint(0, size[1])
        box = (x, y, x + rng.randint(8, max(9, size[0] // 4)), y + rng.randint(6, max(7, size[1] // 8)))
        draw.rounded_rectangle(box, radius=rng.randint(0, 3), fill=colour(rng))
    middle = rng.random() < 0.4
    left, top = ((size[0] - im.width) // 2, (size[1] - im.height) // 2) if middle else (
        rng.randint(0, size[0] - im.width),
        rng.randint(0, size[1] - im.height),
    )  # fmt: skip
    whole.paste(im, (left, top))
    return whole


# What is put on a picture


def captioned(im: Picture, rng: random.Random) -> Picture:
    """Text on a band over the picture or below it, or straight on it: captions, dates, names."""
    size = max(9, round(im.height * rng.uniform(0.03, 0.13)))
    band = rng.random() < 0.5
    if band and rng.random() < 0.4:
        below = Image.new("RGB", (im.width, im.height + 2 * size), colour(rng))
        below.paste(im, (0, rng.choice((0, 2 * size))))
        im, y = below, im.height + size // 2
    else:
        im = im.copy()
        y = rng.choice((size // 2, im.height - 2 * size, rng.randint(0, im.height)))
    draw = ImageDraw.Draw(im)
    if band:
        draw.rectangle((0, y - size // 2, im.width, y + 3 * size // 2), fill=colour(rng))
    draw.text((rng.randint(0, im.width * 2 // 3), y), words(rng), fill=colour(rng), font=font(size))
    return im


def covered(im: Picture, rng: random.Random) -> Picture:
    """Logos, stickers, arrows, blackened places: up to three shapes, some of them seen through."""
    im = im.copy()
    draw = ImageDraw.Draw(im, "RGBA")
    for _ in range(rng.randint(1, 3)):
        w, h = (side * rng.uniform(0.06, 0.3) for side in im.size)
        x, y = rng.uniform(0, im.width - w), rng.uniform(0, im.height - h)
        fill = (*colour(rng), rng.choice((255, 255, rng.randint(70, 255))))
        kind = rng.randrange(3)
        if kind == 0:
            draw.ellipse((x, y, x + w, y + h), fill=fill)
        elif kind == 1:
            draw.rounded_rectangle((x, y, x + w, y + h), radius=min(w, h) * rng.choice((0, 0.3)), fill=fill)
        else:
            draw.line((x, y, x + w, y + h), fill=fill, width=max(2, round(min(im.size) / 60)))
    return im


# What moves the pixels


def tilted(im: Picture, rng: random.Random) -> Picture:
    """Turned by a few degrees, with corners of one colour or cut so that none are seen."""
    degrees = rng.uniform(-12, 12)
    if rng.random() < 0.6:
        return im.rotate(degrees, R.BILINEAR, expand=rng.random() < 0.4, fillcolor=colour(rng))
    turned = im.rotate(degrees, R.BILINEAR)
    margin = math.sin(math.radians(abs(degrees))) / 2
    x, y = min(0.3, margin * im.height / im.width), min(0.3, margin * im.width / im.height)
    return window(turned, 1 - 2 * x, 1 - 2 * y, 0.5, 0.5)


def in_perspective(im: Picture, rng: random.Random, by: float = 0.09) -> Picture:
    """Photographed from a screen or a print: each corner moved by up to `by` of the sides."""
    corners = ((0, 0), (im.width, 0), (im.width, im.height), (0, im.height))
    rows, values = [], []
    for x, y in corners:
        to_x, to_y = x + rng.uniform(-by, by) * im.width, y + rng.uniform(-by, by) * im.height
        rows += [(x, y, 1, 0, 0, 0, -to_x * x, -to_x * y), (0, 0, 0, x, y, 1, -to_y * x, -to_y * y)]
        values += [to_x, to_y]
    solved = np.linalg.solve(np.array(rows, float), np.array(values, float))
    return im.transform(im.size, Image.Transform.PERSPECTIVE, tuple(solved), R.BILINEAR, fillcolor=colour(rng))


def turned(im: Picture, rng: random.Random) -> Picture:
    return im.transpose(rng.choice(tuple(Image.Transpose)))


# What changes their values


def toned(im: Picture, rng: random.Random) -> Picture:
    """Brightness, contrast, saturation, gamma, colour of the light, grey, sepia, levels, few colours."""
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if rng.random() < 0.5:
            im = enhancer(im).enhance(rng.uniform(0.45, 1.7))
    if rng.random() < 0.3:
        gamma = math.exp(rng.uniform(-0.7, 0.7))
        im = im.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3)
    how = rng.random()
    if how < 0.15:
        im = ImageOps.grayscale(im).convert("RGB")
    elif how < 0.2:
        im = ImageOps.colorize(ImageOps.grayscale(im), "black", "#f3e3c0", "#8a6a45")
    elif how < 0.4:
        gains = [rng.uniform(0.75, 1.25) for _ in range(3)]
        im = im.point([min(255, round(value * gain)) for gain in gains for value in range(256)])
    elif how < 0.5:
        im = ImageOps.autocontrast(im, cutoff=rng.uniform(0, 3))
    elif how < 0.55:
        im = ImageOps.posterize(im, rng.randint(3, 5))
    return im


def filtered(im: Picture, rng: random.Random) -> Picture:
    how = rng.random()
    if how < 0.4:
        return im.filter(ImageFilter.GaussianBlur(max(im.size) / rng.uniform(120, 600)))
    if how < 0.6:
        return im.filter(ImageFilter.UnsharpMask(rng.uniform(1, 5), rng.randint(60, 250), 2))
    channels = rng.choice((1, 3))
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal((im.height, im.width, channels), np.float32)
    values = np.asarray(im, np.float32) + noise * rng.uniform(3, 24)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def resized(im: Picture, rng: random.Random) -> Picture:
    """Made smaller by any factor to a sixth, sometimes stretched a little."""
    factor = math.exp(rng.uniform(math.log(0.17), 0))
    stretch = math.exp(rng.uniform(-0.25, 0.25)) if rng.random() < 0.3 else 1.0
    size = (max(32, round(im.width * factor * stretch)), max(32, round(im.height * factor / stretch)))
    return im.resize(size, rng.choice(FILTERS))


def recompressed(im: Picture, rng: random.Random) -> Picture:
    """Through a JPEG or a WebP of any quality from very poor to good, now and then through 64 colours."""
    if rng.random() < 0.06:
        return im.quantize(64).convert("RGB")
    target = io.BytesIO()
    form, quality = rng.choices(("JPEG", "WEBP"), (5, 1))[0], rng.randint(8, 92)
    im.save(target, form, quality=quality, method=0)
    with Image.open(target) as again:
        return again.convert("RGB")


# Each family by its weight. The parts weigh most: they are what a hash of the whole does not find.
SHAPING: Final[tuple[tuple[Edit, float], ...]] = (
    (trimmed, 2), (halved, 2), (detail, 2), (shaped, 2), (framed, 1), (letterboxed, 1), (on_a_screen, 2),
    (captioned, 1), (covered, 1), (tilted, 1), (in_perspective, 1),
)  # fmt: skip
GENTLE: Final[tuple[Edit, ...]] = (trimmed, shaped, captioned, framed)


def finished(im: Picture, rng: random.Random) -> Picture:
    """Tone, filter, size and encoder, each or none."""
    if rng.random() < 0.45:
        im = toned(im, rng)
    if rng.random() < 0.25:
        im = filtered(im, rng)
    if rng.random() < 0.35:
        im = resized(im, rng)
    if rng.random() < 0.5:
        im = recompressed(im, rng)
    return im


def altered(im: Picture, rng: random.Random) -> Picture:
    """A copy of an RGB picture: none to two edits of its shape, perhaps turned, then `finished`."""
    edits, weights = zip(*SHAPING, strict=True)
    first = rng.choices(edits, weights)[0]
    count = rng.choices((0, 1, 2), (1, 5, 2))[0]
    if count:
        im = first(im, rng)
    if count == 2:
        # Of a small part, no part is cut again: nothing would be left to know it by.
        again = rng.choices(edits, weights)[0]
        im = (framed if first in (detail, halved) and again in (detail, halved) else again)(im, rng)
    if rng.random() < 0.35:
        im = turned(im, rng)
    return finished(im, rng)


def gently_altered(im: Picture, rng: random.Random) -> Picture:
    """A copy with nearly everything of the picture in it, not turned: what the other copy is compared with."""
    if rng.random() < 0.4:
        im = rng.choice(GENTLE)(im, rng)
    return finished(im, rng)
