"""What the service says in English has its French form, wherever the page may come to show it."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.settings import LIVE
from index.upkeep import unfinished

HOUSE = Path(__file__).parents[2]
SAID: dict[str, str] = json.loads((HOUSE / "webui" / "locale" / "said.fr.json").read_text())
ERRORS = {"NotFound", "NoRoom", "PictureError", "Refusal", "RootUnavailable", "StepRefused", "StoreError", "UsageError",
          "WorkersUnavailable"}  # fmt: skip
# What is said at a start or on the command line, where there is no page.
NO_PAGE = ("daemon/client.py", "daemon/configuration", "daemon/ctl", "daemon/machine", "daemon/logs.py", "index/upkeep",
           "index/encoding/recompress.py", "index/store.py", "index/triggers.py")  # fmt: skip


def template(node: ast.expr) -> str:
    """A text in the code with {} for what it is filled with; "" for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


def sentences() -> Iterator[str]:
    for part in ("index", "webui", "daemon"):
        for path in sorted((HOUSE / part).rglob("*.py")):
            if path.relative_to(HOUSE).as_posix().startswith(NO_PAGE):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                    given = [*node.args, *(keyword.value for keyword in node.keywords)]
                    yield from (text for one in given if " " in (text := template(one)))


def test_what_errors_say_has_its_french_form() -> None:
    said = set(sentences())
    assert len(said) > 100
    assert said - {key.replace("{n}", "{}") for key in SAID} == set()


@pytest.mark.parametrize("text", [unfinished.JOB, unfinished.BEGUN, unfinished.PLANNED])
def test_what_is_said_of_jobs_and_steps_ended_by_a_restoration_has_its_french_form(text: str) -> None:
    assert set(re.split(r"(?<=[.]) (?=[A-Z])", text)) <= set(SAID)


@pytest.mark.parametrize("english", SAID)
def test_what_stands_in_a_sentence_stands_in_its_french_form(english: str) -> None:
    theirs = re.findall(r"\{\d?\}", SAID[english])
    assert SAID[english].strip()
    assert len(theirs) <= len(re.findall(r"\{n?\}", english))
    assert len(theirs) == len(re.findall(r"\{n?\}", english)) or all(one != "{}" for one in theirs)
    assert english.endswith(".") == SAID[english].endswith(".")


def test_what_settings_accept_has_its_french_form() -> None:
    words = {one.accepted for one in LIVE if not one.choices}
    words = {re.sub(r"^\S+ to \d+$", "{n} to {n}", word) for word in words}
    assert {re.sub(r"^0, or \d+ to \d+$", "0, or {n} to {n}", word) for word in words} - set(SAID) == set()


@pytest.mark.parametrize("name", ["fr", "said.fr"])
def test_french_punctuation_begins_no_line(name: str) -> None:
    texts = json.loads((HOUSE / "webui" / "locale" / f"{name}.json").read_text()).values()
    assert [text for text in texts if re.search(r" [:;?!»]|« ", text)] == []
