"""Aligned pictures: in every turn, cropped and reduced, what is the same falls on itself to the pixel."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import Page, expect

from index.database import schema
from index.model import Kind, Turn
from support.pictures import photograph
from support.weblibrary import content_of

# What is left where sharp edges are drawn at another place between the pixels of the screen.
NOTHING = re.compile(r"No visible difference|^(< )?1% ")

Open = Callable[..., Page]
Serve = Callable[..., Any]

SIZE = (400, 300)
CROP = (80, 60, 320, 240)
APPLIED = {
    Turn.FLIP_HORIZONTAL: Image.Transpose.FLIP_LEFT_RIGHT,
    Turn.FLIP_VERTICAL: Image.Transpose.FLIP_TOP_BOTTOM,
    Turn.ROTATE_180: Image.Transpose.ROTATE_180,
    Turn.TRANSPOSE: Image.Transpose.TRANSPOSE,
    # Pillow turns the other way round.
    Turn.ROTATE_90: Image.Transpose.ROTATE_270,
    Turn.ROTATE_270: Image.Transpose.ROTATE_90,
    Turn.TRANSVERSE: Image.Transpose.TRANSVERSE,
}


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def box_of(crop: tuple[int, int, int, int]) -> list[float]:
    return [crop[0] / SIZE[0], crop[1] / SIZE[1], crop[2] / SIZE[0], crop[3] / SIZE[1]]


def add_copies(library: Any, reference: Image.Image, copies: list[tuple[Image.Image, dict[str, Any]]]) -> str:
    """A group of a picture with copies, each with the evidence that leads to it."""
    images = [library.add_file(f"{place}.png", png(picture), "PNG", jpeg_quality=0) for place, picture in
              enumerate([reference, *(picture for picture, _ in copies)])]  # fmt: skip
    contents = [content_of(library, image) for image in images]
    others = [
        (content, Kind.NEAR, place, Turn(evidence.get("turn", "none")))
        for place, (content, (_, evidence)) in enumerate(zip(contents[1:], copies, strict=True))
    ]
    key = library.add_group(contents[0], *others)
    for content, (_, evidence) in zip(contents[1:], copies, strict=True):
        change = schema.Match.update(evidence=json.dumps(evidence)).where(schema.Match.b == content)
        library.write(change.execute)
    return str(key)


def open_difference(page: Page, address: str) -> Page:
    page.goto(address)
    page.get_by_role("button", name="Difference").click()
    expect(page.locator(".compare")).to_have_attribute("data-mode", "difference")
    return page


@pytest.mark.slow
def test_every_turn_and_crop_falls_on_its_original(serve: Serve, visit: Open) -> None:
    site = serve()
    original = photograph(3, *SIZE)
    cut = original.crop(CROP)
    copies: list[tuple[Image.Image, dict[str, Any]]] = [
        (original.transpose(how), {"turn": str(turn)}) for turn, how in APPLIED.items()
    ]
    copies.append((cut, {"crop": {"of": "first", "box": box_of(CROP)}}))
    turned = cut.transpose(APPLIED[Turn.ROTATE_90])
    copies.append((turned, {"turn": "rotate_90", "crop": {"of": "first", "box": box_of(CROP)}}))
    key = add_copies(site.library, original, copies)
    page = open_difference(visit(), f"{site.address}/groups/{key}")
    for number in range(2, len(copies) + 2):
        page.locator(".strip button").nth(number - 1).click()
        expect(page.locator(".pane-b .number")).to_have_text(str(number))
        expect(page.locator(".difference-text")).to_have_text(NOTHING)


def test_the_whole_falls_on_its_part(serve: Serve, visit: Open) -> None:
    site = serve()
    original = photograph(4, *SIZE)
    whole = original.transpose(APPLIED[Turn.TRANSVERSE])
    # The box is in the larger picture as it is shown, which is turned.
    left, top, right, bottom = CROP
    box = [1 - bottom / SIZE[1], 1 - right / SIZE[0], 1 - top / SIZE[1], 1 - left / SIZE[0]]
    evidence = {"turn": "transverse", "crop": {"of": "second", "box": box}}
    key = add_copies(site.library, original.crop(CROP), [(whole, evidence)])
    page = open_difference(visit(), f"{site.address}/groups/{key}")
    expect(page.locator(".difference-text")).to_have_text(NOTHING)


def test_a_tilted_or_stretched_copy_is_aligned(serve: Serve, visit: Open) -> None:
    site = serve()
    # Without fine grain, which no filter restores.
    original = photograph(6, *SIZE).filter(ImageFilter.GaussianBlur(3))
    tilted = original.rotate(-5, Image.Resampling.BICUBIC, fillcolor="white")
    stretched = original.resize((300, 300), Image.Resampling.LANCZOS)
    key = add_copies(site.library, original, [(tilted, {"tilt": 5.0}), (stretched, {"stretch": 0.75, "scale": 0.87})])
    page = open_difference(visit(), f"{site.address}/groups/{key}")
    difference = page.locator(".difference-text")
    page.keyboard.press("3")
    expect(difference).to_have_text(NOTHING)
    page.keyboard.press("2")
    expect(page.locator(".pane-b .number")).to_have_text("2")
    expect(difference).to_have_text(NOTHING)


def test_a_drawing_in_a_copy_is_reported_and_changes_of_tone_are_ignored(serve: Serve, visit: Open) -> None:
    site = serve()
    original = photograph(5, *SIZE)
    bright = original.point(lambda level: min(255, int(level * 0.8 + 40)))
    stamped = original.copy()
    stamped.paste((255, 255, 255), (0, 0, 100, 75))
    key = add_copies(site.library, original, [(bright, {}), (stamped, {})])
    page = open_difference(visit(), f"{site.address}/groups/{key}")
    difference = page.locator(".difference-text")
    expect(difference).to_contain_text("differs")
    page.keyboard.press("t")
    expect(difference).to_have_text("No visible difference")
    page.keyboard.press("t")
    page.keyboard.press("3")
    expect(difference).to_have_text("6% of the picture differs")
