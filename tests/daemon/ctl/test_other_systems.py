"""What runs on macOS and Windows, simulated: what these systems lack is taken away on Linux."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.pictures import photograph, save

TOP = Path(__file__).parents[3]
MACOS = TOP / "tests" / "support" / "other_systems"
WINDOWS = TOP / "tests" / "support" / "windows"
PROGRAM = "from daemon.ctl.main import main; main()"
ON_MACOS = "from index import operating_system; operating_system.IS_LINUX = False"
ON_WINDOWS = "import pickle"


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
    whole = (folder / "a.jpg").read_bytes()
    (folder / "spoilt.jpg").write_bytes(whole[:30_000] + b"\x55" * 40 + whole[30_040:])
    os.symlink(folder / "a.jpg", folder / "link.jpg")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("system", "before"), [(MACOS, ""), (WINDOWS, ON_WINDOWS)], ids=["macos", "windows"])
def test_detect_and_compress_run_without_what_a_system_lacks(
    folder: Path, tmp_path: Path, system: Path, before: str
) -> None:
    data = ["--data-dir", str(tmp_path / "data")]
    asked = ["detect", str(folder), "--json", str(tmp_path / "result.json"), "--method", "hash", "-q", *data]
    found = run(asked, before, system)
    assert found.returncode == 0, found.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert [len(group["images"]) for group in result["groups"]] == [2]
    problems = {os.path.basename(problem["path"]): problem["reason"] for problem in result["problems"]}
    assert problems == {"broken.jpg": "corrupt", "spoilt.jpg": "damaged"}
    made = run(["compress", str(folder / "a.jpg"), "-s", "0", "-c", "80", *data], before, system)
    assert made.returncode == 0, made.stderr
    assert "undo" not in made.stdout
    files = {"a.jpg", "a_resize.jpg", "b.jpg", "broken.jpg", "link.jpg", "spoilt.jpg"}
    assert set(os.listdir(folder)) == files
    assert 0 < (folder / "a_resize.jpg").stat().st_size < (folder / "a.jpg").stat().st_size


@pytest.mark.parametrize("option", ["-m", "-d"])
def test_no_source_is_changed_on_macos(folder: Path, option: str) -> None:
    refused = run(["compress", option, str(folder / "a.jpg")], ON_MACOS)
    assert refused.returncode == 2
    assert "no source is changed here" in refused.stderr


def test_all_else_names_linux_on_macos() -> None:
    refused = run(["status"], ON_MACOS)
    assert (refused.returncode, "runs on Linux only" in refused.stderr) == (2, True)


@pytest.mark.slow
def test_a_running_search_keeps_others_out_on_windows(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    held = f"{ON_WINDOWS}\nfrom pathlib import Path\nfrom index.database.lock import DataLock\n"
    refused = run(
        ["detect", str(folder), "-q", "--data-dir", str(data)],
        f"{held}import os; os.makedirs({str(data)!r}); lock = DataLock(Path({str(data / 'index.sqlite3')!r}))",
        WINDOWS,
    )
    assert refused.returncode == 1
    assert "is using" in refused.stderr


def test_nothing_else_runs_on_windows(folder: Path) -> None:
    refused = run(["status"], ON_WINDOWS, WINDOWS)
    assert (refused.returncode, "runs on Linux only" in refused.stderr) == (2, True), refused.stderr
    kept = run(["compress", "-m", str(folder / "a.jpg")], ON_WINDOWS, WINDOWS)
    assert (kept.returncode, "no source is changed here" in kept.stderr) == (2, True), kept.stderr
