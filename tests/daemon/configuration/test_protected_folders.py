"""What protects files though the configuration at work does not say so: every other one that can be found."""

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from daemon.configuration import protected_folders
from daemon.configuration.protected_folders import claims
from daemon.files.protected_paths import ManagedFolders
from index.database.records import images
from index.database.records.images import WatchRoot
from index.database.store import Store
from index.errors import ConfigError
from support.pictures import photograph, save
from support.terminal import DONE, FAILED, WRONG_USAGE, Ctl


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, a current folder and a system without any configuration."""
    (tmp_path / "home").mkdir()
    (tmp_path / "cwd").mkdir()
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr(protected_folders, "SYSTEM_FILE", tmp_path / "etc/comparimg.toml")
    monkeypatch.setattr(protected_folders, "SYSTEM_DATA", tmp_path / "var")
    return tmp_path


def configure(path: Path, folder: Path, is_protected: bool = True, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{more}\n[[watch]]\npath = "{folder}"\nprotected = {str(is_protected).lower()}\n')
    return path


def index_of(data_dir: Path, folder: Path) -> Path:
    """The index of a service that protects a folder."""
    with Store(data_dir) as store:
        store.write(lambda db: images.sync_roots(db, [WatchRoot(bytes(folder), protected=True)]))
    return data_dir / "index.sqlite3"


@pytest.mark.parametrize("place", ["cwd", "home/.config/comparimg", "xdg/comparimg", "etc", "other", "named"])
def test_each_place_is_heeded(home: Path, place: str) -> None:
    file = configure(home / place / "comparimg.toml", home / "photos")
    environ = {"XDG_CONFIG_HOME": str(home / "xdg")}
    if place == "other":
        environ["COMPARIMG_CONFIG"] = str(file)
    read = claims(file if place == "named" else None, None, environ)
    assert [claim.source for claim in read] == [str(file)]
    assert read[0].roots == {bytes(home / "photos"): True}
    folders = ManagedFolders.of({}, claims=lambda: read)
    assert folders.protector_of(bytes(home / "photos/a.jpg")) == bytes(home / "photos")


def test_no_place_hides_another(home: Path) -> None:
    configure(home / "cwd/comparimg.toml", home / "photos", is_protected=False)
    configure(home / "etc/comparimg.toml", home / "photos")
    folders = ManagedFolders.of({bytes(home / "photos"): False}, claims=lambda: claims(None, None, {}))
    protection = folders.protection_of(bytes(home / "photos/a.jpg"))
    assert protection is not None
    assert protection.source == str(home / "etc/comparimg.toml")


@pytest.mark.parametrize("place", ["home/.local/share/comparimg", "share/comparimg", "var", "state", "named"])
def test_each_index_is_heeded(home: Path, place: str) -> None:
    file = index_of(home / place, home / "photos")
    environ = {"XDG_DATA_HOME": str(home / "share")}
    if place == "state":
        environ["STATE_DIRECTORY"] = str(home / "state")
    if place == "named":
        configure(home / "etc/comparimg.toml", home / "elsewhere", more=f'[daemon]\ndata_dir = "{home}/named"')
    of_indexes = [claim for claim in claims(None, None, environ) if claim.source.endswith(".sqlite3")]
    assert [(claim.source, claim.roots) for claim in of_indexes] == [(str(file), {bytes(home / "photos"): True})]
    assert not [one for one in claims(None, home / place, environ) if one.source == str(file)], "its own"


def test_an_index_that_is_in_use_is_read(home: Path) -> None:
    index_of(home / "var", home / "photos")
    with Store(home / "var") as store:
        store.write(lambda db: images.sync_roots(db, [WatchRoot(bytes(home / "b"), protected=True)]))
        assert claims(None, None, {})[0].roots == {bytes(home / "b"): True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[[watch]", "is not valid TOML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"#" * 1_000_001, "is larger than 1 MB"),
        (b"[watch]\npath = '/a'", "accepted: [[watch]]"),
        (b"[[watch]]\npath = '/a'\nprotected = 'yes'", "or whether it is protected"),
        (b"[[watch]]\nprotected = true", "the folder is missing"),
    ],
)
def test_what_cannot_be_understood_stops_everything(home: Path, text: bytes, message: str) -> None:
    file = home / "etc/comparimg.toml"
    file.parent.mkdir()
    file.write_bytes(text)
    with pytest.raises(ConfigError) as refused:
        claims(None, None, {})
    assert str(file) in str(refused.value)
    assert message in str(refused.value)


def test_a_mistake_elsewhere_in_another_configuration_stops_no_one(home: Path) -> None:
    configure(home / "etc/comparimg.toml", home / "photos", more="[daemon]\nlgo = 1\n[detect]\nhsize = 12")
    assert claims(None, None, {})[0].roots == {bytes(home / "photos"): True}


def test_an_index_that_cannot_be_read_stops_everything(home: Path) -> None:
    (home / "var").mkdir()
    (home / "var/index.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(ConfigError, match=r"index\.sqlite3"):
        claims(None, None, {})


def test_an_empty_database_and_one_of_another_program_protect_nothing(home: Path) -> None:
    (home / "var").mkdir()
    (home / "var/index.sqlite3").touch()
    assert claims(None, None, {})[0].roots == {}
    sqlite3.connect(home / "var/index.sqlite3").execute("CREATE TABLE other (a)").connection.close()
    assert claims(None, None, {})[0].roots == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_who_may_not_read_a_configuration_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = configure(Path(folder, "comparimg.toml"), home / "photos")
        file.chmod(0o600)
        monkeypatch.setattr(protected_folders, "SYSTEM_FILE", file)
        os.seteuid(65534)
        try:
            with pytest.raises(ConfigError, match="Permission denied"):
                claims(None, None, {})
        finally:
            os.seteuid(0)


# The commands


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save(photograph(1, 900, 700), tmp_path / "photos/a.jpg", quality=97)


def compressed(ctl_alone: Ctl, photo: Path, *options: object) -> bool:
    before = photo.read_bytes()
    answer = ctl_alone("compress", "-p", photo.parent, "-m", "-s", 0, "-c", 40, *options)
    assert answer.code in (DONE, FAILED), answer
    changed = photo.read_bytes() != before
    assert changed == (answer.code == DONE), answer
    return changed


def test_a_configuration_in_the_current_folder_hides_nothing(ctl_alone: Ctl, photo: Path, tmp_path: Path) -> None:
    hidden = configure(tmp_path / "home/comparimg/comparimg.toml", photo.parent)
    Path("comparimg.toml").write_text("[daemon]\nworkers = 1\n")
    assert not compressed(ctl_alone, photo)
    named = tmp_path / "named.toml"
    shutil.copy("comparimg.toml", named)
    answer = ctl_alone("--config", named, "compress", photo, "-m", "-s", 0, "-c", 40)
    assert answer.code == FAILED
    assert f"which {hidden} protects" in answer.err
    hidden.unlink()
    assert compressed(ctl_alone, photo)


def test_a_folder_in_a_protected_one_is_not_exempt_by_being_named(ctl_alone: Ctl, photo: Path, tmp_path: Path) -> None:
    Path("comparimg.toml").write_text(f'[daemon]\nworkers = 1\n[[watch]]\npath = "{tmp_path}"\nprotected = true\n'
                                      'exclude = ["home", "cwd"]\n')  # fmt: skip
    assert not compressed(ctl_alone, photo)


def test_a_marker_holds_for_a_single_command_and_its_undo(ctl_alone: Ctl, photo: Path, tmp_path: Path) -> None:
    Path("comparimg.toml").write_text("[daemon]\nworkers = 1\n")
    marker = tmp_path / ".comparimg-protected"
    marker.touch()
    assert not compressed(ctl_alone, photo)
    marker.unlink()
    assert compressed(ctl_alone, photo)
    after = photo.read_bytes()
    marker.touch()
    assert ctl_alone("undo", "--one-shot").code == FAILED
    assert photo.read_bytes() == after
    marker.unlink()
    assert ctl_alone("undo", "--one-shot").code == DONE
    assert photo.read_bytes() != after


def test_a_broken_configuration_stops_a_single_command_by_name(ctl_alone: Ctl, photo: Path, tmp_path: Path) -> None:
    Path("comparimg.toml").write_text("[daemon]\nworkers = 1\n")
    broken = tmp_path / "home/comparimg/comparimg.toml"
    broken.parent.mkdir(parents=True)
    broken.write_text("[[watch")
    before = photo.read_bytes()
    answer = ctl_alone("compress", photo, "-m", "-s", 0, "-c", 40)
    assert answer.code == WRONG_USAGE
    assert str(broken) in answer.err
    assert photo.read_bytes() == before
