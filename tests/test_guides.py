"""Guides and READMEs: every command is accepted, and both languages say the same with the words of the page."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from daemon.ctl.main import program
from index.settings import SETTINGS
from support.doc_pages import TOP, blocks, commands, headings, prose_of, text_of

GUIDES = TOP / "docs" / "guides"
ENGLISH = [TOP / "README.md", *sorted((GUIDES / "en").glob("*.md"))]
FRENCH = [TOP / "README.fr.md", *sorted((GUIDES / "fr").glob("*.md"))]
BOTH = [*ENGLISH, *FRENCH]
INLINE = re.compile(r"`([^`\n]+)`")
LABEL = re.compile(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])")
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
# What may stand before comparimg-ctl, and what an example may run besides.
RUN_BESIDES = {"make", "touch", "docker", "journalctl", "echo", "sysctl"}
# Guides that name menus of other programs, too.
OTHER_MENUS = {"other-programs.md"}
MOST_WORDS = 7_500


def name_of(page: Path) -> str:
    return page.relative_to(TOP).as_posix()


def unwrapped(page: Path) -> str:
    """The prose of a page with each paragraph on one line."""
    return re.sub(r"(?<!\n)\n *(?!\n)", " ", prose_of(page))


def shell_lines() -> list[tuple[str, str]]:
    """The commands of the examples and those within sentences, each with its page."""
    lines = [(page, line.strip()) for page, body in blocks("sh", BOTH) for line in body.splitlines()]
    within = [(name_of(page), code) for page in BOTH for code in INLINE.findall(unwrapped(page))]
    runs = [(page, code) for page, code in within if re.search(r"comparimg-ctl [a-z-]|^make [a-z]", code)]
    return [(page, line) for page, line in (*lines, *runs) if line]


def words_of(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    return words[1:] if words[:1] == ["sudo"] else words


def program_of(words: list[str]) -> int | None:
    """Where comparimg-ctl is in a command."""
    return next((at for at, word in enumerate(words) if Path(word).name == "comparimg-ctl"), None)


@pytest.mark.parametrize(("page", "line"), shell_lines())
def test_every_command_is_one_that_its_program_accepts(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(line)
    at = program_of(words)
    if at is None:
        assert words == [] or words[0] in RUN_BESIDES
        return
    commands()
    # All arguments are parsed, and nothing is done.
    monkeypatch.setattr(click.Command, "invoke", lambda command, context: None)
    try:
        program.main(words[at + 1 :], prog_name="comparimg-ctl", standalone_mode=False)
    except click.exceptions.Exit as stop:
        assert stop.exit_code == 0


@pytest.mark.parametrize("page", BOTH, ids=name_of)
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(TOP / "Makefile"), re.MULTILINE))
    code = [*(body for _, body in blocks("sh", [page])), *INLINE.findall(unwrapped(page))]
    assert {target for text in code for target in MAKE.findall(text.partition("#")[0])} <= targets


@pytest.mark.parametrize("page", BOTH, ids=name_of)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    sections = {setting.key.partition(".")[0] for setting in SETTINGS}
    named = {
        code for code in INLINE.findall(unwrapped(page)) if re.fullmatch(rf"(?:{'|'.join(sections)})\.[a-z_]+", code)
    }
    assert named <= {setting.key for setting in SETTINGS}


def test_each_guide_is_there_in_both_languages() -> None:
    assert [page.name for page in FRENCH[1:]] == [page.name for page in ENGLISH[1:]]


@pytest.mark.parametrize("english", ENGLISH[1:], ids=name_of)
def test_both_languages_have_the_same_headings_and_examples(english: Path) -> None:
    french = GUIDES / "fr" / english.name
    assert [level for level, _ in headings(french)] == [level for level, _ in headings(english)]
    for kind in ("sh", "toml"):
        assert len(blocks(kind, [french])) == len(blocks(kind, [english]))


@pytest.mark.parametrize("page", [page for page in BOTH if page.name not in OTHER_MENUS], ids=name_of)
def test_labels_in_italics_are_those_of_the_page(page: Path) -> None:
    language = "fr" if page in FRENCH else "en"
    texts = json.loads(text_of(TOP / "webui" / "locale" / f"{language}.json")).values()
    known = {bare(text) for text in texts}
    assert [label for label in LABEL.findall(unwrapped(page)) if bare(label) not in known] == []


def bare(label: str) -> str:
    """A label without the ellipsis of a button that asks for more."""
    return label.replace("…", "").strip().casefold()


@pytest.mark.parametrize("page", FRENCH, ids=name_of)
def test_french_is_set_with_the_spaces_and_quotes_of_french(page: Path) -> None:
    prose = re.sub(r"\]\([^)]*\)|https?://\S+", "", INLINE.sub("code", unwrapped(page)))
    wrong = r"['\"]|(?<!\u202f)[;!?%](?=[\s,.)]|$)|(?<![\u00a0:|-]):(?=\s|$)|«(?!\u00a0)|(?<!\u00a0)»"
    assert [prose[max(hit.start() - 20, 0) : hit.end() + 10] for hit in re.finditer(wrong, prose)] == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_guide_to_the_review_lists_every_key(language: str) -> None:
    script = text_of(TOP / "webui" / "static" / "components" / "keys.js")
    keys = [key for line in re.findall(r"\bkeys: \[([^\]]+)\]", script) for key in re.findall(r'"([^"]+)"', line)]
    table = re.findall(r"^\| (`.+`) \|", text_of(GUIDES / language / "review.md"), re.MULTILINE)
    assert len(keys) > 40
    assert sorted(key for row in table for key in re.findall(r"`([^`]+)`", row)) == sorted(keys)


def test_the_guides_are_short() -> None:
    assert sum(len(text_of(page).split()) for page in ENGLISH[1:]) <= MOST_WORDS
