"""The list of groups: without an end, with a selection of many, and with what is left to do once all is decided."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from daemon.client import Client
from daemon.jobs.bulk_jobs import BulkJobs
from daemon.jobs.runner import Runner
from index.database.queries import rule_application
from index.model import JobKind
from support.accessibility import violations
from support.serving import until
from support.weblibrary import add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]
GROUPS = 60


def top_of(page: Page, key: str) -> int:
    return round(page.locator(f"[data-group='{key}']").evaluate("(card) => card.getBoundingClientRect().top"))


def selected(page: Page) -> list[str]:
    return list(page.locator(".card.selected").evaluate_all("(cards) => cards.map((card) => card.dataset.group)"))


@pytest.mark.slow
def test_a_list_without_an_end_comes_back_to_the_same_group(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, GROUPS)
    days = "UPDATE content SET taken = '2019-05-' || printf('%02d', id % 28 + 1) || 'T10:00:00'"
    site.store.write(lambda db: db.execute_sql(days))
    page = visit(viewport={"width": 2560, "height": 900})
    page.goto(site.address)
    cards = page.locator(".card")
    expect(cards.first).to_be_visible()
    columns = "getComputedStyle(document.querySelector('.groups')).gridTemplateColumns.split(' ').length"
    assert page.evaluate(columns) == 6
    page.set_viewport_size({"width": 1280, "height": 900})
    cards.last.scroll_into_view_if_needed()
    expect(page.locator(f"[data-group='{keys[40]}']")).to_have_count(1)
    card = page.locator(f"[data-group='{keys[40]}']")
    card.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    before = top_of(page, keys[40])
    card.locator("a.pair").click()
    expect(page.locator(".compare")).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_be_visible()
    assert abs(top_of(page, keys[40]) - before) <= 2
    assert card.locator("a.pair").evaluate("(link) => link === document.activeElement")
    # A reload and the browser's own way back lead there, too; and the review goes on from another group.
    page.reload()
    expect(card).to_be_visible()
    assert abs(top_of(page, keys[40]) - before) <= 2
    card.locator("a.pair").click()
    expect(page.locator(".compare")).to_be_visible()
    page.keyboard.press("n")
    expect(page).to_have_url(f"{site.address}/groups/{keys[41]}")
    page.go_back()
    expect(page.locator(f"[data-group='{keys[41]}']")).to_be_in_viewport()
    # From there the whole list is reached in both directions.
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator(f"[data-group='{keys[0]}']")).to_have_count(1)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(cards).to_have_count(GROUPS)
    assert cards.evaluate_all("(cards) => cards.map((card) => card.dataset.group)") == keys
    # Counts of kinds follow what is searched for.
    all_kinds = page.locator(".tab.kind-all .n")
    expect(all_kinds).to_have_text(str(GROUPS))
    page.get_by_role("searchbox").fill("holiday 1")
    page.keyboard.press("Enter")
    expect(all_kinds).to_have_text("11")
    page.goto(site.address)
    page.locator(".dates summary").click()
    page.get_by_label("From").fill("2019-05-27")
    page.get_by_label("From").press("Enter")
    expect(page).to_have_url(f"{site.address}/?since=2019-05-27")
    with site.store.read() as database:
        question = (
            "SELECT count(DISTINCT group_id) FROM member JOIN content ON id = content_id WHERE taken > '2019-05-27'"
        )
        (wanted,) = database.execute_sql(question).fetchone()
    expect(all_kinds).to_have_text(str(wanted))


@pytest.mark.slow
def test_many_groups_are_decided_at_once_and_undone(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 12)
    page = visit()
    page.goto(site.address)
    cards = page.locator(".card")
    expect(cards).to_have_count(12)
    columns = page.locator(".groups").evaluate("(list) => getComputedStyle(list).gridTemplateColumns.split(' ').length")
    bar = page.get_by_role("region", name="Selected groups")
    expect(bar).to_be_hidden()
    # A box, then Shift up to another card; Shift with an arrow; Escape.
    cards.nth(1).locator(".pick").click()
    cards.nth(3).locator("a.pair").click(modifiers=["Shift"])
    assert selected(page) == keys[1:4]
    expect(bar).to_contain_text("3 groups selected")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    cards.nth(4).locator("a.pair").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    assert selected(page) == keys[4:6]
    page.keyboard.press("Escape")
    # Up and down lead by a row; Shift selects on the way.
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.closest('.card').dataset.group") == keys[5 - columns]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    assert selected(page) == keys[5 : 6 + columns]
    page.keyboard.press("Escape")
    # Dragging with the mouse opens nothing.
    page.evaluate("document.querySelector('.groups').scrollIntoView()")
    page.mouse.wheel(0, -100)
    page.wait_for_timeout(200)
    first, last = (cards.nth(place).locator("a.pair").bounding_box() for place in (0, 4))
    assert first is not None
    assert last is not None
    page.mouse.move(first["x"] + 40, first["y"] + 100)
    page.mouse.down()
    page.mouse.move(last["x"] + 50, last["y"] + 20, steps=4)
    page.mouse.up()
    assert selected(page) == [keys[0], keys[1], keys[3], keys[4]]
    assert page.url == f"{site.address}/"
    # "Not duplicates" for the selection: of four groups one has equal files.
    page.keyboard.press("b")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("4")
    dialog.get_by_role("button", name="Not duplicates").click()
    expect(cards).to_have_count(8)
    page.keyboard.press("u")
    expect(cards).to_have_count(12)
    # The proposals of the whole list: what is marked by hand stays, what is not certain stays open.
    site.store.write(lambda db: db.execute_sql("UPDATE duplicate_group SET kind = 'pixels' WHERE kind = 'near'"))
    site.store.write(lambda db: db.execute_sql("UPDATE match SET kind = 'pixels', evidence = '{}'"))
    site.store.write(lambda db: db.execute_sql("UPDATE member SET kind = 'pixels' WHERE kind = 'near'"))
    page.goto(f"{site.address}/groups/{keys[0]}")
    expect(page.locator(".compare")).to_be_visible()
    with page.expect_response("**/decisions"):
        page.keyboard.press("2")
        page.keyboard.press("k")
    page.goto(f"{site.address}/?decided=none,partly")
    expect(cards).to_have_count(12)
    page.get_by_role("button", name="Select all", exact=True).click()
    expect(bar).to_contain_text("All 12 groups of this list")
    page.keyboard.press("a")
    expect(dialog).to_contain_text("12")
    dialog.get_by_role("button", name="Accept").click()
    # With all decided, the list of open groups says what to do next.
    expect(page.get_by_role("heading", name="12 of 12 decided")).to_be_visible()
    expect(page.get_by_role("link", name="Apply:")).to_be_visible()
    group = page.request.get(f"{site.address}/api/v1/groups/{keys[0]}").json()
    assert [one["decision"]["choice"] for one in group["images"]["items"]] == ["keep", "keep"]
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(cards).to_have_count(12)
    expect(page.locator(".mark-keep")).to_have_count(1)
    # What another tab or a program decides is there at once, in the list and in a group.
    decide = f"{site.address}/api/v1/groups/{keys[2]}/decisions"
    images = page.request.get(decide.removesuffix("/decisions")).json()["images"]["items"]
    page.request.put(decide, data={"decisions": [{"image": images[1]["id"], "choice": "trash"}]})
    expect(page.locator(f"[data-group='{keys[2]}'] .mark-trash")).to_be_visible()
    page.goto(f"{site.address}/groups/{keys[2]}")
    expect(page.locator(".pane .mark-trash.mark")).to_be_visible()
    site.daemon.clock_ns += 1
    page.request.put(decide, data={"decisions": [{"image": images[1]["id"], "choice": "keep"}]})
    expect(page.locator(".pane .mark-keep.mark")).to_be_visible()


def test_copies_are_moved_or_linked_and_decisions_cleared_for_a_selection(
    serve: Serve, visit: Open, tmp_path: Path
) -> None:
    (tmp_path / "best").mkdir()
    site = serve(toml=f"[sort.destinations]\nbest = '{tmp_path}/best'\n")
    add_pictures(site.library, 4)
    client = Client(site.address)
    exact = next(group["id"] for group in client.pages("groups") if group["kind"] == "exact")
    page = visit()

    def choices() -> list[str]:
        items = client.get(f"groups/{exact}/decisions")["items"]
        return sorted(one["choice"] for one in items)

    def choose(other: str) -> Any:
        page.goto(f"{site.address}/?kind=exact")
        expect(page.locator(".card")).not_to_have_count(0)
        page.get_by_role("button", name="Select all", exact=True).click()
        page.get_by_role("button", name="More…").click()
        sheet = page.get_by_role("dialog")
        assert violations(page) == []
        sheet.get_by_role("button", name=other).click()
        return sheet

    sheet = choose("Move the copies")
    sheet.get_by_role("button", name="best").click()
    expect(sheet).to_contain_text("images to move")
    sheet.get_by_role("button", name="Move the copies").click()
    until(lambda: choices() == ["keep", "move"])
    sheet = choose("Clear the decisions")
    expect(sheet).to_contain_text("decisions to clear")
    sheet.get_by_role("button", name="Clear the decisions").click()
    until(lambda: choices() == [])
    page.keyboard.press("u")
    until(lambda: choices() == ["keep", "move"])
    sheet = choose("Clear the decisions")
    sheet.get_by_role("button", name="Clear the decisions").click()
    until(lambda: choices() == [])
    sheet = choose("Replace identical files by links")
    expect(sheet).to_contain_text("files to replace")
    sheet.get_by_role("button", name="Replace identical files by links").click()
    until(lambda: choices() == ["keep", "link"])


def test_a_job_decides_about_very_many_groups_after_an_estimate(
    serve: Serve, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_application, "ANSWERED_AT_ONCE", 6)
    monkeypatch.setattr(rule_application, "ESTIMATED_FROM", 4)
    site = serve()
    add_pictures(site.library, 8)
    runner = Runner(site.store, {JobKind.DECIDE: BulkJobs(site.store).run})
    runner.start()
    try:
        page = visit()
        page.goto(site.address)
        expect(page.locator(".card")).to_have_count(8)
        page.keyboard.press("Control+a")
        page.route("**/decisions/preview*", lambda route: (time.sleep(1), route.continue_()))
        page.locator(".select-bar").get_by_role("button", name="Keep all").click()
        expect(page.locator(".toast")).to_contain_text("Counting")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Estimated from 4 of 8 groups")
        dialog.get_by_role("button", name="Count all groups").click()
        expect(dialog).not_to_contain_text("estimated")
        expect(dialog.locator(".big dd").first).to_have_text("8")
        dialog.get_by_role("button", name="Keep all").click()
        expect(page.locator(".toast").last).to_contain_text("8 groups")
        expect(page.locator(".card.decided")).to_have_count(8)
        page.locator(".toast").last.get_by_role("button", name="Undo").click()
        expect(page.locator(".card.decided")).to_have_count(0)
        page.unroute_all()
    finally:
        runner.stop()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_labels_of_the_figures_stand_on_one_line(serve: Serve, visit: Open, width: int) -> None:
    site = serve()
    add_pictures(site.library, 2)
    page = visit(but="Failed to load resource", viewport={"width": width, "height": 844})
    page.goto(site.address)
    expect(page.locator(".hero .figure dt")).to_have_count(3)
    tops = page.locator(".hero .figure dt").evaluate_all(
        "(labels) => labels.map((one) => one.getBoundingClientRect().y)"
    )
    assert max(tops) - min(tops) < 1, tops
