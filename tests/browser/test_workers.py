"""The page shows the machines that do lent work, where there are any."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from index.messages import Message
from support.weblibrary import NOW_NS
from webui.services import Lending, RemoteWorker

Open = Callable[..., Page]
Serve = Callable[..., Any]


def test_each_machine_is_shown_with_its_share(serve: Serve, visit: Open) -> None:
    site = serve()
    site.daemon.lending = Lending(
        "tls://10.0.0.1:5443", ("verify",), True, True, None,
        workers=[
            RemoteWorker("desktop", 1, NOW_NS, "10.0.0.2", 8, 16, {"verify": 60, "embed": 15}, 1),
            RemoteWorker("<b>laptop</b>", 1, problem=Message("lending.silent")),
        ],
        home_processes=2, home_done={"verify": 25},
    )  # fmt: skip
    page = visit()
    page.goto(f"{site.address}/activity")
    panel = page.locator(".panel.workers")
    expect(panel).to_contain_text("They connect to tls://10.0.0.1:5443.")
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("25%")
    expect(rows.nth(1)).to_contain_text("60 pairs compared · 15 pictures processed by the model")
    expect(rows.nth(1)).to_contain_text("1 task was done here instead")
    expect(rows.nth(2)).to_contain_text("<b>laptop</b>")
    expect(rows.nth(2)).to_contain_text("It stopped answering.")
    expect(panel).not_to_contain_text("null")


def test_where_nothing_is_lent_nothing_is_shown(serve: Serve, visit: Open) -> None:
    page = visit()
    page.goto(f"{serve().address}/activity")
    expect(page.locator("table.jobs")).to_be_attached()
    expect(page.locator(".panel.workers")).to_be_hidden()
