"""The page works without seeing, pointing or reading small grey letters: axe-core finds nothing, in light or dark."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from support.accessibility import AXE, violations
from support.weblibrary import add_pictures

AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
VIEWS = (
    "/", "/groups/{key}", "/end", "/rules", "/plan", "/history", "/trash", "/verdicts", "/library", "/folders",
    "/compress", "/activity", "/problems", "/settings", "/api",
)  # fmt: skip

Open = Callable[..., Page]
Serve = Callable[..., Any]


def test_axe_core_is_the_pinned_version() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


@pytest.mark.slow
def test_axe_finds_nothing_in_light_or_dark(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    site.library.add_problem("broken.jpg")
    # Still, so that nothing is judged half faded in.
    page = visit(reduced_motion="reduce")
    results = {}
    for path in VIEWS:
        page.emulate_media(color_scheme="light")
        page.goto(site.address + path.format(key=keys[1]))
        page.wait_for_selector("main[aria-busy=false] > :not(.loading)")
        page.wait_for_function("() => [...document.querySelectorAll('main img')].every((image) => image.complete)")
        results[path] = violations(page)
        page.emulate_media(color_scheme="dark")
        results[path] += violations(page, "color-contrast")
    assert results == {path: [] for path in VIEWS}


@pytest.mark.slow
def test_axe_finds_nothing_in_dialogs(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit(reduced_motion="reduce")
    page.goto(f"{site.address}/groups/{keys[1]}")
    page.wait_for_selector("main[aria-busy=false]")
    for opening in ("?", "b", "m"):
        page.keyboard.press(opening)
        page.wait_for_selector("dialog[open]")
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.goto(site.address)
    page.get_by_role("button", name="Find duplicates…").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    for name in ("Keep all images", "Not duplicates", "More…"):
        page.locator(".select-bar").get_by_role("button", name=name).click()
        page.wait_for_selector("dialog[open]")
        assert violations(page) == []
        page.keyboard.press("Escape")
    assert violations(page) == []


@pytest.mark.slow
def test_axe_finds_nothing_before_one_is_let_in_and_where_nothing_is(serve: Serve, visit: Open) -> None:
    site = serve(token="s3cret")
    page = visit(but="404", reduced_motion="reduce")
    page.goto(site.address)
    page.wait_for_url("**/login")
    assert violations(page) == []
    page.get_by_label("Token").fill("s3cret")
    page.keyboard.press("Enter")
    page.wait_for_selector("main[aria-busy=false]")
    for path in ("/nowhere", "/groups/12345", "/?path=nowhere", "/offline"):
        page.goto(site.address + path)
        page.wait_for_selector("main :is(h1, h2, .empty)")
        assert violations(page) == [], path
