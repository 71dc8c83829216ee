"""What a browser keeps for itself: keys, theme, notices, and the worker by which the page can be installed."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from index.database.records import jobs
from index.model import JobKind, JobState
from support.accessibility import violations
from support.weblibrary import NOW_NS, add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]
HIDDEN = "Object.defineProperty(Document.prototype, 'visibilityState', { get: () => 'hidden' })"
NAMES_KEPT = """async () => {
    const all = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
    return all.flat().map(({ url }) => new URL(url).pathname);
}"""
NOTICES = "async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title }) => title)"


def open_keys(page: Page, address: str) -> None:
    page.goto(f"{address}/settings")
    page.locator(".device summary").click()


def change(page: Page, name: str, key: str) -> None:
    page.get_by_role("button", name=re.compile(f"Change the key for: {name}$")).click()
    page.keyboard.press(key)


def test_keys_are_changed_refused_where_taken_shown_and_reset(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit()
    open_keys(page, site.address)
    status = page.locator(".key-status")
    change(page, "Keep", "j")
    expect(status).to_have_text("j: Keep")
    # The focus stays where it was, and a key that is taken is refused.
    expect(page.get_by_role("button", name="j: Change the key for: Keep")).to_be_focused()
    change(page, "Undo", "d")
    expect(status).to_have_text("d is already the key for: Move to the trash")
    change(page, "Undo", "F5")
    expect(status).to_have_text("This key cannot be used.")
    change(page, "Undo", "Shift+Z")
    expect(status).to_have_text("Shift+Z: Undo")
    assert violations(page) == []
    page.goto(f"{site.address}/groups/{keys[0]}")
    expect(page.locator(".act[data-act=undo] kbd")).to_have_text("Shift+Z")
    expect(page.get_by_title("Keep this image (j)").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text(re.compile("j\\s*Keep"))
    page.keyboard.press("Escape")
    # The old key does nothing, z still zooms, and the new ones decide and undo.
    page.keyboard.press("k")
    page.keyboard.press("z")
    expect(page.get_by_label("Zoom", exact=True)).not_to_have_text("Fit")
    expect(page.locator(".pane .mark-keep.mark")).to_have_count(0)
    with page.expect_response("**/decisions"):
        page.keyboard.press("j")
    expect(page.locator(".pane .mark-keep.mark")).to_have_count(1)
    with page.expect_response("**/decisions"):
        page.keyboard.press("Shift+Z")
    expect(page.locator(".pane .mark-keep.mark")).to_have_count(0)
    open_keys(page, site.address)
    # Another action took the key meanwhile: it cannot go back to it.
    change(page, "Clear decision", "k")
    page.get_by_role("button", name="Default key for: Keep").click()
    expect(status).to_contain_text("is already the key for: Clear decision")
    page.get_by_role("button", name="All default keys").click()
    expect(page.get_by_role("button", name="k: Change the key for: Keep", exact=True)).to_be_visible()


def test_the_theme_is_chosen_where_a_telephone_finds_it(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit(viewport={"width": 390, "height": 844})
    page.goto(f"{site.address}/settings")
    page.locator("#device-theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


@pytest.mark.slow
def test_the_worker_keeps_the_shell_alone_and_says_when_the_service_is_away(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit(but="Failed to load resource", service_workers="allow")
    page.context.grant_permissions(["notifications"])
    page.add_init_script(HIDDEN)
    page.goto(site.address)
    page.evaluate("async () => { await navigator.serviceWorker.ready }")
    page.goto(f"{site.address}/groups/{keys[0]}")
    page.wait_for_function("() => [...document.querySelectorAll('.layer .whole')].every(i => i.naturalWidth)")
    kept = page.evaluate(NAMES_KEPT)
    assert "/offline" in kept
    assert {path for path in kept if not path.startswith("/static/")} == {"/offline"}
    manifest = page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then((a) => a.text())")
    base = page.locator("html").get_attribute("data-base")
    for icon in json.loads(manifest)["icons"]:
        width = (
            page.evaluate(
                "async (address) => (await createImageBitmap(await (await fetch(address)).blob())).width",
                f"{base}/{icon['src']}",
            )
            if icon["type"] == "image/png"
            else 0
        )
        assert icon["sizes"] in ("any", f"{width}x{width}")
    # A long search ends while the page is out of sight.
    page.goto(f"{site.address}/settings")
    page.get_by_label("Notify when a search has ended").click()
    expect(page.locator("#device-notices")).to_be_checked()
    site.store.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "user"))
    site.store.write(lambda db: jobs.update(db, 1, state=JobState.RUNNING, started_ns=NOW_NS, phase="matching"))
    expect(page.locator(".job-line")).to_be_visible()
    site.store.write(lambda db: jobs.update(db, 1, state=JobState.DONE, finished_ns=NOW_NS + 10**12))
    expect(page.locator(".job-line")).to_have_count(0)
    page.wait_for_function(f"async () => (await ({NOTICES})()).length === 1")
    assert page.evaluate(NOTICES) == ["The search for duplicates has ended"]
    page.context.set_offline(True)
    page.goto(f"{site.address}/library")
    expect(page.get_by_role("heading", name="ComparImg cannot be reached")).to_be_visible()
    assert violations(page) == []
    page.context.set_offline(False)
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", name="Your library at a glance")).to_be_visible()
