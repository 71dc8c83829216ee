"""A picture whose compression ends the service is given up by name; the others are compressed, and nothing is lost."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.client import Client
from index.records import attempts
from support import poisoned
from support.pictures import photograph, save
from support.program import SEARCH, Program, wait_until_idle
from support.program import poisoned as behind_poison
from support.serving import PATIENCE_S, until

OTHERS = 4
WISH = {"size_threshold_mb": 0, "quality": 60, "least_gain": 0}


@pytest.mark.fault("a picture whose compression ends the whole service: given up by name, all others compressed")
@pytest.mark.parametrize(
    "mode", [{"modify_source": True}, {"format": "webp", "delete_source": True}, {"dry_run": True}],
    ids=["modify", "delete", "dry run"],
)  # fmt: skip
def test_the_service_is_ended_three_times_by_a_compression_and_then_no_more(
    tmp_path: Path, mode: Mapping[str, Any]
) -> None:
    photos = tmp_path / "photos"
    for seed in range(OTHERS):
        save(photograph(seed, 400, 300), photos / f"{seed}.jpg", quality=97)
    bad = save(photograph(9, poisoned.WIDTH, 250), photos / "bad.jpg", quality=97)
    before = {file: file.read_bytes() for file in photos.iterdir()}
    program = Program(tmp_path, photos, workers=2)

    with program.running(behind_poison("compress"), PYTHONPATH=SEARCH) as (process, address):
        wait_until_idle(address)
        job = Client(address).post("jobs", {"kind": "compress", "parameters": {**WISH, **mode}})["id"]
        ends = [process.wait(PATIENCE_S)]
    while ends[-1] == -signal.SIGKILL and len(ends) <= attempts.FAILURES:
        with program.begin(behind_poison("compress"), PYTHONPATH=SEARCH) as process:
            until(lambda: process.poll() is not None or has_ended(program, job))
            process.terminate()
            ends.append(process.wait(PATIENCE_S))
    assert ends == [-signal.SIGKILL] * attempts.FAILURES + [0], program.log.read_text()[-3000:]

    assert program.ask("SELECT state, error FROM job WHERE id = ?", job) == [("done", "")]
    told = dict(program.ask("SELECT path, reason FROM compression"))
    assert told == {bytes(file): "given_up" if file == bad else "" for file in before}
    assert f"{bad} was not compressed: that failed 3 times" in program.log.read_text()
    assert bad.read_bytes() == before[bad]
    assert not program.ask("SELECT 1 FROM step WHERE state IN ('planned', 'doing')") or mode.get("dry_run")
    assert not [file for file in photos.rglob("*") if file.name.endswith(".part")]
    made = [file for file in photos.iterdir() if file.is_file() and before.get(file) != file.read_bytes()]
    assert len(made) == (0 if mode.get("dry_run") else OTHERS)
    program.check_index()
    if mode.get("dry_run"):
        return
    with program.running() as (_, address):
        batch = program.ask("SELECT id FROM batch")[0][0]
        Client(address).post(f"batches/{batch}/undo", {})
        wait_until_idle(address)
    assert {file: file.read_bytes() for file in photos.iterdir() if file.is_file()} == before


def has_ended(program: Program, job: int) -> bool:
    return program.ask("SELECT state FROM job WHERE id = ?", job)[0][0] in ("done", "failed", "cancelled")
