"""How many keys a review of 100 pairs takes, counted in the browser."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from daemon.client import Client
from support.weblibrary import add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]
GROUPS = 100
MOST_KEYS = 5


def happens(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
@pytest.mark.parametrize(("key", "agrees"), [("a", True), ("Shift+K", False)])
def test_a_pair_takes_one_key_whether_one_agrees_or_not(serve: Serve, visit: Open, key: str, agrees: bool) -> None:
    """Agreeing accepts the proposal; disagreeing keeps the other picture alone, the one with the ring."""
    site = serve()
    add_pictures(site.library, GROUPS)
    client = Client(site.address)
    pairs = list(client.pages("groups", None))
    page = visit()
    page.goto(site.address)
    page.get_by_role("link", name="Review").click()
    keys = 0
    for done, pair in enumerate(pairs, 1):
        expect(page).to_have_url(f"{site.address}/groups/{pair['id']}")
        expect(page.locator(".compare-facts thead th").first).to_contain_text("proposed")
        for _ in range(MOST_KEYS):
            page.keyboard.press(key)
            keys += 1
            if happens(lambda done=done: client.get("review")["decided"] == done):
                break
    assert keys == GROUPS
    expect(page.get_by_text(f"{GROUPS} of {GROUPS} decided")).to_be_visible()
    for pair in pairs:
        choices = {one["image"]: one["choice"] for one in client.get(f"groups/{pair['id']}/decisions")["items"]}
        assert choices.pop(pair["proposal"]["image"]) == ("keep" if agrees else "trash")
        assert list(choices.values()) == ["trash" if agrees else "keep"]
