"""REST of deciding about many groups at once."""

from typing import Any

import pytest

from index.model import Kind, Turn
from support.weblibrary import Library, WebClient

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
        "order": None, "batch": None,
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
