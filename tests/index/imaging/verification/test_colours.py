"""Colours: an edit maps those of the whole picture alike, a thing in another colour does not."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from index.imaging.verification.edit_evidence import sentence
from index.imaging.verification.verify import Judgement, judge, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph

Alter = Callable[[Image.Image], Image.Image]


def view(picture: Image.Image) -> np.ndarray:
    small = picture.convert("RGB")
    small.thumbnail((512, 512), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    return np.asarray(Image.open(buffer).convert("RGB"))


def compare(first: Image.Image, second: Image.Image, turn: Turn = Turn.NONE, form: str = "JPEG") -> Judgement:
    facts = Facts(form, *first.size, jpeg_quality=90 if form == "JPEG" else 0)
    one, other = prepare(view(first)), prepare(view(second))
    said = judge(one, other, facts, replace(facts, width=second.width, height=second.height), turn)
    back = judge(other, one, replace(facts, width=second.width, height=second.height), facts, turn.inverse)
    assert said.kind is back.kind
    return said


def hue(picture: Image.Image, degrees: int) -> Image.Image:
    """With all hues turned, red to yellow to green, and the same greys."""
    luma, blue, red = (np.asarray(part, np.float32) for part in picture.convert("YCbCr").split())
    chroma = (blue - 128 + 1j * (red - 128)) * np.exp(1j * np.radians(degrees))
    parts = luma, chroma.real + 128, chroma.imag + 128
    made = [Image.fromarray(np.clip(np.rint(part), 0, 255).astype(np.uint8)) for part in parts]
    return Image.merge("YCbCr", made).convert("RGB")


def scene(seed: int) -> Image.Image:
    return photograph(seed, 700, 525)


def with_shirt(wall: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """A thing with folds in one colour: its brightness is the same in any."""
    worn, at = Image.new("RGB", (180, 200), colour), (240, 160)
    light = np.asarray(photograph(77, 180, 200).convert("L"), np.float32) / 160
    # Of one luma, whatever the colour.
    level = 110 / float(np.asarray(worn.convert("L"), np.float32).mean())
    values = np.asarray(worn, np.float32) * level * light[..., None]
    cloth = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    mask = Image.new("L", worn.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((4, 4, 175, 195), 40, fill=255)
    made = wall.copy()
    made.paste(cloth, at, mask.filter(ImageFilter.GaussianBlur(1)))
    return made


EDITS: dict[str, Alter] = {
    "grey": lambda p: ImageOps.grayscale(p).convert("RGB"),
    "sepia": lambda p: ImageOps.colorize(ImageOps.grayscale(p), "black", "#f3e3c0", "#8a6a45"),
    "saturated": lambda p: ImageEnhance.Color(p).enhance(1.6),
    "pale": lambda p: ImageEnhance.Color(p).enhance(0.4),
    "warm": lambda p: Image.merge("RGB", [c.point([round(255 * (i / 255) ** g) for i in range(256)])
                                          for c, g in zip(p.split(), (0.85, 1, 1.2), strict=True)]),
    "bright": lambda p: ImageEnhance.Brightness(p).enhance(1.4),
    "levels": lambda p: ImageOps.autocontrast(p, cutoff=1),
    "sharpened": lambda p: p.filter(ImageFilter.UnsharpMask(3, 150, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("seed", [1, 5])
def test_an_edit_of_all_colours_is_the_same_picture(name: str, seed: int) -> None:
    said = compare(scene(seed), EDITS[name](scene(seed)))
    assert said.kind is Kind.NEAR, said.gates
    assert "hue" not in said.evidence.get("tone", {})


@pytest.mark.parametrize("degrees", [60, 150, -120])
def test_hues_that_all_turn_are_named_so(degrees: int) -> None:
    muted = ImageEnhance.Color(scene(2)).enhance(0.6)
    said = compare(muted, hue(muted, degrees))
    assert said.kind is Kind.NEAR, said.gates
    assert said.evidence["tone"]["hue"] == pytest.approx(degrees, abs=8)
    assert f"hues shifted by about {abs(degrees)}°" in sentence(said.evidence)
    assert "colder" not in sentence(said.evidence)
    assert "warmer" not in sentence(said.evidence)


SHIRTS = [((200, 40, 40), (40, 60, 200)), ((200, 40, 40), (40, 150, 60)), ((190, 170, 30), (150, 60, 190))]


@pytest.mark.parametrize(("one", "other"), SHIRTS)
@pytest.mark.parametrize("seed", [1, 5])
def test_a_thing_in_another_colour_is_another_picture(one, other, seed: int) -> None:
    said = compare(with_shirt(scene(seed), one), with_shirt(scene(seed), other))
    assert said.kind is Kind.POSSIBLE, said.gates
    assert said.evidence["reason"] == "colour"
    mirrored = ImageOps.mirror(with_shirt(scene(seed), other))
    assert compare(with_shirt(scene(seed), one), mirrored, Turn.FLIP_HORIZONTAL).kind is Kind.POSSIBLE


def test_before_a_wall_without_colour_a_thing_may_have_another_one() -> None:
    wall = ImageOps.grayscale(photograph(3, 700, 525)).convert("RGB")
    said = compare(with_shirt(wall, (200, 40, 40)), with_shirt(wall, (40, 60, 200)))
    assert said.kind is Kind.POSSIBLE
    assert said.evidence["reason"] == "colour"


def test_a_palette_has_no_rare_colours() -> None:
    dressed = with_shirt(scene(1), (200, 40, 40))
    assert compare(dressed, dressed.convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB"), form="GIF").kind is (
        Kind.NEAR
    )


def pictogram(skin: str, hair: str = "#3a2a1a", hand: float = 0.0) -> Image.Image:
    """A face or a clock of 64 pixels, as sets of pictograms have them."""
    made = Image.new("RGB", (256, 256), "white")
    pen = ImageDraw.Draw(made)
    pen.ellipse((20, 20, 236, 236), fill=skin)
    pen.pieslice((20, 20, 236, 236), 190, 350, fill=hair)
    pen.ellipse((80, 120, 104, 150), fill="#222")
    pen.ellipse((152, 120, 176, 150), fill="#222")
    pen.arc((90, 140, 166, 206), 20, 160, fill="#a03030", width=10)
    if hand:
        pen.line((128, 128, 128 + 70 * np.sin(hand), 128 - 70 * np.cos(hand)), fill="#c00", width=10)
    return made.resize((64, 64), Image.Resampling.LANCZOS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pictogram("#ffcc4d"), pictogram("#f3d2a2")),
        (pictogram("#d5ab88"), pictogram("#af7e57")),
        (pictogram("#ffcc4d"), pictogram("#ffcc4d", hair="#ffe8b6")),
        (pictogram("#ffcc4d", hand=0.5), pictogram("#ffcc4d", hand=1.0)),
    ],
)
def test_pictograms_that_differ_in_colour_or_in_a_part_are_others(one: Image.Image, other: Image.Image) -> None:
    assert compare(one, other, form="PNG").kind is not Kind.NEAR


def test_equal_and_mirrored_pictograms_are_the_same() -> None:
    tilted = pictogram("#ffcc4d", hand=0.8)
    assert compare(tilted, tilted, form="PNG").kind is Kind.NEAR
    assert compare(tilted, ImageOps.mirror(tilted), Turn.FLIP_HORIZONTAL, form="PNG").kind is Kind.NEAR


def test_colours_of_small_photographs_are_too_coarse() -> None:
    """They neither speak against a copy nor describe it."""
    said = compare(photograph(1, 320, 240), photograph(1, 200, 150))
    assert said.kind is Kind.NEAR
    assert "colour" not in {gate.name for gate in said.gates}
    assert "hue" not in said.evidence.get("tone", {})
