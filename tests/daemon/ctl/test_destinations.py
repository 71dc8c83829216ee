"""comparimg-ctl destinations and searches, asking a running page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database import schema
from index.database.store import Store
from support.pictures import unutf8
from support.terminal import Ctl
from support.weblibrary import Daemon, Library
from webui.app import make_app
from webui.server import Server


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def ask(ctl_alone: Ctl, store: Store) -> Iterator[Ctl]:
    """The program, with the address of a page over an empty index."""
    server = Server(make_app(store, Daemon().services(store)), "127.0.0.1", 0)
    server.start()
    yield lambda *arguments: ctl_alone("--address", f"http://127.0.0.1:{server.port}", *arguments)
    server.stop()


def test_destinations_are_named_listed_and_forgotten(ask: Ctl, tmp_path: Path) -> None:
    folder = tmp_path / unutf8("à garder")
    missing = ask("destinations", "add", "best", folder)
    assert (missing.code, "There is no folder" in missing.err) == (2, True)
    added = ask("destinations", "add", "best", folder, "--create", "--json").json["destination"]
    assert (added["name"], added["origin"], added["exists"]) == ("best", "page", True)
    assert folder.is_dir()
    taken = ask("destinations", "add", "best", tmp_path)
    assert taken.code == 1
    assert "best" in ask("destinations", "list").out
    assert ask("destinations", "remove", "best").code == 0
    assert ask("destinations", "list", "--json").json == []
    assert folder.is_dir(), "the folder stays"
    assert ask("destinations", "remove", "best").code == 1


def test_any_folder_is_searched_and_dismissed(ask: Ctl, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / unutf8("clé")
    folder.mkdir()
    nowhere = ask("searches", "start", tmp_path / "nowhere")
    assert (nowhere.code, "There is no folder" in nowhere.err) == (2, True)
    job = ask("searches", "start", folder, "--hsize", "8", "--tolerance", "4", "--not-recursive", "--json").json
    assert (job["kind"], job["parameters"]["hsize"], job["parameters"]["tolerance"]) == ("detect", 8, 4)
    library = Library(store, tmp_path)
    search = library.add_detection(folders=[str(tmp_path / "photos")])
    library.write(lambda db: schema.Detection.update(current=False).execute(db))
    (row,) = ask("searches", "list", "--json").json
    assert row["id"] == search
    assert "photos" in ask("searches", "list").out
    assert ask("groups", "--search", search, "--json").json == []
    assert ask("searches", "dismiss", search).code == 0
    assert ask("searches", "list", "--json").json == []
    assert ask("searches", "dismiss", search).code == 1
