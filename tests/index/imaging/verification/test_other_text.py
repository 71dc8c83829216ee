"""Another text in one place: two stamps and two words are that, whichever is longer; a caption over a scene is not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from index.imaging.verification.other_text import is_other_text, written_in_both
from index.imaging.verification.places import places
from index.imaging.verification.reasons import TEXT
from index.imaging.verification.verify import Judgement, judge, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph

SIZE = (448, 300)
EVERYWHERE = np.ones(SIZE[::-1], bool)


def greys(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"), np.float32)


def label(word: str, ink: str = "#222222", paper: str = "#f0ead8") -> Image.Image:
    made = photograph(4, *SIZE)
    pen = ImageDraw.Draw(made)
    pen.rectangle((120, 100, 330, 200), fill=paper)
    pen.text((140, 130), word, fill=ink, font=ImageFont.load_default(26))
    return made


@pytest.mark.parametrize(("ink", "paper"), [("#222222", "#f0ead8"), ("#f0f0f0", "#203060")])
def test_two_words_on_one_label_are_other_texts(ink: str, paper: str) -> None:
    first, second = (greys(label(word, ink, paper)) for word in ("Rose", "Vanilla"))
    assert is_other_text(first, second, EVERYWHERE)
    assert is_other_text(second, first, EVERYWHERE)


def test_one_text_is_no_other_text() -> None:
    assert written_in_both(greys(label("Rose")), greys(label("Rose")), EVERYWHERE) == (0, 0)


def test_a_word_added_to_a_label_is_no_other_text() -> None:
    assert not is_other_text(greys(label("")), greys(label("Rose")), EVERYWHERE)
    assert not is_other_text(greys(label("Rose")), greys(label("Rose oil")), EVERYWHERE)


@pytest.mark.parametrize("seed", range(4))
def test_a_caption_over_a_scene_is_no_other_text(seed: int) -> None:
    scene = photograph(seed, *SIZE)
    captioned = scene.copy()
    pen = ImageDraw.Draw(captioned)
    pen.rectangle((0, 250, *SIZE), fill="white")
    pen.text((30, 255), "WHEN THE BUILD IS GREEN", fill="black", font=ImageFont.load_default(24))
    pen.text((30, 30), "SUMMER 2019", fill="white", font=ImageFont.load_default(30))
    assert not is_other_text(greys(scene), greys(captioned), EVERYWHERE)


@pytest.mark.parametrize("outlines", ["", "first", "second"])
def test_two_words_in_one_place_are_added_to_neither(outlines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # In which picture the outlines lie is chance.
    monkeypatch.setattr("index.imaging.verification.places._added_to", lambda _: outlines)
    where = EVERYWHERE.copy()
    where[120:170] = False
    found = places(greys(label("Rose")), greys(label("Vanilla")), EVERYWHERE, where)
    assert found
    assert all(place.on == "" and place.ink for place in found)


def test_a_word_on_an_empty_label_is_added() -> None:
    where = EVERYWHERE.copy()
    where[120:170] = False
    found = places(greys(label("")), greys(label("Rose")), EVERYWHERE, where)
    assert {place.on for place in found} == {"second"}


def exposed(picture: Image.Image, seed: int, sigma: float, blur: float = 0) -> Image.Image:
    """A picture with noise of its own, as a JPEG of quality 70."""
    levels = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)), np.float32)
    levels = np.clip(levels + np.random.default_rng(seed).normal(0, sigma, levels.shape), 0, 255)
    target = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(target, "JPEG", quality=70)
    return Image.open(target).convert("RGB")


def compared(first: Image.Image, second: Image.Image) -> Judgement:
    views = [np.asarray(picture.resize((512, 384), Image.Resampling.LANCZOS)) for picture in (first, second)]
    facts = [Facts("JPEG", *picture.size, jpeg_quality=70) for picture in (first, second)]
    return judge(prepare(views[0]), prepare(views[1]), *facts, Turn.NONE)


def frame(stamp: str) -> Image.Image:
    """A frame of a fixed camera at night."""
    made = photograph(5, 1200, 900).point(lambda level: int(0.4 * level))
    ImageDraw.Draw(made).text((24, 20), stamp, fill="white", font=ImageFont.load_default(40))
    return made


def product(word: str) -> Image.Image:
    made = photograph(6, 1200, 900)
    pen = ImageDraw.Draw(made)
    pen.rounded_rectangle((400, 150, 760, 800), 60, fill=(150, 50, 60))
    pen.rectangle((400, 350, 760, 650), fill=(240, 235, 220))
    pen.text((430, 370), "Shampoo", fill=(30, 30, 30), font=ImageFont.load_default(56))
    pen.text((430, 480), word, fill=(60, 60, 60), font=ImageFont.load_default(50))
    return made


STAMPS = ("CAM 3  2024-03-03  02:12:42", "CAM 3  2024-03-05  04:14:44", "CAM 3  2024-08-21  17:36:59")


@pytest.mark.parametrize("number", range(3))
def test_frames_with_another_time_and_products_with_another_word_are_scenes(number: int) -> None:
    words = ("Rose", "Citrus", "Honey", "Lavender")
    for first, second, sigma, blur in (
        (frame(STAMPS[number]), frame(STAMPS[(number + 1) % 3]), 7, 0.0),
        (product(words[number]), product(words[number + 1]), 1.5, 1.2),
    ):
        said = compared(exposed(first, number, sigma, blur), exposed(second, number + 9, sigma, blur))
        assert (said.kind, said.evidence.get("reason")) == (Kind.POSSIBLE, TEXT)
