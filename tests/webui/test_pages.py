"""The shell, its files and its languages."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from index.database.records.batches import Action, BatchKind, BatchState, StepState
from index.imaging.grouping.keeper import CRITERIA
from index.imaging.grouping.rules import FOLDERS
from index.messages import catalogue
from index.model import KINDS, Choice, JobKind, JobState
from index.settings import LIVE
from support.typography import faults
from support.weblibrary import WebClient
from webui.pages import LANGUAGES, VIEWS, preferred_language

WEBUI = Path(__file__).parents[2] / "webui"
TEXTS = {language: json.loads((WEBUI / "locale" / f"{language}.json").read_text()) for language in LANGUAGES}
STATIC = WEBUI / "static"
SCRIPTS = {path.relative_to(STATIC).as_posix(): path.read_text() for path in STATIC.rglob("*.js")}
STYLES = {path.relative_to(STATIC).as_posix(): path.read_text() for path in STATIC.rglob("*.css")}
TEMPLATES = {path.name: path.read_text() for path in (WEBUI / "templates").glob("*.html")}


@pytest.mark.parametrize("path", [path.replace("{id}", "0123") for path in VIEWS])
def test_every_view_is_one_shell(client: WebClient, path: str) -> None:
    answer = client.get(f"{path}?kind=near")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b'<main id="main"' in answer.body


@pytest.mark.attack("inline scripts, and scripts from elsewhere")
def test_nothing_in_a_page_is_inline_or_from_elsewhere(client: WebClient) -> None:
    for page in (client.get("/").body.decode(), *TEMPLATES.values()):
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page)
    everything = "".join([*SCRIPTS.values(), *TEMPLATES.values(), *STYLES.values()])
    assert set(re.findall(r"https?://[^\s\"'`]+", everything)) <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in everything


def test_every_file_the_shell_names_is_there_and_kept_for_ever(client: WebClient) -> None:
    names = re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/").body.decode())
    assert {name.split("/", 3)[3] for name in names} >= {*SCRIPTS, *STYLES}
    for name in names:
        answer = client.get(name)
        assert answer.status == 200, name
        assert "immutable" in answer.headers["Cache-Control"]


def test_every_module_that_another_imports_is_there() -> None:
    for name, script in SCRIPTS.items():
        for target in re.findall(r'(?:from |import\()"(\.[^"]+)"', script):
            assert (STATIC / name).parent.joinpath(target).resolve().is_relative_to(STATIC), (name, target)
            assert (STATIC / name).parent.joinpath(target).is_file(), (name, target)


def test_a_page_from_before_an_upgrade_still_finds_its_files(client: WebClient) -> None:
    answer = client.get("/static/000000000000/app.js")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize(
    "path",
    [
        "/static/x/../pages.py",
        "/static/x/..%2fpages.py",
        "/static//etc/passwd",
        "/static/x/",
        "/static/x/locale/de.json",
        "/static/x/core",
        "/static/x/core/",
        "/static/x/core/../../pages.py",
        "/static/x/core/%2e%2e/%2e%2e/pages.py",
        "/static/x/core/../app.js",
        "/static/x//app.js",
    ],
)
def test_no_other_file_is_served(client: WebClient, path: str) -> None:
    assert client.get(path).status == 404


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("fr", "fr"), ("fr-CA,fr;q=0.9,en;q=0.8", "fr"), ("de,fr;q=0.5,en;q=0.4", "fr"),
     ("en;q=0.1,fr;q=0", "en"),
     ("FR", "fr"), ("*;q=x, fr;q=9", "fr"), ("de", "en"), (";;;,,", "en")],
)  # fmt: skip
def test_the_browser_chooses_the_language(header: str, language: str) -> None:
    assert preferred_language(header) == language


def test_the_reader_chooses_over_the_browser(client: WebClient) -> None:
    assert 'lang="fr"' in client.get("/", Accept_Language="fr").body.decode()
    answer = client.get("/", Accept_Language="fr", Cookie="a=1; language=en")
    assert 'lang="en"' in answer.body.decode()
    assert answer.headers["Vary"] == "Accept-Language, Cookie"
    assert 'lang="fr"' in client.get("/", Accept_Language="fr", Cookie="language=../../x").body.decode()


def test_the_theme_is_that_of_the_system_until_one_is_chosen(client: WebClient) -> None:
    for cookie, theme in (("", ""), ("theme=dark", "dark"), ("a=b; theme=light", "light"), ("theme=other", "")):
        assert f'data-theme="{theme}"'.encode() in client.get("/", Cookie=cookie).body


def test_both_languages_are_complete() -> None:
    assert set(TEXTS["en"]) == set(TEXTS["fr"])
    for key, text in TEXTS["en"].items():
        assert set(re.findall(r"\{(\w+)", text)) == set(re.findall(r"\{(\w+)", TEXTS["fr"][key])), key
        assert text.strip(), key
        assert TEXTS["fr"][key].strip(), key


def test_every_text_that_is_asked_for_is_there() -> None:
    asked = set()
    for script in SCRIPTS.values():
        asked |= set(re.findall(r'\bt\("([^"]+)"', script))
    for template in TEMPLATES.values():
        asked |= set(re.findall(r't\("([^"]+)"\)', template))
    assert asked - set(TEXTS["en"]) == set()
    families = {family for script in SCRIPTS.values() for family in re.findall(r"\bt\(`([a-z_.]+)\.\$\{", script)}
    for family in families:
        assert any(key.startswith(f"{family}.") for key in TEXTS["en"]), family


def test_every_text_is_asked_for() -> None:
    sources = [*SCRIPTS.values(), *TEMPLATES.values()]
    names = {name for source in sources for name in re.findall(r'"([a-z][\w.-]*)"', source)}
    composed = {name for source in sources for name in re.findall(r"""[`"]([a-z_]+\.[^`"\s]*\{[^`"]*)[`"]""", source)}
    parts = [re.split(r"\$?\{.*?\}+", name) for name in composed]
    families = [re.compile(r"[\w.-]+".join(map(re.escape, texts))) for texts in parts]
    unused = {key for key in TEXTS["en"] if key not in names and not any(family.fullmatch(key) for family in families)}
    assert unused == set()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_texts_are_set_by_the_rules_of_their_language(language: str) -> None:
    wrong = {key: found for key, text in TEXTS[language].items() if (found := faults(text.strip(" "), language))}
    assert wrong == {}


def test_words_of_the_vocabulary_all_have_a_text() -> None:
    actions = re.findall(r'\baction: "(\w+)"', SCRIPTS["components/keys.js"])
    parts = set(re.findall(r'\bpart: "(\w+)"', SCRIPTS["components/keys.js"]))
    assert len(actions) > 20
    families: tuple[tuple[str, Iterable[str]], ...] = (
        ("kind", KINDS), ("job", JobKind), ("state", JobState), ("step", Action), ("step.state", StepState),
        ("batch", BatchKind), ("batch.state", BatchState), ("mark", Choice), ("criterion", [*CRITERIA, FOLDERS]),
        ("because", [*CRITERIA, FOLDERS]), ("key", actions), ("keys.part", parts),
    )  # fmt: skip
    keys = {f"{prefix}.{word}" for prefix, words in families for word in words}
    keys |= {f"setting.{one.key}{what}" for one in LIVE for what in ("", ".help")}
    assert keys - set(TEXTS["en"]) == set()


def test_every_phase_of_a_job_has_a_name_on_the_page_and_on_the_console() -> None:
    daemon = WEBUI.parent / "daemon"
    modules = [daemon / "job_system.py", *(daemon / "jobs").glob("*.py")]
    begun = {name for module in modules for name in re.findall(r'\.begin\("(\w+)"', module.read_text())}
    assert "walking" in begun
    # The journal names its phase after the batch.
    named = {f"phase.{phase}" for phase in begun | set(BatchKind)}
    assert named - set(TEXTS["en"]) == set()
    assert named - set(catalogue("en")) == set()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/groups/a/b", 404), ("/static/x/none", 404), ("/logout", 405), ("/?a=1&a=2", 400)],
)  # fmt: skip
def test_a_person_at_a_wrong_address_gets_a_page_and_a_program_json(client: WebClient, path: str, status: int) -> None:
    page = client.get(path, Accept="text/html,*/*;q=0.8", Accept_Language="fr")
    assert (page.status, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    text = page.body.decode()
    assert 'lang="fr"' in text
    assert TEXTS["fr"][f"answer.{status}"] in text
    assert '<a class="button" href="/">' in text
    assert page.headers["Cache-Control"] == "no-store"
    program = client.get(path, Accept="*/*")
    assert (program.status, program.headers["Content-Type"]) == (status, "application/json")


def test_rest_answers_a_browser_in_json_all_the_same(client: WebClient) -> None:
    assert client.get("/api/v1/nowhere", Accept="text/html").headers["Content-Type"] == "application/json"
    assert client.get("/api/v1/groups/x", Accept="text/html").headers["Content-Type"] == "application/json"


def test_a_refused_host_name_is_explained_with_what_to_do(client: WebClient) -> None:
    page = client.get("/", Host="nas.example", Accept="text/html", Accept_Language="fr")
    assert (page.status, page.headers["Content-Language"]) == (421, "fr")
    assert "names sous [web]" in page.body.decode()
    assert page.headers["Content-Security-Policy"]
