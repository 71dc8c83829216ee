"""What axe-core finds on a page that a browser shows."""

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
# What is reported of a violation: enough to find it.
RUN = """async (only) => (await axe.run(document, only ? {runOnly: {type: "rule", values: only}} : {})).violations
    .flatMap(({id, nodes}) => nodes.map(({html, any}) => `${id}: ${html.slice(0, 160)} ${any[0]?.message ?? ""}`))"""


def violations(page: Page, *rules: str) -> list[str]:
    """The violations of the rules named, of all where none is."""
    page.evaluate(AXE.read_text("utf-8"))
    messages: list[str] = page.evaluate(RUN, list(rules) or None)
    return messages
