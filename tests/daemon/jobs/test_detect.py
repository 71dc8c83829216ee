"""Detection: the same groups whatever the order of arrival, and new parameters without one image opened again."""

import os
import random
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance

from daemon.jobs import verify_pairs
from daemon.jobs.progress import NullProgress
from daemon.jobs.scan_roots import ScanRoot
from index.database.queries import listing
from index.database.queries.group_filter import GroupFilter
from index.database.records import content_gc, matches
from index.database.records.images import WatchRoot
from index.database.records.jobs import DetectJobParameters
from index.errors import UsageError
from index.imaging.decoding.jpeg_file import COMMENT, Segment, with_metadata
from index.imaging.decoding.pictures import Limits
from index.imaging.decoding.pixel_digest import pixel_digest
from index.model import Depth, Turn
from support.detections import Detections
from support.library import Library
from support.pictures import photograph, save

# What Pillow does to the reference to make the copy; its rotations are counter-clockwise, ours clockwise.
MADE_BY = {
    Turn.FLIP_HORIZONTAL: Image.Transpose.FLIP_LEFT_RIGHT,
    Turn.FLIP_VERTICAL: Image.Transpose.FLIP_TOP_BOTTOM,
    Turn.ROTATE_180: Image.Transpose.ROTATE_180,
    Turn.TRANSPOSE: Image.Transpose.TRANSPOSE,
    Turn.ROTATE_90: Image.Transpose.ROTATE_270,
    Turn.ROTATE_270: Image.Transpose.ROTATE_90,
    Turn.TRANSVERSE: Image.Transpose.TRANSVERSE,
}


@pytest.fixture
def detections(library: Library) -> Detections:
    return Detections(library)


def exact_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs with altered copies and two pictures that have none, 14 files."""
    folder = tmp_path_factory.mktemp("altered")
    one, two, three = photograph(1), photograph(2), photograph(3)
    save(one, folder / "one.png")
    exact_copy(folder / "one.png", folder / "sub" / "one again.png")
    save(one, folder / "one.bmp")
    save(one.resize((320, 240), Image.Resampling.LANCZOS), folder / "one small.jpg", quality=90)
    save(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / "one mirrored.jpg", quality=88)
    save(two, folder / "two.jpg", quality=95)
    save(two, folder / "two again.jpg", quality=40)
    save(two.transpose(Image.Transpose.ROTATE_90), folder / "two turned.png")
    save(ImageEnhance.Brightness(two).enhance(1.15), folder / "two bright.jpg", quality=90)
    save(three, folder / "three.jpg", quality=92)
    save(three, folder / "three stored turned.jpg", orientation=6, quality=92)
    exact_copy(folder / "three.jpg", folder / "three again.jpg")
    save(photograph(4), folder / "alone.jpg")
    save(photograph(5), folder / "alone too.png")
    for path in folder.rglob("*.*"):
        # A date of its own may make a file the reference of its group.
        os.utime(path, ns=(10**18, 10**18))
    return folder


def drop(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def files_of(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def from_zero(altered: Path, pool: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one scan of everything and a full detection find."""
    made = Library(tmp_path_factory.mktemp("zero"), pool)
    shutil.copytree(altered, made.photos, dirs_exist_ok=True)
    made.scan()
    result = Detections(made).detect()
    made.store.close()
    return result


def test_the_altered_copies_are_found_and_nothing_else(from_zero: dict[str, Any]) -> None:
    groups = {frozenset(image["path"] for image in group["images"]) for group in from_zero["groups"]}
    assert groups == {
        frozenset({"one.png", "sub/one again.png", "one.bmp", "one small.jpg", "one mirrored.jpg"}),
        frozenset({"two.jpg", "two again.jpg", "two turned.png", "two bright.jpg"}),
        frozenset({"three.jpg", "three stored turned.jpg", "three again.jpg"}),
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_order_in_which_pictures_come_has_no_say(
    detections: Detections, altered: Path, from_zero: dict[str, Any], seed: int
) -> None:
    names = files_of(altered)
    random.Random(seed).shuffle(names)
    while names:
        # One at a time, and sometimes some together.
        batch, names = names[: 1 + seed], names[1 + seed :]
        for name in batch:
            drop(altered / name, detections.photos / name)
        detections.scan()
    assert detections.result() == from_zero
    assert detections.detect() == from_zero


def test_previews_that_must_go_for_others_change_nothing(
    library: Library, altered: Path, from_zero: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_pairs, "PREPARED_AT_ONCE", 2)
    shutil.copytree(altered, library.photos, dirs_exist_ok=True)
    library.scan()
    limit_bytes = 100_000
    detections = Detections(library, limit_bytes)
    assert detections.detect()["groups"] == from_zero["groups"]
    # Of most pictures more than one was made, and there is room for three.
    assert detections.pool.asked.count("make_preview") > len(files_of(altered))
    kept = [path.stat().st_size for path in (library.store.data_dir / "views").rglob("*") if path.is_file()]
    assert sum(kept) < 2 * limit_bytes


def test_what_left_and_came_back_is_found_again(
    detections: Detections, altered: Path, from_zero: dict[str, Any]
) -> None:
    shutil.copytree(altered, detections.photos, dirs_exist_ok=True)
    detections.scan()
    for name in ("one.png", "two.jpg", "three.jpg"):
        (detections.photos / name).unlink()
    detections.scan()
    without = detections.result()
    assert detections.detect() == without
    assert without != from_zero
    for name in ("one.png", "two.jpg", "three.jpg"):
        drop(altered / name, detections.photos / name)
    detections.scan()
    assert detections.result() == from_zero


@pytest.mark.parametrize(
    "wanted",
    [{"hsize": 8}, {"hsize": 32}, {"tolerance": 10}, {"turns": False}],
    ids=str,
)
def test_other_parameters_find_what_a_scan_under_them_would(
    detections: Detections, altered: Path, wanted: dict[str, Any]
) -> None:
    """From a detection under the usual settings, and as the first one there ever was."""
    shutil.copytree(altered, detections.photos, dirs_exist_ok=True)
    detections.library.scan()
    first = detections.detect(**wanted)
    detections.detect()
    assert detections.detect(**wanted) == first
    names = ("hsize", "tolerance", "turns")
    assert {name: first["parameters"][name] for name in names if name in wanted} == wanted


OPENED: list[str] = []
WATCHED: list[str] = []


@pytest.fixture
def opened(library: Library):
    """The files below the photos that this process opens: an audit hook stays for good, so there is one for all."""
    if not WATCHED:

        def note(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
                path = os.fsdecode(arguments[0])
                if WATCHED and path.startswith(WATCHED[-1] + "/"):
                    OPENED.append(path)

        sys.addaudithook(note)
    WATCHED.append(str(library.photos))
    OPENED.clear()
    yield OPENED
    WATCHED.append("/nothing is watched")


def test_new_parameters_open_no_image_and_ask_no_process(
    detections: Detections, altered: Path, opened: list[str]
) -> None:
    shutil.copytree(altered, detections.photos, dirs_exist_ok=True)
    detections.library.scan()
    detections.detect(verify=False)
    with open(detections.photos / "one.png", "rb"):
        assert opened, "the hook sees what is opened"
    opened.clear()
    detections.pool.asked.clear()
    for path in detections.photos.rglob("*.*"):
        path.unlink()
    sizes = {}
    for hsize in (8, 16, 32):
        for turns in (True, False):
            result = detections.detect(hsize=hsize, tolerance=hsize * hsize // 10, turns=turns, verify=False)
            sizes[hsize, turns] = {image["path"] for group in result["groups"] for image in group["images"]}
    assert opened == []
    assert detections.pool.asked == []
    # It was a detection for all that: the mirrored and the turned copy are found with turns only.
    for hsize in (8, 16, 32):
        assert {"one mirrored.jpg", "two turned.png"} <= sizes[hsize, True] - sizes[hsize, False]
        assert {"one.bmp", "one.png", "two.jpg"} <= sizes[hsize, False]


def test_what_was_judged_once_is_not_judged_again(detections: Detections, altered: Path, opened: list[str]) -> None:
    shutil.copytree(altered, detections.photos, dirs_exist_ok=True)
    detections.library.scan()
    first = detections.detect()
    assert {"verify_pair"} <= set(detections.pool.asked)
    detections.pool.asked.clear()
    opened.clear()
    assert detections.detect() == first
    assert detections.pool.asked == []
    # Other pairs may decide, of pictures that all have previews and traces.
    detections.detect(tolerance=40)
    detections.detect(turns=False)
    assert set(detections.pool.asked) <= {"verify_pair", "compare_origins"}
    assert opened == []


def test_a_picture_of_which_no_view_can_be_made_is_asked_for_once(detections: Detections) -> None:
    for seed in (1, 2):
        save(photograph(seed, 320, 240), detections.photos / f"{seed}.jpg")
    detections.library.scan()
    (detections.photos / "1.jpg").unlink()
    detections.detector.bring_up_to_date(NullProgress(), DetectJobParameters(depth=Depth.THOROUGH))
    assert Counter(detections.pool.asked) == {"make_preview": 2, "describe_preview": 1}


def test_the_kinds(detections: Detections) -> None:
    picture = photograph(7)
    save(picture, detections.photos / "a.bmp")
    save(picture, detections.photos / "b.png")
    exact_copy(detections.photos / "b.png", detections.photos / "c.png")
    save(picture, detections.photos / "d.jpg", quality=70)
    detections.scan()
    (kinds,) = detections.groups()
    reference = next(path for path, kind in kinds.items() if not kind)
    assert reference in ("a.bmp", "b.png", "c.png")
    assert kinds["d.jpg"] == "near"
    others = {"a.bmp": "pixels", "b.png": "exact", "c.png": "exact"}
    if reference == "a.bmp":
        others |= {"b.png": "pixels", "c.png": "pixels"}
    assert {path: kinds[path] for path in others if path != reference} == {
        path: kind for path, kind in others.items() if path != reference
    }


def test_jpegs_with_other_metadata_have_the_pixel_digest_of_the_one_that_was_decoded(detections: Detections) -> None:
    first = save(photograph(7), detections.photos / "a.jpg")
    for name in ("b", "c", "d"):
        commented = with_metadata(first.read_bytes(), [Segment(COMMENT, name.encode())])
        (detections.photos / f"{name}.jpg").write_bytes(commented)
    save(photograph(7), detections.photos / "other.jpg", quality=50)
    detections.scan()
    (kinds,) = detections.groups()
    assert sorted(kinds.values()) == ["", "near", "pixels", "pixels", "pixels"]
    with detections.library.store.read() as database:
        kept = {
            bytes(row[0]) for row in database.execute_sql("SELECT pixel_digest FROM content WHERE pixel_digest <> ''")
        }
    assert pixel_digest(first.read_bytes(), Limits()) in kept
    assert len(kept) <= 2


def test_one_pixel_makes_another_picture_of_the_same_size(detections: Detections) -> None:
    picture = photograph(7)
    save(picture, detections.photos / "a.bmp")
    picture.putpixel((100, 100), (0, 0, 0))
    save(picture, detections.photos / "b.png")
    detections.scan()
    (group,) = detections.result()["groups"]
    assert group["kind"] == "near"


def test_hard_links_are_one_image(detections: Detections) -> None:
    first = save(photograph(8), detections.photos / "a.jpg")
    os.link(first, detections.photos / "b.jpg")
    detections.scan()
    assert detections.groups() == []
    exact_copy(first, detections.photos / "c.jpg")
    detections.scan()
    (group,) = detections.groups()
    assert len(group) == 2
    assert "c.jpg" in group


def test_a_deleted_picture_leaves_its_group(detections: Detections) -> None:
    first = save(photograph(9), detections.photos / "a.jpg")
    exact_copy(first, detections.photos / "b.jpg")
    exact_copy(first, detections.photos / "c.jpg")
    detections.scan()
    assert [set(group) for group in detections.groups()] == [{"a.jpg", "b.jpg", "c.jpg"}]
    first.unlink()
    detections.scan()
    assert [set(group) for group in detections.groups()] == [{"b.jpg", "c.jpg"}]
    (detections.photos / "b.jpg").unlink()
    detections.scan()
    assert detections.groups() == []


def test_each_turn_is_reported_as_what_was_done_to_the_reference(detections: Detections) -> None:
    picture = photograph(11, 600, 450)
    save(picture, detections.photos / "reference.png")
    small = picture.resize((400, 300), Image.Resampling.LANCZOS)
    save(small, detections.photos / "none.jpg", quality=90)
    for turn, method in MADE_BY.items():
        save(small.transpose(method), detections.photos / f"{turn}.jpg", quality=90)
    detections.scan()
    (group,) = detections.result()["groups"]
    assert group["images"][0]["path"] == "reference.png"
    turns = {image["path"]: image["turn"] for image in group["images"][1:]}
    assert turns == {f"{turn}.jpg": str(turn) for turn in Turn}


def test_a_picture_stored_turned_is_shown_upright_and_is_no_turned_copy(detections: Detections) -> None:
    picture = photograph(12)
    save(picture, detections.photos / "a.png")
    save(picture, detections.photos / "b.jpg", orientation=6, quality=90)
    detections.scan()
    (group,) = detections.result()["groups"]
    assert [image.get("turn") for image in group["images"]] == [None, "none"]


def test_a_search_in_some_folders_stands_beside_the_library(detections: Detections) -> None:
    for number in (1, 2):
        picture = save(photograph(20 + number), detections.photos / str(number) / "a.jpg")
        exact_copy(picture, detections.photos / str(number) / "b.jpg")
        exact_copy(picture, detections.photos / "elsewhere" / f"{number}.jpg")
    detections.library.scan()
    of_library = detections.detect()
    assert len(of_library["groups"]) == 2
    first = search(detections, "1")
    second = search(detections, "2", hsize=8, tolerance=2)
    assert detections.result() == of_library
    with detections.library.store.read() as database:
        (kept,) = matches.searches(database)
        (group,) = listing.groups_page(database, GroupFilter(search=kept.id)).items
        members = listing.members(database, [group.id], 10)[group.id]
    assert (first["groups"], second) == (1, {"groups": 1, "search": kept.id})
    assert {member.file.path.decode().rsplit("/", 2)[-2] for member in members} == {"2"}
    # What happens to a file is seen in both, and a new search of the library leaves the other.
    (detections.photos / "2" / "b.jpg").unlink()
    detections.scan()
    detections.detect()
    with detections.library.store.read() as database:
        assert listing.kinds_of_groups(database, GroupFilter(search=kept.id)) == {}
        assert listing.kinds_of_groups(database) == {"exact": 2}
    with pytest.raises(UsageError, match="in no watched folder"):
        search(detections, "../elsewhere")


def search(detections: Detections, folder: str, **wanted: Any) -> Any:
    """What a search in a folder below the watched one ends with."""
    place = os.path.normpath(detections.photos / folder)
    return detections.detector.run(NullProgress(), DetectJobParameters(folders=[place], **wanted))


def test_a_root_no_longer_watched_leaves_the_groups(detections: Detections, tmp_path: Path) -> None:
    first = save(photograph(30), detections.photos / "a.jpg")
    other = tmp_path / "other"
    exact_copy(first, other / "b.jpg")
    here, there = ScanRoot(WatchRoot(str(detections.photos).encode())), ScanRoot(WatchRoot(str(other).encode()))
    detections.library.watch(here, there)
    detections.scan()
    assert len(detections.result()["groups"]) == 1
    detections.library.watch(here)
    assert detections.detect()["groups"] == []


def test_what_no_file_has_any_more_is_forgotten_in_the_end(
    detections: Detections, altered: Path, from_zero: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(altered, detections.photos, dirs_exist_ok=True)
    detections.scan()
    views = detections.library.store.data_dir / "views"
    (detections.photos / "two bright.jpg").unlink()
    detections.scan()
    detections.detect()
    before = len(list(views.rglob("*.jpg")))
    monkeypatch.setattr(content_gc, "RETENTION_NS", -1)
    without = detections.detect()
    assert len(list(views.rglob("*.jpg"))) == before - 1
    with detections.library.store.read() as database:
        (lost,) = database.execute_sql(
            "SELECT count(*) FROM content WHERE id NOT IN (SELECT content_id FROM image)"
        ).fetchone()
    assert lost == 0
    drop(altered / "two bright.jpg", detections.photos / "two bright.jpg")
    detections.scan()
    assert detections.result() == from_zero != without
