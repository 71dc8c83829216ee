"""What could not be read under other decoders is read again, and matched; what a name leaves out is counted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.jobs.progress import NullProgress
from index.database.queries import listing
from index.database.records import decoder_set
from index.imaging.decoding import decoders
from support.detections import Detections
from support.file_kinds import heic
from support.inline_pool import InlinePool
from support.library import Library
from support.pictures import photograph, save


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Its decoders are those of this process, so that a test can take one away."""
    made = Library(tmp_path, InlinePool(1, None))  # type: ignore[arg-type]
    yield made
    made.store.close()


def reread(library: Library, decoders: str) -> int:
    return library.store.write(lambda db: decoder_set.reread_failures(db, decoders))


def test_a_heic_is_read_and_matched_once_its_decoder_is_there(library: Library, monkeypatch: pytest.MonkeyPatch):
    (library.photos / "a.heic").write_bytes(heic(photograph(1)))
    (library.photos / "copy.heic").write_bytes(heic(photograph(1)))
    save(photograph(1), library.photos / "b.jpg", quality=92)
    save(photograph(2), library.photos / "c.jpg")
    detections = Detections(library)
    reread(library, "pillow 13")
    with monkeypatch.context() as without:
        without.setattr(decoders, "formats", lambda: decoders.FORMATS)
        library.scan()
        detections.detect()
    assert library.problems() == {"a.heic": "no_decoder", "copy.heic": "no_decoder"}
    assert all(not {"b.jpg", "c.jpg"} & set(group) for group in detections.groups())
    assert reread(library, "pillow 13") == 0
    assert library.scan()["read"] == 0

    assert reread(library, "pillow 13, pi-heif-decoder 1") == 2
    assert library.scan()["files"] == 4
    detections.detector.update(NullProgress())
    assert library.problems() == {}
    (group,) = detections.groups()
    assert set(group) == {"a.heic", "copy.heic", "b.jpg"}


def test_what_failed_and_fails_again_has_its_new_reason(library: Library, monkeypatch: pytest.MonkeyPatch):
    (library.photos / "a.heic").write_bytes(heic(photograph(1))[:-10])
    with monkeypatch.context() as without:
        without.setattr(decoders, "formats", lambda: decoders.FORMATS)
        library.scan()
    reread(library, "other")
    library.scan()
    assert library.problems() == {"a.heic": "truncated"}


def test_a_reading_that_crashed_has_more_tries_under_other_decoders(library: Library):
    for crashes in (1, 3):
        library.store.write(
            lambda db, crashes=crashes: db.execute_sql(
                "INSERT INTO quarantine (work, item, version, started, crashes) VALUES ('read', ?, '', 0, ?)",
                (b"%d" % crashes, crashes),
            )
        )
    reread(library, "new")
    with library.store.read() as database:
        assert database.execute_sql("SELECT DISTINCT crashes FROM quarantine").fetchall() == [(1,)]


def test_what_a_name_leaves_out_is_counted_by_kind_and_ending(library: Library):
    save(photograph(1), library.photos / "a.jpg")
    for name in ("a.MOV", "b.mov", "a.xcf", "a.xmp", "letter.txt", ".hidden.mov", "clip.mp4"):
        (library.photos / name).write_bytes(b"x")
    os.mkdir(library.photos / "folder.mov")
    os.symlink("a.MOV", library.photos / "link.mov")
    library.scan()
    with library.store.read() as database:
        (row,) = listing.roots(database)
    assert row.skipped == {"mov": 2, "mp4": 1, "txt": 1, "xcf": 1, "xmp": 1}
    detections = Detections(library)
    detections.detect()
    assert detections.result()["skipped"] == {
        "picture": {"xcf": 1}, "film": {"mov": 2, "mp4": 1}, "sidecar": {"xmp": 1}, "other": {"txt": 1},
    }  # fmt: skip
