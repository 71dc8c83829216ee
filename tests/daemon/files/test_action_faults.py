"""The fault table (support.faults), a part of it: kills at every third change, and every disk that refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.slow
def test_whatever_happens_nothing_is_lost_and_nothing_stays_in_doubt() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "support.faults", "3", "--json"],
        cwd=TOP, env={**os.environ, "PYTHONPATH": f"{TOP}{os.pathsep}{TOP / 'tests'}"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert told.stdout, told.stderr[-3000:]
    rows = json.loads(told.stdout)
    bad = [row for row in rows if row["lost"] != "nothing" or "doubt" in row["happened"]]
    assert bad == []
    assert told.returncode == 0
    faults = {row["fault"] for row in rows}
    assert {"kill -9", "edited since the decision", "the name there is taken"} <= faults
    assert {"replaced by a symbolic link", "the index cannot be written: after"} <= faults
    assert {row["action"] for row in rows if row["fault"] == "kill -9"} >= {
        "trash", "move", "link", "replace", "create", "restore", "swap", "delete",
    }  # fmt: skip
    if os.geteuid() == 0 and "Without the right to mount" not in told.stderr:
        assert {"ENOSPC: the disk is full", "EROFS: mounted read-only"} <= faults
