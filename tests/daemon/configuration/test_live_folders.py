"""Watched folders are added, changed and removed while jobs run, over REST as the page does: no job is lost for it."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.client import Client
from daemon.configuration.config import load
from daemon.service import Service
from support import misbehaviour
from support.pictures import photograph, save
from support.serving import until, write_config

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

FILES = 12


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service that reads a picture in a quarter of a second, and takes over what the page changes."""
    seeds = itertools.count(1)
    for name in ("one", "two"):
        for number in range(FILES):
            save(photograph(next(seeds), 160, 120), tmp_path / name / f"{number}.png")
    monkeypatch.setattr("daemon.jobs.scan_reading.index_file", misbehaviour.read_slowly)
    with Service(load(write_config(tmp_path, tmp_path / "one"))) as started:
        yield started


def take_over(service: Service) -> None:
    """What the main thread of the service does about every second."""
    if service._folders_changed.is_set():
        service._folders_changed.clear()
        service.reload(service._config)


def roots(ask: Client) -> dict[str, Any]:
    return {Path(root["path"]).name: root for root in ask.pages("roots")}


def reading(ask: Client) -> Any:
    """The job that reads files, None if none does."""
    return next((job for job in ask.pages("jobs") if job["state"] == "running" and job["phase"] == "indexing"), None)


def has_read(ask: Client, number: int) -> bool:
    job = reading(ask)
    return job is not None and job["done"] >= number


def test_a_folder_is_added_while_another_is_read(service: Service, tmp_path: Path) -> None:
    ask, before = Client(service.address), service._job_system
    until(lambda: has_read(ask, 2))
    scan = reading(ask)
    ask.post("roots", {"path": str(tmp_path / "two")})
    take_over(service)
    assert service._job_system is before
    until(lambda: {name: root["images"] for name, root in roots(ask).items()} == {"one": FILES, "two": FILES})
    until(lambda: not any(job["state"] in ("queued", "running") for job in ask.pages("jobs")))
    jobs = {job["id"]: job for job in ask.pages("jobs")}
    assert jobs[scan["id"]]["started"] == scan["started"], "it ran through"
    assert {job["state"] for job in jobs.values()} == {"done"}
    read = sum(job["outcome"].get("read", 0) for job in jobs.values())
    assert read == 2 * FILES, "no file was read twice"
    save(photograph(99), tmp_path / "two" / "dropped.png")
    until(lambda: roots(ask)["two"]["images"] == FILES + 1)


def test_a_folder_that_is_removed_is_read_no_further(service: Service, tmp_path: Path) -> None:
    ask = Client(service.address)
    until(lambda: reading(ask) is None and roots(ask)["one"]["images"] == FILES)
    added = ask.post("roots", {"path": str(tmp_path / "two")})["root"]
    take_over(service)
    until(lambda: has_read(ask, 1))
    scan = reading(ask)
    ask.delete(f"roots/{added['id']}")
    take_over(service)
    until(lambda: ask.get(f"jobs/{scan['id']}")["state"] == "done")
    assert ask.get(f"jobs/{scan['id']}")["outcome"]["read"] == 0, "the scan of the folder ended in the middle"
    assert set(roots(ask)) == {"one"}
    ask.post("roots", {"path": str(tmp_path / "two")})
    take_over(service)
    until(lambda: roots(ask)["two"]["images"] == FILES)
    assert not any(job["state"] == "failed" for job in ask.pages("jobs"))


def test_what_is_passed_over_changes_while_the_folder_is_read(service: Service, tmp_path: Path) -> None:
    ask = Client(service.address)
    until(lambda: has_read(ask, 1))
    ask.patch(f"roots/{roots(ask)['one']['id']}", {"exclude": ["1*.png"]})
    take_over(service)
    until(lambda: roots(ask)["one"]["images"] == FILES - 3)
    until(lambda: not any(job["state"] in ("queued", "running") for job in ask.pages("jobs")))
    assert roots(ask)["one"]["images"] == FILES - 3
    assert not any(job["state"] == "failed" for job in ask.pages("jobs"))


def test_groups_follow_a_priority_and_a_folder_that_goes(service: Service, tmp_path: Path) -> None:
    ask = Client(service.address)
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "copy.png").write_bytes((tmp_path / "one" / "0.png").read_bytes())
    added = ask.post("roots", {"path": str(tmp_path / "three")})["root"]
    take_over(service)
    until(lambda: ask.get("groups")["total"] == 1)
    for priority, keeper in ((5, "copy.png"), (-5, "0.png")):
        ask.patch(f"roots/{added['id']}", {"priority": priority})
        take_over(service)

        def keepers() -> list[str]:
            (group,) = ask.pages("groups")
            return [
                Path(image["path"]).name
                for image in group["images"]["items"]
                if image["id"] == group["proposal"]["image"]
            ]

        until(lambda wanted=keeper: keepers() == [wanted])  # type: ignore[misc]
    ask.delete(f"roots/{added['id']}")
    take_over(service)
    until(lambda: ask.get("groups")["total"] == 0)


def test_what_is_protected_meanwhile_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is protected while its copies are on their way to the trash: what has not gone yet stays."""
    copies = 48
    for number in range(copies):
        original = save(photograph(number, 64, 48), tmp_path / "one" / f"{number}" / "photo.png")
        copy = tmp_path / "copies" / f"{number}" / "photo.png"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(original.read_bytes())
    monkeypatch.setattr("daemon.jobs.sort.check_picture", misbehaviour.check_slowly)
    with Service(load(write_config(tmp_path, tmp_path / "one"))) as service:
        ask = Client(service.address)
        added = ask.post("roots", {"path": str(tmp_path / "copies"), "priority": -1})["root"]
        take_over(service)
        until(lambda: ask.get("groups")["total"] == copies)
        ask.post("decisions/apply", {"action": "accept"})
        job = ask.post("jobs", {"kind": "sort"})
        until(lambda: len(list((tmp_path / "copies").glob("*/photo.png"))) < copies)
        ask.patch(f"roots/{added['id']}", {"protected": True})
        take_over(service)
        until(lambda: ask.get(f"jobs/{job['id']}")["state"] == "done")
        outcome = ask.get(f"jobs/{job['id']}")["outcome"]
        left = len(list((tmp_path / "copies").glob("*/photo.png")))
        assert left == outcome["refused"]["protected"] > 0
        assert outcome["trash"] == copies - left > 0
        assert len(list((tmp_path / "one").glob("*/photo.png"))) == copies
