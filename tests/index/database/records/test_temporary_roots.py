"""Folders indexed for one search: when they are dropped, and that nothing of the library sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database import schema
from index.database.queries import group_files, job_listing, listing, statistics
from index.database.records import decisions, folders, images, jobs, matches, temporary_roots
from index.database.records.decisions import DecisionRequest, NoKeeper
from index.database.records.images import WatchRoot
from index.database.store import Store
from index.errors import UsageError
from index.model import Choice, Depth, DetectParameters, JobKind, Kind, Turn
from support.weblibrary import NOW_NS, Library
from webui.api.job_folders import checked_paths

STICK = b"/mnt/stick"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """A watched root with an image, and a folder that a search has just begun to index, with a copy."""
    (tmp_path / "photos").mkdir()
    with Store(tmp_path / "data") as store:
        made = Library(store, tmp_path / "photos")
        made.add_root()
        made.add_detection()
        made.write(lambda db: temporary_roots.add(db, STICK))
        content = made.add_content(1)
        made.add_image(content, "a.jpg")
        made.add_image(content, "", root_id=2, path=STICK + b"/a.jpg")
        made.add_image(made.add_content(2), "", root_id=2, path=STICK + b"/b.jpg")
        yield made


def roots(library: Library) -> dict[bytes, tuple[bool, int]]:
    with library.store.read() as database:
        rows = schema.Root.select().execute(database)
        return {bytes(row.path): (row.watched, row.temporary) for row in rows}


def search_in(library: Library, folder: bytes) -> int:
    parameters = DetectParameters(depth=Depth.FAST, folders=(folder.decode(),))
    search = library.write(lambda db: matches.start_detection(db, parameters, NOW_NS))
    library.write(lambda db: matches.keep_search(db, search, NOW_NS))
    return int(search)


def test_one_stays_while_a_search_needs_it_and_is_dropped_with_its_images(library: Library) -> None:
    library.add_problem("no picture.jpg", root_id=2)
    job = library.write(lambda db: jobs.add(db, JobKind.DETECT, {"folders": [STICK.decode()]}, "user"))
    assert library.write(temporary_roots.drop_unused) == set()
    library.write(lambda db: jobs.request_cancel(db, job, NOW_NS))
    search = search_in(library, STICK)
    assert library.write(temporary_roots.drop_unused) == set()
    library.write(lambda db: matches.drop_search(db, search))
    assert len(library.write(temporary_roots.drop_unused)) == 2
    assert roots(library) == {bytes(library.folder): (True, 0)}
    with library.store.read() as database:
        assert [bytes(row.path) for row in schema.Image.select().execute(database)] == [
            bytes(library.folder) + b"/a.jpg"
        ]


def test_one_that_was_watched_once_keeps_its_images_for_the_day_it_is_again(library: Library) -> None:
    library.write(lambda db: schema.Root.update(temporary=0, watched=False).where(schema.Root.id == 2).execute(db))
    library.write(lambda db: temporary_roots.add(db, STICK))
    assert roots(library)[STICK] == (True, temporary_roots.RETURNED)
    library.write(temporary_roots.drop_unused)
    assert roots(library)[STICK] == (False, 0)
    with library.store.read() as database:
        assert schema.Image.select().where(schema.Image.root == 2).count(database) == 2


def test_nothing_of_the_library_sees_it(library: Library) -> None:
    library.add_problem("broken.jpg", root_id=2)
    with library.store.read() as database:
        assert [row.path for row in listing.roots(database)] == [bytes(library.folder)]
        assert listing.totals(database).images == 1
        assert job_listing.problems_page(database, job_listing.ProblemFilter()).total == 0
        formats, _ = statistics.by_format_and_month(database)
        assert sum(entry.images for entry in formats) == 1
        assert list(images.all_roots(database)) == [bytes(library.folder)]
        present = matches.present_files(database, [1, 2], DetectParameters())
        assert {content: len(rows) for content, rows in present.items()} == {1: 1}
        in_search = matches.present_files(database, [1, 2], DetectParameters(folders=(STICK.decode(),)))
        assert {content: len(rows) for content, rows in in_search.items()} == {1: 1, 2: 1}


def test_it_can_be_searched_again_and_nothing_else_is_done_in_it(library: Library) -> None:
    with library.store.read() as database:
        given = {"folders": [f"{STICK.decode()}/a.jpg"]}
        assert checked_paths(database, JobKind.DETECT, given) == given
        for kind, name in ((JobKind.COMPRESS, "folders"), (JobKind.SCAN, "paths")):
            with pytest.raises(UsageError, match="is in no watched folder"):
                checked_paths(database, kind, {name: [f"{STICK.decode()}/a.jpg"]})


def test_a_change_of_the_configuration_leaves_it_until_it_is_watched_itself(library: Library) -> None:
    watched = [WatchRoot(bytes(library.folder))]
    assert library.write(lambda db: images.sync_roots(db, watched)) == set()
    assert roots(library)[STICK] == (True, temporary_roots.TEMPORARY)
    assert library.write(lambda db: images.sync_roots(db, [*watched, WatchRoot(STICK)])) == {1, 2}
    assert roots(library)[STICK] == (True, 0)
    with library.store.read() as database:
        assert images.all_roots(database)[STICK] is False


def test_a_search_without_the_folders_below_takes_what_is_directly_in_one(library: Library) -> None:
    library.add_image(library.add_content(3), "", root_id=2, path=STICK + b"/deep/c.jpg")
    for folder in (STICK.decode(), STICK.decode() + "/"):
        flat = DetectParameters(folders=(folder,), recursive=False)
        assert matches.load_parameters(matches.dump_parameters(flat)) == flat
        with library.store.read() as database:
            assert set(matches.present_files(database, [1, 2, 3], flat)) == {1, 2}
            assert folders.contents_below(database, flat.folders, recursive=False) == {1, 2}
            assert folders.contents_below(database, flat.folders) == {1, 2, 3}
    library.write(lambda db: temporary_roots.add(db, STICK, recursive=False))
    with library.store.read() as database:
        assert temporary_roots.depths(database) == {STICK: False}
    library.write(lambda db: temporary_roots.add(db, STICK))
    with library.store.read() as database:
        assert temporary_roots.depths(database) == {STICK: True}


def test_the_parameters_of_other_detections_are_written_as_before() -> None:
    assert "recursive" not in matches.dump_parameters(DetectParameters())


def test_what_is_decided_there_waits_and_never_costs_the_library_its_last_file(library: Library) -> None:
    search = search_in(library, STICK)
    key = library.add_group(1, (2, Kind.NEAR, 4, Turn.NONE), images=3, detection_id=search)
    own, copied, other = 1, 2, 3

    def decide(**choices: Choice) -> None:
        wanted = [DecisionRequest({"own": own, "copied": copied, "other": other}[name], choice)
                  for name, choice in choices.items()]  # fmt: skip
        library.write(lambda db: decisions.decide(db, key, wanted, NOW_NS, search))

    with pytest.raises(NoKeeper):
        decide(own=Choice.TRASH, copied=Choice.KEEP, other=Choice.KEEP)
    with pytest.raises(NoKeeper):
        decide(own=Choice.TRASH, copied=Choice.TRASH, other=Choice.TRASH)
    decide(own=Choice.KEEP, copied=Choice.TRASH, other=Choice.MOVE)
    with library.store.read() as database:
        assert temporary_roots.waiting(database) == [temporary_roots.WaitingFolder(STICK, True, 2)]
        assert decisions.review(database).images_to_act == 0
        assert group_files.decided_contents(database) == []
    library.write(lambda db: images.sync_roots(db, [WatchRoot(bytes(library.folder)), WatchRoot(STICK)]))
    with library.store.read() as database:
        assert temporary_roots.waiting(database) == []
        assert decisions.review(database).images_to_act == 2
