"""A picture whose compression ends the service is given up by name; the others are compressed, and nothing is lost."""

import signal
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.jobs import compress
from daemon.service import Service
from index.database.records.quarantine import TRIES
from index.database.store import Store
from support import poisoned
from support.pictures import photograph, save
from support.program import SEARCH, Program, wait_until_idle
from support.program import poisoned as behind_poison
from support.serving import PATIENCE_S, config_over, until

OTHERS = 4
OPTIONS = {"size_threshold_mb": 0, "quality": 60, "least_gain": 0}


@pytest.mark.slow
@pytest.mark.fault("a picture whose compression ends the whole service: given up by name, all others compressed")
def test_the_service_is_ended_three_times_by_a_compression_and_then_no_more(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for seed in range(OTHERS):
        save(photograph(seed, 400, 300), photos / f"{seed}.jpg", quality=97)
    bad = save(photograph(9, poisoned.WIDTH, 250), photos / "bad.jpg", quality=97)
    before = {file: file.read_bytes() for file in photos.iterdir()}
    program = Program(tmp_path, photos, workers=2)

    with program.running(behind_poison("compress"), PYTHONPATH=SEARCH) as (process, address):
        wait_until_idle(address)
        job = Client(address).post(
            "jobs", {"kind": "compress", "parameters": {**OPTIONS, "format": "webp", "delete_source": True}}
        )["id"]
        ends = [process.wait(PATIENCE_S)]
    while ends[-1] == -signal.SIGKILL and len(ends) <= TRIES:
        with program.begin(behind_poison("compress"), PYTHONPATH=SEARCH) as process:
            until(lambda: process.poll() is not None or has_ended(program, job))
            process.terminate()
            ends.append(process.wait(PATIENCE_S))
    assert ends == [-signal.SIGKILL] * TRIES + [0], program.log.read_text()[-3000:]

    assert program.ask("SELECT state, error FROM job WHERE id = ?", job) == [("done", "")]
    reasons = dict(program.ask("SELECT path, reason FROM compression"))
    assert reasons == {bytes(file): "given_up" if file == bad else "" for file in before}
    assert f"{bad} was not compressed: failed 3 times" in program.log.read_text()
    assert bad.read_bytes() == before[bad]
    assert not program.ask("SELECT 1 FROM step WHERE state IN ('planned', 'doing')")
    assert not [file for file in photos.rglob("*") if file.name.endswith(".part")]
    made = [file for file in photos.iterdir() if file.is_file() and before.get(file) != file.read_bytes()]
    assert len(made) == OTHERS
    program.check_index()
    with program.running() as (_, address):
        batch = program.ask("SELECT id FROM batch")[0][0]
        Client(address).post(f"batches/{batch}/undo", {})
        wait_until_idle(address)
    assert {file: file.read_bytes() for file in photos.iterdir() if file.is_file()} == before


@pytest.mark.slow
@pytest.mark.fault("a picture by which processes die that make it smaller: given up, all others compressed")
def test_a_picture_by_which_the_encoders_die_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "photos"
    bad = save(photograph(9, poisoned.WIDTH, 250), photos / "bad.jpg", quality=97)
    before = bad.read_bytes()
    monkeypatch.setattr(compress, "compress_file", poisoned.compress_or_die)
    reasons, made = [], []
    with Service(config_over(tmp_path, photos)) as service:
        client = Client(service.address)
        until(lambda: list(client.pages("jobs")) and are_done(client))
        for seed in range(TRIES + 1):
            save(photograph(seed, 400, 300), photos / f"{seed}.jpg", quality=97)
            client.post("jobs", {"kind": "scan", "parameters": {}})
            job = client.post("jobs", {"kind": "compress", "parameters": {**OPTIONS, "modify_source": True}})["id"]
            until(lambda: are_done(client))
            outcome = client.get(f"jobs/{job}")["outcome"]
            made.append(outcome["compressed"])
            reasons.append(outcome["refused"])
    with Store(tmp_path / "data") as store, store.read() as database:
        rows = database.execute_sql("SELECT work, crashes FROM quarantine").fetchall()
    assert reasons == [{"crashed": 1}] * TRIES + [{"given_up": 1}]
    assert made == [1] * (TRIES + 1), "each time the picture that had come"
    assert [(work.partition(" ")[0], crashes) for work, crashes in rows] == [("compress", TRIES)]
    assert bad.read_bytes() == before


def are_done(client: Client) -> bool:
    return all(job["state"] in ("done", "failed", "cancelled") for job in client.pages("jobs"))


def has_ended(program: Program, job: int) -> bool:
    return program.ask("SELECT state FROM job WHERE id = ?", job)[0][0] in ("done", "failed", "cancelled")
