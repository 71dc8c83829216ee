"""A file is read once, decoded unless its bytes are known, and whatever is wrong with it is part of the result."""

import os
from pathlib import Path

import pytest
from PIL import Image

from daemon.processes.decode_task import IndexTask, PictureTask, index_file, make_preview, pixel_digest
from daemon.processes.worker_pool import WorkerPool
from index.errors import PictureError
from index.imaging.candidates.perceptual_hash import SCHEME
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import Limits
from index.model import HSIZES, Identity
from support.pictures import build_tree, photograph, save, unutf8

NOWHERE = Identity(0, 0, 0, 0)


def task(path: Path, *known: bytes) -> IndexTask:
    limits = Limits(max_pixels=1_000_000)
    return IndexTask(os.fsencode(path), os.fsencode(path.parent), NOWHERE, frozenset(known), limits)


def shown(path: Path, target: Path, digest: bytes | None = None) -> PictureTask:
    digest = digest or pictures.digest(path.read_bytes())
    return PictureTask(os.fsencode(path), os.fsencode(path.parent), digest, Limits(), str(target))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(photograph(1, 300, 200), tmp_path / "a.jpg", orientation=6)


def test_a_reading_holds_all_that_the_index_keeps(picture: Path) -> None:
    reading = index_file(task(picture))
    assert reading.identity == Identity.of(picture.stat())
    assert reading.digest == pictures.digest(picture.read_bytes())
    assert reading.facts is not None
    assert (reading.facts.width, reading.facts.height, reading.facts.orientation) == (300, 200, 6)
    assert reading.hashes is not None
    assert reading.hashes.scheme == SCHEME
    assert set(reading.hashes.bits) == set(HSIZES)
    assert sum(map(len, reading.hashes.bits.values())) <= 2048
    assert not reading.failure


def test_known_bytes_are_not_decoded_again(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = pictures.digest(picture.read_bytes())
    monkeypatch.setattr(pictures, "decode", None)
    reading = index_file(task(picture, b"x" * 32, digest))
    assert (reading.digest, reading.facts, reading.hashes, reading.failure) == (digest, None, None, "")


def test_a_file_is_opened_once(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    os_open = os.open
    monkeypatch.setattr(
        pictures.os, "open", lambda path, *rest, **more: opened.append(path) or os_open(path, *rest, **more)
    )
    index_file(task(picture))
    assert opened == [os.fsencode(picture.parent), os.fsencode(picture.name)]


def test_broken_bytes_are_reported_with_their_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"no picture at all")
    reading = index_file(task(path))
    assert (reading.failure, reading.digest) == ("not_an_image", pictures.digest(b"no picture at all"))
    assert reading.message


def test_what_cannot_be_read_keeps_the_identity_that_was_seen(tmp_path: Path) -> None:
    reading = index_file(task(tmp_path / "absent.jpg"))
    assert (reading.failure, reading.digest, reading.identity) == ("unreadable", None, NOWHERE)


def test_a_view_is_written_whole(picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "view.jpg"
    make_preview(shown(picture, target))
    with Image.open(target) as image:
        assert image.size == (300, 200)
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "view.jpg"]


def test_a_view_that_cannot_be_written_leaves_nothing(picture: Path, tmp_path: Path) -> None:
    with pytest.raises(PictureError) as caught:
        make_preview(shown(picture, picture / "view.jpg"))
    assert caught.value.reason == "unwritable"
    assert os.listdir(tmp_path) == ["a.jpg"]


def test_a_file_that_is_no_longer_what_it_was_has_no_view_and_no_pixels(picture: Path, tmp_path: Path) -> None:
    for work in (make_preview, pixel_digest):
        with pytest.raises(PictureError) as caught:
            work(shown(picture, tmp_path / "view.jpg", digest=b"x" * 32))
        assert caught.value.reason == "changed"
    assert os.listdir(tmp_path) == ["a.jpg"]


def test_pixels_are_digested(tmp_path: Path) -> None:
    tree = build_tree(tmp_path, {"a.png": photograph(1, 90, 60), "b.bmp": photograph(1, 90, 60)})
    digests = {pixel_digest(shown(path, tmp_path)) for path in tree.values()}
    assert len(digests) == 1


def test_a_tree_of_good_and_bad_files_goes_through_the_workers(tmp_path: Path, pool: WorkerPool) -> None:
    good = {f"{number}.png": photograph(number, 64, 48) for number in range(20)}
    bad = {"empty.jpg": b"", "text.png": b"words", unutf8("cut.jpg"): b"\xff\xd8\xff\xe0\0\x10JFIF"}
    huge = {"huge.png": Image.new("1", (2000, 2000))}
    tree = build_tree(tmp_path, {**good, **bad, **huge})
    outcomes = list(pool.run(index_file, [task(path) for path in tree.values()]))
    failures = {os.path.basename(outcome.item.path): outcome.value.failure for outcome in outcomes if outcome.value}
    assert len(outcomes) == len(tree)
    assert {name: failure for name, failure in failures.items() if failure} == {
        b"empty.jpg": "empty",
        b"text.png": "not_an_image",
        b"cut\xff.jpg": "truncated",
        b"huge.png": "too_large",
    }
