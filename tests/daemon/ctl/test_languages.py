"""The commands speak the language of the console: help, output, errors and what click itself says."""

import argparse
import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from daemon import __main__ as daemon_program
from daemon import help_language
from daemon.console_language import console_language
from daemon.ctl import sections, shell_files
from daemon.ctl.main import register_all
from daemon.help_language import joined_lines, localize, texts
from daemon.remote_workers import join
from index.messages import catalogue
from support.typography import faults

TOP = Path(__file__).parents[3]
FRENCH = texts("fr")


def commands(command: click.Command) -> list[click.Command]:
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return [command, *(each for child in below for each in commands(child))]


def help_texts(command: click.Command) -> list[str]:
    options = [parameter.help for parameter in command.params if isinstance(parameter, click.Option)]
    return [joined_lines(text) for text in (command.help, *options) if text]


@pytest.fixture(scope="module")
def everything() -> list[click.Command]:
    program = register_all()
    for root in (program, join.program):
        localize(root, "en")
    return [*commands(program), *commands(join.program)]


def test_every_help_text_is_in_french(everything: list[click.Command]) -> None:
    assert len(everything) > 60
    assert {text for command in everything for text in help_texts(command)} - set(FRENCH) == set()
    titles = {title for title, _ in sections.SECTIONS} | {meaning for _, meaning in shell_files.EXIT_CODES}
    assert titles - set(FRENCH) == set()


def test_every_option_says_what_it_does(everything: list[click.Command]) -> None:
    silent = [
        (command.name, parameter.name)
        for command in everything
        for parameter in command.params
        if isinstance(parameter, click.Option) and not (parameter.help or parameter.hidden)
    ]
    assert silent == []


def test_no_french_help_text_is_left_over(everything: list[click.Command]) -> None:
    """Those of our own programs are in the code; the other keys are sentences of click and argparse."""
    files = [*Path(click.__file__).parent.glob("*.py"), Path(argparse.__file__)]
    theirs = {text for file in files for text in strings_of(file)}
    ours = {joined_lines(text) for file in (TOP / "daemon").rglob("*.py") for text in strings_of(file)}
    names = {key for key in FRENCH if re.fullmatch(r"\[?[A-Z|=]+( [A-Z]+)?\]?(\.\.\.)?|WxH", key)}
    assert set(FRENCH) - theirs - ours - names == set()


def strings_of(file: Path) -> list[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_help_is_set_by_the_rules_of_french() -> None:
    """Of a synopsis, the dots stay; a heading ends with the space before the colon that click adds."""
    texts_in_french = {
        english: re.sub(r"%\(", "(", french.strip()) for english, french in FRENCH.items() if not french.endswith("...")
    }
    assert {english: found for english, french in texts_in_french.items() if (found := faults(french, "fr"))} == {}
    assert [english for english, french in FRENCH.items() if len(english) > 24 and french == english] == []
    fields = re.compile(r"(?<!\{)\{(\w+)|%\((\w+)\)")
    assert [
        key for key, french in FRENCH.items() if sorted(fields.findall(key)) != sorted(fields.findall(french))
    ] == []


def test_english_help_is_set_by_the_rules_of_english(everything: list[click.Command]) -> None:
    wrong = {text: found for command in everything for text in help_texts(command) if (found := faults(text, "en"))}
    assert wrong == {}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_short_help_is_cut_off(everything: list[click.Command], language: str) -> None:
    roots = [register_all(), join.program]
    for root in roots:
        localize(root, language)
    cut = []
    for command in everything:
        below = command.commands if isinstance(command, click.Group) else {}
        width = 80 if isinstance(command, sections.Sectioned) else 72 - max(map(len, below), default=0)
        cut += [name for name, child in below.items() if child.get_short_help_str(width).endswith("...")]
    for root in roots:
        localize(root, "en")
    assert cut == []


def test_every_heading_has_a_wording() -> None:
    """Tables are printed with English names of columns."""
    names = set()
    for file in (TOP / "daemon/ctl").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "print_table":
                names |= set(ast.literal_eval(node.args[0])) - {""}
    assert len(names) > 40
    wordings = {code.removeprefix("heading.") for code in catalogue("en") if code.startswith("heading.")}
    assert {name.replace(" ", "_") for name in names} == wordings


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr"}, "fr"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "fr_CA.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "C.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_locale_chooses(environment: dict[str, str], language: str) -> None:
    assert console_language(environment) == language


def ask(locale: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return subprocess.run(
        arguments, env={**environment, "LANG": locale}, capture_output=True, encoding="utf-8", check=False, timeout=60
    )


@pytest.mark.parametrize("locale", ["fr_FR.UTF-8", "fr", "en_US.UTF-8", "C"])
def test_programs_speak_it(locale: str) -> None:
    ctl = str(Path(sys.executable).with_name("comparimg-ctl"))
    worker = str(Path(sys.executable).with_name("comparimg-worker"))
    is_french = locale.startswith("fr")
    usage = "Usage\u00a0: comparimg-ctl detect" if is_french else "Usage: comparimg-ctl detect"
    help_page = ask(locale, ctl, "detect", "-h")
    assert help_page.stdout.startswith(usage), help_page
    assert ("Afficher cette aide" in help_page.stdout) == is_french
    unknown = ask(locale, ctl, "detect", "--nonsense")
    assert ("Option inconnue\u00a0: --nonsense." if is_french else "No such option '--nonsense'.") in unknown.stderr
    missing = ask(locale, worker, "join")
    assert ("Argument manquant" if is_french else "Missing argument") in missing.stderr
    wrong = ask(locale, sys.executable, "-m", "daemon", "--nonsense")
    assert ("arguments inconnus" if is_french else "unrecognized arguments") in wrong.stderr


def test_argparse_and_click_still_look_their_sentences_up_as_we_replace_it() -> None:
    for module in help_language.MODULES:
        assert hasattr(module, "_"), module
    assert daemon_program is not None
