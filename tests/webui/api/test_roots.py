"""Watched folders and destinations set up over REST: kept in the index, in effect at once, and never a way around what
comparimg.toml says."""

import os
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.sort import managed_folders
from index.database import schema
from index.database.records.folder_overrides import read_roots
from index.database.store import Store
from index.messages import hint_of
from support.weblibrary import Daemon, WebClient, make_client

ROOTS = "/api/v1/roots"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def configured(store: Store, daemon: Daemon, tmp_path: Path) -> WebClient:
    """A service whose file watches `file`, protected, and `open`, which is not."""
    for name in ("file", "open"):
        (tmp_path / name).mkdir()
    daemon.toml = (
        f"[[watch]]\npath = '{tmp_path}/file'\nprotected = true\n[[watch]]\npath = '{tmp_path}/open'\npriority = 3\n"
        f"[sort.destinations]\nbest = '{tmp_path}/best'\n"
    )
    client = make_client(store, daemon)
    schema_roots(store, tmp_path / "file", tmp_path / "open")
    return client


def wsgi_path(text: str) -> str:
    """As a server gives it to the app (PEP 3333)."""
    return text.encode().decode("latin-1")


def schema_roots(store: Store, protected: Path, other: Path) -> None:
    store.write(lambda db: schema.Root.insert(path=bytes(protected), protected=True, configured=True).execute(db))
    store.write(lambda db: schema.Root.insert(path=bytes(other), priority=3).execute(db))


def listed(client: WebClient) -> dict[str, Any]:
    return {os.path.basename(root["path"]): root for root in client.get(ROOTS).json["items"]}


def test_a_folder_is_added_changed_and_removed(client: WebClient, daemon: Daemon, photos: Path) -> None:
    added = client.send("POST", ROOTS, {"path": f"{photos}/", "exclude": ["*.tmp"], "priority": 2})
    assert added.status == 201, added.json
    root = added.json["root"]
    assert added.headers["Location"] == f"{ROOTS}/{root['id']}"
    assert (root["path"], root["origin"], root["exclude"], root["priority"]) == (str(photos), "page", ["*.tmp"], 2)
    assert (root["recursive"], root["wanted_mode"], root["protected"]) == (True, "auto", False)
    address = added.headers["Location"]
    changed = client.send("PATCH", address, {"protected": True, "mode": "poll", "exclude": None}).json["root"]
    assert (changed["protected"], changed["protected_by"], changed["wanted_mode"]) == (True, "page", "poll")
    assert (changed["exclude"], changed["priority"]) == ([], 2)
    freed = client.send("PATCH", address, {"protected": False}).json["root"]
    assert (freed["protected"], freed["protected_by"]) == (False, "")
    assert client.send("DELETE", address).status == 204
    assert client.get(ROOTS).json["items"] == []
    assert photos.is_dir()
    assert client.send("DELETE", address).status == 404
    assert daemon.folders_changed == 4


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nonexistent", "folders.missing"),
        ("photos", "job.not_absolute"),
        ("/", "folders.of_system"),
        ("/proc/self", "folders.of_system"),
        ("/etc", "folders.of_system"),
        ("{tmp}/link", "folders.of_system"),
        ("{tmp}/data", "folders.of_comparimg"),
        ("{tmp}", "folders.unusable"),
        ("{tmp}/.comparimg-trash", "folders.unusable"),
        ("{tmp}/photo.jpg", "folders.no_folder"),
    ],
)
def test_what_cannot_be_watched_is_refused(client: WebClient, tmp_path: Path, path: str, code: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / ".comparimg-trash").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"")
    answer = client.send("POST", ROOTS, {"path": path.format(tmp=tmp_path)})
    assert (answer.status, answer.error["message_code"], answer.error["field"]) == (400, code, "path")
    assert client.get(ROOTS).json["items"] == []


def test_wrong_values_are_refused_and_change_nothing(client: WebClient, photos: Path) -> None:
    for body in ({"mode": "always"}, {"priority": 5000}, {"exclude": [""]}, {"colour": 1}):
        assert client.send("POST", ROOTS, {"path": str(photos), **body}).status == 400, body
    assert client.get(ROOTS).json["items"] == []
    address = client.send("POST", ROOTS, {"path": str(photos)}).headers["Location"]
    assert client.send("PATCH", address, {"protected": True, "priority": 5000}).status == 400
    assert not listed(client)["photos"]["protected"]
    again = client.send("POST", ROOTS, {"path": str(photos)})
    assert (again.status, again.error["message_code"]) == (409, "root.watched_already")


def test_what_the_file_has_is_changed_but_neither_removed_nor_unprotected(
    configured: WebClient, store: Store, tmp_path: Path
) -> None:
    before = listed(configured)
    assert {name: root["origin"] for name, root in before.items()} == {"file": "file", "open": "file"}
    file_root, open_root = (f"{ROOTS}/{before[name]['id']}" for name in ("file", "open"))
    refused = configured.send("DELETE", open_root)
    assert (refused.status, refused.error["message_code"]) == (409, "root.configured")
    refused = configured.send("PATCH", file_root, {"protected": False, "priority": 9})
    assert (refused.status, refused.error["message_code"]) == (409, "root.protection_configured")
    with store.read() as database:
        assert read_roots(database) == {}
    # What null resets is what was said here, not what the file says.
    assert configured.send("PATCH", file_root, {"protected": None}).json["root"]["protected_by"] == "file"
    changed = configured.send("PATCH", open_root, {"protected": True, "priority": 9}).json["root"]
    assert (changed["protected_by"], changed["priority"]) == ("page", 9)
    assert changed["changed"] == ["priority", "protected"]
    back = configured.send("PATCH", open_root, {"protected": False, "priority": None}).json["root"]
    assert (back["protected"], back["priority"], back["changed"]) == (False, 3, [])


def test_protection_holds_from_the_moment_it_is_added(configured: WebClient, store: Store, tmp_path: Path) -> None:
    photo = bytes(tmp_path / "open" / "a.jpg")
    assert managed_folders(store, ()).protector_of(photo) is None
    address = f"{ROOTS}/{listed(configured)['open']['id']}"
    configured.send("PATCH", address, {"protected": True})
    assert managed_folders(store, ()).protector_of(photo) == bytes(tmp_path / "open")


def test_no_folder_inside_a_protected_one_becomes_exempt_from_it(configured: WebClient, tmp_path: Path) -> None:
    (tmp_path / "file" / "2019").mkdir()
    body: dict[str, Any] = {"path": str(tmp_path / "file" / "2019")}
    refused = configured.send("POST", ROOTS, body)
    assert (refused.status, refused.error["message_code"], refused.error["field"]) == (
        400, "root.in_protected", "protected",
    )  # fmt: skip
    added = configured.send("POST", ROOTS, body | {"protected": True})
    assert added.status == 201
    refused = configured.send("PATCH", added.headers["Location"], {"protected": False})
    assert (refused.status, refused.error["message_code"]) == (400, "root.in_protected")


def test_folders_survive_a_restart_and_later_files(store: Store, daemon: Daemon, photos: Path) -> None:
    make_client(store, daemon).send("POST", ROOTS, {"path": str(photos), "protected": True})
    # The file watches it too now, and protects it less: what was added stays.
    daemon.toml = f"[[watch]]\npath = '{photos}'\n"
    (root,) = make_client(store, daemon).get(ROOTS).json["items"]
    assert (root["origin"], root["protected_by"]) == ("file", "page")
    # It has become the data folder of the file's: it is left out, and the service starts.
    daemon.toml = "log = 'info'\n[[watch]]\n" + f"path = '{photos}'\nexclude = ['x']\n"
    assert len(make_client(store, daemon).get(ROOTS).json["items"]) == 1


def test_a_folder_that_cannot_be_changed_is_reported_with_the_remedy(store: Store, daemon: Daemon) -> None:
    folders = daemon.services(store).folders
    assert folders.write_problem(bytes(store.data_dir)) is None
    # Its thread must not become someone else.
    store.close()
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        problem = folders.write_problem(b"/usr")
    finally:
        os.seteuid(os.getuid())
    assert problem is not None
    assert problem.code == "folders.not_writable"
    hint = hint_of(problem)
    assert hint is not None
    assert "protect the folder" in str(hint)


def test_a_unit_that_may_not_write_has_a_remedy_of_its_own(store: Store, daemon: Daemon) -> None:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    read_only = [fields[1] for fields in mounts if fields[3].split(",")[0] == "ro" and os.path.isdir(fields[1])]
    if not read_only:
        pytest.skip("nothing is mounted read-only here")
    for environ, code in (({"INVOCATION_ID": "1"}, "folders.read_only_unit"), ({}, "folders.read_only_disk")):
        daemon.environ = environ
        problem = daemon.services(store).folders.write_problem(read_only[0].encode())
        assert problem is not None
        assert problem.code == code


def test_a_home_that_the_unit_hides_is_reported(
    store: Store, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setattr("daemon.folder_setup.HOMES", (bytes(tmp_path / "home"),))
    body = {"path": str(tmp_path / "home" / "anne" / "Pictures")}
    assert make_client(store, daemon).send("POST", ROOTS, body).error["message_code"] == "folders.missing"
    daemon.environ = {"INVOCATION_ID": "1"}
    refused = make_client(store, daemon).send("POST", ROOTS, body)
    assert (refused.status, refused.error["message_code"]) == (400, "folders.hidden_by_unit")
    assert "comparimg-ctl service install --photos" in refused.error["hint"]


def test_folders_are_offered_and_completed(store: Store, daemon: Daemon, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("Pictures/2019", "Pictures/2020", "Music", ".cache", "data"):
        (home / name).mkdir(parents=True)
    (home / "file.jpg").write_bytes(b"")
    (home / "out").symlink_to("/etc")
    (home / "away").symlink_to(tmp_path)
    (home / "Short").symlink_to(home / "Pictures")
    daemon.toml = f"[web]\nbrowse = ['{home}']\n"
    client = make_client(store, daemon)

    def names(under: str) -> list[str]:
        answer = client.get(f"/api/v1/folders?under={under}")
        assert answer.status == 200, answer.json
        return [folder["name"] for folder in answer.json["items"]]

    top = client.get("/api/v1/folders").json
    assert ([folder["path"] for folder in top["items"]], top["parent"]) == ([str(home)], None)
    # Links are listed where they lead to a folder that is offered; what is hidden, when it is asked for.
    assert names(str(home)) == ["data", "Music", "Pictures", "Short"]
    assert names(f"{home}/pic") == ["Pictures"]
    assert names(f"{home}/.c") == [".cache"]
    assert names(f"{home}/Short/") == ["2019", "2020"]
    assert names(f"{tmp_path}/ho") == [str(home)]
    below = client.get(f"/api/v1/folders?under={home}/Short").json
    assert (below["under"], below["parent"]) == (f"{home}/Pictures", f"file://{home}")
    for outside in ("/etc", "/proc/1", str(tmp_path), f"{home}/away", f"{home}/../data", "/"):
        answer = client.get(f"/api/v1/folders?under={outside}/").json
        assert (answer["items"], answer["offered"], answer["under"]) == ([], False, f"{outside}/"), outside
    # What the file names are the only folders that can be added.
    (tmp_path / "elsewhere").mkdir()
    refused = client.send("POST", ROOTS, {"path": str(tmp_path / "elsewhere")})
    assert (refused.status, refused.error["message_code"]) == (400, "folders.not_offered")
    assert client.send("POST", ROOTS, {"path": str(home / "Short")}).json["root"]["path"] == f"{home}/Pictures"
    assert [entry["watched"] for entry in client.get(f"/api/v1/folders?under={home}").json["items"]] == [
        False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("web", "headers", "status"),
    [
        ({}, {}, 200),
        ({"names": ("photos.example.org",)}, {}, 403),
        ({}, {"X_Forwarded_For": "203.0.113.7"}, 403),
        ({}, {"Forwarded": "for=203.0.113.7"}, 403),
        ({"token": "a-token-of-some-length", "names": ("photos.example.org",)}, {}, 401),
        (
            {"token": "a-token-of-some-length", "names": ("photos.example.org",)},
            {"Authorization": "Bearer a-token-of-some-length", "X_Forwarded_For": "203.0.113.7"},
            200,
        ),
        ({"host": "0.0.0.0"}, {}, 403),
    ],
)
def test_set_up_needs_the_token_where_others_may_ask(
    store: Store, daemon: Daemon, photos: Path, web: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    client = make_client(store, daemon, **web).with_headers(**headers)
    assert client.get("/api/v1/folders").status == status
    added = client.send("POST", ROOTS, {"path": str(photos)})
    assert added.status == (201 if status == 200 else status)
    named = client.send("POST", "/api/v1/destinations", {"name": "x", "path": f"{photos}/x", "create": True})
    assert named.status == (201 if status == 200 else status)
    assert (photos / "x").exists() == (status == 200)


def test_destinations_are_made_where_they_are_needed(configured: WebClient, daemon: Daemon, tmp_path: Path) -> None:
    def names() -> dict[str, str]:
        items = configured.get("/api/v1/destinations").json["items"]
        return {item["name"]: item["origin"] for item in items}

    body = {"name": "Été 2024", "path": str(tmp_path / "summer"), "create": True}
    made = configured.send("POST", "/api/v1/destinations", body)
    assert made.status == 201, made.json
    assert (tmp_path / "summer").is_dir()
    assert names() == {"best": "file", "Été 2024": "page"}
    assert configured.send("POST", "/api/v1/destinations", body).error["message_code"] == "destination.taken"
    for path, code in (
        (tmp_path / "nowhere" / "deep", "folders.missing"),
        (tmp_path / "file" / "kept", "folders.unusable"),
        (tmp_path / "data" / "x", "folders.of_comparimg"),
        (Path("/etc/photos"), "folders.of_system"),
    ):
        refused = configured.send("POST", "/api/v1/destinations", body | {"name": "other", "path": str(path)})
        assert (refused.status, refused.error["message_code"]) == (400, code)
        assert not path.exists()
    missing = configured.send("POST", "/api/v1/destinations", {"name": "other", "path": str(tmp_path / "no")})
    assert missing.error["message_code"] == "folders.missing"
    assert configured.send("DELETE", "/api/v1/destinations/best").error["message_code"] == "destination.configured"
    assert configured.send("DELETE", f"/api/v1/destinations/{wsgi_path('Été 2024')}").status == 204
    assert (tmp_path / "summer").is_dir()
    assert names() == {"best": "file"}
