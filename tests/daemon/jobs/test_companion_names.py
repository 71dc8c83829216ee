"""The names under which images and their companions arrive and come back, and what happens when these are taken at the
last moment, or the power goes between the two."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from daemon.files import actions
from daemon.jobs.journal import Journal
from daemon.jobs.sort import managed_folders
from index.database.records.batches import Step
from index.database.records.jobs import SortParameters, UndoParameters
from index.model import JobKind
from support.sorting import Desk, Job


class CutOff(BaseException):
    pass


@contextmanager
def before_acting(monkeypatch: pytest.MonkeyPatch, do: Callable[[Step], object]) -> Iterator[None]:
    """Do something right before each step is done: its names are chosen and written down by then."""
    real = actions.perform

    def act(step: Step, *others: Any) -> None:
        do(step)
        real(step, *others)

    with monkeypatch.context() as patch:
        patch.setattr(actions, "perform", act)
        yield


@pytest.fixture
def trips(desk: Desk) -> list[Path]:
    """Two images of one name in two folders, each with a sidecar; both are to be moved."""
    images = []
    for number in (1, 2):
        desk.picture(f"photos/keep/{number}.jpg", number)
        images.append(desk.picture(f"photos/trip{number}/IMG_1.jpg", number, (200, 150), 80))
        images[-1].with_suffix(".xmp").write_text(f"sidecar {number}")
    desk.scan()
    desk.decide(dict.fromkeys(images, "move"))
    return images


def best(desk: Desk) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(desk.best.iterdir())}


def reasons(desk: Desk, batch: int) -> dict[str, str]:
    return {os.path.basename(os.fsdecode(step.path)): step.reason for step in desk.steps(batch) if step.reason}


# Moved


def test_two_images_of_one_name_keep_their_sidecars(desk: Desk, trips: list[Path]) -> None:
    before = desk.files()
    images = [path.read_bytes() for path in trips]
    outcome = desk.sort()
    assert best(desk) == {
        "IMG_1.jpg": images[0], "IMG_1.xmp": b"sidecar 1", "IMG_1 (2).jpg": images[1], "IMG_1 (2).xmp": b"sidecar 2",
    }  # fmt: skip
    desk.undo(outcome["batch"])
    assert desk.files() == before


@pytest.mark.parametrize("there", ["IMG_1.xmp", "IMG_1.png", "IMG_1.jpg.xmp"])
def test_an_image_takes_a_name_that_ties_nothing_to_a_file_that_is_there(
    desk: Desk, trips: list[Path], there: str
) -> None:
    (desk.best / there).write_bytes(b"other file")
    trips[0].with_suffix(".xmp").unlink()
    trips[1].unlink()
    desk.sort()
    names = {"IMG_1.jpg" if there == "IMG_1.png" else "IMG_1 (2).jpg", there}
    assert set(best(desk)) == names
    assert best(desk)[there] == b"other file"


def test_a_sidecar_follows_the_name_that_its_image_got_at_the_last_moment(
    desk: Desk, trips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = trips[0].read_bytes()
    trips[1].unlink()

    def take(step: Step) -> None:
        if not (desk.best / "IMG_1.jpg").exists():
            (desk.best / "IMG_1.jpg").write_bytes(b"other file")

    with before_acting(monkeypatch, take):
        outcome = desk.sort()
    assert (outcome["move"], outcome["companions"]) == (1, 1)
    assert best(desk) == {"IMG_1.jpg": b"other file", "IMG_1 (2).jpg": image, "IMG_1 (2).xmp": b"sidecar 1"}


def test_a_sidecar_whose_name_is_taken_at_the_last_moment_stays(
    desk: Desk, trips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trips[1].unlink()
    before = desk.files()

    def take(step: Step) -> None:
        if step.path.endswith(b".xmp"):
            (desk.best / "IMG_1.xmp").write_bytes(b"other file")

    with before_acting(monkeypatch, take):
        outcome = desk.sort()
    assert (outcome["move"], outcome["companions"]) == (1, 0)
    assert reasons(desk, outcome["batch"])["IMG_1.xmp"] == "name_taken"
    assert best(desk)["IMG_1.xmp"] == b"other file"
    assert trips[0].with_suffix(".xmp").read_text() == "sidecar 1"
    (desk.best / "IMG_1.xmp").unlink()
    desk.undo(outcome["batch"])
    assert desk.files() == before


def test_images_that_share_a_sidecar_keep_one_stem(desk: Desk) -> None:
    for number, ending in enumerate(("jpg", "png")):
        desk.picture(f"photos/keep/{ending}.png", number)
        desk.picture(f"photos/d/IMG_1.{ending}", number, (200, 150), 80)
    (desk.photos / "d" / "IMG_1.xmp").write_text("of both")
    (desk.photos / "d" / "IMG_1.png.xmp").write_text("of the png")
    (desk.best / "IMG_1.png").write_bytes(b"other file")
    desk.scan()
    before = desk.files()
    desk.decide({desk.photos / "d" / f"IMG_1.{ending}": "move" for ending in ("jpg", "png")})
    outcome = desk.sort()
    assert set(best(desk)) == {"IMG_1.png"} | {f"IMG_1 (2).{one}" for one in ("jpg", "png", "xmp", "png.xmp")}
    desk.undo(outcome["batch"])
    assert desk.files() == before


def test_a_shared_sidecar_follows_the_image_that_is_moved(desk: Desk) -> None:
    for number, ending in enumerate(("jpg", "png")):
        desk.picture(f"photos/keep/{ending}.png", number)
        desk.picture(f"photos/d/IMG_1.{ending}", number, (200, 150), 80)
    (desk.photos / "d" / "IMG_1.xmp").write_text("of both")
    desk.scan()
    before = desk.files()
    desk.decide({desk.photos / "d" / "IMG_1.jpg": "move", desk.photos / "d" / "IMG_1.png": "trash"})
    outcome = desk.sort()
    assert set(best(desk)) == {"IMG_1.jpg", "IMG_1.xmp"}
    desk.undo(outcome["batch"])
    assert desk.files() == before


def test_a_name_that_is_nearly_too_long_leaves_room_for_the_sidecar(desk: Desk) -> None:
    name = "é" * 123 + ".jpg"
    desk.picture("photos/keep/a.jpg")
    image = desk.picture(f"photos/d/{name}", 1, (200, 150), 80)
    sidecar = image.with_name(name + ".xmp")
    sidecar.write_text("of it")
    (desk.best / name).write_bytes(b"other file")
    desk.scan()
    desk.decide({image: "move"})
    outcome = desk.sort()
    assert (outcome["move"], outcome["companions"]) == (1, 1)
    (moved,) = {path.name for path in desk.best.iterdir()} - {name} - {path.name for path in desk.best.glob("*.xmp")}
    assert (desk.best / (moved + ".xmp")).read_text() == "of it"


def test_another_name_of_an_image_keeps_its_own_name_and_companions(desk: Desk) -> None:
    desk.picture("photos/keep/k.jpg")
    image = desk.picture("photos/d/a.jpg", 1, (200, 150), 80)
    (desk.photos / "e").mkdir()
    other = desk.photos / "e" / "holiday.jpg"
    other.hardlink_to(image)
    other.with_suffix(".xmp").write_text("of the holiday")
    (desk.best / "holiday.jpg").write_bytes(b"other file")
    desk.scan()
    before = desk.files()
    desk.decide({image: "move"})
    outcome = desk.sort()
    assert set(best(desk)) == {"a.jpg", "holiday.jpg", "holiday (2).jpg", "holiday (2).xmp"}
    desk.undo(outcome["batch"])
    assert desk.files() == before


# Cut off


@pytest.mark.parametrize("number", range(8))
def test_names_match_also_where_the_power_went(
    desk: Desk, trips: list[Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The image's name is taken at the last moment, so that it gets another one than was written down at first."""
    trips[1].unlink()
    before = desk.files()
    image = trips[0].read_bytes()
    count = iter(range(100))

    def meddle(step: Step) -> None:
        if not (desk.best / "IMG_1.jpg").exists():
            (desk.best / "IMG_1.jpg").write_bytes(b"other file")

    real = Journal._commit

    def keep(journal: Journal, steps: Any) -> None:
        if next(count) >= number:
            raise CutOff
        real(journal, steps)
        if next(count) >= number:
            raise CutOff

    job = Job(desk.store)
    with before_acting(monkeypatch, meddle), monkeypatch.context() as patch:
        patch.setattr(Journal, "_commit", keep)
        with suppress(CutOff):
            desk.sorter.run(job, SortParameters())  # type: ignore[arg-type]
    outcome = desk.sorter.run(job, SortParameters())  # type: ignore[arg-type]
    files = best(desk)
    assert {*files.values()} - {b"other file"} == {image, b"sidecar 1"}
    stem = next(name for name, data in files.items() if data == image)[:-4]
    assert files[stem + ".xmp"] == b"sidecar 1"
    desk.undo(outcome["batch"])
    assert {name: data for name, data in desk.files().items() if not name.startswith("best/")} == before


@pytest.mark.parametrize("number", range(4))
def test_what_comes_back_matches_also_where_the_power_went(
    desk: Desk, trips: list[Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    image = trips[0].read_bytes()
    trips[1].unlink()
    batch = desk.sort()["batch"]
    trips[0].write_bytes(b"newer")
    count = iter(range(100))
    real = Journal._commit

    def keep(journal: Journal, steps: Any) -> None:
        if next(count) >= number:
            raise CutOff
        real(journal, steps)
        if next(count) >= number:
            raise CutOff

    job = Job(desk.store, JobKind.UNDO)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_commit", keep)
        with suppress(CutOff):
            desk.undoer.undo(job, UndoParameters(batch=batch))
    desk.undoer.undo(job, UndoParameters(batch=batch))
    assert {path.name: path.read_bytes() for path in trips[0].parent.iterdir()} == {
        "IMG_1.jpg": b"newer", "IMG_1 (2).jpg": image, "IMG_1 (2).xmp": b"sidecar 1",
    }  # fmt: skip


def test_a_cancelled_job_leaves_no_sidecar_of_an_image_that_went(desk: Desk, trips: list[Path]) -> None:
    class Cancelling(Job):
        def checkpoint(self) -> None:
            if not trips[0].exists():
                raise CutOff

    with pytest.raises(CutOff):
        desk.sorter.run(Cancelling(desk.store), SortParameters())  # type: ignore[arg-type]
    assert set(best(desk)) == {"IMG_1.jpg", "IMG_1.xmp"}
    assert trips[1].exists()
    assert trips[1].with_suffix(".xmp").exists()
    Journal(desk.store, managed_folders(desk.store, desk.destinations.values())).recover()
    assert set(best(desk)) == {"IMG_1.jpg", "IMG_1.xmp"}


# Back again


@pytest.fixture
def gone(desk: Desk, pair: tuple[Path, Path]) -> tuple[Path, int]:
    """An image that went to the trash with its sidecars and a film; where it was, and the batch."""
    kept, copy = pair
    for path in (kept, copy):
        path.with_suffix(".mov").write_bytes(b"film")
    copy.with_suffix(".xmp").write_text("stem")
    copy.with_name("a.jpg.xmp").write_text("whole")
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"]) == (1, 3)
    return copy, outcome["batch"]


def beside(image: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(image.parent.iterdir())}


@pytest.mark.parametrize("newer", ["a.jpg", "a.xmp", "a.jpg.xmp", "a.mov"])
def test_what_comes_back_beside_something_newer_keeps_its_companions(
    desk: Desk, gone: tuple[Path, int], newer: str
) -> None:
    image, batch = gone
    image.with_name(newer).write_bytes(b"newer")
    desk.undo(batch)
    files = beside(image)
    assert set(files) == {newer} | {f"a (restored).{ending}" for ending in ("jpg", "xmp", "jpg.xmp", "mov")}
    assert (files[newer], files["a (restored).xmp"], files["a (restored).mov"]) == (b"newer", b"stem", b"film")


def test_a_companion_takes_the_name_that_its_image_got_at_the_last_moment_of_an_undo(
    desk: Desk, gone: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, batch = gone

    def take(step: Step) -> None:
        if not image.exists():
            image.write_bytes(b"newer")

    with before_acting(monkeypatch, take):
        desk.undo(batch)
    assert set(beside(image)) == {"a.jpg"} | {f"a (restored).{ending}" for ending in ("jpg", "xmp", "jpg.xmp", "mov")}


def test_a_companion_whose_name_is_taken_at_the_last_moment_stays_in_the_trash(
    desk: Desk, gone: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, batch = gone

    def take(step: Step) -> None:
        if step.path.endswith(b"/a.xmp"):
            image.with_suffix(".xmp").write_bytes(b"newer")

    with before_acting(monkeypatch, take):
        outcome = desk.undo(batch)
    assert outcome["refused"] == {"name_taken": 1}
    assert set(beside(image)) == {"a.jpg", "a.jpg.xmp", "a.mov", "a.xmp"}
    assert image.with_suffix(".xmp").read_bytes() == b"newer"
    (item,) = desk.in_trash()
    desk.undo(items=[item.id])
    assert beside(image)["a (restored).xmp"] == b"stem"


def test_one_step_and_one_item_bring_the_companions_along(desk: Desk, gone: tuple[Path, int]) -> None:
    image, batch = gone
    desk.undo(batch, steps=[desk.steps(batch)[0].id])
    assert set(beside(image)) == {"a.jpg", "a.jpg.xmp", "a.mov", "a.xmp"}
    desk.decide({image: "trash"})
    desk.sort()
    (item,) = (row for row in desk.in_trash() if row.path == bytes(image))
    outcome = desk.undo(items=[item.id])
    assert outcome["restored"] == 4
    assert set(beside(image)) == {"a.jpg", "a.jpg.xmp", "a.mov", "a.xmp"}


def test_an_image_brings_back_what_it_shared_with_another(desk: Desk) -> None:
    for number, ending in enumerate(("jpg", "png")):
        desk.picture(f"photos/keep/{ending}.png", number)
        desk.picture(f"photos/d/IMG_1.{ending}", number, (200, 150), 80)
    folder = desk.photos / "d"
    (folder / "IMG_1.xmp").write_text("of both")
    desk.scan()
    desk.decide({folder / "IMG_1.jpg": "trash", folder / "IMG_1.png": "trash"})
    batch = desk.sort()["batch"]
    assert list(folder.iterdir()) == []
    (step,) = (row for row in desk.steps(batch) if row.path.endswith(b".jpg"))
    desk.undo(batch, steps=[step.id])
    assert {path.name for path in folder.iterdir()} == {"IMG_1.jpg", "IMG_1.xmp"}
    desk.undo(batch)
    assert {path.name for path in folder.iterdir()} == {"IMG_1.jpg", "IMG_1.png", "IMG_1.xmp"}


@pytest.mark.parametrize("image_first", [True, False])
def test_a_companion_alone_is_not_given_to_a_newer_image(desk: Desk, gone: tuple[Path, int], image_first: bool) -> None:
    image, batch = gone
    image.write_bytes(b"newer")
    items = {os.path.basename(item.path): item.id for item in desk.in_trash()}
    if image_first:  # as a release that did not bring the companions along
        (step,) = (row for row in desk.steps(batch) if row.path == bytes(image))
        desk.store.write(lambda db: db.execute_sql("UPDATE step SET companion_of_id = NULL WHERE action = 'trash'"))
        desk.undo(batch, steps=[step.id])
        desk.store.write(
            lambda db: db.execute_sql(
                "UPDATE step SET companion_of_id = ? WHERE action = 'trash' AND id != ?", (step.id, step.id)
            )
        )
    desk.undo(items=[items[b"a.xmp"]])
    assert beside(image)["a (restored).xmp"] == b"stem"
    assert not image.with_suffix(".xmp").exists()


def test_a_companion_comes_back_to_its_place_where_the_image_was_brought_back_by_hand(
    desk: Desk, gone: tuple[Path, int]
) -> None:
    image, batch = gone
    (item,) = (row for row in desk.in_trash() if row.path == bytes(image))
    Path(os.fsdecode(item.place)).rename(image)
    outcome = desk.undo(batch)
    assert outcome["refused"] == {"gone": 1}
    assert set(beside(image)) == {"a.jpg", "a.jpg.xmp", "a.mov", "a.xmp"}


def test_without_the_index_images_and_companions_come_back_together(desk: Desk, gone: tuple[Path, int]) -> None:
    image, _ = gone
    image.write_bytes(b"newer")
    desk.store.write(lambda db: db.execute_sql("DELETE FROM trash_item"))
    Journal(desk.store, managed_folders(desk.store, desk.destinations.values())).recover()
    desk.undo(items=[item.id for item in desk.in_trash()])
    assert set(beside(image)) == {"a.jpg"} | {f"a (restored).{ending}" for ending in ("jpg", "xmp", "jpg.xmp", "mov")}


def test_a_sidecar_that_was_saved_again_at_the_destination_comes_back(desk: Desk, trips: list[Path]) -> None:
    batch = desk.sort()["batch"]
    edited = desk.best / "IMG_1.new"
    edited.write_text("edited")
    edited.rename(desk.best / "IMG_1.xmp")
    desk.undo(batch)
    assert trips[0].with_suffix(".xmp").read_text() == "edited"
    assert best(desk) == {}
