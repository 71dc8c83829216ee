"""Rules on the page: previewed with all their examples, saved under a name, and run after a search."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from daemon.jobs.progress import NullProgress
from daemon.jobs.standing_rules import StandingRules
from index.database.records import batches, trash_items
from index.database.records.batches import Action, BatchKind, BatchState, Step
from index.database.records.trash_items import Item
from index.imaging.grouping.keeper import CRITERIA
from index.model import Identity
from support.accessibility import violations
from support.weblibrary import NOW_NS, add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]


@pytest.mark.slow
def test_a_rule_is_saved_runs_after_a_search_and_stops_when_undone(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pictures(site.library, 24)
    page = visit(viewport={"width": 1366, "height": 768})
    page.goto(f"{site.address}/rules")
    preview = page.get_by_role("region", name="Preview")
    # Eight groups have equal files: six examples, and the others behind them.
    expect(preview.locator(".samples li")).to_have_count(6)
    expect(preview).to_contain_text("1–6 of 8")
    preview.get_by_role("button", name="More examples").click()
    expect(preview.locator(".samples li")).to_have_count(2)
    # The preview stays in sight while the form is scrolled.
    page.mouse.move(200, 400)
    page.mouse.wheel(0, 600)
    page.wait_for_timeout(200)
    expect(page.get_by_role("heading", name="Preview")).to_be_in_viewport()
    # With near matches it does not run unattended before that is allowed.
    page.get_by_label("Near", exact=True).check(force=True)
    page.get_by_role("button", name="Save this rule…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Inbox")
    dialog.get_by_label("Run after each search").check()
    expect(dialog.get_by_label("Allow it to go beyond identical pixels?")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_label("Near", exact=True).uncheck(force=True)
    page.get_by_role("button", name="Save this rule…").click()
    dialog.get_by_label("Name").fill("Inbox")
    dialog.get_by_label("Run after each search").check()
    dialog.get_by_role("button", name="Save").click()
    saved = page.get_by_role("region", name="Saved rules")
    expect(saved.get_by_role("checkbox")).to_be_checked()
    assert violations(page) == []
    assert StandingRules(site.store, lambda: tuple(CRITERIA), dict).run(NullProgress()) == 8
    page.goto(site.address)
    notice = page.get_by_text("the rule “Inbox” decided 8 groups")
    expect(notice).to_be_visible()
    expect(page.locator(".card.decided")).to_have_count(8)
    notice.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("no longer runs")
    expect(page.locator(".card.decided")).to_have_count(0)
    page.goto(f"{site.address}/rules")
    expect(saved.get_by_role("checkbox")).not_to_be_checked()
    saved.get_by_role("button", name="Delete the rule Inbox").click()
    expect(saved).to_be_hidden()


def test_what_was_trashed_before_says_when(serve: Serve, visit: Open) -> None:
    site = serve()
    (key,) = add_pictures(site.library, 1)
    identity = Identity(1, 2, 300, 4)
    with site.store.read() as database:
        path, content_id = database.execute_sql("SELECT path, content_id FROM image WHERE id = 2").fetchone()
        (digest,) = database.execute_sql("SELECT digest FROM content WHERE id = ?", (content_id,)).fetchone()
    trashed_ns = NOW_NS - 10**15

    def trash(database: Any) -> None:
        batch_id = batches.add_batch(database, BatchKind.SORT, "name", trashed_ns, 1, state=BatchState.DONE)
        batches.add_steps(database, batch_id, [Step(Action.TRASH, path, identity, digest, trash=b"/t")])
        item = Item(b"/t/1", path, 2, 300, 4, digest, trashed_ns, batch_id, 1)
        trash_items.add(database, [item])

    site.store.write(trash)
    page = visit()
    page.goto(site.address)
    expect(page.locator(".card .trashed-before")).to_contain_text("You put this in the trash on")
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".compare-facts")).to_contain_text("You put this in the trash on")
    page.goto(f"{site.address}/rules")
    page.get_by_label("Near", exact=True).check(force=True)
    preview = page.get_by_role("region", name="Preview")
    expect(preview.locator(".big dd").first).to_have_text("0")
    page.get_by_label("Only what I have trashed before").check()
    expect(preview.locator(".big dd").first).to_have_text("1")
    expect(preview).to_contain_text("the other came back from the trash")
