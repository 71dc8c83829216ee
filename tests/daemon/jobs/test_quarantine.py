"""A picture that ends its process or the service when it is seen, shown or described is given up, and no other."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from daemon.jobs import feature_candidates, previews, quarantine, verify_pairs
from daemon.jobs.detect import Detector
from daemon.jobs.previews import Previews
from daemon.jobs.progress import NullProgress
from daemon.jobs.quarantine import Quarantine
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.records import quarantine as records
from index.database.records.jobs import DetectJobParameters
from index.database.records.quarantine import TRIES
from index.errors import NoRoom, PictureError
from index.imaging.candidates.features.descriptors import SCHEME
from index.imaging.decoding.pictures import Limits
from index.messages import text
from index.model import Depth, DetectParameters
from support import misbehaviour, poisoned
from support.library import Library
from support.pictures import photograph, save
from support.program import SEARCH, Program, run_poisoned, wait_until_idle
from support.program import poisoned as behind_poison
from support.serving import PATIENCE_S

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

THOROUGH = DetectJobParameters(depth=Depth.THOROUGH)


def take(folder: Path, *seeds: int) -> None:
    """Photographs, each with a copy, and one that is poisoned."""
    for seed in seeds:
        picture = photograph(seed, 640, 480)
        save(picture, folder / f"{seed}.jpg", quality=92)
        save(picture.resize((400, 300)), folder / f"{seed} small.jpg", quality=85)
    save(photograph(99, poisoned.WIDTH, 250), folder / "bad.jpg")


def content_ids(library: Library) -> list[int]:
    """In the order of the files' names."""
    return [content_id for content_id in library.images().values() if content_id is not None]


def held(library: Library, work: str) -> dict[int, int]:
    with library.store.read() as database:
        crashes = records.crashes(database, work)
    return {content_id: count for content_id in content_ids(library) if (count := crashes.of(content_id))}


def rows(library: Library, table: str) -> int:
    with library.store.read() as database:
        return int(database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0])


def crash_over(library: Library, work: str, *items: int, times: int = 1) -> None:
    """As if the service had ended while it worked on these."""
    for _ in range(times):
        library.store.write(lambda db: records.start(db, work, items))
        quarantine.recover(library.store)


@pytest.fixture
def taken(library: Library) -> Library:
    for seed in range(5):
        save(photograph(seed, 80, 60), library.photos / f"{seed}.jpg")
    library.scan()
    return library


@pytest.fixture
def hasty(library: Library) -> Iterator[WorkerPool]:
    with WorkerPool(2, WorkerLimits(time_limit_s=4, memory_bytes=2 * 2**30)) as pool:
        yield pool


def test_what_the_service_ended_with_is_done_last_and_alone(taken: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, *others = content_ids(taken)
    crash_over(taken, "work", one, two)
    crash_over(taken, "work", one)
    handed_out: list[list[int]] = []
    run = taken.pool.run

    def watched(function: Any, items: Any, lane: Any) -> Any:
        handed_out.append([])
        return run(function, (handed_out[-1].append(item[0]) or item for item in items), lane)

    monkeypatch.setattr(taken.pool, "run", watched)
    items = [(content_id, "done") for content_id in content_ids(taken)]
    outcomes = Quarantine[int](taken.store, taken.pool, "work", "worked on").run(misbehaviour.same, items)
    assert {(one.item[0], one.value) for one in outcomes} == set(items)
    assert handed_out == [others, [two], [one]]
    assert rows(taken, "quarantine") == 0


def test_what_is_given_up_is_reported_by_name_and_is_so_for_this_work_alone(
    taken: Library, caplog: pytest.LogCaptureFixture
) -> None:
    bad, *others = content_ids(taken)
    crash_over(taken, "work", bad, times=TRIES)
    work = Quarantine[int](taken.store, taken.pool, "work", "worked on")
    outcomes = {one.item[0]: one for one in work.run(misbehaviour.same, [(bad, ""), *((one, "") for one in others)])}
    assert [one for one, outcome in outcomes.items() if outcome.failure] == [bad]
    with pytest.raises(PictureError, match="3 times"):
        work.call(misbehaviour.same, bad, "")
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count(f"{taken.photos}/0.jpg was not worked on: failed 3 times and is not tried again") == 2
    assert Quarantine[int](taken.store, taken.pool, "other work", "").call(misbehaviour.same, bad, "fine") == "fine"


def test_who_leaves_off_holds_nothing_against_what_was_under_way(taken: Library) -> None:
    bad, *_ = content_ids(taken)
    crash_over(taken, "work", bad)
    items = [(content_id, "") for content_id in content_ids(taken)]
    outcomes = Quarantine[int](taken.store, taken.pool, "work", "worked on").run(misbehaviour.same, items)
    next(outcomes)
    outcomes.close()
    assert held(taken, "work") == {bad: 1}
    assert rows(taken, "quarantine") == 1


def test_a_failure_that_is_no_loss_of_a_process_is_no_attempt(taken: Library) -> None:
    bad, *_ = content_ids(taken)
    (outcome,) = Quarantine[int](taken.store, taken.pool, "work", "").run(
        misbehaviour.obey, [(bad, ("fail", "is broken"))]
    )
    assert outcome.failure is not None
    assert str(outcome.failure) == "is broken"
    assert rows(taken, "quarantine") == 0


def test_a_person_may_ask_again_for_what_a_process_died_of(taken: Library) -> None:
    bad, *_ = content_ids(taken)
    work = Quarantine[int](taken.store, taken.pool, "work", "")
    for _ in range(TRIES + 1):
        with pytest.raises(PictureError, match="crashed"):
            work.call(misbehaviour.obey, bad, ("crash", None))
    taken.store.write(lambda db: None)
    assert rows(taken, "quarantine") == 0


@pytest.mark.parametrize("answers", [True, False], ids=["full", "busy"])
def test_who_looks_at_the_page_does_not_wait_for_an_index_that_cannot_be_written(
    taken: Library, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(change: object) -> Future[None]:
        future: Future[None] = Future()
        if answers:
            future.set_exception(NoRoom(text("database or disk is full")))
        return future

    monkeypatch.setattr(taken.store, "submit", refuse)
    monkeypatch.setattr(quarantine, "RECORDED_S", 0.05)
    bad, *_ = content_ids(taken)
    assert Quarantine[int](taken.store, taken.pool, "work", "").call(misbehaviour.same, bad, "shown") == "shown"


@pytest.mark.fault("a picture by which processes die or hang that describe it: given up by name, all others described")
@pytest.mark.parametrize(
    "describe", [poisoned.describe_or_crash, pytest.param(poisoned.describe_or_hang, marks=pytest.mark.slow)]
)
def test_a_picture_that_cannot_be_described_is_given_up(
    library: Library,
    hasty: WorkerPool,
    describe: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    take(library.photos, 1, 2)
    library.scan()
    monkeypatch.setattr(feature_candidates, "describe_preview", describe)
    for _ in range(TRIES + 1):
        # A new one each time, as after a start.
        Detector(library.store, hasty, Previews(library.store, hasty, Limits()), DetectParameters).run(
            NullProgress(), THOROUGH
        )
    assert rows(library, "feature") == 4
    assert rows(library, "duplicate_group") == 2
    bad = library.images()["bad.jpg"]
    assert held(library, SCHEME) == {bad: TRIES}
    logged = [line for line in (record.getMessage() for record in caplog.records) if "was not described" in line]
    assert all(line.startswith(f"{library.photos}/bad.jpg ") for line in logged)
    ends = [line.rpartition(";")[2] for line in logged[:3]]
    assert ends == [" it is tried again later"] * 2 + [" it is tried no more"]
    monkeypatch.undo()
    lost = sum(hasty.losses.values())
    Detector(library.store, hasty, Previews(library.store, hasty, Limits()), DetectParameters).run(
        NullProgress(), THOROUGH
    )
    assert sum(hasty.losses.values()) == lost, "it is paid for three times and no more"


def test_a_view_by_which_processes_die_is_given_up_with_all_pairs_of_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "make_preview", poisoned.view_or_crash)
    picture = photograph(1, 640, 480)
    for width in (640, 500, 420, poisoned.WIDTH):
        save(picture.resize((width, width * 3 // 4)), library.photos / f"{width}.jpg", quality=85)
    library.scan()
    detector = Detector(library.store, library.pool, Previews(library.store, library.pool, Limits()), DetectParameters)
    before = sum(library.pool.losses.values())
    for _ in range(TRIES + 1):
        detector.update(NullProgress())
    assert rows(library, "match") == 3, "all pairs of the others"
    assert rows(library, "unjudged") == 0
    # Each time twice: the first time might be chance.
    assert sum(library.pool.losses.values()) - before == 2 * TRIES


def take_same_pixels(folder: Path, *names: str) -> None:
    """Photographs, each in two formats that lose nothing."""
    for seed, name in enumerate(names):
        for suffix in ("png", "bmp"):
            save(photograph(seed, 320, 240), folder / f"{name}.{suffix}")
    # Of the copies with that name one alone is poisoned.
    (folder / "poison.bmp").rename(folder / "copy.bmp")


@pytest.mark.fault(
    "a picture by which processes die that digest its pixels: given up, its pair compared by its preview"
)
def test_a_picture_whose_pixels_cannot_be_digested_is_given_up(
    library: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    take_same_pixels(library.photos, "fine", "poison")
    library.scan()
    bad = library.images()["poison.png"]
    monkeypatch.setattr(verify_pairs, "pixel_digest", poisoned.pixels_or_die)
    counts, kinds = [], []
    for _ in range(TRIES + 1):
        # A full detection, which looks at all pairs again.
        views = Previews(library.store, library.pool, Limits())
        Detector(library.store, library.pool, views, DetectParameters).run(NullProgress(), DetectJobParameters())
        counts.append(held(library, "pixels"))
        with library.store.read() as database:
            kinds.append(sorted(database.execute_sql("SELECT kind FROM match ORDER BY detection_id DESC LIMIT 2")))
    assert counts == [{bad: 1}, {bad: 2}, {bad: TRIES}, {bad: TRIES}]
    assert kinds == [[("near",), ("pixels",)]] * (TRIES + 1)
    lines = [line for line in (record.getMessage() for record in caplog.records) if "to its last pixel" in line]
    assert all(line.startswith(f"{library.photos}/poison.png was not read") for line in lines)
    assert len(lines) == TRIES + 1
    lost = sum(library.pool.losses.values())
    views = Previews(library.store, library.pool, Limits())
    Detector(library.store, library.pool, views, DetectParameters).run(NullProgress(), DetectJobParameters())
    assert sum(library.pool.losses.values()) == lost, "it is paid for three times and no more"


@pytest.mark.slow
@pytest.mark.fault("a picture whose pixels end the whole service when they are digested: given up by name, no other")
def test_the_service_is_ended_three_times_by_the_pixels_of_a_picture_and_then_no_more(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    take_same_pixels(photos, "fine", "poison")
    program = Program(tmp_path, photos, workers=2)
    ends = [run_poisoned(program, "pixels", "duplicate_group") for _ in range(TRIES + 1)]
    assert ends == [-signal.SIGKILL] * TRIES + [0], program.log.read_text()[-3000:]
    assert f"{photos}/poison.png was not read to its last pixel: failed 3 times" in program.log.read_text()
    assert sorted(program.ask("SELECT kind FROM match")) == [("near",), ("pixels",)]
    assert program.ask("SELECT work, crashes FROM quarantine") == [("pixels", TRIES)]
    program.check_index()


@pytest.mark.slow
@pytest.mark.fault("a picture whose description or view ends the whole service: given up by name, no other")
@pytest.mark.parametrize(
    ("when", "message"),
    [("describe", "bad.jpg was not described:"), ("view", "bad.jpg was not given a view:")],
)
def test_the_service_is_ended_three_times_by_a_picture_and_then_no_more(
    tmp_path: Path, when: str, message: str
) -> None:
    photos = tmp_path / "photos"
    take(photos, 1, 2)
    program = Program(tmp_path, photos, workers=2)
    program.config.write_text(program.config.read_text().replace("[detect]\n", '[detect]\ndepth = "thorough"\n'))
    ends = [run_poisoned(program, when, "duplicate_group") for _ in range(TRIES + 1)]
    assert ends == [-signal.SIGKILL] * TRIES + [0], program.log.read_text()[-3000:]
    assert f"{photos}/{message} failed 3 times" in program.log.read_text()
    assert len(program.ask("SELECT * FROM duplicate_group")) == 2
    assert len(program.ask("SELECT * FROM feature")) == 4
    program.check_index()


@pytest.mark.slow
@pytest.mark.fault("a picture that ends the whole service whenever it is shown: no longer shown, all others are")
def test_a_page_that_shows_a_picture_ends_the_service_three_times_and_then_no_more(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    take(photos, 1)
    program = Program(tmp_path, photos)
    for time in range(TRIES + 1):
        with program.running(behind_poison("view"), PYTHONPATH=SEARCH) as (process, address):
            wait_until_idle(address)
            rows_by_name = {os.path.basename(path): row for row, path in program.ask("SELECT id, path FROM image")}
            assert shown(address, rows_by_name[b"1.jpg"]) == 200
            if time < TRIES:
                assert shown(address, rows_by_name[b"bad.jpg"]) == 0
                assert process.wait(PATIENCE_S) == -signal.SIGKILL
            else:
                assert shown(address, rows_by_name[b"bad.jpg"]) == 404
    assert "bad.jpg was not shown: failed 3 times" in program.log.read_text()


def shown(address: str, image_id: int) -> int:
    """The status of the answer, 0 if there is none."""
    try:
        with urlopen(f"{address}/api/v1/images/{image_id}/thumbnail", timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0
