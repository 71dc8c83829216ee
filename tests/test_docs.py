"""What is written for people is true: examples are accepted, links lead somewhere, versions and commands are real."""

import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from daemon.configuration.config import load
from daemon.ctl.main import program
from index.errors import ConfigError
from support.doc_pages import BLOCK, PAGES, TOP, anchors, blocks, commands, prose_of, text_of

LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a) [^>]*(?:src|href)=\"([^\"]+)\"")
PIN = re.compile(r"^([\w-]+)==([\w.]+)", re.MULTILINE)
ROW = re.compile(r"^\| ([\w-]+) \| (\d[\w.]*) \|", re.MULTILINE)
# In code only: prose may go on after the name of the program as it likes.
COMMAND = re.compile(r"(?:`|^[ $]*)(?:[\w./]*/)?comparimg-ctl ([a-z][a-z-]+)", re.MULTILINE)


@pytest.mark.parametrize(("page", "example"), blocks("toml"))
def test_every_example_of_the_configuration_is_accepted(tmp_path: Path, page: str, example: str) -> None:
    tomllib.loads(example)
    file = tmp_path / "comparimg.toml"
    file.write_text(example, "utf-8")
    assert load(file, {}).source == file


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TOP).as_posix())
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    lost = []
    for markdown, html in LINK.findall(prose_of(page)):
        link = markdown or html
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TOP).as_posix())
def test_every_table_has_a_header(page: Path) -> None:
    """A row after an empty line is a paragraph with bars."""
    tables = re.findall(r"(?:^ *\|.*\n)+", prose_of(page), re.MULTILINE)
    assert [table for table in tables if not re.match(r".*\n *\|[-:| ]+\|\n", table)] == []


def test_every_dependency_stands_with_its_version_in_the_docs() -> None:
    pins: dict[str, str] = {}
    for name in ("requirements.txt", "requirements-dev.txt"):
        pins |= PIN.findall(text_of(TOP / name))
    assert dict(ROW.findall(text_of(TOP / "docs" / "dependencies.md"))) == pins


def test_no_page_mentions_a_command_that_does_not_exist() -> None:
    assert {name for page in PAGES for name in COMMAND.findall(text_of(page))} <= commands()


def test_the_manual_of_the_shell_describes_every_command() -> None:
    manual = TOP / "docs" / "commands.md"
    if not manual.exists():
        pytest.skip("docs/commands.md is not written yet")
    assert set(COMMAND.findall(text_of(manual))) == commands()


def test_the_manual_of_the_shell_names_every_part_of_a_command() -> None:
    commands()
    rows = text_of(TOP / "docs" / "commands.md").splitlines()
    parts = [
        (name, part)
        for name, group in program.commands.items()
        if isinstance(group, click.Group)
        for part in group.commands
    ]
    assert len(parts) > 20
    for name, part in parts:
        of_command = " ".join(row for row in rows if f"comparimg-ctl {name} " in row)
        assert re.search(rf"`[^`]*\b{part}\b[^`]*`", of_command), f"{name} {part}"


def test_every_pattern_of_the_architecture_finds_its_file() -> None:
    page = text_of(TOP / "docs/architecture.md")
    rows = re.findall(r"^\| Where [^|]+ \| `([^`]+)` \| `([^`]+)`", page, re.MULTILINE)
    assert len(rows) == 8
    for pattern, name in rows:
        files = [path for part in ("index", "daemon", "webui") for path in (TOP / part).rglob("*.py")]
        hits = {path.relative_to(TOP).as_posix() for path in files if pattern in path.read_text("utf-8")}
        beside = {hit for hit in hits if hit.startswith("webui/")} if name == "webui/api/table.py" else {name}
        assert name in hits
        assert hits <= beside, pattern


# Pages for developers, and what is generated, apart.
UNCOUNTED = {"architecture.md", "dependencies.md", "model-card.md", "releasing.md", "thresholds.md"}
MOST_WORDS = 20_000


def test_guides_and_reference_are_short() -> None:
    docs = TOP / "docs"
    pages = [*docs.glob("guides/en/*.md"), *(page for page in docs.glob("*.md") if page.name not in UNCOUNTED)]
    words = {page.name: len(re.findall(r"\S*[^\W_]\S*", text_of(page))) for page in pages}
    assert sum(words.values()) < MOST_WORDS, sorted(words.items(), key=lambda item: -item[1])


DECISIONS = sorted((TOP / "docs/decisions").glob("0*.md"))


@pytest.mark.parametrize("folder", ["measurements", "decisions"])
def test_the_index_of_a_folder_lists_its_pages(folder: str) -> None:
    pages = {page.name for page in (TOP / "docs" / folder).glob("*.md")} - {"README.md"}
    listed = set(re.findall(r"[\w-]+\.md", text_of(TOP / "docs" / folder / "README.md")))
    assert pages <= listed


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_its_four_parts_and_is_short(page: Path) -> None:
    parts = re.findall(r"^## (.+)$", text_of(page), re.MULTILINE)
    assert parts == ["Context", "Decision", "Consequences", "What would make us change it"]
    assert 150 <= len(text_of(page).split()) <= 300


def test_the_example_of_mistakes_is_what_the_check_prints(tmp_path: Path) -> None:
    (tmp_path / "Pictures").mkdir()
    file = tmp_path / "comparimg.toml"
    watch = f'[[watch]]\npath = "Pictures"\n[[watch]]\npath = "{tmp_path}/Pictures"\n'
    file.write_text(f'[daemon]\nlgo = "debug"\n[detect]\nhsize = 12\n{watch}', "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    shown = str(caught.value).replace(str(tmp_path), "/home/ann")
    assert shown in {body.strip() for _, body in blocks("", [TOP / "docs" / "configuration.md"])}


# Examples that are neither commands nor settings, and what checks them.
OTHER_EXAMPLES = {
    "": "drawings, paths, and what a program prints",
    "json": "below",
    "yaml": "the configuration of Prometheus: tests/webui/test_metrics.py reads what it fetches",
    "caddyfile": "tests/webui/test_proxies.py, with a real proxy",
    "nginx": "tests/webui/test_proxies.py, with a real proxy",
}


def test_every_kind_of_example_is_checked_somewhere() -> None:
    kinds = {kind for page in PAGES for kind, _ in BLOCK.findall(text_of(page))}
    assert kinds == {"sh", "toml", *OTHER_EXAMPLES}


@pytest.mark.parametrize(("page", "example"), blocks("json"))
def test_every_example_of_json_is_valid(page: str, example: str) -> None:
    assert json.loads(example)


def test_every_benchmark_is_named_where_measurements_are_made_again() -> None:
    (row,) = [line for line in text_of(TOP / "docs/measurements/README.md").splitlines() if "`make bench`" in line]
    named = set(re.findall(r"`(\w+)`", row.split("|")[2]))
    assert named == {path.stem for path in (TOP / "bench").glob("[!_]*.py")}
