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
from daemon.service import Service
from index.errors import UsageError
from index.images.pictures import digest
from support.pictures import photograph, save
from support.serving import config_over, until


class Running:
    """A service over a folder, and what is asked of it."""

    def __init__(self, service: Service, photos: Path) -> None:
        self.photos = photos
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
        return {Path(one["path"]).name: dict(one) for one in self.client.pages("compressions", batch=batch)}

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


WISH = {"size_threshold_mb": 0.01, "recursive": True}


def test_in_place_and_back(running: Running) -> None:
    photos, client = running.photos, running.client
    before = {file.name: file.read_bytes() for file in photos.iterdir()}
    group = next(iter(client.pages("groups")))
    go = group["images"]["items"][1]["id"]
    client.put(f"groups/{group['id']}/decisions", {"decisions": [{"image": go, "choice": "trash"}]})
    told = running.run(**WISH, modify_source=True, target="high")
    assert told["compressed"] == 3, told
    assert told["refused"] == {"truncated": 1}
    assert told["bytes_after"] < told["bytes_before"]
    reports = running.reports(told["batch"])
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
    again = running.run(**WISH, modify_source=True, target="high")
    assert (again["compressed"], again["left"], again["known"]) == (0, 0, 3), again
    # Before and after can be looked at, the one before from the trash.
    row = reports["first.png"]
    assert running.fetch(row["before"]).tobytes() == running.fetch(row["after"]).tobytes()
    back = running.undo(told["batch"])
    assert back["restored"] == 3
    assert {file.name: file.read_bytes() for file in photos.iterdir() if not file.name.startswith(".")} == before
    assert running.images()["first.png"]["decision"] is None or not running.images()["first.png"]["decision"]["stale"]
    assert {one["state"] for one in client.pages("compressions", batch=told["batch"])} == {"undone", "refused"}
    third = running.run(**WISH, modify_source=True, target="high")
    assert (third["compressed"], third["undone_before"]) == (0, 3), "what was brought back is not done again by itself"


def test_what_is_no_duplicate_stays_none(running: Running) -> None:
    group = next(iter(running.client.pages("groups")))
    running.client.post(f"groups/{group['id']}/not-duplicates", {})
    until(lambda: not running.images())
    told = running.run(**WISH, modify_source=True)
    assert told["compressed"] >= 2
    running.run("scan")
    running.run("detect")
    assert running.images() == {}, "the verdict follows the new content"
    assert running.undo(told["batch"])["restored"] >= 2
    running.run("detect")
    assert running.images() == {}


def test_what_is_beside_its_source_is_told_as_that(running: Running) -> None:
    told = running.run(**WISH, resolution="300x300", quality=85)
    assert told["compressed"] == 3
    running.settle()
    found = running.images()
    made = next(image for name, image in found.items() if name == "first_resize.png")
    assert made["compressed_from"] == found["first.png"]["id"]
    assert made["sentence"]["en"].startswith("compressed here from first.png")
    assert made["sentence"]["fr"].startswith("compressée ici à partir de first.png")
    assert found["first.png"]["compressed_from"] is None
    again = running.run(**WISH, resolution="300x300", quality=85)
    assert (again["compressed"], again["known"]) == (0, 3)


def test_a_source_in_the_trash_is_no_duplicate_of_its_result(running: Running) -> None:
    told = running.run(**WISH, delete_source=True, resolution="300x300", quality=85)
    assert told["compressed"] == 3
    running.run("scan")
    running.run("detect")
    names = running.images().keys()
    assert names == {"first_resize.png", "second_resize.png"}
    assert [item["state"] for item in running.client.pages("trash")] == ["in_trash"] * 3


def test_a_dry_run_measures_and_shows(running: Running) -> None:
    before = {file.name: file.read_bytes() for file in running.photos.iterdir()}
    told = running.run(**WISH, modify_source=True, quality=60, dry_run=True)
    assert told["compressed"] == 3
    assert {file.name: file.read_bytes() for file in running.photos.iterdir()} == before
    row = running.reports(told["batch"])["other.jpg"]
    assert (row["state"], row["quality"]) == ("measured", 60)
    first, second = (np.asarray(running.fetch(row[side]), np.int16) for side in ("before", "after"))
    assert 0 < np.abs(first - second).mean() < 10
    page = running.client.get("compressions", batch=told["batch"])
    assert page["states"] == {"measured": 3, "refused": 1}
    assert page["bytes_before"] > page["bytes_after"] > 0


WRONG = [
    ({"quality": 0}, "quality"), ({"resolution": "big"}, "resolution"), ({"target": "perfect"}, "target"),
    ({"format": "gif"}, "format"), ({"colours": 1}, "colours"), ({"what": 1}, "what"), ({"folders": "x"}, "folders"),
]  # fmt: skip


def test_wrong_parameters_are_refused(running: Running) -> None:
    for given, field in WRONG:
        with pytest.raises(UsageError) as refused:
            running.client.post("jobs", {"kind": "compress", "parameters": given})
        assert field in refused.value.field or field in refused.value.message


def test_a_folder_that_is_not_watched_is_refused(running: Running, tmp_path: Path) -> None:
    job = running.client.post("jobs", {"kind": "compress", "parameters": {"folders": [str(tmp_path)]}})
    until(lambda: running.client.get(f"jobs/{job['id']}")["state"] == "failed")
    assert "in no watched folder" in running.client.get(f"jobs/{job['id']}")["error"]
