"""Small places that differ: another digit over a photograph is no copy; what a copy leaves is no spot."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from index.imaging.verification.reasons import TEXT
from index.imaging.verification.spots import SPOTS, labelled, spots
from index.imaging.verification.verify import Judgement, judge, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph

COVERED = np.ones((300, 400), bool)


def scene() -> np.ndarray:
    return np.asarray(photograph(3, 400, 300).convert("L"), np.float32)


def with_bars(picture: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
    """White bars of 2 pixels, as strokes of a letter are, in a square of 10 pixels."""
    drawn = picture.copy()
    for row in rows:
        drawn[100 + row : 102 + row, 200:208] = 250
    return drawn


def smooth(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.float32)


def test_another_letter_is_one_spot_in_neither_picture() -> None:
    first, second = with_bars(scene(), (0, 4)), with_bars(scene(), (2, 6))
    found = spots(smooth(first), second, COVERED)
    assert [place.on for place in found] == [""]
    left, top, right, bottom = found[0].box
    assert left * 400 < 204 < right * 400
    assert top * 300 < 105 < bottom * 300
    assert found[0].ink


def test_an_equal_picture_and_one_with_noise_have_no_spots() -> None:
    noise = np.random.default_rng(1).normal(0, 5, (300, 400)).astype(np.float32)
    assert spots(smooth(scene()), scene(), COVERED) == ()
    assert spots(smooth(scene() + noise), scene(), COVERED) == ()


def test_what_only_one_picture_shows_is_no_spot() -> None:
    plain = np.full((300, 400), 90, np.float32)
    assert spots(smooth(with_bars(plain, (0, 4))), plain, COVERED) == ()


def test_beyond_what_is_covered_nothing_is_compared() -> None:
    covered = COVERED.copy()
    covered[80:130, 180:230] = False
    assert spots(smooth(with_bars(scene(), (0, 4))), with_bars(scene(), (2, 6)), covered) == ()


def test_fewer_pixels_than_a_letter_has_are_chance() -> None:
    residual = np.zeros((50, 50), np.float32)
    residual[10, 10 : 10 + SPOTS.min_pixels - 1] = 50
    assert labelled(residual, 10) == []
    residual[11, 10] = 50
    assert len(labelled(residual, 10)) == 1


def locked(picture: Image.Image, clock: str, note: str) -> Image.Image:
    made = picture.copy()
    pen = ImageDraw.Draw(made)
    pen.text((540, 400), clock, "white", font=ImageFont.load_default(200), anchor="mm")
    pen.text((540, 600), note, "white", font=ImageFont.load_default(60), anchor="mm")
    return made


def compared(first: Image.Image, second: Image.Image) -> Judgement:
    views = [np.asarray(picture.resize((296, 512), Image.Resampling.LANCZOS)) for picture in (first, second)]
    facts = [Facts("JPEG", *picture.size, jpeg_quality=90) for picture in (first, second)]
    return judge(prepare(views[0]), prepare(views[1]), *facts, Turn.NONE)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


@pytest.mark.parametrize("seed", [1, 2])
def test_lock_screens_that_differ_in_a_digit_are_a_scene_and_their_copies_are_near(seed: int) -> None:
    wallpaper = photograph(seed, 1080, 1868)
    first = locked(wallpaper, "10:41", "Saturday 3 May")
    said = compared(first, jpeg(locked(wallpaper, "10:41", "Saturday 4 May"), 85))
    assert [gate.name for gate in said.gates if not gate.passed] == ["added"]
    assert (said.kind, said.evidence["reason"]) == (Kind.POSSIBLE, TEXT)
    for copy in (jpeg(first, 40), first.resize((540, 934)), first.filter(ImageFilter.UnsharpMask(2, 100, 2))):
        assert compared(first, copy).kind is Kind.NEAR
