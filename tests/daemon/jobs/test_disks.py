"""Another disk at the same path: the images of the first, with what was decided about them, wait until it is back.

Real disks in files, mounted by root; left out for anyone else.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.files.file_systems import DiskMatch, compare, location_of
from daemon.files.mounts import read_mounts
from daemon.jobs import scan_comparing, scan_listing
from daemon.jobs.progress import NullProgress
from daemon.processes.worker_pool import WorkerPool
from index.database.records import content_gc, disks
from index.database.records.disks import DiskLocation
from index.errors import NotFound
from index.messages import of_json
from index.model import RootState
from support.faults import can_mount
from support.sorting import Desk

pytestmark = pytest.mark.disk

as_root = pytest.mark.skipif(not can_mount(), reason="only root may mount a file system")

MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
}
MEGABYTES = {"ext4": 8, "btrfs": 120, "xfs": 320}


class Rack:
    """Disks in files, and the points at which they are mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.points: list[Path] = []

    def make(self, name: str, kind: str = "ext4") -> None:
        program, *options = MAKE[kind]
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        file = self.folder / f"{name}.disk"
        with file.open("wb") as disk:
            disk.truncate(MEGABYTES[kind] * 2**20)
        subprocess.run([program, *options, str(file)], check=True, capture_output=True)

    def mount(self, name: str, point: Path) -> None:
        point.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            ["mount", "-o", "loop", str(self.folder / f"{name}.disk"), str(point)], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip(f"disks in files cannot be mounted here: {made.stderr.decode().strip()}")
        self.points.append(point)

    def unmount(self, point: Path) -> None:
        subprocess.run(["umount", str(point)], check=True)
        self.points.remove(point)

    def exchange(self, name: str, point: Path) -> None:
        self.unmount(point)
        self.mount(name, point)


@pytest.fixture
def rack(tmp_path: Path) -> Iterator[Rack]:
    made = Rack(tmp_path)
    yield made
    for point in reversed(made.points):
        subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.fixture
def desk(rack: Rack, tmp_path: Path, pool: WorkerPool) -> Iterator[Desk]:
    """A desk whose /photos is the mount point of the disk "one"; "two" is another disk."""
    for name in ("one", "two"):
        rack.make(name)
    rack.mount("one", tmp_path / "photos")
    made = Desk(tmp_path, pool)
    yield made
    made.close()


def decided(desk: Desk) -> dict[str, str]:
    """What is decided about the images that are there, by their paths below the folder."""
    start = len(str(desk.folder)) + 1
    with desk.store.read() as database:
        rows = database.execute_sql(
            "SELECT i.path, d.choice FROM decision d JOIN image i ON i.id = d.image_id ORDER BY i.path"
        ).fetchall()
    return {path.decode()[start:]: choice for path, choice in rows}


def images(desk: Desk) -> list[str]:
    start = len(str(desk.folder)) + 1
    with desk.store.read() as database:
        return [row[0].decode()[start:] for row in database.execute_sql("SELECT path FROM image ORDER BY path")]


def away(desk: Desk) -> list[tuple[str, int, int]]:
    with desk.store.read() as database:
        disks_away = disks.away_disks(database)
    return [(disk.folder.decode()[len(str(desk.folder)) + 1 :], disk.images, disk.decided) for disk in disks_away]


def state(desk: Desk) -> tuple[str, str]:
    with desk.store.read() as database:
        row = database.execute_sql("SELECT state, reason FROM root").fetchone()
    return str(row[0]), str(of_json(row[1]) or "")


def fill(desk: Desk, seed: int) -> tuple[Path, Path]:
    """The same names on every disk, with other pictures."""
    kept = desk.picture("photos/a/1.jpg", seed)
    copy = desk.picture("photos/b/1.jpg", seed, (200, 150), 80)
    return kept, copy


def decide(desk: Desk, seed: int = 1) -> tuple[Path, Path]:
    kept, copy = fill(desk, seed)
    desk.scan()
    desk.decide({kept: "keep", copy: "trash"})
    assert decided(desk) == DECIDED
    return kept, copy


DECIDED = {"photos/a/1.jpg": "keep", "photos/b/1.jpg": "trash"}


@as_root
def test_decisions_wait_for_their_disk(desk: Desk, rack: Rack) -> None:
    _, copy = decide(desk)
    groups = desk.groups()
    rack.exchange("two", desk.photos)
    fill(desk, 5)
    desk.scan()
    assert state(desk) == (RootState.ONLINE, "")
    assert images(desk) == ["photos/a/1.jpg", "photos/b/1.jpg"]
    assert decided(desk) == {}
    assert away(desk) == [("photos", 2, 2)]
    assert desk.groups() != groups
    assert desk.sort()["trash"] == 0
    desk.scan()
    assert away(desk) == [("photos", 2, 2)]
    rack.exchange("one", desk.photos)
    desk.scan()
    assert (decided(desk), desk.groups()) == (DECIDED, groups)
    assert away(desk) == [("photos", 2, 0)], "the second disk waits now"
    assert desk.sort()["trash"] == 1
    assert not copy.exists()
    rack.exchange("two", desk.photos)
    desk.scan()
    assert copy.exists()
    assert away(desk) == [("photos", 1, 1)]


@as_root
def test_disks_change_places_again_and_again(desk: Desk, rack: Rack) -> None:
    """Whichever device numbers they get, and with a file that changed on one while it was away."""
    decide(desk)
    rack.exchange("two", desk.photos)
    fill(desk, 5)
    for name in ("one", "two", "one", "two"):
        desk.scan()
        rack.exchange(name, desk.photos)
    rack.exchange("one", desk.photos)
    (desk.photos / "b/1.jpg").unlink()
    desk.picture("photos/c.jpg", 1)
    desk.scan()
    assert decided(desk) == {"photos/a/1.jpg": "keep"}
    assert images(desk) == ["photos/a/1.jpg", "photos/c.jpg"]


@as_root
def test_a_job_for_one_file_notices_another_disk(desk: Desk, rack: Rack) -> None:
    decide(desk)
    rack.exchange("two", desk.photos)
    new, _ = fill(desk, 5)
    desk.rescan(NullProgress(), [bytes(new)])
    assert away(desk) == [("photos", 2, 2)]
    assert len(images(desk)) == 2


@as_root
@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_other_file_systems_are_distinguished_from_one_another(
    rack: Rack, tmp_path: Path, pool: WorkerPool, kind: str
) -> None:
    for name in ("one", "two"):
        rack.make(name, kind)
    rack.mount("one", tmp_path / "photos")
    desk = Desk(tmp_path, pool)
    try:
        decide(desk)
        rack.exchange("two", desk.photos)
        fill(desk, 5)
        desk.scan()
        assert away(desk) == [("photos", 2, 2)]
        rack.exchange("one", desk.photos)
        desk.scan()
        assert decided(desk) == DECIDED
    finally:
        desk.close()


@as_root
def test_a_disk_below_the_root_is_exchanged(rack: Rack, tmp_path: Path, pool: WorkerPool) -> None:
    for name in ("one", "two"):
        rack.make(name)
    usb = tmp_path / "photos/usb"
    rack.mount("one", usb)
    desk = Desk(tmp_path, pool)
    try:
        kept = desk.picture("photos/a.jpg")
        copy = desk.picture("photos/usb/a.jpg", 1, (200, 150), 80)
        desk.scan()
        desk.decide({kept: "keep", copy: "trash"})
        rack.exchange("two", usb)
        desk.scan()
        assert away(desk) == [], "a disk without any image proves nothing"
        assert len(images(desk)) == 2
        desk.picture("photos/usb/a.jpg", 7)
        desk.scan()
        assert away(desk) == [("photos/usb", 1, 1)]
        assert decided(desk) == {"photos/a.jpg": "keep"}
        rack.unmount(usb)
        desk.scan()
        assert (images(desk), away(desk)) == (["photos/a.jpg", "photos/usb/a.jpg"], [("photos/usb", 1, 1)])
        desk.picture("photos/usb/a.jpg", 9)
        desk.scan()
        assert sorted(away(desk)) == [("photos/usb", 1, 0), ("photos/usb", 1, 1)], "what the mount hid is a third"
        rack.mount("one", usb)
        desk.scan()
        assert decided(desk) == {"photos/a.jpg": "keep", "photos/usb/a.jpg": "trash"}
        assert sorted(away(desk)) == [("photos/usb", 1, 0), ("photos/usb", 1, 0)]
        assert desk.sort()["trash"] == 1
        rack.unmount(usb)
        shutil.rmtree(usb)
        desk.scan()
        assert images(desk) == ["photos/a.jpg"]
    finally:
        desk.close()


@as_root
def test_a_disk_mounted_over_a_folder_hides_its_images(rack: Rack, tmp_path: Path, pool: WorkerPool) -> None:
    rack.make("one")
    desk = Desk(tmp_path, pool)
    try:
        kept, copy = decide(desk)
        rack.mount("one", copy.parent)
        desk.picture("photos/b/1.jpg", 7)
        desk.scan()
        assert decided(desk) == {"photos/a/1.jpg": "keep"}
        assert away(desk) == [("photos/b", 1, 1)]
        rack.unmount(copy.parent)
        desk.scan()
        assert decided(desk) == DECIDED
        copy.unlink()
        desk.scan()
        assert images(desk) == ["photos/a/1.jpg"], "a deletion is one again"
        shutil.rmtree(copy.parent)
        desk.scan()
        assert kept.exists()
        assert images(desk) == ["photos/a/1.jpg"]
    finally:
        desk.close()


@as_root
@pytest.mark.parametrize("left", [None, "notes.txt"])
def test_an_empty_disk_or_mount_point_forgets_nothing(desk: Desk, rack: Rack, left: str | None) -> None:
    decide(desk)
    rack.unmount(desk.photos)
    if left:
        (desk.photos / left).write_text("no picture")
    desk.scan()
    assert state(desk)[0] == RootState.OFFLINE
    rack.mount("two", desk.photos)
    if left:
        (desk.photos / left).write_text("no picture")
    desk.scan()
    assert state(desk)[0] == RootState.OFFLINE
    assert away(desk) == []
    rack.exchange("one", desk.photos)
    desk.scan()
    assert (state(desk)[0], decided(desk)) == (RootState.ONLINE, DECIDED)


@as_root
def test_all_files_copied_to_a_larger_disk_keep_their_decisions(desk: Desk, rack: Rack, tmp_path: Path) -> None:
    kept, copy = decide(desk)
    gone = desk.picture("photos/c/gone.jpg", 3)
    desk.scan()
    groups = desk.groups()
    rack.mount("two", tmp_path / "new")
    shutil.copytree(desk.photos / "a", tmp_path / "new/a")
    shutil.copytree(desk.photos / "b", tmp_path / "new/b")
    rack.unmount(tmp_path / "new")
    rack.exchange("two", desk.photos)
    desk.scan()
    assert (decided(desk), desk.groups()) == (DECIDED, groups)
    assert away(desk) == [("photos", 1, 0)], "what was not copied"
    assert not gone.exists()
    (disk,) = _away_ids(desk)
    desk.store.write(lambda db: disks.forget(db, disk))
    assert away(desk) == []
    with pytest.raises(NotFound):
        desk.store.write(lambda db: disks.forget(db, disk))
    desk.scan()
    assert (decided(desk), desk.sort()["trash"]) == (DECIDED, 1)
    assert kept.exists()
    assert not copy.exists()


@as_root
def test_a_copy_that_comes_bit_by_bit_is_taken_over_bit_by_bit(desk: Desk, rack: Rack) -> None:
    kept, copy = decide(desk)
    data = {path: path.read_bytes() for path in (kept, copy)}
    rack.exchange("two", desk.photos)
    for number, path in enumerate((kept, copy), start=1):
        path.parent.mkdir()
        path.write_bytes(data[path])
        desk.rescan(NullProgress(), [bytes(path)])
        assert len(decided(desk)) == number
    assert away(desk) == []


@as_root
def test_a_disk_exchanged_during_the_walk_changes_nothing(
    desk: Desk, rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(desk)
    list_walk = scan_listing.list_walk

    def exchanging(*arguments):
        rack.exchange("two", desk.photos)
        fill(desk, 5)
        return list_walk(*arguments)

    monkeypatch.setattr(scan_comparing, "list_walk", exchanging)
    desk.scan()
    assert state(desk) == (RootState.OFFLINE, "was replaced by another disk while it was scanned")
    assert decided(desk) == DECIDED
    monkeypatch.undo()
    desk.scan()
    assert away(desk) == [("photos", 2, 2)]


@as_root
def test_what_waits_is_not_forgotten_as_unused(desk: Desk, rack: Rack) -> None:
    decide(desk)
    rack.exchange("two", desk.photos)
    fill(desk, 5)
    desk.scan()

    def forget(database) -> list[bytes]:
        content_gc.record_missing(database, 1)
        return content_gc.collect(database, time.time_ns())

    assert desk.store.write(forget) == []
    rack.exchange("one", desk.photos)
    desk.scan()
    assert decided(desk) == DECIDED


def test_which_standings_are_alike() -> None:
    def likeness(before: tuple[str, bytes], now: tuple[str, bytes]) -> DiskMatch:
        return compare(DiskLocation(b"/p", *before), DiskLocation(b"/p", *now))

    assert likeness(("ext:1", b"/"), ("ext:1", b"/")) is DiskMatch.SAME
    assert likeness(("ext:1", b"/"), ("ext:2", b"/")) is DiskMatch.OTHER
    assert likeness(("ext:1", b"/"), ("btrfs:1", b"/")) is DiskMatch.OTHER
    assert likeness(("ext:1", b"/a"), ("ext:1", b"/b")) is DiskMatch.PERHAPS
    assert likeness(("nfs:nas:/a", b"/"), ("nfs:10.0.0.2:/a", b"/")) is DiskMatch.PERHAPS
    assert likeness(("nfs:nas:/a", b"/"), ("ext:1", b"/")) is DiskMatch.PERHAPS
    assert likeness(("", b"/"), ("ext:1", b"/")) is DiskMatch.UNKNOWN
    assert likeness(("ext:1", b"/"), ("", b"/")) is DiskMatch.UNKNOWN


def test_a_server_with_another_name_is_the_same_where_its_files_are(desk_here: Desk) -> None:
    desk = desk_here
    decide(desk)
    renamed = "UPDATE disk SET identity = 'nfs:its.old.name:/photos'"
    desk.store.write(lambda db: db.execute_sql(renamed))
    desk.scan()
    assert (decided(desk), away(desk)) == (DECIDED, [])
    desk.store.write(lambda db: db.execute_sql(renamed))
    desk.store.write(lambda db: db.execute_sql("UPDATE image SET inode = inode + 1000000"))
    desk.scan()
    # The same bytes at the same paths, though not the same files: read again, and taken over.
    assert (decided(desk), away(desk)) == (DECIDED, [])


@pytest.fixture
def desk_here(tmp_path: Path, pool: WorkerPool) -> Iterator[Desk]:
    made = Desk(tmp_path, pool)
    if not location_of(bytes(tmp_path), read_mounts()).identity:
        made.close()
        pytest.skip("nothing identifies the file system of the temporary files")
    yield made
    made.close()


def _away_ids(desk: Desk) -> list[int]:
    with desk.store.read() as database:
        return [disk.id for disk in disks.away_disks(database)]
