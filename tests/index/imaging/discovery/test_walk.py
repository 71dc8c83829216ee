"""The walk: every candidate once and in order, nothing excluded, nothing that is only out of reach."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from index.imaging.discovery import walk
from index.imaging.discovery.descent import nearest_existing_folder
from index.imaging.discovery.walk import Exclusions, RootUnavailable, Walk, holds_image, identity_of, is_at_or_below
from index.model import Identity

JPEG = b"\xff\xd8\xff\xe0 and so on"


def put(path: Path | str | bytes, data: bytes = JPEG) -> bytes:
    name = os.fsencode(path)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(data)
    return name


def walked(top: Path, *patterns: bytes, recursive: bool = True, nested: tuple[bytes, ...] = ()) -> Walk:
    root = os.fsencode(top)
    return Walk(root, Exclusions(root, patterns), recursive, nested)


def names(top: Path, *patterns: bytes, **options) -> list[bytes]:
    start = len(os.fsencode(top)) + 1
    return [path[start:] for path, _ in walked(top, *patterns, **options)]


def test_every_candidate_with_its_identity(tmp_path):
    for name in ("a.jpg", "b/c.PNG", "b/d/e", "notes.txt", "film.mp4"):
        put(tmp_path / name)
    identities = dict(walked(tmp_path))
    assert {os.path.relpath(path, os.fsencode(tmp_path)) for path in identities} == {b"a.jpg", b"b/c.PNG", b"b/d/e"}
    assert identities[os.fsencode(tmp_path / "a.jpg")] == Identity.of(os.stat(tmp_path / "a.jpg"))


def test_the_order_is_that_of_the_bytes_of_whole_paths(tmp_path):
    odd = ["a", "a.jpg", "a/b.jpg", "a/z/y.jpg", "a-b/c.jpg", "a0/c.jpg", "B.jpg", "é.jpg", "a b/c.jpg"]
    for name in odd[1:]:
        put(tmp_path / "x" / name)
    put(tmp_path / "x!y.jpg")
    put(tmp_path / "x0.jpg")
    paths = [path for path, _ in walked(tmp_path)]
    assert paths == sorted(paths)
    assert len(paths) == len(odd) + 1


def test_names_of_any_bytes(tmp_path):
    odd = {b"\xff\xfe.jpg", b"new\nline.jpg", "é.jpg".encode(), "e\u0301.jpg".encode(), b"x" * 251 + b".jpg"}
    for name in odd:
        put(os.path.join(os.fsencode(tmp_path), name))
    assert set(names(tmp_path)) == odd


def test_links_pipes_and_sockets_are_passed_over(tmp_path):
    outside = put(tmp_path / "outside" / "a.jpg")
    top = tmp_path / "top"
    put(top / "b.jpg")
    os.symlink(outside, top / "file.jpg")
    os.symlink(tmp_path / "outside", top / "folder")
    os.symlink(top, top / "loop")
    os.symlink("nowhere", top / "dangling.jpg")
    os.mkfifo(top / "pipe.jpg")
    assert names(top) == [b"b.jpg"]


def test_excluded_folders_are_not_gone_into(tmp_path, monkeypatch):
    previews = "Lightroom Catalog Previews.lrdata"
    photos = ("Photos Library.photoslibrary", "iPhoto Library.photolibrary", "Aperture Library.aplibrary")
    for folder in ("@eaDir", "#recycle", ".stversions", ".Trash-1000", "$RECYCLE.BIN", "lost+found", previews, *photos):
        put(tmp_path / folder / "deep" / "a.jpg")
    put(tmp_path / "kept" / "._a.jpg")
    put(tmp_path / "kept" / "a.jpg")
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(walk.os, "scandir", lambda folder: listed.append(os.stat(folder)) or scandir(folder))
    assert names(tmp_path) == [b"kept/a.jpg"]
    assert [status.st_ino for status in listed] == [path.stat().st_ino for path in (tmp_path, tmp_path / "kept")]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        (b"raw", [b"2020/a.jpg", b"2020/raw.jpg", b"2021/old/a.jpg"]),
        (b"*.jpg", []),
        (b"202[01]", [b"raw/a.jpg"]),
        (b"2021/old", [b"2020/a.jpg", b"2020/raw.jpg", b"raw/a.jpg"]),
        (b"2020/*.jpg", [b"2021/old/a.jpg", b"raw/a.jpg"]),
        (b"old/", [b"2020/a.jpg", b"2020/raw.jpg", b"raw/a.jpg"]),
        (b"RAW", [b"2020/a.jpg", b"2020/raw.jpg", b"2021/old/a.jpg", b"raw/a.jpg"]),
    ],
)
def test_a_root_s_own_patterns(tmp_path, pattern, left):
    every = [b"2020/a.jpg", b"2020/raw.jpg", b"2021/old/a.jpg", b"raw/a.jpg"]
    for name in every:
        put(os.path.join(os.fsencode(tmp_path), name))
    assert names(tmp_path, pattern) == left
    exclusions = Exclusions(os.fsencode(tmp_path), [pattern])
    for name in every:
        path = os.path.join(os.fsencode(tmp_path), name)
        assert exclusions.excludes_path(path) == (name not in left)


def test_a_hidden_root_is_not_hidden_from_itself(tmp_path):
    put(tmp_path / ".photos" / "a.jpg")
    assert names(tmp_path / ".photos") == [b"a.jpg"]
    top = os.fsencode(tmp_path / ".photos")
    assert not Exclusions(top).excludes_path(top + b"/a.jpg")
    assert not Exclusions(top).excludes_path(top)


def test_not_recursive_and_nested_roots(tmp_path):
    for name in ("a.jpg", "b/c.jpg", "d/e.jpg"):
        put(tmp_path / name)
    assert names(tmp_path, recursive=False) == [b"a.jpg"]
    assert names(tmp_path, nested=(os.fsencode(tmp_path / "b"),)) == [b"a.jpg", b"d/e.jpg"]


def test_what_cannot_be_listed_is_reported(tmp_path, monkeypatch):
    put(tmp_path / "a.jpg")
    closed = os.path.dirname(put(tmp_path / "closed" / "b.jpg"))
    scandir = os.scandir

    def refusing(folder):
        if os.path.samestat(os.stat(folder), os.stat(closed)):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(walk.os, "scandir", refusing)
    listing = walked(tmp_path)
    assert [os.path.basename(path) for path, _ in listing] == [b"a.jpg"]
    assert {path: str(why) for path, why in listing.unreadable.items()} == {
        closed: "cannot be listed: Permission denied"
    }


def test_a_tree_deeper_than_a_path_may_be_long_is_reported(tmp_path):
    put(tmp_path / "a.jpg")
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
    finally:
        os.chdir(here)
    listing = walked(tmp_path)
    assert [os.path.basename(path) for path, _ in listing] == [b"a.jpg"]
    assert len(listing.unreadable) == 1
    # pytest's own removal knows no way down there.
    subprocess.run(["rm", "-rf", str(tmp_path / ("d" * 250))], check=True)


def test_a_folder_that_vanishes_under_the_walk_is_gone(tmp_path):
    put(tmp_path / "a.jpg")
    put(tmp_path / "b" / "c.jpg")
    listing = walked(tmp_path)
    steps = iter(listing)
    next(steps)
    shutil.rmtree(tmp_path / "b")
    assert list(steps) == []
    assert listing.unreadable == {}


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_root_that_is_no_folder(tmp_path, kind):
    if kind == "file":
        put(tmp_path / "root")
    with pytest.raises(RootUnavailable):
        list(walked(tmp_path / "root"))


def test_an_empty_root_is_distinguished_from_one_without_images(tmp_path):
    (tmp_path / "lost+found").mkdir()
    empty = walked(tmp_path)
    assert list(empty) == []
    assert empty.is_empty
    put(tmp_path / "notes.txt")
    other = walked(tmp_path)
    assert list(other) == []
    assert not other.is_empty


def test_where_another_file_system_begins(tmp_path):
    here = os.stat(tmp_path).st_dev
    listing, top = walked(tmp_path), os.fsencode(tmp_path)
    list(listing)
    assert listing.mounts == {os.fsencode(tmp_path): here}
    below = tmp_path / "usb"
    below.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(below)], capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        put(below / "a.jpg")
        listing = walked(tmp_path)
        assert len(list(listing)) == 1
        assert listing.mounts == {os.fsencode(tmp_path): here, os.fsencode(below): os.stat(below).st_dev}
        assert nearest_existing_folder(top, put(below / "b" / "c.jpg")) == (
            os.fsencode(below / "b"),
            os.stat(below).st_dev,
        )
        assert nearest_existing_folder(top, os.fsencode(below / "gone" / "b.jpg")) == (
            os.fsencode(below),
            os.stat(below).st_dev,
        )
    finally:
        subprocess.run(["umount", str(below)], check=True)
    assert nearest_existing_folder(top, os.fsencode(below / "a.jpg")) == (os.fsencode(below), here)


def test_a_root_that_is_a_link_is_the_folder_it_leads_to(tmp_path):
    put(tmp_path / "real" / "a" / "b.jpg")
    link = tmp_path / "link"
    link.symlink_to("real")
    assert names(link) == [b"a/b.jpg"]
    top = os.fsencode(link)
    assert nearest_existing_folder(top, top + b"/gone/b.jpg") == (top, os.stat(link).st_dev)


def test_a_look_at_one_path(tmp_path):
    path = put(tmp_path / "a.jpg")
    assert identity_of(path) == Identity.of(os.stat(path))
    os.symlink(path, tmp_path / "link.jpg")
    for other in (tmp_path, tmp_path / "link.jpg", tmp_path / "none", tmp_path / "a.jpg" / "below"):
        assert identity_of(os.fsencode(other)) is None


def test_the_first_bytes_decide_where_the_name_does_not(tmp_path):
    top = os.fsencode(tmp_path)
    assert holds_image(top, put(tmp_path / "picture", JPEG))
    assert not holds_image(top, put(tmp_path / "README", b"read this"))
    assert holds_image(top, put(tmp_path / "broken.jpg", b"read this"))
    assert not holds_image(top, os.fsencode(tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe")
    assert not holds_image(top, os.fsencode(tmp_path / "pipe"))


def test_the_root_of_all_folders_is_one_too() -> None:
    assert is_at_or_below(b"/a", b"/")
    assert is_at_or_below(b"/", b"/")
    assert is_at_or_below(b"/a/b", b"/a")
    assert not is_at_or_below(b"/ab", b"/a")
    everything = Exclusions(b"/", (b"proc", b"sys"))
    assert everything.excludes_path(b"/proc/1/fd")
    assert everything.excludes_path(b"/home/.hidden/a.jpg")
    assert not everything.excludes_path(b"/home/ann/a.jpg")


def test_trashes_of_ours_are_passed_over_and_reported(tmp_path: Path) -> None:
    for name in (".comparimg-trash/b", "a/b/.comparimg-trash", ".hidden/.comparimg-trash"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".comparimg-trash" / "b" / "1-x.jpg").write_bytes(b"x")
    (tmp_path / "a" / ".comparimg-trash").symlink_to(tmp_path)
    listing = walked(tmp_path)
    assert list(listing) == []
    top = os.fsencode(tmp_path)
    assert sorted(listing.trashes) == [top + b"/.comparimg-trash", top + b"/a/b/.comparimg-trash"]
