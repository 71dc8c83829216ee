"""The result file as such: order, names that are no UTF-8, and no result before the first detection."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from index.database.queries import result_file
from index.database.store import Store

NAME = os.fsdecode(b"/photos/caf\xe9.jpg")


def image(path: str, **others: Any) -> dict[str, Any]:
    """An image of a result, the reference unless a place is given."""
    common = {"reference": not others, "bytes": 10, "width": 4, "height": 3, "digest": "ab", "hash": "cd"}
    return {"path": path, **common, **others}


def of_groups(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"format": result_file.FORMAT, "created": "", "parameters": {}, "groups": list(groups), "problems": []}


@pytest.fixture
def one_group() -> dict[str, Any]:
    images = [image(NAME), image('/photos/"a", b\n.jpg', kind="near", distance=3, turn="none", evidence={})]
    return of_groups({"id": "k1", "kind": "near", "images": images})


def test_before_the_first_detection_there_are_no_groups(tmp_path: Path) -> None:
    with Store(tmp_path) as store, store.read() as database:
        document = result_file.result(database)
        assert result_file.result(database) == document
    assert document["format"] == "comparimg/1"
    assert document["created"] == "1970-01-01T00:00:00+00:00"
    assert (document["groups"], document["problems"]) == ([], [])
    assert document["parameters"]["algorithm"] == "phash"


def test_json_is_ascii_and_gives_every_name_back(one_group: dict[str, Any]) -> None:
    text = io.StringIO()
    result_file.write_json(one_group, text)
    assert text.getvalue().isascii()
    assert text.getvalue().endswith("}\n")
    assert json.loads(text.getvalue()) == one_group
    assert os.fsencode(json.loads(text.getvalue())["groups"][0]["images"][0]["path"]) == b"/photos/caf\xe9.jpg"


@pytest.mark.parametrize("groups", [0, 1, 3])
def test_json_is_as_if_written_at_once(groups: int) -> None:
    images = [image(NAME), image("/b", x=[{}, [], [1, {"c": ""}]])]
    document = of_groups(*({"id": f"k{n}", "images": images} for n in range(groups)))
    text = io.StringIO()
    result_file.write_json({**document, "groups": iter(document["groups"])}, text)
    assert text.getvalue() == json.dumps(document, indent=1) + "\n"


def related(path: str, kind: str) -> dict[str, Any]:
    return image(path, kind=kind, distance=0, turn="none", evidence={})


def test_text_has_the_paths_of_each_group() -> None:
    first = {"id": "k1", "kind": "exact", "images": [image(NAME), related("/photos/b c.jpg", "exact")]}
    broken = {"id": "k2", "kind": "exact", "images": [image("/x"), related("/photos/two\nlines", "exact")]}
    last = {"id": "k3", "kind": "near", "images": [image("/d"), related("/e", "near"), related("/f", "pixels")]}
    text = io.StringIO()
    result_file.write_text(of_groups(first, broken, last), text)
    assert text.getvalue() == f"{NAME}\n/photos/b c.jpg\n\n/d\n/e\n/f\n"


def test_images_are_chosen_by_how_they_match_their_reference() -> None:
    near = {"id": "k1", "kind": "near", "images": [image("/d"), related("/e", "near"), related("/f", "pixels")]}
    possible = {"id": "k2", "kind": "possible", "images": [image("/a"), related("/b", "possible")]}
    chosen = result_file.of_kinds(of_groups(near, possible), result_file.CERTAIN)
    assert [[one["path"] for one in group["images"]] for group in chosen["groups"]] == [["/d", "/f"]]


def test_csv_quotes_what_needs_it_and_keeps_the_bytes_of_a_name(one_group: dict[str, Any], tmp_path: Path) -> None:
    with open(tmp_path / "out.csv", "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        result_file.write_csv(one_group, file)
    with open(tmp_path / "out.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        first, second = csv.DictReader(file)
    assert os.fsencode(first["path"]) == b"/photos/caf\xe9.jpg"
    assert (first["group"], first["group_kind"], first["reference"], first["kind"]) == ("k1", "near", "True", "")
    assert second["path"] == '/photos/"a", b\n.jpg'
    assert (second["kind"], second["distance"], second["turn"]) == ("near", "3", "none")
