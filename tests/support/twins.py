"""Pictures with copies of them, decided about and sorted over REST."""

import os
import shutil
from pathlib import Path
from typing import Any

from daemon.client import Client
from support.pictures import photograph, save
from support.serving import until

LONG_AGO_S = 1_600_000_000


def make_twins(photos: Path, count: int) -> list[Path]:
    """Pictures, each with a copy of its bytes; the copies."""
    copies = []
    for number in range(count):
        first = save(photograph(number, 96, 72), photos / f"{number:03}.png")
        copies.append(photos / "copies" / first.name)
        copies[-1].parent.mkdir(exist_ok=True)
        shutil.copyfile(first, copies[-1])
        for path in (first, copies[-1]):
            os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return copies


def wait_for(ask: Client, job: Any) -> Any:
    until(lambda: ask.get(f"jobs/{job['id']}")["state"] in ("done", "failed", "cancelled"))
    return ask.get(f"jobs/{job['id']}")


def decide_all(ask: Client, groups: int) -> None:
    until(lambda: ask.get("status")["totals"]["groups"] == groups)
    effect = ask.post("rules/apply", {"choice": "trash", "ties": "decide"})
    assert effect["groups"] == groups
