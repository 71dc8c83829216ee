"""Scenes: listed apart from duplicates, without a proposal, and never decided by a rule."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.database.store import Store
from index.model import Kind, Turn
from support.weblibrary import Daemon, Library, WebClient
from webui.app import make_app


@pytest.fixture
def client(store: Store, daemon: Daemon, tmp_path: Path) -> Any:
    services = replace(
        daemon.services(store), destinations=lambda: {"best": bytes(tmp_path)}, retention_days=lambda: 30.0
    )
    made = WebClient(make_app(store, services, 0.1))
    yield made
    made.app.close()


@pytest.fixture
def groups(library: Library) -> tuple[str, str]:
    """A group of duplicates and a scene."""
    contents = [library.add_content(number) for number in range(4)]
    for number, content in enumerate(contents):
        library.add_image(content, f"{number}.jpg")
    copies = library.add_group(contents[0], (contents[1], Kind.NEAR, 4, Turn.NONE), images=2)
    scene = library.add_group(
        contents[2], (contents[3], Kind.POSSIBLE, 4, Turn.NONE), images=2, scene=True, evidence={"reason": "exposure"},
        key="p0000000000000000",
    )  # fmt: skip
    return copies, scene


def listed(client: WebClient, scenes: str) -> list[str]:
    return [group["id"] for group in client.get(f"/api/v1/groups{scenes}").json["items"]]


def test_scenes_are_listed_apart_from_duplicates(client: WebClient, groups: tuple[str, str]) -> None:
    copies, scene = groups
    assert listed(client, "") == [copies]
    assert listed(client, "?scenes=only") == [scene]
    assert sorted(listed(client, "?scenes=with")) == sorted(groups)
    page = client.get("/api/v1/groups").json
    assert (page["scenes"], page["kinds"]) == (1, {"near": 1})
    assert client.get("/api/v1/status").json["totals"]["groups"] == 1
    assert client.get("/api/v1/review").json["groups"] == 1, "of a scene there is nothing to decide"


def test_a_scene_has_a_reason_and_no_proposal(client: WebClient, groups: tuple[str, str]) -> None:
    group = client.get(f"/api/v1/groups/{groups[1]}").json
    assert (group["scene"], group["proposal"]) == (True, None)
    other = group["images"]["items"][1]
    assert other["evidence"]["reason"] == "exposure"
    assert other["sentence"] == {"en": "another exposure", "fr": "une autre prise de vue"}
    assert client.get(f"/api/v1/groups/{groups[0]}").json["proposal"] is not None
    (result,) = [one for one in client.get("/api/v1/duplicates").json["groups"] if one["scene"]]
    assert result["proposal"] is None


@pytest.mark.parametrize("is_scene", [False, True])
def test_no_picture_of_a_scene_is_said_to_be_kept(client: WebClient, library: Library, is_scene: bool) -> None:
    """Though by the criteria another than the reference would be."""
    small, large = (library.add_content(width, width=width, height=width) for width in (400, 4000))
    for number, content in enumerate((small, large)):
        library.add_image(content, f"{number}.jpg")
    group = library.add_group(
        small, (large, Kind.POSSIBLE if is_scene else Kind.NEAR, 4, Turn.NONE), images=2, scene=is_scene,
        evidence={"scale": 10.0}, key="a" * 16,
    )  # fmt: skip
    images = client.get(f"/api/v1/groups/{group}").json["images"]["items"]
    said = [image["sentence"]["en"] for image in images if image["sentence"]]
    assert ("proposed to be kept" in said) is not is_scene


def test_no_rule_decides_a_scene(client: WebClient, groups: tuple[str, str]) -> None:
    rule = {"choice": "trash", "kinds": ["exact", "pixels", "near", "possible"], "ties": "decide"}
    assert client.send("POST", "/api/v1/rules/preview", rule).json["groups"] == 1
    client.send("POST", "/api/v1/rules/apply", rule)
    items = client.get(f"/api/v1/groups/{groups[1]}").json["images"]["items"]
    assert [image["decision"] for image in items] == [None, None]
