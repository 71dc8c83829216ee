"""Named rules: kept over REST, run after detections on what is new, and stopped once a person takes that back."""

from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.progress import NullProgress
from daemon.jobs.standing_rules import StandingRules
from index.database.store import Store
from index.imaging.grouping.keeper import CRITERIA
from index.model import Kind, Turn
from support.weblibrary import Daemon, Library, WebClient, make_client

RULES = "/api/v1/named-rules"
TRASH = {"choice": "trash"}


@pytest.fixture
def library(tmp_path: Path) -> Any:
    with Store(tmp_path / "data") as store:
        made = Library(store, tmp_path / "photos")
        made.add_root()
        made.add_detection()
        yield made


@pytest.fixture
def client(library: Library) -> Any:
    made = make_client(library.store, Daemon())
    yield made
    made.app.close()


@pytest.fixture
def rules(library: Library) -> StandingRules:
    return StandingRules(library.store, lambda: tuple(CRITERIA), dict)


def add_pair(library: Library, number: int, kind: Kind = Kind.PIXELS, folder: str = "phone") -> str:
    contents = [library.add_content(2 * number + one, size_bytes=500) for one in (0, 1)]
    for content, name in zip(contents, ("a", "copy of a"), strict=True):
        library.add_image(content, f"{folder}/{number}/{name}.jpg", size_bytes=500)
    return library.add_group(contents[0], (contents[1], kind, 2, Turn.NONE), evidence={})


def decided(client: WebClient) -> dict[str, str]:
    return {group["id"]: group["decided"] for group in client.get("/api/v1/groups").json["items"]}


def test_a_rule_decides_what_is_new_after_each_detection(
    client: WebClient, library: Library, rules: StandingRules
) -> None:
    inbox = {**TRASH, "filter": {"path": str(library.folder / "phone")}}
    made = client.send("POST", RULES, {"name": "Phone", "rule": inbox, "after_detection": True})
    assert (made.status, made.json["rule"]["filter"]["path"]) == (201, inbox["filter"]["path"])
    first, other = add_pair(library, 1), add_pair(library, 2, folder="camera")
    by_hand, near = add_pair(library, 3), add_pair(library, 4, Kind.NEAR)
    body = {"decisions": [{"image": 5, "choice": "keep"}]}
    assert client.send("PUT", f"/api/v1/groups/{by_hand}/decisions", body).status == 200
    assert rules.run(NullProgress()) == 1
    assert decided(client) == {first: "fully", other: "none", by_hand: "partly", near: "none"}
    (run,) = client.get("/api/v1/orders").json["items"]
    assert (run["rule"]["name"], run["groups"], run["images"]) == ("Phone", 1, 1)
    assert rules.run(NullProgress()) == 0
    assert client.get("/api/v1/orders").json["total"] == 1, "a run that decides nothing leaves no trace"
    second = add_pair(library, 5)
    library.write(lambda db: db.execute_sql("UPDATE duplicate_group SET changed_ns = ? WHERE key = ?", (2**62, second)))
    assert rules.run(NullProgress()) == 1
    # Taken back, it is not decided again, nor is anything new.
    newest = client.get("/api/v1/orders").json["items"][0]
    client.send("DELETE", f"/api/v1/orders/{newest['id']}")
    assert client.get(RULES).json["items"][0]["after_detection"] is False
    assert rules.run(NullProgress()) == 0
    assert decided(client)[second] == "none"
    assert decided(client)[first] == "fully"


def test_what_is_not_proven_equal_needs_a_word_of_its_own(
    client: WebClient, library: Library, rules: StandingRules
) -> None:
    near = {**TRASH, "kinds": ["near"], "ties": "decide"}
    answer = client.send("POST", RULES, {"name": "Near", "rule": near, "after_detection": True})
    assert (answer.status, answer.error["field"]) == (400, "beyond_equal")
    made = client.send("POST", RULES, {"name": "Near", "rule": near}).json
    assert client.send("PATCH", f"{RULES}/{made['id']}", {"after_detection": True}).status == 400
    key = add_pair(library, 1, Kind.NEAR)
    assert rules.run(NullProgress()) == 0
    change = {"after_detection": True, "beyond_equal": True}
    assert client.send("PATCH", f"{RULES}/{made['id']}", change).json["after_detection"] is True
    assert rules.run(NullProgress()) == 1
    assert decided(client) == {key: "fully"}


def test_rules_are_changed_and_forgotten(client: WebClient, rules: StandingRules, library: Library) -> None:
    first = client.send("POST", RULES, {"name": "One", "rule": TRASH}).json
    assert "criteria" not in first["rule"], "it follows the setting"
    assert client.send("POST", RULES, {"name": "One", "rule": TRASH}).error["field"] == "name"
    second = client.send("POST", RULES, {"name": "Two", "rule": {"choice": "link", "criteria": ["size"]}}).json
    assert client.send("PATCH", f"{RULES}/{second['id']}", {"name": "One"}).status == 400
    answer = client.send("PATCH", f"{RULES}/{second['id']}", {"name": "Links", "rule": TRASH})
    assert (answer.json["name"], answer.json["rule"]["choice"]) == ("Links", "trash")
    assert [one["name"] for one in client.get(RULES).json["items"]] == ["Links", "One"]
    assert client.send("DELETE", f"{RULES}/{first['id']}").status == 204
    for method in ("DELETE", "PATCH"):
        assert client.send(method, f"{RULES}/{first['id']}", {} if method == "PATCH" else None).status == 404
    assert client.send("POST", RULES, {"name": " ", "rule": TRASH}).status == 400


def test_a_destination_that_is_gone_stops_the_rule_and_nothing_else(
    client: WebClient, library: Library, rules: StandingRules
) -> None:
    folder = library.folder / "best"
    folder.mkdir(parents=True)
    client.send("POST", "/api/v1/destinations", {"name": "best", "path": str(folder)})
    move = {"choice": "move", "destination": "best"}
    made = client.send("POST", RULES, {"name": "A", "rule": move, "after_detection": True})
    assert made.status == 201
    client.send("POST", RULES, {"name": "B", "rule": TRASH, "after_detection": True})
    key = add_pair(library, 1)
    handled = rules.after(lambda *_: {"files": 3})(NullProgress(), None)
    assert handled == {"files": 3, "decided": 1}
    assert decided(client) == {key: "fully"}
