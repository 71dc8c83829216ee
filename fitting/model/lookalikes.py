"""Look-alikes that are not copies: receipts and screens of one template, near views of one scene, halves."""

import math
import random
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

from fitting.model.alterations import Colour, Picture, colour, font, window, words

GOODS: Final = ("MILK", "BREAD", "CAFE", "KAFFEE", "OEL 1L", "POMMES", "RIZ", "SOAP", "TEA", "WATER", "PILE AA", "THE")
PAPER: Final = ((255, 255, 255), (250, 248, 240), (238, 236, 230), (225, 224, 228))


def receipts(rng: random.Random, count: int) -> list[Picture]:
    """That many receipts of one shop: the same paper, head, columns and foot; other goods, numbers and lengths."""
    wide, size = rng.randint(200, 280), rng.randint(11, 17)
    paper, ink = rng.choice(PAPER), rng.randint(20, 110)
    head, foot = [words(rng, 3).upper() for _ in range(rng.randint(2, 4))], words(rng, 4)
    lines, shadow, right = rng.randint(4, 16), rng.random() < 0.5, rng.uniform(0.6, 0.8)
    result = []
    for _ in range(count):
        prices = [rng.randint(50, 9999) for _ in range(max(2, lines + rng.randint(-2, 2)))]
        rows: list[tuple[str, str]] = [(line, "") for line in head]
        rows.append(
            (f"{rng.randint(1, 28):02d}.{rng.randint(1, 12):02d}.20{rng.randint(10, 25)}", f"{rng.random():.6f}")
        )
        rows += [(f"{rng.randint(1, 9)} {rng.choice(GOODS)} {words(rng, 1)}", f"{cents / 100:.2f}") for cents in prices]
        rows += [("TOTAL", f"{sum(prices) / 100:.2f}"), (foot, "")]
        step = round(size * 1.35)
        page = Image.new("RGB", (wide, step * (len(rows) + 2)), paper)
        draw = ImageDraw.Draw(page)
        for number, (left, price) in enumerate(rows):
            draw.text((10, step * (number + 1)), left, fill=(ink,) * 3, font=font(size))
            draw.text((wide * right, step * (number + 1)), price, fill=(ink,) * 3, font=font(size))
        if shadow:
            shade = (
                Image.linear_gradient("L").resize(page.size).point([160 + value * 95 // 255 for value in range(256)])
            )
            page = Image.composite(page, Image.new("RGB", page.size, (90, 85, 80)), shade)
        result.append(page)
    return result


def screens(rng: random.Random, count: int, photograph: Picture) -> list[Picture]:
    """That many screens of one program: the same bars, colours and columns; other texts, and parts of a photograph."""
    size = rng.choice(((360, 225), (360, 203), (190, 360), (340, 255)))
    dark = rng.random() < 0.3
    paper: Colour = (28, 28, 32) if dark else rng.choice(((255, 255, 255), (246, 246, 248), (236, 240, 244)))
    ink: Colour = (225, 225, 225) if dark else (40, 40, 45)
    bar, side, accent, sidebar = rng.randint(10, 26), rng.randint(0, size[0] // 3), colour(rng), colour(rng)
    menu = [words(rng, 2) for _ in range(12)]
    step, letter, boxes = rng.randint(12, 26), rng.randint(7, 11), rng.random() < 0.5
    result = []
    for _ in range(count):
        page = Image.new("RGB", size, paper)
        draw = ImageDraw.Draw(page)
        draw.rectangle((0, 0, side, size[1]), fill=sidebar)
        draw.rectangle((0, 0, size[0], bar), fill=accent)
        for number, entry in enumerate(menu):
            draw.text((4, bar + 6 + number * step), entry, fill=ink, font=font(letter))
        for row in range(bar + 6, size[1] - step, step):
            if rng.random() < 0.75:
                draw.text((side + 8, row), words(rng, rng.randint(1, 9)), fill=ink, font=font(letter))
            if boxes and rng.random() < 0.3:
                x = rng.randint(side, size[0] - 20)
                draw.rounded_rectangle((x, row, x + rng.randint(10, 80), row + step - 2), radius=2, fill=colour(rng))
        if rng.random() < 0.4:
            part = window(photograph, 0.4, 0.4, rng.random(), rng.random())
            part.thumbnail((size[0] // 3, size[1] // 3))
            page.paste(part, (rng.randint(side, size[0] - part.width), rng.randint(bar, size[1] - part.height)))
        result.append(page)
    return result


def near_view(im: Picture, other: Picture, rng: random.Random) -> Picture:
    """The next frame of a burst: the camera a little moved, and something in the scene that was not there.

    What came into the scene is a part of another photograph with a soft outline, an eighth to a third of the sides.
    """
    zoom, degrees = rng.uniform(1.03, 1.15), rng.uniform(-2.5, 2.5)
    moved = im.rotate(degrees, Image.Resampling.BICUBIC)
    frame = window(moved, 1 / zoom, 1 / zoom, rng.random(), rng.random())
    wide, high = (max(16, round(side * rng.uniform(0.12, 0.33))) for side in frame.size)
    thing = window(other, rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.5), 0.5, 0.5).resize((wide, high))
    outline = Image.new("L", (wide, high), 0)
    draw = ImageDraw.Draw(outline)
    points = [
        (wide * (0.5 + rng.uniform(0.3, 0.46) * math.cos(turn)), high * (0.5 + rng.uniform(0.3, 0.46) * math.sin(turn)))
        for turn in (2 * math.pi * corner / 9 for corner in range(9))
    ]
    draw.polygon(points, fill=255)
    outline = outline.filter(ImageFilter.GaussianBlur(2))
    for _ in range(rng.randint(1, 2)):
        frame.paste(thing, (rng.randint(0, frame.width - wide), rng.randint(0, frame.height - high)), outline)
    return frame


def halves(im: Picture, rng: random.Random) -> tuple[Picture, Picture]:
    """Two parts of one scene that share nothing: left and right of a narrow gap, or above and below it."""
    share = rng.uniform(0.44, 0.48)
    if im.width >= im.height:
        return window(im, share, 1.0, 0.0, 0.5), window(im, share, 1.0, 1.0, 0.5)
    return window(im, 1.0, share, 0.5, 0.0), window(im, 1.0, share, 0.5, 1.0)
