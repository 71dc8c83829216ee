"""Small faults of the page that people met, each held off: over rows of an index, without a service."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from daemon.client import Client
from index.database.records import jobs
from index.messages import Message
from index.model import JobKind, Kind, RootState, Turn
from support.pictures import photograph
from support.weblibrary import NOW_NS, add_pictures, content_of, jpeg_bytes

Open = Callable[..., Page]
Serve = Callable[..., Any]
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"


def test_a_low_window_clips_no_button_and_captions_keep_to_their_halves(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit(viewport={"width": 1366, "height": 768}, locale="fr-FR")
    page.goto(f"{site.address}/groups/{keys[0]}")
    expect(page.locator(".act")).to_have_count(4)
    side = page.locator(".review-side").bounding_box()
    for box in page.locator(".act").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().right)"):
        assert box <= side["x"] + side["width"]
    page.get_by_role("button", name="Rideau").click()
    left, right = (page.locator(f".pane-{pane} figcaption").bounding_box() for pane in "ab")
    assert left["x"] + left["width"] <= right["x"]


def test_a_change_of_tone_is_ignored_unless_someone_wants_it(serve: Serve, visit: Open) -> None:
    site = serve()
    original = photograph(5, 400, 300)
    bright = original.point(lambda level: min(255, int(level * 0.8 + 40)))
    first = site.library.add_file("a.jpg", jpeg_bytes(original, 92))
    second = site.library.add_file("b.jpg", jpeg_bytes(bright, 92))
    key = site.library.add_group(
        content_of(site.library, first),
        (content_of(site.library, second), Kind.NEAR, 4, Turn.NONE),
        evidence={"tone": {"brightness": 30}},
    )
    page = visit()
    page.goto(f"{site.address}/groups/{key}")
    page.get_by_role("button", name="Difference").click()
    tones = page.get_by_role("button", name="Ignore brightness and contrast")
    expect(tones).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".difference-text")).to_have_text("No visible difference")
    page.keyboard.press("t")
    page.keyboard.press("1")
    expect(tones).to_have_attribute("aria-pressed", "false")


def test_the_list_promises_no_more_than_there_is(serve: Serve, visit: Open) -> None:
    site = serve()
    key = add_pictures(site.library, 1)[0]
    content = site.library.add_content(7)
    for name in (f"2019/{FAMILY}.jpg", "2019/hidden\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"):
        site.library.add_image(content, name)
    emoji = site.library.add_group(content, images=2, reclaimable_bytes=1)
    site.library.add_root(site.library.folder.parent / "locked", state=RootState.OFFLINE, reason=Message("root.silent"))
    site.store.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "user"))
    row = site.store.write(lambda db: jobs.take_next(db, NOW_NS, 0))
    site.store.write(lambda db: jobs.update(db, row["id"], phase="indexing", done=4, total=100))
    page = visit(but="Failed to load resource")
    page.goto(site.address)
    # What is being read is known of, and why a folder is offline stands where it is seen.
    expect(page.locator("[data-figure=images]")).to_have_text("4 of 100")
    expect(page.locator(".watched .reason")).not_to_be_empty()
    expect(page.locator(".card h3").nth(1)).to_have_text("hidden\u2423gpj.exe")
    # Once all of a group is kept, nothing is to be gained.
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".compare-facts")).to_be_visible()
    for number in "12":
        with page.expect_response("**/decisions"):
            page.keyboard.press(number)
            page.keyboard.press("k")
    page.keyboard.press("Escape")
    expect(page.locator(".card .gain").first).to_have_text("All kept")
    page.goto(f"{site.address}/groups/{emoji}")
    expect(page.get_by_text(f"{FAMILY}.jpg").first).to_be_visible()
    # Without a destination, one is asked for; without an answer, the choice stays what it was.
    page.goto(f"{site.address}/rules")
    page.get_by_text("to a folder", exact=True).click()
    expect(page.get_by_role("dialog", name="New destination")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("input[name=choice][value=trash]")).to_be_checked()


def test_an_uncertain_proposal_says_so_and_an_enlarged_copy_is_not_the_better_one(serve: Serve, visit: Open) -> None:
    site = serve()
    contents = [site.library.add_content(seed, **facts) for seed, facts in (
        (1, {"width": 2000, "height": 1500, "size_bytes": 500_000}),
        (2, {"width": 4000, "height": 3000, "size_bytes": 900_000}),
    )]  # fmt: skip
    for content, name in zip(contents, ("a.jpg", "a enlarged.jpg"), strict=True):
        site.library.add_image(content, name)
    key = site.library.add_group(contents[1], (contents[0], Kind.NEAR, 4, Turn.NONE), evidence={"scale": 0.5})
    group = Client(site.address).get(f"groups/{key}")
    small, large = sorted(group["images"]["items"], key=lambda image: int(image["width"]))
    speaks = {
        "image": small["id"],
        "other": large["id"],
        "findings": ["enlarged"],
        "sentence": {"en": "it", "fr": "il"},
    }
    reason = {"criterion": "original", "left": 1, "of": 2, "value": "0.60"}
    page = visit(but="Failed to load resource")
    for speaking, best in ((speaks, 0), ({**speaks, "image": large["id"], "other": small["id"]}, 1)):
        proposal = {**group["proposal"], "image": small["id"], "tie": True, "speaking": [speaking], "reasons": [reason]}

        def answer(route: Any, *, proposal: Any = proposal) -> None:
            route.fulfill(json={**group, "proposal": proposal})

        page.unroute_all()
        page.route(f"**/api/v1/groups/{key}*", answer)
        page.goto(f"{site.address}/groups/{key}")
        expect(page.locator(".proposal")).to_contain_text("Perhaps keep image 1: it is the likeliest original")
        sizes = page.locator(".compare-facts tr", has_text="Dimensions").locator("td")
        expect(sizes.filter(has_text="4,000")).to_have_class(re.compile("best") if best else re.compile("^(?!.*best)"))
    page.unroute_all()


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_on_a_phone_every_filter_of_the_list_is_in_sight_and_whole(serve: Serve, visit: Open, locale: str) -> None:
    site = serve()
    site.library.add_root(site.library.folder.parent / "other")
    for number, kind in enumerate((None, *Kind)):
        contents = [site.library.add_content(3 * number + one) for one in range(2)]
        for place, content in enumerate(contents):
            site.library.add_image(content, f"{number}/{place}.jpg")
        if kind is None:
            site.library.add_image(contents[0], f"{number}/again.jpg")
        members = [] if kind is None else [(contents[1], kind, 4, Turn.NONE)]
        site.library.add_group(contents[0], *members, images=2, reclaimable_bytes=1)
    scene = site.library.add_group(site.library.add_content(90), scene=True)
    assert scene
    page = visit(but="Failed to load resource", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True,
                 locale=locale)  # fmt: skip
    page.goto(site.address)
    expect(page.locator(".list-head .tab")).to_have_count(6)
    outside = """(all) => all.filter((e) => e.getBoundingClientRect().right > innerWidth
        || e.getBoundingClientRect().left < 0 || e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"""
    assert page.locator(".list-head button, .list-head select, .list-head input").evaluate_all(outside) == []
    # From the scenes, one comes back to the duplicates.
    page.locator(".tab.kind-scene").click()
    expect(page.locator(".list-head .tab")).to_have_count(2)
    page.locator(".list-head .tab").first.click()
    expect(page.locator(".list-head .tab")).to_have_count(6)
