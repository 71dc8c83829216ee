"""The box inside a frame: found in borders, bars and screenshots, and in no picture without."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from index.candidates.framing import inner_box
from support.pictures import photograph


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


def original(seed: int) -> Image.Image:
    return photograph(seed, 320, 240)


def screenshot(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (480, 300), (32, 33, 36))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 480, 18), fill=(200, 202, 206))
    draw.text((8, 3), "File  Edit  View", fill="black")
    screen.paste(picture.resize((320, 240)), (90, 36))
    return screen


FRAMED = {
    "white border": (lambda p: ImageOps.expand(p, 20, "white"), (20, 20, 340, 260)),
    "thin border": (lambda p: ImageOps.expand(p, 6, "black"), (6, 6, 326, 246)),
    "letterbox": (lambda p: ImageOps.expand(p, (0, 30), "black"), (0, 30, 320, 270)),
    "screenshot": (screenshot, (90, 36, 410, 276)),
}


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("seed", range(3))
def test_the_inside_of_a_frame_is_found(name: str, seed: int):
    frame, box = FRAMED[name]
    assert inner_box(grey(frame(original(seed)))) == pytest.approx(box, abs=1)


def test_a_picture_without_a_frame_has_none():
    assert [seed for seed in range(40) if inner_box(grey(original(seed))) is not None] == []


@pytest.mark.parametrize("size", [(1, 1), (20, 400), (33, 33), (64, 300)])
@pytest.mark.parametrize("level", [0, 255])
def test_flat_and_tiny_pictures_have_none(size: tuple[int, int], level: int):
    assert inner_box(np.full(size, level, np.uint8)) is None


def test_a_horizon_is_no_frame():
    picture = grey(original(1)).copy()
    picture[:90] = 230
    assert inner_box(picture) is None
