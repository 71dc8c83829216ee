"""A review that is left, resumed and ended: the list is found as it was, and the end says what there is to do."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support.weblibrary import add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]


@pytest.mark.slow
def test_the_list_is_found_as_it_was_left(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 40)
    page = visit(viewport={"width": 1000, "height": 600})
    page.goto(site.address)
    here = page.url
    for leave in ("Escape", "back", "link"):
        expect(page.locator(".card").last).to_be_attached()
        page.locator(".card").last.scroll_into_view_if_needed()
        card = page.locator(f"[data-group='{keys[34]}'] .pair")
        card.scroll_into_view_if_needed()
        card.click()
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text("holiday 34.jpg")
        page.keyboard.press("n")
        expect(heading).to_have_text("holiday 35.jpg")
        page.get_by_role("link", name=re.compile("Next group")).click()
        expect(heading).to_have_text("holiday 36.jpg")
        if leave == "back":
            page.go_back()
        elif leave == "link":
            page.locator(".review-head .back").click()
        else:
            page.keyboard.press(leave)
        expect(page.locator(".card.last h3")).to_have_text("holiday 36.jpg")
        assert page.url == here
        expect(page.locator(".card.last")).to_be_in_viewport()


@pytest.mark.slow
def test_a_review_resumes_at_the_first_open_group_and_ends_with_a_summary(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pictures(site.library, 3)
    page = visit()
    page.goto(site.address)
    heading = page.get_by_role("heading", level=1)
    page.get_by_role("link", name="Review").click()
    expect(heading).to_have_text("holiday 0.jpg")
    with page.expect_response("**/decisions"):
        page.keyboard.press("a")
    expect(heading).to_have_text("holiday 1.jpg")
    page.goto(site.address)
    page.get_by_role("link", name="Review").click()
    expect(heading).to_have_text("holiday 1.jpg")
    page.keyboard.press("n")
    expect(heading).to_have_text("holiday 2.jpg")
    page.keyboard.press("a")
    # One was passed over: it is offered, also under the filter of what is still open.
    expect(page.get_by_role("heading", name="2 of 3 decided")).to_be_visible()
    page.goto(f"{site.address}/?decided=none,partly")
    page.get_by_role("link", name="Review").click()
    expect(heading).to_have_text("holiday 1.jpg")
    page.keyboard.press("Shift+K")
    expect(page.get_by_role("heading", name="3 of 3 decided")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(r"^Apply: [\d.]+ kB"))).to_be_visible()
    page.keyboard.press("u")
    expect(heading).to_have_text("holiday 1.jpg")
