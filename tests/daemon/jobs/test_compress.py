"""The compress job over a real service: REST, the index that follows at once, verdicts and decisions, undo."""

import io
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.client import Client
from daemon.jobs.compress import CountedWhenMade
from daemon.jobs.progress import NullProgress
from daemon.service import Service
from index.database.records import jobs
from index.errors import UsageError
from index.imaging.decoding.pictures import digest
from index.model import JobKind
from support.pictures import photograph, save
from support.serving import config_over, until

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow


class Running:
    """A service over a folder, and what is asked of it."""

    def __init__(self, service: Service, photos: Path) -> None:
        self.photos = photos
        self.service = service
        self.client = Client(service.address)

    def settle(self) -> None:
        until(lambda: all(job["state"] in ("done", "failed") for job in self.client.pages("jobs")))

    def run(self, kind: str = "compress", **parameters: Any) -> dict[str, Any]:
        job = self.client.post("jobs", {"kind": kind, "parameters": parameters})
        return self.wait(job["id"])

    def wait(self, job_id: int) -> dict[str, Any]:
        until(lambda: self.client.get(f"jobs/{job_id}")["state"] in ("done", "failed", "cancelled"))
        job = self.client.get(f"jobs/{job_id}")
        assert job["state"] == "done", job
        return dict(job["outcome"])

    def undo(self, batch: int) -> dict[str, Any]:
        return self.wait(self.client.post(f"batches/{batch}/undo", {})["id"])

    def images(self) -> dict[str, dict[str, Any]]:
        """Every image of the groups by its name."""
        return {
            Path(image["path"]).name: image
            for group in self.client.pages("groups")
            for image in group["images"]["items"]
        }

    def reports(self, batch: int) -> dict[str, dict[str, Any]]:
        return {Path(row["path"]).name: dict(row) for row in self.client.pages("compressions", batch=batch)}

    def fetch(self, address: str) -> Image.Image:
        with urllib.request.urlopen(self.client.address + address, timeout=30) as answer:
            return Image.open(io.BytesIO(answer.read())).convert("RGB")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Two copies of one photograph of another size, an unlike one, and one that is no picture."""
    photos = tmp_path / "photos"
    save(photograph(1, 900, 700), photos / "first.png", compress_level=1)
    save(photograph(1, 900, 700).resize((450, 350)), photos / "second.png", compress_level=1)
    save(photograph(2, 900, 700), photos / "other.jpg", quality=97)
    (photos / "broken.jpg").write_bytes((photos / "other.jpg").read_bytes()[:20_000])
    with Service(config_over(tmp_path, photos)) as service:
        one = Running(service, photos)
        until(lambda: len(one.images()) == 2)
        one.settle()
        yield one


OPTIONS = {"size_threshold_mb": 0.01, "recursive": True}


@pytest.mark.slow
def test_in_place_and_back(running: Running) -> None:
    photos, client = running.photos, running.client
    before = {file.name: file.read_bytes() for file in photos.iterdir()}
    group = next(iter(client.pages("groups")))
    go = group["images"]["items"][1]["id"]
    client.put(f"groups/{group['id']}/decisions", {"decisions": [{"image": go, "choice": "trash"}]})
    outcome = running.run(**OPTIONS, modify_source=True, target="high")
    assert outcome["compressed"] == 3, outcome
    assert outcome["refused"] == {"truncated": 1}
    assert outcome["bytes_after"] < outcome["bytes_before"]
    reports = running.reports(outcome["batch"])
    assert reports["other.jpg"]["score"] >= 70
    assert reports["first.png"]["lossless"]
    assert reports["broken.jpg"]["state"] == "refused"
    # The index follows at once, and what was decided with it.
    after = running.images()
    assert after.keys() == {"first.png", "second.png"}
    assert after["first.png"]["digest"] == digest((photos / "first.png").read_bytes()).hex()
    decisions = [image["decision"] for image in after.values() if image["id"] == go]
    assert [(one["choice"], one["stale"]) for one in decisions] == [("trash", False)]
    # A second run has nothing to do.
    again = running.run(**OPTIONS, modify_source=True, target="high")
    assert (again["compressed"], again["left"], again["known"]) == (0, 0, 3), again
    # Before and after can be shown, the one before from the trash.
    row = reports["first.png"]
    assert running.fetch(row["before"]).tobytes() == running.fetch(row["after"]).tobytes()
    back = running.undo(outcome["batch"])
    assert back["restored"] == 3
    assert {file.name: file.read_bytes() for file in photos.iterdir() if not file.name.startswith(".")} == before
    assert running.images()["first.png"]["decision"] is None or not running.images()["first.png"]["decision"]["stale"]
    assert {one["state"] for one in client.pages("compressions", batch=outcome["batch"])} == {"undone", "refused"}
    third = running.run(**OPTIONS, modify_source=True, target="high")
    assert (third["compressed"], third["undone_before"]) == (0, 3), "what was restored is not compressed again"


def test_what_is_no_duplicate_stays_none(running: Running) -> None:
    group = next(iter(running.client.pages("groups")))
    running.client.post(f"groups/{group['id']}/not-duplicates", {})
    until(lambda: not running.images())
    outcome = running.run(**OPTIONS, modify_source=True)
    assert outcome["compressed"] >= 2
    running.run("scan")
    running.run("detect")
    assert running.images() == {}, "the verdict follows the new content"
    assert running.undo(outcome["batch"])["restored"] >= 2
    running.run("detect")
    assert running.images() == {}


def test_what_is_beside_its_source_is_reported_as_that(running: Running) -> None:
    outcome = running.run(**OPTIONS, resolution="300x300", quality=85)
    assert outcome["compressed"] == 3
    running.settle()
    images = running.images()
    made = next(image for name, image in images.items() if name == "first_resize.png")
    assert made["compressed_from"] == images["first.png"]["id"]
    assert made["sentence"]["en"].startswith("compressed here from first.png")
    assert made["sentence"]["fr"].startswith("compressée ici à partir de first.png")
    assert images["first.png"]["compressed_from"] is None
    again = running.run(**OPTIONS, resolution="300x300", quality=85)
    assert (again["compressed"], again["known"]) == (0, 3)


def test_a_source_in_the_trash_is_no_duplicate_of_its_result(running: Running) -> None:
    outcome = running.run(**OPTIONS, delete_source=True, resolution="300x300", quality=85)
    assert outcome["compressed"] == 3
    running.run("scan")
    running.run("detect")
    names = running.images().keys()
    assert names == {"first_resize.png", "second_resize.png"}
    assert [item["state"] for item in running.client.pages("trash")] == ["in_trash"] * 3


def test_a_dry_run_measures_and_shows(running: Running) -> None:
    before = {file.name: file.read_bytes() for file in running.photos.iterdir()}
    outcome = running.run(**OPTIONS, modify_source=True, quality=60, dry_run=True)
    assert outcome["compressed"] == 3
    assert {file.name: file.read_bytes() for file in running.photos.iterdir()} == before
    row = running.reports(outcome["batch"])["other.jpg"]
    assert (row["state"], row["quality"]) == ("measured", 60)
    first, second = (np.asarray(running.fetch(row[side]), np.int16) for side in ("before", "after"))
    assert 0 < np.abs(first - second).mean() < 10
    page = running.client.get("compressions", batch=outcome["batch"])
    assert page["states"] == {"measured": 3, "refused": 1}
    assert page["bytes_before"] > page["bytes_after"] > 0


def test_a_measurement_goes_on_after_a_crash(running: Running) -> None:
    """What was measured stays, in the same batch."""
    (running.photos / "below").mkdir()
    save(photograph(3, 700, 500), running.photos / "below" / "deep.jpg", quality=97)
    running.run("scan")
    options = {"size_threshold_mb": 0.01, "quality": 60, "dry_run": True}
    job = running.client.post("jobs", {"kind": "compress", "parameters": options})["id"]
    outcome = running.wait(job)
    assert outcome["compressed"] == 4, "folders below are compressed where nothing else is asked for"
    before = running.reports(outcome["batch"])
    lost = before["deep.jpg"]["id"]

    def crash(database: Any) -> None:
        database.execute_sql("DELETE FROM compression WHERE id = ?", (lost,))
        database.execute_sql("UPDATE job SET state = 'queued', finished_ns = NULL WHERE id = ?", (job,))

    running.service._store.write(crash)
    assert running.wait(job) == outcome
    after = running.reports(outcome["batch"])
    assert {name for name in before if before[name]["id"] != after[name]["id"]} == {"deep.jpg"}


def test_a_compression_that_goes_on_reports_all_its_files(running: Running) -> None:
    job = running.client.post("jobs", {"kind": "compress", "parameters": {**OPTIONS, "quality": 60}})["id"]
    outcome = running.wait(job)
    assert (outcome["files"], outcome["compressed"]) == (4, 3)

    def interrupted(database: Any) -> None:
        database.execute_sql("UPDATE batch SET state = 'running', finished_ns = NULL WHERE id = ?", (outcome["batch"],))
        database.execute_sql("UPDATE job SET state = 'queued', finished_ns = NULL WHERE id = ?", (job,))

    running.service._store.write(interrupted)
    assert running.wait(job) == outcome


WRONG = [
    ({"quality": 0}, "quality"), ({"resolution": "big"}, "resolution"), ({"target": "perfect"}, "target"),
    ({"format": "gif"}, "format"), ({"colours": 1}, "colours"), ({"what": 1}, "what"), ({"folders": "x"}, "folders"),
]  # fmt: skip


def test_wrong_parameters_are_refused(running: Running) -> None:
    for given, field in WRONG:
        with pytest.raises(UsageError) as refused:
            running.client.post("jobs", {"kind": "compress", "parameters": given})
        assert field in refused.value.field or field in str(refused.value)


def test_a_folder_that_is_not_watched_is_refused(running: Running, tmp_path: Path) -> None:
    asked = {"folders": [str(tmp_path)]}
    with pytest.raises(UsageError, match="in no watched folder"):
        running.client.post("jobs", {"kind": "compress", "parameters": asked})
    # One that was accepted while the folder was watched.
    job = running.service._store.write(lambda db: jobs.add(db, JobKind.COMPRESS, asked, "schedule"))
    until(lambda: running.client.get(f"jobs/{job}")["state"] == "failed")
    assert "in no watched folder" in running.client.get(f"jobs/{job}")["error"]


def test_progress_counts_each_result_when_it_is_made() -> None:
    class Counting(NullProgress):
        done = 0

        def advance(self, steps: int = 1) -> None:
            self.done += steps

    counting = Counting()
    progress = CountedWhenMade(counting)
    seen = []
    for _ in range(3):
        progress.made()
        seen.append(counting.done)
    # Two of them are put in place, one is refused, and so is a step that makes nothing.
    for steps in (1, 1, 2):
        progress.advance(steps)
        seen.append(counting.done)
    assert seen == [1, 2, 3, 3, 3, 4]
