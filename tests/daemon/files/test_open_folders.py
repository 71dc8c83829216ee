"""Files examined through folders that stay open: the same as one at a time, and no link is followed."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.files import open_folders, safe_files
from daemon.files.open_folders import OpenFolders
from daemon.files.safe_files import FileRef


@pytest.fixture
def opened() -> Iterator[OpenFolders]:
    folders = OpenFolders()
    yield folders
    folders.close()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_each_file_is_found_as_it_is_alone(tmp_path: Path, opened: OpenFolders) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/one.jpg").write_bytes(b"1")
    (tmp_path / "a/two.jpg").write_bytes(b"22")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/three.jpg").touch()
    (tmp_path / "a/way").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a/link.jpg").symlink_to(tmp_path / "a/two.jpg")
    names = [
        "a/b/one.jpg",
        "a/two.jpg",
        "a/way/three.jpg",
        "a/way",
        "a/link.jpg",
        "a/none.jpg",
        "a/two.jpg/x",
        "n/x.jpg",
    ]
    for name in names * 2:
        file_ref = FileRef(bytes(tmp_path), bytes(tmp_path / name))
        assert opened.identity_at(file_ref) == safe_files.identity_at(file_ref), name
    assert sorted(opened.names_in(bytes(tmp_path), bytes(tmp_path / "a"))) == [b"b", b"link.jpg", b"two.jpg", b"way"]


def test_only_a_regular_file_is_opened_and_no_link(tmp_path: Path, opened: OpenFolders) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"bytes")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    assert opened.status_of(FileRef(bytes(tmp_path), bytes(tmp_path / "a.jpg"))) == (tmp_path / "a.jpg").stat()
    for name, code in {"folder": errno.EINVAL, "link.jpg": errno.ELOOP, "none.jpg": errno.ENOENT}.items():
        with pytest.raises(OSError, match=rf"Errno {code}\b"):
            opened.status_of(FileRef(bytes(tmp_path), bytes(tmp_path / name)))


def test_a_managed_folder_that_is_missing_is_an_error(tmp_path: Path, opened: OpenFolders) -> None:
    with pytest.raises(FileNotFoundError):
        opened.identity_at(FileRef(bytes(tmp_path / "gone"), bytes(tmp_path / "gone/a.jpg")))


def test_few_folders_are_open_at_a_time_and_none_at_the_end(tmp_path: Path, opened: OpenFolders) -> None:
    before = open_files()
    deep = tmp_path.joinpath(*["d"] * 100)
    deep.mkdir(parents=True)
    for number in range(100):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.jpg").touch()
        assert opened.identity_at(FileRef(bytes(tmp_path), bytes(tmp_path / str(number) / "a.jpg"))) is not None
    (deep / "a.jpg").touch()
    assert opened.identity_at(FileRef(bytes(tmp_path), bytes(deep / "a.jpg"))) is not None
    assert open_files() <= before + open_folders.MOST_OPEN
    opened.close()
    assert open_files() == before
