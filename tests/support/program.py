"""The real program, `python -m daemon`, over a folder: started, asked, killed, and its index looked into."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from daemon.client import Client
from support.serving import PATIENCE_S, until, write_config

TOP = Path(__file__).parents[2]
# Where a program finds what tests are made of.
SEARCH = os.pathsep.join(filter(None, sys.path))


class Program:
    """One home, index and configuration in `folder`, over `photos`; one process at a time."""

    def __init__(self, folder: Path, photos: Path, workers: int = 1, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.photos = photos
        self.config = write_config(folder, photos, workers=workers, settle_s=0.1)
        for section, lines in (settings or {}).items():
            text = self.config.read_text()
            self.config.write_text(text.replace(f"[{section}]\n", f"[{section}]\n{lines}\n"))
        self.index = folder / "data" / "index.sqlite3"
        self.log = folder / "log"

    def begin(self, prefix: Sequence[str] = (), **environment: str) -> subprocess.Popen[bytes]:
        """Start it, behind another command if one is named."""
        home = {"XDG_DATA_HOME": str(self.folder / "home"), "HOME": str(self.folder / "home")}
        command = [*prefix, sys.executable, "-m", "daemon", "--config", str(self.config)]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, cwd=TOP, env={**os.environ, **home, **environment}
            )

    @contextmanager
    def running(self, prefix: Sequence[str] = (), **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        """The process and where its page is, after it said so; killed at the end if it still runs."""
        with self.begin(prefix, **environment) as process:
            try:
                yield process, self.address(process)
            finally:
                process.kill()

    def address(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for a process to be ready; where its page is. Fails with its log where it ends instead."""
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("ComparImg is at http://"), self.log.read_text()[-3000:]
        return line.split()[-1]

    def ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.index}?mode=ro", uri=True)) as database:
            return database.execute(question, values).fetchall()

    def contents(self) -> dict[int, bytes]:
        """The digests in the index, by id; none if there is no index yet."""
        if not self.index.exists() or not self.ask("SELECT 1 FROM sqlite_master WHERE name = 'content'"):
            return {}
        return dict(self.ask("SELECT id, digest FROM content"))

    def check_index(self) -> None:
        """The index is whole, refers to nothing that is not there, and knows no content twice."""
        assert self.ask("PRAGMA integrity_check") == [("ok",)]
        assert self.ask("PRAGMA foreign_key_check") == []
        digests = list(self.contents().values())
        assert len(digests) == len(set(digests))


def wait_until_idle(address: str, patience_s: float = 120.0) -> list[Mapping[str, Any]]:
    """Wait until the folders were scanned since the program began, and no job is left; all jobs, the newest first."""
    client = Client(address)
    began = client.get("status")["started"]
    jobs: list[Mapping[str, Any]] = []

    def idle() -> bool:
        jobs[:] = client.pages("jobs")
        scanned = any(job["origin"] == "start" and (job["finished"] or "") >= began for job in jobs)
        return scanned and all(job["state"] in ("done", "failed", "cancelled") for job in jobs)

    until(idle, patience_s)
    return jobs


def poisoned(when: str) -> list[str]:
    """What the program is begun behind, with PYTHONPATH=SEARCH, where some pictures or pairs are to end it."""
    return [sys.executable, "-m", "support.poisoned", when]


def run_poisoned(program: Program, when: str, last: str) -> int:
    """Start the program where some pictures or pairs end it (see support.poisoned), until it has ended or is at rest
    with a row in the table `last`; its exit code."""

    def at_rest() -> bool:
        working = program.ask("SELECT 1 FROM job WHERE state IN ('queued', 'running')")
        return process.poll() is not None or (not working and bool(program.ask(f"SELECT 1 FROM {last}")))

    with program.begin(poisoned(when), PYTHONPATH=SEARCH) as process:
        assert process.stdout is not None
        process.stdout.readline()
        until(at_rest)
        process.terminate()
        return process.wait(PATIENCE_S)
