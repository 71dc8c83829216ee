"""A survey of a group: up to six images at once, turned over page by page, and one of them kept by a key or a click."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from index.database import schema
from index.model import Kind, Turn
from support.accessibility import violations
from support.weblibrary import add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]
# These are rows without files: only their previews can be shown.
NO_FILE = "Failed to load resource"


def add_copies(library: Any, first: int, count: int) -> str:
    contents = [library.add_content(first + place) for place in range(count)]
    for place, content in enumerate(contents):
        library.add_image(content, f"{first + place}.jpg")
    others = ((other, Kind.NEAR, 2, Turn.NONE) for other in contents[1:])
    # The list begins with what frees most.
    return str(library.add_group(contents[0], *others, reclaimable_bytes=10**9 - first))


def kept(site: Any) -> dict[str, list[str]]:
    """The names of the images that are kept and of those that go to the trash."""
    names: dict[str, list[str]] = {"keep": [], "trash": []}
    with site.store.read() as database:
        rows = schema.Decision.select(schema.Decision.choice, schema.Image.path).join(schema.Image).tuples()
        for choice, path in rows.execute(database):
            names[choice].append(bytes(path).rsplit(b"/")[-1].decode())
    return names


@pytest.mark.slow
def test_one_of_twenty_one_images_is_kept_with_as_few_keys_as_one_of_two(serve: Serve, visit: Open) -> None:
    site = serve()
    key = add_copies(site.library, 100, 21)
    add_pictures(site.library, 1)
    page = visit(but=NO_FILE)
    page.goto(f"{site.address}/groups/{key}")
    panes = page.locator(".survey-stage .pane")
    numbers = page.locator(".survey-stage .number")
    page.keyboard.press("g")
    expect(panes).to_have_count(6)
    assert violations(page) == []
    page.keyboard.press("z")
    expect(page.get_by_label("Zoom", exact=True)).not_to_have_text("Fit")
    # What is zoomed is zoomed in all of them alike.
    layers = "[...document.querySelectorAll('.survey .layer')].map((layer) => layer.style.transform)"
    page.wait_for_function(f"() => {{ const all = {layers}; return all[0] && new Set(all).size === 1 }}")
    page.keyboard.press(".")
    expect(numbers).to_have_text(["7", "8", "9", "10", "11", "12"])
    page.keyboard.press(",")
    expect(numbers.first).to_have_text("1")
    # The last digit of the number selects, so that one key reaches each of those in sight.
    for _ in range(3):
        page.keyboard.press(".")
    expect(numbers).to_have_text(["19", "20", "21"])
    expect(page.locator(".survey-range")).to_have_text("19–21 of 21")
    page.keyboard.press("0")
    expect(page.locator(".survey-stage .pane.selected .number")).to_have_text("20")
    with page.expect_response("**/decisions"):
        page.keyboard.press("Shift+K")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("100.jpg")
    names = kept(site)
    assert names["keep"] == ["119.jpg"]
    assert len(names["trash"]) == 20
    # A group of two is compared as before; the next of three opens as a survey again.
    expect(page.locator(".pane-a")).to_be_visible()
    page.goto(f"{site.address}/groups/{key}")
    expect(panes).to_have_count(6)
    page.get_by_role("button", name="Compare two").click()
    expect(page.locator(".pane-a")).to_be_visible()


def test_a_click_or_a_tap_keeps_one_alone_and_a_drag_does_not(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = [add_copies(site.library, 10 * number, size) for number, size in ((1, 4), (2, 7))]
    page = visit(but=NO_FILE, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.goto(f"{site.address}/groups/{keys[0]}")
    page.get_by_role("button", name=re.compile("Up to six images")).tap()
    panes = page.locator(".survey-stage .pane")
    expect(panes).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    edge = page.locator(".compare-tools").evaluate("(bar) => bar.scrollWidth - bar.clientWidth")
    assert edge <= 0
    box = panes.nth(2).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.7
    # Down, as if the page were scrolled: nothing is decided.
    touch = page.context.new_cdp_session(page)
    for place in range(5):
        kind = "touchMove" if place else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y - 20 + 15 * place}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert kept(site) == {"keep": [], "trash": []}
    with page.expect_response("**/decisions"):
        page.touchscreen.tap(x, y)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("20.jpg")
    assert kept(site) == {"keep": ["12.jpg"], "trash": ["10.jpg", "11.jpg", "13.jpg"]}
    # No page has one or two images only.
    expect(page.locator(".survey-range")).to_have_text("1–3 of 7")
    # It may have been a slip: the notice undoes it, and shows the group again.
    page.locator(".toast button").tap()
    expect(heading).to_have_text("10.jpg")
    assert kept(site) == {"keep": [], "trash": []}
