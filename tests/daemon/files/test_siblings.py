"""What a folder holds around a name, on real folders."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.files.safe_files import FileRef
from daemon.files.siblings import Folder, case_fold_of, is_picture, names_beside, remaining_owners
from index.imaging.discovery.companions import case_blind, exact
from support.faults import can_mount
from support.pictures import photograph, save


def spot(path: Path) -> FileRef:
    return FileRef(bytes(path.parent), bytes(path))


@pytest.fixture
def blind_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is blind to case: of the kernel's own memory disk, where that can be one."""
    point = tmp_path / "disk"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "casefold", "tmpfs", str(point)]
    if not can_mount() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no disk here can be blind to case")
    try:
        folder = point / "folder"
        folder.mkdir()
        subprocess.run(["chattr", "+F", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def test_a_disk_that_is_not_blind_to_case(tmp_path: Path) -> None:
    for name in ("1.jpg", "a.xmp", "A.jpg"):
        (tmp_path / name).touch()
    names = names_beside(spot(tmp_path / "a.xmp"))
    assert case_fold_of(spot(tmp_path / "a.xmp"), names) is exact
    assert remaining_owners(spot(tmp_path / "a.xmp")) == []


def test_a_disk_that_is_blind_to_case(blind_disk: Path) -> None:
    for name in ("a.xmp", "A.jpg"):
        (blind_disk / name).touch()
    assert case_fold_of(spot(blind_disk / "a.xmp"), names_beside(spot(blind_disk / "a.xmp"))) is case_blind
    assert remaining_owners(spot(blind_disk / "a.xmp")) == [b"A.jpg"]
    assert Folder.of(spot(blind_disk / "a.xmp")).related(b"a.jpg") == [b"A.jpg", b"a.xmp"]


def test_names_around_a_name(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.xmp", "a.jpg.xmp", "a.jpg.xmp.xmp", "ab.jpg", "a"):
        (tmp_path / name).touch()
    folder = Folder.of(spot(tmp_path / "a.jpg"))
    assert folder.related(b"a.jpg") == [b"a", b"a.jpg", b"a.jpg.xmp", b"a.xmp"]
    assert folder.related(b"a.jpg.xmp") == [b"a", b"a.jpg", b"a.jpg.xmp", b"a.jpg.xmp.xmp", b"a.xmp"]


def test_an_image_is_known_by_its_name_or_its_first_bytes(tmp_path: Path) -> None:
    image = save(photograph(1, 32, 24), tmp_path / "a.jpg").read_bytes()
    for name in ("a", "a.001", "a.txt"):
        (tmp_path / name).write_bytes(image)
    for name in ("b.001", "a.cr2", "a.xmp"):
        (tmp_path / name).write_bytes(b"text")
    (tmp_path / "a.002").symlink_to(tmp_path / "a.jpg")
    assert {path.name for path in tmp_path.iterdir() if is_picture(spot(path))} == {"a.jpg", "a", "a.001", "a.cr2"}
    assert remaining_owners(spot(tmp_path / "a.xmp")) == [b"a", b"a.001", b"a.cr2", b"a.jpg"]
