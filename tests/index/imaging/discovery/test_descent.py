"""Files below a watched folder are opened by real folders only."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from index.errors import PictureError
from index.imaging.decoding import pictures
from index.imaging.discovery import descent
from index.imaging.discovery.walk import Exclusions, Walk, holds_image


def is_refused(look: Callable[..., object], *places: bytes) -> bool:
    try:
        look(*places)
    except OSError:
        return True
    return False


@pytest.fixture
def top(tmp_path: Path) -> bytes:
    """/top with real/a.jpg, and links to a folder next to it, to one inside it, and to a file outside."""
    for place in ("top/real", "outside/deep"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.jpg").write_bytes(b"\xff\xd8\xff" + place.encode())
    for name in ("outside/b.jpg", "outside/deep/picture"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff")
    (tmp_path / "top/out").symlink_to(tmp_path / "outside")
    (tmp_path / "top/in").symlink_to("real")
    (tmp_path / "top/b.jpg").symlink_to(tmp_path / "outside/b.jpg")
    return bytes(tmp_path / "top")


def test_a_file_by_real_folders(top: bytes) -> None:
    for path in (top + b"/real/a.jpg", top + b"/./real//a.jpg"):
        descriptor = descent.open_file(top, path)
        assert os.read(descriptor, 20).endswith(b"top/real")
        os.close(descriptor)
    assert descent.status(top, top + b"/real/a.jpg") == os.stat(top + b"/real/a.jpg")
    assert descent.nearest_existing_folder(top, top + b"/real/a.jpg")[0] == top + b"/real"


@pytest.mark.parametrize(
    "name",
    [
        b"/out/b.jpg", b"/out/deep/a.jpg", b"/in/a.jpg", b"/b.jpg", b"/../outside/b.jpg", b"/real/../../outside/b.jpg",
        b"/out/../real/a.jpg", b"/real", b"", b"/none",
    ],
)  # fmt: skip
def test_what_is_behind_a_link_or_no_file_is_not_opened(top: bytes, name: bytes) -> None:
    assert is_refused(descent.open_file, top, top + name)
    with pytest.raises(PictureError) as refused:
        pictures.read(top + name, top=top)
    assert refused.value.reason == "unreadable"


def test_a_path_elsewhere_is_not_opened(top: bytes) -> None:
    for path in (os.path.dirname(top) + b"/outside/b.jpg", top + b"side/a.jpg", b"/etc/passwd"):
        assert is_refused(descent.open_file, top, path)
        assert is_refused(descent.status, top, path)


def test_nothing_behind_a_link_is_looked_at(top: bytes) -> None:
    assert not holds_image(top, top + b"/out/deep/picture")
    assert descent.nearest_existing_folder(top, top + b"/out/deep/a.jpg")[0] == top
    assert is_refused(descent.status, top, top + b"/out/b.jpg")
    assert is_refused(descent.open_folder, top, top + b"/out")


def test_who_is_behind_a_link(top: bytes) -> None:
    is_behind_link = descent.link_finder(top)
    assert is_behind_link(top + b"/out/b.jpg")
    assert is_behind_link(top + b"/out/deep/gone/a.jpg")
    assert is_behind_link(top + b"/in/a.jpg")
    for name in (b"/real/a.jpg", b"/b.jpg", b"/none/a.jpg", b"/real/none/a.jpg"):
        assert not is_behind_link(top + name)


def test_the_watched_folder_itself_may_be_a_link(top: bytes, tmp_path: Path) -> None:
    way = tmp_path / "way"
    way.symlink_to(tmp_path / "top" / "out")
    root = bytes(way)
    assert pictures.read(root + b"/b.jpg", top=root)[0] == b"\xff\xd8\xff"
    paths = [path for path, _ in Walk(root, Exclusions(root))]
    assert paths == [root + b"/b.jpg", root + b"/deep/a.jpg", root + b"/deep/picture"]


def test_a_folder_exchanged_for_a_link_during_a_walk_is_not_gone_into(top: bytes, tmp_path: Path) -> None:
    (tmp_path / "top/zoo").mkdir()
    (tmp_path / "top/zoo/a.jpg").write_bytes(b"\xff\xd8\xff")
    paths = []
    for path, _ in Walk(top, Exclusions(top)):
        paths.append(path)
        if path.endswith(b"/real/a.jpg"):  # the listing of the folder above is held already
            (tmp_path / "top/zoo").rename(tmp_path / "moved")
            (tmp_path / "top/zoo").symlink_to(tmp_path / "outside")
    assert paths == [top + b"/real/a.jpg"]


def test_a_walk_of_a_folder_below_the_root_goes_by_real_folders(top: bytes) -> None:
    for name in (b"/out", b"/out/deep", b"/in"):
        walk = Walk(top + name, Exclusions(top), root=top)
        with pytest.raises(Exception, match="cannot be listed"):
            list(walk)


def test_a_folder_on_the_way_need_not_be_readable(top: bytes, tmp_path: Path) -> None:
    (tmp_path / "top/real").chmod(0o100)
    try:
        os.close(descent.open_file(top, top + b"/real/a.jpg"))
    finally:
        (tmp_path / "top/real").chmod(0o700)
