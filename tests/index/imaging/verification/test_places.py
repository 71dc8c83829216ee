"""Places in which two pictures differ: what was added is distinguished from what moved, came, or changed."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from index.imaging.verification.places import are_added, places
from index.imaging.verification.similarity import compare
from support.pictures import photograph

Pixels = np.ndarray
SIZE = (448, 336)
EVERYWHERE = np.ones(SIZE[::-1], bool)


def scene(seed: int = 1) -> Image.Image:
    return photograph(seed, *SIZE)


def cut_in(picture: Image.Image, at: tuple[int, int], seed: int = 7, size: tuple[int, int] = (60, 90)) -> Image.Image:
    """A picture with a subject, a soft oval of another photograph, at a place."""
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse((2, 2, size[0] - 3, size[1] - 3), fill=255)
    soft = Image.fromarray(cv2.GaussianBlur(np.asarray(mask), (0, 0), 1.0))
    made = picture.copy()
    made.paste(photograph(seed, 300, 300).resize(size), at, soft)
    return made


def written(picture: Image.Image, text: str, at: tuple[int, int] = (30, 280)) -> Image.Image:
    made = picture.copy()
    pen = ImageDraw.Draw(made)
    pen.text(at, text, fill="white", font=ImageFont.load_default(34), stroke_width=2, stroke_fill="black")
    return made


def band(picture: Image.Image) -> Image.Image:
    made = picture.copy()
    pen = ImageDraw.Draw(made)
    pen.rectangle((0, 290, 448, 336), fill="white")
    pen.text((30, 296), "A CAPTION", fill="black", font=ImageFont.load_default(30))
    return made


def logo(picture: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    pen.ellipse((360, 20, 420, 80), fill=(255, 255, 255, 150))
    pen.rectangle((380, 40, 400, 60), fill=(200, 20, 20, 180))
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def noisy(picture: Image.Image, sigma: float, seed: int) -> Pixels:
    grey = np.asarray(picture.convert("L"), np.float32)
    return np.asarray(grey + np.random.default_rng(seed).normal(0, sigma, grey.shape), np.float32)


def agreeing(first: Pixels, second: Pixels) -> Pixels:
    """Where no block differs, nor one next to it."""
    blocks = compare(first, second, EVERYWHERE).different.astype(np.uint8)
    near = cv2.dilate(blocks, np.ones((3, 3), np.uint8))
    return cv2.resize(1 - near, SIZE, interpolation=cv2.INTER_NEAREST) > 0


def passes(first: Image.Image, second: Image.Image, sigma: float = 0.0) -> bool:
    one, other = noisy(first, sigma, 1), noisy(second, sigma, 2)
    where = agreeing(one, other)
    found = places(one, other, EVERYWHERE, where)
    assert are_added(found) == are_added(places(other, one, EVERYWHERE, where))
    assert found, "it differs"
    return are_added(found)


@pytest.mark.parametrize("alter", [lambda of: written(of, "SUMMER 2019"), band, logo])
@pytest.mark.parametrize("seed", [1, 4])
def test_what_is_written_or_drawn_over_a_picture_is_added(
    alter: Callable[[Image.Image], Image.Image], seed: int
) -> None:
    assert passes(scene(seed), alter(scene(seed)))


@pytest.mark.parametrize("by", [(12, 0), (0, 45), (90, -30)])
@pytest.mark.parametrize("sigma", [0.0, 1.5, 3.0])
def test_a_subject_that_moves_before_its_background_is_not_added(by: tuple[int, int], sigma: float) -> None:
    first = cut_in(scene(), (150, 150))
    assert not passes(first, cut_in(scene(), (150 + by[0], 150 + by[1])), sigma)


def test_another_subject_in_the_same_place_is_not_added() -> None:
    assert not passes(cut_in(scene(), (150, 150), 7), cut_in(scene(), (150, 150), 8))


def test_a_caption_on_a_subject_that_moved_explains_nothing() -> None:
    first = cut_in(scene(), (150, 150))
    assert not passes(first, written(cut_in(scene(), (162, 150)), "SUMMER 2019"))


def test_two_captions_are_not_added_to_one_picture() -> None:
    assert not passes(written(scene(), "MONDAY AGAIN"), written(scene(), "hello"))
    assert not passes(written(scene(), "MONDAY"), written(scene(), "hello", (30, 40)))


@pytest.mark.parametrize("sigma", [0.0, 3.0, 8.0])
def test_noise_and_tone_make_no_place(sigma: float) -> None:
    one = noisy(scene(), sigma, 1)
    brighter = np.clip(255 * (noisy(scene(), sigma, 2) / 255).clip(0, 1) ** 0.6, 0, 255).astype(np.float32)
    assert places(one, brighter, EVERYWHERE, EVERYWHERE) == ()
    assert places(one, cv2.GaussianBlur(one, (0, 0), 2), EVERYWHERE, EVERYWHERE) == ()
