"""What a frame adds to a judgement: that the frames are the same says nothing of what is in them. And which previews of
graphics are too small to be compared."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from daemon.processes import verify_task
from daemon.processes.verify_task import NO_VIEW, PairTask, verify_inside_frames, verify_pair
from index.errors import PictureError
from index.imaging.decoding.pictures import LETTERS_SIDE, PREVIEW_SIDE, Limits, preview
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


def form() -> Image.Image:
    made = Image.new("RGB", (1600, 1000), "white")
    pen = ImageDraw.Draw(made)
    for number in range(20):
        pen.text((120, 40 + 46 * number), f"Line {number * 37} of a form", fill="black", font_size=24)
    return made


def test_previews_of_graphics_from_before_letters_were_compared_are_asked_for_again(tmp_path: Path) -> None:
    target = io.BytesIO()
    form().save(target, "PNG")
    facts = Facts("PNG", 1600, 1000)
    view = tmp_path / "view.jpg"
    small = form()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    small.save(view, quality=88)
    task = PairTask(1, 2, str(view), str(view), facts, facts, Turn.NONE)
    with pytest.raises(PictureError) as refused:
        verify_pair(task)
    assert refused.value.reason == NO_VIEW
    view.write_bytes(preview(target.getvalue(), Limits()))
    with Image.open(view) as made:
        assert max(made.size) == LETTERS_SIDE
    assert verify_pair(task).kind is Kind.NEAR
    # A picture that has no more pixels is compared as it is.
    other = tmp_path / "other.jpg"
    small.save(other, quality=88)
    only = Facts("PNG", *small.size)
    assert verify_pair(PairTask(1, 2, str(other), str(other), only, only, Turn.NONE)).kind is Kind.NEAR


def test_where_a_model_proposes_a_pair_a_wrong_map_of_features_is_not_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = tmp_path / "first.jpg", tmp_path / "second.jpg"
    photograph(5, 480, 400).save(views[0], quality=95)
    photograph(5, 480, 400).crop((60, 40, 420, 360)).save(views[1], quality=95)
    facts = Facts("JPEG", 480, 400), Facts("JPEG", 360, 320)
    wrong = np.array([[-1.0, 0, 300], [0, 1, 90], [0, 0, 1]])
    monkeypatch.setattr(verify_task, "transforms_in_previews", lambda *_: (wrong,))
    task = PairTask(1, 2, str(views[0]), str(views[1]), *facts, None, by_model=True)
    assert verify_pair(task).kind is Kind.NEAR
    assert verify_pair(replace(task, by_model=False)).kind is None
