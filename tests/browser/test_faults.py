"""Small faults of the page that people met, each held off: over rows of an index, without a service."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
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


def test_a_copy_that_was_brightened_until_it_clipped_does_not_differ(serve: Serve, visit: Open) -> None:
    site = serve()
    original = photograph(5, 400, 300)
    key = pair_of(site, original, brightened(original))
    page = visit()
    page.goto(f"{site.address}/groups/{key}")
    page.get_by_role("button", name="Difference").click()
    expect(page.locator(".difference-text")).to_have_text(re.compile("^(No visible difference|< 1%)"))
    # What is drawn into one still does.
    original = photograph(6, 400, 300)
    marked = brightened(original)
    marked.paste((250, 250, 250), (40, 40, 200, 120))
    key = pair_of(site, original, marked)
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".difference-text")).to_have_text(re.compile("^(8|9|10|11|12)%"))


def brightened(picture: Image.Image) -> Image.Image:
    return picture.point(lambda level: min(255, int(level * 1.4)))


def pair_of(site: Any, original: Image.Image, copy: Image.Image) -> str:
    seed = site.library.inodes
    images = [
        site.library.add_file(f"{seed} {number}.jpg", jpeg_bytes(picture, 92))
        for number, picture in enumerate((original, copy))
    ]
    first, second = (content_of(site.library, image) for image in images)
    return str(site.library.add_group(first, (second, Kind.NEAR, 4, Turn.NONE), evidence={"tone": {"brightness": 30}}))


@pytest.mark.parametrize(("locale", "width"), [("fr-FR", 1280), ("fr-FR", 1000), ("en-GB", 1440)])
def test_every_tool_of_a_comparison_has_its_place(serve: Serve, visit: Open, locale: str, width: int) -> None:
    site = serve()
    contents = [site.library.add_content(number) for number in range(4)]
    for content in contents:
        site.library.add_image(content, f"{content}.jpg")
    key = site.library.add_group(contents[0], *((one, Kind.NEAR, 4, Turn.NONE) for one in contents[1:]))
    page = visit(but="Failed to load resource", viewport={"width": width, "height": 720}, locale=locale)
    page.goto(f"{site.address}/groups/{key}")
    outside = """() => {
        const { right } = document.querySelector(".compare-tools").getBoundingClientRect();
        const tools = [...document.querySelectorAll(".compare-tools button, .review-head :is(a, button)")];
        return tools.filter((tool) => tool.offsetParent && (tool.closest(".compare-tools")
            ? tool.getBoundingClientRect().right > right : tool.getBoundingClientRect().right > innerWidth))
            .map((tool) => tool.title);
    }"""
    for mode in ("side", "flick", "slider", "difference"):
        expect(page.locator(f".compare[data-mode={mode}]")).to_be_visible()
        assert page.evaluate(outside) == [], mode
        page.keyboard.press("v")


def test_what_only_moves_promises_no_bytes(serve: Serve, visit: Open, tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    site = serve(toml=f"[sort.destinations]\nbest = '{tmp_path}/best'\n")
    contents = [site.library.add_content(number) for number in range(2)]
    kept, moved = (site.library.add_image(content, f"{content}.jpg") for content in contents)
    key = site.library.add_group(contents[0], (contents[1], Kind.NEAR, 4, Turn.NONE), images=2)
    choices = [{"image": kept, "choice": "keep"}, {"image": moved, "choice": "move", "destination": "best"}]
    Client(site.address).put(f"groups/{key}/decisions", {"decisions": choices})
    page = visit(but="Failed to load resource")
    page.goto(f"{site.address}/end")
    expect(page.get_by_role("link", name="Apply", exact=True).last).to_be_visible()
    page.get_by_role("heading", name="1 of 1 decided").wait_for()
    expect(page.locator("main")).not_to_contain_text("0 byte")
    page.goto(site.address)
    expect(page.locator(".card.decided .gain")).to_have_text("")
    expect(page.locator("[data-figure=reclaimable]")).to_have_text("0 bytes")


def test_the_progress_of_a_review_is_as_wide_as_a_phone(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = []
    for group in range(2):
        contents = [site.library.add_content(3 * group + number) for number in range(2)]
        images = [site.library.add_image(content, f"{content}.jpg", size_bytes=123_456_789_012) for content in contents]
        member = (contents[1], Kind.NEAR, 4, Turn.NONE)
        keys.append(site.library.add_group(contents[0], member, images=2, reclaimable_bytes=987_654_321_098))
    Client(site.address).put(f"groups/{keys[1]}/decisions", {"decisions": [{"image": images[1], "choice": "trash"}]})
    page = visit(but="Failed to load resource", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True,
                 locale="fr-FR")  # fmt: skip
    page.goto(f"{site.address}/groups/{keys[0]}")
    expect(page.get_by_text("prévus")).to_be_visible()
    for part in page.locator(".review-progress :is(span, a)").all():
        box = part.bounding_box()
        assert box["x"] + box["width"] <= 390 - 8, part.inner_text()


def test_a_group_has_the_name_of_the_image_on_its_card(serve: Serve, visit: Open) -> None:
    """That of the proposed image, which need not be the reference."""
    site = serve()
    contents = [
        site.library.add_content(1, width=400, height=300),
        site.library.add_content(2, width=4000, height=3000),
    ]
    for content, name in zip(contents, ("small.jpg", "large.jpg"), strict=True):
        site.library.add_image(content, name)
    key = site.library.add_group(contents[0], (contents[1], Kind.NEAR, 4, Turn.NONE), evidence={"scale": 10.0})
    page = visit(but="Failed to load resource")
    page.goto(site.address)
    expect(page.locator(".card h3")).to_have_text("large.jpg")
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".review-head h1")).to_have_text("large.jpg")
    expect(page).to_have_title("large.jpg · ComparImg")


def test_nothing_is_promised_before_the_first_search(serve: Serve, visit: Open) -> None:
    site = serve(detected=False)
    site.library.add_image(site.library.add_content(1), "alone.jpg")
    page = visit()
    page.goto(site.address)
    expect(page.locator("[data-figure=images]")).to_have_text("1")
    expect(page.locator("[data-figure=reclaimable]")).to_have_text("–")
    expect(page.locator("[data-figure=groups]")).to_have_text("–")


def test_a_decided_group_promises_what_is_decided(serve: Serve, visit: Open) -> None:
    site = serve()
    contents = [site.library.add_content(number, size_bytes=1000 * number) for number in (1, 2, 3)]
    images = [site.library.add_image(content, f"{content}.jpg", size_bytes=1000 * content) for content in contents]
    others = [(content, Kind.NEAR, 4, Turn.NONE) for content in contents[1:]]
    key = site.library.add_group(contents[0], *others, images=3, reclaimable_bytes=5000)
    client = Client(site.address)
    page = visit(but="Failed to load resource")
    page.goto(site.address)
    expect(page.locator(".card .gain")).to_have_text("5 kB reclaimable")
    kept, second, third = images
    choices = [{"image": third, "choice": "trash"}]
    client.put(f"groups/{key}/decisions", {"decisions": choices})
    # The same bytes are not promised twice while the rest is open.
    expect(page.locator("[data-figure=reclaimable]")).to_have_text("5 kB")
    choices = [{"image": kept, "choice": "keep"}, {"image": second, "choice": "keep"}]
    client.put(f"groups/{key}/decisions", {"decisions": choices})
    expect(page.locator(".card .gain")).to_have_text("3 kB reclaimable")
    expect(page.locator("[data-figure=reclaimable]")).to_have_text("3 kB")


def test_a_group_that_changed_is_offered_where_the_list_is_scrolled_to(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 30)
    page = visit(viewport={"width": 1366, "height": 768})
    page.goto(site.address)
    expect(page.locator(".card").nth(20)).to_be_attached()
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    change = "UPDATE duplicate_group SET images = 3, changed_ns = changed_ns + 1000000000 WHERE key = ?"
    site.store.write(lambda db: db.execute_sql(change, (keys[0],)))
    expect(page.get_by_role("button", name="The list has changed")).to_be_in_viewport()


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
    # Files that are being read are counted, and the reason is shown at a folder that is offline.
    expect(page.locator("[data-figure=images]")).to_have_text("4 of 100")
    expect(page.locator(".watched .reason")).not_to_be_empty()
    expect(page.locator(".card h3").nth(1)).to_have_text("hidden\u2423gpj.exe")
    # Once all of a group is kept, nothing can be reclaimed.
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


@pytest.mark.parametrize(("tie", "badge"), [(True, "perhaps"), (False, "proposed")])
def test_the_list_marks_a_proposal_that_is_not_certain(serve: Serve, visit: Open, tie: bool, badge: str) -> None:
    site = serve()
    contents = [site.library.add_content(seed) for seed in (1, 2)]
    for content, name in zip(contents, ("a.jpg", "b.jpg"), strict=True):
        site.library.add_image(content, name)
    site.library.add_group(contents[0], (contents[1], Kind.NEAR, 4, Turn.NONE))

    def answer(route: Any) -> None:
        listed = route.fetch().json()
        for group in listed["items"]:
            group["proposal"]["tie"] = tie
        route.fulfill(json=listed)

    page = visit()
    page.route("**/api/v1/groups?*", answer)
    page.goto(site.address)
    expect(page.locator(".card .badge")).to_have_text(badge)
    expect(page.locator(".card .badge.tie")).to_have_count(int(tie))
    page.unroute_all()


def test_an_answer_from_before_an_undo_that_comes_late_brings_no_decision_back(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pictures(site.library, 2)
    page = visit()
    page.goto(site.address)
    expect(page.locator(".card")).to_have_count(2)
    late: list[tuple[Any, Any]] = []

    def hold_first(route: Any) -> None:
        answer = route.fetch()
        if late:
            route.fulfill(response=answer)
        else:
            late.append((route, answer))

    page.route("**/api/v1/groups?*around=*", hold_first)
    page.locator(".card").first.get_by_role("button", name="Accept").click()
    expect(page.locator(".card .mark")).to_have_count(2)
    until_held(page, late)
    with page.expect_response("**/api/v1/groups?*around=*"):
        page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".card .mark")).to_have_count(0)
    route, answer = late[0]
    with page.expect_response("**/api/v1/groups?*around=*"):
        route.fulfill(response=answer)
    page.wait_for_timeout(300)
    expect(page.locator(".card .mark")).to_have_count(0)
    page.unroute_all()


def until_held(page: Page, late: list[Any]) -> None:
    """Wait until a request is held: its handler runs while the page is waited for."""
    for _ in range(300):
        if late:
            return
        page.wait_for_timeout(100)
    raise AssertionError("no request was made")


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
