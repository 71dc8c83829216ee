"""Parts of pictures, and pictures within others."""

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

SCREEN = (1080, 1920)

Alteration = Callable[[Image.Image, random.Random], Image.Image]


def to_ratio(ratio: float) -> Alteration:
    """The largest middle part of a ratio of sides."""

    def crop(picture: Image.Image, _: random.Random) -> Image.Image:
        width, height = picture.size
        wanted = ratio if width >= height else 1 / ratio
        across, down = min(width, round(height * wanted)), min(height, round(width / wanted))
        left, top = (width - across) // 2, (height - down) // 2
        return picture.crop((left, top, left + across, top + down))

    return crop


def part(share: float, anywhere: bool) -> Alteration:
    """A part of both sides, in the middle or anywhere."""

    def crop(picture: Image.Image, chance: random.Random) -> Image.Image:
        width, height = (round(side * share) for side in picture.size)
        x, y = (chance.random(), chance.random()) if anywhere else (0.5, 0.5)
        left, top = round((picture.width - width) * x), round((picture.height - height) * y)
        return picture.crop((left, top, left + width, top + height))

    return crop


def in_screenshot(picture: Image.Image, chance: random.Random) -> Image.Image:
    """The picture in the page of a telephone, with lines of text around it."""
    screen = Image.new("RGB", SCREEN, (247, 247, 250))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, SCREEN[0], 160), fill=(60, 90, 160))
    factor = min((SCREEN[0] - 40) / picture.width, 1200 / picture.height)
    shown = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    top = 200 + chance.randrange(200)
    screen.paste(shown, ((SCREEN[0] - shown.width) // 2, top))
    for y in range(top + shown.height + 40, SCREEN[1] - 40, 44):
        draw.rectangle((40, y, 300 + chance.randrange(700), y + 16), fill=(70, 70, 80))
    return screen
