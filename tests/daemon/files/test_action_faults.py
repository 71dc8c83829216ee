"""The fault table (support.faults), a part of it: kills at every seventh change, and every disk that refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


@pytest.mark.slow
def test_whatever_happens_nothing_is_lost_and_nothing_stays_in_doubt() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "support.faults", "7", "--json"],
        cwd=TOP, env={**os.environ, "PYTHONPATH": f"{TOP}{os.pathsep}{TOP / 'tests'}"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert process.stdout, process.stderr[-3000:]
    rows = json.loads(process.stdout)
    bad = [row for row in rows if row["lost"] != "nothing" or "doubt" in row["happened"]]
    assert bad == []
    assert process.returncode == 0
    faults = {row["fault"] for row in rows}
    assert {"kill -9", "edited since the decision", "the name there is taken"} <= faults
    assert {"replaced by a symbolic link", "the index cannot be written: after"} <= faults
    assert {row["action"] for row in rows if row["fault"] == "kill -9"} >= {
        "trash", "move", "link", "replace", "create", "restore", "swap", "delete",
    }  # fmt: skip
    if os.geteuid() == 0 and "Without the right to mount" not in process.stderr:
        assert {"ENOSPC: the disk is full", "EROFS: mounted read-only"} <= faults
