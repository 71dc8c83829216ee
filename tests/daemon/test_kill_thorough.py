"""A thorough detection killed while it describes and while it matches ends with the same groups as one that is not."""

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.client import Client
from daemon.ctl import oneshot
from daemon.jobs.progress import NullProgress
from index.database.records.jobs import DetectJobParameters
from index.model import Depth, Method
from support.pictures import photograph, save
from support.program import Program, wait_until_idle
from support.serving import until

PHOTOGRAPHS = 4
CROPS = 6
# The phases after which there is nothing to wait for.
LATE = ("grouping", "calibrating")
PATIENCE_S = 300.0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photographs with many crops of each, which only local features propose: more pairs than are kept in one step."""
    chance = random.Random(5)
    folder = tmp_path / "photos"
    for seed in range(PHOTOGRAPHS):
        picture = photograph(300 + seed, 360, 270)
        save(picture, folder / str(seed) / "whole.jpg", quality=92)
        for number in range(CROPS):
            save(_crop(picture, chance), folder / str(seed) / f"crop {number}.jpg", quality=90)
    return folder


@pytest.mark.slow
@pytest.mark.fault("killed in a thorough detection")
def test_killed_while_it_describes_and_while_it_matches(tmp_path: Path, photos: Path) -> None:
    alone = tmp_path / "alone"
    wanted = DetectJobParameters(depth=Depth.THOROUGH, method=Method.HASH)
    undisturbed = _groups(oneshot.detect([photos], wanted, alone, NullProgress()).result["groups"])
    assert undisturbed
    program = Program(tmp_path, photos)

    with program.running() as (process, address):
        wait_until_idle(address, PATIENCE_S)
        job = Client(address).post("jobs", {"kind": "detect", "parameters": {"depth": "thorough"}})["id"]
        until(lambda: _is_past(program, job, "describing", "matching"), PATIENCE_S)
        process.kill()
        process.wait()
    program.check_index()
    judged = _judged(program)

    with program.running() as (process, _):
        until(lambda: _judged(program) > judged or _is_past(program, job), PATIENCE_S)
        process.kill()
        process.wait()
    program.check_index()
    kept = _judged(program)
    assert kept > judged, "what was judged before it was killed is kept"

    with program.running() as (_, address):
        jobs = wait_until_idle(address, PATIENCE_S)
        assert next(row for row in jobs if row["id"] == job)["state"] == "done"
        assert _groups(Client(address).get("duplicates")["groups"]) == undisturbed
    program.check_index()
    assert _judged(program) >= kept


def _crop(picture: Image.Image, chance: random.Random) -> Image.Image:
    width, height = picture.width * 2 // 3, picture.height * 2 // 3
    left, top = chance.randint(0, picture.width - width), chance.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def _is_past(program: Program, job: int, *phases: str) -> bool:
    """Whether a job is in one of these phases, or later."""
    ((phase, state),) = program.ask("SELECT phase, state FROM job WHERE id = ?", job)
    return phase in (*phases, *LATE) or state == "done"


def _judged(program: Program) -> int:
    return int(program.ask("SELECT count(*) FROM judgement")[0][0])


def _groups(groups: Iterable[Mapping[str, Any]]) -> set[frozenset[tuple[str, str]]]:
    """Groups by the names of their files and how each belongs to them."""
    return {
        frozenset(("/".join(Path(image["path"]).parts[-2:]), image.get("kind", "")) for image in group["images"])
        for group in groups
    }
