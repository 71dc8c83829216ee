"""Scans: whatever happened on disk, the index ends equal to it, and nothing known is decoded again."""

import errno
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.jobs import scan_listing
from daemon.jobs.scan_roots import ScanRoot
from index.database.records import matches
from index.database.records.images import WatchRoot
from index.database.records.jobs import ScanParameters
from index.imaging.discovery import descent
from index.imaging.discovery.walk import Exclusions, RootUnavailable, Walk


def picture(seed: int, size: tuple[int, int] = (80, 60)) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def save(path: Path, seed: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path)
    return path


def counts(outcome: dict, *names: str) -> tuple:
    return tuple(outcome[name] for name in names)


def test_a_first_scan_indexes_and_a_second_reads_nothing(library):
    save(library.photos / "a.png", 1)
    save(library.photos / "deep" / "er" / "b.jpg", 2)
    assert counts(library.scan(), "files", "read") == (2, 2)
    assert counts(library.scan(), "files", "read", "known") == (2, 0, 0)
    assert set(library.images()) == {"a.png", "deep/er/b.jpg"}


def test_a_copy_is_read_but_never_decoded(library):
    first = save(library.photos / "a.png")
    shutil.copy(first, library.photos / "b.png")
    assert counts(library.scan(), "read", "known") == (1, 1)
    shutil.copy(first, library.photos / "c.png")
    assert counts(library.scan(), "read", "known") == (0, 1)
    assert len(set(library.images().values())) == 1


def test_a_move_is_not_even_read(library):
    save(library.photos / "a.png")
    library.scan()
    before = library.images()["a.png"]
    (library.photos / "new").mkdir()
    (library.photos / "a.png").rename(library.photos / "new" / "b.png")
    assert counts(library.scan(), "read", "known", "moved", "missing") == (0, 0, 1, 0)
    assert library.images() == {"new/b.png": before}


def test_two_files_that_swap_their_names(library):
    save(library.photos / "a.png", 1)
    save(library.photos / "b.png", 2)
    library.scan()
    before = library.images()
    (library.photos / "a.png").rename(library.photos / "x")
    (library.photos / "b.png").rename(library.photos / "a.png")
    (library.photos / "x").rename(library.photos / "b.png")
    assert counts(library.scan(), "read", "known") == (0, 0)
    assert library.images() == {"a.png": before["b.png"], "b.png": before["a.png"]}


def test_hard_links_are_not_read_twice(library):
    first = save(library.photos / "a.png")
    library.scan()
    os.link(first, library.photos / "b.png")
    assert counts(library.scan(), "read", "known", "linked") == (0, 0, 1)


def test_a_changed_file_is_read_again_and_a_deleted_one_forgotten(library):
    save(library.photos / "a.png", 1)
    save(library.photos / "b.png", 2)
    library.scan()
    save(library.photos / "a.png", 3)
    (library.photos / "b.png").unlink()
    assert counts(library.scan(), "read", "missing") == (1, 1)
    assert list(library.images()) == ["a.png"]
    assert len(library.concerned()) == 3


def test_bytes_that_come_back_are_known(library):
    first = save(library.photos / "a.png")
    data = first.read_bytes()
    save(library.photos / "other.png", 9)
    library.scan()
    first.unlink()
    library.scan()
    (library.photos / "again.png").write_bytes(data)
    assert counts(library.scan(), "read", "known") == (0, 1)


def test_a_broken_file_is_a_problem_that_is_paid_once(library):
    (library.photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    (library.photos / "empty.png").write_bytes(b"")
    (library.photos / "text.jpg").write_text("a shopping list")
    assert counts(library.scan(), "read", "problems") == (3, 3)
    assert counts(library.scan(), "read", "problems") == (0, 0)
    assert set(library.problems()) == {"broken.jpg", "empty.png", "text.jpg"}
    save(library.photos / "broken.jpg")
    library.scan()
    assert set(library.problems()) == {"empty.png", "text.jpg"}


def test_a_copy_of_broken_bytes_is_a_problem_without_decoding(library):
    (library.photos / "a.jpg").write_bytes(b"no picture at all")
    library.scan()
    (library.photos / "b.jpg").write_bytes(b"no picture at all")
    assert counts(library.scan(), "read", "known") == (0, 1)
    assert library.problems() == {"a.jpg": "not_an_image", "b.jpg": "not_an_image"}


def test_a_file_by_content_not_by_suffix(library):
    save(library.photos / "a.png").rename(library.photos / "really-a-png.jpg")
    picture(4).save(library.photos / "no suffix", "JPEG")
    library.scan()
    assert library.problems() == {}
    assert len(library.images()) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_now_is_tried_again(library):
    path = save(library.photos / "a.png")
    path.chmod(0)
    assert library.scan()["problems"] == 1
    path.chmod(0o644)
    assert counts(library.scan(), "read", "problems") == (1, 0)
    assert library.problems() == {}


def test_a_named_pipe_with_a_picture_s_name_blocks_nothing(library):
    os.mkfifo(library.photos / "pipe.jpg")
    assert library.scan()["files"] == 0


def test_symbolic_links_are_not_followed(library, tmp_path):
    outside = save(tmp_path / "outside" / "a.png")
    (library.photos / "file.png").symlink_to(outside)
    (library.photos / "folder").symlink_to(outside.parent)
    (library.photos / "loop").symlink_to(library.photos)
    assert library.scan()["files"] == 0
    assert library.scan(library.photos / "file.png", library.photos / "folder")["files"] == 0


def test_odd_names_survive(library):
    names = [b"\xff\xfe.png", b"new\nline.png", "é.png".encode(), "e\u0301.png".encode(), b"x" * 250 + b".png"]
    for number, name in enumerate(names):
        path = os.path.join(os.fsencode(library.photos), name)
        picture(number).save(os.fsdecode(path))
    assert library.scan()["read"] == len(names)
    assert {os.fsencode(name) for name in library.images()} == set(names)


def test_times_that_no_integer_of_sqlite_holds(library):
    moments = {"late.png": 15_000_000_000, "later.png": 15_000_000_001, "early.png": -15_000_000_000}
    for seed, (name, seconds) in enumerate(moments.items()):
        os.utime(save(library.photos / name, seed), (seconds, seconds))
    assert counts(library.scan(), "files", "read", "known") == (3, 3, 0)
    assert counts(library.scan(), "files", "read", "known") == (3, 0, 0)
    os.utime(library.photos / "late.png", (15_000_000_002, 15_000_000_002))
    assert counts(library.scan(), "files", "read", "known") == (3, 0, 1)


def test_excluded_folders_are_passed_over(library):
    for name in ("@eaDir", ".thumbnails", "#recycle", "keep", "private"):
        save(library.photos / name / "a.png")
    library.watch(ScanRoot(WatchRoot(str(library.photos).encode()), exclude=(b"private",)))
    library.scan()
    assert list(library.images()) == ["keep/a.png"]


# Roots that are not what they were


def test_a_root_that_is_gone_is_offline_and_loses_nothing(library):
    save(library.photos / "a.png")
    library.scan()
    library.photos.rename(library.photos.with_name("elsewhere"))
    assert library.scan()["offline"] == [str(library.photos)]
    assert library.scan(library.photos / "a.png")["offline"] == [str(library.photos)]
    assert list(library.images()) == ["a.png"]
    ((state, reason),) = library.root_states().values()
    assert (state, reason) == ("offline", "No such file or directory")
    library.photos.with_name("elsewhere").rename(library.photos)
    assert counts(library.scan(), "files", "read", "offline") == (1, 0, [])
    assert next(iter(library.root_states().values()))[0] == "online"


def test_a_root_that_goes_away_while_it_is_listed_loses_nothing(library, monkeypatch):
    for folder in ("a", "b"):
        save(library.photos / folder / "1.png", ord(folder))
    library.scan()
    before = library.images()
    open_folder = descent.open_folder

    def unplug(top: bytes, path: bytes) -> int:
        if path.endswith(b"/b") and library.photos.exists():
            library.photos.rename(library.photos.with_name("unplugged"))
        return open_folder(top, path)

    with monkeypatch.context() as patch:
        patch.setattr(descent, "open_folder", unplug)
        assert library.scan()["offline"]
    library.photos.with_name("unplugged").rename(library.photos)
    assert library.images() == before


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.EIO])
def test_a_folder_that_is_said_to_be_gone_and_is_there_loses_nothing(library, monkeypatch, number):
    for folder in ("a", "b"):
        save(library.photos / folder / "1.png", ord(folder))
    library.scan()
    before = library.images()
    open_folder = descent.open_folder

    def disconnect(top: bytes, path: bytes) -> int:
        if path.endswith(b"/b"):
            raise OSError(number, os.strerror(number))
        return open_folder(top, path)

    with monkeypatch.context() as patch:
        patch.setattr(descent, "open_folder", disconnect)
        library.scan()
    assert library.images() == before


def test_a_root_that_cannot_be_opened_any_more_is_unavailable(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    open_file, opened = os.open, []

    def disconnect(path: bytes | str, *arguments: int, **options: int) -> int:
        opened.extend([path] if path == bytes(tmp_path) else [])
        if len(opened) > 1:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return open_file(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("index.imaging.discovery.descent.os.open", disconnect)
        with pytest.raises(RootUnavailable):
            list(Walk(bytes(tmp_path), Exclusions(bytes(tmp_path))))


def test_a_root_that_is_suddenly_empty_is_offline(library):
    path = save(library.photos / "a.png")
    library.scan()
    path.rename(library.photos.with_name("a.png"))
    assert library.scan()["offline"] == [str(library.photos)]
    assert library.scan(path)["offline"] == [str(library.photos)]
    assert list(library.images()) == ["a.png"]


def test_a_disk_that_returns_under_another_number_is_not_read_again(library):
    save(library.photos / "a.png")
    library.scan()
    library.store.write(lambda db: db.execute_sql("UPDATE image SET device = 7"))
    library.store.write(lambda db: db.execute_sql("UPDATE root SET device = 7"))
    assert counts(library.scan(), "read", "known", "missing") == (0, 0, 0)
    assert list(library.images()) == ["a.png"]


def test_another_disk_in_its_place_is_offline(library):
    save(library.photos / "a.png")
    library.scan()
    library.store.write(lambda db: db.execute_sql("UPDATE image SET device = 7, inode = 1"))
    library.store.write(lambda db: db.execute_sql("UPDATE root SET device = 7"))
    library.store.write(lambda db: db.execute_sql("DELETE FROM disk"))  # as of one that nothing identifies
    assert library.scan()["offline"] == [str(library.photos)]
    assert list(library.images()) == ["a.png"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file system of its own")
def test_a_disk_below_the_root_that_is_unmounted_loses_nothing(library):
    save(library.photos / "a.png", 1)
    library.scan()
    below = library.photos / "usb"
    below.mkdir()
    if os.system(f"mount -t tmpfs tmpfs {below} 2>/dev/null"):
        pytest.skip("file systems cannot be mounted here")
    try:
        save(below / "b.png", 2)
        library.scan()
    finally:
        os.system(f"umount {below}")
    assert library.scan()["missing"] == 0
    assert set(library.images()) == {"a.png", "usb/b.png"}


def test_the_innermost_root_rules_its_files(library):
    save(library.photos / "a.png", 1)
    save(library.photos / "inner" / "b.png", 2)
    outer, inner = str(library.photos).encode(), str(library.photos / "inner").encode()
    library.watch(ScanRoot(WatchRoot(outer)), ScanRoot(WatchRoot(inner, protected=True)))
    assert library.scan()["files"] == 2
    assert library.scan(library.photos / "inner" / "b.png")["files"] == 1
    with library.store.read() as database:
        rows = database.execute_sql(
            "SELECT root.path FROM image JOIN root ON root.id = root_id ORDER BY image.path"
        ).fetchall()
    assert rows == [(outer,), (inner,)]


# What happens while a root is walked


class Meanwhile:
    """The progress of a job that does something once, when the walk has listed the root."""

    def __init__(self, do):
        self.do = do

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        pass

    def checkpoint(self) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        do, self.do = self.do, lambda: None
        do()


def test_a_file_that_moved_is_kept_where_a_watcher_s_job_put_it(library, monkeypatch):
    monkeypatch.setattr(scan_listing, "REPORTED_AT_ONCE", 1)
    save(library.photos / "a.png", 1)
    save(library.photos / "m.png", 2)
    library.scan()
    before = library.images()
    old, new = library.photos / "m.png", library.photos / "b.png"
    old.rename(new)
    library.scanner.run(Meanwhile(lambda: library.scan(old, new)), ScanParameters())
    assert library.images() == {"a.png": before["a.png"], "b.png": before["m.png"]}


def test_a_file_that_came_back_is_not_forgotten(library, monkeypatch):
    monkeypatch.setattr(scan_listing, "REPORTED_AT_ONCE", 1)
    save(library.photos / "a.png", 1)
    path = save(library.photos / "m.png", 2)
    library.scan()
    path.unlink()
    library.scanner.run(Meanwhile(lambda: library.scan(save(path, 3))), ScanParameters())
    assert set(library.images()) == {"a.png", "m.png"}


def test_what_changed_a_moment_ago_is_read_and_named_to_be_looked_at_again(library):
    reported = []
    library.scanner.report_fresh_to(reported.extend, 60)
    fresh, old = save(library.photos / "fresh.png", 1), save(library.photos / "old.png", 2)
    os.utime(old, (1e9, 1e9))
    assert library.scan()["read"] == 2
    assert reported == [os.fsencode(fresh)]
    assert library.scan()["read"] == 0
    assert len(reported) == 1


# Any story


def test_any_sequence_of_changes_ends_with_the_index_equal_to_the_disk(library):
    rng = random.Random(5)
    names = [f"{folder}{name}" for folder in ("", "d/", "d/e/") for name in ("a.png", "b.png", "c.jpg")]
    save(library.photos / "anchor.png", 99)
    for story in range(25):
        touched = []
        for _ in range(rng.randint(1, 4)):
            path, other = (library.photos / rng.choice(names) for _ in range(2))
            action = rng.choice(["write", "delete", "move", "copy", "link", "folder"])
            touched += [path, other]
            if action == "write":
                save(path, rng.randint(0, 5))
            elif action == "folder" and (library.photos / "d").exists() and not (library.photos / "moved").exists():
                (library.photos / "d").rename(library.photos / "moved")
                touched += [library.photos / "d", library.photos / "moved"]
            elif action == "folder" and (library.photos / "moved").exists() and not (library.photos / "d").exists():
                (library.photos / "moved").rename(library.photos / "d")
                touched += [library.photos / "d", library.photos / "moved"]
            elif path.exists() and action == "delete":
                path.unlink()
            elif path.exists() and not other.exists():
                other.parent.mkdir(parents=True, exist_ok=True)
                {"move": os.rename, "copy": shutil.copyfile, "link": os.link}.get(action, shutil.copy)(path, other)
        library.scan(*(touched if story % 3 else ()))
        on_disk = {
            str(path.relative_to(library.photos)): path.read_bytes()
            for path in library.photos.rglob("*")
            if path.is_file()
        }
        images = library.images()
        assert set(images) == set(on_disk), story
        contents: dict[int | None, bytes] = {}
        for name, data in on_disk.items():
            assert contents.setdefault(images[name], data) == data, story
        assert None not in contents
        assert len(set(contents.values())) == len(contents)


def test_what_a_scan_that_is_cut_off_changed_reaches_the_groups_of_the_next(library):
    save(library.photos / "a.png", 1)
    path = save(library.photos / "m.png", 2)
    library.scan()
    library.store.write(matches.clear_stale)
    path.unlink()
    save(library.photos / "z.png", 3)

    class Stopped(Exception):
        pass

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        library.scanner.run(Meanwhile(stop), ScanParameters())
    assert list(library.images()) == ["a.png", "z.png"]
    assert len(library.concerned()) == 2
