"""The list of groups as an endless one: onwards and back from any place, by what was taken when."""

from typing import Any

import pytest

from index.model import Kind, Turn
from support.weblibrary import Library, WebClient

LIST = "/api/v1/groups"


@pytest.fixture
def keys(library: Library) -> list[str]:
    """Eleven groups, the first with the most to gain, with many ties; each taken a day after the one before."""
    made = []
    for number in range(11):
        taken = f"2019-05-{number + 1:02}T10:00:00" if number < 9 else ""
        contents = [library.add_content(2 * number + one, taken=taken if one else "") for one in (0, 1)]
        for content in contents:
            library.add_image(content, f"{content}.jpg")
        made.append(library.add_group(contents[0], (contents[1], Kind.NEAR, 4, Turn.NONE),
                                       reclaimable_bytes=100 - number // 3, scene=number == 10))  # fmt: skip
    return made


def ids(page: Any) -> list[str]:
    return [group["id"] for group in page["items"]]


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("limit", [2, 3, 20])
def test_from_any_group_the_whole_list_is_reached_onwards_and_back(
    client: WebClient, keys: list[str], order: str, limit: int
) -> None:
    query = f"{LIST}?order={order}&limit={limit}"
    whole = ids(client.get(f"{LIST}?order={order}").json)
    for place, key in enumerate(whole):
        page = client.get(f"{query}&around={key}").json
        assert ids(page)[min(place, limit // 2)] == key
        found = ids(page)
        previous, following = page["previous"], page["next"]
        while previous:
            earlier = client.get(f"{query}&cursor={previous}").json
            found = ids(earlier) + found
            previous = earlier["previous"]
        while following:
            later = client.get(f"{query}&cursor={following}").json
            found += ids(later)
            following = later["next"]
        assert found == whole
    page = client.get(query).json
    assert page["previous"] is None
    if page["next"]:
        later = client.get(f"{query}&cursor={page['next']}").json
        assert ids(client.get(f"{query}&cursor={later['previous']}").json) == ids(page)


def test_a_group_that_left_the_list_still_leads_to_its_place(client: WebClient, keys: list[str]) -> None:
    whole = ids(client.get(LIST).json)
    body = {"action": "keep", "groups": [whole[4]]}
    client.send("POST", "/api/v1/decisions/apply", body)
    page = client.get(f"{LIST}?decided=none,partly&limit=4&around={whole[4]}").json
    assert ids(page) == [whole[2], whole[3], *whole[5:9]]
    assert page["total"] == 9
    assert ids(client.get(f"{LIST}?around={'0' * 16}").json) == whole, "of none that exists, the list from its start"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("taken_from=2019-05-08", [7, 8]),
        ("taken_until=2019-05-02", [0, 1]),
        ("taken_from=2019-05-03&taken_until=2019-05-03", [2]),
        ("taken_from=2019-05-03&taken_until=2019-05-04&kind=exact", []),
        ("taken_from=2020-01-01", []),
    ],
)
def test_groups_are_found_by_when_their_images_were_taken(
    client: WebClient, keys: list[str], query: str, wanted: list[int]
) -> None:
    page = client.get(f"{LIST}?{query}").json
    assert set(ids(page)) == {keys[number] for number in wanted}
    assert page["total"] == len(wanted)
    if "kind" not in query:
        assert page["kinds"] == ({"near": len(wanted)} if wanted else {}), "counts of kinds follow the search"
    assert page["scenes"] == 0
    preview = client.send("POST", f"/api/v1/decisions/preview?{query}", {"action": "keep"}).json
    assert preview["groups"] == len(wanted)


@pytest.mark.parametrize("query", ["taken_from=may", "taken_until=2019-5-1", "cursor=-x", "around=" + "x" * 101])
def test_wrong_places_and_days_are_refused(client: WebClient, query: str) -> None:
    assert client.get(f"{LIST}?{query}").status == 400


def test_a_large_group_lists_what_is_proposed_wherever_it_stands(client: WebClient, library: Library) -> None:
    contents = [library.add_content(seed, width=400 if seed < 108 else 4000) for seed in range(100, 109)]
    images = [library.add_image(content, f"{content}.jpg") for content in contents]
    key = library.add_group(contents[0], *((content, Kind.PIXELS, 0, Turn.NONE) for content in contents[1:]))
    group = client.get(f"{LIST}?images=6").json["items"][0]
    assert group["proposal"]["image"] == images[-1]
    assert [image["id"] for image in group["images"]["items"]] == [*images[:6], images[-1]]
    # The pages of the group itself list each image once.
    pages, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/v1/groups/{key}?limit=4&cursor={cursor}").json["images"]
        pages += [image["id"] for image in page["items"]]
        cursor = page["next"]
    assert pages == images
