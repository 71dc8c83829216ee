"""The pages of the documentation, and what tests ask of them: examples, headings, anchors, commands."""

import re
from pathlib import Path

import pytest

from daemon.ctl.main import main, program

TOP = Path(__file__).parents[2]
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def prose_of(page: Path) -> str:
    """The text of a page without its fenced examples."""
    return BLOCK.sub("", text_of(page))


def blocks(language: str, pages: list[Path] = PAGES) -> list[tuple[str, str]]:
    """The fenced examples in a language, each with the path of its page from the top of the repository."""
    return [
        (page.relative_to(TOP).as_posix(), body)
        for page in pages
        for kind, body in BLOCK.findall(text_of(page))
        if kind == language
    ]


def headings(page: Path) -> list[tuple[int, str]]:
    """The headings of a page: level and text."""
    return [(len(marks), text) for marks, text in re.findall(r"^(#+) (.+)$", prose_of(page), re.MULTILINE)]


def anchors(page: Path) -> set[str]:
    """The names that the headings of a page can be linked by, made as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _, text in headings(page)}


def commands() -> set[str]:
    """The commands of comparimg-ctl, which it registers when it starts."""
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    return set(program.commands)
