"""What is behind a symbolic link inside a watched folder is never indexed, whatever names it."""

import os
import time
from pathlib import Path

import pytest

from daemon.jobs.progress import NullProgress
from daemon.jobs.scan_roots import ScanRoot
from daemon.processes.decode_task import IndexTask, PictureTask, check_picture, index_file
from index.database.records.images import WatchRoot
from index.database.records.jobs import ScanParameters
from index.database.records.readings import record_readings
from index.errors import PictureError
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import Limits
from index.messages import text
from index.model import Identity, Reading
from support.library import Library
from support.pictures import photograph


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    photograph(seed, 80, 60).save(path)


@pytest.fixture
def outside(library: Library, tmp_path: Path) -> Path:
    """A folder next to the watched one, with a picture, to which /photos/link leads."""
    save(library.photos / "a.png", 1)
    save(tmp_path / "outside/deep/secret.png", 2)
    (library.photos / "link").symlink_to(tmp_path / "outside")
    return tmp_path / "outside"


@pytest.mark.attack("a scan of paths that lead out of the watched folder by a link")
@pytest.mark.usefixtures("outside")
def test_a_path_through_a_link_is_not_indexed(library: Library) -> None:
    photos = library.photos
    for path in (photos / "link/deep/secret.png", photos / "link", photos / "link/deep"):
        outcome = library.scan(path)
        assert (outcome["read"], outcome["linked"], outcome["problems"], outcome["offline"]) == (0, 0, 0, [])
    library.scan()
    assert list(library.images()) == ["a.png"]
    assert library.problems() == {}


@pytest.mark.attack("a scan of paths that lead out of the watched folder by a link")
def test_a_path_that_climbs_out_is_not_indexed(library: Library, outside: Path) -> None:
    for name in ("../outside/deep/secret.png", "link/../../outside/deep/secret.png", "../outside"):
        library.scan(Path(str(library.photos) + "/" + name))
    assert outside.exists()
    assert library.images() == {}
    assert library.problems() == {}


def test_a_path_has_one_name_however_it_is_written(library: Library) -> None:
    save(library.photos / "sub/a.png", 1)
    path = f"{library.photos}//sub/../sub/./a.png"
    library.scanner.run(NullProgress(), ScanParameters(paths=[path]))
    assert list(library.images()) == ["sub/a.png"]


@pytest.mark.attack("a scan of paths that lead out of the watched folder by a link")
@pytest.mark.parametrize("device", ["same", "other"])
@pytest.mark.parametrize("whole", [True, False])
def test_what_was_indexed_behind_a_link_disappears(library: Library, outside: Path, device: str, whole: bool) -> None:
    library.scan()
    path = library.photos / "link/deep/secret.png"
    identity = Identity.of(path.stat())
    if device == "other":
        identity = identity._replace(device=identity.device + 77)
    reading = Reading(bytes(path), identity, pictures.digest(path.read_bytes()), failure="corrupt", message=text("x"))
    library.store.write(lambda db: record_readings(db, 1, [reading], time.time_ns()))
    assert set(library.images()) == {"a.png", "link/deep/secret.png"}
    library.scan(*([] if whole else [path]))
    assert list(library.images()) == ["a.png"]
    assert (outside / "deep/secret.png").exists()


@pytest.mark.attack("a scan of paths that lead out of the watched folder by a link")
def test_a_folder_exchanged_for_a_link_before_it_is_read_is_not_read(library: Library, outside: Path) -> None:
    photos, secret = library.photos, outside / "deep/secret.png"
    save(photos / "deep/secret.png", 3)
    seen = Identity.of((photos / "deep/secret.png").stat())
    (photos / "deep").rename(photos / "away")
    (photos / "deep").symlink_to(outside / "deep")
    path = bytes(photos / "deep/secret.png")
    reading = index_file(IndexTask(path, bytes(photos), seen, frozenset(), Limits()))
    assert (reading.failure, reading.digest) == ("unreadable", None)
    task = PictureTask(path, bytes(photos), pictures.digest(secret.read_bytes()), Limits())
    with pytest.raises(PictureError, match="cannot be read"):
        check_picture(task)


def test_a_watched_folder_that_is_a_link_is_walked_and_its_links_are_not(tmp_path: Path, library: Library) -> None:
    save(tmp_path / "real/a.png", 1)
    save(tmp_path / "elsewhere/b.png", 2)
    os.symlink(tmp_path / "elsewhere", tmp_path / "real/link")
    (tmp_path / "way").symlink_to("real")
    library.watch(ScanRoot(WatchRoot(bytes(tmp_path / "way"))))
    library.scan()
    library.scan(tmp_path / "way/link/b.png")
    with library.store.read() as database:
        assert database.execute_sql("SELECT path FROM image").fetchall() == [(bytes(tmp_path / "way/a.png"),)]
