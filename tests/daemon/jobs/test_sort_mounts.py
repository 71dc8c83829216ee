"""Sorting where file systems meet: mounts below a root, destinations on other disks, bind mounts of what is protected.

Real file systems, mounted by root; left out for anyone else.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.jobs.scan_roots import ScanRoots
from daemon.processes.worker_pool import WorkerPool
from support.faults import can_mount
from support.sorting import Desk

pytestmark = pytest.mark.skipif(not can_mount(), reason="only root may mount a file system")


class Mounts:
    """What a test mounts; taken away at its end."""

    def __init__(self) -> None:
        self.points: list[Path] = []

    def disk(self, point: Path, size: str = "4m") -> Path:
        point.mkdir(parents=True, exist_ok=True)
        return self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", point)

    def bind(self, source: Path, point: Path) -> Path:
        point.mkdir(parents=True, exist_ok=True)
        return self._mount("--bind", source, point)

    def unmount(self, point: Path) -> None:
        subprocess.run(["umount", point], check=True)
        self.points.remove(point)

    def _mount(self, *arguments: object) -> Path:
        subprocess.run(["mount", *map(str, arguments)], check=True)
        point = Path(str(arguments[-1]))
        self.points.append(point)
        return point


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    made = Mounts()
    yield made
    for point in reversed(made.points):
        subprocess.run(["umount", "-l", point], check=True)


@pytest.fixture
def desk(mounts: Mounts, tmp_path: Path, pool: WorkerPool) -> Iterator[Desk]:
    made = Desk(tmp_path, pool)
    yield made
    made.close()


def test_a_disk_below_the_root_has_a_trash_of_its_own(desk: Desk, mounts: Mounts) -> None:
    kept = desk.picture("photos/a.jpg")
    usb = mounts.disk(desk.photos / "usb")
    copy = desk.copy(kept, "photos/usb/deep/copy.jpg")
    desk.scan()
    before = desk.files()
    desk.decide({kept: "keep", copy: "trash"})
    outcome = desk.sort()
    assert outcome["trash"] == 1
    (item,) = desk.in_trash()
    assert item.place.startswith(bytes(usb / ".comparimg-trash") + b"/")
    assert not (desk.photos / ".comparimg-trash").exists()
    desk.undo(outcome["batch"])
    assert desk.files() == before


def test_images_of_one_name_keep_their_companions_on_another_disk(desk: Desk, mounts: Mounts) -> None:
    mounts.disk(desk.best)
    images = []
    for number in (1, 2):
        desk.picture(f"photos/keep/{number}.jpg", number)
        images.append(desk.picture(f"photos/trip{number}/IMG_1.jpg", number, (200, 150), 80))
        images[-1].with_suffix(".xmp").write_text(f"sidecar {number}")
    desk.scan()
    before = desk.files()
    desk.decide(dict.fromkeys(images, "move"))
    outcome = desk.sort()
    moved = {path.name: path.read_bytes() for path in desk.best.iterdir()}
    assert moved == {
        "IMG_1.jpg": before["photos/trip1/IMG_1.jpg"], "IMG_1.xmp": b"sidecar 1",
        "IMG_1 (2).jpg": before["photos/trip2/IMG_1.jpg"], "IMG_1 (2).xmp": b"sidecar 2",
    }  # fmt: skip
    images[0].write_bytes(b"newer")
    desk.undo(outcome["batch"])
    files = {path.name: path.read_bytes() for path in images[0].parent.iterdir()}
    assert files == {
        "IMG_1.jpg": b"newer", "IMG_1 (restored).jpg": before["photos/trip1/IMG_1.jpg"],
        "IMG_1 (restored).xmp": b"sidecar 1",
    }  # fmt: skip
    assert {path.name for path in images[1].parent.iterdir()} == {"IMG_1.jpg", "IMG_1.xmp"}
    assert {path.name for path in desk.best.iterdir()} <= {".comparimg-trash"}


def test_a_destination_on_another_disk_is_copied_to_and_the_original_goes_to_the_trash(
    desk: Desk, mounts: Mounts
) -> None:
    kept = desk.picture("photos/a.jpg")
    copy = desk.copy(kept, "photos/copy.jpg")
    os.utime(copy, ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
    copy.chmod(0o640)
    (copy.with_suffix(".xmp")).write_text("about this")
    mounts.disk(desk.best)
    desk.scan()
    before = desk.files()
    desk.decide({kept: "keep", copy: "move"})
    outcome = desk.sort()
    assert (outcome["move"], outcome["companions"]) == (1, 1)
    moved = desk.best / "copy.jpg"
    assert moved.read_bytes() == before["photos/copy.jpg"]
    assert (moved.stat().st_mtime_ns, moved.stat().st_mode & 0o777) == (1_500_000_000_123_456_789, 0o640)
    assert sorted(os.path.basename(item.path) for item in desk.in_trash()) == [b"copy.jpg", b"copy.xmp"]
    desk.undo(outcome["batch"])
    assert {name: data for name, data in desk.files().items() if "trash" not in name} == before
    assert sorted(path.name for path in desk.best.iterdir()) == [".comparimg-trash"], "the copies are in its trash"


def test_a_destination_that_is_full_leaves_everything_where_it_was(desk: Desk, mounts: Mounts) -> None:
    kept = desk.picture("photos/a.jpg", 1, (640, 480), 95)
    copy = desk.copy(kept, "photos/copy.jpg")
    mounts.disk(desk.best, "16k")
    desk.scan()
    before = desk.files()
    desk.decide({kept: "keep", copy: "move"})
    outcome = desk.sort()
    assert (outcome["move"], outcome["refused"]) == (0, {"no_space": 1})
    assert desk.files() == before


def test_a_move_back_from_another_disk_after_the_trash_was_emptied(desk: Desk, mounts: Mounts) -> None:
    kept = desk.picture("photos/a.jpg")
    copy = desk.copy(kept, "photos/copy.jpg")
    mounts.disk(desk.best)
    desk.scan()
    desk.decide({kept: "keep", copy: "move"})
    outcome = desk.sort()
    desk.empty(older_than_days=0.0)
    assert desk.undo(outcome["batch"])["restored"] == 1
    assert copy.read_bytes() == kept.read_bytes()


@pytest.mark.parametrize("part", ["", "inner"])
def test_what_is_protected_is_so_through_a_bind_mount(
    tmp_path: Path, pool: WorkerPool, mounts: Mounts, part: str
) -> None:
    """Also where the index has never seen the file by its protected path."""
    desk = Desk(tmp_path, pool, protected=["safe"])
    try:
        desk.picture("safe/inner/a.jpg", 1, (200, 150), 80)
        kept = desk.picture("photos/a.jpg", 1)
        bound = mounts.bind(tmp_path / "safe" / part, desk.photos / "bound")
        copy = next(bound.rglob("a.jpg"))
        desk.roots = [root for root in desk.roots if b"photos" in root.path]
        desk.scanner._roots = ScanRoots(desk.roots)
        desk.scan()
        desk.store.write(lambda db: db.execute_sql("DELETE FROM image WHERE path LIKE ?", (f"{tmp_path}/safe%",)))
        desk.decide({kept: "keep", copy: "trash"})
        outcome = desk.sort()
        assert (outcome["trash"], outcome["refused"]) == (0, {"protected": 1})
        assert copy.exists()
    finally:
        desk.close()


def test_one_file_by_a_bind_mount_is_one_image_and_goes_once(desk: Desk, mounts: Mounts) -> None:
    kept = desk.picture("photos/a.jpg")
    copy = desk.copy(kept, "photos/real/copy.jpg")
    mounts.bind(desk.photos / "real", desk.photos / "z bound")
    desk.scan()
    assert list(desk.groups().values()) == [["photos/a.jpg", "photos/real/copy.jpg"]]
    desk.decide({kept: "keep", copy: "trash"})
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], outcome["refused"]) == (1, 0, {})
    assert not copy.exists()
    assert not (desk.photos / "z bound" / "copy.jpg").exists()
    desk.undo(outcome["batch"])
    assert copy.exists()


def test_a_disk_that_is_away_is_not_an_empty_one(desk: Desk, mounts: Mounts) -> None:
    kept = desk.picture("photos/a.jpg")
    usb = mounts.disk(desk.photos / "usb")
    copy = desk.copy(kept, "photos/usb/copy.jpg")
    desk.scan()
    desk.decide({kept: "keep", copy: "trash"})
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    mounts.bind(usb, elsewhere)
    mounts.unmount(usb)
    outcome = desk.sort()
    assert (outcome["trash"], outcome["refused"]) == (0, {"gone": 1})
    mounts.bind(elsewhere, usb)
    outcome = desk.sort()
    assert outcome["trash"] == 1
    subprocess.run(["umount", usb], check=True)
    mounts.points.remove(usb)
    assert desk.undo(outcome["batch"])["restored"] == 0, "its trash is away with it"
    assert not (usb / "copy.jpg").exists(), "nothing is put on the wrong disk"
    mounts.bind(elsewhere, usb)
    assert desk.undo(outcome["batch"])["restored"] == 1
    assert copy.exists()
