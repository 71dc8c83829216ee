"""The real program while someone sets the clock of the machine: by an hour, a year, to 1970, and back."""

import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.client import Client
from support.pictures import photograph, save
from support.program import Program, wait_until_idle
from support.serving import until

HOUR_S = 3600
YEAR_S = 365 * 24 * HOUR_S
SOURCE = Path(__file__).parents[1] / "support" / "wall_clock.c"
COMPILER = shutil.which("cc")


class Clock:
    """What `support/wall_clock.c` makes of the time of day, for one program."""

    def __init__(self, folder: Path) -> None:
        self.library, self.file = folder / "wall_clock.so", folder / "ahead"
        assert COMPILER
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", str(self.library), str(SOURCE)], check=True)
        self.set(0)

    def set(self, ahead_s: int) -> None:
        # In place: the program has the file mapped.
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("q", ahead_s))

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "WALL_CLOCK": str(self.file)}


@dataclass
class Scene:
    clock: Clock
    ask: Client
    photos: Path
    number: int = 0

    def drop_twins(self) -> Path:
        """A picture and a copy of it, put into the folder while it is watched; the copy."""
        self.number += 1
        first = save(photograph(self.number, 80, 60), self.photos / f"{self.number}.png")
        return Path(shutil.copyfile(first, self.photos / f"{self.number} copy.png"))

    def wait_for(self, job: Any) -> Any:
        until(lambda: self.ask.get(f"jobs/{job['id']}")["state"] in ("done", "failed", "cancelled"))
        return self.ask.get(f"jobs/{job['id']}")

    def put_in_trash(self) -> Path:
        """Drop twins and sort the copy away; where the copy was."""
        copy = self.drop_twins()
        until(lambda: self.ask.get("status")["totals"]["groups"])
        self.ask.post("rules/apply", {"choice": "trash", "ties": "decide"})
        assert self.wait_for(self.ask.post("jobs", {"kind": "sort", "parameters": {}}))["outcome"]["trash"]
        return copy

    def empty(self) -> dict[str, Any]:
        """Empty the trash of what is beyond the retention, which is 30 days."""
        outcome: dict[str, Any] = self.wait_for(self.ask.post("trash/empty", {"confirm": True}))["outcome"]
        return outcome

    def next_run_in_h(self) -> float:
        """When the schedule runs next, by the program's own clock."""
        (schedule,) = self.ask.get("schedules")["items"]
        next_run, now = (datetime.fromisoformat(time) for time in (schedule["next_run"], self.ask.get("status")["now"]))
        return (next_run - now).total_seconds() / HOUR_S

    def scheduled(self) -> int:
        return sum(job["origin"] == "schedule" for job in self.ask.pages("jobs"))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    photos = tmp_path / "photos"
    photos.mkdir()
    clock = Clock(tmp_path)
    program = Program(tmp_path, photos)
    with program.running(**clock.environment) as (process, address):
        made = Scene(clock, Client(address), photos)
        made.drop_twins()
        wait_until_idle(address)
        yield made
        process.terminate()
        assert process.wait(60) == 0
        log = program.log.read_text()
        assert " ERROR " not in log
        assert "Traceback" not in log


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None, reason="no C compiler to make a clock with that can be set")
@pytest.mark.fault("the clock set under the real program: an hour, a year, to 1970, and back")
def test_whatever_the_clock_says_the_service_goes_on(scene: Scene) -> None:
    ask = scene.ask
    ask.post("schedules", {"name": "look", "kind": "scan", "trigger": "every 6h"})
    # What a clock that is set forward by more than six hours missed runs once.
    for ahead_s, runs in ((HOUR_S, 0), (-HOUR_S, 0), (YEAR_S, 1), (1000 - int(time.time()), 1), (0, 2)):
        scene.clock.set(ahead_s)
        until(lambda runs=runs: scene.scheduled() == runs and 0 < scene.next_run_in_h() <= 6)  # type: ignore[misc]
        copy = scene.drop_twins()
        until(lambda: ask.get("status")["totals"]["groups"] == scene.number)
        ask.post("rules/apply", {"choice": "trash", "ties": "decide"})
        batch = scene.wait_for(ask.post("jobs", {"kind": "sort", "parameters": {}}))["outcome"]["batch"]
        until(lambda: not copy.exists())  # noqa: B023
        scene.wait_for(ask.post(f"batches/{batch}/undo", {}))
        assert copy.exists()
        assert ask.get("status")["healthy"]


@pytest.mark.skipif(COMPILER is None, reason="no C compiler to make a clock with that can be set")
@pytest.mark.fault("the clock is a year wrong when files go to the trash, and two months ahead when it is emptied")
def test_a_wrong_clock_empties_no_trash(scene: Scene) -> None:
    scene.clock.set(-YEAR_S)
    scene.put_in_trash()
    scene.clock.set(0)
    held = scene.ask.get("trash")
    assert held["total"] > 0
    assert {item["age_days"] < 1 for item in held["items"]} == {True}
    for ahead_s in (0, YEAR_S // 6):
        scene.clock.set(ahead_s)
        outcome = scene.empty()
        assert (outcome["deleted"], outcome["spared"]) == (0, held["total"])
    assert all(Path(item["place"]).exists() for item in held["items"])
    scene.clock.set(0)
