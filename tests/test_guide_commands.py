"""The examples of the guides, in both languages, are run as they are written: in a home with such folders, with a real
service and then without one."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.client import Client
from support.doc_pages import TOP, blocks
from support.pictures import photograph, save
from support.program import Program, wait_until_idle

# A service and some forty programs for each language.
pytestmark = pytest.mark.slow

GUIDES = {
    "en": [TOP / "README.md", *sorted((TOP / "docs/guides/en").glob("*.md"))],
    "fr": [TOP / "README.fr.md", *sorted((TOP / "docs/guides/fr").glob("*.md"))],
}
FOLDERS = {"en": ("Pictures", "Backup", "Originals"), "fr": ("Images", "Sauvegarde", "Originaux")}
REFERENCE = [TOP / "docs/rest.md", TOP / "docs/monitoring.md", TOP / "docs/safety.md", TOP / "docs/reliability.md"]
# Examples that say in their page that they are run without a service.
ALONE = ("comparimg-ctl detect", "comparimg-ctl compress -p", "comparimg-ctl trash recover", "comparimg-ctl index")
# What is not run as it is written, and why.
LEFT_OUT = {
    r"make test\b": "it is this test",
    r"make run\b": "it installs packages; what it would run is shown by make -n",
    r".*comparimg-ctl service ": "it changes the machine: tests/daemon/machine/test_installation.py, systemd replaced",
    r"docker compose up": "it builds the image: tests/test_packaging.py reads what the image is built of",
    r"journalctl ": "it reads the journal of the machine, and does not end",
    r"(echo fs\.inotify|sudo sysctl)": "it changes a limit of the machine, as root",
    r"curl -N ": "it does not end",
    r"comparimg-ctl index restore": "the first backup is made after a minute: tests/daemon/ctl/test_copies.py",
    r"#!/bin/sh|echo \"\$COMPARIMG_SUMMARY": "a program that the service runs: tests/daemon/notifying",
}
PATIENCE_S = 120


def commands_of(pages: list[Path]) -> list[tuple[str, str]]:
    """Every command of the examples, each with its page; what continues in the next line is one."""
    return [
        (page, line.strip())
        for page, body in blocks("sh", pages)
        for line in body.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


def is_left_out(line: str) -> bool:
    return any(re.match(pattern, line) for pattern in LEFT_OUT)


def needs_no_service(lines: list[str], at: int) -> bool:
    """Whether a command is run without a service: `undo` as well, after `compress`."""
    alone = lines[at].startswith(ALONE) or lines[at].startswith("comparimg-ctl compress")
    return alone or (lines[at].startswith("comparimg-ctl undo") and "compress" in lines[at - 1])


class Home:
    """A home with the folders that the guides name, and a working folder that has what a clone has."""

    def __init__(self, folder: Path, language: str) -> None:
        self.pictures, self.backup, protected = (folder / name for name in FOLDERS[language])
        grain = np.random.default_rng(1).normal(0, 9, (1500, 2000, 1))
        levels = np.clip(np.asarray(photograph(1, 2000, 1500)) + grain, 0, 255).astype(np.uint8)
        large = save(Image.fromarray(levels), self.pictures / "large.jpg", quality=96)
        for number in (2, 3):
            kept = save(photograph(number), self.pictures / f"{number}.jpg", quality=92)
            (self.backup / "old").mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept, self.backup / "old" / kept.name)
        for name in (
            self.pictures / protected.name,
            self.pictures / "Lightroom",
            folder / "Takeout",
            folder / "models",
        ):
            name.mkdir()
        shutil.copy2(TOP / "index/imaging/embedding/default.onnx", folder / "models/dinov2.onnx")
        self.folder, self.work = folder, folder / "work"
        (self.work / ".venv/bin").mkdir(parents=True)
        (self.work / ".venv/bin/comparimg-ctl").symlink_to(Path(sys.executable).with_name("comparimg-ctl"))
        shutil.copy2(large, self.work / "a.jpg")
        shutil.copy2(large, self.work / "b.jpg")
        save(photograph(4, 1600, 1200), self.work / "b.png")
        for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-dev.txt"):
            shutil.copy2(TOP / name, self.work)

    def run(
        self, line: str, configuration: Path, address: str = "http://127.0.0.1:1/"
    ) -> subprocess.CompletedProcess[str]:
        """A command as a shell runs it, with the address of the service in place of the documented one."""
        line = line.removeprefix("sudo ").removeprefix("docker compose exec comparimg ")
        line = line.replace("localhost:5000", address.removeprefix("http://").rstrip("/"))
        line = line.replace("/photos", str(self.pictures))
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "PATH": f"{self.work / '.venv/bin'}:{os.environ['PATH']}",
            "COMPARIMG_CONFIG": str(configuration),
            "LC_ALL": "C",
        }
        environment = {name: value for name, value in environment.items() if not name.startswith("XDG_")}
        return subprocess.run(
            ["/bin/sh", "-c", line],
            check=False,
            cwd=self.work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )


def failed(run: subprocess.CompletedProcess[str], line: str) -> bool:
    # The doctor ends with 1 where it finds something, as it may on the machine of the tests.
    return run.returncode != 0 and not (run.returncode == 1 and line.startswith("comparimg-ctl doctor"))


@pytest.fixture(params=["en", "fr"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def home(tmp_path: Path, language: str) -> Home:
    return Home(tmp_path / "home", language)


def test_every_command_of_the_guides_does_what_it_is_there_for(home: Home, language: str, tmp_path: Path) -> None:
    found = commands_of([*GUIDES[language], *(REFERENCE if language == "en" else [])])
    lines = [line for _, line in found]
    run_with = [at for at, line in enumerate(lines) if not is_left_out(line) and not needs_no_service(lines, at)]
    run_alone = [at for at, line in enumerate(lines) if not is_left_out(line) and needs_no_service(lines, at)]
    assert len(run_with) > 12
    assert len(run_alone) > 8
    faults = []

    def run(at: int, address: str = "http://127.0.0.1:1/") -> None:
        result = home.run(lines[at], program.config, address)
        if failed(result, lines[at]):
            faults.append((*found[at], result.returncode, result.stdout[-300:], result.stderr[-600:]))

    program = Program(tmp_path, home.pictures)
    with program.config.open("a") as file:
        file.write(f'[[watch]]\npath = "{home.backup}"\n')
    with program.running() as (process, address):
        wait_until_idle(address)
        client = Client(address)
        assert len(list(client.pages("groups"))) == 2
        configured = program.config.read_text()
        program.config.write_text(configured.replace("port = 0", f"port = {address.rsplit(':', 1)[1].rstrip('/')}"))
        # A file that was changed a moment ago is not moved.
        time.sleep(1)
        for at in run_with:
            run(at, address)
        outcomes = {(batch["kind"], batch["state"]) for batch in client.pages("batches")}
        assert {("sort", "done"), ("undo", "done")} <= outcomes
        process.terminate()
        process.wait(PATIENCE_S)
    program.config.write_text(configured.replace("port = 0", "port = 1"))
    for at in run_alone:
        run(at)
    assert faults == [], "\n".join(map(str, faults))
    names = {"en": ("result.json", "result.csv"), "fr": ("resultat.json", "resultat.csv")}[language]
    assert [name for name in names if not (home.work / name).stat().st_size] == []


@pytest.mark.parametrize("target", ["run PHOTOS=~/Pictures", "test"])
def test_make_would_start_the_service_and_the_tests(home: Home, target: str, tmp_path: Path) -> None:
    shown = home.run(f"make -n {target}", tmp_path / "comparimg.toml")
    assert shown.returncode == 0, shown.stderr
    assert ("-m daemon" if target.startswith("run") else "-m pytest") in shown.stdout


def test_each_reason_to_leave_a_command_out_is_needed() -> None:
    lines = [line for _, line in commands_of([*GUIDES["en"], *GUIDES["fr"], *REFERENCE])]
    assert [pattern for pattern in LEFT_OUT if not any(re.match(pattern, line) for line in lines)] == []
