"""The data folder is its owner's alone, however it was made, and nothing but it is changed for that."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database.private_folder import make_private, objection
from index.database.store import Store

OTHER_USER = 65_534


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as an earlier version left it where someone had made it for all to use."""
    folder = tmp_path / "data"
    (folder / "views" / "ab").mkdir(parents=True)
    (folder / "views" / "ab" / "cd.jpg").write_bytes(b"picture")
    (folder / "token").write_text("a token of some length\n")
    with Store(folder) as store:
        store.back_up()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o755, 0o750, 0o711, 0o2775])
def test_what_others_may_use_is_shut_away_at_the_start(data: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    data.chmod(mode)
    with caplog.at_level(logging.WARNING), Store(data) as store:
        store.write(lambda db: db.execute_sql("PRAGMA user_version = 1"))
        names = {path.name for path in data.rglob("*")}
        assert names >= {"lock", "token", "index.sqlite3", "index.sqlite3-wal", "cd.jpg"}
        assert {str(path): oct(mode_of(path)) for path in (data, *data.rglob("*")) if mode_of(path) & 0o077} == {}
    assert f"(mode {mode:o}): it is now restricted" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING), Store(data):
        pass
    assert caplog.text == ""


def test_a_new_folder_and_all_in_it_is_private(tmp_path: Path) -> None:
    with Store(tmp_path / "new" / "data") as store:
        store.back_up()
        data = tmp_path / "new" / "data"
        assert {str(path): oct(mode_of(path)) for path in (data, *data.iterdir()) if mode_of(path) & 0o077} == {}


def test_a_folder_that_holds_more_than_an_index_is_left_and_named(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A home, or a folder of photographs, as the data folder."""
    (data / "Pictures").mkdir()
    with caplog.at_level(logging.WARNING), Store(data):
        pass
    assert mode_of(data) == 0o777
    assert "there are other folders in it" in caplog.text
    assert {mode_of(data / name) for name in ("lock", "token", "index.sqlite3")} == {0o600}


def test_a_folder_shared_by_all_is_left_and_named(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    data.chmod(0o1777)
    with caplog.at_level(logging.WARNING), Store(data):
        pass
    assert mode_of(data) == 0o1777
    assert "sticky" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_left_and_named(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.chown(data, OTHER_USER, OTHER_USER)
    with caplog.at_level(logging.WARNING), Store(data):
        pass
    assert mode_of(data) == 0o777
    assert "belongs to another user" in caplog.text
    data.chmod(0o755)
    caplog.clear()
    with caplog.at_level(logging.WARNING), Store(data):
        pass
    assert caplog.text == ""


def test_nothing_is_changed_through_a_link_or_under_another_name(data: Path, tmp_path: Path) -> None:
    """What others may have put there meanwhile."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("linked", "named twice", "below"):
        (outside / name).write_text("someone's")
        (outside / name).chmod(0o644)
    (data / "index-linked").symlink_to(outside / "linked")
    os.link(outside / "named twice", data / "index-twice")
    (data / "views" / "link").symlink_to(outside)
    os.mkfifo(data / "lock-pipe", 0o666)
    (data / "notes.txt").write_text("by hand")
    (data / "notes.txt").chmod(0o644)
    make_private(data)
    assert {mode_of(path) for path in (*outside.iterdir(), data / "notes.txt")} == {0o644}
    assert mode_of(outside) & 0o055
    assert (mode_of(data), mode_of(data / "views")) == (0o700, 0o700)


def test_why_a_folder_is_left(data: Path) -> None:
    assert objection(data) is None
    (data / ".cache").mkdir()
    (data / "lost+found").mkdir()
    assert objection(data) is None
    (data / "Pictures").mkdir()
    assert objection(data)
