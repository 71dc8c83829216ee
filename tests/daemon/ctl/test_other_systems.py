"""What runs on macOS and what is said on Windows, simulated: what these systems lack is taken away on Linux."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.pictures import photograph, save

TOP = Path(__file__).parents[3]
STAND_INS = TOP / "tests" / "support" / "other_systems"
PROGRAM = "from daemon.ctl.main import main; main()"
ON_MACOS = "from index import operating_system; operating_system.IS_LINUX = False"
ON_WINDOWS = """
import os, sys
import click, msgspec
sys.platform = "win32"
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_PATH", "O_TMPFILE", "sched_getaffinity",
             "geteuid", "fchown", "sysconf", "posix_fadvise", "listxattr", "pread"):
    delattr(os, name)
"""


def run(arguments: list[str], before: str = "", where: Path | None = None) -> subprocess.CompletedProcess[str]:
    places = [str(TOP)] if where is None else [str(where), str(TOP)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "LANG": "en_US.UTF-8", "LC_ALL": ""}
    code = f"{before}\nimport sys; sys.argv[1:] = {arguments!r}\n{PROGRAM}"
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    save(photograph(1, 640, 480), folder / "a.jpg", quality=97)
    save(photograph(1, 640, 480), folder / "b.jpg", quality=80)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    os.symlink(folder / "a.jpg", folder / "link.jpg")
    return folder


@pytest.mark.slow
def test_detect_and_compress_run_without_what_macos_lacks(folder: Path, tmp_path: Path) -> None:
    data = ["--data-dir", str(tmp_path / "data")]
    found = run(["detect", str(folder), "--json", str(tmp_path / "result.json"), "-q", *data], where=STAND_INS)
    assert found.returncode == 0, found.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert [len(group["images"]) for group in result["groups"]] == [2]
    assert [os.path.basename(problem["path"]) for problem in result["problems"]] == ["broken.jpg"]
    made = run(["compress", str(folder / "a.jpg"), "-s", "0", "-c", "80", *data], where=STAND_INS)
    assert made.returncode == 0, made.stderr
    before = (folder / "a.jpg").stat().st_size
    assert 0 < (folder / "a_resize.jpg").stat().st_size < before
    assert sorted(os.listdir(folder)) == ["a.jpg", "a_resize.jpg", "b.jpg", "broken.jpg", "link.jpg"]


@pytest.mark.parametrize("option", ["-m", "-d"])
def test_no_source_is_changed_on_macos(folder: Path, option: str) -> None:
    refused = run(["compress", option, str(folder / "a.jpg")], ON_MACOS)
    assert refused.returncode == 2
    assert "no source is changed here" in refused.stderr


def test_all_else_names_linux_on_macos() -> None:
    refused = run(["status"], ON_MACOS)
    assert (refused.returncode, "runs on Linux only" in refused.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [["detect", "."], ["compress", "-p", "."], ["status"]])
def test_windows_gets_a_sentence(arguments: list[str]) -> None:
    refused = run(arguments, ON_WINDOWS)
    assert refused.returncode == 2, refused.stderr
    assert "does not run on Windows directly" in refused.stderr
    assert "Traceback" not in refused.stderr
