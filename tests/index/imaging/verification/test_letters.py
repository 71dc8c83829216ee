"""Letters of screens and pages: another word or number is another text, however small it is in the whole."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import LETTERS_SIDE, PREVIEW_SIDE, Limits
from index.imaging.verification.gate_thresholds import Gate
from index.imaging.verification.letters import LETTERS, places_beyond
from index.imaging.verification.reasons import reason
from index.imaging.verification.verify import Judgement, Prepared, judge, prepare
from index.model import Kind, Turn
from support.pictures import photograph

ENTRIES = ("Allow the program to start", "Show the names of files", "Ask for the password", "Send reports", "About")


def screen(word: str = "Monday", scale: int = 1, ink: str = "#202124") -> Image.Image:
    """A window with a bar, and lines, one of them with a word of its own."""
    made = Image.new("RGB", (1280 * scale, 800 * scale), "#ffffff")
    pen = ImageDraw.Draw(made)
    pen.rectangle((0, 0, 1280 * scale, 40 * scale), fill="#1a73e8")
    pen.rectangle((0, 40 * scale, 240 * scale, 800 * scale), fill="#f0f1f4")
    for number in range(16):
        text = f"Remind me on {word}" if number == 9 else ENTRIES[number % len(ENTRIES)]
        pen.text((280 * scale, (70 + 44 * number) * scale), text, fill=ink, font_size=14 * scale)
        pen.text((20 * scale, (70 + 44 * number) * scale), ENTRIES[-number % 5], fill=ink, font_size=14 * scale)
    return made


def data_of(picture: Image.Image, form: str = "PNG", quality: int = 85) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **({} if form == "PNG" else {"quality": quality}))
    return target.getvalue()


def prepared(data: bytes) -> Prepared:
    view = np.frombuffer(pictures.preview(data, Limits()), np.uint8)
    return prepare(np.asarray(cv2.imdecode(view, cv2.IMREAD_COLOR_RGB), np.uint8))


def judged(first: bytes, second: bytes) -> Judgement:
    facts = [pictures.decode(data, Limits()).facts for data in (first, second)]
    return judge(prepared(first), prepared(second), facts[0], facts[1], Turn.NONE)


def gate_of(said: Judgement) -> Gate:
    return next(gate for gate in said.gates if gate.name == "letters")


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(("word", "quality"), [("Friday", 100), ("Sunday", 75), ("Mondays", 85)])
def test_a_screen_with_another_word_is_only_possible(scale: int, word: str, quality: int) -> None:
    said = judged(data_of(screen(scale=scale)), data_of(screen(word, scale), "JPEG", quality))
    assert said.kind is Kind.POSSIBLE
    assert said.evidence["reason"] == "text"
    assert not gate_of(said).passed


def test_a_screen_with_another_number_is_only_possible() -> None:
    said = judged(data_of(screen("day 17"), "JPEG"), data_of(screen("day 46"), "JPEG"))
    assert said.kind is Kind.POSSIBLE
    assert gate_of(said).value == 1


@pytest.mark.parametrize("quality", [90, 60, 40])
def test_a_recompressed_screen_is_the_same(quality: int) -> None:
    said = judged(data_of(screen()), data_of(screen(), "JPEG", quality))
    assert said.kind is Kind.NEAR
    assert gate_of(said).passed


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.5])
def test_a_resized_screen_is_the_same_and_one_with_another_word_is_not(factor: float) -> None:
    def resized(word: str) -> bytes:
        size = (round(1280 * factor), round(800 * factor))
        return data_of(screen(word).resize(size, Image.Resampling.LANCZOS), "JPEG", 88)

    assert judged(data_of(screen()), resized("Monday")).kind is Kind.NEAR
    assert judged(data_of(screen()), resized("Friday")).kind is Kind.POSSIBLE


def test_a_darker_screen_is_the_same() -> None:
    darker = ImageEnhance.Brightness(screen()).enhance(0.7)
    assert judged(data_of(screen()), data_of(darker, "JPEG", 90)).kind is Kind.NEAR


def test_another_text_is_the_reason_of_what_fails_by_its_letters() -> None:
    assert reason((Gate("letters", 2, 0, passed=False),), (), graphic=True) == "text"


def test_a_preview_of_a_graphic_is_large_enough_to_be_read() -> None:
    of_screen, of_photograph = (prepared(data_of(picture)) for picture in (screen(), photograph(3, 1280, 800)))
    assert max(of_screen.letters.shape) == LETTERS_SIDE
    assert max(of_screen.grey.shape) == PREVIEW_SIDE
    assert of_photograph.larger is None
    assert max(of_photograph.letters.shape) == PREVIEW_SIDE


def test_a_few_pixels_are_no_letter() -> None:
    residual = np.zeros((64, 64), np.float32)
    assert places_beyond(residual, LETTERS.min_residual) == 0
    residual[8, 8 : 8 + LETTERS.min_pixels - 1] = 200
    assert places_beyond(residual, LETTERS.min_residual) == 0
    residual[40, 40 : 40 + LETTERS.min_pixels] = 200
    assert places_beyond(residual, LETTERS.min_residual) == 1
