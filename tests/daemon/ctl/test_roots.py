"""comparimg-ctl roots: the watched folders of a running service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database.store import Store
from support.pictures import unutf8
from support.terminal import Ctl
from support.weblibrary import Daemon
from webui.app import make_app
from webui.server import Server


@pytest.fixture
def ask(ctl_alone: Ctl, tmp_path: Path) -> Iterator[Ctl]:
    """The program, with the address of a page over an empty index."""
    with Store(tmp_path / "data") as store:
        app = make_app(store, Daemon().services(store))
        server = Server(app, "127.0.0.1", 0)
        server.start()
        yield lambda *arguments: ctl_alone("--address", f"http://127.0.0.1:{server.port}", *arguments)
        server.stop()


def test_roots_are_added_changed_listed_and_removed(ask: Ctl, tmp_path: Path) -> None:
    folder = tmp_path / unutf8("été")
    folder.mkdir()
    added = ask("roots", "add", folder, "--exclude", "*.tmp", "--priority", "2", "--json").json["root"]
    assert (added["origin"], added["exclude"], added["priority"]) == ("page", ["*.tmp"], 2)
    assert ask("roots", "change", folder, "--protected", "--mode", "poll").code == 0
    (row,) = ask("roots", "list", "--json").json
    assert (row["protected_by"], row["wanted_mode"], row["exclude"]) == ("page", "poll", ["*.tmp"])
    assert "page" in ask("roots", "list").out
    reset = ask("roots", "change", folder, "--reset", "--not-recursive", "--json").json["root"]
    assert (reset["protected"], reset["exclude"], reset["recursive"]) == (False, [], False)
    assert ask("roots", "remove", folder).code == 0
    assert ask("roots", "list", "--json").json == []
    assert folder.is_dir()


def test_what_cannot_be_watched_is_said(ask: Ctl, tmp_path: Path) -> None:
    missing = ask("roots", "add", tmp_path / "nowhere")
    assert (missing.code, "There is no folder" in missing.err) == (2, True)
    unknown = ask("roots", "remove", tmp_path)
    assert (unknown.code, "is not a watched folder" in unknown.err) == (1, True)
