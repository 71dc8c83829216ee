"""The box inside a frame: found in borders, bars and screenshots, and in no picture without."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from index.imaging.candidates.border_detection import content_box, transform_by_frame
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
    assert content_box(grey(frame(original(seed)))) == pytest.approx(box, abs=1)


def test_a_picture_without_a_frame_has_none():
    assert [seed for seed in range(40) if content_box(grey(original(seed))) is not None] == []


@pytest.mark.parametrize("size", [(1, 1), (20, 400), (33, 33), (64, 300)])
@pytest.mark.parametrize("level", [0, 255])
def test_flat_and_tiny_pictures_have_none(size: tuple[int, int], level: int):
    assert content_box(np.full(size, level, np.uint8)) is None


def test_bars_that_a_dark_picture_goes_over_into_are_a_frame():
    # Dark at its sides, so that no line can be seen there.
    shade = np.minimum(np.arange(240), np.arange(240)[::-1]) / 120
    dark = Image.fromarray((grey(original(2)) * np.clip(shade, 0.1, 1)[:, None]).astype(np.uint8))
    left, top, right, bottom = content_box(grey(ImageOps.expand(dark, (0, 40), 0))) or (0, 0, 0, 0)
    assert (left, right) == (0, 320)
    assert 38 <= top <= 60
    assert 260 <= bottom <= 282


@pytest.mark.parametrize("name", FRAMED)
def test_a_picture_is_aligned_with_the_inside_of_a_frame(name: str):
    frame, (left, top, right, bottom) = FRAMED[name]
    whole, framed = grey(original(3)), grey(frame(original(3)))
    corners = np.array([[-0.5, -0.5, 1], [319.5, 239.5, 1]]).T
    expected = np.array([[left, right], [top, bottom]]) - 0.5
    there = transform_by_frame(whole, framed)
    assert there is not None
    assert (there @ corners)[:2] == pytest.approx(expected, abs=1)
    back = transform_by_frame(framed, whole)
    assert back is not None
    assert back @ there == pytest.approx(np.eye(3), abs=1e-6)


def test_pictures_without_a_frame_are_not_aligned_by_one():
    assert transform_by_frame(grey(original(3)), grey(original(4))) is None


def test_a_horizon_is_no_frame():
    picture = grey(original(1)).copy()
    picture[:90] = 230
    assert content_box(picture) is None
