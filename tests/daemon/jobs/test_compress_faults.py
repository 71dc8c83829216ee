"""Whatever the options and whatever fails: the source is there, or a whole result and a source that comes back."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.files import removal, safe_files, trash
from index.database.store import Store
from index.errors import ComparImgError, PictureError, StoreError
from index.imaging.encoding import recompress
from index.messages import text
from support.compress_faults import MODES, Scene, without_processes

TOP = Path(__file__).parents[3]


@pytest.mark.slow
def test_whatever_happens_nothing_is_lost() -> None:
    """The fault table (support.compress_faults), with kills at every 25th change; all of it: make fault-table."""
    process = subprocess.run(
        [sys.executable, "-m", "support.compress_faults", "25", "--json"],
        cwd=TOP, env={**os.environ, "PYTHONPATH": f"{TOP}{os.pathsep}{TOP / 'tests'}"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert process.stdout, process.stderr[-3000:]
    rows = json.loads(process.stdout)
    assert [row for row in rows if row["lost"] != "nothing"] == []
    assert process.returncode == 0
    faults = {row["fault"] for row in rows}
    assert {"kill -9", "the encoder crashes", "the encoder hangs", "a truncated source", "a bomb of pixels"} <= faults
    assert {row["mode"] for row in rows if row["fault"] == "kill -9"} == set(MODES)
    if os.geteuid() == 0 and "Without the right" not in process.stderr:
        assert {"ENOSPC: the disk is full", "EROFS: mounted read-only"} <= faults


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "quality": st.integers(1, 100),
        "target": st.sampled_from(["high", "medium"]),
        "resolution": st.sampled_from(["100x100", "320x240", "1920x1080"]),
        "keep_ratio": st.booleans(),
        "enlarge": st.booleans(),
        "format": st.sampled_from(["webp", "jpeg"]),
        "strip": st.booleans(),
    },
)
# What is broken, and from which call on. Each breaks as it would: the change is not made.
BREAKABLE: dict[str, tuple[object, str, Callable[[], Exception]]] = {
    "rename": (removal, "renameat2", lambda: OSError(5, "Input/output error")),
    "write": (safe_files, "write_new", lambda: OSError(28, "No space left on device")),
    "manifest": (trash, "_append", lambda: OSError(30, "Read-only file system")),
    "commit": (Store, "write", lambda: StoreError(text("The index could not be changed."))),
    "encoder": (recompress.encoders, "encode", lambda: ValueError("the encoder fails")),
    "repacking": (recompress.encoders, "repacked_jpeg", MemoryError),
    "check": (recompress._Encoder, "_checked", lambda: PictureError("corrupt", text("the result is another picture"))),
}
FAULTS = st.none() | st.tuples(st.sampled_from(sorted(BREAKABLE)), st.integers(0, 12), st.integers(1, 3))


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(MODES)), OPTIONS, FAULTS)
def test_the_source_or_a_whole_result_with_a_source_that_comes_back(
    mode: str, options: dict[str, Any], fault: tuple[str, int, int] | None
) -> None:
    with tempfile.TemporaryDirectory() as folder, without_processes():
        scene = Scene(Path(folder), mode)
        with ExitStack() as stack:
            if fault is not None:
                stack.enter_context(_broken(*fault))
            try:
                scene.run(options)
            except (ComparImgError, OSError, ValueError, MemoryError):
                assert fault is not None, "without a fault it ends well"
        scene.size = None
        _, lost = scene.judge()
        assert lost == "nothing"


def _broken(what: str, after: int, times: int) -> Any:
    """A call that works `after` times, then fails some times, then works again."""
    owner, name, error = BREAKABLE[what]
    meant = getattr(owner, name)
    calls: Iterator[int] = iter(range(10**6))

    def breaking(*arguments: Any, **named: Any) -> Any:
        if after <= next(calls) < after + times:
            raise error()
        return meant(*arguments, **named)

    return patch.object(owner, name, breaking)
