"""Installed into a root of its own: every file in its place, again without a change, and away but for the data."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from daemon.configuration.config import load
from daemon.machine import environment, installation, unit
from daemon.machine.installation import Installation, Places
from index.database.records import folder_overrides
from index.database.records.folder_overrides import RootOverride
from index.database.store import Store
from index.errors import ComparImgError, ConfigError, UsageError
from support.pictures import photograph, save

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save(photograph(1, 64, 48), tmp_path / "my photos" / "a.png").parent


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root to install below; of what ComparImg is on, only what is small is copied."""
    small = {"click": False, "msgspec": False, "bottle": False, "not-here": True}
    monkeypatch.setattr(environment, "_requirement_names", lambda requirements: small)
    monkeypatch.setattr(installation, "RUNS_SYSTEMD", tmp_path / "no systemd")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    return tmp_path / "root"


SHARED = {"man/man1/comparimg-ctl.1": "the manual", "zsh/site-functions/_comparimg-ctl": "completions"}


class Lines(list[str]):
    def __call__(self, words: str) -> None:
        self.append(words)


def install(root: Path, *photos: Path, dry_run: bool = False) -> Lines:
    lines = Lines()
    Installation(Places.of_system(root), lines, dry_run, SHARED).install(photos, "daemon")
    return lines


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() and "opt" not in path.parts}


def test_everything_is_put_in_its_place(root: Path, photos: Path) -> None:
    lines = install(root, photos)
    places = Places.of_system(root)
    assert files(root) == {
        "etc/comparimg/comparimg.toml", "etc/systemd/system/comparimg.service", "usr/local/bin/comparimg-ctl",
        "usr/local/share/man/man1/comparimg-ctl.1", "usr/local/share/zsh/site-functions/_comparimg-ctl",
    }  # fmt: skip
    assert (places.share / "man/man1/comparimg-ctl.1").read_text() == "the manual"
    (watched,) = load(places.config).watch
    assert watched.path == os.fsencode(photos)
    text = places.unit.read_text()
    assert unit.paths_of(text, "ReadWritePaths") == unit.path_lines([watched.path])
    assert unit.paths_of(text, "User") == ["daemon"]
    assert f"{places.environment}/bin/python" in text
    assert os.path.realpath(places.command) == str(places.environment / "bin" / "comparimg-ctl")
    scripts = {name.name: name.value for name in environment.metadata.distribution("comparimg").entry_points}
    assert scripts == {program: f"{module}:main" for program, module in environment.PROGRAMS.items()}
    assert all(os.access(places.environment / "bin" / program, os.X_OK) for program in scripts)
    command = [places.environment / "bin" / "python", "-I", "-c", "from daemon.version import VERSION; print(VERSION)"]
    version = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    assert version.strip() == environment.VERSION
    assert "systemd does not run here: nothing was started" in lines


def test_again_it_changes_nothing_and_with_another_folder_that_alone(root: Path, photos: Path, tmp_path: Path) -> None:
    install(root, photos)
    places = Places.of_system(root)
    places.config.write_text(places.config.read_text() + "# my own words\n")
    before = {place: place.stat().st_mtime_ns for place in (places.config, places.unit)}
    install(root, photos)
    assert {place: place.stat().st_mtime_ns for place in before} == before
    (tmp_path / "more").mkdir()
    install(root, tmp_path / "more")
    assert "# my own words" in places.config.read_text()
    assert [watch_root.path for watch_root in load(places.config).watch] == [
        os.fsencode(photos),
        os.fsencode(tmp_path / "more"),
    ]
    assert len(unit.paths_of(places.unit.read_text(), "ReadWritePaths")) == 2


def test_a_dry_run_changes_nothing_and_shows_everything(root: Path, photos: Path) -> None:
    lines = install(root, photos, dry_run=True)
    assert not root.exists()
    assert any(line.startswith("would make the environment") for line in lines)
    assert any("[Service]" in line for line in lines)
    assert "the manual" not in lines


def test_a_protected_folder_is_read_only_and_a_destination_is_written(root: Path, photos: Path, tmp_path: Path) -> None:
    places = Places.of_system(root)
    places.config.parent.mkdir(parents=True)
    places.config.write_text(
        f'[[watch]]\npath = "{photos}"\nprotected = true\n[sort.destinations]\nbest = "{tmp_path}/best"\n'
    )
    install(root)
    text = places.unit.read_text()
    assert unit.paths_of(text, "ReadWritePaths") == unit.path_lines([os.fsencode(tmp_path / "best")])
    assert unit.paths_of(text, "ReadOnlyPaths") == unit.path_lines([os.fsencode(photos)])


def test_what_was_set_up_on_the_page_may_be_written(root: Path, photos: Path, tmp_path: Path) -> None:
    places = Places.of_system(root)
    assert places.data_dir is not None
    added, kept, best = (bytes(tmp_path / name) for name in ("added", "kept", "best"))
    for folder in (added, kept):
        os.mkdir(folder)
    places.config.parent.mkdir(parents=True)
    places.config.write_text(
        f'[daemon]\ndata_dir = "{tmp_path}/data"\n[[watch]]\npath = "{photos}"\n'
        f"[web]\nbrowse = ['{tmp_path}']\n"
    )  # fmt: skip
    with Store(tmp_path / "data") as store:
        roots = {
            added: RootOverride(True, {}),
            kept: RootOverride(True, {"protected": True}),
            b"/usr/share": RootOverride(True, {}),
        }
        store.write(lambda db: folder_overrides.write_roots(db, roots))
        store.write(lambda db: folder_overrides.write_destinations(db, {"best": best}))
    install(root)
    text = places.unit.read_text()
    assert unit.paths_of(text, "ReadWritePaths") == unit.path_lines(sorted([added, best, bytes(photos)]))
    assert unit.paths_of(text, "ReadOnlyPaths") == unit.path_lines([kept])
    (tmp_path / "data" / "index.sqlite3").write_bytes(b"no database at all" * 100)
    (words,) = [line for line in install(root) if "left out of the unit" in line]
    assert "index.sqlite3" in words
    assert unit.paths_of(places.unit.read_text(), "ReadWritePaths") == unit.path_lines([bytes(photos)])


def test_a_wrong_configuration_or_folder_installs_nothing(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        install(root, tmp_path / "nowhere")
    places = Places.of_system(root)
    places.config.parent.mkdir(parents=True)
    places.config.write_text("[daemon]\nlgo = 1\n")
    with pytest.raises(ConfigError, match="Did you mean log"):
        install(root)
    assert not places.unit.exists()
    assert not places.environment.exists()


def test_only_root_installs_for_the_system(root: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="Only root"):
        install(root, photos)


def test_it_is_taken_away_but_for_what_is_the_users(root: Path, photos: Path) -> None:
    install(root, photos)
    places = Places.of_system(root)
    assert places.data_dir is not None
    (places.data_dir).mkdir(parents=True)
    (places.data_dir / "index.sqlite3").write_text("everything that was decided")
    lines = Lines()
    Installation(places, lines, shared=SHARED).uninstall()
    assert files(root) == {"etc/comparimg/comparimg.toml", "var/lib/comparimg/index.sqlite3"}
    assert not places.environment.exists()
    assert any(line.startswith("kept: ") for line in lines)
    assert list(photos.iterdir()) == [photos / "a.png"]
    lines.clear()
    Installation(places, lines).uninstall()
    assert lines == ["nothing is installed"]


def test_a_command_of_the_same_name_is_left_alone(root: Path, photos: Path) -> None:
    places = Places.of_system(root)
    places.command.parent.mkdir(parents=True)
    places.command.write_text("someone else's")
    assert f"{places.command} is something else, and left alone" in install(root, photos)
    Installation(places, Lines()).uninstall()
    assert places.command.read_text() == "someone else's"


def test_an_environment_that_cannot_be_made_leaves_the_old_one(
    root: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(root, photos)
    launcher = Places.of_system(root).environment / "bin" / "comparimg-ctl"
    before = launcher.stat().st_ino
    monkeypatch.setattr(environment, "_requirement_names", lambda requirements: {"no-one-has-this": False})
    with pytest.raises(ComparImgError, match="no-one-has-this"):
        install(root, photos)
    assert launcher.stat().st_ino == before


def test_a_folder_that_was_not_made_here_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    assert not environment.remove(tmp_path / "opt")
    assert (tmp_path / "opt").exists()


def test_what_the_service_needs_is_what_is_pinned() -> None:
    pinned = (Path(__file__).parents[3] / "requirements.txt").read_text()
    requires = environment.metadata.distribution("comparimg").requires or ()
    names = environment._requirement_names(line for line in requires if "extra ==" not in line)
    assert all(f"{name}==" in pinned for name in names)
    assert len(names) == len(re.findall(r"^[\w.-]+==", pinned, re.MULTILINE))
