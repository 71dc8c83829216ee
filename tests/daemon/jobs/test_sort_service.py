"""Sorting in the whole service: its own watcher sees what it does, and a kill in the middle costs nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.service import Service
from support.serving import config_over, until, write_config
from support.twins import decide_all, make_twins, wait_for


def test_what_the_service_does_itself_does_not_surprise_it(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    copies = make_twins(photos, 6)
    before = {path: path.read_bytes() for path in photos.rglob("*.png")}
    with Service(config_over(tmp_path, photos)) as service:
        ask = Client(service.address)
        decide_all(ask, 6)
        sorted_ = wait_for(ask, ask.post("jobs", {"kind": "sort", "parameters": {}}))
        assert sorted_["outcome"] | {"batch": 0} == sorted_["outcome"] | {"batch": 0, "trash": 6, "refused": {}}
        totals = ask.get("status")["totals"]
        assert (totals["images"], totals["groups"], totals["problems"]) == (6, 0, 0), "at once"
        # The watcher's own jobs come after, and find nothing to do.
        ask.post("jobs", {"kind": "scan", "parameters": {}})
        until(lambda: not ask.get("status")["jobs"])
        assert ask.get("status")["totals"]["images"] == 6
        undone = wait_for(ask, ask.post(f"batches/{sorted_['outcome']['batch']}/undo", {}))
        assert undone["outcome"]["restored"] == 6
        assert {path: path.read_bytes() for path in photos.rglob("*.png")} == before
        until(lambda: not ask.get("status")["jobs"])
        totals = ask.get("status")["totals"]
        assert (totals["images"], totals["groups"], totals["problems"]) == (12, 6, 0)
        assert {job["state"] for job in ask.pages("jobs")} == {"done"}
        assert all(copy.exists() for copy in copies)


@contextmanager
def running(folder: Path, config: Path) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """The real program; killed at the end if it still runs."""
    home = {"XDG_DATA_HOME": str(folder / "home"), "HOME": str(folder / "home")}
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "daemon", "--config", str(config)],
            stdout=subprocess.PIPE, stderr=log, env={**os.environ, **home},
        ) as process,
    ):  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            assert line.startswith("ComparImg is at http://"), (folder / "log").read_text()
            yield process, Client(line.split()[-1])
        finally:
            process.kill()


@pytest.mark.slow
def test_killed_in_the_middle_of_a_sort_it_goes_on_where_it_was(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    copies = make_twins(photos, 80)
    before = {path: path.read_bytes() for path in photos.rglob("*.png")}
    config = write_config(tmp_path, photos)
    with running(tmp_path, config) as (process, ask):
        decide_all(ask, 80)
        job = ask.post("jobs", {"kind": "sort", "parameters": {}})
        until(lambda: sum(not copy.exists() for copy in copies) >= 5)
        process.kill()
        process.wait()
    gone = sum(not copy.exists() for copy in copies)
    assert 5 <= gone < 80, "it was in the middle"
    held = sorted(path.read_bytes() for path in photos.rglob("*.png"))
    assert held == sorted(before.values()), "every byte is there"
    with running(tmp_path, config) as (process, ask):
        job_row = wait_for(ask, job)
        assert (job_row["state"], job_row["outcome"]["trash"], job_row["outcome"]["refused"]) == ("done", 80, {})
        assert not any(copy.exists() for copy in copies)
        assert ask.get("trash")["total"] == 80
        batch = job_row["outcome"]["batch"]
        wait_for(ask, ask.post(f"batches/{batch}/undo", {}))
        assert {path: path.read_bytes() for path in photos.rglob("*.png")
                if ".comparimg-trash" not in path.parts} == before  # fmt: skip
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
