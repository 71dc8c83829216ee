"""The catalogue and the code agree, both languages say the same, and messages survive JSON and other versions."""

import ast
import errno
import os
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.errors import ComparImgError, ConfigError, FileError, UsageError
from index.messages import (
    LANGUAGES,
    PLACE,
    Message,
    catalogue,
    fields,
    hint_of,
    joined,
    nearest_language,
    of_json,
    of_os_error,
    render,
    text,
    to_json,
)
from support.typography import faults

TOP = Path(__file__).parents[2]
MODULES = sorted(path for part in ("index", "webui", "daemon") for path in (TOP / part).rglob("*.py"))
CODE = re.compile(r"[a-z_]+(\.[A-Za-z_0-9]+)+")
# Where the code is in a call; every subclass of ComparImgError is one of these or has the code first.
PLACE_OF_CODE = {"PictureError": 1, "StepRefused": 1, "MovedWithIt": 1, "FileError": 1, "HttpError": 2, "_Refused": 1}
NO_PARAMETERS = frozenset({"field", "hint", "headers"})
OTHER_KEYWORDS: dict[str, frozenset[str]] = {"Message": frozenset()}
Nodes = list[tuple[Path, ast.AST]]


@pytest.fixture(scope="module")
def nodes() -> Nodes:
    """Every node of the syntax of every module: seconds to make, so only where they are asked for."""
    return [(path, node) for path in MODULES for node in ast.walk(ast.parse(path.read_text()))]


def error_classes(nodes: Nodes) -> set[str]:
    """The names of Message and of every error that is raised with a code."""
    names = {"Message", "ComparImgError", "FileError", "_Refused"}
    classes = [node for _, node in nodes if isinstance(node, ast.ClassDef)]
    while (
        more := {
            node.name for node in classes if any(isinstance(base, ast.Name) and base.id in names for base in node.bases)
        }
        - names
    ):
        names |= more
    return names - {"ConfigError"}


@dataclass(frozen=True)
class Use:
    """A call that names a code, as a pattern; `params` is None if not all of them are known."""

    where: str
    pattern: str
    params: frozenset[str] | None


def pattern_of(node: ast.expr) -> Iterator[str]:
    """The codes that an expression may stand for, as patterns."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from pattern_of(node.body)
        yield from pattern_of(node.orelse)


def uses_in(nodes: Nodes) -> Iterator[Use]:
    classes = error_classes(nodes)
    for path, node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in classes:
            continue
        place = PLACE_OF_CODE.get(node.func.id, 0)
        if len(node.args) > place:
            names = {keyword.arg for keyword in node.keywords} - OTHER_KEYWORDS.get(node.func.id, NO_PARAMETERS)
            known = None if None in names else frozenset(filter(None, names))
            for pattern in pattern_of(node.args[place]):
                yield Use(f"{path.relative_to(TOP)}:{node.lineno}", pattern, known)


@pytest.fixture(scope="module")
def uses(nodes: Nodes) -> list[Use]:
    return list(uses_in(nodes))


ENGLISH = catalogue("en")


def places(wording: str) -> set[str]:
    return {place[0] for place in PLACE.findall(wording)}


def test_every_code_in_the_code_is_in_the_catalogue(uses: list[Use]) -> None:
    assert len(uses) > 300
    assert [use for use in uses if not any(re.fullmatch(use.pattern, code) for code in ENGLISH)] == []


def test_every_entry_of_the_catalogue_is_used(nodes: Nodes, uses: list[Use]) -> None:
    written = {
        node.value
        for _, node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }
    worked_out = re.compile("|".join(use.pattern for use in uses))
    system = {f"os.{name}" for name in errno.errorcode.values()}
    used = {code for code in ENGLISH if code in written | system | {"text"} or worked_out.fullmatch(code)}
    hints = {code for code in ENGLISH if code.endswith(".hint") and code.removesuffix(".hint") in used}
    assert set(ENGLISH) - used - hints == set()


def test_what_is_filled_in_is_what_the_calls_give(uses: list[Use]) -> None:
    """Where the code is written out; those of evidence are compared sentence by sentence in test_edit_evidence."""
    codes = {re.escape(code): code for code in ENGLISH}
    wrong = []
    for use in uses:
        code = codes.get(use.pattern)
        if code is not None and use.params is not None:
            needed = places(ENGLISH[code]) | places(ENGLISH.get(f"{code}.hint", ""))
            if use.params != needed:
                wrong.append((use, needed))
    assert wrong == []


def test_the_languages_have_the_same_messages() -> None:
    for language in LANGUAGES:
        theirs = catalogue(language)
        assert set(theirs) == set(ENGLISH)
        assert [code for code, wording in theirs.items() if places(wording) != places(ENGLISH[code])] == []
        assert [code for code, wording in theirs.items() if not wording.strip()] == []
        assert [code for code in theirs if theirs[code].endswith(".") != ENGLISH[code].endswith(".")] == []


def test_plurals_are_written_so_that_they_are_found() -> None:
    """What is in braces is a name or a plural; anything else would be shown as it is."""
    for language in LANGUAGES:
        rest = {code: PLACE.sub("", wording) for code, wording in catalogue(language).items()}
        assert {code: wording for code, wording in rest.items() if re.search(r"[{}]", wording)} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_are_set_by_the_rules_of_their_language(language: str) -> None:
    wordings = catalogue(language).items()
    assert {code: found for code, wording in wordings if (found := faults(wording.strip(), language))} == {}


def test_no_python_module_speaks_french() -> None:
    accents = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153]")
    assert [str(path) for path in MODULES if accents.search(path.read_text())] == []


# Rendering


def test_a_message_is_rendered_with_its_parameters_in_either_language() -> None:
    message = Message("picture.corrupt_with_reason", format="PNG", problem="bad chunk")
    assert str(message) == render(message) == "corrupt PNG: bad chunk"
    assert render(message, "fr") == "fichier PNG endommagé\u00a0: bad chunk"
    assert render(message, "tlh") == "corrupt PNG: bad chunk"


def test_a_message_within_a_message_is_in_the_same_language() -> None:
    message = Message("picture.unreadable", error=Message("os.EACCES"))
    assert render(message) == "cannot be read: Permission denied"
    assert render(message, "fr") == "ne peut pas être lu\u00a0: permission refusée"


@pytest.mark.parametrize(
    ("n", "english", "french"),
    [
        (0, "0 jobs done", "0 tâche terminée"),
        (1, "1 job done", "1 tâche terminée"),
        (2, "2 jobs done", "2 tâches terminées"),
    ],
)
def test_plurals_follow_the_language(n: int, english: str, french: str) -> None:
    message = Message("notice.jobs_done", n=n)
    assert (render(message), render(message, "fr")) == (english, french)


def test_a_number_has_the_decimal_sign_of_the_language() -> None:
    message = Message("evidence.tilt", degrees=1.5)
    assert (render(message), render(message, "fr")) == ("tilted by 1.5°", "inclinée de 1,5°")


def test_a_parameter_cannot_move_the_cursor_and_keeps_its_braces() -> None:
    assert render(Message("rest.given_twice", name="\x1b[2J{name}\udcff")) == r"\x1b[2J{name}\udcff is given twice."


def test_a_code_of_another_version_is_shown_with_its_parameters() -> None:
    assert render(Message("future.code")) == "future.code"
    assert render(Message("future.code", path="/a", n=2), "fr") == "future.code (path: /a, n: 2)"
    assert render(Message("root.unlistable"), "fr") == "ne peut pas être parcouru\u00a0: "


def test_many_messages_are_joined_in_their_order() -> None:
    many = [text(str(number)) for number in range(2000)]
    assert render(joined("join.notes", many)) == "; ".join(map(str, range(2000)))


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (["fr_CA"], "fr"),
        (["fr"], "fr"),
        (["en-GB", "fr"], "en"),
        (["de", "fr-FR"], "fr"),
        (["C", ""], "en"),
        ([], "en"),
    ],
)
def test_the_nearest_language_is_taken(asked: list[str], language: str) -> None:
    assert nearest_language(asked) == language


# Errors


def test_an_error_has_the_hint_of_its_code() -> None:
    error = UsageError("setting.not_live", key="web.port", field="web.port")
    assert str(error) == "web.port cannot be changed while running."
    assert error.hint == Message("setting.not_live.hint", key="web.port")
    assert render(error.advice, "fr").endswith("Modifiez-le dans comparimg.toml.")
    assert ComparImgError("rest.bad_request").hint is None
    assert hint_of(text("anything")) is None


def test_a_configuration_error_lists_its_problems() -> None:
    error = ConfigError("a.toml", [Message("config.no_utf8", byte=7), Message("config.watch_no_list")])
    assert str(error).splitlines()[:2] == ["a.toml: 2 problems", "  - is not UTF-8: byte 7"]
    assert render(error.message, "fr").startswith("a.toml\u00a0: 2 problèmes\n")


@pytest.mark.parametrize(
    "number", [getattr(errno, code.removeprefix("os.")) for code in ENGLISH if code.startswith("os.")]
)
def test_what_the_system_says_is_known_by_its_number(number: int) -> None:
    message = of_os_error(OSError(number, os.strerror(number)))
    assert message == Message(f"os.{errno.errorcode[number]}")
    assert str(message) == os.strerror(number)


def test_the_text_of_another_library_about_a_file_stays_as_it_is() -> None:
    assert of_os_error(OSError(errno.EIO, "a word of a library")) == text("a word of a library")
    assert of_os_error(OSError("no number")) == text("no number")
    assert of_os_error(FileError(errno.EINVAL, "file.not_regular")) == Message("file.not_regular")


# JSON


def test_messages_survive_json_and_other_processes() -> None:
    message = Message("step.failed", error=Message("os.EIO"), n=3, share=0.5, name="\udcff")
    assert of_json(to_json(message)) == message
    assert pickle.loads(pickle.dumps(message)) == message
    assert (to_json(None), of_json("")) == ("", None)


@pytest.mark.parametrize("column", ["It ended.", "{broken", '{"code": 7}', "[1]"])
def test_a_column_that_holds_no_message_stands_for_itself(column: str) -> None:
    message = of_json(column)
    assert message is not None
    assert message.code == "text"


def test_rest_answers_with_the_sentence_its_code_and_its_parameters() -> None:
    message = Message("step.failed", error=Message("os.EIO"))
    assert fields("message", message, "fr") == {
        "message": "L’étape a échoué\u00a0: erreur d’entrée-sortie.",
        "message_code": "step.failed",
        "message_params": {"error": {"code": "os.EIO", "params": {}}},
    }
    assert fields("error", None, "en", nothing="") == {"error": "", "error_code": None, "error_params": None}
