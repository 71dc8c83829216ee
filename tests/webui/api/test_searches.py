"""Searches limited to some folders: which are accepted, and that the library's groups stay as they are."""

from typing import Any

import pytest

from index.database import schema
from index.database.records.matches import dump_parameters
from index.database.store import Store
from index.model import DetectParameters, Kind, Turn
from support.weblibrary import NOW_NS, Library, WebClient

PAIR = (Kind.NEAR, 4, Turn.NONE)


@pytest.mark.parametrize(
    ("kind", "name", "path", "code"),
    [
        ("detect", "folders", "/nonexistent", "job.not_watched"),
        ("detect", "folders", "/tmp", "job.not_watched"),
        ("detect", "folders", "relative", "job.not_absolute"),
        ("detect", "folders", "{root}/nowhere", "job.no_such_path"),
        ("detect", "folders", "{root}/../photos-of-others", "job.not_watched"),
        ("compress", "folders", "/nonexistent", "job.not_watched"),
        ("compress", "files", "{root}/nothing.jpg", "job.no_such_path"),
        ("scan", "roots", "/nonexistent", "job.not_watched"),
        ("scan", "paths", "/etc/passwd", "job.not_watched"),
    ],
)
def test_unknown_places_are_refused(
    client: WebClient, library: Library, kind: str, name: str, path: str, code: str
) -> None:
    asked = {"kind": kind, "parameters": {name: [path.format(root=library.folder)]}}
    schedule = asked | {"name": "nightly", "trigger": "daily 03:00"}
    for route, body in (("jobs", asked), ("schedules", schedule)):
        answer = client.send("POST", f"/api/v1/{route}", body)
        assert answer.status == 400, answer.json
        assert (answer.json["error"]["message_code"], answer.json["error"]["field"]) == (code, f"parameters.{name}")
    assert client.get("/api/v1/jobs").json["total"] == 0


def test_known_places_are_taken_as_the_index_writes_them(client: WebClient, library: Library) -> None:
    (library.folder / "2019").mkdir()
    link = library.folder.parent / "link"
    link.symlink_to(library.folder)
    library.add_image(library.add_content(1), "away/1.jpg")
    given = [f"{library.folder}//2019/", str(link / "2019"), f"{library.folder}/away"]
    body = {"kind": "detect", "parameters": {"folders": given}}
    answer = client.send("POST", "/api/v1/jobs", body)
    assert answer.status == 202
    year = str(library.folder / "2019")
    assert answer.json["parameters"]["folders"] == [year, year, str(library.folder / "away")]


def test_the_groups_of_a_search_stand_beside_those_of_the_library(
    client: WebClient, library: Library, store: Store
) -> None:
    contents = [library.add_content(seed) for seed in range(4)]
    images = [library.add_image(content, f"2019/{content}.jpg") for content in contents]
    library.add_image(contents[1], "elsewhere/copy.jpg")
    of_library = library.add_group(contents[0], (contents[1], *PAIR))
    search = add_search(library, str(library.folder / "2019"))
    of_search = library.add_group(contents[2], (contents[3], *PAIR))
    same_key = library.add_group(contents[0], (contents[1], *PAIR))
    assert same_key == of_library

    assert [group["id"] for group in client.get("/api/v1/groups").json["items"]] == [of_library]
    listed = client.get(f"/api/v1/groups?search={search}").json
    assert {group["id"] for group in listed["items"]} == {of_search, of_library}
    assert listed["kinds"] == {"near": 2}
    assert client.get("/api/v1/status").json["totals"]["groups"] == 1
    # Only what is in the folder belongs to the search.
    assert total_of(client, f"groups/{of_library}") == 3
    assert total_of(client, f"groups/{of_library}?search={search}") == 2
    assert client.get(f"/api/v1/groups/{of_search}").status == 404
    (kept,) = client.get("/api/v1/searches").json["items"]
    assert (kept["id"], kept["folders"], kept["groups"]) == (search, [str(library.folder / "2019")], 2)

    # Decisions are those of the images, and a group of either needs an image that stays.
    wanted = {"decisions": [{"image": images[3], "choice": "trash"}]}
    address = f"/api/v1/groups/{of_search}/decisions"
    assert client.send("PUT", address, wanted).status == 404
    assert client.send("PUT", f"{address}?search={search}", wanted).json["decided"] == "partly"
    refused = client.send("PUT", f"{address}?search={search}", {"decisions": [{"image": images[2], "choice": "trash"}]})
    assert (refused.status, refused.json["error"]["code"]) == (409, "no_keeper")
    # In the library this group has a third image, which would stay; in the search it has not.
    both = {"decisions": [{"image": image, "choice": "trash"} for image in images[:2]]}
    assert client.send("PUT", f"/api/v1/groups/{of_library}/decisions", both).status == 200

    assert client.send("DELETE", f"/api/v1/searches/{library.detection_id + 9}").status == 404
    assert client.send("DELETE", f"/api/v1/searches/{search}").status == 204
    assert client.get(f"/api/v1/groups?search={search}").status == 404
    assert total_of(client, "groups") == 1


def total_of(client: WebClient, path: str) -> int:
    answer: Any = client.get(f"/api/v1/{path}").json
    return len(answer["items"] if "items" in answer else answer["images"]["items"])


def add_search(library: Library, *folders: str) -> int:
    """A finished search in these folders; groups are added to it from now on."""
    text = dump_parameters(DetectParameters(folders=folders))
    values = {"parameters": text, "created_ns": NOW_NS, "finished_ns": NOW_NS}
    library.detection_id = int(library.write(lambda db: schema.Detection.insert(**values).execute(db)))
    return library.detection_id
