"""What images that go say is united in the sidecar of the one that is kept, and nothing is lost on the way."""

import os
from pathlib import Path
from typing import Any

import pytest

from daemon.files import actions, safe_files
from daemon.jobs import step_chunks
from index.database.records.batches import Action, Step
from index.database.records.jobs import SortParameters
from index.imaging.decoding.xmp_properties import read_xmp
from index.model import Description
from support.file_kinds import raw
from support.sorting import Desk, job_context
from support.xmp import packet


class Crash(BaseException):
    pass


@pytest.fixture
def three(desk: Desk) -> tuple[Path, Path, Path]:
    """A picture to keep, and two smaller ones to go, each with a sidecar; what the first says, it says alone."""
    kept = desk.picture("photos/large.png", 1, (640, 480))
    first, second = desk.picture("photos/a/a.jpg", 1), desk.picture("photos/b.jpg", 1, quality=80)
    first.with_name("a.jpg.xmp").write_bytes(
        packet('xmp:Rating="4"', "<dc:subject><rdf:Bag><rdf:li>Tom</rdf:li></rdf:Bag></dc:subject>")
    )
    second.with_name("b.jpg.json").write_bytes(
        b'{"photoTakenTime": {"timestamp": "1563093062"}, "geoData": {"latitude": 47.5, "longitude": 8.25}}'
    )
    second.with_name("b.xmp").write_bytes(
        packet('xmp:Label="Red"', "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>")
    )
    desk.scan()
    assert len(desk.groups()) == 1
    desk.carries_metadata = True
    desk.decide({kept: "keep", first: "trash", second: "trash"})
    return kept, first, second


def said(path: Path) -> Description:
    return read_xmp(path.read_bytes())


def at_rest(desk: Desk) -> dict[str, bytes]:
    return {name: data for name, data in desk.files().items() if ".comparimg-trash" not in name}


def is_united(description: Description) -> bool:
    return (description.rating, description.label, set(description.keywords), description.place, description.taken) == (
        4, "Red", {"Tom", "sea"}, (47.5, 8.25), "2019-07-14T08:31:02",
    )  # fmt: skip


def test_one_new_sidecar_says_what_all_of_them_said(desk: Desk, three: tuple[Path, Path, Path]) -> None:
    before = at_rest(desk)
    outcome = desk.sort()
    assert (outcome["trash"], outcome["refused"]) == (2, {})
    assert set(at_rest(desk)) == {"photos/large.png", "photos/large.png.xmp"}
    assert is_united(said(three[0].with_name("large.png.xmp")))
    assert at_rest(desk)["photos/large.png"] == before["photos/large.png"]
    desk.undo(outcome["batch"])
    assert at_rest(desk) == before


def test_a_sidecar_that_is_there_is_replaced_and_comes_back(desk: Desk, three: tuple[Path, Path, Path]) -> None:
    own = three[0].with_suffix(".xmp")
    own.write_bytes(packet('xmp:Rating="2" darktable:history="gz04eJx"'))
    before = at_rest(desk)
    outcome = desk.sort()
    assert set(at_rest(desk)) == {"photos/large.png", "photos/large.xmp"}
    assert b'darktable:history="gz04eJx"' in own.read_bytes()
    assert is_united(said(own)) is False, "its own rating stays"
    assert (said(own).rating, set(said(own).keywords), said(own).label) == (2, {"Tom", "sea"}, "Red")
    desk.undo(outcome["batch"])
    assert at_rest(desk) == before


def test_a_sidecar_that_another_image_shares_is_left_alone(desk: Desk, three: tuple[Path, Path, Path]) -> None:
    shared = three[0].with_suffix(".xmp")
    shared.write_bytes(packet('xmp:Rating="2"'))
    desk.picture("photos/large.tif", 9)
    before = shared.read_bytes()
    desk.sort()
    assert shared.read_bytes() == before
    assert said(three[0].with_name("large.png.xmp")).keywords


@pytest.mark.parametrize("name", ["shot.xmp", "shot.nef.xmp"])
def test_the_sidecar_of_a_raw_file_that_is_kept_is_replaced_and_comes_back(desk: Desk, name: str) -> None:
    copy = desk.picture("photos/copy.jpg", 1, (640, 480))
    kept = copy.with_name("shot.nef")
    kept.write_bytes(raw("NEF", copy.read_bytes(), (2400, 1800)))
    copy.with_name("copy.jpg.xmp").write_bytes(packet('xmp:Label="Red" xmp:Rating="4"'))
    own = copy.with_name(name)
    own.write_bytes(packet('xmp:Rating="2"'))
    desk.scan()
    desk.carries_metadata = True
    desk.decide({kept: "keep", copy: "trash"})
    before = at_rest(desk)
    outcome = desk.sort()
    assert set(at_rest(desk)) == {"photos/shot.nef", f"photos/{name}"}
    assert (said(own).rating, said(own).label) == (2, "Red")
    desk.undo(outcome["batch"])
    assert at_rest(desk) == before


def test_the_sidecar_of_a_version_is_not_that_of_the_image(desk: Desk, three: tuple[Path, Path, Path]) -> None:
    version = three[0].with_name("large_01.png.xmp")
    version.write_bytes(packet('xmp:Rating="1" darktable:history="gz04eJx"'))
    before = version.read_bytes()
    desk.sort()
    assert version.read_bytes() == before
    assert said(three[0].with_name("large.png.xmp")).label == "Red"


def test_of_several_ratings_the_highest_counts(desk: Desk, three: tuple[Path, Path, Path]) -> None:
    three[2].with_name("b.xmp").write_bytes(packet('xmp:Rating="5"'))
    three[0].with_name("large.png.xmp").write_bytes(packet('xmp:Rating="0" xmp:Label=""'))
    desk.sort()
    assert said(three[0].with_name("large.png.xmp")).rating == 5


@pytest.mark.parametrize("there_is_one", [False, True])
def test_a_sidecar_that_several_chunks_add_to_comes_back(
    desk: Desk, three: tuple[Path, Path, Path], there_is_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_chunks, "CHUNK_STEPS", 1)
    if there_is_one:
        three[0].with_name("large.png.xmp").write_bytes(packet('xmp:Rating="0"'))
    before = at_rest(desk)
    outcome = desk.sort()
    assert is_united(said(three[0].with_name("large.png.xmp")))
    undone = desk.undo(outcome["batch"])
    assert (undone["refused"], at_rest(desk)) == ({}, before)


@pytest.mark.parametrize("spoil", ["saved", "removed"])
def test_a_sidecar_that_is_saved_at_the_last_moment_stays(
    desk: Desk, three: tuple[Path, Path, Path], spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = three[0].with_suffix(".xmp")
    own.write_bytes(packet('xmp:Rating="2"'))
    real = actions.perform

    def act(step: Step, *others: Any) -> None:
        if step.action is Action.REPLACE and spoil == "saved":
            own.write_bytes(b"saved by another program")
        elif step.action is Action.REPLACE:
            own.unlink()
        real(step, *others)

    monkeypatch.setattr(actions, "perform", act)
    outcome = desk.sort()
    assert outcome["trash"] == 2
    assert own.exists() == (spoil == "saved")
    if spoil == "saved":
        assert own.read_bytes() == b"saved by another program"
    assert [name for name in desk.files() if name.endswith(".part")] == []


def test_where_nothing_can_be_written_the_images_go_with_what_they_say(
    desk: Desk, three: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    before = at_rest(desk)
    monkeypatch.setattr(safe_files, "write_new", full)
    outcome = desk.sort()
    assert (outcome["trash"], outcome["refused"]) == (2, {"sidecar": 1})
    assert set(at_rest(desk)) == {"photos/large.png"}
    desk.undo(outcome["batch"])
    assert at_rest(desk) == before


@pytest.mark.parametrize("there_is_one", [False, True])
@pytest.mark.parametrize("point", ["before", "after"])
def test_after_a_crash_the_sidecar_is_made_of_what_is_in_the_trash(
    desk: Desk, three: tuple[Path, Path, Path], point: str, there_is_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = three[0]
    if there_is_one:
        kept.with_suffix(".xmp").write_bytes(packet('darktable:history="gz04eJx"'))
    before = at_rest(desk)
    real = actions.perform

    def act(step: Step, *others: Any) -> None:
        carries = step.action in (Action.CREATE, Action.REPLACE)
        if carries and point == "before":
            raise Crash
        real(step, *others)
        if carries:
            raise Crash

    monkeypatch.setattr(actions, "perform", act)
    context = job_context(desk)
    with pytest.raises(Crash):
        desk.sorter.run(context, SortParameters())
    monkeypatch.setattr(actions, "perform", real)
    desk.sorter.run(context, SortParameters())
    sidecar = kept.with_suffix(".xmp") if there_is_one else kept.with_name("large.png.xmp")
    assert is_united(said(sidecar))
    assert [name for name in desk.files() if name.endswith(".part")] == []
    with desk.store.read() as database:
        (batch,) = database.execute_sql("SELECT id FROM batch").fetchone()
    desk.undo(batch)
    assert at_rest(desk) == before


def test_a_dry_run_writes_nothing(desk: Desk, three: tuple[Path, Path, Path]) -> None:
    before = desk.files()
    assert desk.sort(dry_run=True)["companions"] == 5
    assert desk.files() == before
