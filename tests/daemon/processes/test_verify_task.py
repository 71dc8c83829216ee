"""What a frame adds to a judgement: that the frames are the same says nothing of what is in them."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from daemon.processes.verify_task import verify_inside_frames
from index.imaging.verification.verify import Judgement, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph


def judged(first: Image.Image, second: Image.Image) -> Judgement:
    facts = [Facts("JPEG", picture.width, picture.height, jpeg_quality=90) for picture in (first, second)]
    prepared = [prepare(np.asarray(picture.convert("RGB"))) for picture in (first, second)]
    return verify_inside_frames(prepared[0], prepared[1], (facts[0], facts[1]), Turn.NONE, None)


def faint(seed: int, colour: tuple[int, int, int]) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, 1.5, (320, 400, 1))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("other", [(20, 30, 110), (150, 30, 40)])
def test_two_faint_pictures_in_one_border_are_only_possible(other: tuple[int, int, int]) -> None:
    framed = [ImageOps.expand(picture, 30, "white") for picture in (faint(1, (160, 20, 50)), faint(2, other))]
    said = judged(*framed)
    assert said.kind is not Kind.NEAR


def test_a_picture_in_a_border_and_its_copy_in_the_same_are_near() -> None:
    framed = ImageOps.expand(photograph(5, 400, 320), 30, "white")
    said = judged(framed, framed.resize((345, 285), Image.Resampling.LANCZOS))
    assert said.kind is Kind.NEAR
    assert [gate.passed for gate in said.gates if gate.name == "inside"] == [True]


def test_a_strip_between_bars_has_no_inside_to_look_at() -> None:
    strip = ImageOps.expand(photograph(5, 400, 24), (0, 60), "black")
    assert "inside" not in [gate.name for gate in judged(strip, strip.resize((300, 108))).gates]
