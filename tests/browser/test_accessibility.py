"""Whoever cannot see, point or read small grey letters can use the page: axe-core finds nothing, in light or dark."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from support.weblibrary import add_pictures

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
# What is told of a violation: enough to find it.
RUN = """async (only) => (await axe.run(document, only ? {runOnly: {type: "rule", values: only}} : {})).violations
    .flatMap(({id, nodes}) => nodes.map(({html, any}) => `${id}: ${html.slice(0, 160)} ${any[0]?.message ?? ""}`))"""
VIEWS = (
    "/", "/groups/{key}", "/rules", "/plan", "/history", "/trash", "/verdicts", "/library", "/folders", "/compress",
    "/activity", "/problems", "/settings", "/api",
)  # fmt: skip

Open = Callable[..., Page]
Serve = Callable[..., Any]


def violations(page: Page, *rules: str) -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(RUN, list(rules) or None)
    return found


def test_the_judge_is_the_one_that_was_taken() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


def test_axe_finds_nothing_in_light_or_dark(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    site.library.add_problem("broken.jpg")
    # Still, so that nothing is judged half faded in.
    page = visit(reduced_motion="reduce")
    found = {}
    for path in VIEWS:
        page.emulate_media(color_scheme="light")
        page.goto(site.address + path.format(key=keys[1]))
        page.wait_for_selector("main[aria-busy=false] > :not(.loading)")
        page.wait_for_function("() => [...document.querySelectorAll('main img')].every((image) => image.complete)")
        found[path] = violations(page)
        page.emulate_media(color_scheme="dark")
        found[path] += violations(page, "color-contrast")
    assert found == {path: [] for path in VIEWS}


def test_dialogs_are_as_good_as_pages(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit(reduced_motion="reduce")
    page.goto(f"{site.address}/groups/{keys[1]}")
    page.wait_for_selector("main[aria-busy=false]")
    for opening in ("?", "b"):
        page.keyboard.press(opening)
        page.wait_for_selector("dialog[open]")
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.goto(site.address)
    page.get_by_role("button", name="Find duplicates…").click()
    assert violations(page) == []
