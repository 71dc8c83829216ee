"""REST of deciding about many groups at once."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from index.database import schema
from index.database.queries import bulk_clearing
from index.database.records import cleared_decisions
from index.database.store import Store
from index.errors import StoreError
from index.messages import text
from index.model import Kind, Turn
from support.weblibrary import Daemon, Library, WebClient

API = "/api/v1"


@pytest.fixture
def keys(library: Library) -> list[str]:
    """A group of equal bytes, one of equal pixels, and one in which nothing shows the original."""
    made = []
    for number, kind in enumerate((None, Kind.PIXELS, Kind.NEAR)):
        first = library.add_content(2 * number + 1, size_bytes=500)
        library.add_image(first, f"{number}/a.jpg", size_bytes=500)
        other = first if kind is None else library.add_content(2 * number + 2, size_bytes=500)
        library.add_image(other, f"{number}/copy of a.jpg", size_bytes=500)
        members = [] if kind is None else [(other, kind, 4, Turn.NONE)]
        made.append(library.add_group(first, *members, images=2, evidence={}))
    return made


def decided(client: WebClient) -> dict[str, list[str | None]]:
    groups = client.get(f"{API}/groups?scenes=with").json["items"]
    return {
        group["id"]: [one["decision"] and one["decision"]["choice"] for one in group["images"]["items"]]
        for group in groups
    }


def send(client: WebClient, what: str, query: str = "", **body: Any) -> Any:
    return client.send("POST", f"{API}/decisions/{what}{query}", body)


def test_proposals_are_accepted_after_a_preview_and_taken_back(client: WebClient, keys: list[str]) -> None:
    exact, pixels, near = keys
    previewed = send(client, "preview", action="accept").json
    assert previewed == {
        "groups": 2, "images": 2, "bytes": 1000, "left_open": 1, "kinds": {"exact": 1, "pixels": 1},
        "order": None, "batch": None, "clearing": None, "selected": 3, "looked_at": 3,
        "for_a_job": False,
    }  # fmt: skip
    assert decided(client)[exact] == [None, None], "a preview decides nothing"
    client.send("PUT", f"{API}/groups/{pixels}/decisions", {"decisions": [{"image": 4, "choice": "keep"}]})
    order = send(client, "apply", action="accept").json["order"]
    assert decided(client) == {exact: ["keep", "trash"], pixels: ["keep", "keep"], near: [None, None]}
    decision = client.get(f"{API}/groups/{exact}").json["images"]["items"][1]["decision"]
    assert (decision["origin"], decision["criterion"]) == ("user", None)
    (run,) = client.get(f"{API}/orders").json["items"]
    assert (run["id"], run["rule"]["action"], run["groups"], run["images"]) == (order, "accept", 2, 1)
    # A rule leaves alone what a person has accepted.
    assert client.send("POST", f"{API}/rules/apply", {"choice": "trash"}).json["groups"] == 0
    client.send("DELETE", f"{API}/orders/{order}")
    assert decided(client)[pixels] == [None, "keep"]
    assert decided(client)[exact] == [None, None]


def test_a_filter_and_a_selection_limit_what_is_decided(client: WebClient, keys: list[str]) -> None:
    exact, pixels, near = keys
    assert send(client, "preview", "?kind=pixels", action="accept").json["groups"] == 1
    assert send(client, "preview", "?path=photos/0/", action="accept").json["kinds"] == {"exact": 1}
    assert send(client, "preview", "?decided=fully", action="accept").json["groups"] == 0
    assert send(client, "apply", action="keep", groups=[near, exact]).json["groups"] == 2
    assert decided(client) == {exact: ["keep", "keep"], pixels: [None, None], near: ["keep", "keep"]}
    assert send(client, "preview", action="accept", groups=keys).json["groups"] == 1


@pytest.mark.parametrize("label", ["not_duplicates", "alternates"])
def test_not_duplicates_is_said_of_many_and_revoked(client: WebClient, keys: list[str], label: str) -> None:
    exact = keys[0]
    assert send(client, "preview", action=label).json["groups"] == 2
    batch = send(client, "apply", action=label).json["batch"]
    assert list(decided(client)) == [exact], "of equal bytes there is nothing to say"
    assert [verdict["label"] for verdict in client.get(f"{API}/verdicts").json["items"]] == [label] * 2
    client.send("DELETE", f"{API}/verdicts/{batch}")
    assert len(decided(client)) == 3


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("", {"action": "burn"}, 400),
        ("", {"action": "accept", "groups": []}, 400),
        ("", {"action": "accept", "groups": ["0" * 16]}, 404),
        ("?search=7", {"action": "accept"}, 404),
        ("?kind=any", {"action": "accept"}, 400),
        ("?cursor=x", {"action": "accept"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: WebClient, keys: list[str], query: str, body: dict[str, Any], status: int
) -> None:
    for what in ("preview", "apply"):
        assert send(client, what, query, **body).status == status
    assert client.get(f"{API}/orders").json["total"] == 0


def test_copies_are_moved_where_someone_wants_them(
    client: WebClient, daemon: Daemon, keys: list[str], tmp_path: Path
) -> None:
    exact, pixels, near = keys
    unknown = send(client, "preview", action="move", destination="best")
    assert (unknown.status, unknown.error["field"]) == (400, "destination")
    assert send(client, "preview", action="move").status == 400
    assert send(client, "preview", action="accept", destination="best").status == 400
    (tmp_path / "best").mkdir()
    client.send("POST", f"{API}/destinations", {"name": "best", "path": str(tmp_path / "best")})
    previewed = send(client, "preview", action="move", destination="best").json
    assert (previewed["groups"], previewed["images"], previewed["left_open"]) == (2, 2, 1)
    order = send(client, "apply", action="move", destination="best").json["order"]
    assert decided(client) == {exact: ["keep", "move"], pixels: ["keep", "move"], near: [None, None]}
    moved = client.get(f"{API}/groups/{exact}").json["images"]["items"][1]["decision"]
    assert moved["destination"] == "best"
    client.send("DELETE", f"{API}/orders/{order}")
    assert decided(client)[pixels] == [None, None]


def test_only_equal_bytes_are_replaced_by_links(client: WebClient, keys: list[str]) -> None:
    exact, pixels, near = keys
    previewed = send(client, "preview", action="link").json
    assert (previewed["groups"], previewed["images"], previewed["left_open"]) == (1, 1, 2)
    send(client, "apply", action="link")
    assert decided(client) == {exact: ["keep", "link"], pixels: [None, None], near: [None, None]}


def test_decisions_are_cleared_after_a_count_and_made_again(client: WebClient, keys: list[str]) -> None:
    exact, pixels, near = keys
    assert send(client, "preview", action="clear").json["groups"] == 0
    assert send(client, "apply", action="clear").json["clearing"] is None
    order = send(client, "apply", action="accept").json["order"]
    (first, _) = client.get(f"{API}/groups/{near}").json["images"]["items"]
    client.send("PUT", f"{API}/groups/{near}/decisions", {"decisions": [{"image": first["id"], "choice": "keep"}]})
    before = decided(client)
    previewed = send(client, "preview", action="clear").json
    assert (previewed["groups"], previewed["images"]) == (3, 5)
    assert decided(client) == before, "a preview clears nothing"
    assert send(client, "apply", "?kind=pixels", action="clear").json["groups"] == 1
    assert decided(client) == {**before, pixels: [None, None]}
    one = send(client, "apply", action="clear", groups=[exact, near]).json["clearing"]
    assert set(map(tuple, decided(client).values())) == {(None, None)}
    # What was decided since stays.
    (kept, _) = client.get(f"{API}/groups/{exact}").json["images"]["items"]
    client.send("PUT", f"{API}/groups/{exact}/decisions", {"decisions": [{"image": kept["id"], "choice": "keep"}]})
    assert client.send("DELETE", f"{API}/decisions/cleared/{one}").status == 204
    assert decided(client) == {**before, pixels: [None, None]}
    assert client.send("DELETE", f"{API}/decisions/cleared/{one}").status == 404
    assert client.get(f"{API}/review").json["decided"] == 1
    # Those that a rule or a request made are still taken back with it.
    client.send("DELETE", f"{API}/orders/{order}")
    assert decided(client)[exact] == ["keep", None]


def test_what_is_cleared_never_comes_back_against_the_last_image(client: WebClient, keys: list[str]) -> None:
    exact = keys[0]
    send(client, "apply", action="accept", groups=[exact])
    cleared = send(client, "apply", action="clear").json["clearing"]
    first, second = (one["id"] for one in client.get(f"{API}/groups/{exact}").json["images"]["items"])
    other_way = [{"image": first, "choice": "trash"}, {"image": second, "choice": "keep"}]
    client.send("PUT", f"{API}/groups/{exact}/decisions", {"decisions": other_way[:1]})
    client.send("DELETE", f"{API}/decisions/cleared/{cleared}")
    assert decided(client)[exact] == ["trash", None], "both would go"


def test_a_clearing_that_fails_or_is_cut_off_is_put_back(
    client: WebClient, store: Store, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, "apply", action="accept")
    before = decided(client)
    monkeypatch.setattr(bulk_clearing, "GROUPS_AT_ONCE", 1)
    calls = itertools.count()
    real = cleared_decisions.set_aside

    def fail_at_the_second(database: Any, clearing_id: int, group_ids: Any) -> None:
        if next(calls):
            raise StoreError(text("the disk is full"))
        real(database, clearing_id, group_ids)

    monkeypatch.setattr(cleared_decisions, "set_aside", fail_at_the_second)
    assert send(client, "apply", action="clear").status >= 500
    assert decided(client) == before
    # Cut off by a crash between two portions: the next start puts back what was cleared.
    monkeypatch.setattr(cleared_decisions, "set_aside", real)
    clearing = store.write(lambda db: cleared_decisions.start(db, 1))
    store.write(lambda db: real(db, clearing, [1]))
    assert decided(client) != before
    cleared_decisions.put_back_unfinished(store.write)
    assert decided(client) == before


def test_beside_the_library_nothing_outside_of_it_is_proposed_to_go(
    client: WebClient, library: Library, keys: list[str], tmp_path: Path
) -> None:
    """A search has found copies in a folder that is not watched: they are neither what is kept nor what goes."""
    stick = library.add_root(tmp_path / "stick", temporary=1, protected=True, priority=9)
    search = library.add_detection(folders=[str(tmp_path)])
    library.write(lambda db: schema.Detection.update(current=False).where(schema.Detection.id == search).execute(db))
    first, copy = (library.add_content(seed, size_bytes=500) for seed in (21, 22))
    library.add_image(first, "mixed/a.jpg", size_bytes=500)
    library.add_image(copy, "mixed/copy of a.jpg", size_bytes=500)
    library.add_image(first, "a.jpg", root_id=stick, size_bytes=500, path=bytes(tmp_path / "stick" / "a.jpg"))
    mixed = library.add_group(first, (copy, Kind.PIXELS, 4, Turn.NONE), images=3, evidence={})
    group = client.get(f"{API}/groups/{mixed}?search={search}").json
    (outside,) = [one["id"] for one in group["images"]["items"] if one["temporary"]]
    assert group["proposal"]["image"] != outside
    for action, made in (("accept", "trash"), ("link", None)):
        send(client, "apply", f"?search={search}", action=action)
        choices = {
            one["id"]: one["decision"] and one["decision"]["choice"]
            for one in client.get(f"{API}/groups/{mixed}?search={search}").json["images"]["items"]
        }
        assert choices[outside] in ("keep", None), action
        assert made is None or sorted(filter(None, choices.values())) == ["keep", "keep", "trash"]
        send(client, "apply", f"?search={search}", action="clear")
