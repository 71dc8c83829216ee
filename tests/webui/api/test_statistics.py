"""The figures for charts: true to the index, by folder as deep as asked, kept for a while."""

from pathlib import Path
from urllib.parse import quote

from index.model import Kind, Turn
from support.weblibrary import Daemon, Library, WebClient

STATISTICS = "/api/v1/statistics"


def fill(library: Library) -> None:
    """A reference with an altered copy in another folder, an exact copy, and a file that cannot be read."""
    first = library.add_content(1, taken="2019-07-14T10:31:02")
    second = library.add_content(2, taken="", format="PNG")
    library.add_image(first, "2019/summer/a.jpg", size_bytes=500)
    library.add_image(second, "phone/b.png", size_bytes=200)
    library.add_image(first, "phone/deep/a (2).jpg", size_bytes=500)
    library.add_image(None, "broken.jpg", size_bytes=50)
    library.add_group(first, (second, Kind.NEAR, 4, Turn.NONE), images=3, size_bytes=1200, reclaimable_bytes=700)


def test_space_by_kind_format_and_month(client: WebClient, library: Library) -> None:
    fill(library)
    statistics = client.get(STATISTICS).json
    assert statistics["kinds"] == [
        {"kind": "near", "groups": 1, "images": 3, "size_bytes": 1200, "reclaimable_bytes": 700}
    ]  # fmt: skip
    assert [(row["format"], row["images"], row["size_bytes"]) for row in statistics["formats"]] == [
        ("JPEG", 2, 1000), ("PNG", 1, 200), ("", 1, 50),
    ]  # fmt: skip
    assert statistics["months"] == [{"month": "2019-07", "images": 2}]
    assert (statistics["images"], statistics["undated"], statistics["size_bytes"]) == (4, 2, 1250)


def test_a_date_that_is_none_is_no_month(client: WebClient, library: Library) -> None:
    for seed, taken in enumerate(("0000-00-00T00:00:00", "2019-13-01", "garbage", "1600-01-01T00:00:00")):
        library.add_image(library.add_content(seed, taken=taken), f"{seed}.jpg")
    assert client.get(STATISTICS).json["months"] == []


def test_folders_as_deep_as_asked(client: WebClient, library: Library, daemon: Daemon) -> None:
    fill(library)
    statistics = client.get(STATISTICS).json
    assert statistics["folder"] == str(library.folder)
    library.add_root(Path("/elsewhere"))
    daemon.elapsed_ns += 31 * 10**9
    folders = client.get(STATISTICS).json["folders"]
    assert [(row["path"], row["images"], row["reclaimable_bytes"], row["folders"]) for row in folders] == [
        (str(library.folder), 4, 700, True), ("/elsewhere", 0, 0, False),
    ]  # fmt: skip
    inside = client.get(f"{STATISTICS}?folder={library.folder}").json
    name = str(library.folder)
    rows = [(row["path"], row["size_bytes"], row["reclaimable_bytes"], row["folders"]) for row in inside["folders"]]
    assert rows == [
        (f"{name}/phone", 700, 700, True), (f"{name}/2019", 500, 0, True), (name, 50, 0, False),
    ]  # fmt: skip
    deep = client.get(f"{STATISTICS}?folder={library.folder}/phone").json
    assert [row["path"] for row in deep["folders"]] == [f"{name}/phone/deep", f"{name}/phone"]
    assert deep["parents"] == [{"path": name, "uri": f"file://{name}"}]


def test_folders_outside_the_roots_are_none_of_ours(client: WebClient, library: Library) -> None:
    for folder in ("/etc", f"{library.folder}x", "relative"):
        assert client.get(f"{STATISTICS}?folder={folder}").status == 404


def test_names_that_are_no_utf8_come_back_by_their_uri(client: WebClient, library: Library) -> None:
    library.add_image(library.add_content(1), b"caf\xe9/a.jpg")
    (row,) = client.get(f"{STATISTICS}?folder={library.folder}").json["folders"]
    assert row["uri"].endswith("/caf%E9")
    (inside,) = client.get(f"{STATISTICS}?folder={quote(row['uri'])}").json["folders"]
    assert (inside["images"], inside["folders"]) == (1, False)
    # Escaped once too little, the bytes themselves arrive, and mean the same.
    assert client.get(f"{STATISTICS}?folder={row['uri']}").json["folders"] == [inside]


def test_figures_are_kept_for_half_a_minute_while_the_index_changes(
    client: WebClient, library: Library, daemon: Daemon
) -> None:
    fill(library)
    first = client.get(STATISTICS).json
    library.add_image(library.add_content(9), "new.jpg")
    assert client.get(STATISTICS).json == first
    daemon.elapsed_ns += 31 * 10**9
    assert client.get(STATISTICS).json["images"] == first["images"] + 1


def test_results_are_cleared_and_nothing_else(client: WebClient, library: Library) -> None:
    fill(library)
    assert client.get("/api/v1/groups").json["total"] == 1
    assert client.send("DELETE", "/api/v1/groups").status == 204
    assert client.get("/api/v1/groups").json["total"] == 0
    assert client.get("/api/v1/status").json["totals"]["images"] == 4
    assert client.send("DELETE", "/api/v1/groups").status == 204
