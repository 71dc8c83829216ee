"""What is shipped besides the code: the entrypoint of the container does what it says, and its parts are there."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

from daemon.configuration.config import load
from daemon.machine.environment import base_python
from daemon.version import VERSION
from support.pictures import photograph, save

TOP = Path(__file__).parents[1]
ENTRYPOINT = TOP / "packaging" / "docker-entrypoint"
as_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")


def enter(config: Path, *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(ENTRYPOINT), *command],
        env={"PATH": os.environ["PATH"], "COMPARIMG_CONFIG": str(config), **environ},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def config() -> Iterator[Path]:
    """Where the process of another user may look, too: pytest's own folders are its user's alone."""
    with tempfile.TemporaryDirectory(prefix="comparimg-packaging-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "config").mkdir()
        yield folder / "config" / "comparimg.toml"


@as_root
def test_it_writes_a_configuration_runs_as_the_given_user_and_can_gain_nothing(config: Path) -> None:
    ended = enter(config, "sh", "-c", "id -u; id -g; umask; grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status",
                  PUID="1234", PGID="1235", UMASK="027")  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["1234", "1235", "0027", "CapBnd:", "0000000000000000", "NoNewPrivs:", "1"]
    made = load(config)
    assert [root.path for root in made.watch] == [b"/photos"]
    assert (made.web.host, made.daemon.data_dir) == ("0.0.0.0", config.parent / "data")
    assert (config.stat().st_uid, config.parent.stat().st_uid) == (1234, 1234)
    config.write_text("# mine\n")
    enter(config, "true", PUID="1234", PGID="1235")
    assert config.read_text() == "# mine\n"


@as_root
def test_started_as_another_user_it_keeps_that_user_and_reports_where_it_may_not_write(config: Path) -> None:
    copy = config.parent.parent / "entrypoint"
    shutil.copyfile(ENTRYPOINT, copy)

    def as_other_user(*command: str) -> "subprocess.CompletedProcess[str]":
        become = ["setpriv", "--reuid", "4321", "--regid", "4321", "--clear-groups", "sh", str(copy), *command]
        environ = {"PATH": os.environ["PATH"], "COMPARIMG_CONFIG": str(config)}
        return subprocess.run(become, env=environ, capture_output=True, text=True, check=False, cwd="/")

    ended = as_other_user("id", "-u")
    assert ended.returncode == 2
    assert f"{config} cannot be written" in ended.stderr
    config.write_text("")
    assert as_other_user("id", "-u").stdout == "4321\n"


def test_every_file_that_the_image_is_built_of_is_there_and_let_through() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (TOP / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    let_through = {line[1:] for line in (TOP / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert names == let_through
    assert all((TOP / name).exists() for name in names)


def test_the_image_is_built_on_one_pinned_version_for_any_processor() -> None:
    text = (TOP / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=python:3\.11\.\d+-slim-bookworm$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"$BASE"}
    assert not re.search(r"amd64|x86|aarch64", re.sub(r"^#.*$", "", text, flags=re.MULTILINE))


def test_there_is_one_version() -> None:
    version = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"]
    newest, *_ = re.findall(r"^## (\d\S*)", (TOP / "CHANGELOG.md").read_text(), re.MULTILINE)
    examples = re.findall(r'"version": "([\d.]+)"', (TOP / "docs" / "monitoring.md").read_text())
    assert {newest, *examples, VERSION} == {version}
    assert f"| {version.rpartition('.')[0]}.x | yes |" in (TOP / "SECURITY.md").read_text()


def test_every_data_file_is_in_the_wheel() -> None:
    patterns = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["webui"]
    shipped = {name for pattern in patterns for name in glob(pattern, root_dir=TOP / "webui", recursive=True)}
    files = {path.relative_to(TOP / "webui").as_posix() for path in (TOP / "webui").rglob("*") if path.is_file()}
    assert {name for name in files if not name.endswith((".py", ".pyc"))} <= shipped
    assert "static/views/groups.js" in shipped


@pytest.mark.parametrize("script", sorted((TOP / "packaging").iterdir()), ids=lambda path: path.name)
def test_every_script_is_one_for_any_shell(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    assert os.access(script, os.X_OK)
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.parametrize("file", ["packaging/deb", "packaging/docker-entrypoint", "Makefile", "Dockerfile"])
def test_every_module_that_is_named_outside_the_code_is_there(file: str) -> None:
    text = (TOP / file).read_text()
    for statement in re.findall(r"from (?:daemon|index|webui)[.\w]* import \w+(?:, \w+)*", text):
        exec(statement, {})
    for module in re.findall(r"-m (daemon[.\w]*)", text):
        assert importlib.util.find_spec(module), module


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """The root of a system in which the package's folders and those of its service exist."""
    for name in ("usr/lib/comparimg", "etc/comparimg", "var/lib/comparimg", "var/cache/comparimg"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def removed(places: Path, action: str) -> str:
    """What postrm prints for one action of dpkg, with its absolute paths below `places`."""
    script = re.sub(r"(?<=[ ])/(?=usr/|etc/|var/)", f"{places}/", (TOP / "packaging" / "postrm").read_text())
    return subprocess.run(["sh", "-c", script, "postrm", action], capture_output=True, text=True, check=True).stdout


def test_a_purge_removes_the_cache_and_names_what_stays(places: Path) -> None:
    assert removed(places, "upgrade") == ""
    assert (places / "usr/lib/comparimg").exists()
    assert removed(places, "remove") == ""
    assert not (places / "usr/lib/comparimg").exists()
    assert (places / "var/cache/comparimg").exists()
    printed = removed(places, "purge")
    assert not (places / "var/cache/comparimg").exists()
    for name in ("etc/comparimg", "var/lib/comparimg"):
        assert (places / name).exists()
        assert f"{places / name} is kept" in printed


ABSENT = ("scipy", "pywt")
# Two modules hold what only Windows has.
EVERY_MODULE = """
import importlib, pkgutil, sys
for package in ("daemon", "index", "webui"):
    for found in pkgutil.walk_packages([package], f"{package}."):
        if not found.name.endswith(("__main__", "_on_windows", ".windows_handles")):
            importlib.import_module(found.name)
assert not {"imagehash", "scipy", "pywt"} & set(sys.modules)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["-c", EVERY_MODULE],
        ["-c", "from daemon.ctl.main import main; main()", "detect", "PHOTOS", "--data-dir", "DATA", "--json", "-"],
        ["-c", "from daemon.ctl.main import main; main()", "explain", "PHOTOS/a.png", "PHOTOS/b.jpg"],
        ["-c", "from daemon.ctl.main import main; main()", "compress", "PHOTOS/a.png", "-s", "0", "--data-dir", "DATA"],
    ],
    ids=["every module", "detect", "explain", "compress"],
)
def test_it_runs_without_what_is_left_out_of_an_installation(tmp_path: Path, command: list[str]) -> None:
    for name in ABSENT:
        (tmp_path / "absent" / name).mkdir(parents=True)
        (tmp_path / "absent" / name / "__init__.py").write_text(f"raise ImportError('there is no {name} here')\n")
    save(photograph(1), tmp_path / "photos" / "a.png")
    save(photograph(1), tmp_path / "photos" / "b.jpg", quality=90)
    places = {"PHOTOS": str(tmp_path / "photos"), "DATA": str(tmp_path / "data")}
    arguments = [re.sub("PHOTOS|DATA", lambda match: places[match[0]], word) for word in command]
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=TOP, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "absent"), "XDG_DATA_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb here")
@pytest.mark.skipif(not base_python().startswith("/usr/bin/"), reason="the system has no Python of this version")
def test_the_debian_package_is_whole_and_runs(tmp_path: Path) -> None:
    """It is unpacked, not installed: nothing in it depends on its path."""
    subprocess.run(["sh", str(TOP / "packaging" / "deb")], check=True, capture_output=True, env=os.environ)
    (package,) = (TOP / "build").glob(f"comparimg_{VERSION}_*.deb")

    def field(name: str) -> str:
        return subprocess.run(
            ["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True
        ).stdout.strip()  # fmt: skip

    assert field("Version") == VERSION
    assert re.fullmatch(r"[^<>]+ <[\w.+-]+@[\w.-]+>", field("Maintainer"))
    assert re.fullmatch(
        r"python3\.\d+, libc6 \(>= 2\.\d+\), libstdc\+\+6, libgcc-s1, zlib1g", field("Depends")
    ), field("Depends")  # fmt: skip
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    program = root / "usr" / "bin" / "comparimg-ctl"
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "home")}
    shown = subprocess.run([program, "--version"], env=home, capture_output=True, text=True, check=True).stdout
    assert VERSION in shown
    save(photograph(1), tmp_path / "photos" / "a.png")
    save(photograph(1), tmp_path / "photos" / "b.jpg", quality=90)
    found = subprocess.run(
        [program, "detect", tmp_path / "photos", "--json", "-"], env=home, capture_output=True, text=True, check=True
    )
    assert len(json.loads(found.stdout)["groups"]) == 1
    packages = {path.name for path in root.glob("usr/lib/comparimg/lib/python*/site-packages/*")}
    assert packages >= {"daemon", "index", "webui", "numpy", "pi_heif", "onnxruntime"}
    assert not packages & {"pytest", "scipy", "pillow_jxl", "pip"}, "neither tools nor what a user has added"
