"""A library that grows past a power of two: a lower tolerance, everything detected again, the same as from zero."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs import tolerance_choice
from index.database.records import matches
from index.errors import UsageError
from index.imaging.candidates import tolerance_budget
from index.model import Depth, DetectParameters
from support.detections import Detections
from support.library import Library
from support.pictures import photograph, save

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

# In these few pictures a power of two from 2 on counts, and no wrong pair is affordable: the least tolerance is chosen.
SMALL = dataclasses.replace(tolerance_budget.BUDGET, least_power=2, wrong_a_picture=-1.0)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setattr(tolerance_budget, "BUDGET", SMALL)
    powers: list[int] = []
    choose = tolerance_choice.affordable_tolerance

    def counting(distances: Any, power: int, hsize: int) -> int:
        powers.append(power)
        return choose(distances, power, hsize)

    monkeypatch.setattr(tolerance_choice, "affordable_tolerance", counting)
    return powers


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Five photographs, the first three of which have a small copy."""
    folder = tmp_path / "made"
    folder.mkdir()
    made = []
    for number in range(1, 6):
        picture = photograph(number)
        made.append(save(picture, folder / f"{number}.png") or folder / f"{number}.png")
        if number < 4:
            made.append(folder / f"{number} small.jpg")
            save(picture.resize((320, 240)), made[-1], quality=85)
    return [folder / path.name for path in sorted(folder.iterdir())]


def detections_of(library: Library, settings: Callable[[], DetectParameters]) -> Detections:
    made = Detections(library)
    made.detector._settings = settings
    return made


def by_size() -> DetectParameters:
    return DetectParameters(sized_for=0)


def current(detections: Detections) -> DetectParameters:
    with detections.library.store.read() as database:
        detection = matches.current_detection(database)
        assert detection is not None
        return matches.load_parameters(detection.parameters)


def test_growing_past_powers_of_two_gives_what_a_detection_from_zero_gives(
    library: Library, pictures: list[Path], counted: list[int], tmp_path: Path, pool: Any
) -> None:
    growing = detections_of(library, by_size)
    seen = []
    detected = set()
    for place, picture in enumerate(pictures, start=1):
        shutil.copy2(picture, growing.photos / picture.name)
        growing.scan()
        parameters = current(growing)
        seen.append((place, parameters.tolerance, parameters.sized_for))
        with growing.library.store.read() as database:
            detected.add(database.execute_sql("SELECT id FROM detection WHERE current").fetchone()[0])
        (tmp_path / f"zero {place}").mkdir()
        other = Library(tmp_path / f"zero {place}", pool)
        for name in pictures[:place]:
            shutil.copy2(name, other.photos / name.name)
        other.scan()
        zero = detections_of(other, by_size)
        assert zero.detect() == growing.result()
        assert current(zero) == parameters
        other.store.close()
    assert seen == [(1, 80, 0), (2, 80, 0), (3, 80, 0), *((n, 72, 2) for n in range(4, 8)), (8, 72, 3)]
    # Once from the start, and once when the tolerance changed: the power of 8 gives the same, and nothing is redone.
    assert len(detected) == 2
    assert growing.result()["parameters"]["tolerance_lowered_for"] == 8
    before = len(counted)
    growing.scan()
    assert len(counted) == before


def test_a_tolerance_that_was_given_is_never_lowered(
    library: Library, pictures: list[Path], counted: list[int]
) -> None:
    for picture in pictures:
        shutil.copy2(picture, library.photos / picture.name)
    library.scan()
    given = detections_of(library, lambda: DetectParameters(tolerance=78))
    assert given.detect()["parameters"]["tolerance"] == 78
    assert "tolerance_lowered_for" not in given.result()["parameters"]
    by_job = detections_of(library, by_size)
    assert by_job.detect(tolerance=80)["parameters"]["tolerance"] == 80
    by_job.scan()
    assert current(by_job) == DetectParameters(sized_for=-1, used=current(by_job).used)
    assert counted == []
    assert by_job.detect()["parameters"]["tolerance"] == 72
    assert by_job.detect(hsize=8)["parameters"]["tolerance"] == 18


def test_a_library_that_shrinks_keeps_its_tolerance_until_the_next_full_detection(
    library: Library, pictures: list[Path], counted: list[int]
) -> None:
    detections = detections_of(library, by_size)
    for picture in pictures[:5]:
        shutil.copy2(picture, detections.photos / picture.name)
    detections.scan()
    assert current(detections).tolerance == 72
    for picture in pictures[2:5]:
        (detections.photos / picture.name).unlink()
    detections.scan()
    assert current(detections).tolerance == 72
    assert detections.detect()["parameters"]["tolerance"] == 80


def test_a_search_in_some_folders_has_the_tolerance_of_the_hash_size(
    library: Library, pictures: list[Path], counted: list[int]
) -> None:
    for picture in pictures:
        shutil.copy2(picture, library.photos / picture.name)
    library.scan()
    detections = detections_of(library, by_size)
    detections.detect()
    detections.detect(folders=[str(library.photos)])
    with library.store.read() as database:
        (search,) = matches.searches(database)
        parameters = matches.parameters_of(database, search.id)
    assert (parameters.tolerance, parameters.sized_for) == (80, -1)


def test_a_thorough_detection_of_too_many_pictures_is_refused_with_a_sentence(
    library: Library, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for picture in pictures[:3]:
        shutil.copy2(picture, library.photos / picture.name)
    library.scan()
    detections = Detections(library)
    before = detections.detect()
    monkeypatch.setattr(tolerance_choice, "THOROUGH_AT_MOST", 2)
    with pytest.raises(UsageError, match="limited to 2 images, and there are 3"):
        detections.detect(depth=Depth.THOROUGH)
    assert detections.result() == before
    assert detections.detect()["groups"] == before["groups"]
    monkeypatch.setattr(tolerance_choice, "THOROUGH_AT_MOST", 3)
    assert detections.detect(depth=Depth.THOROUGH)["parameters"]["depth"] == "thorough"
