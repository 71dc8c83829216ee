"""Scenes on the page: apart from the duplicates, with a reason, and with nothing to accept."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from index.model import Kind, Turn
from support.pictures import photograph, save
from support.weblibrary import Library

Open = Callable[..., Page]
Serve = Callable[..., Any]


def add_scene(library: Library) -> None:
    """Copies, and two exposures of one scene; the files are there."""
    contents = [library.add_content(number) for number in range(4)]
    for number, content in enumerate(contents):
        save(photograph(1 + number // 2, 480, 360), Path(os.fsdecode(library.folder)) / f"IMG_{number}.jpg")
        library.add_image(content, f"IMG_{number}.jpg")
    library.add_group(contents[0], (contents[1], Kind.NEAR, 4, Turn.NONE), images=2)
    library.add_group(
        contents[2], (contents[3], Kind.POSSIBLE, 4, Turn.NONE), images=2, scene=True, reclaimable_bytes=0,
        evidence={"reason": "exposure", "changed": 0.07}, key="p0000000000000000",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("locale", "scenes", "reason"),
    [("en-GB", "Scenes", "Another exposure"), ("fr-FR", "Scènes", "Une autre prise de vue")],
)
def test_scenes_stand_apart_and_nothing_is_proposed(
    serve: Serve, visit: Open, tmp_path: Path, locale: str, scenes: str, reason: str
) -> None:
    site = serve()
    add_scene(site.library)
    # The crops of previews that this server does not make.
    page = visit(but="Failed to load resource", locale=locale)
    page.goto(f"{site.address}/")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card .quick")).to_have_count(1)
    expect(page.locator(".card .badge svg")).to_have_count(1)
    page.get_by_role("button", name=scenes).click()
    expect(page.locator(".card .evidence")).to_contain_text(reason)
    expect(page.locator(".card .quick")).to_have_count(0)
    expect(page.locator(".card .badge svg")).to_have_count(0)
    expect(page.locator(".card .gain")).to_have_count(0)
    if folder := os.environ.get("COMPARIMG_PICTURES"):
        page.screenshot(path=f"{folder}/scenes-{locale}.png")
    page.locator(".card a.pair").first.click()
    expect(page).to_have_url(f"{site.address}/groups/p0000000000000000?scenes=only")
    expect(page.locator(".proposal")).to_have_count(0)
    expect(page.locator(".actions-bar [data-act=skip]")).to_be_visible()
    expect(page.locator(".actions-bar [data-act=accept]")).to_have_count(0)
    # On a phone the short summary of a scene leaves the line of the name to the name.
    page.set_viewport_size({"width": 390, "height": 844})
    name = page.get_by_role("heading", level=1)
    assert name.evaluate("(heading) => heading.scrollWidth <= heading.clientWidth")
