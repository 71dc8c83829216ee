"""One term for each thing, in both languages: the texts of the program and of the page, and the help of the console."""

import json
import re
from pathlib import Path

import pytest

from support.typography import CODE

TOP = Path(__file__).parents[2]
# The English term as a pattern, and the French ones that may translate it.
TERMS = {
    r"trash": r"corbeille|jeter",
    r"companions?": r"associé",
    r"sidecars?": r"annexe",
    r"batch(?:es)?": r"\blots?\b",
    r"protected": r"protég|protection",
    r"duplicates?": r"doublon|en double",
    r"watched folders?": r"dossiers? surveillé",
    r"undecided": r"à décider",
    r"reclaimable": r"à libérer",
    r"notifications?": r"notification",
    r"hard links?": r"liens? physique",
    r"destinations?": r"destination",
    r"tolerance": r"tolérance",
    r"backups?": r"sauvegarde",
    r"schedules?": r"planifi",
    r"jobs?": r"tâche",
    r"steps?": r"étape",
    r"originals?": r"origin",
    r"metadata": r"métadonnées",
    r"ties?": r"égalité",
}
# Words that these texts do not use, and the term that they use instead.
AVOIDED = {
    "daemon": "service",
    "film": "video",
    "films": "videos",
    "notice": "notification",
    "wrong pairs": "false matches",
}
PLACE = re.compile(
    r"\{\w+\}|comparimg-ctl [a-z -]+|\b\w+\.\w+\b|\b\d+=\w+(?::\w+)?|keep, trash, link, move:NAME and undecided"
)


def texts() -> list[tuple[str, str, str]]:
    """Each text: where it is, in English and in French."""
    found = []
    for folder in ("index/locale", "webui/locale"):
        english, french = (json.loads((TOP / folder / f"{name}.json").read_text("utf-8")) for name in ("en", "fr"))
        found += [(f"{folder} {key}", english[key], french[key]) for key in english]
    console = json.loads((TOP / "daemon/locale/help_fr.json").read_text("utf-8"))
    return [*found, *((f"help {english[:30]}", english, french) for english, french in console.items())]


def plain(text: str) -> str:
    """A text without code and without what is filled in."""
    return CODE.sub("X", PLACE.sub("X", text))


@pytest.mark.parametrize("term", TERMS)
def test_a_term_has_one_translation(term: str) -> None:
    pattern, translation = re.compile(rf"\b{term}\b", re.IGNORECASE), re.compile(TERMS[term], re.IGNORECASE)
    hits = [(at, english, french) for at, english, french in texts() if pattern.search(plain(english))]
    assert len(hits) > 2
    assert [hit for hit in hits if not translation.search(hit[2])] == []


@pytest.mark.parametrize("word", AVOIDED)
def test_a_word_that_has_another_term_is_not_used(word: str) -> None:
    pattern = re.compile(rf"\b{word}\b", re.IGNORECASE)
    verbs = "would not notice"
    assert [at for at, english, _ in texts() if pattern.search(plain(english).replace(verbs, ""))] == []
