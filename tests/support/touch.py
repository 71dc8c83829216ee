"""Fingers on a touch screen."""

from typing import Any

from playwright.sync_api import Page


def swipe_up(page: Page, pane: Any) -> None:
    """Draw one finger up over a picture."""
    box = pane.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.7
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        moved = [{"x": x, "y": y - 30 * step}]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": moved})
    # The finger stops before it leaves: the browser takes the next tap after a fling for one that ends the fling.
    page.wait_for_timeout(150)
    session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": moved})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
